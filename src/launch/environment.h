// SPDX-License-Identifier: MIT
#pragma once

/// What a service starts with: its environment, and how much of what its limits are may be given to it.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

namespace vial {

/// PATH, HOME, container=vial, container_uuid (and TERM with a terminal), overridden by the lines of `environment_file`,
/// overridden by `environment`. Nothing of the launcher's own environment gets in but TERM. `id`: of this start of the
/// container, empty where it is not known.
Result<List<Text>> environment_of(const ServiceSpec& service, bool terminal, std::string_view id);
/// Raises what this process, and all that come from it, may have of what the spec limits. Takes CAP_SYS_RESOURCE, where it must.
Result<void> allow_limits(const Spec& spec);
/// Writes one `PATH=VALUE`, below the directory /proc/sys.
Result<void> set_sysctl(const Fd& directory, std::string_view sysctl);
/// A new id of a start, 32 hexadecimal digits.
Result<Text> make_start_id();

/// Adds what the service's own keys say, the file's lines first.
Result<void> add_environment(List<Text>& environment, const ServiceSpec& service);

/// Sets `assignment` (`KEY=VALUE`), in place of an earlier one of the same key.
void set_variable(List<Text>& environment, std::string_view assignment);

}  // namespace vial
