// SPDX-License-Identifier: MIT
#pragma once

/// Users and groups by name, as the container's own /etc/passwd and /etc/group know them; see passwd(5) and group(5).
///
/// The files may be hostile. Each has a bounded size and must be a regular file, no name in them leads anywhere, and of
/// a line only what is strictly a line of that file counts.

#include "base/fd.h"
#include "base/result.h"
#include "spec/spec.h"

namespace vial {

/// Whether any service has its user or a group by name.
bool has_names(const Spec& spec);
bool has_names(const ServiceSpec& service);

/// Finds the numbers for all names in `spec`, in the files below `root`. A user by name has its group and its further groups from there
/// too, unless the spec gives any, and its home.
Result<void> look_up_names(Spec& spec, const Fd& root);

/// In the setup process: tells the launcher what was found ...
Result<void> tell_identities(const Spec& spec, const Fd& channel);
/// ... which takes it over, message by message. False: it is not one of those, or makes no sense.
bool take_identity(Spec& spec, std::string_view message);

}  // namespace vial
