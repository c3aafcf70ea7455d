// SPDX-License-Identifier: MIT
//
// A host that lacks what a container needs: room in /run, a namespace, /proc. One clear line, a code that is not 0, and
// nothing left behind; and what runs already goes on.

#include "harness.h"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string plain(const std::string& more, const std::string& name = "web")
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n" + more);
}

/// While it lives, a filesystem of that size lies on /run/vial.
class SmallRun {
public:
    explicit SmallRun(const std::string& options)
    {
        ::mkdir("/run/vial", 0700);
        CHECK(::mount("tmpfs", "/run/vial", "tmpfs", 0, options.c_str()) == 0);
    }
    ~SmallRun() { CHECK(::umount2("/run/vial", 0) == 0); }
    SmallRun(const SmallRun&) = delete;
    SmallRun& operator=(const SmallRun&) = delete;
};

/// What a start leaves in /run/vial beside the lock.
std::string left_in_run()
{
    return run({"sh", "-c", "ls -A /run/vial | grep -vx .lock"}).out;
}

/// A start that may or may not find what it needs: either it succeeds wholly, or it says why in one line and leaves nothing.
bool start_or_nothing(const std::string& file, const std::string& name)
{
    const Finished started = ctl({"start", file});
    INFO("start: ", started.code, " ", started.err);
    if (started.code == 0) {
        CHECK(started.err == "");
        CHECK(field(listed(name), {"state"}) == "\"running\"");
        (void)done({"stop", name});
    } else {
        CHECK(started.code == 1);
        CHECK(lines(started.err).size() == 1);
    }
    CHECK(left_in_run() == "");
    return started.code == 0;
}

}  // namespace

TEST_CASE("a /run/vial that is full")
{
    const NothingLeft nothing_left;
    const std::string file = plain("[network.eth0]\nbridge = \"br-full\"\naddress = \"10.9.20.2/24\"\n");
    bool fits = false;
    for (int size = 4; size <= 168; size += 4) {
        const SmallRun small("mode=0700,size=" + std::to_string(size) + "k");
        INFO("size ", size, "k");
        const bool now = start_or_nothing(file, "web");
        CHECK(now >= fits);  // what fits does so in more room too
        fits = now;
    }
    CHECK(fits);
    fits = false;
    for (int files = 1; files <= 10; files++) {
        const SmallRun small("mode=0700,nr_inodes=" + std::to_string(files));
        INFO(files, " files");
        fits = start_or_nothing(file, "web");
        const Finished finished = ctl({"run", "--root", root(), "--", "/bin/true"});
        CHECK((finished.code == 0 || (finished.code == 125 && lines(finished.err).size() == 1)));
        CHECK(left_in_run() == "");
    }
    CHECK(fits);
}

TEST_CASE("a /run/vial that fills up while the container runs")
{
    const NothingLeft nothing_left;
    const SmallRun small("mode=0700,size=256k");
    (void)done({"start", plain("")});
    (void)run({"sh", "-c", "cat /dev/zero >/run/vial/filler"});
    CHECK(field(listed("web"), {"state"}) == "\"running\"");
    CHECK(ctl({"exec", "web", "--", "/bin/echo", "in"}).out == "in\n");
    CHECK(ctl({"start", plain("", "other")}).code == 1);
    CHECK(run({"rm", "/run/vial/filler"}).code == 0);
    CHECK(lines(ctl({"list"}).out).size() == 2);
    (void)done({"stop", "web"});
    CHECK(left_in_run() == "");
}

TEST_CASE("a /run/vial that cannot be written to")
{
    const NothingLeft nothing_left;
    const SmallRun small("mode=0700");
    CHECK(::mount(nullptr, "/run/vial", nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    start_refused(1, plain(""), {"/run/vial", "ead-only"});
}

TEST_CASE("a state directory with somebody's rubbish in it does not stop the others")
{
    const NothingLeft nothing_left;
    (void)done({"start", plain("")});
    (void)run({"sh", "-c",
               "mkdir /run/vial/empty /run/vial/noise; head -c 5000 /dev/urandom >/run/vial/noise/journal; touch "
               "/run/vial/file"});
    CHECK(contains(ctl({"list"}).out, "web"));
    CHECK(field(listed("web"), {"state"}) == "\"running\"");
    CHECK(ctl({"exec", "web", "--", "/bin/echo", "in"}).out == "in\n");
    CHECK(ctl({"stop", "web"}).code == 0);
    (void)run({"rm", "-rf", "/run/vial/empty", "/run/vial/noise", "/run/vial/file"});
}

TEST_CASE("a kernel without one of the namespaces")
{
    const NothingLeft nothing_left;
    const struct {
        const char *file, *call, *lines, *named;
    } kinds[] = {
        {"mnt", "clone:CLONE_NEWNS", "", "mount namespaces"},
        {"pid", "clone:CLONE_NEWPID", "", "PID namespaces"},
        {"net", "unshare:CLONE_NEWNET", "", "network namespaces"},
        {"net", "unshare:CLONE_NEWNET", "[network.eth0]\naddress = [\"10.9.0.2/24\"]\n", "network namespaces"},
        {"net", "clone:CLONE_NEWNET", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n",
         "network namespaces"},
        {"ipc", "clone:CLONE_NEWIPC", "", "IPC namespaces"},
        {"uts", "clone:CLONE_NEWUTS", "", "UTS namespaces"},
        {"cgroup", "unshare:CLONE_NEWCGROUP", "", "cgroup namespaces"},
        {"user", "clone:CLONE_NEWUSER",
         "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n", "user namespaces"},
        {"time", "unshare:CLONE_NEWTIME", "[namespaces]\ntime = true\n", "time namespaces"},
    };
    // Such a kernel has no file for it in /proc/PID/ns either: the process that becomes vial gets a directory without.
    const std::string without =
        "mount -t tmpfs tmpfs /proc/$$/ns; for file in cgroup ipc mnt net pid time user uts; do "
        "[ $file = $1 ] || : >/proc/$$/ns/$file; done; shift; exec \"$@\"";
    for (const auto& kind : kinds) {
        INFO(std::string(kind.file));
        const std::string file = plain(kind.lines);
        const Finished finished = run({"sh", "-c", without, "sh", kind.file, payload("oldkernel"), "--without",
                                       std::string("clone3,") + kind.call, "--", ctl_words({}).front(), "start", file});
        INFO(finished.err);
        CHECK(finished.code == 1);
        CHECK(lines(finished.err).size() == 1);
        CHECK(contains(finished.err, std::string("this kernel has no ") + kind.named));
        CHECK(lines(ctl({"list"}).out).size() == 1);
    }
    // What a kernel lacks can be left out, where the container can live without.
    for (const auto& kind : kinds) {
        const std::string name = kind.file;
        if (name != "ipc" && name != "uts" && name != "cgroup")
            continue;
        const std::string file = plain("[namespaces]\n" + name + " = false\n");
        CHECK(run({"sh", "-c", without, "sh", kind.file, payload("oldkernel"), "--without",
                   std::string("clone3,") + kind.call, "--", ctl_words({}).front(), "start", file})
                  .code == 0);
        (void)done({"stop", "web"});
    }
}

TEST_CASE("a confinement that forbids the namespaces altogether")
{
    const NothingLeft nothing_left;
    const Finished finished =
        run({payload("oldkernel"), "--without", "clone3", "--errno", "EPERM", "--", "setpriv",
             "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", ctl_words({}).front(), "start", plain("")});
    CHECK(finished.code == 1);
    CHECK(lines(finished.err).size() == 1);
}

TEST_CASE("without /proc")
{
    const NothingLeft nothing_left;
    const Finished finished = run({"unshare", "--mount", "--propagation", "private", "sh", "-c",
                                   "umount -l /proc && exec \"$@\"", "sh", ctl_words({}).front(), "start", plain("")});
    INFO(finished.err);
    CHECK(finished.code == 1);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "/proc"));
}
