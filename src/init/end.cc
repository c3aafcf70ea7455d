// SPDX-License-Identifier: MIT

/// The end of a container: no service runs or will run again.
///
/// The exit record is written first, so that it is there whatever comes. Processes that are left, orphans
/// mostly, get SIGTERM and some time. That time is a maximum: the end comes as soon as the last of them has gone, at once
/// if there are none. Who is still there afterwards is killed by the kernel together with PID 1, or by an init that is none.

#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/notify.h"
#include "init/object.h"
#include "init/pid1.h"
#include "init/stats.h"
#include "supervise/channel.h"

namespace vial {

namespace {

constexpr Milliseconds orphan_grace = 2000;
constexpr Milliseconds killed_patience = 1000;
/// Somebody who entered from outside (`exec`) is not our child: no SIGCHLD tells of its end.
constexpr Milliseconds look_interval = 50;

}  // namespace

void Pid1::shut_down()
{
    shut = true;
    resume();
    if (is_host())
        (void)notify("STOPPING=1");
    supervisor.stop_all(now);
}

bool Pid1::begin_end()
{
    ending_ = true;

    end_deadline_ = now + look_interval;
    if (is_host())  // what has become of one of its services is not its own end
        return end_of_main();
    const Service* outcome = supervisor.outcome();
    Ending last = outcome != nullptr ? outcome->last : Ending{};
    end_code_ = last.code;
    if (outcome != nullptr && outcome->state == ServiceState::Failed && end_code_ == 0)
        end_code_ = last.code = 1;  // it ended well, but too early, or it never ran
    std::uint64_t restarts = 0;
    for (const Service& service : supervisor.services())
        restarts += service.restarts;

    char buffer[512];
    Writer line(buffer, sizeof buffer);
    ObjectWriter record(line);
    put_code(record, last.code, last.signal);
    if (plan.service_count != 0)
        record.text("service", service_name(outcome != nullptr ? supervisor.index_of(*outcome) : 0));
    record.flag("oom", last.oom);
    record.number("at", os::realtime_ms());
    record.number("restarts", static_cast<std::int64_t>(restarts));
    record.number("uptime", now - started_at);
    record.end();
    (void)os::pwrite(plan.exit_file, line.text().data(), line.text().size(), 0);
    // Now: whatever becomes of us while the orphans end, this is how it ended.
    if (foreground())
        say(static_cast<char>(ChannelLetter::Ended), Decimal(end_code_));

    if (!is_own())
        return end_of_main();
    end_kill_ = now + orphan_grace;
    return signal_rest(SIGTERM);
}

bool Pid1::end_is_over()
{
    end_deadline_ = now + look_interval;
    if (now < end_kill_)
        return signal_rest(0);
    // PID 1's end is everybody's.
    if (is_own() || entry->first)
        return true;
    // Whom nobody kills with us is killed by us, and seen to its end, unless it waits in the kernel.
    return signal_rest(SIGKILL) || now >= end_kill_ + killed_patience;
}

}  // namespace vial
