// SPDX-License-Identifier: MIT
//
// Namespaces of others that a container joins, and those that it must not get.

#include "harness.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace vial::test;

namespace {

const std::string look = "readlink /proc/self/ns/";

std::string joining(const std::string& more)
{
    return "[namespaces.join]\n" + more;
}

std::string inside(const std::string& more, const std::string& script)
{
    const Finished finished = ctl(
        {"run", spec("guest", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n" + more), "--", "/bin/sh", "-c", script});
    INFO(more, script, ": ", finished.err);
    CHECK(finished.code == 0);
    CHECK(finished.err.empty());
    return finished.out;
}

std::string of_host_container(const std::string& script)
{
    return ctl({"exec", "host", "--", "/bin/sh", "-c", script}).out;
}

}  // namespace

TEST_CASE("a container joins namespaces of another: net, ipc, uts, cgroup and time, by its name, its pid and a path")
{
    for (const Words& options : {Words{}, Words{"--kernel", "5.4"}, Words{"--kernel", "4.9"}}) {
        const NothingLeft nothing_left;
        // The time namespace of one is not there before 5.6.
        const bool time = options.empty();
        (void)done({"start", sleeper("host", time ? "[namespaces]\ntime = true\nboottime_offset = \"100d\"\n" : "")});
        const std::string pid = std::to_string(init_pid("host"));
        const OnOldKernel kernel(options);
        for (const std::string kind : {"net", "ipc", "uts", "cgroup", "time"}) {
            if (kind == "time" && !time)
                continue;
            const std::string theirs = of_host_container(look + kind);
            CHECK(contains(theirs, kind + ":["));
            for (const std::string& who :
                 {std::string("container:host"), "pid:" + pid, "/proc/" + pid + "/ns/" + kind}) {
                const std::string more = joining(kind + " = \"" + who + "\"\n");
                CHECK(inside(more, look + kind) == theirs);
            }
            // One that goes on, is entered, and starts again as it was.
            (void)done({"start", sleeper("guest", joining(kind + " = \"container:host\"\n"))});
            CHECK(ctl({"exec", "guest", "--", "/bin/sh", "-c", look + kind}).out == theirs);
            (void)done({"restart", "guest"});
            CHECK(ctl({"exec", "guest", "--", "/bin/sh", "-c", look + kind}).out == theirs);
            (void)done({"stop", "guest"});
        }
        CHECK(inside(joining("uts = \"container:host\"\n"), "hostname") == "host\n");
        CHECK(inside("", "hostname") == "guest\n");
        CHECK(inside(joining("net = \"container:host\"\n"), "ls /sys/class/net; ip addr show lo | grep -c 127.0.0.1") ==
              "lo\n1\n");
        if (time)
            CHECK(inside(joining("time = \"container:host\"\n"),
                         "[ $(cut -d. -f1 /proc/uptime) -ge 8640000 ] && echo later") == "later\n");
        (void)done({"stop", "host"});
    }
}

TEST_CASE("a network namespace made by `ip netns`, and one whose container has gone meanwhile")
{
    const NothingLeft nothing_left;
    REQUIRE(run({"ip", "netns", "add", "blue"}).code == 0);
    CHECK(run({"ip", "-n", "blue", "link", "add", "vial-test", "type", "veth", "peer", "name", "other"}).code == 0);
    const std::string blue = joining("net = \"/run/netns/blue\"\n");
    CHECK(contains(inside(blue, "ls /sys/class/net"), "vial-test\n"));
    CHECK(contains(inside(blue, "cat /proc/net/dev"), "vial-test:"));
    // It stays as it was: nobody brought its lo up, and nobody may.
    CHECK(inside(blue, "ip link set lo up 2>/dev/null; ip addr show lo | grep -c 127.0.0.1 || :") == "0\n");
    CHECK(run({"ip", "netns", "delete", "blue"}).code == 0);
    (void)run({"umount", "/run/netns"});
    (void)run({"rm", "-r", "/run/netns"});

    (void)done({"start", sleeper("host")});
    (void)done({"start", sleeper("guest", joining("net = \"container:host\"\n"))});
    const std::string theirs = of_host_container(look + "net");
    (void)done({"stop", "host"});
    CHECK(ctl({"exec", "guest", "--", "/bin/sh", "-c", look + "net"}).out == theirs);
    CHECK(contains(refused(1, {"restart", "guest"}), "cannot join container:host (namespaces.join.net)"));
    CHECK(!exists("/run/vial/guest"));
}

TEST_CASE("what cannot be joined stops the start, in one line, and leaves nothing")
{
    const NothingLeft nothing_left;
    const std::string place = empty_directory("place");
    REQUIRE(::mkfifo((place + "/fifo").c_str(), 0666) == 0);
    write_text(place + "/file", "x");
    (void)done({"start", sleeper("ended")});
    (void)done({"kill", "ended"});
    Process gone({"true"});
    const std::string dead = "pid:" + std::to_string(gone.pid());
    (void)gone.wait();
    const struct {
        std::string line, named;
    } cases[] = {
        {"net = \"/run/netns/missing\"", "cannot join /run/netns/missing (namespaces.join.net): No such file"},
        {"net = \"" + place + "\"", "it is no namespace of that kind"},
        {"net = \"" + place + "/file\"", "it is no namespace of that kind"},
        {"net = \"" + place + "/fifo\"", "it is no namespace of that kind"},
        {"ipc = \"/proc/self/ns/net\"", "cannot join /proc/self/ns/net (namespaces.join.ipc): it is no namespace of"},
        {"uts = \"/proc/self/ns/user\"", "it is no namespace of that kind"},
        {"net = \"container:nobody\"", "cannot join container:nobody (namespaces.join.net): no such container"},
        {"net = \"container:ended\"", "cannot join container:ended (namespaces.join.net): it is not running"},
        {"net = \"container:web\"", "cannot join container:web (namespaces.join.net): no such container"},
        {"net = \"" + dead + "\"", "cannot join " + dead + " (namespaces.join.net): No such"},
    };
    for (const auto& each : cases) {
        INFO(each.line);
        const std::string file = sleeper("web", joining(each.line + "\n"));
        CHECK(contains(refused(1, {"start", file}), each.named));
        CHECK(contains(refused(125, {"run", file}), each.named));
        CHECK(!exists("/run/vial/web"));
    }
    // An old kernel does not tell of what kind a namespace is, but refuses the wrong one.
    const OnOldKernel kernel({"--kernel", "4.9"});
    CHECK(contains(refused(1, {"start", sleeper("web", joining("net = \"/proc/self/ns/uts\"\n"))}),
                   "cannot join /proc/self/ns/uts (namespaces.join.net): it is no namespace of that kind"));
    (void)done({"stop", "ended"});
}

TEST_CASE("what makes no sense with a joined namespace is told by check, with its place")
{
    const NothingLeft nothing_left;
    const struct {
        const char *more, *named;
    } cases[] = {
        {"[namespaces.join]\nnet = \"netns/blue\"\n", "net: expected an absolute path, \"pid:NUMBER\" or"},
        {"[namespaces.join]\nnet = \"container:\"\n", "net: expected"},
        {"[namespaces.join]\nnet = \"container:../web\"\n", "net: expected"},
        {"[namespaces.join]\nnet = \"pid:0\"\n", "net: expected"},
        {"[namespaces.join]\nnet = \"pid:-1\"\n", "net: expected"},
        {"[namespaces.join]\nnet = \"pid:4294967297\"\n", "net: expected"},
        {"[namespaces.join]\nnet = \"host:web\"\n", "net: expected"},
        {"[namespaces.join]\nnet = 7\n", "net: expected"},
        {"[namespaces.join]\nnetwork = \"pid:1\"\n", "unknown key 'network'; did you mean"},
        {"[namespaces.join]\nnet = \"pid:1\"\n[network.eth0]\naddress = \"10.0.0.2/24\"\n",
         "without a network namespace of its own"},
        {"hostname = \"other\"\n[namespaces.join]\nuts = \"pid:1\"\n", "'hostname' needs a UTS namespace of its own"},
        {"[namespaces]\nboottime_offset = 5\n[namespaces.join]\ntime = \"pid:1\"\n", "clock offsets need"},
        {"[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n[namespaces.join]\nnet = "
         "\"pid:1\"\n",
         "who has a user namespace of its own has no say in other namespaces"},
    };
    for (const auto& each : cases) {
        INFO(std::string(each.more));
        const std::string said = refused(2, {"check", sleeper("web", each.more)});
        CHECK(contains(said, each.named));
        CHECK(contains(said, "web.conf:"));
    }
    const std::string shown =
        done({"show", sleeper("web", "[namespaces.join]\nnet = \"container:db\"\nuts = \"/run/x\"\n")});
    CHECK(contains(shown, "[namespaces.join]\nnet = \"container:db\"\nuts = \"/run/x\"\n"));
    CHECK(contains(shown, "net = false\n"));
    write_text(work() + "/shown.conf", shown);
    CHECK(done({"show", work() + "/shown.conf"}) == shown);
}
