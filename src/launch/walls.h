// SPDX-License-Identifier: MIT
#pragma once

/// What of /proc and /sys a container may not see, or not change, whatever it runs.

#include "base/fd.h"
#include "base/result.h"
#include "spec/spec.h"

namespace vial {

/// Covers the kernel's sensitive files and those the spec names (`mask`, `read_only_paths`) in the tree at
/// `root`, whose /proc, /sys and /dev are mounted. A built-in path that this kernel does not have is passed over; so is one of the
/// spec's (`mask` is about what may be there).
Result<void> raise_walls(const Fd& root, const Spec& spec);

}  // namespace vial
