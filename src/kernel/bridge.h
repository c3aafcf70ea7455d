// SPDX-License-Identifier: MIT
#pragma once

/// The host's bridges: those that containers join, and among them those that vial made and takes away again.
///
/// A bridge that vial makes has a MAC that begins with 76:69:61:6c, the letters `vial`. Only such a bridge is ever changed
/// or removed; one that was there before is used as it is. Between several vials the caller holds a
/// lock, from `ensure_bridge` until the container's port is on the bridge, and around `release_bridge`: or
/// the one would remove what the other has just found.

#include "base/result.h"
#include "base/text.h"
#include "kernel/netlink.h"
#include "spec/spec.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace vial {

struct BridgeUse {
    std::uint32_t index = 0;
    bool made = false;  ///< by this call: a start that fails afterwards gives it back with `release_bridge`
};

/// Finds the bridge, or makes it: without spanning tree so that a port forwards at once, with a MAC that tags it and
/// does not change with its ports, with `addresses` (the gateways, each with the prefix of the first address
/// of its family), and up. A bridge of vial's own gets those addresses too if it lacks them: two containers may
/// bring different families. An interface of that name that is no bridge is refused.
Result<BridgeUse> ensure_bridge(NetlinkSocket& socket, std::string_view name, std::span<const IpAddress> addresses);

/// Removes the bridge if vial made it and no port of it is in use: one of `living`, the host ends of containers that run,
/// or an interface that is no container's. The host ends of the dead linger for some tens of milliseconds and do not count.
/// True: it is gone. A bridge that does not exist, is somebody else's or is still used is left alone.
Result<bool> release_bridge(NetlinkSocket& socket, std::string_view name, std::span<const Text> living);

/// There is a bridge of this name, and vial made it.
Result<bool> bridge_is_ours(NetlinkSocket& socket, std::string_view name);

}  // namespace vial
