// SPDX-License-Identifier: MIT
#pragma once

/// IPv4 and IPv6 addresses as text: RFC 4291 and RFC 5952, without the old liberties of inet_aton(3).

#include "base/text.h"
#include "spec/spec.h"

#include <string_view>

namespace vial {

/// `10.0.3.2` or `fd00::2`; the prefix is set to the full length.
Maybe<IpAddress> parse_address(std::string_view text);
/// `10.0.3.2/24`: the prefix length is required.
Maybe<IpAddress> parse_network(std::string_view text);
/// Whether `address` lies in the network that `network` and its prefix describe.
bool inside(const IpAddress& address, const IpAddress& network);
/// The canonical text (RFC 5952), with `/prefix` where asked for.
Text address_text(const IpAddress& address, bool with_prefix);

}  // namespace vial
