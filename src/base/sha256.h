// SPDX-License-Identifier: MIT
#pragma once

/// SHA-256, see FIPS 180-4.

#include "base/result.h"
#include "base/text.h"

namespace vial {

/// Of a file's whole content, as 64 hexadecimal digits in lower case. The file's position stays where it is.
Result<Text> sha256(int fd);

}  // namespace vial
