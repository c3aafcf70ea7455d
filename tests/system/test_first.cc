// SPDX-License-Identifier: MIT
//
// The machine's first process, as far as a PID namespace shows it: there reboot(2) ends the namespace, and its first
// process by a signal that says how (SIGHUP: again; SIGINT: halted, or off). What takes a machine is in tests/vm.

#include "pid1.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

constexpr int started_again = 128 + SIGHUP, switched_off = 128 + SIGINT;

/// A root filesystem for a machine, with vial as its /init, and a directory for specs.
std::string machine()
{
    const std::string tree = work() + "/machine";
    CHECK(run({"rm", "-rf", tree}).code == 0);
    CHECK(run({"cp", "-a", root(), tree}).code == 0);
    CHECK(run({"cp", ctl_words({}).front(), tree + "/init"}).code == 0);
    CHECK(run({"mkdir", "-p", tree + "/etc/vial", tree + "/mnt"}).code == 0);
    return tree;
}

/// Its own PID, mount and host name's namespace, with that tree as the only file system, and a /dev, since the kernel's is the
/// whole machine's. The console is the standard streams, all of which go to standard output.
Birth booted(const std::string& tree, const std::string& console = {})
{
    return {CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS, [=] {
                set_signals({}, {});
                const std::string dev = tree + "/dev";
                bool good = ::dup2(1, 2) == 2 && ::mount(tree.c_str(), tree.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
                            ::mount("dev", dev.c_str(), "tmpfs", 0, "mode=755") == 0 &&
                            ::mknod((dev + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
                if (!console.empty()) {
                    const std::string place = dev + "/console";
                    ::close(::open(place.c_str(), O_CREAT | O_CLOEXEC, 0600));
                    good = good && ::mount(console.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0;
                }
                good = good && ::chdir(tree.c_str()) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
                       ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
                if (!good)
                    ::_exit(124);
            }};
}

class Machine : public Process {
public:
    explicit Machine(const std::string& tree, Words words = {"/init"}, const std::string& console = {})
        : Process(std::move(words), Streams::Pipes, booted(tree, console))
    {
    }
    Finished inside(Words words) const
    {
        Words all{"nsenter", "--target", std::to_string(pid()), "--pid", "--mount", "--uts", "--root"};
        all.insert(all.end(), words.begin(), words.end());
        return run(all);
    }
    bool answers() const
    {
        return eventually([&] { return inside({"/init", "status", "boot"}).code == 0; });
    }
    std::string status() const { return inside({"/init", "status", "--json", "boot"}).out; }
    int end() { return wait(patience); }
};

/// Some process has it, and some machine as its console.
std::string terminal_of(const Process& process)
{
    char name[64] = {};
    CHECK(::ptsname_r(process.terminal(), name, sizeof name) == 0);
    return name;
}

void daemon(const std::string& tree, const std::string& name, const std::string& more = {})
{
    write_text(
        tree + "/etc/vial/" + name + ".conf",
        "autostart = true\ncommand = [\"/bin/sh\", \"-c\", \"trap 'exit 0' TERM; while :; do sleep 0.05; done\"]\n" +
            more);
}

}  // namespace

TEST_CASE("it mounts what is not mounted yet, does what host.conf says, and names each line that is wrong")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    write_text(tree + "/etc/vial/host.conf",
               "hostname = \"gateway\"\n"
               "hostnam = \"x\"\n"
               "watchdog = \"10s\"\n"
               "console = 5\n"
               "broken = \n"
               "modules = [\"/lib/none.ko\", \"none.ko\"]\n"
               "mounts = [\"data /mnt tmpfs size=1m,nosuid\", \"nothing\", \"none /srv nofs\"]\n"
               "[sysctl]\nnet.ipv4.ip_forward = 1\n\"net.none\" = 2\n"
               "[network.lo]\naddress = \"10.9.9.9/32\"\n"
               "[network.none7]\naddress = [\"10.9.9.8/24\"]\n"
               "[network.lo2]\nmtu = 3\n");
    daemon(tree, "web");
    Machine first(tree);
    CHECK(first.expect("[ ok ] web", patience));
    for (const char* wanted :
         {"/etc/vial/host.conf:2:1: unknown key 'hostnam'; did you mean 'hostname'?",
          "/etc/vial/host.conf:4:1: console: expected",
          "/etc/vial/host.conf:5:", "cannot open /lib/none.ko: No such file", "/none.ko: No such file",
          "cannot mount nothing: it is not of the form SOURCE TARGET TYPE", "cannot mount /srv: No such device",
          "cannot set the sysctl net/none: No such file", "cannot find the network interface none7: No such device",
          "unknown key 'mtu'", "cannot open /dev/watchdog: No such file"})
        CHECK_MESSAGE(contains(first.output(), wanted), wanted, " is not in: ", first.output());
    // Nothing else was said.
    CHECK(!contains(first.output(), "/proc:"));
    CHECK(first.answers());
    CHECK(first.inside({"/bin/hostname"}).out == "gateway\n");
    CHECK(first.inside({"/bin/cat", "/proc/sys/net/ipv4/ip_forward"}).out == "1\n");
    CHECK(contains(first.inside({"/bin/ip", "address", "show", "dev", "lo"}).out, "10.9.9.9/32"));
    CHECK(run({"ip", "address", "del", "10.9.9.9/32", "dev", "lo"}).code == 0);
    write_text("/proc/sys/net/ipv4/ip_forward", "0");
    const std::string mounted = first.inside({"/bin/cat", "/proc/mounts"}).out;
    for (const char* wanted :
         {"proc /proc proc rw,nosuid,nodev,noexec", "sysfs /sys sysfs", "dev /dev tmpfs", "devpts /dev/pts devpts",
          "tmpfs /dev/shm tmpfs", "tmpfs /run tmpfs", "/sys/fs/cgroup cgroup", "data /mnt tmpfs rw,nosuid"})
        CHECK_MESSAGE(contains(mounted, wanted), wanted, " is not in: ", mounted);
    CHECK(!contains(mounted, "devtmpfs"));

    // To read the specs anew is not to begin anew.
    const std::size_t said = first.output().size();
    write_text(tree + "/etc/vial/other.conf", "autostart = true\ncommand = [\"/bin/sleep\", \"1000\"]\n");
    const std::string pid = field(first.status(), {"services", "0", "pid"});
    first.kill(SIGHUP);
    CHECK(first.expect("[ ok ] other", patience));
    CHECK(field(first.status(), {"services", "1", "pid"}) == pid);
    CHECK(first.inside({"/bin/cat", "/proc/mounts"}).out == mounted);
    CHECK(!contains(first.output().substr(said), "host.conf"));

    CHECK(first.inside({"/init", "poweroff"}).code == 0);
    CHECK(first.end() == switched_off);
}

TEST_CASE("signals and commands end it as users of other inits expect")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    daemon(tree, "base");
    daemon(tree, "web", "requires = [\"base\"]\n");
    struct End {
        int signal;
        const char* command;
        int code;
        const char* said;
    };
    // INT is Ctrl-Alt-Del.
    for (const End& end :
         {End{SIGINT, "", started_again, "starting the machine again"}, End{SIGTERM, "", started_again, "again"},
          End{SIGUSR1, "", switched_off, "halting"}, End{SIGUSR2, "", switched_off, "switching off"},
          End{SIGPWR, "", switched_off, "switching off"}, End{0, "reboot", started_again, "again"},
          End{0, "halt", switched_off, "halting"}, End{0, "poweroff", switched_off, "switching off"}}) {
        CAPTURE(end.signal);
        CAPTURE(end.command);
        Machine first(tree, {"/init", "single", "word=3"});
        CHECK(first.expect("[ ok ] web", patience));
        if (end.signal != 0) {
            first.kill(end.signal);
        } else {
            CHECK(first.answers());
            CHECK(first.inside({"/init", end.command}).code == 0);
        }
        CHECK(first.end() == end.code);
        const std::size_t web = first.output().find("[stop] web"), base = first.output().find("[stop] base");
        CHECK(web < base);
        CHECK(base != std::string::npos);
        CHECK(first.output().find(end.said) > base);
    }
}

TEST_CASE("a stop or kill of it is refused: for the machine's end there are commands of its own")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    daemon(tree, "web");
    Machine first(tree);
    CHECK(first.expect("[ ok ] web", patience));
    CHECK(first.answers());
    for (const char* command : {"stop", "kill"}) {
        const Finished refused = first.inside({"/init", command, "boot"});
        CHECK(refused.code == 1);
        CHECK(contains(refused.err, "cannot stop boot: it is the machine's first process; `vial poweroff`"));
    }
    CHECK(first.answers());
    first.kill(SIGUSR2);
    CHECK(first.end() == switched_off);
}

TEST_CASE("an interface that comes late is configured then; one that has its address already is well")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    daemon(tree, "web");
    write_text(tree + "/etc/vial/host.conf", "[network.there9]\naddress = \"10.9.8.7/24\"\n"
                                             "[network.late9]\naddress = \"10.9.7.7/24\"\n");
    CHECK(run({"ip", "link", "add", "there9", "type", "veth", "peer", "name", "peer9"}).code == 0);
    CHECK(run({"ip", "address", "add", "10.9.8.7/24", "dev", "there9"}).code == 0);
    Machine first(tree);
    CHECK(first.expect("[ ok ] web", patience));
    CHECK(contains(first.output(), "late9"));
    CHECK_FALSE(contains(first.output(), "there9"));
    CHECK(contains(run({"ip", "link", "show", "there9"}).out, ",UP"));
    CHECK(run({"ip", "link", "set", "peer9", "name", "late9"}).code == 0);
    CHECK(eventually([] { return contains(run({"ip", "address", "show", "dev", "late9"}).out, "10.9.7.7/24"); }));
    first.kill(SIGUSR2);
    CHECK(first.end() == switched_off);
    CHECK(run({"ip", "link", "del", "there9"}).code == 0);
}

TEST_CASE("on a root that is read-only it does the same")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    daemon(tree, "web");
    Machine first(tree, {"/bin/sh", "-c", "mount -t none -o remount,bind,ro none / && exec /init"});
    CHECK(first.expect("[ ok ] web", patience));
    CHECK_FALSE(contains(first.output(), "cannot"));
    CHECK(first.answers());
    CHECK(first.inside({"/bin/touch", "/etc/vial/x"}).code != 0);
    first.kill(SIGHUP);
    CHECK(first.answers());
    CHECK(first.inside({"/init", "poweroff"}).code == 0);
    CHECK(first.end() == switched_off);
}

TEST_CASE("what does not stop is killed, whatever its spec says")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    write_text(tree + "/etc/vial/host.conf", "stop_timeout = \"100ms\"\n");
    write_text(tree + "/etc/vial/stubborn.conf",
               "autostart = true\nstop_timeout = \"1d\"\n"
               "command = [\"/bin/sh\", \"-c\", \"trap '' TERM; echo >/mnt/deaf; while :; do sleep 1; done\"]\n");
    Machine first(tree);
    CHECK(eventually([&] { return exists(tree + "/mnt/deaf"); }));
    first.kill(SIGTERM);
    CHECK(first.end() == started_again);
    CHECK(contains(first.output(), "some processes do not end: they are killed"));
}

TEST_CASE("a program that was replaced is executed before the end, and one that is no vial is not")
{
    const NothingLeft nothing_left;
    for (const bool ours : {true, false}) {
        const std::string tree = machine();
        daemon(tree, "web");
        Machine first(tree);
        CHECK(first.expect("[ ok ] web", patience));
        CHECK(first.answers());
        // The copy tells that it was executed: its own /proc/self/exe is no deleted file.
        CHECK(first.inside({"/bin/cp", ours ? "/init" : "/bin/true", "/init.new"}).code == 0);
        const Finished moved = first.inside({"/bin/sh", "-c", "cp /init /vial; mv /init.new /init; exec /vial reboot"});
        CHECK(moved.code == 0);
        CHECK(first.end() == started_again);
    }
}

TEST_CASE("a shell on the console where nothing can be started")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    write_text(tree + "/etc/vial/broken.conf", "autostart = true\ncommand = [\"/bin/false\"]\n");
    write_text(tree + "/etc/vial/host.conf", "emergency = [\"/bin/sh\", \"-i\"]\n");
    Process other({"/bin/sleep", "1000"}, Process::Streams::Terminal);
    Machine first(tree, {"/init"}, terminal_of(other));
    CHECK(other.expect("boot.emergency", patience));
    other.send("echo hello-$((40+2)); tty </dev/tty\n");
    CHECK(other.expect("hello-42", patience));
    other.send("kill -USR2 1\n");
    CHECK(first.end() == switched_off);
    CHECK(contains(other.output(), "[fail] broken"));
    CHECK(!contains(other.output(), "job control turned off"));
}

TEST_CASE("a console of its own, and no shell in need while a service runs")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    write_text(tree + "/etc/vial/broken.conf", "autostart = true\ncommand = [\"/bin/false\"]\n");
    write_text(tree + "/etc/vial/host.conf",
               "console = [\"/bin/sh\", \"-c\", \"echo here is $0 $PATH; exec sleep 1000\", \"me\"]\n");
    Process other({"/bin/sleep", "1000"}, Process::Streams::Terminal);
    Machine first(tree, {"/init"}, terminal_of(other));
    CHECK(other.expect("here is me /", patience));
    CHECK(first.answers());
    CHECK(contains(first.status(), "\"boot.emergency\""));
    first.kill(SIGTERM);
    CHECK(first.end() == started_again);
    (void)other.expect("nothing", 100);
    CHECK(!contains(other.output(), "boot.emergency"));
}

TEST_CASE("without a spec, a directory for them, or a file system for its state there is a shell still")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    CHECK(run({"rmdir", tree + "/etc/vial"}).code == 0);
    Machine first(tree);
    CHECK(first.expect("[ ok ] boot.emergency", patience));
    first.kill(SIGINT);
    CHECK(first.end() == started_again);

    write_text(tree + "/run/vial", "a file");
    CHECK(run({"cp", tree + "/bin/busybox", tree + "/sh.new"}).code == 0);
    CHECK(run({"rm", "-rf", tree + "/run"}).code == 0);
    write_text(tree + "/run", "a file");
    CHECK(run({"rm", tree + "/bin/sh"}).code == 0);
    write_text(tree + "/bin/sh", "#!/bin/busybox sh\necho in need; kill -USR2 1; exec sleep 1000\n");
    CHECK(run({"chmod", "755", tree + "/bin/sh"}).code == 0);
    Machine second(tree);
    CHECK(second.expect("cannot mount /run", patience));
    CHECK(second.expect("in need", patience));
    second.kill(SIGKILL);
    CHECK(second.end() == 128 + SIGKILL);
}

TEST_CASE("a fault of its own is told, and the machine starts again")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    daemon(tree, "web");
    Machine first(tree);
    CHECK(first.expect("[ ok ] web", patience));
    first.kill(SIGSEGV);
    CHECK(first.expect("the first process got SIGSEGV", patience));
    CHECK(first.end() == started_again);
}

TEST_CASE("only the first process ends the machine, and PID 1 of a container is not taken for it")
{
    const NothingLeft nothing_left;
    const std::string tree = machine();
    Machine entry(tree, {"/init", "init", "--", "/bin/echo", "a container"});
    CHECK(entry.end() == 0);
    CHECK(contains(entry.output(), "a container"));
    CHECK(run({"mv", tree + "/init", tree + "/vial"}).code == 0);
    Machine bare(tree, {"/vial"});
    CHECK(bare.end() == 2);
    CHECK(contains(bare.output(), "no command given"));

    Machine late(tree, {"/bin/sh", "-c", "mount -t proc proc /proc; sleep 1000 & exec /vial"});
    CHECK(late.end() == 2);

    CHECK(contains(refused(3, {"poweroff"}), "boot"));
    empty_directory("specs");
    write_text(work() + "/specs/sleeper.conf", "autostart = true\ncommand = [\"/bin/sleep\", \"1000\"]\n");
    Process boot(ctl_words({"boot", work() + "/specs"}));
    CHECK(eventually([] { return ctl({"status", "boot"}).code == 0; }));
    CHECK(contains(refused(1, {"reboot"}), "this is not the machine's first process"));
    boot.kill(SIGTERM);
    CHECK(boot.wait() >= 0);
}
