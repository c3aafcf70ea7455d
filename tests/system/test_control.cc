// SPDX-License-Identifier: MIT
//
// Asking a container's PID 1: events, logs, numbers, and clients that are slow, loud or many. The numbers are those
// of the project's list of what a PID 1 must get right.

#include "asking.h"

#include "base/os.h"
#include "base/text.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

constexpr const char* flaky = "root = \"ROOT\"\n"
                              "[service.steady]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                              "[service.flaky]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.05; exit 7\"]\n"
                              "restart = \"on-failure\"\nrestart_delay = \"10ms\"\nrestart_limit = 2\n";

}  // namespace

TEST_CASE("events: what was and what comes, until the end")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("tell", flaky)});
    Process follower(ctl_words({"events", "--json", "tell"}));
    for (const char* event : {"started", "ready", "exited", "restarted", "exited", "failed"})
        CHECK(follower.expect(std::string("\"event\":\"") + event + "\""));
    CHECK(contains(follower.output(), "\"service\":\"flaky\",\"event\":\"exited\""));
    CHECK(contains(follower.output(), "\"code\":7,\"signal\":null"));
    CHECK(contains(follower.output(), "\"reason\":\"it was started again too often\""));
    // Who comes late hears what was.
    Process late(ctl_words({"events", "tell"}));
    CHECK(late.expect("  flaky  exited, code 7\n"));
    CHECK(late.expect("  flaky  failed, code 7: it was started again too often\n"));
    (void)done({"kill", "--signal", "KILL", "--service", "steady", "tell"});
    CHECK(late.expect("  steady  exited, code 137, SIGKILL\n"));
    CHECK(follower.wait() == 0);
    CHECK(late.wait() == 0);
    for (const std::string& line : lines(follower.output()))
        CHECK(json::valid(line));
    (void)done({"stop", "tell"});
}

TEST_CASE("events: an OOM kill, a stop and a start by hand")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", spec("hungry", "root = \"ROOT\"\n[limits]\nmemory = \"16M\"\n"
                                 "[service.hog]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.2; exec tail /dev/zero\"]\n"
                                 "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    Process follower(ctl_words({"events", "hungry"}));
    CHECK(follower.expect("  hog  oom\n"));
    CHECK(follower.expect("  hog  exited, code 137, SIGKILL\n"));
    (void)done({"stop", "--service", "other", "hungry"});
    CHECK(follower.wait() == 0);
    CHECK(contains(follower.output(), "  other  stopped\n"));
    (void)done({"stop", "hungry"});
}

TEST_CASE("services are stopped, started, restarted and reloaded by name")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("pair", "root = \"ROOT\"\n"
                                      "[service.a]\ncommand = [\"/bin/sh\", \"-c\", \"trap 'echo again' HUP; "
                                      "while :; do sleep 0.05; done\"]\n"
                                      "[service.b]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    const auto state = [](const char* index) {
        return field(done({"status", "--json", "pair"}), {"services", index, "state"});
    };
    (void)done({"stop", "--service", "b", "pair"});
    CHECK(eventually([&] { return state("1") == "\"stopped\""; }));
    (void)done({"start", "--service", "b", "pair"});
    CHECK(eventually([&] { return state("1") == "\"ready\""; }));
    const std::string before = field(done({"status", "--json", "pair"}), {"services", "0", "pid"});
    (void)done({"reload", "--service", "a", "pair"});
    CHECK(eventually([] { return contains(done({"logs", "pair"}), "again"); }));
    CHECK(field(done({"status", "--json", "pair"}), {"services", "0", "pid"}) == before);
    (void)done({"restart", "--service", "a", "pair"});
    CHECK(eventually([&] {
        return state("0") == "\"ready\"" &&
               field(done({"status", "--json", "pair"}), {"services", "0", "pid"}) != before;
    }));
    CHECK(contains(refused(1, {"stop", "--service", "nobody", "pair"}), "no such service: nobody"));
    (void)done({"stop", "pair"});
}

TEST_CASE("logs: by service, by time, the last lines, with a prefix, with the time, as JSON")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start",
         spec("chat", "root = \"ROOT\"\n"
                      "[service.one]\ncommand = [\"/bin/sh\", \"-c\", \"echo a; echo b; exec sleep 1000\"]\n"
                      "[service.two]\ncommand = [\"/bin/sh\", \"-c\", \"printf 'c\\\\nd'; exec sleep 1000\"]\n")});
    REQUIRE(eventually([] { return ctl({"logs", "chat"}).out.size() >= 7; }));
    CHECK(done({"logs", "--service", "one", "chat"}) == "a\nb\n");
    CHECK(done({"logs", "--service=two", "chat"}) == "c\nd");
    CHECK(done({"logs", "-n", "1", "--service", "one", "chat"}) == "b\n");
    CHECK(done({"logs", "-n0", "chat"}).empty());
    CHECK(done({"logs", "-n", "100", "--service", "one", "chat"}) == "a\nb\n");
    CHECK(contains(done({"logs", "--prefix", "chat"}), "one: a\n"));
    CHECK(contains(done({"logs", "--prefix", "chat"}), "one: b\n"));
    CHECK(contains(done({"logs", "--prefix", "chat"}), "two: c\ntwo: d"));
    const std::string stamped = done({"logs", "--timestamps", "--service", "one", "-n", "1", "chat"});
    CHECK(stamped.size() == 27);
    CHECK(contains(stamped, "Z b\n"));
    // What was shown as a time is taken as one.
    const std::string stamp = stamped.substr(0, 24);
    CHECK(contains(done({"logs", "--since", stamp, "--service", "one", "chat"}), "b\n"));
    CHECK(done({"logs", "--since", "1h", "--service", "one", "chat"}) == "a\nb\n");
    CHECK(done({"logs", "--since", "@4000000000", "chat"}).empty());
    CHECK(done({"logs", "--since", "2099-01-01", "chat"}).empty());
    CHECK(contains(refused(2, {"logs", "--since", "yesterday", "chat"}), "'yesterday' is no time"));
    CHECK(contains(refused(2, {"logs", "-n", "many", "chat"}), "'many' is no number of lines"));
    for (const std::string& line : lines(done({"logs", "--json", "chat"})))
        CHECK(json::valid(line));
    CHECK(contains(done({"logs", "--json", "chat"}), "\"service\":\"one\",\"stream\":\"output\",\"data\":\"a\\n"));
    (void)done({"stop", "chat"});
}

TEST_CASE("logs: the spec says how they look")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", spec("neat", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo hello; exec sleep 1000\"]\n"
                               "[log]\nprefix = true\ntimestamps = true\n")});
    REQUIRE(eventually([] { return contains(ctl({"logs", "neat"}).out, "Z main: hello\n"); }));
    (void)done({"stop", "neat"});
}

TEST_CASE("the log through PID 1, where nobody reaches its files")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                spec("inner", "root = \"ROOT\"\n"
                              "[service.main]\ncommand = [\"/bin/sh\", \"-c\", \"i=0; while [ $i -lt 3000 ]; do "
                              "echo \\\"line $i \\\\\\\"q\\\"; i=$((i+1)); done; echo the end; exec sleep 1000\"]\n"
                              "[service.other]\ncommand = [\"/bin/sh\", \"-c\", \"echo other; exec sleep 1000\"]\n")});
    REQUIRE(eventually([] { return contains(ctl({"logs", "inner"}).out, "the end\n"); }));
    Line line("inner");
    const std::string answer = line.ask("logs main");
    CHECK(is_answer(answer));
    std::string text;
    for (const std::string& each : lines(answer))
        text += std::string(json::string(json::member(each, "data")).value_or(""));
    CHECK(text == done({"logs", "--service", "main", "inner"}));
    CHECK(contains(line.ask("logs other"), "\"data\":\"other\\n\"}"));
    CHECK(!contains(line.ask("logs other"), "line 1"));
    CHECK(contains(line.ask("logs nobody"), "no such service: nobody"));
    (void)done({"stop", "inner"});
}

TEST_CASE("stats: everything there is, for people, as JSON and as OpenMetrics")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"16M\"\n")});
    const std::string json = done({"stats", "--json", "web"});
    CHECK(json::valid(lines(json).front()));
    for (const char* key : {"memory", "cpu", "tasks", "io", "pressure", "network"})
        CHECK(field(json, {"container", key}).starts_with("{"));
    CHECK(field(json, {"container", "memory", "limit"}) == "16777216");
    CHECK(field(json, {"services", "0", "last_exit"}) == "null");
    CHECK(contains(done({"stats", "web"}), "pressure"));
    const std::string text = done({"stats", "--metrics", "web"});
    CHECK(text.ends_with("# EOF\n"));
    CHECK(contains(text, "# TYPE vial_memory_bytes gauge\n# UNIT vial_memory_bytes bytes\n"));
    CHECK(contains(text, "\nvial_up{container=\"web\"} 1\n"));
    CHECK(contains(text, "\nvial_memory_limit_bytes{container=\"web\"} 16777216\n"));
    CHECK(contains(text, "\nvial_service_restarts_total{container=\"web\",service=\"main\"} 0\n"));
    CHECK(contains(text, "\nvial_service_ready{container=\"web\",service=\"main\"} 1\n"));
    CHECK(contains(text, "\nvial_network_received_bytes_total{container=\"web\",interface=\"lo\"} "));
    // A family's samples stand together, whatever the number of containers.
    (void)done({"start", sleeper("db")});
    const std::string both = done({"stats", "--metrics"});
    CHECK(contains(both, "vial_up{container=\"db\"} 1\nvial_up{container=\"web\"} 1\n"));
    CHECK(count(both, "# TYPE vial_tasks gauge\n") == 1);
    (void)refused(3, {"stats", "--metrics", "nobody"});
    (void)refused(2, {"stats"});
    (void)done({"stop", "web", "db"});
}

TEST_CASE("pid1-57: silent, deaf, endless and half-closed clients, and those who follow too slowly")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("busy", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\nrestart = \"always\"\n"
                                      "restart_delay = 0\n")});
    Line slow("busy");
    REQUIRE(slow.send("events\n"));
    Line half("busy");
    REQUIRE(half.send("events\n"));
    half.half_close();
    CHECK(half.expect("\"event\":\"restarted\""));
    Line second("busy"), third("busy"), fourth("busy");
    CHECK(contains(second.ask("ping"), "{\"ok\":true}"));
    REQUIRE(second.send("events\n"));
    REQUIRE(third.send("events\n"));
    CHECK(third.expect("\"event\":"));
    CHECK(second.expect("\"event\":"));
    CHECK(contains(fourth.ask("events"), "too many follow already"));
    // The next request ends the stream.
    REQUIRE(second.send("ping\n"));
    CHECK(second.expect("{\"ok\":true}\n{\"ok\":true}\n"));
    Line loud("busy");
    (void)loud.send(std::string(1 << 20, 'x'));
    CHECK(loud.expect("longer than 4096 bytes"));
    CHECK(contains(done({"status", "busy"}), "busy: running"));
    // More has happened than anybody keeps: what the slow one missed is counted.
    std::size_t restarts = 0;
    REQUIRE(eventually(
        [&] {
            restarts = static_cast<std::size_t>(
                json::number(field(done({"status", "--json", "busy"}), {"services", "0", "restarts"})).value_or(0));
            return restarts > 800;
        },
        60000));
    CHECK(slow.expect("{\"event\":\"lost\",\"count\":"));
    Line last("busy");
    REQUIRE(last.send("events\n"));
    CHECK(last.expect("\"event\":"));
    (void)done({"stop", "busy"});
    CHECK(last.expect("{\"ok\":true}"));
}

TEST_CASE("ready: the next request ends the waiting, which is not taken for being ready")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("slow", "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\nready = \"fd\"\n")});
    Line both("slow");
    REQUIRE(both.send("ready\nping\n"));
    CHECK(both.expect("{\"ok\":false,\"error\":\"it is not ready yet\"}\n{\"ok\":true}\n"));
    Line one("slow");
    REQUIRE(one.send("ready\n"));
    CHECK(contains(done({"status", "slow"}), "starting"));
    REQUIRE(one.send("ping\n"));
    CHECK(one.expect("{\"ok\":false,\"error\":\"it is not ready yet\"}\n{\"ok\":true}\n"));
    (void)done({"stop", "slow"});
}

TEST_CASE("ready: who has been answered takes no place of those who follow")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("calm")});
    std::vector<Line> answered;
    for (int i = 0; i < 4; i++) {
        answered.emplace_back("calm");
        REQUIRE(answered.back().send("ready\n"));
        CHECK(answered.back().expect("{\"ok\":true}"));
    }
    Line follower("calm");
    REQUIRE(follower.send("events\n"));
    CHECK(follower.expect("\"event\":\"ready\""));
    (void)done({"stop", "calm"});
}

TEST_CASE("pid1-57: a thousand clients at once")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("crowd")});
    // Silent ones take all places and the queue, and ask nothing: those who do are served all the same.
    {
        std::vector<Line> silent;
        silent.reserve(40);
        for (int i = 0; i < 40; i++)
            silent.emplace_back("crowd");
        CHECK(contains(done({"status", "crowd"}), "crowd: running"));
    }
    const pid_t init = init_pid("crowd");
    const Finished all = run({"/bin/sh", "-c",
                              "i=0; while [ $i -lt 1000 ]; do \"$VIAL\" status crowd >/dev/null 2>>" + work() +
                                  "/said & i=$((i+1)); done; wait"},
                             {}, 240000);
    CHECK(all.code == 0);
    // Each was answered, or told in one line why not.
    for (const std::string& line : lines(read_text(work() + "/said")))
        CHECK(contains(line, "too many are asking already"));
    CHECK(init_pid("crowd") == init);
    CHECK(contains(done({"status", "crowd"}), "crowd: running"));
    (void)done({"stop", "crowd"});
}
