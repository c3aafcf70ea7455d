// SPDX-License-Identifier: MIT
//
// Pods: containers that share the network, IPC and host name of one that holds them, and are stopped with it.

#include "boot.h"
#include "harness.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string holder(const std::string& more = "")
{
    return spec("hold", "root = \"ROOT\"\n" + more);
}

std::string member(const std::string& name, const std::string& more = "")
{
    return sleeper(name, "pod = \"hold\"\n" + more);
}

std::string namespace_of(const std::string& name, const std::string& kind)
{
    char target[64] = {};
    const std::string link = "/proc/" + std::to_string(init_pid(name)) + "/ns/" + kind;
    const ssize_t size = ::readlink(link.c_str(), target, sizeof target - 1);
    REQUIRE(size > 0);
    return std::string(target, static_cast<std::size_t>(size));
}

}  // namespace

TEST_CASE("a container without a command holds a pod's namespaces")
{
    const NothingLeft nothing_left;
    CHECK(done({"check", holder()}) == "");
    (void)done({"start", "--wait", holder()});
    (void)done({"start", "--wait", member("one")});
    (void)done({"start", member("two", "[namespaces]\nuts = true\n")});
    for (const char* kind : {"net", "ipc", "uts"})
        CHECK(namespace_of("one", kind) == namespace_of("hold", kind));
    for (const char* kind : {"mnt", "pid", "cgroup"})
        CHECK(namespace_of("one", kind) != namespace_of("hold", kind));
    // What a spec says of one itself stands above the pod.
    CHECK(namespace_of("two", "net") == namespace_of("hold", "net"));
    CHECK(namespace_of("two", "uts") != namespace_of("hold", "uts"));
    CHECK(done({"exec", "one", "--", "/bin/hostname"}) == "hold\n");
    CHECK(done({"exec", "two", "--", "/bin/hostname"}) == "two\n");
    // They reach each other over the loopback interface, and nobody else's.
    Process server(ctl_words({"exec", "one", "--", "/bin/httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/var/www"}));
    CHECK(eventually([] {
        return contains(ctl({"exec", "two", "--", "/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/"}).out, "vial");
    }));
    (void)done({"start", sleeper("other")});
    CHECK(ctl({"exec", "other", "--", "/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/"}).code != 0);

    CHECK(field(listed("one"), {"pod"}) == "\"hold\"");
    CHECK(field(listed("hold"), {"pod"}) == "null");
    const std::vector<std::string> table = lines(done({"list"}));
    REQUIRE(table.size() == 5);
    CHECK(table[0].rfind("NAME   POD   STATE", 0) == 0);
    CHECK(table[1].rfind("hold   -     running", 0) == 0);
    CHECK(table[2].rfind("one    hold  running", 0) == 0);
    CHECK(contains(done({"show", "one"}), "pod = \"hold\""));
    // Nothing runs in it but its PID 1, and one may enter it.
    CHECK(lines(done({"exec", "hold", "--", "/bin/ps", "-o", "pid,comm"})).size() == 3);
    CHECK(contains(done({"status", "hold"}), "running"));

    // It stops as one, and takes nobody else along.
    (void)done({"stop", "hold"});
    (void)server.wait();
    CHECK(listed("one") == "");
    CHECK(listed("two") == "");
    CHECK(state("other") == "\"running\"");
    CHECK(lines(done({"list"}))[0].rfind("NAME   STATE", 0) == 0);
    (void)done({"stop", "other"});
}

TEST_CASE("a pod's holder that ends by itself, or is killed, leaves the others their namespaces")
{
    const NothingLeft nothing_left;
    const auto start = [] {
        (void)done({"start", holder()});
        (void)done({"start", member("one")});
    };
    start();
    (void)done({"stop", "one"});
    CHECK(state("hold") == "\"running\"");
    (void)done({"start", member("one")});
    const std::string network = namespace_of("one", "net");
    REQUIRE(::kill(init_pid("hold"), SIGTERM) == 0);
    CHECK(waited("hold") == "0\n");
    CHECK(state("one") == "\"running\"");
    CHECK(namespace_of("one", "net") == network);
    (void)done({"stop", "hold"});
    CHECK(listed("one") == "");

    start();
    (void)done({"kill", "hold"});
    CHECK(state("one") == "\"running\"");
    // Each in the other's pod by now: a stop comes to an end all the same.
    (void)done({"start", spec("hold", "root = \"ROOT\"\npod = \"one\"\n")});
    CHECK(namespace_of("one", "net") == namespace_of("hold", "net"));
    (void)done({"stop", "one"});
    CHECK(listed("hold") == "");
    CHECK(listed("one") == "");
}

TEST_CASE("a pod's holder in the foreground")
{
    const NothingLeft nothing_left;
    Process holding(ctl_words({"run", holder()}));
    CHECK(eventually([] { return state("hold") == "\"running\""; }));
    (void)done({"start", member("one")});
    CHECK(namespace_of("one", "net") == namespace_of("hold", "net"));
    (void)done({"stop", "hold"});
    CHECK(holding.wait() == 0);
    CHECK(lines(done({"list"})).size() == 1);
}

TEST_CASE("a pod that is not there, or makes no sense, is refused in one line")
{
    const NothingLeft nothing_left;
    start_refused(1, member("one"), {"container:hold", "no such container"});
    (void)done({"start", spec("hold", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n")});
    (void)waited("hold");
    CHECK(contains(refused(1, {"start", member("one")}), "container:hold (namespaces.join.net): it is not running"));
    (void)done({"stop", "hold"});
    start_refused(2, sleeper("one", "pod = \"one\"\n"), {"one.conf", "a pod of its own"});
    start_refused(2, sleeper("one", "pod = \"a/b\"\n"), {"one.conf:", "pod", "a name has only"});
    start_refused(2, member("one", "[network.eth0]\nbridge = \"br0\"\n"), {"without a network namespace of its own"});
    start_refused(2, member("one", "hostname = \"x\"\n"), {"needs a UTS namespace of its own"});
    start_refused(2, member("one", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n"),
                  {"user namespace"});
    CHECK(contains(refused(2, {"start", member("one", "[namespaces.join]\npid = \"container:hold\"\n")}),
                   "not supported yet: namespaces.join.pid"));
}

TEST_CASE("at the host's boot a pod's holder comes first, and its end is that of all")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("a-member", "pod = \"hold\"\n");
    boot.put("hold.conf", "root = \"ROOT\"\nautostart = true\n");
    boot.start();
    CHECK(eventually([] { return state("a-member") == "\"running\""; }));
    CHECK(namespace_of("a-member", "net") == namespace_of("hold", "net"));
    CHECK(contains(done({"status", "boot"}), "hold"));
    // Started again, it takes the others along: they are in its new namespaces.
    const pid_t before = init_pid("a-member");
    (void)done({"restart", "hold"});
    CHECK(eventually([&] {
        return state("a-member") == "\"running\"" && init_pid("a-member") != before && init_pid("a-member") > 0;
    }));
    CHECK(namespace_of("a-member", "net") == namespace_of("hold", "net"));
    (void)done({"stop", "hold"});
    CHECK(eventually([] { return listed("a-member") == ""; }));
}
