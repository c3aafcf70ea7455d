// SPDX-License-Identifier: MIT
#pragma once

/// From a service in the plan to its running program.

#include "base/result.h"
#include "spec/plan.h"

#include <span>

namespace vial {

/// Where a service's 0, 1 and 2 come from.
using StandardDescriptors = std::span<const std::int32_t, 3>;

/// What is executed as a service: its own command, a hook or a probe.
struct ServiceProgram {
    PlanOffset arguments;
    std::uint32_t argument_count;
    int terminal = -1;   ///< becomes its controlling terminal
    int passed = -1;     ///< a descriptor that it gets, -1: none
    int passed_as = -1;  ///< under this number, which is another one
};

constexpr ServiceProgram main_program(const PlanService& service)
{
    return {service.arguments, service.argument_count, service.terminal};
}

/// Moves this process into the service's cgroup leaf.
Result<void> join_leaf(const Plan& plan, const PlanService& service);

/// Turns this process into one of the service's: takes its identity and executes the program. Returns only if that
/// fails. Uses the stack for the argument list, and nothing else.
Error become_service(const Plan& plan, const PlanService& service, const ServiceProgram& program,
                     StandardDescriptors standard);

/// `init = false`: PID 1 is the service. Returns the exit code of the failure, after telling the launcher;
/// on success the launcher sees the channel closed by the exec. Never inlined: who calls it may be PID 1 for long, and would keep
/// the room for this on its stack.
[[gnu::noinline]] int become_only_service(const Plan& plan);

/// Whether the launcher's death is this process's.
void follow_launcher(bool follow);

}  // namespace vial
