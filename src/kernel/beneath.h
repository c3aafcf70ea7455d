// SPDX-License-Identifier: MIT
#pragma once

/// Opening a path inside a root that may be hostile, without ever leaving it.
///
/// The image decides what its symlinks say, and another container that shares the directory may change
/// them while we look. So the path is walked here, one component at a time, each opened with O_NOFOLLOW from
/// the descriptor of the one before; symlinks are read and walked in turn, `/` and `..` in them end at the root. The
/// kernel is never asked for `..`, because at a root it would climb onto whatever is mounted over that root. openat2(2) with
/// RESOLVE_IN_ROOT asks exactly that, and is missing before 5.6: this works the same everywhere.

#include "base/fd.h"
#include "base/result.h"

#include <string_view>

namespace vial {

enum class Missing : unsigned char {
    Fail,             ///< ENOENT
    CreateDirectory,  ///< make it, and its parents, 0755
    CreateFile,       ///< make an empty file, its parents as directories
};

/// An O_PATH descriptor of `path` (absolute or not, always taken from `root`). Never a symlink.
Result<Fd> open_beneath(const Fd& root, std::string_view path, Missing missing = Missing::Fail);

/// The same for something to be mounted on, which is made where it is missing and can be.
Result<Fd> open_mount_target(const Fd& root, std::string_view path, Missing missing);

/// The directory `name` right in `root`: a real directory, not a symlink to one.
Result<Fd> open_real_directory(const Fd& root, const char* name);

}  // namespace vial
