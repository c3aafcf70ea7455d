// SPDX-License-Identifier: MIT
//
// What a service finds around it: who it is, its environment, its namespaces, what it may and may not see.

#include "harness.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// What a script prints that runs in the foreground with `more` lines in its spec.
std::string inside(const std::string& more, const std::string& script)
{
    const Finished finished =
        ctl({"run", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n" + more), "--", "/bin/sh", "-c", script});
    INFO(script, ": ", finished.err);
    CHECK(finished.code == 0);
    CHECK(finished.err == "");
    return finished.out;
}

/// The same for a script in a service of the background, and for one that enters it.
void inside_each(const std::string& more, const std::string& script, const std::string& expected)
{
    INFO(more);
    CHECK(inside(more, script) == expected);
    (void)done({"start", spec("each", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", '''" + script +
                                          "; exec sleep 1000''']\n" + more)});
    CHECK(eventually([&] { return ctl({"logs", "each"}).out == expected; }));
    CHECK(ctl({"exec", "each", "--", "/bin/sh", "-c", script}).out == expected);
    (void)done({"stop", "each"});
}

std::string namespace_of(const std::string& kind)
{
    char target[64] = {};
    const ssize_t size = ::readlink(("/proc/self/ns/" + kind).c_str(), target, sizeof target - 1);
    return std::string(target, size > 0 ? static_cast<std::size_t>(size) : 0);
}

}  // namespace

TEST_CASE("user, group, groups and directory")
{
    const NothingLeft nothing_left;
    inside_each("", "id -u; id -g; id -G; pwd", "0\n0\n0\n/\n");
    inside_each("user = 1000\ngroup = 1000\ngroups = [5, 20]\ndirectory = \"/etc\"\n", "id -u; id -g; id -G; pwd",
                "1000\n1000\n1000 5 20\n/etc\n");
    // What it writes to /dev/stdout, opened anew, is not refused for it.
    (void)done({"start", spec("own", "root = \"ROOT\"\nuser = 1000\ngroup = 1000\ncommand = [\"/bin/sh\", \"-c\", "
                                     "\"echo words >/dev/stdout\"]\n")});
    CHECK(done({"wait", "own"}) == "0\n");
    CHECK(done({"logs", "own"}) == "words\n");
    (void)done({"stop", "own"});
}

namespace {

/// Lines of a spec by which the container has these files, which nobody else sees.
std::string with_names(const std::string& passwd, const std::string& group)
{
    write_text(work() + "/passwd", passwd);
    write_text(work() + "/group", group);
    return "overlay = \"tmpfs\"\nmounts = [\"" + work() + "/passwd:/etc/passwd:ro\", \"" + work() +
           "/group:/etc/group:ro\"]\n";
}

}  // namespace

TEST_CASE("users and groups by name, as the container's own files know them")
{
    const NothingLeft nothing_left;
    const std::string files =
        with_names("root:x:0:0:root:/root:/bin/sh\nwwwdata:x:1:1::/:\nwww:x:1033:1034:Web:/srv/web:/bin/false\n"
                   "www:x:0:0:a second one:/:/bin/sh\n",
                   "root:x:0:\nwww:x:1034:www\nlogs:x:1040:nobody,www\nwwws:x:1041:wwws,xwww\nmore:x:1050:www\n");
    const std::string script = "id -u; id -g; id -G; echo $HOME";
    inside_each("user = \"www\"\n" + files, script, "1033\n1034\n1034 1040 1050\n/srv/web\n");
    inside_each("user = \"www\"\ngroup = \"logs\"\n" + files, script, "1033\n1040\n1040\n/srv/web\n");
    inside_each("user = 7\ngroup = 8\ngroups = [\"logs\", 9, \"more\"]\n" + files, script, "7\n8\n8 9 1040 1050\n/\n");
    inside_each("user = \"www\"\nenvironment = [\"HOME=/own\"]\n" + files, script,
                "1033\n1034\n1034 1040 1050\n/own\n");
    inside_each("user = \"www\"\n" + files +
                    "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n",
                script, "1033\n1034\n1034 1040 1050\n/srv/web\n");

    // A network beside it, and more than one service; what is shown of one that runs is what its spec says.
    (void)done({"start", spec("each", "root = \"ROOT\"\n" + files +
                                          "[network.eth0]\naddress = \"10.0.3.2/24\"\n"
                                          "[service.web]\nuser = \"www\"\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                          "[service.none]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                          "[service.logs]\nuser = \"root\"\ngroup = \"logs\"\n"
                                          "command = [\"/bin/sleep\", \"1000\"]\n")});
    const auto ids = [](const std::string& service) {
        const std::string pid = lines(read_text(cgroup("pids", "each/" + service + "/cgroup.procs"))).at(0);
        std::string found;
        for (const std::string& line : lines(read_text("/proc/" + pid + "/status")))
            found += line.starts_with("Uid:") || line.starts_with("Gid:") ? line + " " : "";
        return found;
    };
    CHECK(ids("web") == "Uid:\t1033\t1033\t1033\t1033 Gid:\t1034\t1034\t1034\t1034 ");
    CHECK(ids("none") == "Uid:\t0\t0\t0\t0 Gid:\t0\t0\t0\t0 ");
    CHECK(ids("logs") == "Uid:\t0\t0\t0\t0 Gid:\t1040\t1040\t1040\t1040 ");
    CHECK(contains(done({"show", "each"}), "user = \"www\"\n"));
    CHECK(ctl({"exec", "each", "--", "/bin/id", "-u"}).out == "1033\n");
    (void)done({"stop", "each"});
}

TEST_CASE("files of names that are hostile, damaged or not there start nothing, and leave nothing")
{
    const NothingLeft nothing_left;
    const auto why = [](const std::string& more) { return refused(1, {"start", sleeper("web", more)}); };
    const auto with_line = [&](const std::string& line) {
        return why("user = \"www\"\n" + with_names(line + "\n", ""));
    };
    CHECK(with_line("other:x:1:1::/:") == "web: cannot look up www: no such user in its /etc/passwd");
    for (const char* line :
         {"www:x:1:1::/", "www:x:1:1::/:/bin/sh:more", "www:x::1::/:", "www:x:-1:1::/:", "www:x:1:x::/:",
          "www:x:4294967295:1::/:", "www:x:99999999999999999999:1::/:", "www:x:1 :1::/:", "www:"}) {
        INFO(std::string(line));
        CHECK(with_line(line) == "web: cannot look up www: damaged line in its /etc/passwd");
    }
    CHECK(with_line("www") == "web: cannot look up www: no such user in its /etc/passwd");
    CHECK(contains(with_line(std::string(2U << 20, 'x')), "/etc/passwd: "));
    const std::string files = with_names("www:x:1:1::/:\n", "www:x:1:www");
    CHECK(why("group = \"wheel\"\n" + files) == "web: cannot look up wheel: no such group in its /etc/group");
    std::string many;
    for (int at = 0; at < 65; ++at)
        many += "g" + std::to_string(at) + ":x:" + std::to_string(100 + at) + ":www\n";
    CHECK(contains(why("user = \"www\"\n" + with_names("www:x:1:1::/:\n", many)), "more than 64 groups"));

    // A pipe would keep whoever reads it waiting, and a link lead to another's file.
    CHECK(run({"mkfifo", work() + "/pipe"}).code == 0);
    CHECK(why("user = \"www\"\noverlay = \"tmpfs\"\nmounts = [\"" + work() + "/pipe:/etc/passwd\"]\n") ==
          "web: cannot look up names in /etc/passwd: it is no regular file");
    const std::string tree = work() + "/linked";
    CHECK(run({"mkdir", "-p", tree + "/etc", tree + "/proc", tree + "/sys", tree + "/dev"}).code == 0);
    CHECK(run({"ln", "-s", "/etc/passwd", tree + "/etc/passwd"}).code == 0);
    const std::string linked = spec("web", "root = \"" + tree + "\"\nuser = \"root\"\ncommand = [\"/bin/true\"]\n");
    CHECK(refused(1, {"start", linked}) == "web: cannot look up names in /etc/passwd: it is no regular file");
    CHECK(run({"rm", "-r", tree}).code == 0);
}

TEST_CASE("whoever calls `vial exec` ignores signals for himself alone")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("heeds")});
    const std::string vial = ::getenv("VIAL");
    CHECK(run({"/bin/sh", "-c",
               "trap '' HUP PIPE USR1; exec " + vial + " exec heeds -- /bin/grep SigIgn /proc/self/status"})
              .out == "SigIgn:\t0000000000000000\n");
    (void)done({"stop", "heeds"});
}

TEST_CASE("the environment is what the spec says, and nothing of the launcher's")
{
    const NothingLeft nothing_left;
    (void)::setenv("SECRET", "of the launcher", 1);
    const std::string plain =
        inside("", "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= | "
                   "sed -r 's/^container_uuid=[0-9a-f]{32}$/container_uuid of 32 digits/' | sort");
    CHECK(plain == "HOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                   "container=vial\ncontainer_uuid of 32 digits\n");
    (void)::unsetenv("SECRET");
    inside_each("environment = { COLOUR = \"red and blue\", PATH = \"/bin\" }\n", "echo $COLOUR; echo $PATH",
                "red and blue\n/bin\n");
    inside_each("environment = [\"COLOUR=red\", \"EMPTY=\"]\n", "echo $COLOUR; env | grep -x EMPTY=", "red\nEMPTY=\n");
}

TEST_CASE("capabilities: a small set is kept, and never more than the spec says")
{
    const NothingLeft nothing_left;
    const std::string sets =
        "grep -h -e ^CapInh -e ^CapPrm -e ^CapEff -e ^CapBnd -e ^CapAmb /proc/self/status | tr -d '\\t' | tr '\\n' ' '";
    const auto expected = [](const std::string& kept) {
        return "CapInh:0000000000000000 CapPrm:" + kept + " CapEff:" + kept + " CapBnd:" + kept +
               " CapAmb:0000000000000000 ";
    };
    inside_each("", sets, expected("00000000000004eb"));
    inside_each("[security]\ncapabilities = [\"NET_BIND_SERVICE\"]\n", sets, expected("0000000000000400"));
    inside_each("[security]\ncapabilities = []\n", sets, expected("0000000000000000"));
    inside_each("user = 1000\n", sets,
                "CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:00000000000004eb "
                "CapAmb:0000000000000000 ");
}

TEST_CASE("ambient capabilities are what a user who is not root has, over an exec")
{
    const NothingLeft nothing_left;
    const std::string sets = "sh -c 'grep ^Cap /proc/self/status' | tr -d '\t' | tr '\n' ' '";
    const std::string more = "[security]\ncapabilities = [\"NET_BIND_SERVICE\", \"KILL\"]\nambient = [\"KILL\"]\n";
    inside_each("user = 1000\n" + more, sets,
                "CapInh:0000000000000020 CapPrm:0000000000000020 CapEff:0000000000000020 CapBnd:0000000000000420 "
                "CapAmb:0000000000000020 ");
    // Root has all that is kept anyway, and nothing inheritable.
    inside_each(more, sets,
                "CapInh:0000000000000000 CapPrm:0000000000000420 CapEff:0000000000000420 CapBnd:0000000000000420 "
                "CapAmb:0000000000000000 ");
}

TEST_CASE("limits of processes, and the umask")
{
    const NothingLeft nothing_left;
    const std::string script =
        "umask; grep -e '^Max open' -e '^Max core' -e '^Max proc' -e '^Max msg' /proc/self/limits | "
        "sed 's/  */ /g; s/ [a-z]* $//'";
    const std::string more = "umask = \"027\"\n[limits]\nfiles = \"100:200\"\ncore = \"1M\"\n[security.rlimits]\n"
                             "nproc = 500\nmsgqueue = \"512K:600K\"\n";
    const std::string expected = "0027\nMax core file size 1048576 1048576\nMax processes 500 500\n"
                                 "Max open files 100 200\nMax msgqueue size 524288 614400\n";
    inside_each(more, script, expected);
    inside_each("user = 1000\ninit = true\n" + more, script, expected);
    CHECK(inside("init = false\n" + more, script) == expected);
    CHECK(inside(more + "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n", script) ==
          expected);
    CHECK(inside("", "umask") == "0022\n");
    // No process can have more open files than the kernel has room for: then nothing starts.
    const std::string why = refused(1, {"start", sleeper("web", "[limits]\nfiles = \"4T\"\n")});
    CHECK(contains(why, "web: cannot raise the limit nofile: "));
    CHECK(lines(why).size() == 1);
}

TEST_CASE("sysctls of the container's own namespaces, which it cannot change itself")
{
    const NothingLeft nothing_left;
    const std::string before = read_text("/proc/sys/kernel/msgmax");
    const std::string more = "[network.eth0]\naddress = \"10.0.3.2/24\"\n[security.sysctl]\nnet.ipv4.ip_forward = 1\n"
                             "net.ipv4.conf.eth0.rp_filter = 2\nkernel.msgmax = 4321\n";
    inside_each(more,
                "cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/eth0/rp_filter kernel/msgmax; "
                "echo 0 2>/dev/null >net/ipv4/ip_forward || echo refused",
                "1\n2\n4321\nrefused\n");
    CHECK(read_text("/proc/sys/kernel/msgmax") == before);
    CHECK(contains(refused(1, {"start", sleeper("web", "[security.sysctl]\nnet.ipv4.none = 1\n")}),
                   "web: cannot set the sysctl net/ipv4/none: "));
    CHECK(contains(refused(1, {"start", sleeper("web", "[security.sysctl]\nnet.ipv4.ip_default_ttl = 1000\n")}),
                   "web: cannot set the sysctl net/ipv4/ip_default_ttl: "));
}

TEST_CASE("a profile of one's own for system calls")
{
    const NothingLeft nothing_left;
    const std::string profile = work() + "/calls";
    const std::string table = "[security]\nseccomp = \"" + profile + "\"\n";
    const std::string script = "grep -c ^Seccomp:.2$ /proc/self/status; mkdir /tmp/a 2>&1; sync; chmod 0 /tmp 2>&1; "
                               "kill -0 $$; true";
    write_text(profile, "include default\nerrno mkdir=18 mkdirat=18\nerrno chmod=38 fchmodat=38 fchmodat2=38\n");
    inside_each(table, script,
                "1\nmkdir: can't create directory '/tmp/a': Invalid cross-device link\n"
                "chmod: /tmp: Function not implemented\n");

    // What comes by exec has the filter as it was, whatever became of the file.
    (void)done({"start", sleeper("kept", table)});
    write_text(profile, "include default\n");
    CHECK(contains(ctl({"exec", "kept", "--", "/bin/mkdir", "/tmp/b"}).err, "Invalid cross-device link"));
    (void)done({"stop", "kept"});
    (void)done({"start", sleeper("kept", table)});
    CHECK(ctl({"exec", "kept", "--", "/bin/mkdir", "/tmp/b"}).code == 0);
    (void)done({"stop", "kept"});

    // The process is killed, and that is told as any other end by a signal.
    write_text(profile, "include default\nkill sync\n");
    const Finished killed = ctl({"run", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/sync\"]\n" + table)});
    CHECK(killed.code == 128 + SIGSYS);
    write_text(profile, "include default\nlog sync\n");
    CHECK(inside(table, "sync && echo yes") == "yes\n");
    {
        // An older kernel would kill instead.
        const OnOldKernel kernel({"--kernel", "4.9"});
        CHECK(refused(1, {"start", sleeper("web", table)}) ==
              "web: cannot limit the system calls " + profile + ": 'log' needs Linux 4.14");
    }
    // A capability opens what it opens without a profile.
    CHECK(inside(table + "capabilities = [\"SYS_ADMIN\"]\n", "mount -t tmpfs none /tmp && echo yes") == "yes\n");
    // vial itself needs no call that a profile must allow.
    write_text(profile, "default errno\nallow execve exit_group write brk\n");
    const Finished strict = ctl({"run", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n" + table)});
    CAPTURE(strict.err);
    CHECK_FALSE(contains(strict.err, "web: "));  // busybox may well be of another opinion
    CHECK(strict.code != 125);

    // What is wrong is told by `check`, all of it, and keeps it from being started.
    write_text(profile, "include default\nallow reed\nblock write\n");
    const std::string file = sleeper("web", table);
    const Finished checked = ctl({"check", file});
    CHECK(checked.code == 2);
    CHECK(checked.err == profile + ":2:7: unknown system call 'reed'; did you mean 'read'?\n" + profile +
                             ":3:1: a line begins with allow, errno, kill, log, default or include\n");
    CHECK(contains(refused(2, {"start", file}),
                   profile + ":2:7: unknown system call 'reed'; did you mean 'read'?, and 1 more"));
    CHECK(contains(done({"show", file}), "seccomp = \"" + profile + "\""));
    // As it does of all that a device boots with.
    const std::string device = work() + "/device";
    ::mkdir(device.c_str(), 0755);
    write_text(device + "/web.conf", "root = \"/srv/web\"\ncommand = [\"/bin/true\"]\n" + table);
    CHECK(contains(ctl({"check", device}).err, profile + ":2:7: unknown system call 'reed'"));
    ::unlink((device + "/web.conf").c_str());
    ::rmdir(device.c_str());
    ::unlink(profile.c_str());
    CHECK(contains(refused(2, {"check", file}), "cannot read " + profile + ": No such file or directory"));
    CHECK(contains(refused(2, {"start", file}), "cannot read " + profile + ": No such file or directory"));
}

TEST_CASE("Landlock: what a service may reach at all")
{
    const NothingLeft nothing_left;
    const std::string rules = "[security]\nlandlock = [\"exec:/bin\", \"read:/etc\", \"write:/tmp\", \"write:/dev\"]\n";
    const std::string script =
        "cat /etc/passwd >/tmp/a && echo read; ls /root 2>/dev/null || echo closed; "
        "cat /proc/self/status 2>/dev/null || echo closed; (echo a >/run/a) 2>/dev/null || echo closed";
    const Finished tried = ctl({"run", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n" + rules)});
    if (tried.code != 0) {
        // A kernel without it: that is said, and nothing was started.
        CHECK(tried.code == 125);
        CHECK(contains(tried.err, "Landlock"));
        return;
    }
    inside_each(rules, script, "read\nclosed\nclosed\nclosed\n");
    inside_each("user = 1000\n" + rules, script, "read\nclosed\nclosed\nclosed\n");
    CHECK(contains(done({"show", sleeper("web", rules)}),
                   "landlock = [\"exec:/bin\", \"read:/etc\", \"write:/tmp\", \"write:/dev\"]"));
    CHECK(contains(refused(2, {"check", sleeper("web", "[security]\nlandlock = [\"all:/\"]\n")}),
                   "expected \"read:PATH\""));
    CHECK(refused(1, {"start", sleeper("web", "[security]\nlandlock = [\"exec:/\", \"read:/none\"]\n")}) ==
          "web: cannot limit access to files by Landlock, read:/none: No such file or directory");
    const OnOldKernel kernel({"--kernel", "5.12"});
    CHECK(refused(1, {"start", sleeper("web", rules)}) ==
          "web: cannot limit access to files: this kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK)");
}

TEST_CASE("no_new_privileges and seccomp are on, and can be turned off")
{
    const NothingLeft nothing_left;
    const std::string both = "grep -h -e ^NoNewPrivs -e ^Seccomp: /proc/self/status | tr -d '\\t' | tr '\\n' ' '";
    inside_each("", both, "NoNewPrivs:1 Seccomp:2 ");
    inside_each("[security]\nseccomp = \"off\"\n", both, "NoNewPrivs:1 Seccomp:0 ");
    inside_each("[security]\nno_new_privileges = false\nseccomp = \"off\"\n", both, "NoNewPrivs:0 Seccomp:0 ");
    // A filter without it would need more privileges than a service has. That is no matter of luck: `check` says so.
    const std::string why = refused(2, {"check", sleeper("web", "[security]\nno_new_privileges = false\n")});
    CHECK(contains(why, "web.conf:4:"));
    CHECK(contains(why, "seccomp"));
    // What the filter refuses, for one: a new user namespace.
    CHECK(inside("", "unshare -U true 2>/dev/null && echo yes || echo no") == "no\n");
    CHECK(inside("[security]\nseccomp = \"off\"\n", "unshare -U true 2>/dev/null && echo yes || echo no") == "yes\n");
    // A capability brings the calls that are of no use without it, to the services and to `exec`.
    inside_each("", "mount -t tmpfs none /tmp 2>/dev/null && echo yes || echo no", "no\n");
    inside_each("[security]\ncapabilities = [\"SYS_ADMIN\"]\n",
                "mount -t tmpfs none /tmp 2>/dev/null && echo yes || echo no", "yes\n");
}

TEST_CASE("namespaces are the container's own, and the host's where the spec says so")
{
    const NothingLeft nothing_left;
    for (const char* kind : {"mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
        INFO(std::string(kind));
        const std::string own = inside("", std::string("readlink /proc/self/ns/") + kind);
        CHECK(contains(own, kind));
        CHECK(own != namespace_of(kind) + "\n");
    }
    for (const char* kind : {"net", "ipc", "uts", "cgroup"}) {
        INFO(std::string(kind));
        const std::string more = std::string("[namespaces]\n") + kind + " = false\n";
        inside_each(more, std::string("readlink /proc/self/ns/") + kind, namespace_of(kind) + "\n");
    }
    CHECK(inside("", "readlink /proc/self/ns/user; readlink /proc/self/ns/time") ==
          namespace_of("user") + "\n" + namespace_of("time") + "\n");
}

TEST_CASE("a time namespace with a clock of its own")
{
    const NothingLeft nothing_left;
    const std::string more = "[namespaces]\ntime = true\nboottime_offset = \"100d\"\nmonotonic_offset = \"100d\"\n";
    inside_each(more, "[ $(cut -d. -f1 /proc/uptime) -ge 8640000 ] && echo later", "later\n");
}

TEST_CASE("a user namespace: root inside, nobody outside")
{
    const NothingLeft nothing_left;
    const std::string more =
        "[user_namespace]\nuid_map = [\"0 100000 1000\", \"1000 200000 1\"]\ngid_map = \"0 100000 65536\"\n";
    inside_each(more, "id -u; id -g; cat /proc/self/uid_map | tr -s ' '", "0\n0\n 0 100000 1000\n 1000 200000 1\n");
    (void)done({"start", sleeper("mapped", "user = 1000\n" + more)});
    const std::string pid = lines(read_text(cgroup("pids", "mapped/main/cgroup.procs"))).at(0);
    CHECK(contains(read_text("/proc/" + pid + "/status"), "Uid:\t200000\t200000\t200000\t200000\n"));
    CHECK(contains(read_text("/proc/" + std::to_string(init_pid("mapped")) + "/status"),
                   "Uid:\t100000\t100000\t100000\t100000\n"));
    CHECK(ctl({"exec", "mapped", "--", "/bin/id", "-u"}).out == "1000\n");
    (void)done({"stop", "mapped"});
}

TEST_CASE("paths that are masked or read-only, the built-in ones and the spec's")
{
    const NothingLeft nothing_left;
    // A masked directory is empty, a masked file reads as nothing.
    for (const char* path :
         {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/scsi", "/proc/acpi"}) {
        INFO(std::string(path));
        CHECK(inside("", std::string("[ -e ") + path + " ] || exit 0; if [ -d " + path + " ]; then ls -A " + path +
                             "; else head -c 10 " + path + " | wc -c | grep -vx 0 || :; fi") == "");
    }
    for (const char* path : {"/proc/sys/kernel/domainname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity",
                             "/proc/bus/x", "/proc/fs/x"}) {
        INFO(std::string(path));
        CHECK(inside("", std::string("{ echo 1 >") + path + "; } 2>/dev/null && echo written || echo refused") ==
              "refused\n");
    }
    inside_each("mask = [\"/etc\", \"/var/www/index.html\"]\n", "ls -A /etc; cat /var/www/index.html; echo end",
                "end\n");
    const std::string place = empty_directory("place", 0777);
    inside_each("mounts = [\"" + place + ":/data\", \"tmpfs:/scratch\"]\nread_only_paths = [\"/scratch\"]\n",
                "echo x >/data/x && echo written; { echo x >/scratch/x; } 2>/dev/null || echo refused",
                "written\nrefused\n");
}

TEST_CASE("set-user-id programs, devices and executables on mounts")
{
    const NothingLeft nothing_left;
    const std::string place = empty_directory("place", 0777);
    (void)run({"cp", root() + "/bin/busybox", place + "/id"});
    (void)run({"chmod", "4755", place + "/id"});
    (void)run({"mknod", "-m", "666", place + "/null", "c", "1", "3"});
    const std::string script = "/data/id -u; { echo x >/data/null; } 2>/dev/null && echo device || echo no device";
    const std::string user = "user = 1000\n[security]\nno_new_privileges = false\nseccomp = \"off\"\n";
    CHECK(inside("mounts = [\"" + place + ":/data\"]\n" + user, script) == "1000\nno device\n");
    CHECK(inside("mounts = [\"" + place + ":/data:noexec\"]\n" + user, "/data/id -u 2>/dev/null || echo $?") ==
          "126\n");
}

TEST_CASE("the host name is the container's name, or the spec's")
{
    const NothingLeft nothing_left;
    CHECK(inside("", "hostname") == "web\n");
    CHECK(inside("hostname = \"gateway\"\n", "hostname; cat /proc/sys/kernel/hostname") == "gateway\ngateway\n");
}

TEST_CASE("PID 1 cannot be killed, stopped or looked into from inside")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    CHECK(ctl({"exec", "web", "--", "/bin/sh", "-c",
               "kill -KILL 1; kill -STOP 1; cat /proc/1/fd/* /proc/1/mem /proc/1/environ 2>/dev/null; "
               "readlink /proc/1/exe 2>/dev/null; readlink /proc/1/root 2>/dev/null; echo end"})
              .out == "end\n");
    CHECK(field(ctl({"status", "--json", "web"}).out, {"container", "state"}) == "\"running\"");
    (void)done({"stop", "web"});
}

TEST_CASE("orphans are reaped, thousands of them")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"for i in $(seq 2000); do "
                                     "(true &) ; done; echo made; exec sleep 1000\"]\n")});
    CHECK(eventually([] { return ctl({"logs", "web"}).out == "made\n"; }));
    CHECK(eventually([] { return lines(read_text(cgroup("pids", "web/main/cgroup.procs"))).size() == 1; }));
    CHECK(ctl({"exec", "web", "--", "/bin/sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null"}).out == "");
    (void)done({"stop", "web"});
}

TEST_CASE("a service that leaves children in sessions of their own is stopped with all of them")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"setsid sh -c \\\"trap '' TERM "
                                     "HUP; while :; do sleep 1; done\\\" & echo up; exec sleep 1000\"]\n")});
    CHECK(eventually([] { return ctl({"logs", "web"}).out == "up\n"; }));
    (void)done({"stop", "web"});
}
