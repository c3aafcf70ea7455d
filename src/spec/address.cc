// SPDX-License-Identifier: MIT
#include "spec/address.h"

#include "base/text.h"

#include <cstring>
#include <sys/socket.h>

namespace vial {

static_assert(address_families[0] == AF_INET && address_families[1] == AF_INET6);

namespace {

/// Four decimal numbers, no leading zeros: `010` is eight to some programs and ten to others.
bool parse_four(std::string_view text, std::uint8_t* bytes)
{
    for (int index = 0; index < 4; ++index) {
        if (index == 3 && contains(text, '.'))
            return false;
        const std::string_view part = take_until(text, '.');
        const auto number = parse_number(part);
        if (!number || *number > 255 || part.size() > 3 || (part.size() > 1 && part[0] == '0'))
            return false;
        bytes[index] = static_cast<std::uint8_t>(*number);
    }
    return true;
}

int hex_digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    const char lower = static_cast<char>(letter | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Groups of up to four hexadecimal digits; `::` once, for one group of zeros or more; an IPv4 address at the end.
bool parse_six(std::string_view text, std::uint8_t* bytes)
{
    std::size_t used = 0;
    std::size_t gap = 17;  // where `::` stands in `bytes`; 17: nowhere
    std::size_t at = 0;
    if (slice(text, 0, 2) == "::") {
        gap = 0;
        at = 2;
    }
    while (at < text.size()) {
        const std::string_view rest = slice(text, at);
        if (!contains(rest, ':') && contains(rest, '.')) {
            if (used > 12 || !parse_four(rest, bytes + used))
                return false;
            used += 4;
            break;
        }
        unsigned group = 0;
        std::size_t digits = 0;
        for (; at < text.size() && hex_digit(text[at]) >= 0; ++at, ++digits)
            group = group << 4 | static_cast<unsigned>(hex_digit(text[at]));
        if (digits == 0 || digits > 4 || used > 14)
            return false;
        bytes[used++] = static_cast<std::uint8_t>(group >> 8);
        bytes[used++] = static_cast<std::uint8_t>(group & 0xff);
        if (at == text.size())
            break;
        if (text[at++] != ':' || at == text.size())
            return false;
        if (text[at] == ':') {
            if (gap != 17)
                return false;
            gap = used;
            ++at;
        }
    }
    if (gap == 17)
        return used == 16;
    if (used > 14)
        return false;
    std::memmove(bytes + 16 - (used - gap), bytes + gap, used - gap);
    std::memset(bytes + gap, 0, 16 - used);
    return true;
}

void put_hex(Builder& to, unsigned number)
{
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        const unsigned digit = number >> shift & 15;
        begun = begun || digit != 0 || shift == 0;
        if (begun)
            to += "0123456789abcdef"[digit];
    }
}

}  // namespace

Maybe<IpAddress> parse_address(std::string_view text)
{
    IpAddress address;
    if (!contains(text, ':')) {
        address.family = AF_INET;
        address.prefix = 32;
        if (!parse_four(text, address.bytes))
            return {};
    } else {
        address.family = AF_INET6;
        address.prefix = 128;
        if (!parse_six(text, address.bytes))
            return {};
    }
    return address;
}

Maybe<IpAddress> parse_network(std::string_view text)
{
    const std::size_t slash = position(text, '/');
    if (slash == std::string_view::npos)
        return {};
    auto address = parse_address(slice(text, 0, slash));
    const std::string_view length = slice(text, slash + 1);
    const auto prefix = parse_number(length);
    if (!address || !prefix || *prefix > address->prefix || (length.size() > 1 && length[0] == '0'))
        return {};
    address->prefix = static_cast<std::uint8_t>(*prefix);
    return address;
}

bool inside(const IpAddress& address, const IpAddress& network)
{
    if (address.family != network.family)
        return false;
    const std::size_t whole = network.prefix / 8U;
    if (std::memcmp(address.bytes, network.bytes, whole) != 0)
        return false;
    const unsigned rest = network.prefix % 8U;
    return rest == 0 || ((address.bytes[whole] ^ network.bytes[whole]) >> (8 - rest)) == 0;
}

Text address_text(const IpAddress& address, bool with_prefix)
{
    Builder text;
    if (address.family == AF_INET) {
        for (int index = 0; index < 4; ++index) {
            if (index > 0)
                text += '.';
            text += Decimal(address.bytes[index]);
        }
    } else {
        unsigned groups[8];
        for (int index = 0; index < 8; ++index)
            groups[index] = static_cast<unsigned>(address.bytes[2 * index]) << 8 | address.bytes[2 * index + 1];
        // The longest run of two or more zero groups becomes `::`, the first of them where two are as long.
        int gap = 8, gap_length = 1;
        for (int start = 0; start < 8; ++start) {
            int length = 0;
            while (start + length < 8 && groups[start + length] == 0)
                ++length;
            if (length > gap_length) {
                gap = start;
                gap_length = length;
            }
        }
        for (int index = 0; index < 8; ++index) {
            if (index == gap) {
                text += "::";
                index += gap_length - 1;
                continue;
            }
            if (index > 0 && text.back() != ':')
                text += ':';
            put_hex(text, groups[index]);
        }
    }
    if (with_prefix) {
        text += '/';
        text += Decimal(address.prefix);
    }
    return text;
}

bool parse_route(std::string_view text, RouteSpec& route)
{
    const auto destination = parse_network(take_word(text));
    const bool leads = take_word(text) == "via";
    const auto gateway = parse_address(take_word(text));
    if (!destination || !leads || !gateway || !take_word(text).empty())
        return false;
    route = {*destination, *gateway};
    // The bits behind the prefix are none of a network's.
    for (unsigned bit = destination->prefix; bit < gateway->prefix; ++bit)
        if ((destination->bytes[bit / 8] & 0x80U >> bit % 8) != 0)
            return false;
    return destination->family == gateway->family;
}

Text route_text(const RouteSpec& route)
{
    return compose("% via %", address_text(route.destination, true), address_text(route.gateway, false));
}

bool is_hosts_line(std::string_view text)
{
    bool named = false;
    if (contains(text, '\n') || !parse_address(take_word(text)))
        return false;
    for (std::string_view name = take_word(text); !name.empty(); name = take_word(text)) {
        named = true;
        for (const char letter : name)
            if (letter <= ' ' || letter > '~' || letter == '#')
                return false;
    }
    return named;
}

bool parse_port(std::string_view text, PortSpec& port)
{
    const std::size_t slash = position(text, '/');
    port.udp = slice(text, slash) == "/udp";
    if (slash != std::string_view::npos && !port.udp && slice(text, slash) != "/tcp")
        return false;
    text = slice(text, 0, slash);
    const std::size_t last = text.rfind(':');
    if (last == std::string_view::npos)
        return false;
    std::string_view host = slice(text, 0, last);
    if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
        std::string_view address = slice(host, 0, colon);
        const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
        if (bracketed)
            address = slice(address, 1, address.size() - 2);
        const auto parsed = parse_address(address);
        if (!parsed || bracketed != (parsed->family == AF_INET6))
            return false;
        port.address = *parsed;
        host = slice(host, colon + 1);
    }
    const auto outside = parse_number(host), inside = parse_number(slice(text, last + 1));
    constexpr std::int64_t most = 65535;
    if (!outside || !inside || *outside < 1 || *outside > most || *inside < 1 || *inside > most)
        return false;
    port.host = static_cast<std::uint16_t>(*outside);
    port.container = static_cast<std::uint16_t>(*inside);
    return true;
}

Text port_text(const PortSpec& port)
{
    Text address;
    if (port.address.family != 0)
        address = compose(port.address.family == AF_INET6 ? "[%]:" : "%:", address_text(port.address, false));
    return compose("%%:%/%", address, port.host, port.container, port.udp ? "udp" : "tcp");
}

bool collide(const PortSpec& one, const PortSpec& other)
{
    return one.host == other.host && one.udp == other.udp &&
           (one.address.family == 0 || other.address.family == 0 || inside(one.address, other.address));
}

bool has_family(const List<IpAddress>& addresses, std::uint8_t family)
{
    for (const IpAddress& address : addresses)
        if (address.family == family)
            return true;
    return false;
}

const NetworkSpec* publishing_network(const Spec& spec, std::uint8_t family)
{
    for (const NetworkSpec& network : spec.networks)
        if (network.kind == NetworkKind::Veth && !network.bridge.empty() && has_family(network.addresses, family) &&
            has_family(network.gateways, family))
            return &network;
    return nullptr;
}

}  // namespace vial
