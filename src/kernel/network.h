// SPDX-License-Identifier: MIT
#pragma once

/// The container's network interfaces: a veth pair from the host's namespace into the container's, and the addresses
/// and routes inside.
///
/// The launcher makes each pair in one request, with the container's end already in its namespace, and sets that end
/// up through a socket that was opened in there, while the container's first process is busy with its mounts.
/// Nobody takes a pair away in the good case: the kernel does when the namespace of either end goes, some 10 to
/// 40 ms after the container. So host ends have a name of their own for each start, and are never waited for.

#include "base/result.h"
#include "base/text.h"
#include "kernel/netlink.h"
#include "spec/spec.h"

#include <cstdint>
#include <string_view>

namespace vial {

/// Brings `lo` up in the network namespace that the process is in.
Result<void> loopback_up();

/// A new name for the host's end of a pair: `v`, up to six letters of the container's name, `-`, six random hex digits.
Text host_end_name(std::string_view container);
/// Whether `interface` is named like one.
bool is_host_end_name(std::string_view interface);

/// Makes a veth pair: the host's end, called `host_name` and up, a port of the bridge with the index `bridge` (0:
/// none), and the container's end, called `network.name` with its MAC and MTU, in the network namespace of
/// `container`, a descriptor of /proc/PID/ns/net. The MTU is that of both ends.
Result<void> make_veth(NetlinkSocket& host, std::string_view host_name, std::uint32_t bridge,
                       const NetworkSpec& network, int container);

/// Makes a macvlan (bridge mode) or ipvlan (layer 2) of `network.parent`, called `network.name`, in the network namespace of
/// `container`. It goes with that namespace, or with its parent.
Result<void> make_shared(NetlinkSocket& host, const NetworkSpec& network, int container);

/// Moves the interface with that index into another namespace, where it gets that name. It loses its addresses and goes down.
Result<void> move_link(NetlinkSocket& from, std::uint32_t index, int to, std::string_view name);

/// Inside the container: the interface's addresses, up, a default route through each gateway, and further routes. IPv6 addresses
/// are usable at once (no duplicate address detection: the spec says whose they are). `known`: what
/// the interface has already, as a host's kernel may have set it (`ip=`), is no failure.
Result<void> configure_interface(NetlinkSocket& inside, const NetworkSpec& network, bool known = false);

/// Waits until packets pass between the container and the bridge, 20 ms at most.
///
/// The kernel lets a pair's carrier, the bridge's port and an IPv6 address take effect in the background, mostly
/// within 3 ms. A packet that is sent before is lost, and its sender tries again after a whole second. Asking for a
/// link brings its state up to date (Linux 6.8); on older kernels this polls.
Result<void> await_connection(NetlinkSocket& host, std::string_view host_name, NetlinkSocket& inside,
                              const NetworkSpec& network);

/// Packets for the address are delivered where `socket` is: it is one of that machine's own.
Result<bool> is_delivered(NetlinkSocket& socket, const IpAddress& address);

/// The index of an interface, as if_nametoindex(3); ENODEV where there is none.
Result<std::uint32_t> interface_index(NetlinkSocket& socket, std::string_view name);

/// Removes an interface, to undo a start that failed. One that is not there is fine. For a veth pair it takes
/// both ends, and 20 ms.
Result<void> remove_link(NetlinkSocket& socket, std::string_view name);

// What bridges need of this room too.

/// Adds an address to an interface; one that it has already is EEXIST. `name` is for the error.
Result<void> add_address(NetlinkSocket& socket, std::uint32_t index, std::string_view name, const IpAddress& address);

/// An interface as the kernel tells of it (RTM_NEWLINK), in part; longer texts are cut.
struct Link {
    std::uint32_t index = 0;   ///< 0: there is none
    std::uint32_t master = 0;  ///< the index of the bridge it is a port of; 0: none
    bool running = false;      ///< it is up, and so is what it leads to
    char name[16] = {};
    char kind[16] = {};  ///< `bridge`, `veth`, ...; empty for hardware
    char mac[6] = {};
};
/// False, with `link` as it was: the reply is about something else, or cut.
bool read_link(const NetlinkReply& reply, Link& link);

/// For IFLA_EXT_MASK: statistics would be most of each answer. Kernels before 4.4 ignore it.
inline constexpr std::uint32_t link_without_statistics = 1U << 3;  // RTEXT_FILTER_SKIP_STATS

/// What is called `name` at this moment; index 0 where nothing is. `step` is for the error.
Result<Link> find_link(NetlinkSocket& socket, std::string_view name, Phrase step);

/// Refuses, in place of the kernel, a name that is too long: its own words for that say nothing.
Result<void> check_interface_name(std::string_view name, Phrase step);

}  // namespace vial
