// SPDX-License-Identifier: MIT
//
// `vial init -- COMMAND` and the PID namespace it is in: the first process and another than the first, those who come
// from outside, and doing nothing. See pid1.h; what its peers did is written where they failed.

#include "pid1.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("pid1-44: KILL and STOP from inside change nothing")
{
    const NothingLeft nothing_left;
    Contained process(pid1(script("kill -KILL 1; kill -STOP 1; kill -KILL -1; kill -STOP 1; exec WITNESS signals")));
    CHECK(process.says("set"));
    CHECK(state_of(process.pid()) == 'S');
    process.kill(SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 5\n");
    CHECK(process.end() == 5);
}

TEST_CASE("pid1-45: reboot inside ends init, and nothing else")
{
    const NothingLeft nothing_left;
    // The kernel's word for it: HUP for a reboot, INT for a power-off.
    for (const int off : {0, 1}) {
        Contained process(pid1(witness({"reboot", std::to_string(off)})));
        CHECK(process.end() == 128 + (off == 0 ? SIGHUP : SIGINT));
    }
}

TEST_CASE("pid1-45: the launcher reports a container that rebooted or was powered off as that")
{
    if (!is_vial())
        return;
    const NothingLeft nothing_left;
    const std::string directory = empty_directory("programs");
    CHECK(run({"cp", payload("witness"), directory + "/witness"}).code == 0);
    for (const int off : {0, 1}) {
        const std::string file =
            spec("machine", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo up; read -r line; "
                            "exec /data/witness reboot " +
                                std::to_string(off) + "\"]\nmounts = [\"" + directory +
                                ":/data:ro\"]\n[security]\ncapabilities = [\"SYS_BOOT\"]\nseccomp = \"off\"\n");
        Process process(ctl_words({"run", file}));
        CHECK(process.expect("up\n", patience));
        CHECK(eventually(
            [] { return init_pid("machine") > 1; }));  // before that its launcher takes it for a failed start
        process.send("now\n");
        CHECK(process.wait(patience) != -1);
        CAPTURE(process.errors());
        CHECK(contains(process.errors(), off == 0 ? "rebooted" : "powered off"));
        CHECK_FALSE(contains(process.errors(), "killed"));
    }
}

// tini -s and catatonit (always) pass; dumb-init is none, and its orphans go elsewhere.
TEST_CASE("pid1-46: as a subreaper, not PID 1: orphans, signals, codes and the end are as ever")
{
    const NothingLeft nothing_left;
    Contained process(not_pid1({"--subreaper", "--grace", "60s"}, witness({"orphans", "300", "signals"})));
    CHECK(process.says("set"));
    const pid_t init = child_of(process.pid());
    CHECK(eventually([&] { return children_of(init).size() == 1; }, patience));
    for (const int number : {SIGHUP, SIGTERM, SIGUSR1, 40}) {
        (void)send_signal(init, number);
        CHECK(process.says("got " + std::to_string(number)));
    }
    process.send("exit 7\n");
    CHECK(process.end() == 7);
    CHECK_FALSE(contains(process.output(), "stray"));
    CHECK_FALSE(contains(process.output(), "left behind"));
}

// tini -s, dumb-init and catatonit leave them behind.
TEST_CASE("pid1-46: as a subreaper it leaves nobody behind, in whatever session, and who does not listen is killed")
{
    const NothingLeft nothing_left;
    Contained process(not_pid1({"--subreaper", "--grace", "100ms"},
                               script("(WITNESS name apart session signals </dev/null &); "
                                      "(WITNESS name beside signals </dev/null &); "
                                      "(setsid sh -c 'sleep 1000 & sleep 1000' &); exec WITNESS signals")));
    for (int which = 0; which < 3; which++)
        CHECK(process.says("set"));
    const pid_t init = child_of(process.pid());
    CHECK(eventually([&] { return children_of(init).size() == 4; }, patience));
    process.send("exit 7\n");
    CHECK(process.end() == 7);
    CHECK(contains(process.output(), "apart: got 15"));
    CHECK(contains(process.output(), "beside: got 15"));
    CHECK_FALSE(contains(process.output(), "stray"));
    CHECK_FALSE(contains(process.output(), "left behind"));
}

// tini says so; dumb-init and catatonit do not.
TEST_CASE("pid1-46: not PID 1 and no subreaper: it says so, and goes on")
{
    const NothingLeft nothing_left;
    Contained process(not_pid1({}, witness()));
    CHECK(process.says("set"));
    (void)send_signal(child_of(process.pid()), SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 7\n");
    CHECK(process.end() == 7);
    CHECK(contains(process.errors(), "PID 1"));
}

// tini -s and catatonit exit 1.
TEST_CASE("pid1-46: where it cannot become a subreaper it says so, and goes on")
{
    const NothingLeft nothing_left;
    Words words = not_pid1({"--subreaper"}, witness());
    words.insert(words.begin() + 2, {payload("oldkernel"), "--without", "prctl:PR_SET_CHILD_SUBREAPER", "--"});
    Contained process(words);
    CHECK(process.says("set"));
    process.send("exit 7\n");
    CHECK(process.end() == 7);
    CHECK(contains(process.errors(), "subreaper"));
}

// What systemd asks of whoever starts it, see https://systemd.io/CONTAINER_INTERFACE, but for $NOTIFY_SOCKET: nobody would
// listen. Its place is taken by a script that looks around, and ends when it is asked to in systemd's way.
TEST_CASE("pid1-47: a systemd payload gets the environment, the stop signal and the /sys that it asks for")
{
    if (!is_vial())
        return;
    const NothingLeft nothing_left;
    const std::string file = spec("machine", "root = \"ROOT\"\ninit = false\nstop_signal = \"RTMIN+3\"\n"
                                             "command = [\"/bin/sh\", \"-c\", \"trap 'echo stopped; exit 0' 37; "
                                             "echo container=$container is it; "
                                             "echo uuid=$container_uuid notify=$NOTIFY_SOCKET.; "
                                             "grep -q ' /sys sysfs ro' /proc/mounts && echo read-only; "
                                             "echo $$ is up; while :; do sleep 1000 & wait; done\"]\n");
    std::string ids[2];
    for (std::string& id : ids) {
        Process process(ctl_words({"run", file}));
        const bool up = process.expect("1 is up", patience);
        CAPTURE(process.errors());
        CHECK(up);
        CHECK(contains(process.output(), "container=vial "));
        CHECK(contains(process.output(), "read-only"));
        if (!up)
            return;
        id = process.output().substr(process.output().find("uuid=") + 5, 32);
        CHECK(id.find_first_not_of("0123456789abcdef") == id.npos);
        CHECK(contains(process.output(), "uuid=" + id + " notify=.\n"));
        CHECK(ctl({"stop", "machine"}).code == 0);
        CHECK(process.expect("stopped", patience));
        CHECK(process.wait(patience) == 0);
    }
    CHECK(ids[0] != ids[1]);  // one of each start
}

TEST_CASE("pid1-47: a systemd payload has /dev/console, and it is a terminal")
{
    if (!is_vial())
        return;
    const NothingLeft nothing_left;
    const std::string file =
        spec("machine", "root = \"ROOT\"\ninit = false\ncommand = [\"/bin/sh\", \"-c\", "
                        "\"test -c /dev/console && test -t 0 < /dev/console && echo con''sole; exit 4\"]\n");
    Process process(ctl_words({"run", file}), Process::Streams::Terminal);
    CHECK(process.wait(patience) == 4);
    CAPTURE(process.output());
    CHECK(contains(process.output(), "console"));
}

// All three reap, and none asks.
TEST_CASE("pid1-48: those put in from outside are reaped when they come to init, and are asked at the end")
{
    const NothingLeft nothing_left;
    Contained process(pid1({"--grace", "60s"}, witness()));
    CHECK(process.says("set"));
    // This one's parent goes away at once, outside.
    CHECK(run({"sh", "-c", "\"$@\" & exit 0", "sh", "nsenter", "--no-fork", "--target", std::to_string(process.pid()),
               "--pid", "--mount", payload("witness"), "exit", "3"})
              .code == 0);
    // And these are orphans that a visitor made.
    CHECK(run(inside(process.pid(), witness({"orphans", "50"}))).code == 0);
    CHECK(eventually([&] { return children_of(process.pid()).size() == 1; }, patience));
    CHECK_FALSE(process.has_ended());

    Process visitor(inside(process.pid(), witness()));
    CHECK(visitor.expect("set\n", patience));
    process.send("exit 7\n");
    // It gets its time as the others do; its parent, outside, is who hears of its end.
    CHECK(visitor.expect("got 15\n", patience));
    CHECK_FALSE(process.has_ended());
    visitor.send("exit 5\n");
    CHECK(visitor.wait(patience) == 5);
    CHECK(process.end() == 7);
}

TEST_CASE("pid1-60: the child's score for the out-of-memory killer is what init's was")
{
    const NothingLeft nothing_left;
    Contained process(pid1(script("cat /proc/self/oom_score_adj; exec WITNESS signals")),
                      [] { write_text("/proc/self/oom_score_adj", "100"); });
    CHECK(process.says("100"));
    CHECK(process.says("set"));
    // To go below what it was takes CAP_SYS_RESOURCE, which not every machine has that runs this.
    const bool may = (std::strtoull(status_of(process.pid(), "CapEff").c_str(), nullptr, 16) >> 24 & 1) != 0;
    const std::string own = read_text("/proc/" + std::to_string(process.pid()) + "/oom_score_adj");
    CHECK(own == (may ? "-1000\n" : "100\n"));
    if (!may)
        MESSAGE("not run: that it is -1000 for init takes CAP_SYS_RESOURCE; tests/vm has it");
}

// All three exit 1: the container does not start.
TEST_CASE("pid1-60: a refused fork is tried again, and said")
{
    const NothingLeft nothing_left;
    const std::string below = cgroup("pids", ""), top = below.substr(0, below.find("vial/"));
    const std::string group = top + "pid1-60";
    if (cgroup_is_unified() || !exists(top + "cgroup.procs") || ::mkdir(group.c_str(), 0755) != 0) {
        MESSAGE("not run: there is no hierarchy of version 1 with pids");
        return;
    }
    const std::string file = work() + "/refused.conf";
    write_text(file, "command = [\"/bin/sh\", \"-c\", \"exit 5\"]\n");
    for (const bool spec : {false, true}) {
        if (spec && !is_vial())
            continue;
        write_text(group + "/pids.max", "1");
        const auto refusals = [&] { return std::atol(read_text(group + "/pids.events").c_str() + sizeof "max"); };
        const long before = refusals();
        Contained process(spec ? ctl_words({"init", "--spec", file}) : pid1(witness({"exit", "5"})),
                          [&] { write_text(group + "/tasks", "0"); });
        CHECK(eventually(
            [&] {
                (void)process.expect("\n", 20);
                return contains(process.errors(), "Resource temporarily unavailable") || process.has_ended();
            },
            patience));
        if (spec) {
            // Once for all the services' attempts. The first refusal is that of who would have read the spec aside.
            CHECK(eventually([&] { return refusals() >= before + 5; }, patience));
            (void)process.expect("\n", 20);
            CHECK(lines(process.errors()).size() == 1);
            CHECK(contains(process.errors(), "main: cannot create the process"));
        }
        write_text(group + "/pids.max", "max");
        CHECK(process.end() == 5);
    }
    CHECK(eventually([&] { return ::rmdir(group.c_str()) == 0; }, patience));
}

TEST_CASE("pid1-60: where another thing is refused to a service than before, that is said, too")
{
    const NothingLeft nothing_left;
    const std::string below = cgroup("pids", ""), top = below.substr(0, below.find("vial/"));
    const std::string group = top + "pid1-60";
    if (!is_vial())
        return;
    if (cgroup_is_unified() || !exists(top + "cgroup.procs") || ::mkdir(group.c_str(), 0755) != 0) {
        MESSAGE("not run: there is no hierarchy of version 1 with pids");
        return;
    }
    const std::string file = work() + "/refused.conf";
    write_text(file, "command = [\"/bin/sh\", \"-c\", \"exit 5\"]\n");
    write_text(group + "/pids.max", "1");
    Contained process(ctl_words({"init", "--spec", file}), [&] { write_text(group + "/tasks", "0"); });
    const auto hears = [&](const char* words) {
        return eventually(
            [&] {
                (void)process.expect("\n", 20);
                return contains(process.errors(), words);
            },
            patience);
    };
    CHECK(hears("Resource temporarily unavailable; trying again\n"));
    rlimit before{};
    CHECK(::prlimit(process.pid(), RLIMIT_NOFILE, nullptr, &before) == 0);
    const rlimit few{3, before.rlim_max};
    CHECK(::prlimit(process.pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
    CHECK(hears("No file descriptors available; trying again\n"));
    CHECK(::prlimit(process.pid(), RLIMIT_NOFILE, &before, nullptr) == 0);
    write_text(group + "/pids.max", "max");
    CHECK(process.end() == 5);
    CHECK(lines(process.errors()).size() < 4);
    CHECK(eventually([&] { return ::rmdir(group.c_str()) == 0; }, patience));
}
