// SPDX-License-Identifier: MIT
//
// What a spec can say about the life of its services, each with the real binary: readiness, dependencies, restarts that
// grow and give up, essential services. Hooks and health are in test_hooks.cc.

#include "services.h"

#include "base/json.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("more services than the usual limit of open files has room for; each gets that limit back (pid1-62)")
{
    const NothingLeft nothing_left;
    std::string many =
        "tasks = \"max\"\n[service.says]\noneshot = true\ncommand = " + shell("ulimit -n >/data/limit") + "\n";
    for (int number = 0; number < 100; number++)
        many += "[service.s" + std::to_string(number) + "]\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    const std::string file = service_spec("many", many);
    const Finished started = run({"prlimit", "--nofile=256:", ctl_words({}).front(), "start", file});
    CHECK(started.code == 0);
    CHECK(started.err == "");
    CHECK(wrote("limit", "256\n"));
    CHECK(becomes("many", "s99", "ready"));
    (void)done({"stop", "many"});
}

TEST_CASE("dependencies: started in order, each when the other is ready, stopped in reverse (pid1-55)")
{
    const NothingLeft nothing_left;
    const std::string trap =
        "trap 'echo stop $0 >>/data/order; exit 0' TERM; echo start $0 >>/data/order; echo >&3; sleep 1000 & wait";
    const auto service = [&](const std::string& name, const std::string& more) {
        return "[service." + name + "]\nready = \"fd\"\ncommand = [\"/bin/sh\", \"-c\", \"" + trap + "\", \"" + name +
               "\"]\n" + more;
    };
    (void)done({"start", service_spec("ordered", service("web", "after = [\"cache\"]\n") +
                                                     service("cache", "requires = [\"db\"]\n") + service("db", ""))});
    CHECK(wrote("order", "start db\nstart cache\nstart web\n"));
    (void)done({"stop", "ordered"});
    CHECK(written("order") == "start db\nstart cache\nstart web\nstop web\nstop cache\nstop db\n");
}

TEST_CASE("dependencies: a oneshot comes before those that wait for it, and the container goes on without it")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("migrating", "[service.app]\nrequires = [\"migrate\"]\ncommand = " +
                                                       shell("cat /data/schema >/data/seen; exec sleep 1000") +
                                                       "\n[service.migrate]\noneshot = true\ncommand = " +
                                                       shell("sleep 0.2; echo 7 >/data/schema") + "\n")});
    CHECK(becomes("migrating", "app", "ready"));
    CHECK(of("migrating", "migrate", "state") == "\"ready\"");
    CHECK(pid_of("migrating", "migrate") == "null");
    CHECK(wrote("seen", "7\n"));
    (void)done({"stop", "migrating"});
}

TEST_CASE("dependencies: who requires what failed for good has failed, and says so")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", service_spec("broken", "[service.app]\nrequires = [\"db\"]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                         "[service.db]\noneshot = true\ncommand = " +
                                             shell("sleep 0.1; exit 3") +
                                             "\n[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(becomes("broken", "app", "failed"));
    CHECK(of("broken", "app", "reason") == "\"requires db, which failed\"");
    CHECK(of("broken", "db", "state") == "\"failed\"");
    CHECK(of("broken", "other", "state") == "\"ready\"");
    CHECK(contains(ctl({"logs", "broken"}).out, "requires db, which failed"));
    (void)done({"stop", "broken"});
}

TEST_CASE("dependencies: a cycle is refused by name, without starting anything (pid1-55)")
{
    const NothingLeft nothing_left;
    const std::string file = service_spec("round", "[service.a]\ncommand = [\"/bin/true\"]\nafter = [\"b\"]\n"
                                                   "[service.b]\ncommand = [\"/bin/true\"]\nrequires = [\"a\"]\n");
    CHECK(contains(refused(2, {"check", file}), "the services wait for each other: a -> b -> a"));
    CHECK(contains(refused(2, {"start", file}), "a -> b -> a"));
}

TEST_CASE("ready = \"notify\": READY, STATUS, RELOADING, and who waits for it; as any user")
{
    const NothingLeft nothing_left;
    for (const char* user : {"", "user = 65534\ngroup = 65534\n"}) {
        (void)done(
            {"start", service_spec("notifying", "[service.front]\nrequires = [\"back\"]\ncommand = [\"/bin/sleep\", "
                                                "\"1000\"]\n[service.back]\nready = \"notify\"\n" +
                                                    std::string(user) +
                                                    "command = [\"/file\", \"=STATUS=warming up\\nX=1\", "
                                                    "\"@/data/go\", \"=READY=1\", \"@/data/reload\", "
                                                    "\"=RELOADING=1\", \"@/data/done\", \"=READY=1\"]\n")});
        CHECK(becomes("notifying", "back", "starting"));
        CHECK(of("notifying", "front", "state") == "\"waiting\"");
        CHECK(eventually([] { return contains(ctl({"logs", "notifying"}).out, "status: warming up"); }));
        write_text(data() + "/go", "");
        CHECK(becomes("notifying", "back", "ready"));
        CHECK(becomes("notifying", "front", "ready"));
        write_text(data() + "/reload", "");
        CHECK(becomes("notifying", "back", "reloading"));
        write_text(data() + "/done", "");
        CHECK(becomes("notifying", "back", "ready"));
        (void)done({"stop", "notifying"});
    }
}

TEST_CASE("ready = \"notify\": another user of the container cannot speak for the service")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("spoofed", "[service.liar]\nuser = 65534\ngroup = 65534\n"
                                                 "environment = [\"NOTIFY_SOCKET=/dev/notify/victim\"]\n"
                                                 "command = [\"/file\", \"=READY=1\"]\n"
                                                 "[service.victim]\nready = \"notify\"\n"
                                                 "command = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(becomes("spoofed", "liar", "failed"));
    CHECK(contains(ctl({"logs", "spoofed"}).out, "/dev/notify/victim: Permission denied"));
    CHECK(of("spoofed", "victim", "state") == "\"starting\"");
    (void)done({"stop", "spoofed"});
}

TEST_CASE("ready = \"notify\": MAINPID follows a service that puts itself into the background (pid1-41)")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("daemon", "[service.main]\nready = \"notify\"\n"
                                                "command = [\"/file\", \"daemon\", \"=READY=1\", \"@/data/end\", "
                                                "\"exit=9\"]\n")});
    CHECK(becomes("daemon", "main", "ready"));
    CHECK(pid_of("daemon") != "2");
    write_text(data() + "/end", "");
    CHECK(done({"wait", "daemon"}) == "9\n");
    (void)done({"stop", "daemon"});
}

TEST_CASE("ready = \"fd\": a newline on descriptor 3, or on another")
{
    const NothingLeft nothing_left;
    for (const char* number : {"3", "9"}) {
        const std::string ready = *number == '3' ? "fd" : std::string("fd:") + number;
        (void)done({"start", service_spec("s6", "[service.main]\nready = \"" + ready + "\"\ncommand = " +
                                                    shell("while ! [ -e /data/go ]; do sleep 0.02; done; echo >&" +
                                                          std::string(number) + "; exec sleep 1000") +
                                                    "\n")});
        CHECK(becomes("s6", "main", "starting"));
        write_text(data() + "/go", "");
        CHECK(becomes("s6", "main", "ready"));
        (void)done({"stop", "s6"});
    }
}

TEST_CASE("ready = \"tcp:PORT\" and ready = \"exec\"")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", service_spec("listening", "[service.web]\nready = \"tcp:8080\"\ncommand = " +
                                                shell("while ! [ -e /data/go ]; do sleep 0.02; done; exec httpd "
                                                      "-f -p 8080") +
                                                "\n[service.slow]\nready = \"exec\"\n"
                                                "command = [\"/bin/sleep\", \"1000\"]\n"
                                                "health = { command = [\"/bin/test\", \"-e\", \"/data/well\"] }\n")});
    CHECK(becomes("listening", "web", "starting"));
    CHECK(of("listening", "slow", "state") == "\"starting\"");
    write_text(data() + "/go", "");
    CHECK(becomes("listening", "web", "ready"));
    write_text(data() + "/well", "");
    CHECK(becomes("listening", "slow", "ready"));
    (void)done({"stop", "listening"});
}

TEST_CASE("start_timeout: who is not ready in time has failed; ready clears on a crash (pid1-53)")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                service_spec("late", "[service.main]\nready = \"notify\"\nstart_timeout = \"100ms\"\n"
                                     "command = [\"/bin/sleep\", \"1000\"]\n"
                                     "[service.crashing]\nready = \"notify\"\nrestart = \"always\"\n"
                                     "restart_delay = \"10ms\"\n"
                                     "command = [\"/file\", \"=READY=1\", \"@/data/crash\", \"+300\", \"exit=1\"]\n")});
    CHECK(becomes("late", "main", "failed"));
    CHECK(of("late", "main", "reason") == "\"it was not ready in time\"");
    CHECK(becomes("late", "crashing", "ready"));
    write_text(data() + "/crash", "");
    CHECK(eventually([] { return json::number(of("late", "crashing", "restarts")).value_or(0) > 0; }));
    (void)done({"stop", "late"});
}

TEST_CASE("restart_limit: then it has failed, and says why (pid1-49)")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("giving-up",
                                      "[service.flaky]\nrestart = \"always\"\nrestart_delay = \"1ms\"\n"
                                      "restart_limit = \"3/1m\"\ncommand = " +
                                          shell("echo run >>/data/runs; [ -e /data/good ] && exec sleep 1000; exit 4") +
                                          "\n[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(becomes("giving-up", "flaky", "failed"));
    CHECK(of("giving-up", "flaky", "reason") == "\"it was started again too often\"");
    CHECK(of("giving-up", "flaky", "restarts") == "3");
    CHECK(lines(written("runs")).size() == 4);
    CHECK(contains(done({"status", "giving-up"}), "it was started again too often"));

    // By hand it is started again, and has all its restarts before it as if nothing had been.
    (void)done({"start", "giving-up", "--service", "flaky"});
    CHECK(eventually([] { return lines(written("runs")).size() == 8; }));
    CHECK(becomes("giving-up", "flaky", "failed"));
    CHECK(lines(written("runs")).size() == 8);
    write_text(data() + "/good", "");
    (void)done({"start", "giving-up", "--service", "flaky"});
    CHECK(becomes("giving-up", "flaky", "ready"));
    CHECK(of("giving-up", "flaky", "reason") == "null");
    CHECK(lines(written("runs")).size() == 9);
    (void)done({"stop", "giving-up"});
}

TEST_CASE("reload: the signal reaches the service that is meant, or all; who says how far it is, is waited for")
{
    const NothingLeft nothing_left;
    const auto service = [](const std::string& name, const std::string& signal) {
        return "[service." + name + "]\nready = \"fd\"\nreload_signal = \"" + signal + "\"\ncommand = " +
               shell("trap 'echo again >>/data/" + name + "' " + signal + "; echo >&3; while :; do sleep 0.02; done") +
               "\n";
    };
    (void)done({"start", service_spec("reloaded", service("one", "HUP") + service("two", "USR2") +
                                                      "[service.careful]\nready = \"notify\"\ncommand = [\"/file\", "
                                                      "\"=READY=1\", \"reload\", \"=STATUS=heard\", \"@/data/done\", "
                                                      "\"=READY=1\"]\n")});
    for (const char* name : {"one", "two", "careful"})
        CHECK(becomes("reloaded", name, "ready"));
    const std::string before = pid_of("reloaded", "one");
    (void)done({"reload", "reloaded", "--service", "two"});
    CHECK(wrote("two", "again\n"));
    CHECK_FALSE(exists(data() + "/one"));
    CHECK(of("reloaded", "careful", "state") == "\"ready\"");
    (void)done({"reload", "reloaded"});
    CHECK(wrote("one", "again\n"));
    CHECK(wrote("two", "again\nagain\n"));
    CHECK(of("reloaded", "careful", "state") == "\"reloading\"");
    CHECK(eventually([] { return contains(ctl({"logs", "reloaded"}).out, "status: heard"); }));
    write_text(data() + "/done", "");
    CHECK(becomes("reloaded", "careful", "ready"));
    CHECK(pid_of("reloaded", "one") == before);
    (void)done({"stop", "reloaded"});
}

TEST_CASE("restart_backoff: the delays grow")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("growing", "[service.main]\nrestart = \"always\"\nrestart_delay = \"50ms\"\n"
                                                 "restart_backoff = \"1h\"\ncommand = " +
                                                     shell("cut -d. -f1 /proc/uptime >>/data/runs; exit 1") + "\n")});
    // 50 + 100 + 200 + 400 ms, and then 800.
    CHECK(eventually([] { return lines(written("runs")).size() == 5; }));
    CHECK(becomes("growing", "main", "backoff"));
    (void)done({"stop", "growing"});
}

TEST_CASE("stable_after: who has run for so long is started again after the shortest delay")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("stable", "[service.main]\nrestart = \"always\"\nrestart_delay = \"50ms\"\n"
                                                "restart_backoff = \"1h\"\nstable_after = \"100ms\"\ncommand = " +
                                                    shell("echo >>/data/runs; sleep 0.3; exit 1") + "\n")});
    // Delays that grow would be 25 s by then.
    CHECK(eventually([] { return lines(written("runs")).size() >= 10; }));
    (void)done({"stop", "stable"});
}

TEST_CASE("essential: the container ends with its code (pid1-54)")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", service_spec("vital", "[service.heart]\nessential = true\ncommand = " +
                                            shell("while ! [ -e /data/go ]; do sleep 0.02; done; exit 42") +
                                            "\n[service.hand]\ncommand = " +
                                            shell("trap 'echo stopped >/data/hand; exit 0' TERM; sleep 1000 & wait") +
                                            "\n[service.gone]\ncommand = [\"/bin/false\"]\n")});
    CHECK(becomes("vital", "gone", "failed"));
    write_text(data() + "/go", "");
    CHECK(done({"wait", "vital"}) == "42\n");
    CHECK(written("hand") == "stopped\n");
    (void)done({"stop", "vital"});
}

TEST_CASE("stop works while a service is starting, and does not wait for what will never be ready (pid1-50)")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("never", "[service.main]\nready = \"notify\"\nstart_timeout = \"1h\"\n"
                                               "command = [\"/bin/sleep\", \"1000\"]\n"
                                               "[service.behind]\nafter = [\"main\"]\ncommand = [\"/bin/true\"]\n")});
    CHECK(becomes("never", "main", "starting"));
    CHECK(of("never", "behind", "state") == "\"waiting\"");
    (void)done({"stop", "never"});
}

// A stop that waited for such a process would wait for an hour.
TEST_CASE("pid1-52: a process that vanished never stalls a stop")
{
    const NothingLeft nothing_left;
    const std::string hour = "ready = \"notify\"\nstop_timeout = \"1h\"\n";

    // Named as the main process, waited for by who had it for a child, and gone: then there is the other's end.
    for (const bool stopped : {true, false}) {
        (void)done({"start", service_spec("lent", "[service.main]\n" + hour +
                                                      "command = [\"/file\", \"lend=/data/gone\", "
                                                      "\"=STATUS=alone\", \"@/data/end\", \"exit=5\"]\n")});
        CHECK(becomes("lent", "main", "ready"));
        write_text(data() + "/gone", "");
        CHECK(eventually([] { return contains(ctl({"logs", "lent"}).out, "status: alone"); }));
        if (!stopped) {
            write_text(data() + "/end", "");
            CHECK(done({"wait", "lent"}) == "5\n");
        }
        (void)done({"stop", "lent"});
    }

    // Somebody else's child, of whose end PID 1 does not hear.
    (void)done(
        {"start", service_spec("visited", "[service.main]\n" + hour +
                                              "command = [\"/file\", \"@/data/visitor\", \"name=/data/visitor\", "
                                              "\"=READY=1\"]\n")});
    {
        Process visitor(ctl_words({"exec", "visited", "--", "/bin/sh", "-c",
                                   "echo $$ >/data/number; mv /data/number /data/visitor; exec sleep 1000"}));
        CHECK(becomes("visited", "main", "ready"));
        CHECK(pid_of("visited") + "\n" != written("visitor"));
        visitor.kill(SIGTERM);
        CHECK(visitor.wait() == 128 + SIGTERM);
    }
    (void)done({"stop", "visited"});

    // Gone before PID 1 can look, and then it is told to stop.
    const std::string sleeping = "stop_timeout = \"1h\"\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    (void)done({"start", service_spec("crowd", "[service.one]\n" + sleeping + "[service.two]\nrequires = [\"one\"]\n" +
                                                   sleeping)});
    CHECK(becomes("crowd", "two", "ready"));
    const pid_t init = init_pid("crowd");
    REQUIRE(init > 1);
    CHECK(::kill(init, SIGSTOP) == 0);
    for (const char* service : {"one", "two"}) {
        for (const std::string& pid :
             lines(read_text(cgroup("pids", "crowd/" + std::string(service) + "/cgroup.procs"))))
            CHECK(::kill(static_cast<pid_t>(std::atol(pid.c_str())), SIGKILL) == 0);
        CHECK(eventually([&] {
            return lines(read_text(cgroup("pids", "crowd/" + std::string(service) + "/cgroup.procs"))).empty();
        }));
    }
    CHECK(::kill(init, SIGTERM) == 0);
    CHECK(::kill(init, SIGCONT) == 0);
    CHECK(done({"wait", "crowd"}) != "");
    (void)done({"stop", "crowd"});
}

TEST_CASE("ready = \"fd:N\": starts that fail before the service has descriptors of its own leave none with PID 1")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("leafless", "[service.main]\nready = \"fd:9\"\nrestart = \"always\"\n"
                                                  "restart_delay = \"1ms\"\nrestart_backoff = \"1ms\"\ncommand = " +
                                                      shell("echo >&9; exec sleep 1000") +
                                                      "\n[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(becomes("leafless", "main", "ready"));
    (void)done({"stop", "--service", "main", "leafless"});
    CHECK(becomes("leafless", "main", "stopped"));
    // Without its group it cannot be started: it is told so, and tried again.
    const std::string leaf = cgroup("pids", "leafless/main");
    CHECK(eventually([&] { return ::rmdir(leaf.c_str()) == 0; }));
    const auto descriptors_after = [&](std::int64_t restarts) {
        (void)ctl({"start", "leafless", "--service", "main"});
        CHECK(eventually([&] { return json::number(of("leafless", "main", "restarts")).value_or(0) >= restarts; }));
        (void)done({"stop", "--service", "main", "leafless"});
        CHECK(becomes("leafless", "main", "stopped"));
        return descriptors_of(init_pid("leafless"));
    };
    const std::size_t before = descriptors_after(3);
    CHECK(descriptors_after(60) == before);
    CHECK(contains(ctl({"logs", "leafless"}).out, "cannot join the cgroup of service main"));
    (void)done({"stop", "leafless"});
}
