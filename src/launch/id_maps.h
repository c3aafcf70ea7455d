// SPDX-License-Identifier: MIT
#pragma once

/// Which users and groups outside those of a user namespace are: chosen where the spec leaves that to vial
/// (`user_namespace.auto`), and written for the container's first process. See user_namespaces(7), subuid(5).
///
/// For root a range is chosen by the container's name, so that it is the same again tomorrow, and the next one where that is not
/// free. Free is what no container that is there has (each notes its ranges in its journal), and /etc/subuid and /etc/subgid give
/// to nobody. An ordinary user has himself as root, and for the others what those files give to him: newuidmap(1) and
/// newgidmap(1) write that, who check it.

#include "base/result.h"
#include "launch/state.h"
#include "spec/spec.h"

#include <sys/types.h>

namespace vial {

/// Completes the maps of `spec` where it leaves them to vial. They are free until the lock goes, and then if the journal has them.
Result<void> settle_ids(Spec& spec, const StateLock&);
/// Adds the journal's lines about the maps.
void note_ids(const Spec& spec, Builder& lines);

/// The same for an ordinary user, whose ranges nobody else has.
Result<void> settle_own_ids(Spec& spec);

/// For the container's first process, which waits for it. Needs /proc.
Result<void> write_id_maps(pid_t pid, const Spec& spec);

}  // namespace vial
