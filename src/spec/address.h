// SPDX-License-Identifier: MIT
#pragma once

/// IPv4 and IPv6 addresses as text: RFC 4291 and RFC 5952, without the old liberties of inet_aton(3).

#include "base/text.h"
#include "spec/spec.h"

#include <string_view>

namespace vial {

/// AF_INET and AF_INET6.
inline constexpr std::uint8_t address_families[] = {2, 10};

/// `10.0.3.2` or `fd00::2`; the prefix is set to the full length.
Maybe<IpAddress> parse_address(std::string_view text);
/// `10.0.3.2/24`: the prefix length is required.
Maybe<IpAddress> parse_network(std::string_view text);
/// Whether `address` lies in the network that `network` and its prefix describe.
bool inside(const IpAddress& address, const IpAddress& network);
/// The canonical text (RFC 5952), with `/prefix` where asked for.
Text address_text(const IpAddress& address, bool with_prefix);

/// `10.1.0.0/16 via 10.0.3.1`, both of one family.
bool parse_route(std::string_view text, RouteSpec& route);
Text route_text(const RouteSpec& route);
/// A line of hosts(5): an address, and one name or several.
bool is_hosts_line(std::string_view text);
/// `[ADDRESS:]HOST:CONTAINER[/tcp|/udp]`, an IPv6 address in brackets; tcp where nothing else is said.
bool parse_port(std::string_view text, PortSpec& port);
/// The same, with the protocol.
Text port_text(const PortSpec& port);
/// No two containers can have both.
bool collide(const PortSpec& one, const PortSpec& other);
/// The interface whose addresses of that family published ports lead to, a gateway's bridge being where they come from;
/// null: there is none.
const NetworkSpec* publishing_network(const Spec& spec, std::uint8_t family);
/// There is one of that family.
bool has_family(const List<IpAddress>& addresses, std::uint8_t family);

}  // namespace vial
