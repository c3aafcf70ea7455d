// SPDX-License-Identifier: MIT
#pragma once

/// PID 1 of a container: starts its services, reaps, passes signals on, keeps the log, answers questions.

namespace vial {

/// Runs the container that the plan in `plan_fd` describes, until it ends; the calling process is its PID 1.
/// Returns the exit code: what the deciding service came to (see `Supervisor::outcome`), 126 or 127 where the first
/// start of a service failed, 125 where PID 1 itself could not work; the launcher has been told why by then.
/// With `init = false` the process becomes the service, and this returns only if that fails.
int run_init(int plan_fd);

}  // namespace vial
