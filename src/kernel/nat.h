// SPDX-License-Identifier: MIT
#pragma once

/// What of a container is reached from beyond its bridge, and how it goes out: the host's address translation.
///
/// Each interface that wants it has a table of its own for each family, `ip vial-vweb-1a2b3c`, which is made in one transaction
/// and taken away with everything in it by its name alone: whoever clears away after a dead container need not know what the
/// rules were, and nobody's rules stand beside those of another. Its chains:
///
///     ports        a published port leads to the container: for what comes in (`prerouting`), and for what the host sends itself
///                  (`output`), where the destination is an address of the host
///     postrouting  what the container sends beyond its bridge leaves as the host's own, if it wants that; and what has come
///                  through a published port from the bridge's own network, or from 127.0.0.1, arrives as the host's, since it
///                  would otherwise be answered without passing through here, or could not be answered at all
///     forward      from beyond the bridge comes what answers, or what came through a published port; nothing else does: who
///                  routes for a container must not open all of it
///     guard        no packet of the bridge is from or for 127.0.0.0/8. For 127.0.0.1 to lead into the container, the bridge has to
///                  be a way for such packets (`route_localnet`); without this its neighbours could reach what the host keeps
///                  for itself alone (CVE-2020-8558)
///     input        empty: before 4.18 the kernel translates answers only at hooks that have a chain
///
/// A chain that accepts does not overrule another table that drops: a firewall of the host's has the last word.

#include "base/result.h"
#include "base/text.h"
#include "kernel/netlink.h"
#include "spec/spec.h"

#include <cstdint>
#include <string_view>

namespace vial {

/// The table of an interface, by its host end's name.
Text nat_table(std::string_view host_end);

struct NatWish {
    std::uint8_t family;  ///< AF_INET, AF_INET6
    Text table;
    std::uint32_t bridge;  ///< its index
    const NetworkSpec& network;
    const List<PortSpec>& ports;  ///< those of other families are passed over
};

/// `socket`: of NETLINK_NETFILTER.
Result<void> make_nat(NetlinkSocket& socket, const NatWish& wish);
/// In both families; a table that is not there is fine.
Result<void> remove_nat(NetlinkSocket& socket, Text table);

}  // namespace vial
