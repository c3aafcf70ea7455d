// SPDX-License-Identifier: MIT
#pragma once

/// The environment a service starts with.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

namespace vial {

/// PATH, HOME, container=vial, container_uuid (and TERM with a terminal), overridden by the lines of `environment_file`,
/// overridden by `environment`. Nothing of the launcher's own environment gets in but TERM. `id`: of this start of the
/// container, empty where it is not known.
Result<List<Text>> environment_of(const ServiceSpec& service, bool terminal, std::string_view id);
/// A new id of a start, 32 hexadecimal digits.
Result<Text> make_start_id();

/// Adds what the service's own keys say, the file's lines first.
Result<void> add_environment(List<Text>& environment, const ServiceSpec& service);

/// Sets `assignment` (`KEY=VALUE`), in place of an earlier one of the same key.
void set_variable(List<Text>& environment, std::string_view assignment);

}  // namespace vial
