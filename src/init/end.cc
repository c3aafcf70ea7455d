// SPDX-License-Identifier: MIT

/// The end of a container: no service runs or will run again.
///
/// The exit record is written first, so that it is there whatever comes. Processes that are left, orphans
/// mostly, get SIGTERM and some time. That time is a maximum: the end comes as soon as the last of them has gone, at once
/// if there are none. Who is still there afterwards is killed by the kernel together with PID 1.

#include "base/os.h"
#include "base/text.h"
#include "init/pid1.h"
#include "init/stats.h"

namespace vial {

namespace {

constexpr Milliseconds orphan_grace = 2000;
/// Somebody who entered from outside (`exec`) is not our child: no SIGCHLD tells of its end.
constexpr Milliseconds look_interval = 50;

/// kill(2) to -1 leaves out the caller: ESRCH means that PID 1 is alone.
bool is_alone(int signal)
{
    return os::kill(-1, signal).number() == ESRCH;
}

}  // namespace

bool Pid1::begin_end()
{
    ending_ = true;
    supervisor.stop_all(now);

    const Service* outcome = supervisor.outcome();
    const Ending last = outcome != nullptr ? outcome->last : Ending{};
    end_code_ = last.code;
    std::uint64_t restarts = 0;
    for (const Service& service : supervisor.services())
        restarts += service.restarts;

    char buffer[512];
    char scratch[16];
    Writer record(buffer, sizeof buffer);
    record.put("{\"code\":").decimal(end_code_).put(",\"signal\":");
    if (last.signal != 0)
        record.quoted(signal_name(last.signal, scratch));
    else
        record.put("null");
    record.put(",\"service\":");
    record.quoted(service_name(outcome != nullptr ? supervisor.index_of(*outcome) : 0));
    record.put(",\"oom\":").put(last.oom || oom_kills(plan) > 0 ? "true" : "false");
    record.put(",\"at\":").decimal(os::realtime_ms());
    record.put(",\"restarts\":").decimal(static_cast<std::int64_t>(restarts));
    record.put(",\"uptime\":").decimal(now - started_at).put("}\n");
    (void)os::pwrite(plan.exit_file, record.text().data(), record.text().size(), 0);

    const bool alone = is_alone(SIGTERM);
    end_kill_ = now + orphan_grace;
    end_deadline_ = now + look_interval;
    return alone;
}

bool Pid1::end_is_over()
{
    end_deadline_ = now + look_interval;
    return now >= end_kill_ || is_alone(0);
}

}  // namespace vial
