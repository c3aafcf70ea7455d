// SPDX-License-Identifier: MIT
//
// Published ports and the way out, between this test's network namespace in the place of the host's, and another machine: a
// second one, which a cable leads to.

#include "harness.h"

#include <arpa/inet.h>
#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

void must(Words words)
{
    const Finished finished = run(words);
    INFO(words.at(0), " ", words.at(1), " ", words.back(), ": ", finished.err);
    REQUIRE(finished.code == 0);
}

void must_each(std::string_view script)
{
    for (const std::string& line : lines(script))
        must({"sh", "-ec", line});
}

/// Another machine at the end of a cable: 192.0.2.1 and 2001:db8:9::1 are the host's, those with a 2 at the end its own. It has
/// no route to any container.
class Elsewhere {
public:
    Elsewhere()
    {
        must_each(
            "ip netns add else9\n"
            "ip link add up9 type veth peer name down9 netns else9\n"
            "ip addr add 192.0.2.1/24 dev up9; ip -6 addr add 2001:db8:9::1/64 dev up9 nodad; ip link set up9 up\n"
            "ip -n else9 addr add 192.0.2.2/24 dev down9; ip -n else9 addr add 2001:db8:9::2/64 dev down9 nodad\n"
            "ip -n else9 link set down9 up; ip -n else9 link set lo up\n"
            "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding\n");
    }
    ~Elsewhere()
    {
        CHECK(run({"ip", "netns", "delete", "else9"}).code == 0);
        CHECK(run({"umount", "/run/netns"}).code == 0);
        CHECK(run({"rmdir", "/run/netns"}).code == 0);
        (void)run({"ip", "link", "delete", "up9"});
    }
    Elsewhere(const Elsewhere&) = delete;
    Elsewhere& operator=(const Elsewhere&) = delete;

    static Words here(Words words)
    {
        words.insert(words.begin(), {"ip", "netns", "exec", "else9"});
        return words;
    }
};

std::string web(const std::string& name, const std::string& top, const std::string& network)
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/var/www\"]\n" +
                          top + "\n[network.eth0]\n" + network);
}

std::string on_bridge(const std::string& bridge, const std::string& net, const std::string& number)
{
    return "bridge = \"" + bridge + "\"\naddress = [\"10.9." + net + "." + number + "/24\", \"fd00:9:" + net +
           "::" + number + "/64\"]\ngateway = [\"10.9." + net + ".1\", \"fd00:9:" + net + "::1\"]\n";
}

Words fetch(const std::string& url)
{
    return {"busybox", "timeout", "3", "busybox", "wget", "-q", "-O", "-", url};
}
bool gives(const Finished& finished)
{
    return contains(finished.out, "Hello from inside");
}
/// From the host, from elsewhere, from inside a container.
bool reaches(const std::string& url)
{
    return eventually([&] { return gives(run(fetch(url))); }, 8000);
}
bool is_reached(const std::string& url)
{
    return eventually([&] { return gives(run(Elsewhere::here(fetch(url)))); }, 8000);
}
Finished from_inside(const std::string& name, const std::string& url)
{
    Words words = fetch(url);
    words.insert(words.begin(), {"exec", name, "--"});
    return ctl(words);
}

/// In the network of that process, or here.
Fd udp_socket(pid_t there, const char* address, std::uint16_t port, bool connects)
{
    const Fd here(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (there > 0) {
        const Fd network(::open(("/proc/" + std::to_string(there) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
        REQUIRE(::setns(network.get(), CLONE_NEWNET) == 0);
    }
    Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(::setns(here.get(), CLONE_NEWNET) == 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    CHECK(::inet_pton(AF_INET, address, &name.sin_addr) == 1);
    CHECK((connects ? ::connect : ::bind)(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    return socket;
}
/// The next that comes within five seconds.
std::string received(const Fd& socket)
{
    pollfd entry{socket.get(), POLLIN, 0};
    char text[64];
    const ssize_t size = ::poll(&entry, 1, 5000) == 1 ? ::recv(socket.get(), text, sizeof text, 0) : 0;
    return {text, size > 0 ? static_cast<std::size_t>(size) : 0};
}

bool is_on(const std::string& path)
{
    return read_text("/proc/sys/net/" + path) == "1\n";
}

}  // namespace

TEST_CASE(
    "a published port leads into the container: from the host, by 127.0.0.1, from elsewhere and from its neighbours")
{
    const NothingLeft nothing_left;
    const Elsewhere elsewhere;
    (void)done({"start", web("pub", "ports = [\"18080:8080/tcp\"]", on_bridge("br-pub", "20", "2"))});
    (void)done({"start", web("near", "", on_bridge("br-pub", "20", "3"))});
    (void)done({"start", web("far", "", on_bridge("br-far", "21", "2"))});
    for (const char* url : {"127.0.0.1", "192.0.2.1", "10.9.20.1", "[2001:db8:9::1]", "[fd00:9:20::1]"}) {
        INFO(std::string(url));
        CHECK(reaches("http://" + std::string(url) + ":18080/"));
    }
    for (const char* url : {"192.0.2.1", "[2001:db8:9::1]"}) {
        INFO(std::string(url));
        CHECK(is_reached("http://" + std::string(url) + ":18080/"));
    }
    const auto from_bridge = [](const char* name) {
        for (const char* url : {"10.9.20.1", "192.0.2.1", "[fd00:9:20::1]"}) {
            INFO(std::string(name), " ", std::string(url));
            CHECK(gives(from_inside(name, "http://" + std::string(url) + ":18080/")));
        }
    };
    from_bridge("near");
    // A bridge whose packets the filter sees as if they were routed does not send one back to where it came from.
    for (const char* file : {"iptables", "ip6tables"}) {
        const std::string path = std::string("/proc/sys/net/bridge/bridge-nf-call-") + file;
        if (exists(path))
            write_text(path, "0");
    }
    from_bridge("near");
    from_bridge("pub");
    CHECK(gives(from_inside("far", "http://10.9.21.1:18080/")));
    CHECK(gives(from_inside("far", "http://[fd00:9:21::1]:18080/")));

    // What is not published is not reached from beyond the bridge, though this host passes packets on now; who publishes nothing
    // is not guarded.
    must({"ip", "-n", "else9", "route", "add", "10.9.20.0/24", "via", "192.0.2.1"});
    must({"ip", "-n", "else9", "-6", "route", "add", "fd00:9:20::/64", "via", "2001:db8:9::1"});
    for (const char* way : {"10.9.20.", "[fd00:9:20::"}) {
        const std::string end = way[0] == '[' ? "]:8080/" : ":8080/", start = "http://" + std::string(way);
        INFO(start);
        CHECK(is_reached(start + "3" + end));
        CHECK_FALSE(gives(run(Elsewhere::here(fetch(start + "2" + end)))));
        CHECK_FALSE(gives(from_inside("far", start + "2" + end)));
        CHECK(gives(from_inside("near", start + "2" + end)));
        CHECK(reaches(start + "2" + end));
    }
    CHECK(filter_tables().size() == 2);

    (void)done({"stop", "pub"});
    CHECK(filter_tables().empty());
    CHECK_FALSE(gives(run(fetch("http://127.0.0.1:18080/"))));
    CHECK_FALSE(is_on("ipv4/conf/br-pub/route_localnet"));
    (void)done({"stop", "near"});
    (void)done({"stop", "far"});
    // Whoever has come to need it by now cannot be known.
    CHECK(is_on("ipv4/ip_forward"));
    CHECK(is_on("ipv6/conf/all/forwarding"));
}

TEST_CASE("ports of one address alone, and of UDP")
{
    const NothingLeft nothing_left;
    const Elsewhere elsewhere;
    (void)done({"start", web("here", "ports = [\"127.0.0.1:18080:8080\"]", on_bridge("br-here", "22", "2"))});
    (void)done({"start", web("there", "ports = [\"192.0.2.1:18080:8080\", \"[2001:db8:9::1]:18081:8080\"]",
                             on_bridge("br-there", "23", "2"))});
    CHECK(reaches("http://127.0.0.1:18080/"));
    CHECK(is_reached("http://192.0.2.1:18080/"));
    CHECK(is_reached("http://[2001:db8:9::1]:18081/"));
    CHECK_FALSE(gives(run(fetch("http://10.9.22.1:18080/"))));
    (void)done({"stop", "there"});
    CHECK_FALSE(gives(run(Elsewhere::here(fetch("http://192.0.2.1:18080/")))));
    (void)done({"stop", "here"});

    (void)done(
        {"start", sleeper("echo", "ports = [\"17007:7007/udp\"]\n[network.eth0]\n" + on_bridge("br-echo", "24", "2"))});
    const Fd server = udp_socket(init_pid("echo"), "10.9.24.2", 7007, false);
    for (const char* address : {"127.0.0.1", "192.0.2.1"}) {
        const Fd client = udp_socket(0, address, 17007, true);
        CHECK(::send(client.get(), address, std::strlen(address), 0) > 0);
        CHECK(received(server) == address);
    }
    (void)done({"stop", "echo"});
}

TEST_CASE("a container leaves its bridge as the host, if it may")
{
    const NothingLeft nothing_left;
    const Elsewhere elsewhere;
    write_text(empty_directory("pages") + "/index.html", "Hello from inside the other machine\n");
    Process server(Elsewhere::here({"busybox", "httpd", "-f", "-p", "8081", "-h", work() + "/pages"}));
    CHECK(is_reached("http://192.0.2.2:8081/"));
    (void)done({"start", web("out", "", on_bridge("br-out", "25", "2") + "masquerade = true\n")});
    (void)done({"start", web("kept", "", on_bridge("br-out", "25", "3"))});
    CHECK(gives(from_inside("out", "http://192.0.2.2:8081/")));
    CHECK(gives(from_inside("out", "http://[2001:db8:9::2]:8081/")));
    CHECK_FALSE(gives(from_inside("kept", "http://192.0.2.2:8081/")));
    must({"ip", "-n", "else9", "route", "add", "10.9.25.0/24", "via", "192.0.2.1"});
    CHECK(is_reached("http://10.9.25.3:8080/"));
    CHECK_FALSE(gives(run(Elsewhere::here(fetch("http://10.9.25.2:8080/")))));
    CHECK_FALSE(is_on("ipv4/conf/br-out/route_localnet"));
    (void)done({"stop", "out"});
    CHECK(filter_tables().empty());
    (void)done({"stop", "kept"});
    server.kill(SIGTERM);
    (void)server.wait();
}

TEST_CASE("a port is one container's, and no program's of the host")
{
    const NothingLeft nothing_left;
    (void)done({"start", web("one", "ports = \"18080:8080\"", on_bridge("br-one", "26", "2"))});
    const std::string why = refused(
        1, {"start", web("two", "ports = [\"18081:8080\", \"127.0.0.1:18080:8080\"]", on_bridge("br-two", "27", "2"))});
    CHECK(contains(why, "two: cannot publish the port 127.0.0.1:18080:8080/tcp (one): another container has it"));
    CHECK(lines(ctl({"list"}).out).size() == 2);
    // The same number elsewhere is another port.
    (void)done({"start", web("three", "ports = [\"18080:8080/udp\"]", on_bridge("br-two", "27", "2"))});
    (void)done({"stop", "three"});
    // Restarted it gets its own again.
    (void)done({"restart", "one"});
    CHECK(reaches("http://127.0.0.1:18080/"));
    (void)done({"stop", "one"});

    Process server({"busybox", "httpd", "-f", "-p", "127.0.0.1:18080", "-h", work()});
    CHECK(eventually([] {
        return contains(run({"busybox", "wget", "-O", "-", "http://127.0.0.1:18080/"}).err, "404");
    }));
    start_refused(1, web("one", "ports = \"18080:8080\"", on_bridge("br-one", "26", "2")),
                  {"cannot publish the port 18080:8080/tcp", "a program on the host has it"});
    server.kill(SIGTERM);
    (void)server.wait();
    start_refused(1, web("one", "ports = [\"192.0.2.77:18080:8080\"]", on_bridge("br-one", "26", "2")),
                  {"192.0.2.77", "the host has no such address"});
}

TEST_CASE("what a killed container has published is taken back by the next command")
{
    const NothingLeft nothing_left;
    const std::string file = web("dies", "ports = [\"18080:8080\"]", on_bridge("br-dies", "28", "2"));
    (void)done({"start", file});
    CHECK(reaches("http://127.0.0.1:18080/"));
    const pid_t init = init_pid("dies");
    REQUIRE(init > 1);
    CHECK(::kill(init, SIGKILL) == 0);
    CHECK(eventually([] { return state("dies") != "\"running\""; }));
    (void)done({"list"});
    CHECK(filter_tables().empty());
    (void)done({"start", file});
    CHECK(reaches("http://127.0.0.1:18080/"));
    (void)done({"stop", "dies"});
}

TEST_CASE("a bridge that was there before is left as it was")
{
    const NothingLeft nothing_left;
    must_each("ip link add br-own type bridge\nip addr add 10.9.29.1/24 dev br-own\nip addr add fd00:9:29::1/64 dev "
              "br-own nodad\nip link set br-own up");
    const auto localnet = [] { return is_on("ipv4/conf/br-own/route_localnet"); };
    const auto start = [](const std::string& name, const std::string& number) {
        (void)done({"start", web(name, "ports = [\"1808" + number + ":8080\"]", on_bridge("br-own", "29", number))});
        CHECK(reaches("http://127.0.0.1:1808" + number + "/"));
    };
    start("own2", "2");
    start("own3", "3");
    CHECK(localnet());
    (void)done({"stop", "own2"});
    CHECK(localnet());
    CHECK(reaches("http://127.0.0.1:18083/"));
    (void)done({"stop", "own3"});
    CHECK_FALSE(localnet());
    // What the host has switched on itself stays on.
    write_text("/proc/sys/net/ipv4/conf/br-own/route_localnet", "1");
    start("own2", "2");
    (void)done({"stop", "own2"});
    CHECK(localnet());
    start_refused(1,
                  web("own2", "ports = [\"18080:8080\"]",
                      "bridge = \"br-own\"\naddress = \"10.9.29.2/24\"\ngateway = \"10.9.29.254\"\n"),
                  {"br-own (10.9.29.254)", "the gateway is another machine"});
    must({"ip", "link", "delete", "br-own"});
}

TEST_CASE("what the host keeps for itself is not reached over a bridge that leads 127.0.0.1 into a container")
{
    const NothingLeft nothing_left;
    const Elsewhere elsewhere;
    write_text(empty_directory("pages") + "/index.html", "Hello from inside the host\n");
    Process server({"busybox", "httpd", "-f", "-p", "127.0.0.1:8081", "-h", work() + "/pages"});
    CHECK(reaches("http://127.0.0.1:8081/"));
    (void)done({"start", web("quiet", "", on_bridge("br-loop", "30", "2"))});
    // A neighbour on the bridge that may do anything with its own network.
    must_each(
        "ip link set up9 master br-loop\n"
        "ip -n else9 addr add 10.9.30.9/24 dev down9; ip -n else9 link set lo down; ip -n else9 addr flush dev lo\n"
        "ip netns exec else9 sh -c 'echo 1 >/proc/sys/net/ipv4/conf/down9/route_localnet'\n"
        "ip -n else9 route add 127.0.0.1 via 10.9.30.1 dev down9 src 10.9.30.9");
    const auto intrudes = [] { return gives(run(Elsewhere::here(fetch("http://127.0.0.1:8081/")))); };
    CHECK_FALSE(intrudes());
    // The attack works where the bridge is a way to 127.0.0.1 and nothing guards it...
    write_text("/proc/sys/net/ipv4/conf/br-loop/route_localnet", "1");
    CHECK(intrudes());
    write_text("/proc/sys/net/ipv4/conf/br-loop/route_localnet", "0");
    // ...and not beside a published port.
    (void)done({"start", web("pub", "ports = [\"18080:8080\"]", on_bridge("br-loop", "30", "3"))});
    CHECK(is_on("ipv4/conf/br-loop/route_localnet"));
    CHECK(reaches("http://127.0.0.1:18080/"));
    CHECK_FALSE(intrudes());
    must({"ip", "link", "set", "up9", "nomaster"});
    for (const char* name : {"pub", "quiet"})
        (void)done({"stop", name});
    server.kill(SIGTERM);
    (void)server.wait();
}

TEST_CASE("IPv6: a host that listens to routers goes on doing so when it becomes one")
{
    const NothingLeft nothing_left;
    const Elsewhere elsewhere;
    write_text("/proc/sys/net/ipv6/conf/up9/accept_ra", "1");
    (void)done({"start", web("six", "ports = [\"18080:8080\"]", on_bridge("br-six", "31", "2"))});
    CHECK(read_text("/proc/sys/net/ipv6/conf/up9/accept_ra") == "2\n");
    (void)done({"stop", "six"});
    // Where it is one already, or only IPv4 is published, nothing is changed.
    must_each("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding; echo 1 >/proc/sys/net/ipv6/conf/up9/accept_ra");
    (void)done({"start", web("four", "ports = [\"18080:8080\"]",
                             "bridge = \"br-four\"\naddress = \"10.9.32.2/24\"\ngateway = \"10.9.32.1\"\n")});
    CHECK(read_text("/proc/sys/net/ipv6/conf/up9/accept_ra") == "1\n");
    CHECK_FALSE(is_on("ipv6/conf/all/forwarding"));
    (void)done({"stop", "four"});
}

TEST_CASE("a kernel without nf_tables is named, and nothing is left")
{
    const NothingLeft nothing_left;
    const OnOldKernel old({"--without", "socket:NETLINK_NETFILTER"});
    start_refused(1, web("old", "ports = [\"18080:8080\"]", on_bridge("br-old", "34", "2")),
                  {"this kernel has no nf_tables (CONFIG_NF_TABLES)"});
    (void)done({"start", web("old", "", on_bridge("br-old", "34", "2"))});
    (void)done({"stop", "old"});
}

TEST_CASE("check: ports want somewhere to lead to")
{
    const NothingLeft nothing_left;
    const auto why = [](const std::string& top, const std::string& network) {
        return refused(2, {"check", web("bad", top, network)});
    };
    CHECK(contains(why("ports = [\"80:80\"]", ""),
                   "bad.conf:3:1: ports: 80:80/tcp: wants a [network.NAME] with a 'bridge'"));
    CHECK(contains(why("ports = [\"80:80\"]", "bridge = \"br-x\"\naddress = \"10.9.33.2/24\"\n"), "'gateway'"));
    CHECK(contains(why("ports = [\"[fd00::1]:80:80\"]",
                       "bridge = \"br-x\"\naddress = \"10.9.33.2/24\"\ngateway = \"10.9.33.1\"\n"),
                   "of its family"));
    CHECK(contains(why("ports = [\"[::1]:80:80\"]", on_bridge("br-x", "33", "2")), "::1"));
    CHECK(contains(why("ports = [\"80:80\", \"127.0.0.1:80:81\"]", on_bridge("br-x", "33", "2")), "published twice"));
    for (const char* wrong : {"80", "0:80", "80:0", "65536:80", "80:80/sctp", "x:80", "80:80:80", "1.2.3:80:80",
                              "::1:80:80", "[10.0.0.1]:80:80", ":80"}) {
        INFO(std::string(wrong));
        CHECK(contains(why("ports = [\"" + std::string(wrong) + "\"]", on_bridge("br-x", "33", "2")),
                       "expected \"[ADDRESS:]HOST:CONTAINER"));
    }
    CHECK(contains(why("ports = \"80\"", ""), "expected \"[ADDRESS:]HOST:CONTAINER"));
    CHECK(contains(why("", "address = \"10.9.33.2/24\"\nmasquerade = true\n"), "masquerade: wants a 'bridge'"));
    CHECK(done({"check", web("good", "ports = [\"80:80\", \"80:80/udp\", \"[fd00::1]:81:80\"]",
                             on_bridge("br-x", "33", "2"))}) != "x");
}
