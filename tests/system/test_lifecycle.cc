// SPDX-License-Identifier: MIT
//
// A container's life in the background, as the person sees it who types the commands.

#include "harness.h"
#include "services.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("start, look at it, stop: and it is gone")
{
    const NothingLeft nothing_left;
    CHECK(done({"start", sleeper("web")}) == "");
    const std::string table = done({"list"});
    CHECK(lines(table).size() == 2);
    CHECK(contains(table, "NAME"));
    CHECK(contains(lines(table).at(1), "web"));
    CHECK(contains(lines(table).at(1), "running"));
    CHECK(contains(done({"status", "web"}), "web: running for"));
    CHECK(contains(done({"stats", "web"}), "tasks"));
    CHECK(done({"exec", "web", "--", "/bin/hostname"}) == "web\n");
    CHECK(done({"stop", "web"}) == "");
    CHECK(lines(done({"list"})).size() == 1);
    CHECK(contains(refused(3, {"status", "web"}), "web"));
}

TEST_CASE("start by a parent that ignores the ends of its children")
{
    const NothingLeft nothing_left;
    const Finished started = run({"env", "--ignore-signal=CHLD", ctl_words({}).front(), "start", sleeper("web")});
    CHECK(started.code == 0);
    CHECK(started.err == "");
    CHECK(done({"stop", "web"}) == "");
    // The same where it fails, and has to be undone.
    const std::string broken = sleeper("web", "mounts = [\"/dev:/nowhere\"]\n");
    const Finished failed = run({"env", "--ignore-signal=CHLD", ctl_words({}).front(), "start", broken});
    CHECK(failed.code == 1);
    CHECK(lines(failed.err).size() == 1);
}

TEST_CASE("a container under another name: `ctl`, and a file without .conf")
{
    const NothingLeft nothing_left;
    const std::string name = work() + "/ctl";
    (void)run({"ln", "-sf", ctl_words({}).front(), name});
    const Finished started = run({name, "start", sleeper("named", "name = \"other\"\n")});
    CHECK(started.code == 0);
    CHECK(started.err == "");
    CHECK(state("other") == "\"running\"");
    CHECK(run({name, "stop", "other"}).code == 0);
}

TEST_CASE("start --wait returns when it runs; a relative path to the spec will do")
{
    const NothingLeft nothing_left;
    (void)sleeper("near");
    const Finished started = run({"sh", "-c", "cd '" + work() + "' && exec \"$@\"", "sh", ctl_words({}).front(),
                                  "start", "--wait", "near.conf"});
    INFO(started.err);
    CHECK(started.code == 0);
    CHECK(field(ctl({"status", "--json", "near"}).out, {"services", "0", "state"}) == "\"ready\"");
    (void)done({"stop", "near"});
}

TEST_CASE("start --wait returns when what says that it is ready has said so, and not before")
{
    const NothingLeft nothing_left;
    const auto with = [](const std::string& script, const std::string& more) {
        return service_spec("web", "[service.main]\ncommand = " + shell(script) + "\n" + more);
    };
    // It is ready a moment after it runs.
    (void)done({"start", "--wait", with("sleep 0.3; echo >&3; exec sleep 1000", "ready = \"fd\"\n")});
    CHECK(of("web", "main", "state") == "\"ready\"");
    (void)done({"stop", "web"});
    // Not in time, by its own measure, for good; and by the caller's, and goes on.
    const std::string never = with("exec sleep 1000", "ready = \"fd\"\nstart_timeout = \"200ms\"\n");
    CHECK(refused(1, {"start", "--wait", never}) == "web: it was not ready in time");
    (void)done({"stop", "web"});
    const std::string long_timed = with("exec sleep 1000", "ready = \"fd\"\n");
    CHECK(refused(1, {"start", "--wait", "--timeout=200ms", long_timed}) == "web: it is running, but not ready yet");
    CHECK(of("web", "main", "state") == "\"starting\"");
    (void)done({"stop", "web"});
    // It ended first: well, and not.
    (void)done({"start", "--wait", with("exit 0", "")});
    (void)done({"stop", "web"});
    CHECK(refused(1, {"start", "--wait", with("sleep 0.2; exit 3", "ready = \"fd\"\n")}) ==
          "web: it ended before it was ready");
    (void)done({"stop", "web"});
}

TEST_CASE("stop of what is still being started says that")
{
    const NothingLeft nothing_left;
    // As its launcher has it until the container runs.
    const std::string place = "/run/vial/web";
    CHECK(run({"mkdir", "-p", "-m", "700", place}).code == 0);
    {
        const Fd journal(::open((place + "/journal").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        struct flock whole {};
        whole.l_type = F_WRLCK;
        REQUIRE(::fcntl(journal.get(), F_SETLK, &whole) == 0);
        CHECK(state("web") == "\"starting\"");
        CHECK(refused(1, {"stop", "web"}) == "vial: web: it is still being started; try again");
    }
    (void)done({"list"});
    (void)ctl({"stop", "web"});
    CHECK_FALSE(exists(place));
}

TEST_CASE("start --wait fails where somebody stops the container before it is ready")
{
    const NothingLeft nothing_left;
    const std::string quiet = "command = " + shell("trap 'exit 0' TERM; while :; do sleep 0.1; done") + "\n";
    const std::string late = quiet + "ready = \"fd\"\n";
    for (const std::string& services :
         {"[service.late]\n" + late, "[service.quiet]\n" + quiet + "[service.late]\n" + late}) {
        const std::string file = service_spec("web", services);
        Process waiting(ctl_words({"start", "--wait", file}));
        CHECK(eventually([] { return state("web") == "\"running\""; }));
        (void)done({"stop", "web"});
        CHECK(waiting.wait() == 1);
        CHECK(waiting.errors() == "web: the container is stopping\n");
    }
}

TEST_CASE("start --wait says the whole of why, however long the names are")
{
    const NothingLeft nothing_left;
    const std::string needed(64, 'n'), needs(64, 'm');
    const std::string file = service_spec(
        "web", "[service." + needs + "]\ncommand = " + shell("exec sleep 1000") + "\nrequires = [\"" + needed +
                   "\"]\n[service." + needed + "]\noneshot = true\ncommand = " + shell("sleep 0.2; exit 3") + "\n");
    CHECK(refused(1, {"start", "--wait", file}) == "web: " + needs + ": requires " + needed + ", which failed");
    (void)done({"stop", "web"});
}

TEST_CASE("a control group that is made below a container's while that is removed goes with it")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    const std::string leaf = cgroup("pids", "web/main"), late = cgroup("pids", "web/exec");
    const std::string freezer = "/sys/fs/cgroup/freezer/late";
    if (run({"mkdir", freezer}).code != 0) {
        MESSAGE("skipped: this machine has no freezer of version 1");
        (void)done({"stop", "web"});
        return;
    }
    // Who cannot end yet keeps its leaf, and so the removal waits.
    Process stays({"sleep", "1000"});
    const std::string pid = std::to_string(stays.pid());
    CHECK(run({"sh", "-c",
               "echo FROZEN >" + freezer + "/freezer.state && echo " + pid + " >" + freezer + "/tasks && echo " + pid +
                   " >" + leaf + "/tasks"})
              .code == 0);
    Process stopping(ctl_words({"stop", "web"}));
    CHECK(eventually([&] { return !exists(cgroup("pids", "web/init")); }));
    // As of an `exec` that comes at that moment; a moment later, for `init` is the first to be looked for.
    CHECK(run({"sh", "-c", "sleep 0.1; mkdir " + late + "; echo THAWED >" + freezer + "/freezer.state"}).code == 0);
    CHECK(stopping.wait() == 0);
    CHECK(stopping.errors() == "");
    CHECK_FALSE(exists(cgroup("pids", "web")));
    (void)stays.wait();
    CHECK(
        run({"sh", "-c", "for i in 1 2 3 4 5 6 7 8; do rmdir " + freezer + " && exit; sleep 0.1; done; exit 1"}).code ==
        0);
    // What a failure of this test leaves.
    (void)run({"sh", "-c", "rmdir " + late + " " + cgroup("pids", "web") + " 2>/dev/null; :"});
}

TEST_CASE("--set changes a key for this start")
{
    const NothingLeft nothing_left;
    (void)done({"start", "--set", "hostname=other", "--set=limits.tasks=17", sleeper("web")});
    CHECK(done({"exec", "web", "--", "/bin/hostname"}) == "other\n");
    CHECK(contains(done({"show", "web"}), "tasks = 17"));
    (void)done({"stop", "web"});
}

TEST_CASE("list, status and stats as JSON")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"32M\"\ntasks = 20\n")});
    (void)done({"start", sleeper("other")});

    const std::string list = done({"list", "--json"});
    CHECK(run({"python3", "-m", "json.tool"}, list).code == 0);
    CHECK(field(list, {"0", "name"}) == "\"other\"");
    CHECK(field(list, {"1", "name"}) == "\"web\"");
    CHECK(field(list, {"1", "state"}) == "\"running\"");
    CHECK(init_pid("web") > 1);
    CHECK(field(list, {"1", "exit_code"}) == "null");
    CHECK(field(list, {"1", "ended_at"}) == "null");
    CHECK(field(list, {"2"}) == "");

    const std::string status = done({"status", "--json", "web"});
    CHECK(run({"python3", "-m", "json.tool"}, status).code == 0);
    CHECK(field(status, {"container", "container"}) == "\"web\"");
    CHECK(field(status, {"container", "state"}) == "\"running\"");
    CHECK(field(status, {"services", "0", "service"}) == "\"main\"");
    CHECK(field(status, {"services", "0", "state"}) == "\"ready\"");
    CHECK(field(status, {"services", "0", "restarts"}) == "0");
    CHECK(field(status, {"services", "0", "last_exit"}) == "null");

    const std::string stats = done({"stats", "--json", "web"});
    CHECK(run({"python3", "-m", "json.tool"}, stats).code == 0);
    CHECK(field(stats, {"container", "memory", "limit"}) == "33554432");
    CHECK(json::number(field(stats, {"container", "memory", "current"})).value_or(0) > 0);
    CHECK(field(stats, {"container", "tasks", "limit"}) == "20");
    CHECK(json::number(field(stats, {"container", "tasks", "current"})).value_or(0) == 2);
    CHECK(json::number(field(stats, {"container", "cpu", "usage_usec"})).value_or(0) > 0);
    CHECK(json::number(field(stats, {"container", "uptime_ms"})).value_or(-1) >= 0);
    CHECK(field(stats, {"container", "network", "lo", "rx_bytes"}) != "");

    // On the host, PID 1 is what `list` says it is.
    CHECK(contains(read_text("/proc/" + std::to_string(init_pid("web")) + "/cmdline"), "vial-init"));
    (void)done({"stop", "web", "other"});
}

TEST_CASE("one that ended is listed with its code and when, until it is put away")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("three", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]\n")});
    CHECK(waited("three") == "3\n");
    CHECK(ends("three"));
    CHECK(field(listed("three"), {"exit_code"}) == "3");
    CHECK(json::number(field(listed("three"), {"ended_at"})).value_or(0) > 1600000000000);
    CHECK(field(listed("three"), {"pid"}) == "null");
    const std::string line = lines(done({"list"})).at(1);
    CHECK(contains(line, "exited with 3"));
    CHECK(contains(line, " ago"));
    CHECK(contains(done({"status", "three"}), "exited with 3"));
    CHECK(field(done({"status", "--json", "three"}), {"container", "exit_code"}) == "3");
    CHECK(waited("three") == "3\n");
    // `exec` keeps its lower codes for the command.
    CHECK(refused(125, {"exec", "three", "--", "/bin/true"}) == "three: it is not running; see `vial list`");
    (void)done({"stop", "three"});
}

TEST_CASE("a second start of a name that has ended is a new life")
{
    const NothingLeft nothing_left;
    const std::string file = spec("again", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]\n");
    (void)done({"start", file});
    CHECK(waited("again") == "3\n");
    (void)done({"start", "--set", "command=[\"/bin/sh\", \"-c\", \"exit 4\"]", file});
    CHECK(waited("again") == "4\n");
    (void)done({"stop", "again"});
}

TEST_CASE("wait waits, and for several")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("one")});
    (void)done({"start", sleeper("two")});
    Process waiting(ctl_words({"wait", "one", "two"}));
    (void)done({"kill", "--signal=TERM", "two"});
    (void)done({"kill", "--signal", "KILL", "one"});
    CHECK(waiting.wait() == 0);
    // The first was killed together with its PID 1, which could say nothing any more.
    CHECK(waiting.output() == "unknown\n143\n");
    (void)done({"stop", "one", "two"});
}

TEST_CASE("kill sends the signal that was asked for, to the service that was asked for")
{
    const NothingLeft nothing_left;
    const std::string trap = "trap 'echo got USR1' USR1; echo set; while :; do sleep 0.05; done";
    (void)done(
        {"start", spec("signals", "root = \"ROOT\"\n[service.a]\ncommand = [\"/bin/sh\", \"-c\", \"" + trap + "\"]\n" +
                                      "[service.b]\ncommand = [\"/bin/sh\", \"-c\", \"" + trap + "\"]\n")});
    CHECK(eventually([] { return ctl({"logs", "signals"}).out == "set\nset\n"; }));
    (void)done({"kill", "-s", "USR1", "--service=b", "signals"});
    CHECK(eventually([] { return ctl({"logs", "signals"}).out == "set\nset\ngot USR1\n"; }));
    (void)done({"kill", "-s", "SIGUSR1", "signals"});
    CHECK(eventually([] { return ctl({"logs", "signals"}).out == "set\nset\ngot USR1\ngot USR1\ngot USR1\n"; }));
    CHECK(contains(refused(1, {"kill", "-s", "USR1", "--service=c", "signals"}), "no such service: c"));
    (void)done({"kill", "signals"});
    CHECK(state("signals") == "\"exited\"");
    (void)done({"stop", "signals"});
}

TEST_CASE("stop asks first, and kills what does not listen")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", spec("polite", "root = \"ROOT\"\nstop_signal = \"USR2\"\ncommand = [\"/bin/sh\", \"-c\", "
                                 "\"trap 'echo asked; exit 0' USR2; echo set; while :; do sleep 0.05; done\"]\n")});
    CHECK(eventually([] { return ctl({"logs", "polite"}).out == "set\n"; }));
    Process follower(ctl_words({"logs", "-f", "polite"}));
    CHECK(follower.expect("set\n"));
    (void)done({"stop", "polite"});
    CHECK(follower.wait() == 0);
    CHECK(contains(follower.output(), "asked\n"));

    (void)done({"start", spec("deaf", "root = \"ROOT\"\nstop_timeout = \"200ms\"\ncommand = [\"/bin/sh\", \"-c\", "
                                      "\"trap '' TERM; echo set; while :; do sleep 0.05; done\"]\n")});
    CHECK(eventually([] { return ctl({"logs", "deaf"}).out == "set\n"; }));
    (void)done({"stop", "deaf"});

    (void)done({"start", spec("deaf", "root = \"ROOT\"\nstop_timeout = \"1h\"\ncommand = [\"/bin/sh\", \"-c\", "
                                      "\"trap '' TERM; echo set; while :; do sleep 0.05; done\"]\n")});
    CHECK(eventually([] { return ctl({"logs", "deaf"}).out == "set\n"; }));
    (void)done({"stop", "--timeout=100ms", "deaf"});
}

TEST_CASE("stop of one that has ended puts it away; of one that never was is an error")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("short", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n")});
    CHECK(waited("short") == "0\n");
    (void)done({"stop", "short"});
    CHECK(contains(refused(3, {"stop", "short"}), "short"));
}

TEST_CASE("restart begins anew with the same spec")
{
    const NothingLeft nothing_left;
    const std::string file = sleeper("web", "hostname = \"first\"\n");
    (void)done({"start", file});
    const pid_t before = init_pid("web");
    write_text(file, "this is no spec any more");
    (void)done({"restart", "web"});
    CHECK(init_pid("web") > 0);
    CHECK(init_pid("web") != before);
    CHECK(done({"exec", "web", "--", "/bin/hostname"}) == "first\n");
    (void)done({"stop", "web"});
}

TEST_CASE("restart of one that has ended starts it")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("short", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]\n")});
    CHECK(waited("short") == "3\n");
    (void)done({"restart", "short"});
    CHECK(waited("short") == "3\n");
    (void)done({"stop", "short"});
}

TEST_CASE("init = false: what there is to know without vial inside")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("bare", "init = false\nstop_timeout = \"20ms\"\n")});
    CHECK(state("bare") == "\"running\"");
    CHECK(ctl({"exec", "bare", "--", "/bin/sh", "-c", "tr '\\0' ' ' </proc/1/cmdline"}).out == "/bin/sleep 1000 ");
    CHECK(contains(refused(1, {"status", "bare"}), "init = false"));
    CHECK(contains(refused(1, {"logs", "bare"}), "init = false"));
    // PID 1 hears no signal that it has not asked for, but the last.
    (void)done({"kill", "bare"});
    CHECK(eventually([] { return state("bare") == "\"exited\""; }));
    CHECK(waited("bare") == "unknown\n");
    (void)done({"stop", "bare"});

    CHECK(ctl({"run", "--root", root(), "--set", "init=false", "--", "/bin/sh", "-c", "echo $$; exit 9"}).code == 9);
    CHECK(ctl({"run", "--root", root(), "--set", "init=false", "--", "/bin/sh", "-c", "echo $$"}).out == "1\n");
}

TEST_CASE("status in the moment a container ends says one thing or the other")
{
    const NothingLeft nothing_left;
    const std::string file = spec("brief", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\n");
    for (int turn = 0; turn < 20; turn++) {
        (void)done({"start", file});
        std::string status;
        do
            status = done({"status", "brief"});
        while (contains(status, "running") || contains(status, "stopping"));
        CHECK(contains(status, "exited with 0"));
        (void)done({"stop", "brief"});
    }
}

TEST_CASE("killed from outside: `killed, code unknown`, and the next look clears what it left")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                sleeper("victim",
                        "[network.eth0]\nbridge = \"br-crash\"\naddress = \"10.9.1.2/24\"\ngateway = \"10.9.1.1\"\n")});
    CHECK(exists(cgroup("pids", "victim")));
    const pid_t pid = init_pid("victim");
    ::kill(pid, SIGKILL);
    CHECK(eventually([&] { return contains(ctl({"list"}).out, "killed, code unknown"); }));
    CHECK(contains(done({"status", "victim"}), "killed, code unknown"));
    CHECK(field(listed("victim"), {"exit_code"}) == "null");
    CHECK(waited("victim") == "unknown\n");
    // The interface goes with its namespace, a little later; the rest was cleared by `list`.
    CHECK_FALSE(exists(cgroup("pids", "victim")));
    CHECK(eventually([] { return interfaces().size() == 1; }));
    (void)done({"stop", "victim"});
}

TEST_CASE("two starts of one name at once: exactly one wins, twenty times")
{
    const NothingLeft nothing_left;
    const std::string file = sleeper("race");
    for (int round = 0; round < 20; round++) {
        Process first(ctl_words({"start", file})), second(ctl_words({"start", file}));
        const int one = first.wait(), two = second.wait();
        INFO("round ", round, ": ", first.errors(), second.errors());
        CHECK(one + two == 1);
        const std::string loser = first.errors() + second.errors();
        CHECK(lines(loser).size() == 1);
        CHECK(contains(loser, "race: "));
        CHECK(contains(loser, "already"));
        CHECK(lines(done({"list"})).size() == 2);
        (void)done({"stop", "race"});
    }
}

TEST_CASE("start of one that runs is refused, and harms it not")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    const pid_t pid = init_pid("web");
    CHECK(refused(1, {"start", sleeper("web")}).find("running already") != std::string::npos);
    CHECK(init_pid("web") == pid);
    (void)done({"stop", "web"});
}

TEST_CASE("a killed launcher leaves nothing that the next look does not clear")
{
    const NothingLeft nothing_left;
    const std::string file = sleeper("halfway", "[network.eth0]\nbridge = \"br-half\"\naddress = \"10.9.2.2/24\"\n");
    // Killed at some point of its way, a bit later each time.
    for (int turn = 0; turn < 30; turn++) {
        Process launcher(ctl_words({"start", file}));
        (void)run({"busybox", "usleep", std::to_string(turn * 500)});
        launcher.kill(SIGKILL);
        (void)launcher.wait();
        (void)done({"list"});
        const std::string is = state("halfway");
        INFO("turn ", turn, ": ", is);
        CHECK((is == "" || is == "\"running\""));
        if (is == "\"running\"")
            (void)done({"stop", "halfway"});
    }
}
