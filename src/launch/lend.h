// SPDX-License-Identifier: MIT
#pragma once

/// Interfaces of the host's that are lent to a container, and come back with their names.
///
/// What becomes of them must not be left to the kernel, which gives a dead namespace's interfaces to its first one, by whatever name
/// they have. So the container's network namespace is kept: it is mounted at `net` in the container's state directory, where
/// whoever clears away after it, or after its crash, finds it. In the journal:
///
///     lent eth1 wan0       eth1 of the host is about to be wan0 inside
///     lent-at 7 eth1       it is there, with that index, which nobody inside can change as they could its name

#include "base/fd.h"
#include "base/result.h"
#include "kernel/netlink.h"
#include "launch/state.h"
#include "spec/spec.h"

namespace vial {

/// Moves `network.parent` into the container's network namespace, `inside`, where `there` is.
Result<void> lend(NetlinkSocket& host, NetlinkSocket& there, const NetworkSpec& network, const Fd& inside,
                  Journal& journal);

/// Brings back what an ended container was lent.
Result<void> take_back(const Record& ended);

}  // namespace vial
