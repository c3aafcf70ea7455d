// SPDX-License-Identifier: MIT
#pragma once

/// A container's published ports and its way out, from the host's side: who has which port, what the kernel has to be told so
/// that packets travel at all, and how that is taken back.
///
/// Everything is noted in the container's journal before it is made:
///
///     port 8080:80/tcp     it is this container's while it lives
///     nat vial-vweb-1a2b3c the tables of that name, see kernel/nat.h
///     localnet br-web      `route_localnet` of that bridge is on because of us; it is switched off by the last that notes it,
///                          before that one's rules go, since they are what makes it harmless
///
/// Forwarding (`net.ipv4.ip_forward`) is switched on where a container wants it and stays on: whoever else has come to need it by
/// then cannot be known.

#include "base/list.h"
#include "base/result.h"
#include "kernel/netlink.h"
#include "launch/state.h"
#include "spec/spec.h"

#include <cstdint>

namespace vial {

/// Refuses a port that another container has, or a program on the host; notes all of them. Under the lock of the state.
Result<void> claim_ports(const Spec& spec, Journal& journal, const StateLock&);

/// What `network`, a port of the bridge with that index by `host_end`, wants of all this, once it is connected. Nothing is done
/// where it wants nothing.
Result<void> publish(NetlinkSocket& host, const Spec& spec, const NetworkSpec& network, std::uint32_t bridge,
                     Text host_end, Journal& journal, const StateLock&);

/// Takes back what the journal of `ended` names. `localnets`: bridges that others have noted, too.
Result<void> unpublish(const Record& ended, const List<Text>& localnets);

}  // namespace vial
