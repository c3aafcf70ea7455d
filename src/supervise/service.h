// SPDX-License-Identifier: MIT
#pragma once

/// One supervised service: what it is doing, and what is wanted of it.
///
/// The life of a service
/// ---------------------
///
///                start wanted                exec went through
///     Stopped ───────────────▶ Waiting ──▶ Starting ──────────▶ Ready
///        ▲                        ▲            │                  │
///        │                  delay │            └───────┬──────────┤
///        │                   over │                    │ exited   │ stop wanted
///        │                        │                    ▼          ▼
///        │                     Backoff ◀── restart? ── exited   Stopping ──▶ Stopped, or Waiting again
///        └──────── code 0 ────────────────────┴── else: Failed
///
/// * `Waiting`: it shall run, its turn has not come. Only so many services are started in one go, so that a
///   container of a thousand still reaps and answers in between; dependencies will hold services here too.
/// * `Starting`: a process exists that is on its way to the service's exec. Whether the exec worked is
///   reported by a pipe that the exec closes. Readiness by message, descriptor or port will hold services here.
/// * `Ready`: the service's program runs.
/// * `Stopping`: it got its stop signal, because a stop or a restart is wanted, also in the middle of a start.
///   When the time for that is over, everything in its cgroup is killed; and killed again every second, until the
///   main process has gone: a process in an uninterruptible sleep delays nobody but itself.
/// * `Backoff`: it ended and will be started again when the delay is over. Also where the kernel refused the
///   fork: the lack of memory or of task numbers passes, so this is tried again whatever `restart` says.
/// * `Stopped`: it does not run, as wanted; or it ended by itself with code 0.
/// * `Failed`: it ended in any other way, and is not to be started again. A start by hand works from here.
///
/// What is wanted comes first, what is done follows: a request only notes the wish and changes state where that needs no
/// process; processes are started in one place, `Supervisor::advance`. A stop wins over everything that is pending: it
/// ends Waiting and Backoff at once. A start during Stopping is remembered and carried out after it.
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

enum class ServiceState : std::uint8_t { Waiting, Starting, Ready, Stopping, Backoff, Stopped, Failed };

/// As the control protocol says it: `ready`.
std::string_view state_name(ServiceState state);

/// It runs, or will.
constexpr bool is_active(ServiceState state)
{
    return state != ServiceState::Stopped && state != ServiceState::Failed;
}

/// How a main process ended.
struct Ending {
    std::int64_t at = 0;      ///< milliseconds since 1970; 0: it never ended
    std::uint8_t code = 0;    ///< as a shell says it: the exit code, or 128 + the signal
    std::uint8_t signal = 0;  ///< what killed it; 0: it exited
    bool oom = false;         ///< the kernel's out-of-memory killer did it
};

/// What is true of a service now. Small, because a container may have a thousand.
struct Service {
    ServiceState state = ServiceState::Stopped;
    bool again = false;                 ///< Stopping: start it afterwards
    std::uint8_t refusals = 0;          ///< forks refused in a row
    pid_t pid = 0;                      ///< of the main process; 0: there is none
    std::uint32_t restarts = 0;         ///< those nobody asked for
    std::int64_t since = 0;             ///< when `state` was entered; milliseconds of CLOCK_BOOTTIME
    std::int64_t deadline = os::never;  ///< Backoff: the next start; Stopping: the next kill
    Ending last;
};

/// What the spec says about its supervision.
struct ServicePolicy {
    Restart restart = Restart::No;
    Milliseconds restart_delay = 1000;
    Milliseconds stop_timeout = 10000;  ///< negative: never killed
};

}  // namespace vial
