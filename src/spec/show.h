// SPDX-License-Identifier: MIT
#pragma once

/// A Spec as text again, with every default filled in.

#include "base/text.h"
#include "spec/spec.h"

namespace vial {

/// As a spec file: `read_spec` of it gives the same Spec.
Text show_spec(const Spec& spec);
/// One JSON object, the keys those of the file; services stand under `service` also where there is only `main`.
Text show_spec_json(const Spec& spec);

}  // namespace vial
