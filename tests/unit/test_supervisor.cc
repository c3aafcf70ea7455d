// SPDX-License-Identifier: MIT

#include "supervise/delays.h"
#include "supervised.h"

#include <vector>

using namespace vial;
using namespace vial::test;
using State = ServiceState;

TEST_CASE("supervisor: a service is started, gets ready, and ends")
{
    World world;
    CHECK(world.supervisor.finished());
    world.supervisor.start_all(world.now);
    CHECK(world.state() == State::Waiting);
    CHECK_FALSE(world.supervisor.finished());
    CHECK(world.take() == "");
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
    world.stop_by_hand();
    CHECK(world.take() == "stop0 ");
    CHECK(world.state() == State::Stopping);
    world.stop_by_hand();
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
    world.stop_by_hand();
    CHECK(world.supervisor.deadline() == os::never);
}

TEST_CASE("supervisor: stop cancels what is pending")
{
    World world;
    world.policies[0].restart = Restart::Always;
    world.up();
    world.exit(1);
    REQUIRE(world.state() == State::Backoff);
    world.stop_by_hand();
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
    world.turn();
    world.stop_by_hand();
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
    world.turn();
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
    world.stop_by_hand();
    CHECK(world.supervisor.start(0, world.now));
    SUBCASE("start")
    {
        world.exit(0);
        CHECK(world.take() == "stop0 kill0 start0 ");
    }
    SUBCASE("stop again")
    {
        world.stop_by_hand();
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
    // However long that goes on, it is worth telling about once a minute.
    int told = 0;
    for (int i = 0; i < 100; i++) {
        told += tells_refusal(world.supervisor.service(0).refusals);
        CHECK(world.supervisor.deadline() - world.now == 12800);
        CHECK(world.supervisor.service(0).refusals > 0);
        world.pass(12800);
    }
    CHECK(told == 20);
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
    world.turn();
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
    CHECK(turns == (50 + Supervisor::start_batch - 1) / Supervisor::start_batch);
    for (ServiceIndex index = 0; index < 50; index++)
        CHECK(world.state(index) == State::Starting);
}

TEST_CASE("supervisor: the earliest of many deadlines counts")
{
    World world(3);
    for (std::size_t i = 0; i < 3; i++) {
        world.policies[i].restart = Restart::Always;
        world.policies[i].restart_delay = static_cast<Milliseconds>(100 * (i + 1));
    }
    world.up();
    for (const ServiceIndex index : {2U, 0U, 1U})
        world.exit(1, index);
    CHECK(world.supervisor.deadline() == world.now + 100);
    world.stop_by_hand();
    CHECK(world.supervisor.deadline() == world.now + 200);
    world.take();
    world.pass(1000);
    CHECK(world.take() == "start1 start2 ");
}

TEST_CASE("supervisor: the delay doubles up to its limit, and is the first again after a stable life")
{
    World world;
    world.policies[0].restart = Restart::Always;
    world.policies[0].restart_delay = 100;
    world.policies[0].restart_backoff = 500;
    world.policies[0].stable_after = 5000;
    world.up();
    std::vector<std::int64_t> delays;
    const auto crash = [&] {
        world.exit(1);
        REQUIRE(world.state() == State::Backoff);
        delays.push_back(world.supervisor.deadline() - world.now);
        world.pass(delays.back());
        world.supervisor.started(0, world.now);
        REQUIRE(world.state() == State::Ready);
    };
    for (int i = 0; i < 5; i++)
        crash();
    world.pass(4999);
    crash();
    world.pass(5000);
    crash();
    crash();
    CHECK(delays == std::vector<std::int64_t>{100, 200, 400, 500, 500, 500, 100, 200});
}

TEST_CASE("supervisor: more restarts than the limit within the window are a failure; by hand it starts over")
{
    World world;
    ServicePolicy& policy = world.policies[0];
    policy.restart = Restart::Always;
    policy.restart_delay = 0;
    policy.restart_limit = 3;
    policy.restart_window = 1000;
    world.up();
    for (int i = 0; i < 3; i++) {
        world.exit(1);
        CHECK(world.state() == State::Starting);
    }
    world.exit(7);
    CHECK(world.state() == State::Failed);
    CHECK(world.service().reason == Reason::TooOften);
    CHECK(reason_text(world.service().reason) == "it was started again too often");
    CHECK(world.supervisor.outcome()->last.code == 7);
    CHECK(world.supervisor.finished());

    world.start_by_hand();
    CHECK(world.service().reason == Reason::None);
    for (int i = 0; i < 3; i++)
        world.exit(1);
    CHECK(world.state() == State::Starting);
    // The window is over: the count begins again.
    world.pass(1001);
    for (int i = 0; i < 3; i++)
        world.exit(1);
    CHECK(world.state() == State::Starting);
    world.exit(1);
    CHECK(world.state() == State::Failed);
}

TEST_CASE("supervisor: readiness by word; what was ready is so no longer after a crash")
{
    World world;
    world.policies[0].ready = Ready::Notify;
    world.policies[0].restart = Restart::Always;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    CHECK(world.state() == State::Starting);
    world.supervisor.ready(0, world.now);
    CHECK(world.state() == State::Ready);
    world.exit(1);
    CHECK(world.state() == State::Backoff);
    world.supervisor.ready(0, world.now);  // too late
    CHECK(world.state() == State::Backoff);
    world.pass(1000);
    CHECK(world.state() == State::Starting);
}

TEST_CASE("supervisor: who is not ready in time is stopped, and that was a failure")
{
    World world;
    ServicePolicy& policy = world.policies[0];
    policy.ready = Ready::Notify;
    policy.start_timeout = 2000;
    policy.stop_timeout = 500;
    SUBCASE("without restart it has failed") {}
    SUBCASE("with restart it is started again")
    {
        policy.restart = Restart::OnFailure;
    }
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    world.pass(1999);
    CHECK(world.take() == "start0 ");
    world.pass(1);
    CHECK(world.take() == "stop0 ");
    CHECK(world.state() == State::Stopping);
    world.pass(500);
    CHECK(world.take() == "kill0 ");
    world.exit(0);  // even if it ends well now
    CHECK(world.service().reason == Reason::Late);
    CHECK(world.state() == (policy.restart == Restart::No ? State::Failed : State::Backoff));
}

TEST_CASE("supervisor: to end well before being ready is a failure")
{
    World world;
    world.policies[0].ready = Ready::Fd;
    world.supervisor.start_all(world.now);
    world.turn();
    world.exit(0);
    CHECK(world.state() == State::Failed);
    CHECK(world.service().reason == Reason::NotReady);
}

TEST_CASE("supervisor: a oneshot is ready when it has ended well, and holds nothing up")
{
    World world;
    world.policies[0].oneshot = true;
    world.policies[0].restart = Restart::OnFailure;
    world.policies[0].restart_delay = 10;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    CHECK(world.state() == State::Starting);
    world.exit(1);
    CHECK(world.state() == State::Backoff);
    world.pass(10);
    world.exit(0);
    CHECK(world.state() == State::Ready);
    CHECK(world.supervisor.finished());
    SUBCASE("start is for what does not run")
    {
        world.take();
        world.start_by_hand();
        CHECK(world.take() == "");
    }
    SUBCASE("restart does it again")
    {
        world.take();
        CHECK(world.supervisor.restart(0, world.now));
        world.turn();
        CHECK(world.take() == "start0 ");
    }
    SUBCASE("stop undoes it")
    {
        world.stop_by_hand();
        CHECK(world.state() == State::Stopped);
    }
}

TEST_CASE("supervisor: the end of an essential service is everybody's")
{
    World world(3);
    world.policies[1].essential = true;
    world.policies[1].restart = Restart::OnFailure;
    world.policies[1].restart_limit = 1;
    world.policies[1].restart_delay = 0;
    world.up();
    world.exit(3, 0);  // not essential
    CHECK_FALSE(world.supervisor.closing());
    world.exit(4, 1);
    CHECK_FALSE(world.supervisor.closing());
    SUBCASE("it fails for good")
    {
        world.exit(5, 1);
        CHECK(world.supervisor.outcome()->last.code == 5);
    }
    SUBCASE("it ends well")
    {
        world.exit(0, 1);
        CHECK(world.supervisor.outcome()->last.code == 0);
    }
    SUBCASE("a stop by hand is nobody's end")
    {
        world.stop_by_hand(1);
        world.exit(143, 1);
        CHECK_FALSE(world.supervisor.closing());
        world.start_by_hand(1);
        world.exit(0, 1);
    }
    CHECK(world.supervisor.closing());
    CHECK(world.state(2) == State::Stopping);
    world.exit(143, 2);
    CHECK(world.supervisor.finished());
}

TEST_CASE("supervisor: reload")
{
    World world;
    world.policies[0].start_timeout = 1000;
    CHECK_FALSE(world.supervisor.reload(0, world.now));
    SUBCASE("who cannot say that it is done is done at once")
    {
        world.up();
        CHECK(world.supervisor.reload(0, world.now));
        CHECK(world.take() == "reload0 ");
        CHECK(world.state() == State::Ready);
    }
    SUBCASE("who can is reloading until then")
    {
        world.policies[0].ready = Ready::Notify;
        world.up();
        CHECK(world.supervisor.reload(0, world.now));
        CHECK(world.state() == State::Reloading);
        world.supervisor.reloading(0, world.now);
        world.supervisor.ready(0, world.now);
        CHECK(world.state() == State::Ready);
        world.supervisor.reloading(0, world.now);  // of its own accord
        CHECK(world.state() == State::Reloading);
        SUBCASE("or until its time is over")
        {
            world.pass(1000);
            CHECK(world.state() == State::Ready);
        }
        SUBCASE("or until it crashes")
        {
            world.exit(1);
            CHECK(world.state() == State::Failed);
        }
        SUBCASE("or is stopped")
        {
            world.stop_by_hand();
            CHECK(world.state() == State::Stopping);
        }
    }
}

TEST_CASE("supervisor: a process is found by its pid")
{
    World world(100);
    world.up();
    for (ServiceIndex index = 0; index < 100; index++) {
        const auto owner = world.supervisor.find(world.service(index).pid);
        CHECK(owner.found);
        CHECK(owner.service == index);
        CHECK_FALSE(owner.is_task);
    }
    const pid_t gone = world.service(50).pid;
    world.exit(0, 50);
    CHECK_FALSE(world.supervisor.find(gone).found);
    CHECK_FALSE(world.supervisor.find(7).found);
    world.supervisor.adopt(20, gone);
    CHECK(world.supervisor.find(gone).service == 20);
    CHECK(world.service(20).pid == gone);
}

TEST_CASE("supervisor: what was to happen happens later by the time for which nothing could")
{
    World world(3);
    world.policies[0].restart = Restart::Always;
    world.policies[0].restart_delay = 1000;
    world.policies[1].tasks = task_bit(Task::Health);
    world.policies[1].health_interval = 700;
    world.up();
    world.exit(1);
    CHECK(world.state() == State::Backoff);
    const std::int64_t due = world.supervisor.deadline();
    world.take();
    world.now += 5000;
    world.supervisor.postpone(5000);
    CHECK(world.supervisor.deadline() == due + 5000);
    world.pass(699);
    CHECK(world.take() == "");
    world.pass(1);
    CHECK(world.take() == "task1:health ");
    world.pass(299);
    CHECK(world.take() == "");
    world.pass(1);
    CHECK(world.take() == "start0 ");
}
