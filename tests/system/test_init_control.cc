// SPDX-License-Identifier: MIT
//
// PID 1 without a launcher (bare_init.h): what it is asked, what it tells, and what it keeps of the output.
// The numbers are those of the project's list of what a PID 1 must get right. Needs root.

#include "bare_init.h"

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

void pause_ms(long milliseconds)
{
    (void)eventually([] { return false; }, milliseconds);
}

}  // namespace

TEST_CASE("control: start, stop and restart of one of several")
{
    BareInit container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    container.run();
    const pid_t first = container.service_pid("a");
    REQUIRE(first > 1);
    CHECK(contains(container.request("restart a"), "\"ok\":true"));
    REQUIRE(eventually([&] { return container.service_pid("a") > first; }));
    CHECK(container.status("a", "restarts") == "0");
    container.request("stop a");
    REQUIRE(eventually([&] { return container.status("a", "state") == "\"stopped\""; }));
    CHECK(container.status("a", "pid") == "null");
    container.request("start a");
    REQUIRE(eventually([&] { return container.status("a", "state") == "\"ready\""; }));
}

TEST_CASE("control: every answer is lines of JSON")
{
    const std::string controls(100, '\x01');  // each is told as six letters
    BareInit container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    container.run();
    for (const char* request :
         {"status", "stats", "ping", "stop nobody", "start", "signal", "signal FOO a", "signal USR9", "events a",
          "reload nobody", "logs", "", "  ", "\"\\\x01\xff", "ping pong", "stop a b", controls.c_str()}) {
        const std::string answer = container.request(request);
        std::string_view rest = answer;
        CAPTURE(request);
        CAPTURE(answer);
        std::string_view last;
        while (!rest.empty()) {
            last = take_until(rest, '\n');
            CHECK(json::valid(last));
        }
        CHECK(json::boolean(json::member(last, "ok")).has_value());
    }
    CHECK(contains(container.request("stop nobody"), "no such service: nobody"));
    CHECK(contains(container.request("stats"), "\"lo\":{\"rx_bytes\":"));
}

TEST_CASE("pid1-57: a client that stalls, sends garbage, a megabyte, or goes away hurts nobody else")
{
    std::vector<ServiceSpec> many;
    for (int i = 0; i < 200; i++)
        many.push_back(shell("exec sleep 1000", "service-with-a-longer-name-" + std::to_string(i)));
    BareInit container(many);
    container.run();

    ControlLine silent(container.socket_path());
    ControlLine half(container.socket_path());
    REQUIRE(half.send("sta"));
    ControlLine deaf(container.socket_path());  // asks for more than fits and reads nothing
    for (int i = 0; i < 50; i++)
        REQUIRE(deaf.send("status\n"));
    {
        ControlLine leaving(container.socket_path());
        REQUIRE(leaving.send("status\n"));
    }
    ControlLine garbage(container.socket_path());
    REQUIRE(garbage.send(std::string("\0\xff\x80 \r\n", 6)));
    CHECK(contains(garbage.answer(), "unknown request"));
    ControlLine large(container.socket_path());
    large.send(std::string(1 << 20, 'x'));
    CHECK(contains(large.answer(), "longer than 4096"));
    CHECK(eventually([&] { return large.is_closed(); }));

    const std::string answer = container.request("status");
    CHECK(contains(answer, "service-with-a-longer-name-199"));
    CHECK(answer.ends_with("{\"ok\":true}\n"));
    REQUIRE(half.send("tus\n"));
    CHECK(contains(half.answer(), "service-with-a-longer-name-199"));
    // Several requests in one go are answered in their order.
    ControlLine eager(container.socket_path());
    REQUIRE(eager.send("ping\nstop nobody\nping\n"));
    std::string answers;
    while (answers.size() < 75 && !eager.is_closed(0))
        answers += eager.answer();
    CHECK(answers == "{\"ok\":true}\n{\"ok\":false,\"error\":\"no such service: nobody\"}\n{\"ok\":true}\n");
}

namespace {

/// The two ends of a pair of pipes that are the test's: what it writes are requests.
struct Pair {
    Pair()
    {
        int there[2], back[2];
        REQUIRE(::pipe2(there, O_CLOEXEC) == 0);
        REQUIRE(::pipe2(back, O_CLOEXEC) == 0);
        requests.reset(there[1]);
        answers.reset(back[0]);
        their_requests.reset(there[0]);
        their_answers.reset(back[1]);
    }
    void pass_to(BareInit& container)
    {
        container.requests = their_requests.get();
        container.answers = their_answers.get();
        container.prepare = [this] { requests.reset(), answers.reset(); };
    }
    /// To be called once PID 1 has its own.
    void let_go() { their_requests.reset(), their_answers.reset(); }
    void send(std::string_view text) const { REQUIRE(::write(requests.get(), text.data(), text.size()) > 0); }
    /// Reads until `text` has come; what has come since the last call.
    std::string until(std::string_view text) const
    {
        std::string heard;
        char buffer[4096];
        while (heard.find(text) == heard.npos) {
            pollfd entry{answers.get(), POLLIN, 0};
            if (::poll(&entry, 1, 20000) != 1)
                break;
            const ssize_t got = ::read(answers.get(), buffer, sizeof buffer);
            if (got <= 0)
                break;
            heard.append(buffer, static_cast<std::size_t>(got));
        }
        return heard;
    }

    Fd requests, answers, their_requests, their_answers;
};

}  // namespace

TEST_CASE("a pair of pipes speaks as the socket does, and takes its time")
{
    BareInit container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    Pair pair;
    pair.pass_to(container);
    container.run();
    pair.let_go();
    pair.send("ping\n");
    CHECK(pair.until("}\n") == "{\"ok\":true}\n");
    // Several at once, and one in pieces.
    pair.send("ping\nstop nobody\nsta");
    CHECK(pair.until("nobody\"}\n") == "{\"ok\":true}\n{\"ok\":false,\"error\":\"no such service: nobody\"}\n");
    pair.send("tus\n");
    CHECK(contains(pair.until("{\"ok\":true}\n"), "\"service\":\"b\""));
    // A line that is too long is told so and thrown away; the next one is heard.
    pair.send(std::string(9000, 'x') + "\nping\n");
    const std::string answer = pair.until("{\"ok\":true}\n");
    CHECK(answer == "{\"ok\":false,\"error\":\"the request is longer than 4096 bytes\"}\n{\"ok\":true}\n");
    // The stream of events ends with the next request.
    pair.send("events\n");
    CHECK(contains(pair.until("\"b\",\"event\":\"ready\""), "started"));
    pair.send("restart a\n");
    CHECK(contains(pair.until("{\"ok\":true}\n{\"ok\":true}\n"), "{\"ok\":true}\n"));
    CHECK(contains(container.request("ping"), "true"));  // the socket, beside it
    // Its end is for good, and nobody else's.
    pair.requests.reset();
    CHECK(eventually([&] { return pair.until("\x01").empty(); }));
    CHECK(eventually([&] { return container.status("a", "state") == "\"ready\""; }));
    pause_ms(200);
    const long before = container.context_switches();
    pause_ms(500);
    CHECK(container.context_switches() == before);
    CHECK(contains(container.request("status"), "\"ok\":true"));
}

TEST_CASE("a pair whose other end does not read, or is gone, hurts nobody and no service")
{
    BareInit container(shell("trap 'echo pipe' PIPE; while :; do sleep 0.05; done"));
    Pair pair;
    pair.pass_to(container);
    container.run();
    pair.let_go();
    for (int i = 0; i < 400; i++)
        pair.send("status\n");  // far more of an answer than fits
    CHECK(contains(container.request("status"), "\"ok\":true"));
    const long before = container.context_switches();
    pause_ms(500);
    CHECK(container.context_switches() <= before + 1);
    pair.answers.reset();
    CHECK(contains(container.request("status"), "\"ok\":true"));
    pair.requests.reset();
    pause_ms(100);
    CHECK(contains(container.request("status"), "\"ok\":true"));
    CHECK(container.log().empty());
}

TEST_CASE("stats: devices and pressure as version 2 of control groups tells them")
{
    BareInit container(shell("exec sleep 1000"));
    const auto file = [](std::string_view text) {
        const int fd = memory_file(0);
        REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        return Fd(fd);
    };
    const Fd io =
        file("8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n");
    const Fd pressure =
        file("some avg10=41.73 avg60=1.00 avg300=0.00 total=1530\nfull avg10=0.50 avg60=0.00 total=7\n");
    container.stat[StatIo] = io.get();
    container.stat[StatMemoryPressure] = pressure.get();
    container.run();
    const std::string answer = container.request("stats");
    CHECK(contains(answer, "\"io\":{\"read_bytes\":4097,\"written_bytes\":514,\"reads\":5,\"writes\":5}"));
    CHECK(contains(answer, "\"pressure\":{\"memory\":{\"some_avg10\":41.73,\"some_usec\":1530,"
                           "\"full_avg10\":0.50,\"full_usec\":7},\"cpu\":null,\"io\":null}"));
    for (std::string_view rest = answer; !rest.empty();)
        CHECK(json::valid(take_until(rest, '\n')));
}

TEST_CASE("more clients than there are places wait their turn")
{
    BareInit container(shell("exec sleep 1000"));
    container.run();
    std::vector<std::unique_ptr<ControlLine>> crowd;
    for (int i = 0; i < 20; i++)
        crowd.push_back(std::make_unique<ControlLine>(container.socket_path()));
    for (auto& client : crowd)
        client->send("ping\n");
    for (auto& client : crowd) {
        CHECK(client->answer() == "{\"ok\":true}\n");
        client.reset();
    }
}

TEST_CASE("log: what a service wrote survives its end, in order, over restarts")
{
    ServiceSpec service = shell("echo one; echo two >&2; printf three");
    BareInit container(service);
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "one\ntwo\nthree");
}

TEST_CASE("log: more than fits keeps the newest, and the segments never grow")
{
    BareInit container(shell("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"));
    container.log_size = 8192;
    container.run();
    CHECK(container.end() == 0);
    const std::string text = container.log();
    CHECK(text.ends_with("line 4998\nline 4999\n"));
    CHECK(text.size() > 2000);  // the less the more records there were
    for (const int which : {0, 1})
        CHECK(os::fstat(container.segment(which)).value().st_size == 8192);
}

TEST_CASE("log: /dev/stdout can be opened by a service that is not root")
{
    ServiceSpec service = shell("echo opened > /proc/self/fd/1");
    service.user = service.group = 12345;
    BareInit container(service);
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "opened\n");
}

TEST_CASE("pid1-56, 57: a service that writes without end keeps nobody waiting")
{
    BareInit container({shell("exec yes", "loud"), shell("exec sleep 1000", "quiet")});
    container.run();
    for (int i = 0; i < 50; i++)
        REQUIRE(container.request("ping") == "{\"ok\":true}\n");
    CHECK(contains(container.request("status"), "\"log_dropped\":0}"));
    CHECK(contains(container.request("restart quiet"), "\"ok\":true"));
    CHECK(eventually([&] { return container.status("quiet", "state") == "\"ready\""; }));
    container.signal(SIGTERM);
    CHECK(container.end() == 0);
}
