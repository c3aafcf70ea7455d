// SPDX-License-Identifier: MIT
#pragma once

/// Landlock: which files a process may reach at all, whatever their modes say; see landlock(7).
///
/// What no rule names is closed. Rules are as in a spec: `read:PATH`, `write:PATH`, `exec:PATH`, each for the file or for
/// everything below the directory. A kernel that knows fewer kinds of access guards fewer: before 5.19 nothing is moved from
/// one directory to another, before 6.2 truncate(2) is free.

#include "base/fd.h"
#include "base/result.h"

#include <span>

namespace vial {

/// That this kernel has it, or what it lacks.
Result<void> require_landlock();

/// The rules as the kernel takes them. Paths are looked up now; one that is not there is an error.
Result<Fd> make_landlock(std::span<const char* const> rules);

}  // namespace vial
