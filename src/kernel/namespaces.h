// SPDX-License-Identifier: MIT
#pragma once

/// What there is to say where the kernel does not give a namespace. See namespaces(7).

#include "base/result.h"
#include "base/text.h"

#include <cstdint>

namespace vial {

/// Why namespaces (`flags`: CLONE_NEW*) of the container `name` could not be made: the kernel answers EINVAL for one that it
/// does not have, and ENOSPC or EUSERS for one too many. Needs /proc.
Error explain_namespaces(Error error, std::uint64_t flags, Text name);

}  // namespace vial
