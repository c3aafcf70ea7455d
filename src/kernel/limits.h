// SPDX-License-Identifier: MIT
#pragma once

/// A spec's limits as the files of control groups, of version 1 or 2: see the kernel's cgroup-v2 and cgroup-v1.
///
/// Every limit is written and read back: one that the kernel does not take as it stands is an Error, which names the key, the
/// file, the reason, and what can be done.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "kernel/cgroup.h"
#include "spec/spec.h"

namespace vial {

/// A container's group in one hierarchy.
struct LimitedGroup {
    const Hierarchy& hierarchy;
    Fd directory;
};

/// The one that has `controller`; null: there is none.
const LimitedGroup* group_for(const List<LimitedGroup>& groups, unsigned controller);

/// The controllers that the limits of `spec` take.
unsigned limited_controllers(const Spec& spec);

/// Sets the container's limits, before its leaves are made, and those of the leaves.
Result<void> set_limits(const List<LimitedGroup>& groups, const Spec& spec);
Result<void> set_leaf_limits(const List<LimitedGroup>& groups, const Spec& spec);

/// Changes the limits of a container that runs from what `before` says to what `after` says. After a failure all is as before.
/// Files of `[limits.cgroup]` are left alone.
Result<void> change_limits(const List<LimitedGroup>& groups, const Spec& before, const Spec& after);

/// Gives `process`, a number or `self`, the OOM score that `spec` wants, if it wants one.
Result<void> set_oom_score(const Spec& spec, Text process);

}  // namespace vial
