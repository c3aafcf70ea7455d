// SPDX-License-Identifier: MIT

/// Reaping: every process of the container whose parent is gone becomes PID 1's child and ends here.
///
/// SIGCHLD only says "look": several ends may hide behind one, and one may come without any. So each look goes on
/// until the kernel has nobody left, in bounded pieces. Stops and continuations of children are not asked for.
///
/// To be woken costs several times what the reaping does. So where look after look finds orphans, the next ones get a
/// moment to gather: one wakeup for some of them. Whatever else is sent meanwhile ends it, and so is heard however many end:
/// of the signals that wait, those behind SIGCHLD would otherwise have no turn.

#include "base/os.h"
#include "init/entry.h"
#include "init/pid1.h"
#include "init/stats.h"

#include <sys/wait.h>

namespace vial {

namespace {

constexpr unsigned reap_batch = 256;
constexpr unsigned flood = 8;          ///< looks in a row that found nothing but orphans
constexpr long gather_time = 150'000;  ///< nanoseconds
constexpr Milliseconds look_pause = 1000;

}  // namespace

bool Pid1::reap()
{
    const std::uint64_t before = reaped;
    // Where a service has no control group, the number of its process group is all that holds it together: one that has
    // ended keeps it for us until we have heard of its end.
    const int keep = !is_own() && entry->command == nullptr && plan.service_count > 0 ? WNOWAIT : 0;
    unsigned count = 0;
    for (; count < reap_batch; count++) {
        const auto waited = os::wait(0, WNOHANG | keep);
        if (!waited.ok() || waited.value().pid == 0)
            break;
        hear_end(waited.value());
        if (keep != 0)
            (void)os::wait(waited.value().pid, WNOHANG);
    }
    if (count == reap_batch)
        return true;
    // The look after a pause that has not gathered two ends the flood.
    const bool flooded = in_a_row_ == flood;
    if (reaped - before != count || count <= flooded)
        in_a_row_ = 0;
    else if (flooded || ++in_a_row_ == flood)
        gather();
    return false;
}

void Pid1::gather()
{
    sigset_t others = os::every_signal();
    ::sigdelset(&others, SIGCHLD);
    siginfo_t signal;
    // Where timers may be late, systemd's TimerSlackNSec= say, it would last for as long as they may.
    const int number = os::wait_signal(others, signal, os::timer_slack() > gather_time ? 0 : gather_time);
    if (number > 0)
        hear_signal(number, signal.si_code, signal.si_pid);
}

void Pid1::hear_end(const os::Exited& exited)
{
    const PidTable::Owner owner = supervisor.find(exited.pid);
    if (!is_own() && (entry->tell_reaped || entry->level == Level::Debug))
        tell_reaped(exited, owner.found);
    if (!owner.found) {
        reaped++;
        return;
    }
    now = os::boottime_ms();
    const ServiceIndex index = owner.service;
    if (owner.is_task)
        return task_exited(index, exited.exit_code());
    // How its exec went comes first, even if the end was noticed before it.
    hear_exec_report(index, true);
    // So does what it said last: maybe who goes on in its place, or that it is ready.
    if (policy(index).ready == Ready::Notify) {
        hear_readiness(index);
        if (!supervisor.find(exited.pid).found)
            return;
    }
    if (goes_on(index) || (exited.exit_code() == 0 && supervisor.left(index)))
        return;
    const bool stranger = runtimes[index].stranger != 0;
    forget_stranger(index);
    const Ending ending = ending_of(index, exited.exit_code(), exited.code == CLD_EXITED ? 0 : exited.status);
    events.ended(index, supervisor.service(index), ending);
    supervisor.exited(index, ending, now);
    if (is_host() && plan.all_services()[index].is_container)
        clear_container();
    else if (!is_own() && !stranger && !supervisor.closing() && !supervisor.finished())
        kill_group(exited.pid);
}

/// Called once for each end: what the OOM killer did since the last one is put down to this service.
Ending Pid1::ending_of(ServiceIndex index, int code, int signal)
{
    Ending ending;
    ending.at = os::realtime_ms();
    ending.code = static_cast<std::uint8_t>(code);
    ending.signal = static_cast<std::uint8_t>(signal);

    // When all are stopped, nobody asks later what it was before.
    if (supervisor.closing() && code != 128 + SIGKILL)
        return ending;
    const auto kills = oom_kills(plan, index);
    ending.oom = code == 128 + SIGKILL && kills > runtimes[index].oom_kills;
    runtimes[index].oom_kills = static_cast<std::uint32_t>(kills);
    // Version 1 wakes nobody for them, or not on every kernel. Many may end at once.
    if (code != 0 && (plan.flags & PlanUnifiedCgroup) == 0 && (ending.oom || limits_seen_ + look_pause <= now))
        (void)look_at_limits();
    return ending;
}

}  // namespace vial
