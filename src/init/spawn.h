// SPDX-License-Identifier: MIT
#pragma once

/// From a service in the plan to its running program.

#include "base/result.h"
#include "spec/plan.h"

#include <span>

namespace vial {

/// Where a service's 0, 1 and 2 come from.
using StandardDescriptors = std::span<const std::int32_t, 3>;

/// Turns this process into the service: joins its cgroup leaf, then takes its identity and executes it. Returns
/// only if that fails. Uses the stack for the argument list, and nothing else.
Error become_service(const Plan& plan, const PlanService& service, StandardDescriptors standard);

/// `init = false`: PID 1 is the service. Returns the exit code of the failure, after telling the launcher;
/// on success the launcher sees the channel closed by the exec.
int become_only_service(const Plan& plan);

/// Whether the launcher's death is this process's.
void follow_launcher(bool follow);

}  // namespace vial
