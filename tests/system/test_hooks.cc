// SPDX-License-Identifier: MIT
//
// What else a spec has done to its services, each with the real binary: hooks, and probes of their health.

#include "services.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("hooks: on_start, on_stop and on_failure, as the service's user, also after a restart")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("hooked",
                                      "[service.main]\nuser = 1234\nrestart = \"on-failure\"\nrestart_delay = \"1ms\"\n"
                                      "command = " +
                                          shell("echo run >>/data/order; while ! [ -e /data/crash ]; do sleep 0.02; "
                                                "done; rm /data/crash; exit 1") +
                                          "\non_start = " + shell("echo on_start $(id -u) >>/data/order") +
                                          "\non_stop = " + shell("echo on_stop >>/data/order") +
                                          "\non_failure = " + shell("echo on_failure >>/data/order") + "\n")});
    CHECK(wrote("order", "run\non_start 1234\n"));
    write_text(data() + "/crash", "");
    CHECK(wrote("order", "run\non_start 1234\non_failure\nrun\non_start 1234\n"));
    (void)done({"stop", "hooked"});
    CHECK(written("order") == "run\non_start 1234\non_failure\nrun\non_start 1234\non_stop\n");
}

TEST_CASE("hooks: on_stop does its work to the end where the main process ends meanwhile; then the rest is killed")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                service_spec("polite", "[service.main]\ncommand = " +
                                           shell("sleep 1000 & while ! [ -e /data/go ]; do sleep 0.02; done") +
                                           "\non_stop = " + shell("echo >/data/go; sleep 0.5; echo done >/data/done") +
                                           "\n[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    (void)done({"stop", "--service", "main", "polite"});
    CHECK(wrote("done", "done\n"));
    CHECK(eventually([] { return read_text(cgroup("pids", "polite/main/cgroup.procs")).empty(); }));
    CHECK(of("polite", "main", "state") == "\"stopped\"");
    (void)done({"stop", "polite"});
}

TEST_CASE("hooks: one that cannot be executed is told in the log, and the service goes on")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("mistaken", "[service.main]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                                  "on_start = [\"/bin/no-such\"]\n")});
    CHECK(eventually([] { return contains(ctl({"logs", "mistaken"}).out, "on_start exited with code 127"); }));
    CHECK(contains(ctl({"logs", "mistaken"}).out, "/bin/no-such"));
    CHECK(of("mistaken", "main", "state") == "\"ready\"");
    (void)done({"stop", "mistaken"});
}

TEST_CASE("health: a service that is unwell is started again; a probe that hangs is killed (pid1-58)")
{
    const NothingLeft nothing_left;
    const std::string probe = "[service.main.health]\ninterval = \"50ms\"\ntimeout = \"100ms\"\nretries = 2\n";
    (void)done(
        {"start", service_spec("unwell", "[service.main]\nrestart_delay = \"1ms\"\n"
                                         "command = [\"/bin/sleep\", \"1000\"]\n" +
                                             probe + "command = " + shell("! [ -e /data/ill ] || sleep 1000") + "\n")});
    CHECK(becomes("unwell", "main", "ready"));
    const std::string first = pid_of("unwell");
    write_text(data() + "/ill", "");
    CHECK(eventually([] { return contains(ctl({"logs", "unwell"}).out, "the health probe took too long"); }));
    CHECK(eventually([&] { return pid_of("unwell") != first; }));
    CHECK(::unlink((data() + "/ill").c_str()) == 0);
    CHECK(becomes("unwell", "main", "ready"));
    CHECK(json::number(of("unwell", "main", "restarts")).value_or(0) >= 1);
    // Nothing of a probe stays behind.
    CHECK(eventually([] { return lines(read_text(cgroup("pids", "unwell/main/cgroup.procs"))).size() == 1; }));
    (void)done({"stop", "unwell"});
}

TEST_CASE("health: action = \"stop\" and action = \"none\"")
{
    const NothingLeft nothing_left;
    const auto service = [](const std::string& name, const std::string& action) {
        return "[service." + name +
               "]\nrestart = \"always\"\ncommand = [\"/bin/sleep\", \"1000\"]\nhealth = { command = "
               "[\"/bin/false\"], interval = \"20ms\", retries = 2, action = \"" +
               action + "\" }\n";
    };
    (void)done({"start", service_spec("sick", service("one", "stop") + service("two", "none"))});
    CHECK(becomes("sick", "one", "failed"));
    CHECK(of("sick", "one", "reason") == "\"its health probe failed\"");
    CHECK(of("sick", "two", "state") == "\"ready\"");
    (void)done({"stop", "sick"});
}
