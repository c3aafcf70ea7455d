// SPDX-License-Identifier: MIT
#pragma once

/// Listing a directory.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"

namespace vial {

/// The names in `path`, `.` and `..` left out, in the directory's order; only directories if asked.
Result<List<Text>> list_directory(Text path, bool only_directories = false);

}  // namespace vial
