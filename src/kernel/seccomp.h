// SPDX-License-Identifier: MIT
#pragma once

/// The default wall around a service: system calls that no service needs and attackers like.
///
/// A list of refusals (seccomp.cc), not of permissions: what is new in a kernel works without a new vial. The filter
/// program is made from the list by the compiler, so a start costs one system call.

#include "base/result.h"

#include <linux/filter.h>
#include <span>

namespace vial {

/// For this process and all it will become. Needs no_new_privs or CAP_SYS_ADMIN: EACCES otherwise.
Result<void> install_default_filter();

/// The program itself, for tests.
std::span<const sock_filter> default_filter();

}  // namespace vial
