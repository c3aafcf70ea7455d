// SPDX-License-Identifier: MIT
//
// `vial pause` and `vial resume`: all but PID 1 stand still, and nothing comes of that.

#include "boot.h"
#include "services.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// A spec of a container whose service writes on and on to /data/ticks.
std::string ticker(const std::string& name, const std::string& more = {})
{
    return service_spec(name, "[service.main]\nstop_timeout = \"60s\"\ncommand = " +
                                  shell("trap 'echo bye >/data/bye; exit 0' TERM; while :; do echo . >>/data/ticks; "
                                        "sleep 0.01; done") +
                                  "\n" + more);
}

std::size_t ticks()
{
    return written("ticks").size();
}

bool goes_on()
{
    const std::size_t before = ticks();
    return eventually([&] { return ticks() > before + 4; });
}

/// For a fifth of a second at least.
bool stands_still()
{
    const std::size_t before = ticks();
    ::usleep(200 * 1000);
    return ticks() == before;
}

std::string told_state(const std::string& name)
{
    return field(done({"status", "--json", name}), {"container", "state"});
}

}  // namespace

TEST_CASE("pause stops all but PID 1, which goes on answering; resume lets them go on")
{
    const NothingLeft nothing_left;
    (void)done({"start", ticker("web")});
    CHECK(goes_on());
    CHECK(done({"pause", "web"}) == "");
    CHECK(stands_still());
    CHECK(state("web") == "\"paused\"");
    CHECK(told_state("web") == "\"paused\"");
    CHECK(contains(lines(done({"list"})).at(1), "paused"));
    CHECK(contains(done({"status", "web"}), "web: paused for"));
    CHECK(contains(done({"stats", "web"}), "tasks"));
    CHECK(contains(refused(125, {"exec", "web", "--", "/bin/true"}), "paused"));
    for (const char* command : {"start", "stop", "restart", "reload"})
        CHECK(contains(refused(1, {command, "--service", "main", "web"}), "paused"));
    CHECK(contains(refused(1, {"start", work() + "/web.conf"}), "running already"));
    // Once more changes nothing.
    CHECK(done({"pause", "web"}) == "");
    CHECK(stands_still());
    CHECK(done({"resume", "web"}) == "");
    CHECK(goes_on());
    CHECK(told_state("web") == "\"running\"");
    CHECK(state("web") == "\"running\"");
    CHECK(done({"resume", "web"}) == "");
    // Who came in from outside stands still with the others, the second time, too.
    Process visitor(ctl_words({"exec", "web", "--", "/bin/sh", "-c", "while :; do echo .; sleep 0.01; done"}));
    CHECK(visitor.expect(".\n"));
    CHECK(done({"pause", "web"}) == "");
    CHECK(stands_still());
    (void)visitor.expect("nothing more", 100);
    const std::size_t before = visitor.output().size();
    CHECK_FALSE(visitor.expect("nothing more", 200));
    CHECK(visitor.output().size() == before);
    CHECK(done({"resume", "web"}) == "");
    CHECK(visitor.expect(".\n"));
    CHECK(goes_on());
    const std::string events = ControlLine("/run/vial/web/control").ask("events");
    CHECK(done({"stop", "web"}) == "");
    CHECK(written("bye") == "bye\n");
    (void)visitor.wait();
    CHECK(contains(refused(3, {"pause", "web"}), "no such container"));
}

TEST_CASE("pause and resume are events")
{
    const NothingLeft nothing_left;
    (void)done({"start", ticker("web")});
    Process events(ctl_words({"events", "web"}));
    Process json(ctl_words({"events", "--json", "web"}));
    CHECK(events.expect("ready"));
    (void)done({"pause", "web"});
    (void)done({"pause", "web"});
    CHECK(events.expect("  paused\n"));
    (void)done({"resume", "web"});
    CHECK(events.expect("  resumed\n"));
    CHECK(json.expect("{\"event\":\"paused\",\"at\":"));
    CHECK(json.expect("{\"event\":\"resumed\",\"at\":"));
    (void)done({"stop", "web"});
    CHECK(events.wait() == 0);
    CHECK(json.wait() == 0);
    // Paused once, for all that was asked twice.
    CHECK(events.output().find("paused") == events.output().rfind("paused"));
}

TEST_CASE("stop, restart and kill thaw it")
{
    const NothingLeft nothing_left;
    (void)done({"start", ticker("web")});
    (void)done({"pause", "web"});
    CHECK(done({"stop", "web"}) == "");
    CHECK(written("bye") == "bye\n");

    (void)done({"start", ticker("web")});
    (void)done({"pause", "web"});
    CHECK(done({"restart", "web"}) == "");
    CHECK(written("bye") == "bye\n");
    CHECK(told_state("web") == "\"running\"");
    CHECK(goes_on());

    (void)done({"pause", "web"});
    CHECK(done({"kill", "-s", "TERM", "web"}) == "");
    CHECK(waited("web") == "0\n");
    (void)done({"stop", "web"});

    (void)done({"start", ticker("web")});
    (void)done({"pause", "web"});
    CHECK(done({"kill", "web"}) == "");
    CHECK(state("web") == "\"exited\"");
    (void)done({"stop", "web"});
}

TEST_CASE("a PID 1 that is killed while all the others are frozen")
{
    const NothingLeft nothing_left;
    (void)done({"start", ticker("web")});
    (void)done({"pause", "web"});
    ::kill(init_pid("web"), SIGKILL);
    // On version 1 it stays there for as long as they do.
    CHECK(done({"stop", "web"}) == "");

    (void)done({"start", ticker("web")});
    (void)done({"pause", "web"});
    ::kill(init_pid("web"), SIGKILL);
    (void)ctl({"resume", "web"});
    CHECK(eventually([] { return state("web") == "\"exited\""; }));
    (void)done({"stop", "web"});
}

TEST_CASE("no time passes for probes and restarts while it is paused")
{
    const NothingLeft nothing_left;
    (void)done({"start", ticker("web", "[service.main.health]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.05\"]\n"
                                       "interval = \"10ms\"\ntimeout = \"2s\"\nretries = 1\n")});
    CHECK(eventually([] { return of("web", "main", "healthy") == "true"; }));
    for (int round = 0; round < 3; round++) {
        (void)done({"pause", "web"});
        ::usleep(round == 0 ? 2500 * 1000 : 50 * 1000);
        CHECK(of("web", "main", "state") == "\"ready\"");
        (void)done({"resume", "web"});
        CHECK(goes_on());
    }
    CHECK(of("web", "main", "restarts") == "0");
    CHECK(of("web", "main", "state") == "\"ready\"");
    (void)done({"stop", "web"});

    // One that waits for its next start waits on, and is started when the others go on.
    (void)done({"start", service_spec("web", "[service.main]\nrestart = \"always\"\nrestart_delay = \"300ms\"\n"
                                             "command = " +
                                                 shell("echo . >>/data/ticks") +
                                                 "\n[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(becomes("web", "main", "backoff"));
    (void)done({"pause", "web"});
    ::usleep(400 * 1000);
    CHECK(of("web", "main", "state") == "\"backoff\"");
    CHECK(stands_still());
    (void)done({"resume", "web"});
    CHECK(goes_on());
    (void)done({"stop", "web"});
}

TEST_CASE("one that forks without end is paused, too; so are many services")
{
    const NothingLeft nothing_left;
    std::string text =
        "[service.fork]\ncommand = " + shell("while :; do (echo . >>/data/ticks; /bin/true &) & wait; done") + "\n";
    for (int number = 0; number < 20; number++)
        text += "[service.s" + std::to_string(number) + "]\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    (void)done({"start", service_spec("many", text)});
    for (int round = 0; round < 5; round++) {
        CHECK(goes_on());
        CHECK(done({"pause", "many"}) == "");
        CHECK(stands_still());
        CHECK(done({"resume", "many"}) == "");
    }
    (void)done({"stop", "many"});
}

TEST_CASE("what cannot be paused is told so, and goes on")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("bare", "init = false\n")});
    CHECK(contains(refused(1, {"pause", "bare"}), "init = false"));
    (void)done({"stop", "bare"});

    Process running(ctl_words({"run", "--root", root(), "--name", "free", "--set", "limits.tasks=\"max\"", "--",
                               "/bin/sh", "-c", "echo up; exec sleep 1000"}));
    CHECK(running.expect("up\n"));
    CHECK(eventually([] { return state("free") == "\"running\""; }));
    if (!cgroup_is_unified())
        CHECK(contains(refused(1, {"pause", "free"}), "it has no control group"));
    (void)done({"stop", "free"});
    (void)running.wait();

    if (!cgroup_is_unified()) {
        (void)done({"start", ticker("web")});
        const Finished lacking = run({"unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/freezer && exec \"$@\"", "sh",
                                      ctl_words({}).front(), "pause", "web"});
        CHECK(lacking.code == 1);
        CHECK(lines(lacking.err).size() == 1);
        CHECK(contains(lacking.err, "this kernel cannot freeze control groups"));
        CHECK(goes_on());
        CHECK(state("web") == "\"running\"");
        (void)done({"stop", "web"});
    }
}

TEST_CASE("boot: a paused container is thawed to be stopped")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("web", "mounts = [\"" + data() + ":/data\"]\nstop_timeout = \"60s\"\ncommand = " +
                              shell("trap 'echo bye >/data/bye; exit 0' TERM; while :; do echo . >>/data/ticks; sleep "
                                    "0.01; done") +
                              "\n");
    boot.start();
    CHECK(boot.says("web"));
    CHECK(goes_on());
    (void)done({"pause", "web"});
    CHECK(stands_still());
    CHECK(boot.stop() == 0);
    CHECK(written("bye") == "bye\n");
}
