// SPDX-License-Identifier: MIT
#pragma once

/// The default wall around a service: of the system calls it may make those that programs make, and no others.
///
/// What becomes of each call stands in a table (seccomp_calls.inc), from which the compiler makes the filter program: a
/// start costs one system call. What needs a capability is refused here already, unless the container keeps that. A
/// call that is newer than the table is answered as by a kernel that has it not: callers fall back.

#include "base/result.h"
#include "kernel/seccomp_fates.h"

#include <cstdint>
#include <linux/filter.h>
#include <span>

namespace vial {

/// For this process and all it will become. Needs no_new_privs or CAP_SYS_ADMIN: EACCES otherwise.
/// `capabilities`: what the container keeps, a bit each.
Result<void> install_default_filter(std::uint64_t capabilities);

/// The same for a program that was read from a profile, see kernel/seccomp_profile.h.
Result<void> install_filter(std::span<const sock_filter> filter);

/// What the default filter makes of a call, whatever is kept.
Fate default_fate(std::uint32_t number);
/// The end of its program, where the fates stand, and where each does: how many instructions from the last one.
struct FilterFates {
    std::span<const sock_filter> code;
    std::span<const std::uint8_t> places;
};
FilterFates default_fates();

/// The program itself, as it is without any capability; for tests.
std::span<const sock_filter> default_filter();
/// Allows in a program that ends as the default one does what belongs to these capabilities.
void allow_capable(std::span<sock_filter> filter, std::uint64_t capabilities);

}  // namespace vial
