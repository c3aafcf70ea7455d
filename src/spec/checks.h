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

/// What is wrong with this `[[mount]]` as a whole; null: nothing.
Phrase mount_fault(const MountSpec& mount);

}  // namespace vial
