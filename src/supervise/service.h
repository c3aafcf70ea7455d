// SPDX-License-Identifier: MIT
#pragma once

/// One supervised service: what it is doing, and what is wanted of it.
///
/// The life of a service
/// ---------------------
///
///                 start wanted            its turn                       it says so, or is found to be
///      Stopped ─────────────────▶ Waiting ────────▶ Starting ───────────────────▶ Ready ◀──▶ Reloading
///         ▲                          ▲                 │                            │
///         │                    delay │                 ├──────────────┬─────────────┤
///         │                     over │                 │ ended        │             │ stop wanted, not
///         │                          │                 ▼              ▼             ▼ ready in time, unwell
///         │                       Backoff ◀── again? ──●──── no ──▶ Failed       Stopping ──▶ Stopped, Waiting,
///         └──────────────── ended well ────────────────┘                                      Failed, or ●
///
/// * `Waiting`: it shall run, its turn has not come. What it depends on is not ready yet; the last hook of its former
///   life still runs; or simply others come first, for only so many are started in one go, so that a container of
///   a thousand still reaps and answers in between.
/// * `Starting`: it has a process. It is ready when its exec went through (`Ready::Start`), when it says so (`Notify`,
///   `Fd`), or when a probe finds it so (`Tcp`, `Exec`). Whatever is not ready in time is stopped, and that was a failure.
///   One that puts itself into the background (`PidFile`) is looked for once the process that was started has ended well,
///   and has no process meanwhile; its pid file names the one that it goes on in, and then it is ready.
/// * `Ready`: it does its work. A oneshot is ready once it has ended well: it has no process then, and holds
///   nothing up. While it is ready its health is asked for, again and again.
/// * `Reloading`: it was asked to read its configuration again, and has not said yet that it is done.
/// * `Stopping`, in steps (`StopStep`). Held, until those have gone that depend on it. Then its `on_stop` hook runs, if
///   it was ready. Then it gets its stop signal, and time. When the time is over, everything of it is killed; and killed
///   again every second until its process has gone. After the second time nobody waits for it any more: a process in
///   an uninterruptible sleep holds up nobody but itself. What comes then was settled when the stop began
///   (`Afterwards`).
/// * `Backoff`: it ended and will be started again when the delay is over. Also where the kernel refused the
///   fork: the lack of memory or of task numbers passes, so this is tried again whatever `restart` says.
/// * `Stopped`: it does not run, as wanted; or it ended by itself with code 0.
/// * `Failed`: it is not to be started again. `reason` says why. A start by hand works from here, and forgets what was.
///
/// Wishes and deeds. A wish (start, stop, restart, the end of everything) changes states at once, where that needs no
/// process: it settles what is wanted. Deeds follow in `Supervisor::advance`: each service whose own state or whose
/// neighbours' changed stands in a queue, and is looked at there once, by itself. So nothing here recurses over the
/// graph, and a start or stop of a thousand services looks at each of them a few times. A stop wins over everything that
/// is pending: it ends Waiting and Backoff at once. A start during Stopping is remembered and carried out after it.
///
/// Dependencies. `after` is order alone: a service waits for one that is on its way, but not for one that does not run
/// and will not; and when both are stopped, it is stopped first. `requires` is that and more: its start by hand brings
/// the other up too, a stop or restart of the other takes it along, and if the other fails for good, so does it. A
/// crash of the other that is followed by a restart leaves it alone. One that has ended well by itself is no
/// failure either: it has done its part.
///
/// Restarts. Each waits for `restart_delay`, twice as long each time, up to `restart_backoff`; a life that was ready
/// for `stable_after` begins with the first delay again. More than `restart_limit` of them within `restart_window` are a
/// failure for good.
///
/// Tasks. Beside its main process a service has at most one other at a time: a hook or a probe (`Task`). Each has a
/// time of its own, after which it is killed. Hooks and probes that have lost their meaning are killed at once. The
/// next life begins only when the last task of the former has gone.
///
/// There is never more than one main process of a service: a start begins only in a state that has none.

#include "base/events.h"
#include "spec/spec.h"

#include <cstdint>
#include <string_view>
#include <sys/types.h>

namespace vial {

/// A service's place in its container's list.
using ServiceIndex = std::uint32_t;

enum class ServiceState : std::uint8_t { Waiting, Starting, Ready, Reloading, Stopping, Backoff, Stopped, Failed };

/// As the control protocol says it: `ready`.
std::string_view state_name(ServiceState state);

/// Why a service has failed, or is being stopped without anybody's wish.
enum class Reason : std::uint8_t {
    None,
    Ended,        ///< with another code than 0, or by a signal
    NotReady,     ///< it ended before it was ready
    Late,         ///< it was not ready in time
    Unwell,       ///< its health probe failed too often
    TooOften,     ///< it was started again too often
    Requirement,  ///< what it requires has failed
};

/// `it was not ready in time`; of Requirement the beginning: `requires `; of Ended nothing, for its last end says it.
std::string_view reason_text(Reason reason);

enum class StopStep : std::uint8_t {
    Held,       ///< those that depend on it go first
    Hook,       ///< on_stop runs
    Signalled,  ///< it has its stop signal, and time
    Killed,
    Stubborn,  ///< killed more than once
};

/// What follows a stop.
enum class Afterwards : std::uint8_t {
    Rest,   ///< nothing
    Again,  ///< a start
    Judge,  ///< as after a crash: restart or fail
    Fail,
};

/// How a main process ended.
struct Ending {
    std::int64_t at = 0;      ///< milliseconds since 1970; 0: it never ended
    std::uint8_t code = 0;    ///< as a shell says it: the exit code, or 128 + the signal
    std::uint8_t signal = 0;  ///< what killed it; 0: it exited
    bool oom = false;         ///< the kernel's out-of-memory killer did it
};

/// What is true of a service now. Small, because a container may have a thousand. All times are milliseconds
/// of CLOCK_BOOTTIME. An index or link of 0 stands for none: they are kept one too large.
struct Service {
    ServiceState state = ServiceState::Stopped;
    Reason reason = Reason::None;  ///< of the last failure
    Task task : 4 = Task::None;    ///< what runs
    Task wanted : 4 = Task::None;  ///< what shall run when that has gone
    StopStep step : 4 = StopStep::Held;
    Afterwards then : 4 = Afterwards::Rest;
    std::uint8_t refusals : 4 = 0;   ///< forks refused in a row
    std::uint8_t doublings : 4 = 0;  ///< of the restart delay
    std::uint8_t misses = 0;         ///< probes that failed in a row
    std::uint8_t recent = 0;         ///< restarts in the present window
    bool counted : 1 = false;        ///< among the active ones
    bool queued : 1 = false;
    bool up : 1 = false;                     ///< it has been ready in this life
    bool pull : 1 = false;                   ///< its start brings up what it requires
    bool spread : 1 = false;                 ///< its stop takes along what requires it
    bool overdue : 1 = false;                ///< the task was killed
    bool healthy : 1 = false;                ///< the latest health probe of this life went well
    pid_t pid = 0;                           ///< of the main process; 0: there is none
    pid_t task_pid = 0;                      ///< of the task; 0: there is none, or it needs no process
    std::uint32_t restarts = 0;              ///< those nobody asked for
    std::uint32_t window = 0;                ///< when the present window began; its lower 32 bits
    std::uint32_t next = 0;                  ///< in the queue
    std::uint32_t same_bucket[2] = {};       ///< of the table of pids, for `pid` and `task_pid`
    std::uint32_t place = 0;                 ///< in the heap of deadlines
    std::int64_t since = 0;                  ///< when `state` was entered
    std::int64_t deadline = os::never;       ///< of the state
    std::int64_t task_deadline = os::never;  ///< of the task, or the next probe
    Ending last;
};
static_assert(sizeof(Service) <= 80);

/// What a host's supervisor leaves of a service to the one that takes its place.
struct ServicePast {
    std::int64_t since, deadline;  ///< as in Service; no deadline: 0
    Ending last;
    std::uint32_t fingerprint;  ///< of the spec that all this is of
    std::uint32_t restarts, window;
    std::uint8_t recent, doublings;
    Reason reason;
    bool up;  ///< it was ready
};
static_assert(sizeof(ServicePast) == past_size);
ServicePast past_now(const Service& service, std::uint32_t fingerprint);

/// Something of it runs, or will. A oneshot that is done keeps nothing up.
constexpr bool is_active(const Service& service)
{
    const ServiceState state = service.state;
    return service.pid != 0 || service.task != Task::None || service.wanted != Task::None ||
           (state != ServiceState::Stopped && state != ServiceState::Failed && state != ServiceState::Ready);
}

}  // namespace vial
