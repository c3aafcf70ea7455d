// SPDX-License-Identifier: MIT
#include "kernel/nat.h"

#include "kernel/nftables.h"
#include "spec/address.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <span>
#include <sys/socket.h>

namespace vial {

namespace {

// As in linux/netfilter.h, netfilter_ipv4.h and nf_conntrack_common.h, which do not go together with the libc's headers.
enum Hook : std::uint32_t { Prerouting, Input, Forward, Output, Postrouting };
constexpr std::int32_t priority_raw = -300, priority_redirect = -100, priority_filter = 0, priority_masquerade = 100;
constexpr std::int32_t verdict_drop = 0, verdict_accept = 1;
constexpr std::uint32_t was_redirected = 1U << 5;                // IPS_DST_NAT
constexpr std::uint32_t answers_or_belongs = 1U << 1 | 1U << 2;  // established, related
constexpr std::uint32_t kind_local = 2;                          // RTN_LOCAL
constexpr std::uint8_t loopback[] = {127};

/// The rules of one family, in words for what they look at.
class Rules : public Transaction {
public:
    explicit Rules(const NatWish& wish) : Transaction(wish.family, wish.table), wish_(wish) {}
    void write();

private:
    bool is_of(std::uint8_t family) const { return wish_.family == family; }
    std::span<const std::uint8_t> bytes_of(const IpAddress& address) const
    {
        return {address.bytes, is_of(AF_INET6) ? std::size_t{16} : std::size_t{4}};
    }
    void load_source(std::size_t size) { load_payload(NFT_PAYLOAD_NETWORK_HEADER, is_of(AF_INET6) ? 8 : 12, size); }
    void load_destination(std::size_t size)
    {
        load_payload(NFT_PAYLOAD_NETWORK_HEADER, is_of(AF_INET6) ? 24 : 16, size);
    }
    void bridge(std::uint32_t end, std::uint32_t operation = NFT_CMP_EQ)
    {
        load_meta(end);
        compare(operation, wish_.bridge);
    }
    void to(const IpAddress& address)
    {
        load_destination(bytes_of(address).size());
        compare(NFT_CMP_EQ, bytes_of(address));
    }
    void redirected()
    {
        load_tracked(NFT_CT_STATUS);
        has_any(was_redirected);
    }
    /// A rule about what leaves over the bridge for that address.
    void over_bridge(const char* chain, const IpAddress& address)
    {
        rule(chain);
        bridge(NFT_META_OIF);
        to(address);
    }
    void from_network(const IpAddress& network);
    void chains();
    void way_out(const IpAddress& address);
    void way_in(const IpAddress& address);
    void port(const PortSpec& port, const IpAddress& address);
    void published(const IpAddress& address);
    void guard();

    const NatWish& wish_;
};

void Rules::chains()
{
    chain("prerouting", "nat", Prerouting, priority_redirect);
    chain("output", "nat", Output, priority_redirect);
    chain("input", "nat", Input, priority_masquerade);
    chain("postrouting", "nat", Postrouting, priority_masquerade);
    chain("forward", "filter", Forward, priority_filter);
}

void Rules::way_out(const IpAddress& address)
{
    rule("postrouting");
    bridge(NFT_META_OIF, NFT_CMP_NEQ);
    load_source(bytes_of(address).size());
    compare(NFT_CMP_EQ, bytes_of(address));
    masquerade();
}

void Rules::way_in(const IpAddress& address)
{
    for (int step = 0; step < 3; ++step) {
        over_bridge("forward", address);
        bridge(NFT_META_IIF, NFT_CMP_NEQ);
        if (step == 0) {
            load_tracked(NFT_CT_STATE);
            has_any(answers_or_belongs);
        } else if (step == 1) {
            redirected();
        }
        verdict(step < 2 ? verdict_accept : verdict_drop);
    }
}

/// From its first to its last address.
void Rules::from_network(const IpAddress& network)
{
    IpAddress edge[2] = {network, network};
    for (unsigned bit = network.prefix; bit < bytes_of(network).size() * 8; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80U >> bit % 8);
        edge[0].bytes[bit / 8] &= static_cast<std::uint8_t>(~mask);
        edge[1].bytes[bit / 8] |= mask;
    }
    load_source(bytes_of(network).size());
    compare(NFT_CMP_GTE, bytes_of(edge[0]));
    compare(NFT_CMP_LTE, bytes_of(edge[1]));
}

void Rules::port(const PortSpec& port, const IpAddress& address)
{
    constexpr std::uint32_t offset = 2;
    const std::uint8_t protocol[] = {static_cast<std::uint8_t>(port.udp ? IPPROTO_UDP : IPPROTO_TCP)};
    const std::uint8_t outside[] = {static_cast<std::uint8_t>(port.host >> 8), static_cast<std::uint8_t>(port.host)};
    rule("ports");
    if (port.address.family != 0)
        to(port.address);
    load_meta(NFT_META_L4PROTO);
    compare(NFT_CMP_EQ, protocol);
    load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof outside);
    compare(NFT_CMP_EQ, outside);
    redirect(bytes_of(address), htons(port.container));
}

void Rules::published(const IpAddress& address)
{
    chain("ports");
    for (const PortSpec& each : wish_.ports)
        if (each.address.family == 0 || is_of(each.address.family))
            port(each, address);
    for (const char* name : {"prerouting", "output"}) {
        rule(name);
        load_kind_of_destination();
        compare(NFT_CMP_EQ, kind_local);
        verdict(NFT_JUMP, "ports");
    }
    over_bridge("postrouting", address);
    from_network(address);
    redirected();
    masquerade();
}

void Rules::guard()
{
    chain("guard", "filter", Prerouting, priority_raw);
    for (const bool source : {true, false}) {
        rule("guard");
        bridge(NFT_META_IIF);
        source ? load_source(sizeof loopback) : load_destination(sizeof loopback);
        compare(NFT_CMP_EQ, loopback);
        verdict(verdict_drop);
    }
}

void Rules::write()
{
    make_table();
    chains();
    const IpAddress* first = nullptr;
    for (const IpAddress& address : wish_.network.addresses) {
        if (!is_of(address.family))
            continue;
        first = first == nullptr ? &address : first;
        if (wish_.network.masquerade)
            way_out(address);
        way_in(address);
    }
    if (wish_.ports.empty() || first == nullptr)
        return;
    published(*first);
    if (!is_of(AF_INET))
        return;
    over_bridge("postrouting", *first);
    load_source(sizeof loopback);
    compare(NFT_CMP_EQ, loopback);
    masquerade();
    guard();
}

}  // namespace

Text nat_table(std::string_view host_end)
{
    return compose("vial-%", host_end);
}

Result<void> make_nat(NetlinkSocket& socket, const NatWish& wish)
{
    Rules rules(wish);
    rules.write();
    auto made = rules.commit(socket, "make the packet filter's table"_p, wish.table);
    if (made.number() == ENOENT)
        made.error().because("this kernel lacks a part of nf_tables (CONFIG_NFT_NAT, _MASQ, _CT, _FIB_INET)"_p);
    return made;
}

Result<void> remove_nat(NetlinkSocket& socket, Text table)
{
    for (const std::uint8_t family : address_families) {
        Transaction transaction(family, table);
        transaction.remove_table();
        auto removed = transaction.commit(socket, "remove the packet filter's table"_p, table);
        // Without nf_tables there cannot be one, and without the family neither.
        if (!removed.ok() && removed.number() != ENOENT && removed.number() != EOPNOTSUPP &&
            removed.number() != EAFNOSUPPORT)
            return removed;
    }
    return {};
}

}  // namespace vial
