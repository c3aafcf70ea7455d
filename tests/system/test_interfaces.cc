// SPDX-License-Identifier: MIT
//
// Interfaces of other types than a veth: those that share one of the host's, and the host's own network.

#include "harness.h"

#include <doctest/doctest.h>
#include <signal.h>

using namespace vial;
using namespace vial::test;

namespace {

/// A cable of which one end is the parent, with the other in this namespace too: whatever is at it can be reached.
class Cable {
public:
    Cable()
    {
        CHECK(run({"ip", "link", "add", "par9", "type", "veth", "peer", "name", "end9"}).code == 0);
        CHECK(run({"ip", "link", "set", "par9", "up"}).code == 0);
        CHECK(run({"ip", "link", "set", "end9", "up"}).code == 0);
    }
    ~Cable() { CHECK(run({"ip", "link", "delete", "par9"}).code == 0); }
    Cable(const Cable&) = delete;
    Cable& operator=(const Cable&) = delete;
};

std::string server(const std::string& name, const std::string& network)
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/httpd\", \"-f\", \"-p\", \"8080\", \"-h\", "
                      "\"/var/www\"]\n[network.lan0]\n" +
                          network);
}

std::string inside(const std::string& name, const std::string& script)
{
    return ctl({"exec", name, "--", "/bin/sh", "-c", script}).out;
}

std::string why_not(const std::string& more)
{
    return refused(2, {"check", sleeper("bad", more)});
}

}  // namespace

TEST_CASE("macvlan: containers share an interface of the host's, each with a MAC of its own")
{
    const NothingLeft nothing_left;
    const Cable cable;
    for (const char* users : {"", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n"}) {
        (void)done(
            {"start",
             server("mac2", "type = \"macvlan\"\nparent = \"par9\"\naddress = [\"10.9.41.2/24\", \"fd00:9:41::2/64\"]\n"
                            "gateway = \"10.9.41.1\"\nmac = \"02:00:00:00:41:02\"\nmtu = 1400\n" +
                                std::string(users))});
        (void)done({"start", server("mac3", "type = \"macvlan\"\nparent = \"par9\"\naddress = \"10.9.41.3/24\"\n" +
                                                std::string(users))});
        CHECK(inside("mac2", "ls /sys/class/net; cat /sys/class/net/lan0/address /sys/class/net/lan0/mtu") ==
              "lan0\nlo\n02:00:00:00:41:02\n1400\n");
        CHECK(contains(inside("mac2", "ip route"), "default via 10.9.41.1 dev lan0"));
        CHECK(eventually(
            [] { return contains(inside("mac3", "wget -q -O - http://10.9.41.2:8080/"), "Hello from inside"); }));
        CHECK(contains(done({"stats", "--json", "mac2"}), "\"lan0\""));
        // The last one's address is free only a moment after it has gone.
        for (int round = 0; round < 5; ++round)
            (void)done({"restart", "mac2"});
        (void)done({"stop", "mac2"});
        (void)done({"stop", "mac3"});
    }
    start_refused(1, server("mac2", "type = \"macvlan\"\nparent = \"none9\"\n"),
                  {"cannot find the network interface none9"});
    start_refused(1, server("mac2", "type = \"macvlan\"\nparent = \"lo\"\n"),
                  {"cannot make the network interface lan0", "the parent cannot be shared so"});
}

TEST_CASE("ipvlan, or that this kernel has none")
{
    const NothingLeft nothing_left;
    const Cable cable;
    const std::string file = server("ipv2", "type = \"ipvlan\"\nparent = \"par9\"\naddress = \"10.9.42.2/24\"\n");
    if (run({"ip", "link", "add", "link", "par9", "name", "try9", "type", "ipvlan"}).code != 0) {
        start_refused(1, file, {"cannot make the network interface lan0", "this kernel has no ipvlan (CONFIG_IPVLAN)"});
        return;
    }
    CHECK(run({"ip", "link", "delete", "try9"}).code == 0);
    (void)done({"start", file});
    CHECK(contains(inside("ipv2", "ip -o addr show lan0"), "10.9.42.2/24"));
    (void)done({"stop", "ipv2"});
}

TEST_CASE("host: the host's network as it is")
{
    const NothingLeft nothing_left;
    const Cable cable;
    (void)done({"start", sleeper("shares", "[network.any]\ntype = \"host\"\n")});
    CHECK(contains(inside("shares", "ip -o link"), "par9"));
    CHECK(contains(done({"show", "shares"}), "net = false\n"));
    (void)done({"stop", "shares"});
    CHECK(contains(done({"check", sleeper("shares", "[namespaces]\nnet = false\n[network.any]\ntype = \"host\"\n")}),
                   ""));
    CHECK(contains(why_not("[namespaces]\nnet = true\n[network.any]\ntype = \"host\"\n"), "of type \"host\""));
    CHECK(contains(why_not("[network.any]\ntype = \"host\"\n[network.eth0]\n"), "no other [network.NAME]"));
    CHECK(contains(why_not("[network.any]\ntype = \"host\"\nmtu = 1400\n"),
                   "[network.any] of type \"host\" has no interface"));
    CHECK(contains(why_not("[network.any]\ntype = \"none\"\nmtu = 1400\n"),
                   "[network.any] of type \"none\" has no interface"));
}

TEST_CASE("physical: an interface of the host's is lent, and comes back with its name")
{
    const NothingLeft nothing_left;
    const Cable cable;
    CHECK(run({"ip", "addr", "add", "10.9.44.1/24", "dev", "end9"}).code == 0);
    const auto is_here = [](const char* name) { return run({"ip", "link", "show", name}).code == 0; };
    const std::string network =
        "type = \"physical\"\nparent = \"par9\"\naddress = \"10.9.44.2/24\"\ngateway = \"10.9.44.1\"\n";
    for (const char* users : {"", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n"}) {
        const std::string file = server("lent", network + std::string(users));
        (void)done({"start", file});
        CHECK_FALSE(is_here("par9"));
        CHECK(inside("lent", "ls /sys/class/net") == "lan0\nlo\n");
        CHECK(contains(inside("lent", "ip route"), "default via 10.9.44.1 dev lan0"));
        CHECK(eventually([] {
            return contains(run({"busybox", "wget", "-q", "-O", "-", "http://10.9.44.2:8080/"}).out,
                            "Hello from inside");
        }));
        CHECK(contains(refused(1, {"start", server("other", network)}), "cannot find the network interface par9"));
        (void)done({"restart", "lent"});
        CHECK_FALSE(is_here("par9"));
        (void)done({"stop", "lent"});
        CHECK(is_here("par9"));

        // Killed from outside, it has given it back with the next command.
        (void)done({"start", file});
        const pid_t init = init_pid("lent");
        REQUIRE(init > 1);
        CHECK(::kill(init, SIGKILL) == 0);
        CHECK(eventually([] { return state("lent") != "\"running\""; }));
        CHECK(is_here("par9"));
        (void)done({"stop", "lent"});
    }
    // A start that fails behind it.
    CHECK(refused(1, {"start", spec("lent", "root = \"ROOT\"\ncommand = [\"/bin/not-there\"]\n[network.lan0]\n" +
                                                network)}) != "");
    CHECK(is_here("par9"));
}

TEST_CASE("physical: whoever may rename it inside keeps nothing; a name that is taken is told, and tried again")
{
    const NothingLeft nothing_left;
    const Cable cable;
    const auto is_here = [](const char* name) { return run({"ip", "link", "show", name}).code == 0; };
    const std::string file = spec(
        "lent", "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n[security]\ncapabilities = [\"NET_ADMIN\"]\n"
                "[network.lan0]\ntype = \"physical\"\nparent = \"par9\"\n");
    (void)done({"start", file});
    CHECK(inside("lent", "ip link set lan0 down && ip link set lan0 name mine && ls /sys/class/net") == "lo\nmine\n");
    (void)done({"stop", "lent"});
    CHECK(is_here("par9"));
    CHECK_FALSE(is_here("mine"));

    (void)done({"start", file});
    CHECK(run({"ip", "link", "add", "par9", "type", "bridge"}).code == 0);
    const std::string why = refused(1, {"stop", "lent"});
    CHECK(contains(why, "cannot bring back the network interface par9"));
    CHECK(contains(why, "the host has another of that name by now"));
    CHECK(run({"ip", "link", "delete", "par9"}).code == 0);
    (void)done({"stop", "lent"});
    CHECK(is_here("par9"));
    start_refused(
        1,
        spec("lent",
             "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n[network.lan0]\ntype = \"physical\"\nparent = \"lo\"\n"),
        {"cannot move the network interface lan0", "the kernel keeps an interface of this kind"});
}

TEST_CASE("check: what belongs to which type")
{
    const NothingLeft nothing_left;
    CHECK(contains(why_not("[network.lan0]\ntype = \"macvlan\"\n"), "'parent' is missing"));
    CHECK(contains(why_not("[network.lan0]\nparent = \"eth0\"\n"), "'parent' is for macvlan, ipvlan and physical"));
    CHECK(contains(why_not("[network.lan0]\ntype = \"macvlan\"\nparent = \"eth0\"\nbridge = \"br0\"\n"),
                   "bridge: only a veth"));
    CHECK(contains(why_not("[network.lan0]\ntype = \"ipvlan\"\nparent = \"eth0\"\nmac = \"02:00:00:00:00:01\"\n"),
                   "mac: an ipvlan has its parent's"));
    CHECK(contains(why_not("[network.lan0]\ntype = \"physical\"\nparent = \"eth0\"\nmtu = 1400\n"),
                   "comes back as it was"));
    CHECK(contains(why_not("[network.lan0]\ntype = \"physical\"\nparent = \"eth0\"\nbridge = \"br0\"\n"),
                   "bridge: only a veth"));
    CHECK(contains(why_not("ports = [\"80:80\"]\n[network.lan0]\ntype = \"macvlan\"\nparent = \"eth0\"\naddress = "
                           "\"10.9.43.2/24\"\ngateway = \"10.9.43.1\"\n"),
                   "ports: 80:80/tcp: wants"));
}
