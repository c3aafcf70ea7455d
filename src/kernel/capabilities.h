// SPDX-License-Identifier: MIT
#pragma once

/// Giving up capabilities, see capabilities(7). Nothing here ever gains one that this process had not.
///
/// A mask has a bit for each capability, 1 << CAP_NET_ADMIN. What is kept is always what both the mask and the process
/// have: a bit that the kernel or an outer container does not grant is no error.

#include "base/result.h"

#include <cstdint>

namespace vial {

/// Whether this process may do what vial does: CAP_SYS_ADMIN is effective, at least in its user namespace.
bool has_admin_capability();

/// Cuts the bounding set: no later exec, not even of a set-user-ID program, gains more than `keep`. Takes
/// CAP_SETPCAP where something must go.
Result<void> limit_bounding_set(std::uint64_t keep);

/// Cuts permitted and effective to `keep`; inheritable, and with it ambient, is emptied (CVE-2022-29162).
Result<void> limit_process_sets(std::uint64_t keep);

/// Has these in all sets, so that they outlast an exec by who is not root; they must be permitted now, and in the bounding set.
Result<void> make_ambient(std::uint64_t capabilities);

/// All five sets: the ceiling of everything that this process will ever start.
Result<void> limit_capabilities(std::uint64_t keep);

/// Keeps ptrace(2) and /proc/PID/{exe,mem,fd} of this process from everybody without CAP_SYS_PTRACE over it. An exec
/// undoes it.
Result<void> make_undumpable();

}  // namespace vial
