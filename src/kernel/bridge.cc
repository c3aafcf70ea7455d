// SPDX-License-Identifier: MIT
#include "kernel/bridge.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/network.h"

#include <cstring>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/random.h>

namespace vial {

namespace {

constexpr std::string_view bridge_kind = "bridge";
/// The first four bytes of our bridges' MAC. It is a MAC one may choose: of one interface, locally administered.
constexpr std::string_view our_mac = "vial";
static_assert((our_mac[0] & 3) == 2);

bool is_bridge(const Link& link)
{
    return link.kind == bridge_kind;
}
bool is_ours(const Link& link)
{
    return is_bridge(link) && std::string_view(link.mac, our_mac.size()) == our_mac;
}

/// Creates the bridge, without addresses. EEXIST: somebody was faster.
Result<void> create(NetlinkSocket& socket, std::string_view name)
{
    // The tag is in the MAC because that is given at creation (the kernel passes over an alias there): whoever dies after
    // this leaves nothing that is not known as ours. With a MAC that is set the bridge also keeps it; otherwise it takes the lowest
    // of its ports', and would change it as containers come and go, while their neighbours remember the last one.
    std::uint8_t mac[6] = {};
    std::memcpy(mac, our_mac.data(), our_mac.size());
    if (getrandom(mac + our_mac.size(), sizeof mac - our_mac.size(), GRND_NONBLOCK) < 0)
        mac[5] = static_cast<std::uint8_t>(os::boottime_ms());  // an early boot

    ifinfomsg up{};
    up.ifi_flags = IFF_UP;
    up.ifi_change = IFF_UP;
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
    message.put(IFLA_IFNAME, name);
    message.put(IFLA_ADDRESS, mac);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.put(IFLA_INFO_KIND, bridge_kind);
    const std::size_t data = message.begin(IFLA_INFO_DATA);
    message.put(IFLA_BR_FORWARD_DELAY, std::uint32_t{0});
    message.put(IFLA_BR_STP_STATE, std::uint32_t{0});
    message.end(data);
    message.end(info);
    auto made = socket.request(message, "make the bridge"_p, name);
    if (made.number() == EOPNOTSUPP)
        made.error().because("this kernel has no bridges (CONFIG_BRIDGE)"_p);
    return made;
}

Result<void> add_missing_addresses(NetlinkSocket& socket, std::uint32_t index, std::string_view name,
                                   std::span<const IpAddress> addresses)
{
    for (const IpAddress& address : addresses) {
        auto added = add_address(socket, index, name, address);
        if (!added.ok() && added.number() != EEXIST)
            return added;
    }
    return {};
}

/// A bridge that is ready to be used. EEXIST: somebody else made one of that name first.
Result<std::uint32_t> make(NetlinkSocket& socket, std::string_view name, std::span<const IpAddress> addresses)
{
    TRY(create(socket, name));
    const std::uint32_t index = TRY(interface_index(socket, name));
    TRY(add_missing_addresses(socket, index, name, addresses));
    return index;
}

struct PortSearch {
    std::uint32_t bridge;
    std::span<const Text> living;
    bool found = false;
};

void look_at_port(const NetlinkReply& reply, void* context)
{
    auto& search = *static_cast<PortSearch*>(context);
    Link link;
    if (!read_link(reply, link) || link.master != search.bridge)
        return;
    search.found = search.found || !is_host_end_name(link.name);
    for (Text name : search.living)
        search.found = search.found || name == link.name;
}

/// The bridge has a port that is somebody else's, or one of `living`.
Result<bool> has_living_port(NetlinkSocket& socket, const Link& bridge, std::span<const Text> living)
{
    constexpr int most_attempts = 8;
    for (int attempt = 1;; attempt++) {
        PortSearch search{bridge.index, living};
        NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
        message.put(IFLA_EXT_MASK, link_without_statistics);
        message.put(IFLA_MASTER, bridge.index);  // the kernel may pass over this (before 4.4), so we look too
        auto listed = socket.request(message, look_at_port, &search, "list the ports of the bridge"_p, bridge.name);
        if (search.found)
            return true;
        if (listed.ok())
            return false;
        // Interfaces came or went during the list, so it may lack a port.
        if (listed.number() != EINTR || attempt == most_attempts)
            return listed.error();
    }
}

}  // namespace

Result<BridgeUse> ensure_bridge(NetlinkSocket& socket, std::string_view name, std::span<const IpAddress> addresses)
{
    Link link = TRY(find_link(socket, name, "find the bridge"_p));
    if (link.index == 0) {
        auto made = make(socket, name, addresses);
        if (made.ok())
            return BridgeUse{made.value(), true};
        if (made.number() != EEXIST) {
            // However far it came: nothing was called that a moment ago, so what is now was made here.
            (void)remove_link(socket, name).ok();
            return made.error();
        }
        link = TRY(find_link(socket, name, "find the bridge"_p));  // somebody was faster
    }
    if (!is_bridge(link)) {
        const std::string_view kind = link.kind[0] != '\0' ? std::string_view(link.kind) : "network card";
        return Error("it is no bridge"_p, "use the bridge"_p, compose("% (a %)", name, kind));
    }
    if (is_ours(link))
        TRY(add_missing_addresses(socket, link.index, name, addresses));
    return BridgeUse{link.index, false};
}

Result<bool> release_bridge(NetlinkSocket& socket, std::string_view name, std::span<const Text> living)
{
    const Link link = TRY(find_link(socket, name, "find the bridge"_p));
    if (link.index == 0 || !is_ours(link) || TRY(has_living_port(socket, link, living)))
        return false;
    TRY(remove_link(socket, name));
    return true;
}

Result<bool> bridge_is_ours(NetlinkSocket& socket, std::string_view name)
{
    return is_ours(TRY(find_link(socket, name, "find the bridge"_p)));
}

}  // namespace vial
