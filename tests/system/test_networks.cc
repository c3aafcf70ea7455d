// SPDX-License-Identifier: MIT
//
// Interfaces, bridges, addresses and routes, with this test's network namespace in the place of the host's.

#include "pid1.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

using namespace vial;
using namespace vial::test;

namespace {

bool has_interface(const std::string& name)
{
    const auto all = interfaces();
    return std::find(all.begin(), all.end(), name) != all.end();
}

std::string web_server(const std::string& name, const std::string& network)
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/var/www\"]\n" +
                          network);
}

/// Fetches a page; the server may need a moment until it listens, and IPv6 one for its addresses.
bool serves(const std::string& url)
{
    return eventually([&] {
        return contains(run({"busybox", "wget", "-q", "-O", "-", url}, {}, 3000).out, "Hello from inside");
    });
}

std::string inside(const std::string& name, const std::string& script)
{
    return ctl({"exec", name, "--", "/bin/sh", "-c", script}).out;
}

}  // namespace

TEST_CASE("a web server on a bridge is reached over IPv4 and IPv6; the bridge is made, and goes with it")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start",
         web_server("web", "[network.eth0]\nbridge = \"br-web\"\naddress = [\"10.9.3.2/24\", \"fd00:9:3::2/64\"]\n"
                           "gateway = [\"10.9.3.1\", \"fd00:9:3::1\"]\n")});
    const std::string addresses = run({"ip", "-o", "addr", "show", "br-web"}).out;
    CHECK(contains(addresses, "10.9.3.1/24"));
    CHECK(contains(addresses, "fd00:9:3::1/64"));
    CHECK(serves("http://10.9.3.2:8080/"));
    CHECK(serves("http://[fd00:9:3::2]:8080/"));
    const std::string routes = inside("web", "ip route; ip -6 route");
    CHECK(contains(routes, "default via 10.9.3.1 dev eth0"));
    CHECK(contains(routes, "default via fd00:9:3::1 dev eth0"));
    CHECK(inside("web", "ls /sys/class/net") == "eth0\nlo\n");
    CHECK(contains(done({"stats", "--json", "web"}), "\"eth0\""));
    (void)done({"stop", "web"});
    CHECK_FALSE(has_interface("br-web"));
}

TEST_CASE("a bridge that vial made stays until its last user has gone")
{
    const NothingLeft nothing_left;
    const auto server = [](const std::string& number) {
        return web_server("web" + number, "[network.eth0]\nbridge = \"br-pair\"\naddress = \"10.9.4." + number +
                                              "/24\"\ngateway = \"10.9.4.1\"\n");
    };
    (void)done({"start", server("2")});
    (void)done({"start", server("3")});
    // They reach each other.
    CHECK(
        eventually([] { return contains(inside("web2", "wget -q -O - http://10.9.4.3:8080/"), "Hello from inside"); }));
    (void)done({"stop", "web2"});
    CHECK(has_interface("br-pair"));
    CHECK(serves("http://10.9.4.3:8080/"));
    (void)done({"restart", "web3"});
    CHECK(serves("http://10.9.4.3:8080/"));
    (void)done({"stop", "web3"});
    CHECK_FALSE(has_interface("br-pair"));
}

TEST_CASE("the last two users of a bridge leave at once, again and again")
{
    const NothingLeft nothing_left;
    for (int round = 0; round < 10; round++) {
        for (const char* number : {"2", "3"})
            (void)done({"start", sleeper(std::string("at") + number,
                                         std::string("[network.eth0]\nbridge = \"br-once\"\naddress = \"10.9.5.") +
                                             number + "/24\"\n")});
        Process first(ctl_words({"stop", "at2"})), second(ctl_words({"stop", "at3"}));
        CHECK(first.wait() == 0);
        CHECK(second.wait() == 0);
        CHECK(first.errors() + second.errors() == "");
        CHECK_FALSE(has_interface("br-once"));
    }
}

TEST_CASE("a bridge that was there before stays, with the addresses it had")
{
    const NothingLeft nothing_left;
    CHECK(run({"ip", "link", "add", "br-own", "type", "bridge"}).code == 0);
    CHECK(run({"ip", "addr", "add", "10.9.6.1/24", "dev", "br-own"}).code == 0);
    CHECK(run({"ip", "link", "set", "br-own", "up"}).code == 0);
    const auto addresses = [] {
        std::string text = run({"ip", "-o", "-4", "addr", "show", "br-own"}).out;
        return text.substr(0, text.find("valid_lft"));
    };
    const std::string before = addresses();
    // Its gateway is somebody else's: the bridge does not get that address.
    (void)done(
        {"start",
         web_server("web",
                    "[network.eth0]\nbridge = \"br-own\"\naddress = \"10.9.6.2/24\"\ngateway = \"10.9.6.254\"\n")});
    CHECK(serves("http://10.9.6.2:8080/"));
    CHECK(addresses() == before);
    (void)done({"stop", "web"});
    CHECK(has_interface("br-own"));
    CHECK(addresses() == before);
    CHECK(run({"ip", "link", "delete", "br-own"}).code == 0);
}

TEST_CASE("several interfaces, with MAC address, MTU and names of one's own; lo is up")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start",
         sleeper(
             "multi",
             "[network.lan]\nbridge = \"br-lan9\"\naddress = \"10.9.7.2/24\"\nmac = \"02:00:00:00:09:07\"\nmtu = 1400\n"
             "[network.wan0]\naddress = [\"10.9.8.2/30\", \"fd00:9:8::2/64\"]\ngateway = \"10.9.8.1\"\n")});
    CHECK(inside("multi", "ls /sys/class/net") == "lan\nlo\nwan0\n");
    CHECK(inside("multi", "cat /sys/class/net/lan/address /sys/class/net/lan/mtu") == "02:00:00:00:09:07\n1400\n");
    const std::string addresses = inside("multi", "ip -o addr");
    CHECK(contains(addresses, "127.0.0.1/8"));
    CHECK(contains(addresses, "::1/128"));
    CHECK(contains(addresses, "10.9.7.2/24"));
    CHECK(contains(addresses, "10.9.8.2/30"));
    CHECK(contains(addresses, "fd00:9:8::2/64"));
    CHECK(inside("multi", "ip route | grep default") == "default via 10.9.8.1 dev wan0 \n");
    CHECK(inside("multi",
                 "ping -c 1 -W 2 127.0.0.1 >/dev/null 2>&1; wget -q -O - http://127.0.0.1:1 2>&1 | grep -c refused") ==
          "1\n");
    // One that hangs on no bridge has its other end here, for whoever wants to use it: down it is not.
    CHECK(interfaces().size() == 4);  // lo, the bridge, two host ends
    (void)done({"stop", "multi"});
}

TEST_CASE("routes lead elsewhere than the default route, and are checked")
{
    const NothingLeft nothing_left;
    const std::string network =
        "[network.eth0]\nbridge = \"br-way\"\naddress = [\"10.9.13.2/24\", \"fd00:9:13::2/64\"]\n";
    (void)done(
        {"start", sleeper("ways", network + "gateway = \"10.9.13.1\"\nroutes = [\"10.77.0.0/16 via 10.9.13.7\", "
                                            "\"fd77::/32 via fd00:9:13::7\", \"192.0.2.9/32 via 10.9.13.8\"]\n")});
    const std::string routes = inside("ways", "ip route; ip -6 route");
    for (const char* route : {"default via 10.9.13.1 dev eth0", "10.77.0.0/16 via 10.9.13.7 dev eth0",
                              "fd77::/32 via fd00:9:13::7 dev eth0", "192.0.2.9 via 10.9.13.8 dev eth0"}) {
        INFO(std::string(route));
        CHECK(contains(routes, route));
    }
    CHECK(
        contains(done({"show", "ways"}), "routes = [\"10.77.0.0/16 via 10.9.13.7\", \"fd77::/32 via fd00:9:13::7\", "));
    (void)done({"stop", "ways"});
    start_refused(
        1, sleeper("ways", network + "routes = [\"10.77.0.0/16 via 10.9.13.7\", \"10.77.0.0/16 via 10.9.13.8\"]\n"),
        {"cannot set the route to 10.77.0.0/16 via 10.9.13.8 on eth0", "there is such a route already"});
    const auto why = [&](const std::string& route) {
        return refused(2, {"check", sleeper("ways", network + "routes = \"" + route + "\"\n")});
    };
    CHECK(contains(why("10.77.0.0/16 via 10.9.14.1"), "routes: 10.9.14.1 is in none of the networks of 'address'"));
    for (const char* wrong :
         {"10.77.0.0/16", "10.77.0.0 via 10.9.13.1", "10.77.0.1/16 via 10.9.13.1", "fd77::/32 via 10.9.13.1",
          "10.77.0.0/16 dev 10.9.13.1", "10.77.0.0/16 via 10.9.13.1 metric 5", "default via 10.9.13.1"})
        CHECK(contains(why(wrong), "routes: expected \"NETWORK via GATEWAY\""));
    CHECK(contains(refused(2, {"check", sleeper("ways", "[network.eth0]\nroutes = \"10.77.0.0/16 via 10.9.13.1\"\n")}),
                   "routes: wants an 'address'"));
    CHECK(contains(
        refused(2, {"check",
                    sleeper("ways", "[network.eth0]\ntype = \"none\"\nroutes = \"10.77.0.0/16 via 10.9.13.1\"\n")}),
        "no interface to set anything on"));
}

TEST_CASE("a network of its own without an interface, the host's network, and none for the asking")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("alone")});
    CHECK(inside("alone", "ls /sys/class/net; ip -o addr show lo | grep -c 127.0.0.1") == "lo\n1\n");
    (void)done({"stop", "alone"});
    CHECK(run({"ip", "link", "add", "here9", "type", "veth", "peer", "name", "there9"}).code == 0);
    (void)done({"start", sleeper("shared", "[namespaces]\nnet = false\n")});
    CHECK(contains(inside("shared", "ip -o link"), "here9"));
    (void)done({"stop", "shared"});
    CHECK(run({"ip", "link", "delete", "here9"}).code == 0);
    (void)done({"start", sleeper("none", "[network.eth0]\ntype = \"none\"\n")});
    CHECK(inside("none", "ls /sys/class/net") == "lo\n");
    (void)done({"stop", "none"});
}

TEST_CASE("run has a network too")
{
    const NothingLeft nothing_left;
    const Finished finished = ctl(
        {"run",
         web_server("job", "[network.eth0]\nbridge = \"br-job\"\naddress = \"10.9.9.2/24\"\ngateway = \"10.9.9.1\"\n"),
         "--", "/bin/sh", "-c", "ping -c 1 -W 2 10.9.9.1 2>&1 | tail -n 2; ip -o -4 addr show eth0"});
    INFO(finished.out, finished.err);
    CHECK(finished.code == 0);
    CHECK(contains(finished.out, "10.9.9.2/24"));
    CHECK_FALSE(has_interface("br-job"));
}

TEST_CASE("run on a terminal: a network that is long in coming is not mistaken for the terminal")
{
    const NothingLeft nothing_left;
    const std::string file = spec("late", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", "
                                          "\"ip -o addr show eth0; test -t 0 && exit 7\"]\n"
                                          "[network.eth0]\nbridge = \"br-late\"\naddress = [\"10.9.8.2/24\"]\n");
    Gate gate;
    Process process(ctl_words({"run", file}), Process::Streams::Terminal, {0, [&] { gate.wait(); }});
    Traced launcher(process.pid(), PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE);
    gate.opener.reset();
    // The network's maker, and then the container.
    Traced maker(launcher.made());
    launcher.go_on();
    const pid_t container = launcher.made();
    Traced(container).let_go();
    launcher.let_go();
    // It has told one of the two, and not yet the other, until the container cannot go on without something that it waits for.
    CHECK(maker.go_to(SYS_sendmsg));
    CHECK(maker.go_to(SYS_sendmsg));
    const std::string call = "/proc/" + std::to_string(container) + "/syscall";
    CHECK(eventually(
        [&] { return state_of(container) == 'S' && read_text(call).starts_with(std::to_string(SYS_recvmsg) + " "); }));
    maker.let_go();
    CHECK(process.expect("10.9.8.2/24"));
    CHECK(process.wait() == 7);
    CAPTURE(process.output());
}

TEST_CASE("in a user namespace: the same")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                web_server("mapped",
                           "[network.eth0]\nbridge = \"br-user\"\naddress = \"10.9.10.2/24\"\ngateway = \"10.9.10.1\"\n"
                           "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n")});
    CHECK(serves("http://10.9.10.2:8080/"));
    CHECK(contains(inside("mapped", "ip route"), "default via 10.9.10.1"));
    (void)done({"stop", "mapped"});
}

TEST_CASE("what is no bridge is not used as one")
{
    const NothingLeft nothing_left;
    CHECK(run({"ip", "link", "add", "here9", "type", "veth", "peer", "name", "there9"}).code == 0);
    const std::string why =
        refused(1, {"start", sleeper("wrong", "[network.eth0]\nbridge = \"here9\"\naddress = \"10.9.11.2/24\"\n")});
    CHECK(contains(why, "here9"));
    CHECK(contains(why, "no bridge"));
    CHECK(contains(
        refused(1, {"start", sleeper("wrong", "[network.eth0]\nbridge = \"lo\"\naddress = \"10.9.11.2/24\"\n")}),
        "lo"));
    CHECK(run({"ip", "link", "delete", "here9"}).code == 0);
}

TEST_CASE("a start that fails after the network was made takes it along")
{
    const NothingLeft nothing_left;
    CHECK(contains(
        refused(1,
                {"start",
                 spec("late", "root = \"ROOT\"\ncommand = [\"/bin/not-there\"]\n[network.eth0]\nbridge = \"br-late\"\n"
                              "address = \"10.9.12.2/24\"\ngateway = \"10.9.12.1\"\n")}),
        "/bin/not-there"));
    // The same address twice on one interface is one; a MAC that the kernel refuses is named.
    const Finished finished =
        ctl({"start",
             sleeper("odd", "[network.eth0]\nbridge = \"br-odd\"\naddress = \"10.9.12.2/24\"\nmtu = "
                            "70\n[network.eth1]\nbridge = \"br-odd\"\naddress = \"fd00:9:12::2/64\"\nmtu = 100\n")});
    INFO(finished.err);
    CHECK(finished.code == 1);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "eth1"));
}
