// SPDX-License-Identifier: MIT
#pragma once

/// The kinds of namespaces, and what there is to say where the kernel does not give one. See namespaces(7).

#include "base/result.h"
#include "base/text.h"

#include <cstdint>
#include <span>

namespace vial {

struct NamespaceKind {
    std::uint64_t flag;  ///< CLONE_NEW*
    char key[7];         ///< in a spec
    char file[7];        ///< in /proc/self/ns
    Phrase absent;       ///< what to say where the kernel has none
};

/// All there are, in the order of NamespacesSpec::join.
std::span<const NamespaceKind> namespace_kinds();

/// Why namespaces (`flags`: CLONE_NEW*) of the container `name` could not be made: the kernel answers EINVAL for one that it
/// does not have, and ENOSPC or EUSERS for one too many. Needs /proc.
Error explain_namespaces(Error error, std::uint64_t flags, Text name);

}  // namespace vial
