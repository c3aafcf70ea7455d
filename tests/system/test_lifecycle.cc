// SPDX-License-Identifier: MIT
//
// A container's life in the background, as the person sees it who types the commands.

#include "harness.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string state(const std::string& name)
{
    return field(listed(name), {"state"});
}

bool ends(const std::string& name)
{
    return eventually([&] { return state(name) == "\"exited\""; });
}

/// Waits for the container's end with `vial wait`, which prints the code.
std::string waited(const std::string& name)
{
    return done({"wait", name});
}

std::string service_field(const std::string& container, int index, const std::string& key)
{
    return field(ctl({"status", "--json", container}).out, {"services", std::to_string(index), key});
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != text.npos;
}

}  // namespace

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
    const Finished started =
        run({"sh", "-c", "cd '" + work() + "' && exec \"$@\"", "sh", ctl_words({}).front(), "start", "--wait", "near.conf"});
    INFO(started.err);
    CHECK(started.code == 0);
    CHECK(field(ctl({"status", "--json", "near"}).out, {"services", "0", "state"}) == "\"ready\"");
    (void)done({"stop", "near"});
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
    (void)done({"start", spec("signals", "root = \"ROOT\"\n[service.a]\ncommand = [\"/bin/sh\", \"-c\", \"" + trap + "\"]\n" +
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
    (void)done({"start", spec("polite", "root = \"ROOT\"\nstop_signal = \"USR2\"\ncommand = [\"/bin/sh\", \"-c\", "
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

TEST_CASE("killed from outside: `killed, code unknown`, and the next look clears what it left")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("victim", "[network.eth0]\nbridge = \"br-crash\"\naddress = \"10.9.1.2/24\"\ngateway = \"10.9.1.1\"\n")});
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

TEST_CASE("restart = \"on-failure\" starts what failed again, and not what ended well")
{
    const NothingLeft nothing_left;
    // Fails twice, then is content.
    const std::string script = "echo run >>/srv/runs; [ $(wc -l </srv/runs) -ge 3 ]";
    (void)done({"start", spec("flaky", "root = \"ROOT\"\noverlay = \"tmpfs\"\nrestart = \"on-failure\"\nrestart_delay = \"10ms\"\n"
                                       "command = [\"/bin/sh\", \"-c\", \"" + script + "\"]\n")});
    CHECK(waited("flaky") == "0\n");
    CHECK(contains(read_text("/run/vial/flaky/exit"), "\"restarts\":2"));
    (void)done({"stop", "flaky"});
}

TEST_CASE("restart = \"no\" leaves it ended; restart = \"always\" starts it again whatever it said")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("once", "root = \"ROOT\"\nrestart = \"no\"\ncommand = [\"/bin/false\"]\n")});
    CHECK(waited("once") == "1\n");
    (void)done({"stop", "once"});

    (void)done({"start", spec("always", "root = \"ROOT\"\nrestart = \"always\"\nrestart_delay = \"5ms\"\ncommand = [\"/bin/true\"]\n")});
    CHECK(eventually([] { return json::number(service_field("always", 0, "restarts")).value_or(0) >= 3; }));
    CHECK(field(service_field("always", 0, "last_exit"), {"code"}) == "0");
    (void)done({"stop", "always"});
}

TEST_CASE("restart_delay is waited, and stop does not wait for it")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("slow", "root = \"ROOT\"\nrestart = \"always\"\nrestart_delay = \"1h\"\ncommand = [\"/bin/false\"]\n")});
    CHECK(eventually([] { return service_field("slow", 0, "state") == "\"backoff\""; }));
    CHECK(contains(done({"status", "slow"}), "exited with 1"));
    (void)done({"stop", "slow"});
}

TEST_CASE("several services run side by side, each by itself")
{
    const NothingLeft nothing_left;
    const std::string file = spec("pair", "root = \"ROOT\"\n"
                                          "[service.steady]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                          "[service.flaky]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.02; exit 7\"]\n"
                                          "restart = \"on-failure\"\nrestart_delay = \"10ms\"\n"
                                          "[service.nobody]\nuser = 65534\ngroup = 65534\ncommand = [\"/bin/sh\", \"-c\", \"id -u; exec sleep 1000\"]\n");
    (void)done({"start", file});
    const std::string steady = service_field("pair", 0, "pid");
    CHECK(service_field("pair", 0, "service") == "\"steady\"");
    CHECK(service_field("pair", 1, "service") == "\"flaky\"");
    CHECK(eventually([] { return json::number(service_field("pair", 1, "restarts")).value_or(0) >= 2; }));
    CHECK(service_field("pair", 0, "restarts") == "0");
    CHECK(service_field("pair", 0, "pid") == steady);
    CHECK(eventually([] { return ctl({"logs", "pair"}).out.find("65534\n") != std::string::npos; }));
    for (const char* service : {"steady", "nobody"})
        CHECK(lines(read_text(cgroup("pids", std::string("pair/") + service + "/cgroup.procs"))).size() == 1);
    (void)done({"stop", "pair"});
}

TEST_CASE("a container of several services ends with the last of them")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("two", "root = \"ROOT\"\n[service.a]\ncommand = [\"/bin/true\"]\n"
                                     "[service.b]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.1; exit 5\"]\n")});
    CHECK(waited("two") == "5\n");
    (void)done({"stop", "two"});
}

TEST_CASE("logs: what was written, and it survives the end")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("writer", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo to stdout; echo to stderr >&2; "
                                        "printf 'no newline'\"]\n")});
    CHECK(waited("writer") == "0\n");
    CHECK(done({"logs", "writer"}) == "to stdout\nto stderr\nno newline");
    CHECK(done({"logs", "-f", "writer"}) == "to stdout\nto stderr\nno newline");
    CHECK(ends("writer"));
    CHECK(done({"logs", "writer"}) == "to stdout\nto stderr\nno newline");
    (void)done({"stop", "writer"});
}

TEST_CASE("logs -f goes on until the end")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("ticker", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", "
                                        "\"echo first; while ! [ -e /tmp/go ]; do sleep 0.02; done; echo last\"]\n")});
    Process follower(ctl_words({"logs", "--follow", "ticker"}));
    CHECK(follower.expect("first\n"));
    (void)done({"exec", "ticker", "--", "/bin/touch", "/tmp/go"});
    CHECK(follower.wait() == 0);
    CHECK(follower.output() == "first\nlast\n");
    (void)done({"stop", "ticker"});
}

TEST_CASE("the log is bounded: 100 MB end in two segments, and the newest is kept")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("chatty", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", "
                                        "\"yes 'a line of some thirty letters' | head -c 100000000; echo the end\"]\n"
                                        "[log]\nsize = \"128K\"\n[limits]\nmemory = \"8M\"\n")});
    CHECK(run(ctl_words({"wait", "chatty"}), {}, 120000).out == "0\n");
    struct stat what{};
    for (const char* segment : {"/run/vial/chatty/log.0", "/run/vial/chatty/log.1"}) {
        CHECK(::stat(segment, &what) == 0);
        CHECK(what.st_size == 128 * 1024);
    }
    const Finished logs = ctl({"logs", "chatty"});
    CHECK(logs.code == 0);
    CHECK(logs.out.size() > 100000);
    CHECK(logs.out.size() <= 2 * 128 * 1024);
    CHECK(logs.out.substr(logs.out.size() - 8) == "the end\n");
    (void)done({"stop", "chatty"});
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
