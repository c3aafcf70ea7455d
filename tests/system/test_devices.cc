// SPDX-License-Identifier: MIT
//
// Devices of the host's in a container, the rules that hold it to them, and the options of mounts. The nodes are those of loop
// devices, which nobody is harmed by: a test has them in a tmpfs of its own on /dev/shm.

#include "harness.h"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

constexpr const char* mapped = "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n";

/// The host's nodes: `control` (loop-control), `disk` (loop0), and links to the one and to a file elsewhere.
class Nodes {
public:
    Nodes()
    {
        REQUIRE(::mount("nodes", "/dev/shm", "tmpfs", MS_NOSUID, nullptr) == 0);
        make("/dev/shm/control", S_IFCHR | 0640, makedev(10, 237));
        make("/dev/shm/disk", S_IFBLK | 0600, makedev(7, 0));
        REQUIRE(::chown("/dev/shm/control", 0, 20) == 0);
        REQUIRE(::symlink("control", "/dev/shm/by-name") == 0);
        REQUIRE(::symlink("../../etc/hostname", "/dev/shm/out") == 0);
        write_text("/dev/shm/file", "no device\n");
    }
    ~Nodes() { (void)::umount2("/dev/shm", MNT_DETACH); }
    Nodes(const Nodes&) = delete;
    Nodes& operator=(const Nodes&) = delete;

private:
    static void make(const char* path, mode_t mode, dev_t number)
    {
        REQUIRE(::mknod(path, mode, number) == 0);
        REQUIRE(::chmod(path, mode & 07777) == 0);
    }
};

/// While it lives, vial finds version 2 of control groups alone, as far as this kernel has it. Its programs for devices are there
/// on every hybrid machine, the controllers are not.
class OnUnified {
public:
    OnUnified() { REQUIRE(::mount("none", "/sys/fs/cgroup", "cgroup2", 0, nullptr) == 0); }
    ~OnUnified() { (void)::umount2("/sys/fs/cgroup", MNT_DETACH); }
    OnUnified(const OnUnified&) = delete;
    OnUnified& operator=(const OnUnified&) = delete;
};

std::string plain(const std::string& lines)
{
    return spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n" + lines);
}

/// What a script prints, its errors left out.
std::string inside(const std::string& lines, const std::string& script)
{
    const Finished finished =
        ctl({"run", plain(lines), "--", "/bin/sh", "-c", "exec 2>/dev/null; " + script + "; true"});
    INFO(lines, script, finished.err);
    CHECK(finished.code == 0);
    CHECK(finished.err == "");
    return finished.out;
}

/// The tasks of a machine without controllers cannot be limited.
constexpr const char* no_limit = "[limits]\ntasks = \"max\"\n";

const std::string try_both = "(: </dev/control) && echo read; (: <>/dev/control) && echo write; "
                             "(: </dev/block/disk) && echo disk";

void check_access(const std::string& more)
{
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control\"]\n" + more, try_both) == "read\nwrite\n");
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control:r\", \"/dev/shm/disk:/dev/block/disk:r\"]\n" + more,
                 try_both) == "read\ndisk\n");
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control:m\"]\n" + more, try_both) == "");
    // Everybody's devices and terminals are as always.
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control\"]\n" + more,
                 "head -c 2 /dev/zero | wc -c; echo x >/dev/null; head -c 3 /dev/urandom | wc -c; (: <>/dev/ptmx) && "
                 "echo terminal; echo y >/dev/console; (: >/dev/full) && echo full") == "2\n3\nterminal\nfull\n");
}

void check_making(const std::string& more, const std::string& top = "")
{
    const std::string script = "mknod /dev/x c 10 237 && (: <>/dev/x) && echo listed; "
                               "mknod /dev/y b 7 0 && echo disk made; mknod /dev/z c 1 5 && echo zero made";
    const std::string may = top + "[security]\ncapabilities = [\"MKNOD\"]\n" + more;
    // Who may make nodes may make those of the spec alone.
    CHECK(inside(may, script) == "");
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control:rwm\"]\n" + may, script) == "listed\n");
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control:rw\"]\n" + may, script) == "");
    // And without the capability nobody makes any.
    CHECK(inside("devices = [\"/dev/shm/control:/dev/control:rwm\"]\n" + more, script) == "");
}

}  // namespace

TEST_CASE("a device of the host's is in the container's /dev, with its owner and mode")
{
    const NothingLeft nothing_left;
    const Nodes nodes;
    const std::string look = "stat -c '%a %u %g %t:%T' /dev/control; stat -c '%F %t:%T' /dev/block/disk";
    const std::string devices = "devices = [\"/dev/shm/by-name:/dev/control\", \"/dev/shm/disk:/dev/block/disk\"]\n";
    CHECK(inside(devices, look) == "640 0 20 a:ed\nblock special file 7:0\n");
    // In a user namespace it is the host's own node, whose owner is nobody there.
    CHECK(inside(devices + mapped, look) == "640 65534 65534 a:ed\nblock special file 7:0\n");
    CHECK(inside(devices + mapped, "(: </dev/control) && echo open") == "");
    CHECK(inside(devices + "init = false\n", look) == "640 0 20 a:ed\nblock special file 7:0\n");
    // Who uses it need not be root: its owner and mode say who may.
    CHECK(inside(devices + "user = 1000\n", "(: </dev/control) && echo open") == "");
    CHECK(inside(devices + "user = 1000\ngroup = 20\n", "(: </dev/control) && echo open") == "open\n");
    for (const char* kernel : {"5.10", "4.19"}) {
        const OnOldKernel old({"--kernel", kernel});
        CHECK(inside(devices, look) == "640 0 20 a:ed\nblock special file 7:0\n");
        CHECK(inside(devices + mapped, look) == "640 65534 65534 a:ed\nblock special file 7:0\n");
    }
    // Nothing of it is there without being asked for.
    CHECK(inside("", "ls -d /dev/control /dev/block") == "");
}

TEST_CASE("the access to a device is what the spec gives, to root as well")
{
    const NothingLeft nothing_left;
    const Nodes nodes;
    check_access("");
    REQUIRE(::chmod("/dev/shm/control", 0666) == 0);
    REQUIRE(::chmod("/dev/shm/disk", 0666) == 0);
    check_access(mapped);
}

TEST_CASE("the same by a program of version 2")
{
    const NothingLeft nothing_left;
    const Nodes nodes;
    const OnUnified unified;
    check_access(no_limit);
    check_making(no_limit);
    REQUIRE(::chmod("/dev/shm/control", 0666) == 0);
    REQUIRE(::chmod("/dev/shm/disk", 0666) == 0);
    check_access(std::string(no_limit) + mapped);
    const OnOldKernel old({"--kernel", "4.14"});
    CHECK(contains(refused(125, {"run", plain(std::string("devices = [\"/dev/shm/disk:/dev/disk\"]\n") + no_limit)}),
                   "CONFIG_CGROUP_BPF"));
    CHECK(ctl({"run", plain(no_limit)}).code == 0);
}

TEST_CASE("who may make nodes is held to the devices of the spec")
{
    const NothingLeft nothing_left;
    const Nodes nodes;
    check_making("");
    check_making("", "init = false\n");
}

TEST_CASE("the rules hold for whoever enters, and are in the kernel")
{
    const NothingLeft nothing_left;
    const Nodes nodes;
    (void)done({"start", sleeper("web", "devices = [\"/dev/shm/control:/dev/control:r\"]\n")});
    CHECK(ctl({"exec", "web", "--", "/bin/sh", "-c",
               "exec 2>/dev/null; (: </dev/control) && echo read; "
               "(: <>/dev/control) && echo write; true"})
              .out == "read\n");
    if (!cgroup_is_unified())
        CHECK(contains(read_text(cgroup("devices", "web/main/devices.list")), "c 10:237 r\n"));
    CHECK(contains(done({"show", "/run/vial/web/spec"}), "devices = [\"/dev/shm/control:/dev/control:r\"]"));
    (void)done({"stop", "web"});
    // Nobody has a group for rules that he has no use for.
    (void)done({"start", sleeper("web")});
    if (!cgroup_is_unified())
        CHECK_FALSE(exists(cgroup("devices", "web")));
    (void)done({"stop", "web"});
}

TEST_CASE("a device that is none, or elsewhere, is refused in one line")
{
    const NothingLeft nothing_left;
    const Nodes nodes;
    const auto start = [](const char* device, const char* why) {
        CHECK(contains(refused(1, {"start", plain(std::string("devices = [\"") + device + ":/dev/x\"]\n")}), why));
        CHECK(contains(refused(125, {"run", plain(std::string("devices = [\"") + device + ":/dev/x\"]\n" + mapped)}),
                       why));
    };
    start("/dev/shm/out", "it is a symlink out of /dev");
    start("/dev/shm/file", "it is no device");
    start("/dev/shm", "it is no device");
    start("/dev/shm/missing", "No such file");
    start("/dev/fd/0/x", "cannot use the device /dev/fd/0/x");
    const auto checked = [](const char* device, const char* why) {
        const std::string file = plain(std::string("devices = [\"") + device + "\"]\n");
        CHECK(contains(refused(2, {"check", file}), file + ":3:12: devices: \"" + device + "\": " + why));
        CHECK(contains(refused(2, {"start", file}), why));
    };
    for (const char* path :
         {"/etc/passwd", "/dev", "/dev/", "dev/kvm", "/dev/../etc/passwd", "/dev//kvm", "/dev/./kvm", "/dev/kvm/",
          "/device/kvm", "/dev/kvm:/kvm", "/dev/kvm:/dev/../kvm", "/dev/kvm:/dev/a/", ""})
        checked(path, "a device is a path below /dev");
    for (const char* path : {"/dev/null", "/dev/kvm:/dev/pts/7", "/dev/kvm:/dev/console", "/dev/kvm:/dev/fd/x"})
        checked(path, "every container has that in its /dev already");
    for (const char* path : {"/dev/kvm:rx", "/dev/kvm:kvm", "/dev/kvm:/dev/kvm:rw:rw"})
        checked(path, "the access is some of the letters r, w and m");
    CHECK(contains(refused(2, {"check", plain("devices = [\"/dev/a:/dev/x\", \"/dev/b:/dev/x\"]\n")}),
                   "two of them are to be /dev/x"));
}

TEST_CASE("a mount's options: noatime, and what the host mounts later")
{
    const NothingLeft nothing_left;
    const std::string place = empty_directory("place", 0777);
    const auto options = [&](const std::string& words) {
        return inside("mounts = [\"" + place + ":/data" + words + "\"]\n",
                      "awk '$5 == \"/data\" { print $6, $7 }' /proc/self/mountinfo");
    };
    CHECK(contains(options(":noatime,ro,noexec"), "ro,nosuid,nodev,noexec,noatime"));
    CHECK_FALSE(contains(options(""), "noatime"));
    CHECK(contains(inside("mounts = [\"tmpfs:/data:noatime\"]\n", "grep ' /data ' /proc/self/mountinfo"), "noatime"));
    CHECK(contains(refused(2, {"check", plain("mounts = [\"/srv:/data:rshared\"]\n")}), "would appear on the host"));
    {
        const OnOldKernel old({"--kernel", "5.10"});
        CHECK(contains(options(":noatime"), "noatime"));
        CHECK(contains(refused(125, {"run", plain("mounts = [\"" + place + ":/data:rslave\"]\n")}),
                       "rslave needs Linux 5.12"));
    }
    // Shared on the host: then what is mounted there comes, and nothing that is mounted inside goes.
    REQUIRE(::mount("none", place.c_str(), "tmpfs", 0, nullptr) == 0);
    REQUIRE(::mount(nullptr, place.c_str(), nullptr, MS_SHARED, nullptr) == 0);
    REQUIRE(::mkdir((place + "/later").c_str(), 0755) == 0);
    for (const bool follows : {true, false}) {
        (void)done(
            {"start", sleeper("web", "mounts = [\"" + place + ":/data" + (follows ? ":rslave" : ":rprivate") +
                                         "\"]\n[security]\nseccomp = \"off\"\ncapabilities = [\"SYS_ADMIN\"]\n")});
        REQUIRE(::mount("none", (place + "/later").c_str(), "tmpfs", 0, nullptr) == 0);
        write_text(place + "/later/file", "seen\n");
        CHECK(ctl({"exec", "web", "--", "/bin/cat", "/data/later/file"}).out == (follows ? "seen\n" : ""));
        REQUIRE(::umount((place + "/later").c_str()) == 0);
        const std::size_t before = mounts().size();
        CHECK(ctl({"exec", "web", "--", "/bin/mount", "-t", "tmpfs", "none", "/data/later"}).code == 0);
        CHECK(mounts().size() == before);
        (void)done({"stop", "web"});
    }
    REQUIRE(::umount(place.c_str()) == 0);
}
