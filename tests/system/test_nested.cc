// SPDX-License-Identifier: MIT
//
// vial inside a container of vial's: what the kernel allows there works, what it does not is named.

#include "harness.h"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace vial::test;

namespace {

/// What is needed to start containers, and none of what a container has by itself.
const std::string powers = "[security]\ncapabilities = [\"ALL\"]\nseccomp = \"off\"\n";
const std::string mapped = "[user_namespace]\nauto = true\n";

/// A container with vial in /file, in which `text` runs; INNER stands for a run of another container, in /data.
Finished outside_of(const std::string& more, std::string text)
{
    const std::string inner = "/file run --root /data --name inner --set 'limits.tasks=\"max\"'";
    for (std::size_t at; (at = text.find("INNER")) != text.npos;)
        text.replace(at, 5, inner);
    return ctl({"run",
                spec("outer", "root = \"ROOT\"\ncommand = [\"/bin/sh\"]\nmounts = [\"" + ctl_words({}).front() +
                                  ":/file:ro\", \"ROOT:/data:ro\"]\n" + more),
                "--", "/bin/sh", "-c", text});
}

std::string inside(const std::string& more, const std::string& text)
{
    const Finished finished = outside_of(more, text);
    INFO(finished.err);
    CHECK(finished.code == 0);
    return finished.out;
}

}  // namespace

TEST_CASE("a container in a container, with and without a user namespace around it")
{
    for (const std::string& more : {powers, mapped + powers}) {
        INFO(more);
        const NothingLeft nothing_left;
        CHECK(inside(more, "INNER -- /bin/sh -c 'id -u; hostname; ls /sys/class/net; echo x >/dev/null && head -c 3 "
                           "/dev/zero | wc -c; head -c 10 /proc/timer_list | wc -c'; hostname") ==
              "0\ninner\nlo\n3\n0\nouter\n");
        // The walls of the inner one are up.
        CHECK(inside(more, "INNER -- /bin/sh -c 'mount -t tmpfs tmpfs /tmp 2>/dev/null || echo refused; grep CapEff "
                           "/proc/self/status'") == "refused\nCapEff:\t00000000000004eb\n");
        CHECK(outside_of(more, "INNER -- /bin/sh -c 'exit 9'").code == 9);
        const std::string text =
            "printf 'root = \"/data\"\\ncommand = [\"/bin/sh\", \"-c\", \"echo hi; exec sleep "
            "100\"]\\n[limits]\\ntasks = "
            "\"max\"\\n' >/run/in.conf; /file start /run/in.conf && /file exec in -- /bin/hostname; "
            "until /file logs in | grep hi; do :; done; /file stop in; /file list | wc -l";
        CHECK(inside(more, text) == "in\nhi\n1\n");
        CHECK(inside(more, "INNER --set 'network.eth0.address=\"10.9.9.2/24\"' --set 'network.eth0.bridge=\"br0\"' "
                           "--set 'network.eth0.gateway=\"10.9.9.1\"' -- /bin/ls /sys/class/net; while ls "
                           "/sys/class/net | grep -q vinner; do :; done; ls /sys/class/net") == "eth0\nlo\nlo\n");
    }
}

TEST_CASE("a user namespace in a user namespace")
{
    const NothingLeft nothing_left;
    const std::string map =
        " --set 'user_namespace.uid_map=\"0 1000 100\"' --set 'user_namespace.gid_map=\"0 1000 100\"' -- ";
    // The kernel mounts a proc in one only where nothing of those that are there is covered.
    const std::string uncover =
        "for point in $(grep -o ' /proc/[^ ]*\\| /sys/[^ ]*' /proc/mounts); do umount $point; done; ";
    CHECK(inside(mapped + powers, uncover + "INNER" + map + "/bin/sh -c 'id -u; tr -s \" \" </proc/self/uid_map'") ==
          "0\n 0 1000 100\n");
    Finished finished = outside_of(mapped + powers, "INNER" + map + "/bin/true");
    CHECK(finished.code == 125);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "inner: cannot mount /proc: parts of the /proc that is here are covered"));
    // There is nobody to choose from that is free.
    finished = outside_of(mapped + powers, "INNER --set user_namespace.auto=true -- /bin/true");
    CHECK(finished.code == 125);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "cannot write uid_map: not all of these ids are there where vial itself runs"));
}

TEST_CASE("an ordinary user's container in his container")
{
    const NothingLeft nothing_left;
    const std::string place = empty_directory("runtime", 0700);
    REQUIRE(::chown(place.c_str(), 12345, 12345) == 0);
    Words words{"setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "env", "XDG_RUNTIME_DIR=" + place};
    const std::string file = spec("outer", "root = \"ROOT\"\ncommand = [\"/bin/sh\"]\nmounts = [\"" +
                                               ctl_words({}).front() + ":/file:ro\", \"ROOT:/data:ro\"]\n" + powers);
    for (const std::string& word :
         ctl_words({"run", file, "--", "/file", "run", "--root", "/data", "--set", "limits.tasks=\"max\"", "--",
                    "/bin/sh", "-c", "id -u; tr -s ' ' </proc/self/uid_map"}))
        words.push_back(word);
    const Finished finished = run(words);
    INFO(finished.err);
    CHECK(finished.out == "0\n 0 12345 1\n");
}

TEST_CASE("with the default capabilities no container starts others, and with all of them the default filter lets it")
{
    const NothingLeft nothing_left;
    const Finished plain = outside_of("", "INNER -- /bin/true");
    CHECK(plain.code == 125);
    CHECK(contains(plain.err, "run needs root (CAP_SYS_ADMIN)"));
    const Finished filtered = outside_of("[security]\ncapabilities = [\"ALL\"]\n", "INNER -- /bin/true");
    CHECK(filtered.code == 0);
    CHECK(filtered.err == "");
}
