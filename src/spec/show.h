// SPDX-License-Identifier: MIT
#pragma once

/// A Spec as text again, with every default filled in.

#include "spec/spec.h"

#include <string>

namespace vial {

/// As a spec file: `read_spec` of it gives the same Spec.
std::string show_spec(const Spec& spec);
/// One JSON object, the keys those of the file; services stand under `service` also where there is only `main`.
std::string show_spec_json(const Spec& spec);

}  // namespace vial
