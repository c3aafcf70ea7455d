// SPDX-License-Identifier: MIT
//
// The supervision engine and services that depend on each other.

#include "supervised.h"

using namespace vial;
using namespace vial::test;
using State = ServiceState;

TEST_CASE("dependencies: started when what they depend on is ready, whatever the order of the list")
{
    // 0 after 1 after 2
    World world(3, {{0, 1}, {1, 2, true}});
    world.supervisor.start_all(world.now);
    world.turn();
    CHECK(world.take() == "start2 ");
    CHECK(world.state(0) == State::Waiting);
    world.supervisor.started(2, world.now);
    world.turn();
    CHECK(world.take() == "start1 ");
    world.supervisor.started(1, world.now);
    world.turn();
    CHECK(world.take() == "start0 ");
}

TEST_CASE("dependencies: stopped in reverse order, each after the ones that depend on it")
{
    World world(4, {{0, 1}, {1, 2, true}, {3, 2}});
    world.up();
    world.supervisor.stop_all(world.now);
    world.turn();
    CHECK(world.take() == "stop3 stop0 ");
    world.exit(0, 0);
    CHECK(world.take() == "stop1 ");
    world.exit(0, 1);
    CHECK(world.take() == "");
    world.exit(0, 3);
    CHECK(world.take() == "stop2 ");
    world.exit(0, 2);
    CHECK(world.supervisor.finished());
}

TEST_CASE("dependencies: one that cannot be killed holds up nobody for long")
{
    World world(2, {{0, 1, true}});
    world.policies[0].stop_timeout = 100;
    world.up();
    world.supervisor.stop_all(world.now);
    world.pass(100);
    CHECK(world.take() == "stop0 kill0 ");
    world.pass(1000);
    CHECK(world.take() == "kill0 stop1 ");
}

TEST_CASE("dependencies: after is order alone")
{
    World world(2, {{0, 1}});
    SUBCASE("it does not wait for what failed")
    {
        world.supervisor.start_all(world.now);
        world.turn();
        world.exit(1, 1);
        CHECK(world.take() == "start1 kill1 start0 ");
    }
    SUBCASE("it waits while the other is being started again")
    {
        world.policies[1].restart = Restart::Always;
        world.supervisor.start_all(world.now);
        world.turn();
        world.exit(1, 1);
        CHECK(world.state(0) == State::Waiting);
        world.pass(1000);
        CHECK(world.take() == "start1 kill1 start1 ");
        world.supervisor.started(1, world.now);
        world.turn();
        CHECK(world.take() == "start0 ");
    }
    SUBCASE("it does not bring the other up, nor go with it")
    {
        world.start_by_hand(0);
        CHECK(world.take() == "start0 ");
        world.supervisor.started(0, world.now);
        world.start_by_hand(1);
        world.supervisor.started(1, world.now);
        world.take();
        world.stop_by_hand(1);
        CHECK(world.take() == "stop1 ");
        CHECK(world.state(0) == State::Ready);
        world.exit(1, 1);
        CHECK(world.state(0) == State::Ready);
    }
}

TEST_CASE("dependencies: requires brings the other up")
{
    World world(3, {{0, 1, true}, {1, 2, true}});
    SUBCASE("that never ran") {}
    SUBCASE("that failed")
    {
        world.start_by_hand(2);
        world.exit(1, 2);
        CHECK(world.state(2) == State::Failed);
    }
    SUBCASE("that is being stopped")
    {
        world.start_by_hand(2);
        world.supervisor.started(2, world.now);
        world.stop_by_hand(2);
        world.start_by_hand(0);
        CHECK(world.state(1) == State::Waiting);
        world.exit(0, 2);
    }
    world.take();
    world.start_by_hand(0);
    if (world.state(2) != State::Starting)
        world.turn();
    CHECK(world.state(2) == State::Starting);
    world.supervisor.started(2, world.now);
    world.turn();
    world.supervisor.started(1, world.now);
    world.turn();
    CHECK(world.state(0) == State::Starting);
}

TEST_CASE("dependencies: whose requirement fails for good fails too")
{
    World world(3, {{0, 1, true}, {1, 2, true}});
    SUBCASE("before its own start")
    {
        world.supervisor.start_all(world.now);
        world.turn();
        world.exit(1, 2);
        CHECK(world.take() == "start2 kill2 ");
        CHECK(world.state(1) == State::Failed);
        CHECK(world.state(0) == State::Failed);
        CHECK(world.supervisor.finished());
    }
    SUBCASE("while it runs: it is stopped first, and those that require it before it")
    {
        world.up();
        world.exit(1, 2);
        CHECK(world.state(1) == State::Stopping);
        world.exit(143, 1);
        CHECK(world.state(1) == State::Failed);
        CHECK(world.state(0) == State::Stopping);
        world.exit(143, 0);
        CHECK(world.state(0) == State::Failed);
    }
    SUBCASE("while it waits for its restart")
    {
        world.policies[1].restart = Restart::Always;
        world.up();
        world.exit(1, 1);
        CHECK(world.state(1) == State::Backoff);
        world.exit(1, 2);
        CHECK(world.state(1) == State::Failed);
        world.exit(1, 0);
    }
    CHECK(world.service(1).reason == Reason::Requirement);
    CHECK(world.supervisor.failed_requirement(1) == 2);
    CHECK(reason_text(Reason::Requirement) == "requires ");
    CHECK(world.supervisor.outcome() == &world.service(2));

    // By hand all of it works again.
    world.take();
    world.start_by_hand(0);
    CHECK(world.state(2) == State::Starting);
    CHECK(world.take() == "start2 ");
}

TEST_CASE("dependencies: a crash that is followed by a restart leaves the others alone")
{
    World world(2, {{0, 1, true}});
    world.policies[1].restart = Restart::Always;
    world.up();
    world.exit(1, 1);
    world.pass(1000);
    CHECK(world.state(0) == State::Ready);
    CHECK(world.take() == "kill1 start1 ");
}

TEST_CASE("dependencies: a stop of a requirement stops its dependents first")
{
    World world(4, {{0, 1, true}, {1, 2, true}, {3, 2}});
    world.up();
    world.stop_by_hand(2);
    CHECK(world.take() == "stop0 ");
    world.exit(0, 0);
    CHECK(world.take() == "kill0 stop1 ");
    world.exit(0, 1);
    CHECK(world.take() == "kill1 stop2 ");
    world.exit(0, 2);
    for (const ServiceIndex index : {0U, 1U, 2U})
        CHECK(world.state(index) == State::Stopped);
    CHECK(world.state(3) == State::Ready);
}

TEST_CASE("dependencies: a restart of a requirement brings its dependents back")
{
    World world(2, {{0, 1, true}});
    world.up();
    CHECK(world.supervisor.restart(1, world.now));
    world.turn();
    CHECK(world.take() == "stop0 ");
    world.exit(0, 0);
    CHECK(world.take() == "kill0 stop1 ");
    CHECK(world.state(0) == State::Waiting);
    world.exit(0, 1);
    CHECK(world.take() == "kill1 start1 ");
    world.supervisor.started(1, world.now);
    world.turn();
    CHECK(world.take() == "start0 ");
    CHECK(world.service(0).restarts == 0);
}

TEST_CASE("dependencies: who waits for what is stopped is not started in passing")
{
    World world(2, {{0, 1, true}});
    world.policies[1].restart = Restart::Always;
    world.supervisor.start_all(world.now);
    world.turn();
    world.exit(1, 1);
    REQUIRE(world.state(1) == State::Backoff);
    REQUIRE(world.state(0) == State::Waiting);
    world.take();
    world.stop_by_hand(1);
    CHECK(world.take() == "");
    CHECK(world.state(0) == State::Stopped);
    CHECK(world.state(1) == State::Stopped);
}

TEST_CASE("dependencies: on a oneshot that is done, and on one that ended well by itself")
{
    World world(3, {{1, 0, true}, {2, 1, true}});
    world.policies[0].oneshot = true;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    world.turn();
    CHECK(world.take() == "start0 ");
    world.exit(0, 0);
    CHECK(world.take() == "kill0 start1 ");
    world.exit(0, 1);  // before its exec was heard of
    CHECK(world.state(1) == State::Stopped);
    CHECK(world.take() == "kill1 start2 ");
}

TEST_CASE("dependencies: a oneshot that is done stays so when what it required fails")
{
    World world(2, {{0, 1, true}});
    world.policies[0].oneshot = true;
    world.up();
    world.exit(1, 1);
    CHECK(world.state(0) == State::Ready);
}

TEST_CASE("dependencies: an essential service that loses its requirement ends everything")
{
    World world(3, {{0, 1, true}});
    world.policies[0].essential = true;
    world.up();
    world.exit(9, 1);
    world.exit(143, 0);
    CHECK(world.supervisor.closing());
    CHECK(world.supervisor.outcome() == &world.service(0));
    CHECK(world.state(2) == State::Stopping);
}
