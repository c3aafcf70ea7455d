// SPDX-License-Identifier: MIT
#pragma once

/// What only several keys together can get wrong.

#include "spec/diagnostic.h"
#include "spec/read.h"
#include "spec/spec.h"
#include "spec/toml.h"

namespace vial {

/// Reports what is missing or contradicts itself, where it stands in the document.
void check_spec(const toml::Document& document, const Spec& spec, SpecKind kind, Problems& problems);

/// Services that wait for each other, each for the next and the last for the first; empty where there are none such.
List<std::uint32_t> find_cycle(const Spec& spec);

/// What is wrong with this `[[mount]]` as a whole; null: nothing.
const char* mount_fault(const MountSpec& mount);

}  // namespace vial
