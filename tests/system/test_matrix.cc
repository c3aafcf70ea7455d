// SPDX-License-Identifier: MIT
//
// The riskiest part, the order of mounts and execs, over the whole matrix of where a container can find itself: the
// host's root with private or shared mounts, kernels new and old, a user namespace or none, every kind of root
// filesystem, vial or the command itself as PID 1. In each cell a script inside (payloads/look.sh) looks for what
// is not as it should be, somebody enters, and the host looks the same during and after.
//
// The initramfs as the host's root is the virtual machine's matter (tests/vm).

#include "harness.h"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

struct Kernel {
    const char* name;
    Words options;  ///< for oldkernel; empty: this one
};

const Kernel kernels[] = {
    {"this kernel", {}},
    {"a kernel of 5.10", {"--kernel", "5.10"}},  // open_tree, no mount_setattr
    {"a kernel of 4.19", {"--kernel", "4.19"}},
    {"a kernel of 4.9", {"--kernel", "4.9"}},
};

struct Filesystem {
    const char* name;
    RootKind root;
    const char* lines;  ///< in the spec
    bool writable;
};

const Filesystem filesystems[] = {
    {"a directory", RootKind::Directory, "", false},
    {"a writable directory", RootKind::Directory, "read_only = false\n", true},
    {"squashfs", RootKind::Squashfs, "", false},
    {"erofs", RootKind::Erofs, "", false},
    {"ext4", RootKind::Ext4, "", false},
    {"writable ext4", RootKind::Ext4, "read_only = false\n", true},
    {"an overlay on tmpfs", RootKind::Directory, "overlay = \"tmpfs:4M\"\n", true},
    {"an overlay on tmpfs over squashfs", RootKind::Squashfs, "overlay = \"tmpfs\"\n", true},
    {"an overlay in a directory", RootKind::Directory, "overlay = \"WORK/changes\"\n", true},
    {"an overlay in a directory over ext4", RootKind::Ext4, "overlay = \"WORK/changes\"\n", true},
};

std::string with_work(std::string text)
{
    for (std::size_t at = text.find("WORK"); at != text.npos; at = text.find("WORK"))
        text.replace(at, 4, work());
    return text;
}

struct Cell {
    const Kernel& kernel;
    const Filesystem& filesystem;
    bool user, init;

    std::string words() const
    {
        return std::string("on ") + kernel.name + ", from " + filesystem.name + (user ? ", in a user namespace" : "") +
               (init ? "" : ", init = false");
    }
    bool is_image() const { return filesystem.root != RootKind::Directory; }
    /// An image cannot be given to a user namespace without mount_setattr(2), and that is said.
    bool is_refused() const { return user && is_image() && !kernel.options.empty(); }
    std::string spec_text() const
    {
        // What is changed in a user namespace must belong to somebody there.
        const unsigned owner = user && filesystem.writable ? mapped_root : 0;
        std::string text = "root = \"" + root(filesystem.root, owner) + "\"\ncommand = [\"/bin/sleep\", \"1000\"]\n";
        text += with_work(filesystem.lines);
        text += "mounts = [\"" + work() + "/shared:/data\", \"" + work() + "/given:/file:ro\"]\n";
        // A PID 1 without a handler for TERM does not hear it: nothing but time can be waited for.
        text += init ? "" : "init = false\nstop_timeout = \"20ms\"\n";
        if (user)
            text += "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n";
        return text;
    }
    Words look() const
    {
        Words words{"/bin/look", filesystem.writable ? "writable" : "read-only", "data"};
        if (!init)
            words.push_back("no-init");
        if (user)
            words.push_back("user");
        return words;
    }
};

void look_at(const Cell& cell)
{
    INFO(cell.words());
    const NothingLeft nothing_left;
    if (cell.filesystem.writable)
        (void)empty_directory("changes", cell.user ? 0777 : 0755);
    write_text(empty_directory("shared", 01777) + "/host", "from the host\n");
    write_text(work() + "/given", "a file of the host\n");
    const std::string file = spec("cell", cell.spec_text());
    const OnOldKernel kernel(cell.kernel.options);
    if (cell.is_refused()) {
        CHECK(refused(1, {"start", file}).find("needs Linux 5.12") != std::string::npos);
        CHECK(refused(125, {"run", file}).find("needs Linux 5.12") != std::string::npos);
        return;
    }

    Words running{"run", file, "--"};
    const Words look = cell.look();
    running.insert(running.end(), look.begin(), look.end());
    const Finished looked = ctl(running);
    INFO("run: ", looked.out, looked.err);
    CHECK(looked.code == 0);
    CHECK(looked.out + looked.err == "");
    CHECK(read_text(work() + "/shared/written") == "inside\n");
    CHECK(ctl({"run", file, "--", "/bin/sh", "-c", "exit 9"}).code == 9);

    const auto before = mounts();
    (void)done({"start", file});
    CHECK(mounts() == before);
    Words entering{"exec", "cell", "--"};
    Words inside = look;
    if (!cell.init)
        inside.push_back("no-init");
    entering.insert(entering.end(), inside.begin(), inside.end());
    const Finished entered = ctl(entering);
    INFO("exec: ", entered.out, entered.err);
    CHECK(entered.code == 0);
    CHECK(entered.out + entered.err == "");
    CHECK(mounts() == before);
    CHECK(field(listed("cell"), {"state"}) == "\"running\"");
    (void)done({"stop", "cell"});
}

void look_at_all(const Kernel& kernel, bool user)
{
    for (const Filesystem& filesystem : filesystems)
        for (const bool init : {true, false})
            look_at({kernel, filesystem, user, init});
}

/// While it lives, the mounts here propagate to whoever copies this mount namespace.
class SharedMounts {
public:
    SharedMounts() { change(MS_SHARED); }
    ~SharedMounts() { change(MS_PRIVATE); }
    SharedMounts(const SharedMounts&) = delete;
    SharedMounts& operator=(const SharedMounts&) = delete;

private:
    static void change(unsigned long how) { CHECK(::mount(nullptr, "/", nullptr, MS_REC | how, nullptr) == 0); }
};

}  // namespace

TEST_CASE("matrix: this kernel, private mounts")
{
    look_at_all(kernels[0], false);
}

TEST_CASE("matrix: this kernel, private mounts, user namespace")
{
    look_at_all(kernels[0], true);
}

TEST_CASE("matrix: this kernel, shared mounts")
{
    const SharedMounts shared;
    look_at_all(kernels[0], false);
    look_at_all(kernels[0], true);
}

TEST_CASE("matrix: 5.10, private and shared mounts")
{
    look_at_all(kernels[1], false);
    look_at_all(kernels[1], true);
    const SharedMounts shared;
    look_at_all(kernels[1], false);
    look_at_all(kernels[1], true);
}

TEST_CASE("matrix: 4.19, private and shared mounts")
{
    look_at_all(kernels[2], false);
    look_at_all(kernels[2], true);
    const SharedMounts shared;
    look_at_all(kernels[2], false);
    look_at_all(kernels[2], true);
}

TEST_CASE("matrix: 4.9, private and shared mounts")
{
    look_at_all(kernels[3], false);
    look_at_all(kernels[3], true);
    const SharedMounts shared;
    look_at_all(kernels[3], false);
    look_at_all(kernels[3], true);
}

TEST_CASE("one call missing, and all others there")
{
    for (const char* call :
         {"open_tree", "mount_setattr", "openat2", "clone3", "close_range", "fsopen", "pidfd_open", "pidfd_send_signal",
          "faccessat2", "statx", "ioctl:LOOP_CONFIGURE", "ioctl:TIOCGPTPEER", "waitid:P_PIDFD"}) {
        const Kernel kernel{call, {"--without", call}};
        look_at({kernel, filesystems[2], false, true});
    }
}

TEST_CASE("one call forbidden by a filter: it works all the same, or one line says what is not permitted")
{
    for (const char* call : {"open_tree", "mount_setattr", "openat2", "clone3", "close_range", "fsopen", "pidfd_open",
                             "pidfd_send_signal"}) {
        INFO(std::string(call));
        const NothingLeft nothing_left;
        const OnOldKernel kernel({"--without", call, "--errno", "EPERM"});
        const Finished finished = ctl({"run", "--root", root(RootKind::Squashfs), "--", "/bin/echo", "works"});
        INFO(finished.err);
        if (finished.code == 0)
            CHECK(finished.out == "works\n");
        else
            CHECK(finished.code == 125);
        CHECK(lines(finished.err).size() == (finished.code == 0 ? 0 : 1));
    }
}

TEST_CASE("what an overlay keeps: nothing on tmpfs, everything in a directory")
{
    const NothingLeft nothing_left;
    const Words write{"--", "/bin/sh", "-c", "echo kept >/srv/file; rm /etc/passwd; ls /srv"};
    const Words read{"--", "/bin/sh", "-c", "cat /srv/file /etc/passwd 2>/dev/null | head -n 1"};
    const auto run_with = [](const std::string& overlay, const Words& more) {
        Words words{"run", "--root", root(RootKind::Squashfs), "--set", "overlay=" + overlay};
        words.insert(words.end(), more.begin(), more.end());
        return ctl(words).out;
    };
    CHECK(run_with("tmpfs", write) == "file\n");
    CHECK(run_with("tmpfs", read) == "root:x:0:0:root:/root:/bin/sh\n");
    const std::string changes = empty_directory("changes");
    CHECK(run_with(changes, write) == "file\n");
    CHECK(run_with(changes, read) == "kept\n");
    CHECK(exists(changes + "/upper/srv/file"));
}

TEST_CASE("the size of an overlay and of a scratch filesystem holds")
{
    const NothingLeft nothing_left;
    CHECK(ctl({"run", "--root", root(), "--set", "overlay=tmpfs:1M", "--", "/bin/sh", "-c",
               "head -c 4000000 /dev/zero >/srv/file"})
              .code != 0);
    CHECK(ctl({"run",
               spec("small",
                    "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"head -c 4000000 /dev/zero >/scratch/file\"]\n"
                    "mounts = [\"tmpfs:/scratch:size=1M,mode=0700\"]\n")})
              .code != 0);
}

TEST_CASE("mounts are made in the order written, with the options given")
{
    const NothingLeft nothing_left;
    write_text(empty_directory("outer") + "/a", "outer\n");
    write_text(empty_directory("inner") + "/b", "inner\n");
    const std::string script =
        "cat /scratch/deep/b; cat /data/a; grep -c ' /scratch .*noexec' /proc/mounts; stat -c %a /scratch; "
        "cp /bin/busybox /data/x 2>/dev/null || echo read-only";
    const Finished finished =
        ctl({"run", spec("mounts", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"" + script +
                                       "\"]\n"
                                       "mounts = [\"tmpfs:/scratch:size=1M,mode=0750,noexec\", \"" +
                                       work() + "/inner:/scratch/deep\", \"" + work() + "/outer:/data:ro\", \"" +
                                       work() + "/absent:/srv:optional\"]\n")});
    INFO(finished.err);
    CHECK(finished.out == "inner\nouter\n1\n750\nread-only\n");
    CHECK(finished.code == 0);
}

TEST_CASE("a mount of the host that appears later does not appear inside, and a busy one can be unmounted")
{
    const NothingLeft nothing_left;
    const SharedMounts shared;
    const std::string place = empty_directory("place");
    (void)done({"start", sleeper("quiet", "mounts = [\"" + place + ":/data\"]\n")});
    CHECK(::mkdir((place + "/later").c_str(), 0755) == 0);
    CHECK(::mount("tmpfs", (place + "/later").c_str(), "tmpfs", 0, nullptr) == 0);
    write_text(place + "/later/file", "secret");
    CHECK(ctl({"exec", "quiet", "--", "/bin/ls", "/data/later"}).out == "");
    CHECK(::umount2((place + "/later").c_str(), 0) == 0);
    (void)done({"stop", "quiet"});
}
