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
constexpr std::string_view our_alias = "vial";

/// Statistics would be most of each answer; whoever does not know the flag ignores it (before 4.4).
constexpr std::uint32_t without_statistics = 1U << 3;  // RTEXT_FILTER_SKIP_STATS

template <std::size_t size>
void copy_text(char (&to)[size], std::string_view text)
{
    const std::size_t count = text.size() < size ? text.size() : size - 1;
    if (count > 0)
        std::memcpy(to, text.data(), count);
    to[count] = '\0';
}

bool is_bridge(const Link& link) { return link.kind == bridge_kind; }
bool is_ours(const Link& link) { return is_bridge(link) && link.alias == our_alias; }

/// What is called `name` at this moment; a Link with index 0 where nothing is.
Result<Link> find_link(NetlinkSocket& socket, std::string_view name)
{
    constexpr const char* step = "find the bridge";
    TRY(check_interface_name(name, step));
    NetlinkMessage message(RTM_GETLINK, 0, ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    message.put(IFLA_EXT_MASK, without_statistics);
    Link found;
    auto asked = socket.request(
        message, [](const NetlinkReply& reply, void* link) { read_link(reply, *static_cast<Link*>(link)); }, &found,
        step, name);
    if (!asked.ok() && asked.number() != ENODEV)
        return asked.error();
    return found;
}

/// Creates the bridge, without tag and addresses. EEXIST: somebody was faster.
Result<void> create(NetlinkSocket& socket, std::string_view name)
{
    // With a MAC that is set the bridge keeps it; otherwise it takes the lowest of its ports', and would change it
    // as containers come and go, while their neighbours remember the last one.
    std::uint8_t mac[6] = {};
    const bool random = getrandom(mac, sizeof mac, GRND_NONBLOCK) == sizeof mac;
    mac[0] = static_cast<std::uint8_t>((mac[0] & 0xfe) | 0x02);  // one interface, locally administered

    ifinfomsg up{};
    up.ifi_flags = IFF_UP;
    up.ifi_change = IFF_UP;
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, up);
    message.put(IFLA_IFNAME, name);
    if (random)
        message.put(IFLA_ADDRESS, mac);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.put(IFLA_INFO_KIND, bridge_kind);
    const std::size_t data = message.begin(IFLA_INFO_DATA);
    message.put(IFLA_BR_FORWARD_DELAY, std::uint32_t{0});
    message.put(IFLA_BR_STP_STATE, std::uint32_t{0});
    message.end(data);
    message.end(info);
    auto made = socket.request(message, "make the bridge", name);
    if (made.number() == EOPNOTSUPP)
        made.error().because("this kernel has no bridges (CONFIG_BRIDGE)");
    return made;
}

/// The tag cannot be given at creation: the kernel passes over IFLA_IFALIAS there.
Result<void> tag(NetlinkSocket& socket, std::uint32_t index, std::string_view name)
{
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(index);
    NetlinkMessage message(RTM_NEWLINK, 0, header);
    message.put(IFLA_IFALIAS, our_alias);
    return socket.request(message, "tag the bridge", name);
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
    TRY(tag(socket, index, name));
    TRY(add_missing_addresses(socket, index, name, addresses));
    return index;
}

struct PortSearch {
    std::uint32_t bridge;
    std::span<const std::string> dying;
    bool living = false;
};

void look_at_port(const NetlinkReply& reply, void* context)
{
    auto& search = *static_cast<PortSearch*>(context);
    Link link;
    if (!read_link(reply, link) || link.master != search.bridge)
        return;
    for (const std::string& name : search.dying) {
        if (name == link.name)
            return;
    }
    search.living = true;
}

/// The bridge has a port that is none of `dying`.
Result<bool> has_living_port(NetlinkSocket& socket, const Link& bridge, std::span<const std::string> dying)
{
    constexpr int most_attempts = 8;
    for (int attempt = 1;; attempt++) {
        PortSearch search{bridge.index, dying};
        NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
        message.put(IFLA_EXT_MASK, without_statistics);
        message.put(IFLA_MASTER, bridge.index);  // the kernel may pass over this (before 4.4), so we look too
        auto listed = socket.request(message, look_at_port, &search, "list the ports of the bridge", bridge.name);
        if (search.living)
            return true;
        if (listed.ok())
            return false;
        // Interfaces came or went during the list, so it may lack a port.
        if (listed.number() != EINTR || attempt == most_attempts)
            return listed.error();
    }
}

}  // namespace

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
        case IFLA_IFALIAS:
            copy_text(link.alias, attribute.text());
            break;
        case IFLA_MASTER:
            link.master = attribute.number();
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

Result<BridgeUse> ensure_bridge(NetlinkSocket& socket, std::string_view name, std::span<const IpAddress> addresses)
{
    Link link = TRY(find_link(socket, name));
    if (link.index == 0) {
        auto made = make(socket, name, addresses);
        if (made.ok())
            return BridgeUse{made.value(), true};
        if (made.number() != EEXIST) {
            // However far it came: nothing was called that a moment ago, so what is now was made here.
            (void)remove_link(socket, name).ok();
            return made.error();
        }
        link = TRY(find_link(socket, name));  // somebody was faster
    }
    if (!is_bridge(link)) {
        const std::string_view kind = link.kind[0] != '\0' ? std::string_view(link.kind) : "network card";
        return Error("it is no bridge", "use the bridge", concat({name, " (a ", kind, ")"}));
    }
    if (is_ours(link))
        TRY(add_missing_addresses(socket, link.index, name, addresses));
    return BridgeUse{link.index, false};
}

Result<bool> release_bridge(NetlinkSocket& socket, std::string_view name, std::span<const std::string> dying)
{
    const Link link = TRY(find_link(socket, name));
    if (link.index == 0 || !is_ours(link) || TRY(has_living_port(socket, link, dying)))
        return false;
    TRY(remove_link(socket, name));
    return true;
}

Result<bool> bridge_is_ours(NetlinkSocket& socket, std::string_view name)
{
    return is_ours(TRY(find_link(socket, name)));
}

}  // namespace vial
