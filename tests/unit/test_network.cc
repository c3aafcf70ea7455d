// SPDX-License-Identifier: MIT

/// Real interfaces in network namespaces of the test's own; needs root. Kernel objects go with the namespaces.

#include "base/os.h"
#include "child.h"
#include "kernel/bridge.h"
#include "kernel/network.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <optional>
#include <sched.h>
#include <set>
#include <string>
#include <sys/ioctl.h>
#include <vector>

using namespace vial;

namespace {

std::string text_of(const Error& error)
{
    char buffer[description_capacity];
    return std::string(describe(error, buffer, sizeof buffer));
}

template <typename T>
std::string text_of(const Result<T>& result)
{
    return result.ok() ? "ok" : text_of(result.error());
}

Fd this_network()
{
    Opened opened = os::open("/proc/self/ns/net", O_RDONLY);
    return opened.ok() ? opened.take() : Fd();
}

/// A host of the test's own and a container on it: two network namespaces, the process in the host's. At
/// the end it is back where it was, and the kernel clears both away.
class TwoNetworks {
public:
    TwoNetworks()
    {
        const bool made = before_ && unshare(CLONE_NEWNET) == 0 && (host_ = this_network()) &&
                          unshare(CLONE_NEWNET) == 0 && (container_ = this_network());
        REQUIRE_MESSAGE(made, "this test makes network namespaces and needs root (CAP_SYS_ADMIN)");
        outside();
        inside_socket_ = opened(NetlinkSocket::open_in(container_.get()));
        outside_socket_ = opened(NetlinkSocket::open());
    }
    ~TwoNetworks() { enter(before_); }

    void inside() { enter(container_); }
    void outside() { enter(host_); }
    int container() const { return container_.get(); }
    NetlinkSocket& host_netlink() { return *outside_socket_; }
    NetlinkSocket& container_netlink() { return *inside_socket_; }

private:
    static void enter(const Fd& network) { CHECK_EQ(setns(network.get(), CLONE_NEWNET), 0); }
    static std::optional<NetlinkSocket> opened(Result<NetlinkSocket> socket)
    {
        REQUIRE(socket.ok());
        return socket.take();
    }

    Fd before_ = this_network();
    Fd host_, container_;
    std::optional<NetlinkSocket> inside_socket_, outside_socket_;
};

IpAddress address(const char* text, std::uint8_t prefix = 0)
{
    IpAddress result;
    result.family = std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET;
    result.prefix = prefix;
    inet_pton(result.family, text, result.bytes);
    return result;
}

const std::vector<IpAddress> gateways = {address("10.9.0.1", 24), address("fd00:9::1", 64)};

NetworkSpec network(const char* name, const char* v4 = "10.9.0.2", const char* v6 = "fd00:9::2")
{
    NetworkSpec spec;
    spec.name = name;
    spec.addresses = {address(v4, 24), address(v6, 64)};
    spec.gateways = {address("10.9.0.1"), address("fd00:9::1")};
    return spec;
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size;

    SocketAddress(const IpAddress& ip, std::uint16_t port)
    {
        if (ip.family == AF_INET6) {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port);
            std::memcpy(&v6.sin6_addr, ip.bytes, 16);
            size = sizeof v6;
        } else {
            auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
            v4.sin_family = AF_INET;
            v4.sin_port = htons(port);
            std::memcpy(&v4.sin_addr, ip.bytes, 4);
            size = sizeof v4;
        }
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// 0, or the errno of connecting to `to` from the namespace that the process is in; ten seconds at most.
int connect_to(const IpAddress& to)
{
    const Fd client(::socket(to.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{10, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const SocketAddress target(to, 8080);
    return ::connect(client.get(), target.get(), target.size) == 0 ? 0 : errno;
}

Fd listen_on(const IpAddress& on)
{
    Fd server(::socket(on.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress local(on, 8080);
    CHECK_EQ(::bind(server.get(), local.get(), local.size), 0);
    CHECK_EQ(::listen(server.get(), 4), 0);
    return server;
}

/// The names of all interfaces of the namespace that the process is in.
std::set<std::string> interfaces()
{
    std::set<std::string> names;
    if (struct if_nameindex* const all = if_nameindex()) {
        for (const struct if_nameindex* one = all; one->if_name != nullptr; one++)
            names.insert(one->if_name);
        if_freenameindex(all);
    }
    return names;
}

ifreq ask(unsigned long what, const char* name)
{
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    CHECK(vial::os::ioctl(socket.get(), what, &request, "ask").ok());
    return request;
}

std::string mac_of(const char* name)
{
    const ifreq answer = ask(SIOCGIFHWADDR, name);
    return {answer.ifr_hwaddr.sa_data, 6};
}

/// A bridge as an administrator makes one: without vial's tag.
void make_foreign_bridge(NetlinkSocket& socket, std::string_view name)
{
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.put(IFLA_INFO_KIND, std::string_view("bridge"));
    message.end(info);
    REQUIRE_EQ(text_of(socket.request(message, "make the bridge", name)), "ok");
}

/// A veth pair from the host's namespace, on `bridge`, into the container; the host end's name.
std::string make_pair(TwoNetworks& networks, std::uint32_t bridge, const NetworkSpec& spec)
{
    const Text host_end = host_end_name("web");
    CHECK_EQ(text_of(make_veth(networks.host_netlink(), host_end, bridge, spec, networks.container())), "ok");
    return std::string(host_end);
}

/// Sets up the container's end as the launcher does.
void connect_interface(TwoNetworks& networks, std::string_view host_end, const NetworkSpec& spec)
{
    REQUIRE_EQ(text_of(configure_interface(networks.container_netlink(), spec)), "ok");
    CHECK_EQ(text_of(await_connection(networks.host_netlink(), host_end, networks.container_netlink(), spec)), "ok");
}

}  // namespace

TEST_CASE("lo carries packets once it is up")
{
    const TwoNetworks networks;
    CHECK_EQ(connect_to(address("127.0.0.1")), ENETUNREACH);
    CHECK_EQ(text_of(loopback_up()), "ok");
    CHECK_EQ(connect_to(address("127.0.0.1")), ECONNREFUSED);
    CHECK_EQ(connect_to(address("::1")), ECONNREFUSED);
}

TEST_CASE("host ends have a name of their own for each start, fit for the kernel")
{
    std::set<std::string> seen;
    for (int i = 0; i < 100; i++)
        seen.insert(std::string(host_end_name("web")));
    CHECK_GE(seen.size(), 99);
    const std::string name = *seen.begin();
    CHECK_EQ(name.size(), 11);
    CHECK_EQ(name.substr(0, 5), "vweb-");
    CHECK_EQ(name.find_first_not_of("0123456789abcdef", 5), std::string::npos);

    CHECK_EQ(host_end_name("a-very.long name/with:everything").substr(0, 8), "vaveryl-");
    CHECK_EQ(host_end_name("").substr(0, 2), "v-");
    CHECK_EQ(host_end_name("a-very-long-name").size(), 14);
}

TEST_CASE("a container and the host reach each other over the bridge at once, over IPv4 and IPv6")
{
    TwoNetworks networks;
    const auto bridge = ensure_bridge(networks.host_netlink(), "br-test", gateways);
    REQUIRE_EQ(text_of(bridge), "ok");
    CHECK(bridge.value().made);
    const Fd servers[] = {listen_on(gateways[0]), listen_on(gateways[1])};
    const std::string host_end = make_pair(networks, bridge.value().index, network("eth0"));
    connect_interface(networks, host_end, network("eth0"));

    networks.inside();
    CHECK_EQ(connect_to(gateways[0]), 0);
    CHECK_EQ(connect_to(gateways[1]), 0);
    const Fd inner[] = {listen_on(address("10.9.0.2")), listen_on(address("fd00:9::2"))};

    networks.outside();
    CHECK_EQ(connect_to(address("10.9.0.2")), 0);
    CHECK_EQ(connect_to(address("fd00:9::2")), 0);
}

TEST_CASE("packets for elsewhere leave by the gateway")
{
    TwoNetworks networks;
    const auto bridge = ensure_bridge(networks.host_netlink(), "br-test", gateways);
    REQUIRE_EQ(text_of(bridge), "ok");
    const std::string host_end = make_pair(networks, bridge.value().index, network("eth0"));
    // The host owns these too; only the default route leads to them.
    const IpAddress away[] = {address("192.0.2.1", 32), address("2001:db8::1", 128)};
    for (const IpAddress& one : away)
        REQUIRE_EQ(text_of(add_address(networks.host_netlink(), bridge.value().index, "br-test", one)), "ok");

    networks.inside();
    CHECK_EQ(connect_to(away[0]), ENETUNREACH);
    connect_interface(networks, host_end, network("eth0"));
    CHECK_EQ(connect_to(away[0]), ECONNREFUSED);
    CHECK_EQ(connect_to(away[1]), ECONNREFUSED);
}

TEST_CASE("MAC, MTU and broadcast address are as the spec says")
{
    TwoNetworks networks;
    NetworkSpec spec = network("lan0");
    spec.mtu = 1400;
    spec.has_mac = true;
    const std::uint8_t mac[6] = {0x02, 0, 0x5e, 0x10, 0, 7};
    std::memcpy(spec.mac, mac, sizeof mac);
    const std::string host_end = make_pair(networks, 0, spec);
    CHECK_EQ(ask(SIOCGIFMTU, host_end.c_str()).ifr_mtu, 1400);
    CHECK_EQ(interfaces().count(host_end), 1);
    CHECK_EQ(interfaces().count("lan0"), 0);

    networks.inside();
    REQUIRE_EQ(text_of(configure_interface(networks.container_netlink(), spec)), "ok");
    CHECK_EQ(ask(SIOCGIFMTU, "lan0").ifr_mtu, 1400);
    CHECK_EQ(mac_of("lan0"), std::string(reinterpret_cast<const char*>(mac), sizeof mac));
    const ifreq broadcast = ask(SIOCGIFBRDADDR, "lan0");
    CHECK_EQ(reinterpret_cast<const sockaddr_in&>(broadcast.ifr_broadaddr).sin_addr.s_addr, inet_addr("10.9.0.255"));
}

TEST_CASE("a bridge is made once, keeps its MAC, and goes with its last user")
{
    TwoNetworks networks;
    NetlinkSocket& host = networks.host_netlink();
    const auto first = ensure_bridge(host, "br-test", gateways);
    REQUIRE_EQ(text_of(first), "ok");
    const std::string mac = mac_of("br-test");
    const std::string one = make_pair(networks, first.value().index, network("eth0"));
    const auto second = ensure_bridge(host, "br-test", gateways);
    REQUIRE_EQ(text_of(second), "ok");
    CHECK_FALSE(second.value().made);
    CHECK_EQ(second.value().index, first.value().index);
    const std::string two = make_pair(networks, second.value().index, network("eth1"));
    CHECK_EQ(mac_of("br-test"), mac);
    CHECK(bridge_is_ours(host, "br-test").value_or(false));

    const Text living[] = {std::string_view(one), std::string_view(two)};
    CHECK_FALSE(release_bridge(host, "br-test", living).value_or(true));
    CHECK_FALSE(release_bridge(host, "br-test", {living, 1}).value_or(true));
    CHECK_EQ(mac_of("br-test"), mac);
    CHECK(release_bridge(host, "br-test", {}).value_or(false));
    CHECK_EQ(interfaces().count("br-test"), 0);
    CHECK_FALSE(bridge_is_ours(host, "br-test").value_or(true));
    CHECK_FALSE(release_bridge(host, "br-test", {}).value_or(true));
}

TEST_CASE("a bridge of vial's gets the addresses of a second container's family")
{
    TwoNetworks networks;
    const std::span<const IpAddress> both(gateways);
    REQUIRE_EQ(text_of(ensure_bridge(networks.host_netlink(), "br-test", both.first(1))), "ok");
    REQUIRE_EQ(text_of(ensure_bridge(networks.host_netlink(), "br-test", both)), "ok");
    const Fd servers[] = {listen_on(gateways[0]), listen_on(gateways[1])};
}

TEST_CASE("a bridge that was there is used as it is and never removed")
{
    TwoNetworks networks;
    NetlinkSocket& host = networks.host_netlink();
    make_foreign_bridge(host, "br-lan");
    const auto bridge = ensure_bridge(host, "br-lan", gateways);
    REQUIRE_EQ(text_of(bridge), "ok");
    CHECK_FALSE(bridge.value().made);
    CHECK_FALSE(bridge_is_ours(host, "br-lan").value_or(true));
    // It has not been given the gateway's address. (A namespace without any address accepts every one.)
    REQUIRE_EQ(text_of(loopback_up()), "ok");
    const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress local(gateways[0], 8080);
    CHECK_EQ(::bind(server.get(), local.get(), local.size), -1);
    CHECK_FALSE(release_bridge(host, "br-lan", {}).value_or(true));
    CHECK_EQ(interfaces().count("br-lan"), 1);
}

TEST_CASE("an interface that is no bridge is refused by its kind")
{
    TwoNetworks networks;
    const std::string host_end = make_pair(networks, 0, network("eth0"));
    CHECK_EQ(text_of(ensure_bridge(networks.host_netlink(), host_end, gateways)),
             "cannot use the bridge " + host_end + " (a veth): it is no bridge");
    CHECK_EQ(text_of(ensure_bridge(networks.host_netlink(), "lo", gateways)),
             "cannot use the bridge lo (a network card): it is no bridge");
    CHECK_EQ(text_of(ensure_bridge(networks.host_netlink(), "a-name-that-is-too-long", gateways)),
             "cannot find the bridge a-name-that-is-too-long: an interface's name has 1 to 15 bytes");
}

TEST_CASE("a bridge whose address is refused is not left behind")
{
    TwoNetworks networks;
    const IpAddress wrong[] = {address("10.9.0.1", 99)};
    CHECK_EQ(text_of(ensure_bridge(networks.host_netlink(), "br-test", wrong))
                 .find("cannot add the address 10.9.0.1/99 to br-test"),
             0);
    CHECK_EQ(interfaces().count("br-test"), 0);
}

TEST_CASE("a name that is taken in the container is refused, and no host end is left")
{
    TwoNetworks networks;
    make_pair(networks, 0, network("eth0"));
    const auto before = interfaces();
    const auto made = make_veth(networks.host_netlink(), "vweb-000000", 0, network("eth0"), networks.container());
    CHECK_EQ(text_of(made).find("cannot make the network interface eth0"), 0);
    CHECK_NE(text_of(made).find("an interface of that name exists already"), std::string::npos);
    CHECK_EQ(interfaces(), before);
    const auto too_long =
        make_veth(networks.host_netlink(), "vweb-000000", 0, network("sixteen-bytes-xx"), networks.container());
    CHECK_EQ(text_of(too_long),
             "cannot make the network interface sixteen-bytes-xx: an interface's name has 1 to 15 bytes");
    CHECK_FALSE(make_veth(networks.host_netlink(), "vweb-000000", 0, network("eth1"), -1).ok());
    CHECK_FALSE(make_veth(networks.host_netlink(), "vweb-000000", 4711, network("eth1"), networks.container()).ok());
    CHECK_EQ(interfaces(), before);
}

TEST_CASE("what cannot be configured is named" * doctest::skip(emulated()))  // an errno of the wrong machine
{
    TwoNetworks networks;
    NetlinkSocket& inside = networks.container_netlink();
    CHECK_EQ(text_of(configure_interface(inside, network("eth0"))),
             "cannot find the network interface eth0: No such device");

    make_pair(networks, 0, network("eth0"));
    NetworkSpec far_gateway = network("eth0");
    far_gateway.gateways = {address("192.0.2.1")};
    CHECK_NE(text_of(configure_interface(inside, far_gateway))
                 .find("the gateway is in no network of the interface's addresses"),
             std::string::npos);
    const std::string twice = text_of(configure_interface(inside, network("eth0")));
    CHECK_EQ(twice.find("cannot add the address 10.9.0.2/24 to eth0"), 0);

    make_pair(networks, 0, network("eth1"));
    NetworkSpec v6 = network("eth1", "10.9.1.2", "fd00:1::2");
    v6.gateways = {address("fd00:1::1")};
    REQUIRE_EQ(text_of(configure_interface(inside, v6)), "ok");
    make_pair(networks, 0, network("eth2"));
    NetworkSpec second_route = network("eth2", "10.9.2.2", "fd00:2::2");
    second_route.gateways = {address("fd00:2::1")};
    const std::string refused = text_of(configure_interface(inside, second_route));
    CHECK_EQ(refused.find("cannot set the default route through fd00:2::1 on eth2"), 0);
    CHECK_NE(refused.find("there is a default route already"), std::string::npos);
}

TEST_CASE("IPv6 that is switched off is named")
{
    TwoNetworks networks;
    make_pair(networks, 0, network("eth0"));
    networks.inside();
    const auto off = os::write_file(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    if (!off.ok()) {
        MESSAGE("not tested: /proc/sys is not writable here");
        return;
    }
    CHECK_NE(text_of(configure_interface(networks.container_netlink(), network("eth0"))).find("IPv6 is switched off"),
             std::string::npos);
}

TEST_CASE("an interface is removed with its partner, and one that is not there is fine")
{
    TwoNetworks networks;
    const std::string host_end = make_pair(networks, 0, network("eth0"));
    CHECK_EQ(text_of(remove_link(networks.host_netlink(), host_end)), "ok");
    CHECK_EQ(text_of(remove_link(networks.host_netlink(), host_end)), "ok");
    CHECK_EQ(interfaces(), std::set<std::string>{"lo"});
    networks.inside();
    CHECK_EQ(interfaces(), std::set<std::string>{"lo"});
}

namespace {

int calls_until_refusal;

int refuse_one(long)
{
    return --calls_until_refusal == 0 ? ENOBUFS : 0;
}

}  // namespace

TEST_CASE("whichever call fails while a bridge is made, there is an error and no bridge")
{
    TwoNetworks networks;
    bool finished = false;
    for (int call = 1; !finished && call < 50; call++) {
        calls_until_refusal = call;
        os::refuse(refuse_one);
        const auto bridge = ensure_bridge(networks.host_netlink(), "br-test", gateways);
        os::refuse(nullptr);
        finished = calls_until_refusal > 0;
        CHECK_EQ(bridge.ok(), finished);
        CHECK_EQ(interfaces().count("br-test"), finished ? 1 : 0);
    }
    CHECK(finished);
}
