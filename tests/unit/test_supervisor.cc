// SPDX-License-Identifier: MIT

#include "supervise/supervisor.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace vial;

namespace {

using State = ServiceState;

/// Services without processes, and a clock that stands until it is moved.
class World : public ServiceActions {
public:
    explicit World(std::size_t count = 1) : policies(count), services_(count), supervisor(services_, *this) {}

    std::vector<ServicePolicy> policies;
    std::string did;      ///< what the engine had done: `start0 stop1 kill0 `
    bool refuse = false;  ///< the kernel has no processes to give

    ServicePolicy policy(ServiceIndex index) const override { return policies[index]; }
    Result<pid_t> start(ServiceIndex index) override
    {
        CHECK(supervisor.service(index).pid == 0);  // never two instances
        if (refuse)
            return Error(EAGAIN, "create the process");
        record("start", index);
        return ++last_pid;
    }
    void send_stop(ServiceIndex index) override
    {
        CHECK(supervisor.service(index).pid != 0);
        record("stop", index);
    }
    void kill(ServiceIndex index) override { record("kill", index); }
    void changed(ServiceIndex index, State before) override { CHECK(supervisor.service(index).state != before); }

    /// Lets `milliseconds` pass as PID 1 would: it calls when the deadline is there.
    void pass(std::int64_t milliseconds)
    {
        const std::int64_t until = now + milliseconds;
        while (supervisor.deadline() <= until) {
            now = supervisor.deadline();
            supervisor.advance(now);
        }
        now = until;
        supervisor.advance(now);
    }
    void up()
    {
        supervisor.start_all(now);
        while (supervisor.advance(now)) {
        }
        for (ServiceIndex index = 0; index < services_.size(); index++)
            supervisor.started(index, now);
        did.clear();
    }
    void exit(int code, ServiceIndex index = 0)
    {
        Ending ending;
        ending.at = 1;
        ending.code = static_cast<std::uint8_t>(code);
        supervisor.exited(index, ending, now);
        supervisor.advance(now);
    }
    State state(ServiceIndex index = 0) const { return supervisor.service(index).state; }
    std::string take()
    {
        std::string text;
        text.swap(did);
        return text;
    }

private:
    std::vector<Service> services_;
    pid_t last_pid = 100;
    void record(const char* what, ServiceIndex index) { did += what + std::to_string(index) + " "; }

public:
    std::int64_t now = 1000;
    Supervisor supervisor;
};

}  // namespace

TEST_CASE("supervisor: a service is started, gets ready, and ends")
{
    World world;
    CHECK(world.supervisor.finished());
    world.supervisor.start_all(world.now);
    CHECK(world.state() == State::Waiting);
    CHECK_FALSE(world.supervisor.finished());
    CHECK_FALSE(world.supervisor.advance(world.now));
    CHECK(world.take() == "start0 ");
    CHECK(world.state() == State::Starting);
    CHECK(world.supervisor.deadline() == os::never);
    world.supervisor.started(0, world.now);
    CHECK(world.state() == State::Ready);
    world.exit(0);
    CHECK(world.state() == State::Stopped);
    CHECK(world.supervisor.finished());
    CHECK(world.take() == "");  // what is left of the last one is for whoever ends it all
}

TEST_CASE("supervisor: a code other than 0 is a failure; a start by hand works from there")
{
    World world;
    world.up();
    world.exit(3);
    CHECK(world.state() == State::Failed);
    CHECK(world.supervisor.outcome()->last.code == 3);
    CHECK(world.supervisor.start(0, world.now));
    world.supervisor.advance(world.now);
    CHECK(world.state() == State::Starting);
    CHECK(world.take() == "start0 ");
}

TEST_CASE("supervisor: restart follows the policy")
{
    struct Case {
        Restart restart;
        int code;
        State then;
    };
    for (const Case& each : {Case{Restart::No, 0, State::Stopped},
                             {Restart::No, 1, State::Failed},
                             {Restart::OnFailure, 0, State::Stopped},
                             {Restart::OnFailure, 1, State::Backoff},
                             {Restart::Always, 0, State::Backoff},
                             {Restart::Always, 1, State::Backoff}}) {
        World world;
        world.policies[0].restart = each.restart;
        world.up();
        world.exit(each.code);
        CHECK(world.state() == each.then);
        CHECK(world.supervisor.service(0).restarts == (each.then == State::Backoff));
    }
}

TEST_CASE("supervisor: a restart waits for its delay and not longer")
{
    World world;
    world.policies[0].restart = Restart::Always;
    world.policies[0].restart_delay = 500;
    world.up();
    world.exit(1);
    CHECK(world.supervisor.deadline() == world.now + 500);
    CHECK(world.take() == "kill0 ");  // what it left behind
    world.pass(499);
    CHECK(world.take() == "");
    world.pass(1);
    CHECK(world.take() == "start0 ");
    CHECK(world.state() == State::Starting);
    CHECK(world.supervisor.deadline() == os::never);
}

TEST_CASE("supervisor: without a delay it is started again in the same turn")
{
    World world;
    world.policies[0].restart = Restart::OnFailure;
    world.policies[0].restart_delay = 0;
    world.up();
    world.exit(1);
    CHECK(world.take() == "kill0 start0 ");
    world.exit(1);  // its exec never went through
    CHECK(world.take() == "kill0 start0 ");
    CHECK(world.supervisor.service(0).restarts == 2);
}

TEST_CASE("supervisor: stop gives a signal, then time, then kills until it is gone")
{
    World world;
    world.policies[0].stop_timeout = 3000;
    world.up();
    world.supervisor.stop(0, world.now);
    CHECK(world.take() == "stop0 ");
    CHECK(world.state() == State::Stopping);
    world.supervisor.stop(0, world.now);
    CHECK(world.take() == "");
    world.pass(2999);
    CHECK(world.take() == "");
    world.pass(1);
    CHECK(world.take() == "kill0 ");
    world.pass(2000);
    CHECK(world.take() == "kill0 kill0 ");
    CHECK_FALSE(world.supervisor.finished());
    world.exit(137);
    CHECK(world.state() == State::Stopped);
    CHECK(world.supervisor.finished());
    CHECK(world.supervisor.deadline() == os::never);
}

TEST_CASE("supervisor: a stop timeout that is negative never kills")
{
    World world;
    world.policies[0].stop_timeout = unlimited;
    world.up();
    world.supervisor.stop(0, world.now);
    CHECK(world.supervisor.deadline() == os::never);
}

TEST_CASE("supervisor: stop cancels what is pending")
{
    World world;
    world.policies[0].restart = Restart::Always;
    world.up();
    world.exit(1);
    REQUIRE(world.state() == State::Backoff);
    world.supervisor.stop(0, world.now);
    CHECK(world.state() == State::Stopped);
    CHECK(world.supervisor.deadline() == os::never);
    CHECK(world.supervisor.finished());

    World early;
    early.supervisor.start_all(early.now);
    early.supervisor.stop(0, early.now);
    CHECK(early.state() == State::Stopped);
    early.supervisor.advance(early.now);
    CHECK(early.take() == "");
}

TEST_CASE("supervisor: stop works while it is starting")
{
    World world;
    world.supervisor.start_all(world.now);
    world.supervisor.advance(world.now);
    world.supervisor.stop(0, world.now);
    CHECK(world.take() == "start0 stop0 ");
    CHECK(world.state() == State::Stopping);
    SUBCASE("the signal ends it before its exec")
    {
        world.exit(143);
        CHECK(world.state() == State::Stopped);
    }
    SUBCASE("the exec went through after all: only then it can understand the signal")
    {
        world.supervisor.started(0, world.now);
        CHECK(world.take() == "stop0 ");
        CHECK(world.state() == State::Stopping);
    }
}

TEST_CASE("supervisor: restart by hand stops, starts, and is not counted")
{
    World world(2);
    world.up();
    CHECK(world.supervisor.restart(0, world.now));
    CHECK(world.take() == "stop0 ");
    world.exit(143);
    CHECK(world.take() == "kill0 start0 ");
    CHECK(world.supervisor.service(0).restarts == 0);
    CHECK(world.state(1) == State::Ready);
}

TEST_CASE("supervisor: a start while it stops comes after it, unless a stop takes it back")
{
    World world(2);
    world.up();
    world.supervisor.stop(0, world.now);
    CHECK(world.supervisor.start(0, world.now));
    SUBCASE("start")
    {
        world.exit(0);
        CHECK(world.take() == "stop0 kill0 start0 ");
    }
    SUBCASE("stop again")
    {
        world.supervisor.stop(0, world.now);
        world.exit(0);
        CHECK(world.state() == State::Stopped);
    }
}

TEST_CASE("supervisor: restart of what waits starts it now")
{
    World world;
    world.policies[0].restart = Restart::Always;
    world.up();
    world.exit(1);
    REQUIRE(world.state() == State::Backoff);
    world.supervisor.restart(0, world.now);
    world.take();
    world.supervisor.advance(world.now);
    CHECK(world.take() == "start0 ");
}

TEST_CASE("supervisor: a refused fork is tried again, later and later, whatever restart says")
{
    World world;
    world.refuse = true;
    world.supervisor.start_all(world.now);
    world.supervisor.advance(world.now);
    std::vector<std::int64_t> delays;
    for (int i = 0; i < 10; i++) {
        REQUIRE(world.state() == State::Backoff);
        delays.push_back(world.supervisor.deadline() - world.now);
        world.pass(delays.back());
    }
    CHECK(delays == std::vector<std::int64_t>{100, 200, 400, 800, 1600, 3200, 6400, 12800, 12800, 12800});
    CHECK(world.supervisor.service(0).restarts == 0);
    world.refuse = false;
    world.pass(12800);
    CHECK(world.take() == "start0 ");
}

TEST_CASE("supervisor: all are stopped in reverse order, for good")
{
    World world(3);
    world.policies[1].restart = Restart::Always;
    world.up();
    world.supervisor.stop_all(world.now);
    CHECK(world.take() == "stop2 stop1 stop0 ");
    CHECK_FALSE(world.supervisor.start(0, world.now));
    CHECK_FALSE(world.supervisor.restart(1, world.now));
    for (const ServiceIndex index : {0U, 1U, 2U})
        world.exit(1, index);
    CHECK(world.supervisor.finished());
    CHECK(world.supervisor.outcome() == nullptr);  // they ended as wanted
    CHECK(world.take() == "");
}

TEST_CASE("supervisor: among several the first that failed decides")
{
    World world(3);
    world.up();
    world.exit(4, 1);
    world.exit(5, 0);
    world.exit(0, 2);
    REQUIRE(world.supervisor.finished());
    CHECK(world.supervisor.outcome()->last.code == 4);
}

TEST_CASE("supervisor: many are started a batch at a time")
{
    World world(50);
    world.supervisor.start_all(world.now);
    unsigned turns = 1;
    while (world.supervisor.advance(world.now))
        turns++;
    CHECK(turns == 4);
    for (ServiceIndex index = 0; index < 50; index++)
        CHECK(world.state(index) == State::Starting);
}

TEST_CASE("supervisor: the earliest of many deadlines counts")
{
    World world(3);
    for (std::size_t i = 0; i < 3; i++)
        world.policies[i] = {Restart::Always, static_cast<Milliseconds>(100 * (i + 1)), 0};
    world.up();
    for (const ServiceIndex index : {2U, 0U, 1U})
        world.exit(1, index);
    CHECK(world.supervisor.deadline() == world.now + 100);
    world.supervisor.stop(0, world.now);
    CHECK(world.supervisor.deadline() == world.now + 200);
    world.take();
    world.pass(1000);
    CHECK(world.take() == "start1 start2 ");
}

TEST_CASE("supervisor: whatever happens, the rules hold")
{
    // A small deterministic generator: the same events every time.
    std::uint32_t seed = 12345;
    const auto random = [&](std::uint32_t below) {
        seed = seed * 1664525 + 1013904223;
        return (seed >> 8) % below;
    };
    for (int round = 0; round < 200; round++) {
        World world(4);
        for (ServicePolicy& policy : world.policies)
            policy = {static_cast<Restart>(random(3)), random(2) * 300, random(3) * 500};
        world.supervisor.start_all(world.now);
        for (int step = 0; step < 200; step++) {
            const ServiceIndex index = random(4);
            const Service& service = world.supervisor.service(index);
            world.refuse = random(8) == 0;
            switch (random(8)) {
            case 0:
                world.supervisor.start(index, world.now);
                break;
            case 1:
                world.supervisor.stop(index, world.now);
                break;
            case 2:
                world.supervisor.restart(index, world.now);
                break;
            case 3:
                if (service.pid != 0)
                    world.supervisor.started(index, world.now);
                break;
            case 4:
                if (service.pid != 0)
                    world.exit(static_cast<int>(random(2)), index);
                break;
            default:
                world.pass(random(400));
                break;
            }
            std::int64_t earliest = os::never;
            bool active = false;
            for (const Service& each : world.supervisor.services()) {
                const bool has_process =
                    each.state == State::Starting || each.state == State::Ready || each.state == State::Stopping;
                REQUIRE((each.pid != 0) == has_process);
                earliest = std::min(earliest, each.deadline);
                active |= is_active(each.state);
            }
            REQUIRE(world.supervisor.deadline() == earliest);
            REQUIRE(world.supervisor.finished() == !active);
        }
        // Every stop ends.
        world.supervisor.stop_all(world.now);
        for (ServiceIndex index = 0; index < 4; index++) {
            if (world.supervisor.service(index).pid != 0)
                world.exit(143, index);
        }
        REQUIRE(world.supervisor.finished());
        REQUIRE(world.supervisor.deadline() == os::never);
    }
}
