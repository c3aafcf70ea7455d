// SPDX-License-Identifier: MIT
#pragma once

/// Listing a directory.

#include "base/result.h"

#include <string>
#include <vector>

namespace vial {

/// The names in `path`, `.` and `..` left out, in the directory's order; only directories if asked.
Result<std::vector<std::string>> list_directory(const std::string& path, bool only_directories = false);

}  // namespace vial
