// SPDX-License-Identifier: MIT
#pragma once

/// What the host's supervisor has started and nobody keeps any more: its spec has gone, or the supervisor has.

#include "base/list.h"
#include "base/text.h"
#include "launch/state.h"
#include "spec/spec.h"

namespace vial {

/// Notes of whatever an earlier reading of the specs has started, and `host` does not know any more, that it is to be stopped: whoever
/// begins to keep it again begins anew. `kept`: names of specs of which everything is left alone. Returns the containers.
List<const Record*> condemn(const Spec& host, const List<Text>& kept);

/// Stops them, and the services of the host that are to be stopped. May take a while.
void stop_condemned(const List<const Record*>& containers);

/// Stops all that was started by a supervisor that has gone.
void stop_what_boot_started();

}  // namespace vial
