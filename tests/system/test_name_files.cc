// SPDX-License-Identifier: MIT
//
// /etc/resolv.conf and /etc/hosts of a container, as its spec wants them.

#include "harness.h"

#include <doctest/doctest.h>

using namespace vial;
using namespace vial::test;

namespace {

constexpr const char* both = "dns = [\"10.0.0.1\", \"fd00::1\"]\nhosts = [\"10.0.3.9 db.lan db\"]\n";
constexpr const char* resolv = "nameserver 10.0.0.1\nnameserver fd00::1\n";
constexpr const char* localhost = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

Finished inside(const std::string& where, const std::string& more, const std::string& script)
{
    return ctl({"run", spec("names", "root = \"" + where + "\"\ncommand = [\"/bin/true\"]\n" + more), "--", "/bin/sh",
                "-c", script});
}

/// A copy of the image, to be changed.
std::string tree()
{
    const std::string path = work() + "/tree";
    CHECK(run({"rm", "-rf", path}).code == 0);
    CHECK(run({"cp", "-a", root(), path}).code == 0);
    return path;
}

}  // namespace

TEST_CASE("dns and hosts are what is read inside, read-only; without them the image's own are left alone")
{
    const NothingLeft nothing_left;
    const std::string read = "cat /etc/resolv.conf /etc/hosts";
    const std::string own = read_text(root() + "/etc/hosts");
    const std::string hosts = std::string(localhost) + "127.0.1.1 names\n10.0.3.9 db.lan db\n";
    for (const char* users : {"", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n"}) {
        INFO(std::string(users));
        CHECK(inside("ROOT", both + std::string(users), read).out == resolv + hosts);
        CHECK(inside("ROOT", "dns = \"10.0.0.1\"\n" + std::string(users), read).out == "nameserver 10.0.0.1\n" + own);
        CHECK(inside("ROOT", users, read).out == own);
    }
    {
        const OnOldKernel old({"--kernel", "4.19"});
        CHECK(inside("ROOT", both, read).out == resolv + hosts);
    }
    CHECK(
        inside("ROOT",
               both + std::string(
                          "hostname = \"front\"\n[network.eth0]\naddress = [\"10.9.40.2/24\", \"fd00:9:40::2/64\"]\n"),
               "cat /etc/hosts; ping -c 1 -W 1 db 2>&1 | head -n 1")
            .out == std::string(localhost) +
                        "10.9.40.2 front\nfd00:9:40::2 front\n10.0.3.9 db.lan db\nPING db (10.0.3.9): 56 data bytes\n");
    // Whoever is root inside, with a root that can be written to, changes neither these nor what they cover.
    const std::string image = tree();
    const Finished changed =
        inside(image, both + std::string("read_only = false\n"),
               "for f in /etc/resolv.conf /etc/hosts; do echo x >$f; rm $f; mv /etc/motd $f; done 2>/dev/null; "
               "ls -a /dev | grep name; cat /etc/resolv.conf; echo y >/etc/new");
    CHECK(changed.out == resolv);
    CHECK(read_text(image + "/etc/resolv.conf") == "");
    CHECK(read_text(image + "/etc/hosts") == own);
    CHECK(exists(image + "/etc/new"));
}

TEST_CASE("a symlink of the image leads nowhere but beneath it, and nothing is written through it")
{
    const NothingLeft nothing_left;
    const std::string image = tree(), file = image + "/etc/resolv.conf";
    const auto linked = [&](const std::string& to) {
        CHECK(run({"ln", "-sf", to, file}).code == 0);
        return inside(image, both, "cat /etc/resolv.conf");
    };
    write_text(image + "/srv/here", "the image's\n");
    CHECK(linked("../srv/here").out == resolv);
    CHECK(read_text(image + "/srv/here") == "the image's\n");
    CHECK(linked("../run/systemd/resolve/stub-resolv.conf").out == resolv);
    // Read-only, it cannot be made there; and what lies on the host under that name is another's.
    const Finished outside = linked("/usr/bin/env");
    CHECK(outside.code == 125);
    CHECK(contains(outside.err, "/etc/resolv.conf"));
    CHECK(lines(outside.err).size() == 1);
    CHECK_FALSE(exists(image + "/usr"));
    for (const char* to : {"/proc/self/attr/current", "/proc/sys/kernel/core_pattern", "../proc/1/uid_map"}) {
        const Finished into = linked(to);
        INFO(into.err);
        CHECK(into.code == 125);
        CHECK(contains(into.err, "cannot mount on /etc/resolv.conf: a symlink in the image leads to /proc"));
    }
    CHECK(run({"rm", file}).code == 0);
    CHECK(run({"mkdir", file}).code == 0);
    CHECK(inside(image, both, "true").code == 125);
    CHECK(run({"rmdir", file}).code == 0);
    const Finished missing = inside(image, both, "true");
    CHECK(contains(missing.err,
                   "cannot mount on /etc/resolv.conf: it does not exist in the read-only root; make it in the image"));
    CHECK(inside(image, both + std::string("overlay = \"tmpfs\"\n"), "cat /etc/resolv.conf").out == resolv);
    CHECK_FALSE(exists(file));
}

TEST_CASE("check: what is no name server and no line of hosts")
{
    const NothingLeft nothing_left;
    const auto why = [](const std::string& more) { return refused(2, {"check", sleeper("bad", more)}); };
    CHECK(contains(why("dns = [\"ns.example\"]\n"), "dns: expected an address like"));
    for (const char* line :
         {"db 10.0.3.9", "10.0.3.9", "10.0.3.9/24 db", "10.0.3.9 db # the database", "10.0.3.9 a\\n10.0.3.1 b", ""})
        CHECK(contains(why("hosts = \"" + std::string(line) + "\"\n"), "hosts: expected \"ADDRESS NAME...\""));
    const std::string shown = done({"show", sleeper("good", both)});
    CHECK(contains(shown, "dns = [\"10.0.0.1\", \"fd00::1\"]\nhosts = [\"10.0.3.9 db.lan db\"]\n"));
}
