// SPDX-License-Identifier: MIT
#pragma once

/// Freezing what runs in a container, see cgroups(7) and the kernel's cgroup-v2, "cgroup.freeze", or freezer-subsystem.
///
/// PID 1 is never frozen: it goes on answering. On version 2 (5.2) each leaf but its own is frozen. Version 1 has a hierarchy
/// for it, in which a container has no group until it is paused for the first time: then whoever is in the leaves is moved into
/// one, where a process freezes as it comes. Who is frozen on version 1 cannot even be killed until it is thawed.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"

#include <sys/types.h>

namespace vial {

/// The group that `freeze` makes of a container whose groups are `directories` (`.../vial/NAME`), for the journal that undoes
/// it; empty on version 2. An Error where the kernel cannot freeze it.
Result<Text> freezer_of(const List<Text>& directories, Text name);

/// Freezes all but `init`, and returns when they stand still. After a failure some may be frozen. `group`: see above.
Result<void> freeze(const List<Text>& directories, Text group, pid_t init);

/// Thaws what is frozen in `directories`, which has the freezer's group where there is one.
void thaw(const List<Text>& directories);

}  // namespace vial
