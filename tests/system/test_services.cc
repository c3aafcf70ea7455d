// SPDX-License-Identifier: MIT
//
// The services of a container in the background: started again as their spec says, side by side, and their log.

#include "harness.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string service_field(const std::string& container, int index, const std::string& key)
{
    return field(ctl({"status", "--json", container}).out, {"services", std::to_string(index), key});
}

}  // namespace

TEST_CASE("restart = \"on-failure\" starts what failed again, and not what ended well")
{
    const NothingLeft nothing_left;
    // Fails twice, then is content.
    const std::string script = "echo run >>/srv/runs; [ $(wc -l </srv/runs) -ge 3 ]";
    (void)done(
        {"start",
         spec("flaky", "root = \"ROOT\"\noverlay = \"tmpfs\"\nrestart = \"on-failure\"\nrestart_delay = \"10ms\"\n"
                       "command = [\"/bin/sh\", \"-c\", \"" +
                           script + "\"]\n")});
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

    (void)done(
        {"start", spec("always",
                       "root = \"ROOT\"\nrestart = \"always\"\nrestart_delay = \"5ms\"\ncommand = [\"/bin/true\"]\n")});
    CHECK(eventually([] { return json::number(service_field("always", 0, "restarts")).value_or(0) >= 3; }));
    CHECK(field(service_field("always", 0, "last_exit"), {"code"}) == "0");
    (void)done({"stop", "always"});
}

TEST_CASE("restart_delay is waited, and stop does not wait for it")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start",
         spec("slow", "root = \"ROOT\"\nrestart = \"always\"\nrestart_delay = \"1h\"\ncommand = [\"/bin/false\"]\n")});
    CHECK(eventually([] { return service_field("slow", 0, "state") == "\"backoff\""; }));
    CHECK(contains(done({"status", "slow"}), "exited with 1"));
    (void)done({"stop", "slow"});
}

TEST_CASE("several services run side by side, each by itself")
{
    const NothingLeft nothing_left;
    const std::string file = spec(
        "pair",
        "root = \"ROOT\"\n"
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

TEST_CASE("who was put in by exec stays when services are stopped or started again, and ends with the container")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("hosts", "root = \"ROOT\"\n[service.first]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                       "[service.second]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    Process visitor(ctl_words({"exec", "-i", "hosts", "--", "/bin/cat"}));
    visitor.send("in\n");
    CHECK(visitor.expect("in\n"));
    (void)done({"restart", "--service", "first", "hosts"});
    visitor.send("still\n");
    CHECK(visitor.expect("still\n", 3000));
    (void)done({"stop", "--service", "first", "hosts"});
    visitor.send("again\n");
    CHECK(visitor.expect("again\n", 3000));
    // One more, while the first is in there and after it has gone.
    CHECK(done({"exec", "hosts", "--", "/bin/echo", "two"}) == "two\n");
    visitor.close_input();
    CHECK(visitor.wait() == 0);
    CHECK(done({"exec", "hosts", "--", "/bin/echo", "three"}) == "three\n");
    Process last(
        ctl_words({"exec", "hosts", "--", "/bin/sh", "-c", "trap '' TERM; echo in; while :; do sleep 1; done"}));
    CHECK(last.expect("in\n"));
    (void)done({"stop", "hosts"});
    CHECK(last.wait() != 0);
    CHECK_FALSE(exists(cgroup("pids", "hosts")));
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
    (void)done({"start",
                spec("writer", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo to stdout; echo to stderr >&2; "
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
    struct stat what {};
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
