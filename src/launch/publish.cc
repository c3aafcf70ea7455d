// SPDX-License-Identifier: MIT
#include "launch/publish.h"

#include "base/directory.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/nat.h"
#include "kernel/network.h"
#include "spec/address.h"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>

namespace vial {

namespace {

constexpr Phrase step_publish = "publish the port"_p;

/// Whether a switch in /proc/sys/net is on; one that is not there is not.
bool is_on(Text path)
{
    char buffer[16];
    const auto text = os::read_small(AT_FDCWD, path.c_str(), buffer);
    return text.ok() && !text.value().empty() && text.value().front() != '0';
}

Result<void> write_switch(Text path, const char* value)
{
    return os::write_file(AT_FDCWD, path.c_str(), value).as("set", path);
}

Text localnet_switch(std::string_view bridge)
{
    return compose("/proc/sys/net/ipv4/conf/%/route_localnet", bridge);
}

/// Lets this host pass packets on.
Result<void> switch_forwarding_on(std::uint8_t family)
{
    if (family == AF_INET) {
        const Text path = "/proc/sys/net/ipv4/ip_forward";
        return is_on(path) ? Result<void>() : write_switch(path, "1");
    }
    const Text path = "/proc/sys/net/ipv6/conf/all/forwarding";
    if (is_on(path))
        return {};
    // A router does not listen to routers unless it is told to (2): the host would lose the routes that it has from them.
    for (Text name : TRY(list_directory("/proc/sys/net/ipv6/conf"))) {
        const Text listens = compose("/proc/sys/net/ipv6/conf/%/accept_ra", name);
        auto written = is_on(listens) ? write_switch(listens, "2") : Result<void>();
        if (!written.ok() && written.number() != ENOENT)  // interfaces come and go
            return written;
    }
    return write_switch(path, "1");
}

/// Binds it for a moment: what a program on the host listens on is not taken from it.
Result<void> check_free(const PortSpec& port, std::uint8_t family)
{
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    six.sin6_port = four.sin_port = htons(port.host);
    if (port.address.family != 0) {
        std::memcpy(&six.sin6_addr, port.address.bytes, sizeof six.sin6_addr);
        std::memcpy(&four.sin_addr, port.address.bytes, sizeof four.sin_addr);
    }
    const Fd socket = TRY(os::socket(family, port.udp ? SOCK_DGRAM : SOCK_STREAM, 0));
    const int on = 1;
    // Connections that have ended linger for a minute.
    if (!port.udp)
        setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    const auto* address =
        family == AF_INET6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    const socklen_t size = family == AF_INET6 ? sizeof six : sizeof four;
    auto bound = os::bind(socket.get(), address, size, {}).as(step_publish, port_text(port));
    if (bound.number() == EADDRINUSE)
        bound.error().because("a program on the host has it"_p);
    if (bound.number() == EADDRNOTAVAIL)
        bound.error().because("the host has no such address"_p);
    return bound;
}

bool is_wanted(const PortSpec& port, std::uint8_t family)
{
    return port.address.family == 0 || port.address.family == family;
}

}  // namespace

Result<void> claim_ports(const Spec& spec, Journal& journal, const StateLock&)
{
    if (spec.ports.empty())
        return {};
    Builder lines;
    const List<Record*> records = TRY(read_records());
    for (const PortSpec& port : spec.ports) {
        for (const Record* other : records) {
            for (Text noted : other->ports) {
                PortSpec theirs;
                if (other->phase != Phase::Ended && other->name != spec.name && parse_port(noted, theirs) &&
                    collide(port, theirs))
                    return Error("another container has it"_p, step_publish,
                                 compose("% (%)", port_text(port), other->name));
            }
        }
        for (const std::uint8_t family : address_families)
            if (is_wanted(port, family) && publishing_network(spec, family) != nullptr)
                TRY(check_free(port, family));
        lines.compose("port %\n", port_text(port));
    }
    return journal.note(lines);
}

namespace {

/// 127.0.0.1 leads over the bridge, too. Only after the rules that keep that harmless.
Result<void> switch_localnet_on(Text bridge, Journal& journal)
{
    const Text path = localnet_switch(bridge);
    bool ours = !is_on(path);
    for (const Record* other : TRY(read_records()))
        ours = ours || other->localnets.contains(bridge);
    if (!ours)
        return {};  // the host's own wish
    TRY(journal.note(compose("localnet %\n", bridge)));
    return write_switch(path, "1");
}

}  // namespace

Result<void> publish(NetlinkSocket& host, const Spec& spec, const NetworkSpec& network, std::uint32_t bridge,
                     Text host_end, Journal& journal, const StateLock&)
{
    static const List<PortSpec> no_ports;
    const Text table = nat_table(host_end);
    bool noted = false;
    for (const std::uint8_t family : address_families) {
        bool publishes = false;
        for (const PortSpec& port : spec.ports)
            publishes = publishes || (is_wanted(port, family) && publishing_network(spec, family) == &network);
        const bool leaves = network.masquerade && has_family(network.addresses, family);
        if (!publishes && !leaves)
            continue;
        // What goes back must come by here, since nobody else knows what was translated.
        for (const IpAddress& gateway : network.gateways)
            if (gateway.family == family && !TRY(is_delivered(host, gateway)))
                return Error("the gateway is another machine: answers would not come by here"_p,
                             "translate addresses on the bridge"_p,
                             compose("% (%)", network.bridge, address_text(gateway, false)))
                    .advise("give this host's own address on the bridge as the gateway"_p);
        if (!noted)
            TRY(journal.note(compose("nat %\n", table)));
        noted = true;
        NetlinkSocket filter = TRY(NetlinkSocket::open(NETLINK_NETFILTER));
        TRY(make_nat(filter, {family, table, bridge, network, publishes ? spec.ports : no_ports}));
        if (publishes && family == AF_INET)
            TRY(switch_localnet_on(network.bridge, journal));
        TRY(switch_forwarding_on(family));
    }
    return {};
}

Result<void> unpublish(const Record& ended, const List<Text>& localnets)
{
    for (Text bridge : ended.localnets) {
        if (localnets.contains(bridge))
            continue;
        auto off = write_switch(localnet_switch(bridge), "0");
        if (!off.ok() && off.number() != ENOENT)  // the bridge has gone
            return off;
    }
    if (ended.nat.empty())
        return {};
    auto filter = NetlinkSocket::open(NETLINK_NETFILTER);
    if (filter.number() == EPROTONOSUPPORT)
        return {};  // a start that has failed for this
    NetlinkSocket opened = TRY(std::move(filter));
    for (Text table : ended.nat)
        TRY(remove_nat(opened, table));
    return {};
}

}  // namespace vial
