// SPDX-License-Identifier: MIT
#include "launch/stop.h"

#include "base/features.h"
#include "base/os.h"
#include "launch/client.h"
#include "launch/condemned.h"
#include "launch/pause.h"
#include "spec/read.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

namespace vial {

namespace {

/// What PID 1 may take for its own part of an orderly stop, beyond the services' own times.
constexpr std::int64_t stop_margin = 5000;
constexpr std::int64_t look_interval = 10;  // where there are no pidfds (before 5.3)

}  // namespace

Result<Spec*> load_started_spec(Text name)
{
    const Text text = TRY(os::read_file(AT_FDCWD, state_path(name, "spec").c_str(), spec_size_limit * 2));
    Reading reading = read_spec(text, {});
    if (!reading.problems.empty())
        return Error("the record of its spec is damaged"_p, "read", state_path(name, "spec"));
    reading.spec.file = TRY(read_record(name))->file;
    return &reading.spec;
}

Result<bool> wait_for_end(const Record& record, std::int64_t timeout)
{
    const std::int64_t deadline = timeout < 0 ? INT64_MAX : os::boottime_ms() + timeout;
    Opened process = os::pidfd_open(record.init.pid);
    // The number is checked after the descriptor was opened: from then on it is the same process.
    while (is_alive(record.init)) {
        const std::int64_t left = timeout < 0 ? -1 : deadline - os::boottime_ms();
        if (timeout >= 0 && left <= 0)
            return false;
        if (process.ok()) {
            pollfd entry{process.value().get(), POLLIN, 0};
            (void)TRY(os::poll({&entry, 1}, left));
        } else {
            (void)TRY(os::poll({}, look_interval));
        }
    }
    return true;
}

Result<void> signal_init(const Record& record, int signal)
{
    const Opened process = os::pidfd_open(record.init.pid);
    if (!is_alive(record.init))
        return {};
    const auto sent =
        process.ok() ? os::pidfd_send_signal(process.value().get(), signal) : os::kill(record.init.pid, signal);
    if (sent.number() == ESRCH)
        return {};
    return sent;
}

Result<void> may_end(const Record& record)
{
    if (!record.first)
        return {};
    return Error("it is the machine's first process"_p, "stop", record.name)
        .advise("`vial poweroff`, `vial reboot`, `vial halt`"_p);
}

Result<void> put_away(Text name, pid_t init)
{
    const StateLock lock = TRY(StateLock::take());
    auto record = read_record(name);
    if (!record.ok())
        return record.error()->exit == ExitCode::NotFound ? Result<void>() : record.error();
    if (record.value()->phase != Phase::Ended && record.value()->init.pid == init)
        return Error("the kernel does not tell whether it has ended"_p, "clear", name)
            .advise("the next command tries again"_p);
    if (record.value()->phase != Phase::Ended)
        return {};
    return remove(*record.value(), lock);
}

namespace {

/// A pod stops as one. Who is being stopped already is somebody else's: two may be in each other's pod by now.
Result<void> stop_members(Text name, std::int64_t timeout)
{
    note_stopping(name);
    const auto record = read_record(name);
    if (!record.ok())
        return {};
    for (Text member : record.value()->members) {
        const auto found = read_record(member);
        if (found.ok() && found.value()->pod == name && !found.value()->stopping &&
            found.value()->phase != Phase::Ended)
            TRY(stop_container(*found.value(), timeout));
    }
    return {};
}

}  // namespace

Result<void> stop_container(const Record& record, std::int64_t timeout)
{
    if (record.phase == Phase::Starting)
        return Error("it is still being started", "", record.name).advise("try again"_p);
    TRY(may_end(record));
    TRY(stop_members(record.name, timeout));
    if (record.phase == Phase::Running) {
        TRY(resume_container(record));
        std::int64_t grace = 0;
        int stop_signal = SIGTERM;
        if (const auto started = load_started_spec(record.name); started.ok()) {
            const Spec& spec = *started.value();
            for (const ServiceSpec& service : spec.services)
                grace = service.policy.stop_timeout > grace ? service.policy.stop_timeout : grace;
            if (!spec.init && !spec.services.empty())
                stop_signal = spec.services.front().policy.stop_signal;
        }
        const bool asked = record.has_init ? ask(record.name, "shutdown").ok() : signal_init(record, stop_signal).ok();
        std::int64_t patience = timeout >= 0 ? timeout : grace + (record.has_init ? stop_margin : 0);
        if (asked && timeout < 0 && record.name == boot_name)
            patience = -1;  // whom it stops has all the time that its own spec gives it
        if (!asked || !TRY(wait_for_end(record, patience))) {
            TRY(signal_init(record, SIGKILL));
            TRY(wait_for_end(record, -1));
        }
    }
    if (built_with(Feature::Boot) && record.name == boot_name)
        stop_what_boot_started();  // which may have crashed
    return put_away(record.name, record.init.pid);
}

}  // namespace vial
