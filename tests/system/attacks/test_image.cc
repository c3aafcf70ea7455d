// SPDX-License-Identifier: MIT
//
// Images made to lead the launcher astray, and mounts that would reach the host. Whatever a start comes to, the host's sentinel
// directory stays as it was, and nothing is mounted where the host sees it.

#include "ground.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// A directory of the host's that an image points at, with all that could be wanted in it.
class Sentinel {
public:
    Sentinel() : path(empty_directory("sentinel"))
    {
        for (const char* name : {"proc", "sys", "dev", "run", "tmp", "data", "etc", "pts", "shm"})
            REQUIRE(::mkdir((path + "/" + name).c_str(), 0755) == 0);
        write_text(path + "/secret", "the host's\n");
        before_ = look();
    }
    bool untouched() const { return look() == before_; }
    std::string look() const { return run({"find", path, "-printf", "%P %y %m %s %l\n"}).out; }

    const std::string path;

private:
    std::string before_;
};

/// Ways for `image/name` to lead to `to`.
Words ways_to(const std::string& to)
{
    std::string up;
    for (int level = 0; level < 12; level++)
        up += "../";
    return {to, up + to.substr(1), "/proc/1/root" + to, "/proc/self/cwd" + to, "/" + up + to.substr(1)};
}

void replace(const std::string& path, const std::string& link)
{
    REQUIRE(run({"rm", "-rf", path}).code == 0);
    REQUIRE(::symlink(link.c_str(), path.c_str()) == 0);
}

/// A start of the image came to an end that is one: it ran, or it said in one line why not.
bool check_end(const Finished& finished)
{
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK((finished.code == 0 || (finished.code == 125 && lines(finished.err).size() == 1)));
    return finished.code == 0;
}

/// In the container: nothing of the host's can be read.
void try_image(const std::string& where, const Words& settings, const std::string& secret)
{
    const Finished finished = attack(where, {"read", secret}, settings);
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK(finished.code != Succeeded);
    Words words = {"run", "--root", where};
    for (const std::string& setting : settings)
        words.insert(words.end(), {"--set", setting});
    words.insert(words.end(), {"--", "/bin/true"});
    check_end(ctl(words));
}

}  // namespace

TEST_CASE("the directories we mount on are links into the host")
{
    const NothingLeft nothing_left;
    const Sentinel sentinel;
    for (const char* name : {"proc", "sys", "dev", "run", "tmp"}) {
        for (const std::string& way : ways_to(sentinel.path + "/" + name)) {
            const std::string where = image("hostile");
            replace(where + "/" + name, way);
            CAPTURE(name);
            CAPTURE(way);
            for (const Words& settings : {Words{}, Words{"read_only=false"}, Words{"overlay=\"tmpfs\""}, mapped})
                try_image(where, settings, "/" + std::string(name) + "/../secret");
            CHECK(sentinel.untouched());
        }
    }
}

TEST_CASE("they are loops, files, or not there")
{
    const NothingLeft nothing_left;
    const Sentinel sentinel;
    for (const char* name : {"proc", "sys", "dev", "run", "tmp"}) {
        const std::string where = image("hostile");
        CAPTURE(name);
        replace(where + "/" + name, name);
        for (const Words& settings : {Words{}, mapped})
            try_image(where, settings, sentinel.path + "/secret");
        REQUIRE(run({"rm", "-rf", where + "/" + name}).code == 0);
        write_text(where + "/" + name, "a file\n");
        for (const Words& settings : {Words{}, mapped})
            try_image(where, settings, sentinel.path + "/secret");
        CHECK(read_text(where + "/" + name) == "a file\n");
        REQUIRE(run({"rm", "-rf", where + "/" + name}).code == 0);
        for (const Words& settings : {Words{}, mapped})
            try_image(where, settings, sentinel.path + "/secret");
    }
}

TEST_CASE("a /dev full of links (the /dev-symlink family): ours is a new one")
{
    const NothingLeft nothing_left;
    const Sentinel sentinel;
    const std::string where = image("hostile");
    for (const char* name : {"null", "zero", "pts", "shm", "console", "ptmx", "tty", "fd", "stdout"})
        replace(where + "/dev/" + name, sentinel.path + "/secret");
    const std::string listing = run({"find", where + "/dev", "-printf", "%P %y %l\n"}).out;
    for (const Words& settings :
         {Words{}, Words{"read_only=false"}, Words{"devices=[\"/dev/loop0:/dev/data/disk\"]"}, mapped}) {
        CHECK(attack(where, {"read", "/dev/console"}, settings).code != Succeeded);
        CHECK(attack(where, {"read", "/dev/shm"}, settings).code != Succeeded);
        CHECK(attack(where, {"write", "/proc/keys"}, settings).code == Refused);
    }
    CHECK(sentinel.untouched());
    CHECK(run({"find", where + "/dev", "-printf", "%P %y %l\n"}).out == listing);
}

TEST_CASE("targets of mounts that lead out (CVE-2021-30465)")
{
    const NothingLeft nothing_left;
    const Sentinel sentinel;
    const std::string source = empty_directory("source");
    write_text(source + "/mine", "mine\n");
    for (const std::string& way : ways_to(sentinel.path + "/data")) {
        const std::string where = image("hostile");
        replace(where + "/data", way);
        CAPTURE(way);
        for (const char* target : {"/data", "/data/new/deep", "/data/../secret", "/srv/../data/x"}) {
            CAPTURE(target);
            const std::string bind = "mounts=[\"" + source + ":" + target + "\"]";
            const std::string file = "mounts=[\"" + source + "/mine:" + target + "/file\"]";
            const std::string scratch = std::string("mounts=[\"tmpfs:") + target + ":size=1M\"]";
            for (const std::string& mount : {bind, file, scratch}) {
                try_image(where, {mount}, sentinel.path + "/secret");
                try_image(where, {mount, "read_only=false"}, sentinel.path + "/secret");
            }
            CHECK(sentinel.untouched());
        }
    }
    // A loop, a file in the middle, and what is too deep.
    const std::string where = image("hostile");
    replace(where + "/data", "data");
    try_image(where, {"mounts=[\"" + source + ":/data/x\"]", "read_only=false"}, sentinel.path + "/secret");
    write_text(where + "/plain", "");
    try_image(where, {"mounts=[\"" + source + ":/plain/x\"]", "read_only=false"}, sentinel.path + "/secret");
    std::string deep;
    for (int level = 0; level < 300; level++)
        deep += "/d";
    try_image(where, {"mounts=[\"" + source + ":" + deep + "\"]", "read_only=false"}, sentinel.path + "/secret");
    CHECK(read_text(source + "/mine") == "mine\n");
}

TEST_CASE("masks and read-only paths through links")
{
    const NothingLeft nothing_left;
    const Sentinel sentinel;
    const std::string where = image("hostile");
    for (const std::string& way : ways_to(sentinel.path)) {
        replace(where + "/etc", way);
        CAPTURE(way);
        try_image(where, {"mask=[\"/etc/secret\", \"/etc/data\"]", "read_only_paths=[\"/etc/tmp\"]"}, "/etc/secret");
        CHECK(sentinel.untouched());
        CHECK(read_text(sentinel.path + "/secret") == "the host's\n");
    }
}

TEST_CASE("links that are exchanged for directories while we start")
{
    const NothingLeft nothing_left;
    const Sentinel sentinel;
    const std::string source = empty_directory("source");
    const std::string where = image("hostile");
    REQUIRE(::symlink(("../../../../../.." + sentinel.path + "/data").c_str(), (where + "/link").c_str()) == 0);
    Process swapper({attacker(), "swap", where + "/link", where + "/data"});
    const std::string mount = "mounts=[\"" + source + ":/data/taken\"]";
    int ran = 0;
    std::string why;  // the last one that did not run
    const auto start = [&](const Words& settings) {
        const Finished finished = ctl(settings);
        ran += check_end(finished);
        why = finished.code != 0 ? finished.err : why;
    };
    for (int turn = 0; turn < 100; turn++)
        start({"run", "--root", where, "--set", "read_only=false", "--set", mount, "--", "/bin/true"});
    // The mount is made wherever the link leads inside; so all of them run.
    CAPTURE(why);
    CHECK_FALSE(swapper.has_ended());
    CHECK(ran == 100);
    CHECK(sentinel.untouched());

    // The attack is a real one: who follows links makes the directory in the host's soon enough.
    CHECK(eventually([&] {
        (void)::mkdir((where + "/data/followed").c_str(), 0755);
        return exists(sentinel.path + "/data/followed");
    }));
    swapper.kill(SIGKILL);
    (void)swapper.wait();

    replace(where + "/link", sentinel.path + "/proc");
    const Sentinel again;
    Process other({attacker(), "swap", where + "/link", where + "/proc"});
    ran = 0;
    for (int turn = 0; turn < 100; turn++)
        start({"run", "--root", where, "--", "/bin/true"});
    // A start looks at /proc once, and one in three finds the directory there: 15 to 67 of a hundred on a busy machine.
    CHECK_FALSE(other.has_ended());
    CHECK(ran > 0);
    CHECK(again.untouched());
}

TEST_CASE("what a container mounts is not seen on a host whose mounts are shared")
{
    const NothingLeft nothing_left;
    const std::string where = image("shared");
    const std::string host = empty_directory("shared-host");
    const std::string file = spec(
        "shares",
        "root = \"" + where +
            "\"\ncommand = [\"/bin/sh\", \"-c\", "
            "\"/attacker mount-below /data && /attacker mount-below /tmp && exec sleep 1000\"]\nstop_timeout = \"0s\"\n"
            "mounts = [\"" +
            host + "/shared:/data\"]\n[security]\nseccomp = \"off\"\ncapabilities = [\"all\"]\n");
    // In a mount namespace of its own whose mounts are all shared, as systemd makes them.
    write_text(host + "/script",
               "mkdir -p " + host + "/shared && mount -t tmpfs shared " + host +
                   "/shared || exit 10\n"
                   "grep -q '" +
                   host +
                   "/shared .* shared:' /proc/self/mountinfo || exit 11\n"
                   "cat /proc/self/mountinfo >" +
                   host + "/before\n" + vial_copy() + " start " + file +
                   " || exit 12\n"
                   "for turn in 0 1 2 3 4 5 6 7 8 9; do " +
                   vial_copy() +
                   " logs shares | grep -c succeeded | grep -q 2 && break; sleep 0.2; done\n"
                   "[ $turn != 9 ] || exit 13\n"
                   "cat /proc/self/mountinfo >" +
                   host + "/after\n" + vial_copy() +
                   " stop shares || exit 14\n"
                   "cmp " +
                   host + "/before " + host +
                   "/after || exit 15\n"
                   // The control: in a copy of this namespace that stays in the peer group the mount does come through.
                   "unshare -m --propagation unchanged mount -t tmpfs naive " +
                   host +
                   "/shared/inner || exit 16\n"
                   "cat /proc/self/mountinfo | grep -q naive || exit 17\n"
                   "umount " +
                   host + "/shared/inner\n");
    const Finished finished = run({"unshare", "-m", "--propagation", "shared", "sh", host + "/script"});
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK(finished.code == 0);

    // By the calls of older kernels.
    write_text(host + "/script", "mount -t tmpfs shared " + host + "/shared && cat /proc/self/mountinfo >" + host +
                                     "/before\n" + payload("oldkernel") + " --kernel 4.19 -- " + vial_copy() +
                                     " start " + file +
                                     " || exit 12\n"
                                     "for turn in 0 1 2 3 4 5 6 7 8 9; do " +
                                     vial_copy() +
                                     " logs shares | grep -c succeeded | grep -q 2 && break; sleep 0.2; done\n"
                                     "[ $turn != 9 ] || exit 13\n"
                                     "cat /proc/self/mountinfo >" +
                                     host + "/after\n" + vial_copy() +
                                     " stop shares || exit 14\n"
                                     "cmp " +
                                     host + "/before " + host + "/after || exit 15\n");
    const Finished old = run({"unshare", "-m", "--propagation", "shared", "sh", host + "/script"});
    CAPTURE(old.out);
    CAPTURE(old.err);
    CHECK(old.code == 0);
}
