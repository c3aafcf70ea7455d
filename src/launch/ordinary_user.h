// SPDX-License-Identifier: MIT
#pragma once

/// Containers of ordinary users, who have no CAP_SYS_ADMIN.
///
/// Such a container has a user namespace, with whose root's rights everything else is made, from the inside: nothing of it asks
/// for a privilege that its user has not. What takes root is refused by name, never left out in silence: control groups, networks
/// that lead out, images, other clocks.

#include "base/result.h"
#include "spec/spec.h"

namespace vial {

/// Neither root nor anybody else who has CAP_SYS_ADMIN.
bool is_ordinary_user();

/// Where an ordinary user starts it: completes `spec` with what such a container always is, or says what of it takes root. To do so twice
/// changes nothing more.
Result<void> settle_for_user(Spec& spec);

/// Fails where a service has a user or group that the user namespace does not map. Who was given by name counts once there is a
/// number: `named`.
Result<void> check_mapped(const Spec& spec, bool named);

}  // namespace vial
