// SPDX-License-Identifier: MIT
#include "kernel/network.h"

#include "base/os.h"
#include "base/text.h"
#include "spec/address.h"

#include <cstddef>
#include <cstring>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <utility>

namespace vial {

namespace {

constexpr Phrase no_ipv4 = "this kernel has no IPv4 (CONFIG_INET)"_p;
constexpr Phrase no_ipv6 = "this kernel has no IPv6 (CONFIG_IPV6, or it was booted with ipv6.disable=1)"_p;

constexpr std::uint8_t operational_up = 6;  // IF_OPER_UP, which musl's and the kernel's headers cannot agree to give

template <std::size_t size>
void copy_text(char (&to)[size], std::string_view text)
{
    const std::size_t count = text.size() < size ? text.size() : size - 1;
    if (count > 0)
        std::memcpy(to, text.data(), count);
    to[count] = '\0';
}

std::span<const std::uint8_t> bytes_of(const IpAddress& address)
{
    return {address.bytes, address.family == AF_INET6 ? std::size_t{16} : std::size_t{4}};
}

/// Nobody handles this family's requests.
void name_missing_family(Error& error, std::uint8_t family)
{
    if (error->number == EOPNOTSUPP || error->number == EAFNOSUPPORT)
        error.because(family == AF_INET6 ? no_ipv6 : no_ipv4);
}

ifreq interface_request(std::string_view name)
{
    ifreq request{};
    const std::size_t size = name.size() < IFNAMSIZ ? name.size() : IFNAMSIZ - 1;
    if (size > 0)
        std::memcpy(request.ifr_name, name.data(), size);
    return request;
}

/// Since Linux 5.15 each end gets a pair of queues for each processor, and each queue a directory in sysfs: on two
/// processors that is a third of the time to make a pair, on more it is more. Only XDP would use them.
void put_one_queue(NetlinkMessage& message)
{
    message.put(IFLA_NUM_TX_QUEUES, std::uint32_t{1});
    message.put(IFLA_NUM_RX_QUEUES, std::uint32_t{1});
}

constexpr Phrase step_make = "make the network interface"_p;

/// What the spec says of the container's end.
void put_choices(NetlinkMessage& message, const NetworkSpec& network)
{
    message.put(IFLA_IFNAME, network.name);
    if (network.has_mac)
        message.put(IFLA_ADDRESS, network.mac);
    if (network.mtu != 0)
        message.put(IFLA_MTU, network.mtu);
}

Result<void> made_or_why(Result<void> made, Phrase no_such_kind)
{
    if (made.number() == EOPNOTSUPP)
        made.error().because(no_such_kind);
    if (made.number() == EEXIST)
        made.error().because("an interface of that name exists already"_p);
    return made;
}

/// A destination of no bits is everything: the default route.
Result<void> add_route(NetlinkSocket& inside, std::uint32_t index, std::string_view name, const RouteSpec& route)
{
    const IpAddress& gateway = route.gateway;
    const bool is_default = route.destination.prefix == 0;
    rtmsg header{};
    header.rtm_family = gateway.family;
    header.rtm_dst_len = route.destination.prefix;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_scope = RT_SCOPE_UNIVERSE;
    header.rtm_type = RTN_UNICAST;
    NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
    if (!is_default)
        message.put(RTA_DST, bytes_of(route.destination));
    message.put(RTA_GATEWAY, bytes_of(gateway));
    message.put(RTA_OIF, index);

    auto added = is_default ? inside.request(message, "set the default route through"_p,
                                             compose("% on %", address_text(gateway, false), name))
                            : inside.request(message, "set the route to"_p, compose("% on %", route_text(route), name));
    if (!added.ok()) {
        Error& error = added.error();
        name_missing_family(error, gateway.family);
        if (error->number == ENETUNREACH || error->number == EHOSTUNREACH)
            error.because("the gateway is in no network of the interface's addresses"_p);
        if (error->number == EEXIST)
            error.because(is_default ? "there is a default route already"_p : "there is such a route already"_p);
    }
    return added;
}

Result<Link> ask_for_link(NetlinkSocket& socket, NetlinkMessage& message, Phrase step, std::string_view name)
{
    message.put(IFLA_EXT_MASK, link_without_statistics);
    Link found;
    auto asked = socket.request(
        message, [](const NetlinkReply& reply, void* link) { read_link(reply, *static_cast<Link*>(link)); }, &found,
        step, name);
    if (!asked.ok() && asked.number() != ENODEV)
        return asked.error();
    return found;
}

Result<bool> is_connected(NetlinkSocket& host, std::string_view host_name, NetlinkSocket& inside,
                          const NetworkSpec& network)
{
    constexpr Phrase step = "wait for the network interface"_p;
    const Link port = TRY(find_link(host, host_name, step));
    if (!port.running)
        return false;
    if (port.master != 0) {
        // A bridge without a running port is down, and the first one's coming wakes it in the background too.
        ifinfomsg header{};
        header.ifi_index = static_cast<int>(port.master);
        NetlinkMessage message(RTM_GETLINK, 0, header);
        if (!TRY(ask_for_link(host, message, step, host_name)).running)
            return false;
    }
    for (const IpAddress& address : network.addresses) {
        if (address.family == AF_INET6 && !TRY(is_delivered(inside, address)))
            return false;
    }
    return true;
}

}  // namespace

/// The route that says so is what the kernel adds last.
Result<bool> is_delivered(NetlinkSocket& socket, const IpAddress& address)
{
    rtmsg header{};
    header.rtm_family = address.family;
    header.rtm_dst_len = address.family == AF_INET6 ? 128 : 32;
    NetlinkMessage message(RTM_GETROUTE, 0, header);
    message.put(RTA_DST, bytes_of(address));
    std::uint8_t type = RTN_UNSPEC;
    TRY(socket.request(
        message,
        [](const NetlinkReply& reply, void* found) {
            if (reply.type == RTM_NEWROUTE && reply.payload.size() >= sizeof(rtmsg))
                *static_cast<std::uint8_t*>(found) = reply.payload[offsetof(rtmsg, rtm_type)];
        },
        &type, "find the route to", address_text(address, false)));
    return type == RTN_LOCAL;
}

Result<void> check_interface_name(std::string_view name, Phrase step)
{
    if (name.empty() || name.size() >= IFNAMSIZ)
        return Error("an interface's name has 1 to 15 bytes"_p, step, name);
    return {};
}

Result<void> loopback_up()
{
    // One ioctl on the cheapest socket there is: the request concerns the device, not the socket's family.
    const Fd socket = TRY(os::socket(AF_UNIX, SOCK_DGRAM, 0));
    ifreq request = interface_request("lo");
    request.ifr_flags = IFF_UP;
    TRY(os::ioctl(socket.get(), SIOCSIFFLAGS, &request, "bring up the loopback interface"_p));
    return {};
}

Text host_end_name(std::string_view container)
{
    constexpr std::size_t most_letters = 6;
    Builder name("v");
    for (const char letter : container) {
        // A container may be called what an interface may not.
        const bool usable = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                            (letter >= '0' && letter <= '9') || letter == '_';
        if (usable && name.size() <= most_letters)
            name += letter;
    }
    name += '-';
    std::uint8_t random[3] = {};
    // Without random numbers (an early boot) the clock does: what counts is that the last start's name differs.
    if (getrandom(random, sizeof random, GRND_NONBLOCK) != sizeof random) {
        const std::int64_t now = os::boottime_ms();
        std::memcpy(random, &now, sizeof random);
    }
    for (const std::uint8_t byte : random) {
        name += "0123456789abcdef"[byte >> 4];
        name += "0123456789abcdef"[byte & 15];
    }
    return name;
}

bool is_host_end_name(std::string_view interface)
{
    constexpr std::size_t digits = 6;
    if (interface.size() < digits + 2 || interface.front() != 'v' || interface[interface.size() - digits - 1] != '-')
        return false;
    return slice(interface, interface.size() - digits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<void> make_veth(NetlinkSocket& host, std::string_view host_name, std::uint32_t bridge,
                       const NetworkSpec& network, int container)
{
    TRY(check_interface_name(host_name, step_make));
    TRY(check_interface_name(network.name, step_make));

    ifinfomsg up{};
    up.ifi_flags = IFF_UP;
    up.ifi_change = IFF_UP;
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
    message.put(IFLA_IFNAME, host_name);
    if (bridge != 0)
        message.put(IFLA_MASTER, bridge);  // heeded at creation since Linux 4.11
    // A packet longer than the receiving end's MTU would be dropped on its way between the two.
    if (network.mtu != 0)
        message.put(IFLA_MTU, network.mtu);
    put_one_queue(message);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.put(IFLA_INFO_KIND, std::string_view("veth"));
    const std::size_t data = message.begin(IFLA_INFO_DATA);
    // The container's end stays down: the kernel can bring it up only once its partner exists.
    const std::size_t peer = message.begin(VETH_INFO_PEER, sizeof(ifinfomsg));
    message.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(container));
    put_one_queue(message);
    put_choices(message, network);
    message.end(peer);
    message.end(data);
    message.end(info);

    return made_or_why(host.request(message, step_make, network.name), "this kernel has no veth (CONFIG_VETH)"_p);
}

Result<void> make_shared(NetlinkSocket& host, const NetworkSpec& network, int container)
{
    const bool is_macvlan = network.kind == NetworkKind::Macvlan;
    const std::uint32_t parent = TRY(interface_index(host, network.parent));
    // The parent is looked up here, whatever namespace the new one is for.
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    message.put(IFLA_LINK, parent);
    message.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(container));
    put_choices(message, network);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.put(IFLA_INFO_KIND, std::string_view(is_macvlan ? "macvlan" : "ipvlan"));
    const std::size_t data = message.begin(IFLA_INFO_DATA);
    constexpr std::uint8_t layer_2[2] = {};  // IPVLAN_MODE_L2
    if (is_macvlan)
        message.put(IFLA_MACVLAN_MODE, std::uint32_t{MACVLAN_MODE_BRIDGE});
    else
        message.put(IFLA_IPVLAN_MODE, layer_2);
    message.end(data);
    message.end(info);
    auto made = made_or_why(host.request(message, step_make, network.name),
                            is_macvlan ? "this kernel has no macvlan (CONFIG_MACVLAN)"_p
                                       : "this kernel has no ipvlan (CONFIG_IPVLAN)"_p);
    if (made.number() == EBUSY || made.number() == EINVAL)
        made.error().because("the parent cannot be shared so, or is in another use"_p);
    return made;
}

Result<void> move_link(NetlinkSocket& from, std::uint32_t index, int to, std::string_view name)
{
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(index);
    NetlinkMessage message(RTM_NEWLINK, 0, header);
    message.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(to));
    message.put(IFLA_IFNAME, name);
    auto moved = from.request(message, "move the network interface"_p, name);
    if (moved.number() == EINVAL)
        moved.error().because("the kernel keeps an interface of this kind in its namespace"_p);
    return moved;
}

Result<void> configure_interface(NetlinkSocket& inside, const NetworkSpec& network, bool known)
{
    const std::uint32_t index = TRY(interface_index(inside, network.name));

    const auto unless_known = [&](Result<void> done) {
        return known && done.number() == EEXIST ? Result<void>() : std::move(done);
    };
    // Addresses first: once the interface is up, the kernel's own work on it (its carrier, its link-local address)
    // competes with ours for the one lock there is, a quarter of the whole time.
    for (const IpAddress& address : network.addresses)
        TRY(unless_known(add_address(inside, index, network.name, address)));

    ifinfomsg up{};
    up.ifi_index = static_cast<int>(index);
    up.ifi_flags = IFF_UP;
    up.ifi_change = IFF_UP;
    NetlinkMessage message(RTM_NEWLINK, 0, up);
    TRY(inside.request(message, "bring up the network interface"_p, network.name));

    // A route through an interface that is down is refused.
    for (const IpAddress& gateway : network.gateways)
        TRY(unless_known(add_route(inside, index, network.name, {IpAddress(), gateway})));
    for (const RouteSpec& route : network.routes)
        TRY(unless_known(add_route(inside, index, network.name, route)));
    return {};
}

Result<void> add_address(NetlinkSocket& socket, std::uint32_t index, std::string_view name, const IpAddress& address)
{
    ifaddrmsg header{};
    header.ifa_family = address.family;
    header.ifa_prefixlen = address.prefix;
    // Detecting duplicates would keep an IPv6 address useless for a second.
    header.ifa_flags = address.family == AF_INET6 ? IFA_F_NODAD : 0;
    header.ifa_index = index;
    NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header);
    message.put(IFA_LOCAL, bytes_of(address));
    message.put(IFA_ADDRESS, bytes_of(address));
    if (address.family == AF_INET && address.prefix < 31) {
        // Not needed for broadcasts to work, but programs ask the interface for it.
        std::uint8_t broadcast[4];
        for (unsigned i = 0; i < 4; i++) {
            const unsigned network_bits = address.prefix > i * 8 ? address.prefix - i * 8 : 0;
            const unsigned host_part = network_bits < 8 ? 0xffU >> network_bits : 0;
            broadcast[i] = static_cast<std::uint8_t>(address.bytes[i] | host_part);
        }
        message.put(IFA_BROADCAST, broadcast);
    }

    auto added = socket.request(message, "add the address"_p, compose("% to %", address_text(address, true), name));
    if (!added.ok()) {
        name_missing_family(added.error(), address.family);
        if (added.number() == EACCES && address.family == AF_INET6)
            added.error().because("IPv6 is switched off there (net.ipv6.conf.*.disable_ipv6)"_p);
    }
    return added;
}

Result<void> await_connection(NetlinkSocket& host, std::string_view host_name, NetlinkSocket& inside,
                              const NetworkSpec& network)
{
    constexpr int most_attempts = 100;
    constexpr long nap = 200'000;
    for (int attempt = 0; attempt < most_attempts; attempt++) {
        if (TRY(is_connected(host, host_name, inside, network)))
            break;
        os::sleep(nap);
    }
    return {};
}

Result<Link> find_link(NetlinkSocket& socket, std::string_view name, Phrase step)
{
    TRY(check_interface_name(name, step));
    NetlinkMessage message(RTM_GETLINK, 0, ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    return ask_for_link(socket, message, step, name);
}

bool read_link(const NetlinkReply& reply, Link& link)
{
    ifinfomsg header;
    if (reply.type != RTM_NEWLINK || reply.payload.size() < sizeof header)
        return false;
    std::memcpy(&header, reply.payload.data(), sizeof header);
    link = {};
    link.index = static_cast<std::uint32_t>(header.ifi_index);
    auto rest = reply.payload.subspan(sizeof header);
    NetlinkAttribute attribute;
    while (take_attribute(rest, attribute)) {
        switch (attribute.type) {
        case IFLA_IFNAME:
            copy_text(link.name, attribute.text());
            break;
        case IFLA_ADDRESS:
            if (attribute.value.size() == sizeof link.mac)
                std::memcpy(link.mac, attribute.value.data(), sizeof link.mac);
            break;
        case IFLA_MASTER:
            link.master = attribute.number();
            break;
        case IFLA_OPERSTATE:
            link.running = attribute.value.size() == 1 && attribute.value[0] == operational_up;
            break;
        case IFLA_LINKINFO: {
            auto info = attribute.value;
            NetlinkAttribute part;
            while (take_attribute(info, part)) {
                if (part.type == IFLA_INFO_KIND)
                    copy_text(link.kind, part.text());
            }
            break;
        }
        default:
            break;
        }
    }
    return true;
}

Result<std::uint32_t> interface_index(NetlinkSocket& socket, std::string_view name)
{
    constexpr Phrase step = "find the network interface"_p;
    TRY(check_interface_name(name, step));
    ifreq request = interface_request(name);
    TRY(os::ioctl(socket.descriptor(), SIOCGIFINDEX, &request, step).as(step, name));
    return static_cast<std::uint32_t>(request.ifr_ifindex);
}

Result<void> remove_link(NetlinkSocket& socket, std::string_view name)
{
    constexpr Phrase step = "remove the network interface"_p;
    TRY(check_interface_name(name, step));
    NetlinkMessage message(RTM_DELLINK, 0, ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    auto removed = socket.request(message, step, name);
    if (removed.number() == ENODEV)
        return {};
    return removed;
}

}  // namespace vial
