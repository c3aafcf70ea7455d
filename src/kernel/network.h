// SPDX-License-Identifier: MIT
#pragma once

/// The container's network interfaces: a veth pair from the host's namespace into the container's, and the addresses
/// and routes inside.
///
/// The launcher makes each pair in one request, with the container's end already in its namespace; the container's
/// side sets up its own end, because an address belongs to the namespace that asks. Nobody takes a pair
/// away in the good case: the kernel does when the namespace of either end goes, some 10 to 40 ms after the
/// container. So host ends have a name of their own for each start, and are never waited for.

#include "base/result.h"
#include "kernel/netlink.h"
#include "spec/spec.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vial {

/// Brings `lo` up in the network namespace that the process is in.
Result<void> loopback_up();

/// A new name for the host's end of a pair: `v`, up to six letters of the container's name, `-`, six random hex digits.
std::string host_end_name(std::string_view container);
/// Whether `interface` is named like one.
bool is_host_end_name(std::string_view interface);

/// Makes a veth pair: the host's end, called `host_name` and up, a port of the bridge with the index `bridge` (0: none), and
/// the container's end, called `network.name` with its MAC and MTU, in the network namespace of `container`, a
/// descriptor of /proc/PID/ns/net. The MTU is that of both ends.
Result<void> make_veth(NetlinkSocket& host, std::string_view host_name, std::uint32_t bridge, const NetworkSpec& network,
                       int container);

/// Inside the container: the interface's addresses, up, and a default route through each gateway. IPv6 addresses
/// are usable at once (no duplicate address detection: the spec says whose they are).
Result<void> configure_interface(NetlinkSocket& inside, const NetworkSpec& network);

/// Refuses, in place of the kernel, a name that is too long: its own words for that say nothing.
Result<void> check_interface_name(std::string_view name, const char* step);

/// Adds an address to an interface; one that it has already is EEXIST. `name` is for the error.
Result<void> add_address(NetlinkSocket& socket, std::uint32_t index, std::string_view name, const IpAddress& address);

/// The index of an interface, as if_nametoindex(3); ENODEV where there is none.
Result<std::uint32_t> interface_index(NetlinkSocket& socket, std::string_view name);

/// Removes an interface, to undo a start that failed. One that is not there is fine. For a veth pair it takes
/// both ends, and 20 ms.
Result<void> remove_link(NetlinkSocket& socket, std::string_view name);

}  // namespace vial
