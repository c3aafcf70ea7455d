// SPDX-License-Identifier: MIT
#pragma once

/// The environment a service starts with.

#include "base/result.h"
#include "spec/spec.h"

#include <string>
#include <vector>

namespace vial {

/// PATH, HOME, container=vial (and TERM with a terminal), overridden by the lines of `environment_file`, overridden by
/// `environment`. Nothing of the launcher's own environment gets in but TERM.
Result<std::vector<std::string>> environment_of(const ServiceSpec& service, bool terminal);

/// Sets `assignment` (`KEY=VALUE`), in place of an earlier one of the same key.
void set_variable(std::vector<std::string>& environment, std::string_view assignment);

}  // namespace vial
