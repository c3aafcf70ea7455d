// SPDX-License-Identifier: MIT
//
// The supervision engine's probes and hooks.

#include "supervised.h"

using namespace vial;
using namespace vial::test;
using State = ServiceState;

TEST_CASE("tasks: a probe finds out whether the service is ready, in growing intervals")
{
    World world;
    ServicePolicy& policy = world.policies[0];
    policy.ready = Ready::Exec;
    policy.start_timeout = 10000;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    world.turn();
    CHECK(world.take() == "start0 ");
    world.pass(20);
    CHECK(world.take() == "task0:readiness ");
    CHECK(world.supervisor.find(world.service().task_pid).is_task);
    world.task_ends(false);
    world.pass(39);
    CHECK(world.take() == "");
    world.pass(1);
    CHECK(world.take() == "task0:readiness ");
    SUBCASE("it is")
    {
        world.task_ends(true);
        CHECK(world.state() == State::Ready);
        CHECK(world.supervisor.deadline() == os::never);
    }
    SUBCASE("a probe that hangs is killed, and the next one follows")
    {
        world.pass(5000);
        CHECK(world.take() == "drop0 ");
        world.task_ends(false);
        world.pass(80);
        CHECK(world.take() == "task0:readiness ");
    }
    SUBCASE("it is not, in time")
    {
        world.pass(10000);
        CHECK(world.state() == State::Stopping);
        CHECK(world.take().find("stop0 ") != std::string::npos);
    }
    SUBCASE("it ends meanwhile")
    {
        world.exit(1);
        CHECK(world.take() == "drop0 kill0 ");
        CHECK(world.state() == State::Failed);
        CHECK_FALSE(world.supervisor.finished());
        world.task_ends(false);
        CHECK(world.supervisor.finished());
    }
    SUBCASE("the kernel has none to give")
    {
        world.task_ends(false);
        world.refuse = true;
        world.pass(80);
        world.refuse = false;
        world.pass(80);
        CHECK(world.take() == "task0:readiness ");
    }
}

TEST_CASE("tasks: a probe without a process")
{
    World world;
    world.without_pid = true;
    world.policies[0].ready = Ready::Tcp;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    world.pass(20);
    CHECK(world.take() == "start0 task0:readiness ");
    SUBCASE("it hangs")
    {
        world.pass(5000);
        CHECK(world.take() == "drop0 ");
        world.pass(40);
        CHECK(world.take() == "task0:readiness ");
    }
    SUBCASE("it succeeds")
    {
        world.task_ends(true);
        CHECK(world.state() == State::Ready);
    }
    SUBCASE("the service is stopped meanwhile")
    {
        world.stop_by_hand();
        CHECK(world.take() == "drop0 stop0 ");
        world.exit(0);
        CHECK(world.supervisor.finished());
    }
}

TEST_CASE("pid1-41: a service in the background is looked for by its pid file once what was started has ended well")
{
    World world;
    ServicePolicy& policy = world.policies[0];
    policy.ready = Ready::PidFile;
    policy.start_timeout = 1000;
    policy.restart = Restart::Always;
    policy.restart_delay = 50;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    world.pass(500);
    CHECK(world.take() == "start0 ");
    const pid_t first = world.service().pid;
    SUBCASE("it never leaves: that is a failure in time")
    {
        CHECK(world.state() == State::Starting);
        world.pass(500);
        CHECK(world.take() == "stop0 ");
        CHECK(world.service().reason == Reason::Late);
    }
    SUBCASE("it ends badly")
    {
        world.exit(1);
        CHECK(world.take() == "kill0 ");
        CHECK(world.state() == State::Backoff);
        CHECK(world.service().reason == Reason::NotReady);
    }
    SUBCASE("the file comes later")
    {
        CHECK(world.supervisor.left(0));
        world.turn();
        CHECK(world.service().pid == 0);
        CHECK_FALSE(world.supervisor.find(first).found);
        CHECK_FALSE(world.supervisor.finished());
        CHECK(world.take() == "look0 ");
        world.pass(40);
        CHECK(world.take() == "look0 ");
        world.named = true;
        world.pass(80);
        CHECK(world.take() == "look0 ");
        CHECK(world.state() == State::Ready);
        const pid_t main = world.service().pid;
        CHECK(main > first);
        CHECK(world.supervisor.find(main).found);
        CHECK(world.supervisor.deadline() == os::never);
        // From here on it is as any other: its end is the service's.
        CHECK_FALSE(world.supervisor.left(0));
        world.exit(0);
        CHECK(world.state() == State::Backoff);
        world.pass(50);
        CHECK(world.take() == "kill0 start0 ");
    }
    SUBCASE("the file does not come")
    {
        CHECK(world.supervisor.left(0));
        world.pass(499);
        CHECK(world.state() == State::Starting);
        (void)world.take();
        world.pass(1);
        CHECK(world.service().reason == Reason::Late);
        // Nobody is there who could be asked to stop.
        CHECK(world.take() == "kill0 ");
        CHECK(world.state() == State::Backoff);
        CHECK(world.service().restarts == 1);
    }
    SUBCASE("it is stopped meanwhile")
    {
        CHECK(world.supervisor.left(0));
        world.stop_by_hand();
        CHECK(world.state() == State::Stopped);
        CHECK(world.take().ends_with("kill0 "));
        CHECK(world.supervisor.finished());
    }
    SUBCASE("everything is stopped meanwhile: it gets its time as an orphan")
    {
        CHECK(world.supervisor.left(0));
        world.turn();
        (void)world.take();
        world.supervisor.stop_all(world.now);
        world.turn();
        CHECK(world.take() == "");
        CHECK(world.supervisor.finished());
    }
}

TEST_CASE("pid1-41: what a service in the background requires fails while it is looked for")
{
    World world(2, {{0, 1, true}});
    world.policies[0].ready = Ready::PidFile;
    world.up();
    world.stop_by_hand();
    world.exit(0);
    world.supervisor.start(0, world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    CHECK(world.supervisor.left(0));
    world.turn();
    world.exit(1, 1);
    CHECK(world.state(1) == State::Failed);
    CHECK(world.state(0) == State::Failed);
    CHECK(world.service().reason == Reason::Requirement);
}

TEST_CASE("tasks: health")
{
    World world;
    ServicePolicy& policy = world.policies[0];
    policy.tasks = task_bit(Task::Health);
    policy.health_interval = 1000;
    policy.probe_timeout = 200;
    policy.health_retries = 2;
    policy.restart_delay = 50;
    policy.stop_timeout = 300;
    const auto probe = [&](bool good) {
        world.pass(1000);
        REQUIRE(world.take() == "task0:health ");
        world.task_ends(good);
    };
    SUBCASE("all is well")
    {
        world.up();
        for (int i = 0; i < 5; i++) {
            probe(true);
            probe(false);
        }
        CHECK(world.state() == State::Ready);
    }
    SUBCASE("restart, whatever restart says of crashes")
    {
        world.up();
        probe(false);
        probe(false);
        CHECK(world.take() == "stop0 ");
        CHECK(world.state() == State::Stopping);
        world.exit(0);
        CHECK(world.state() == State::Backoff);
        CHECK(world.service().reason == Reason::Unwell);
        CHECK(world.service().restarts == 1);
        world.pass(50);
        CHECK(world.state() == State::Starting);
    }
    SUBCASE("stop")
    {
        policy.health_action = HealthAction::Stop;
        policy.restart = Restart::Always;
        world.up();
        probe(false);
        probe(false);
        world.exit(0);
        CHECK(world.state() == State::Failed);
        CHECK(world.service().reason == Reason::Unwell);
    }
    SUBCASE("none")
    {
        policy.health_action = HealthAction::None;
        world.up();
        for (int i = 0; i < 5; i++)
            probe(false);
        CHECK(world.state() == State::Ready);
        CHECK(world.service().misses == 5);
    }
    SUBCASE("a probe that hangs is killed and counts as bad")
    {
        world.up();
        world.pass(1000);
        world.pass(200);
        CHECK(world.take() == "task0:health drop0 ");
        world.pass(1000);  // it does not even end
        CHECK(world.take() == "drop0 ");
        world.task_ends(false);
        CHECK(world.service().misses == 1);
    }
    SUBCASE("a crash ends the probe; the next life begins when that has gone")
    {
        policy.restart = Restart::Always;
        policy.restart_delay = 0;
        world.up();
        world.pass(1000);
        world.exit(1);
        CHECK(world.take() == "task0:health drop0 kill0 ");
        CHECK(world.state() == State::Waiting);
        world.task_ends(false);
        CHECK(world.take() == "start0 ");
        CHECK(world.service().misses == 0);
    }
    SUBCASE("a stop ends the probe")
    {
        world.up();
        world.pass(1000);
        world.stop_by_hand();
        CHECK(world.take() == "task0:health drop0 stop0 ");
        world.task_ends(true);
        world.exit(0);
        CHECK(world.supervisor.finished());
    }
}

TEST_CASE("tasks: on_start runs when it is ready, also after a restart, and others do not wait for it")
{
    World world(2, {{1, 0, true}});
    world.policies[0].tasks = task_bit(Task::OnStart) | task_bit(Task::Health);
    world.policies[0].restart = Restart::Always;
    world.policies[0].health_interval = 500;
    world.supervisor.start_all(world.now);
    world.turn();
    world.supervisor.started(0, world.now);
    world.turn();
    CHECK(world.take() == "start0 start1 task0:on_start ");
    SUBCASE("again after a crash; probes begin after it")
    {
        world.task_ends(false);  // whether it worked is its own business
        world.pass(500);
        CHECK(world.take() == "task0:health ");
        world.task_ends(true);
        world.exit(1);
        world.pass(1000);
        CHECK(world.take() == "kill0 start0 ");
        world.supervisor.started(0, world.now);
        world.turn();
        CHECK(world.take() == "task0:on_start ");
    }
    SUBCASE("one that hangs is killed")
    {
        world.pass(9999);
        CHECK(world.take() == "");
        world.pass(1);
        CHECK(world.take() == "drop0 ");
        world.task_ends(false);
        CHECK(world.state() == State::Ready);
    }
    SUBCASE("the kernel has no process for it: the service goes on")
    {
        world.task_ends(true);
        world.take();
        world.exit(1);
        world.pass(1000);
        world.refuse = true;
        world.supervisor.started(0, world.now);
        world.turn();
        CHECK(world.state() == State::Ready);
    }
}

TEST_CASE("tasks: on_stop runs before the stop signal")
{
    World world;
    world.policies[0].tasks = task_bit(Task::OnStop);
    SUBCASE("in time")
    {
        world.up();
        world.stop_by_hand();
        CHECK(world.take() == "task0:on_stop ");
        CHECK(world.state() == State::Stopping);
        world.pass(9000);
        world.task_ends(true);
        CHECK(world.take() == "stop0 ");
        world.pass(9999);  // the time for stopping begins with the signal
        CHECK(world.take() == "");
        world.pass(1);
        CHECK(world.take() == "kill0 ");
    }
    SUBCASE("one that hangs is killed")
    {
        world.up();
        world.stop_by_hand();
        world.pass(10000);
        CHECK(world.take() == "task0:on_stop drop0 ");
        SUBCASE("and ends")
        {
            world.task_ends(false);
            CHECK(world.take() == "stop0 ");
        }
        SUBCASE("and one that does not even end then holds nothing up")
        {
            world.pass(1000);
            CHECK(world.take() == "drop0 stop0 ");
            world.exit(0);
            world.task_ends(false);
            CHECK(world.supervisor.finished());
        }
    }
    SUBCASE("of a service that ends meanwhile")
    {
        world.up();
        world.stop_by_hand();
        world.exit(0);
        CHECK(world.state() == State::Stopped);
        CHECK_FALSE(world.supervisor.finished());
        world.task_ends(true);
        CHECK(world.supervisor.finished());
        CHECK(world.take() == "task0:on_stop ");  // not killed; and at the end of everything there is time for the rest
    }
    SUBCASE("not of one that was never ready")
    {
        world.supervisor.start_all(world.now);
        world.turn();
        world.stop_by_hand();
        CHECK(world.take() == "start0 stop0 ");
    }
    SUBCASE("the kernel has no process for it")
    {
        world.up();
        world.refuse = true;
        world.stop_by_hand();
        CHECK(world.take() == "stop0 ");
    }
    SUBCASE("not of one that is unwell: it might hang as the probe did")
    {
        world.policies[0].tasks |= task_bit(Task::Health);
        world.policies[0].health_interval = 1000;
        world.policies[0].health_retries = 1;
        world.up();
        world.pass(1000);
        world.task_ends(false);
        CHECK(world.take() == "task0:health stop0 ");
    }
    SUBCASE("a probe that cannot be killed delays it by a second, and then it is left out")
    {
        world.policies[0].tasks |= task_bit(Task::Health);
        world.policies[0].health_interval = 1000;
        world.up();
        world.pass(1000);
        world.stop_by_hand();
        CHECK(world.take() == "task0:health drop0 ");
        world.pass(999);
        CHECK(world.take() == "");
        world.pass(1);
        CHECK(world.take() == "drop0 stop0 ");
    }
    SUBCASE("after a probe that was killed it has all its time")
    {
        world.policies[0].tasks |= task_bit(Task::Health);
        world.policies[0].health_interval = 1000;
        world.up();
        world.pass(1000);
        world.pass(5000);
        world.task_ends(false);
        world.take();
        world.stop_by_hand();
        world.pass(10000);
        CHECK(world.take() == "task0:on_stop drop0 ");
    }
    SUBCASE("of a oneshot that is done, at the end of everything")
    {
        world.policies[0].oneshot = true;
        world.up();
        CHECK(world.supervisor.finished());
        world.supervisor.stop_all(world.now);
        world.turn();
        CHECK(world.take() == "task0:on_stop ");
        CHECK_FALSE(world.supervisor.finished());
        world.task_ends(true);
        CHECK(world.state() == State::Stopped);
        CHECK(world.supervisor.finished());
    }
}

TEST_CASE("on_stop goes on where the main process has ended meanwhile; what is left is killed after it")
{
    World world(2);
    world.policies[0].tasks = task_bit(Task::OnStop);
    world.up();
    world.stop_by_hand();
    CHECK(world.take() == "task0:on_stop ");
    world.exit(0);
    CHECK(world.take() == "");
    CHECK(world.state() == World::State::Stopped);
    world.start_by_hand();
    CHECK(world.take() == "");
    world.task_ends(true);
    CHECK(world.take() == "kill0 start0 ");
}

TEST_CASE("who takes over while it is being stopped gets the stop signal too, until it has been killed")
{
    World world(2);
    world.policies[0].stop_timeout = 100;
    world.up();
    world.supervisor.adopt(0, 5000);
    CHECK(world.take() == "");
    world.stop_by_hand();
    CHECK(world.take() == "stop0 ");
    CHECK(world.supervisor.may_hand_on(0));
    world.supervisor.adopt(0, 5001);
    CHECK(world.take() == "stop0 ");
    world.pass(100);
    CHECK(world.take() == "kill0 ");
    CHECK_FALSE(world.supervisor.may_hand_on(0));
    world.exit(137);
    CHECK(world.state() == World::State::Stopped);
    world.start_by_hand();
    CHECK(world.supervisor.may_hand_on(0));
}

TEST_CASE("tasks: on_failure runs after each failure, before the next life")
{
    World world;
    ServicePolicy& policy = world.policies[0];
    policy.tasks = task_bit(Task::OnFailure);
    SUBCASE("a crash")
    {
        policy.restart = Restart::OnFailure;
        policy.restart_delay = 100;
        world.up();
        world.exit(1);
        CHECK(world.take() == "kill0 task0:on_failure ");
        world.pass(200);
        CHECK(world.state() == State::Waiting);
        CHECK(world.take() == "");
        world.task_ends(true);
        CHECK(world.take() == "start0 ");
    }
    SUBCASE("for good")
    {
        world.up();
        world.exit(1);
        CHECK(world.state() == State::Failed);
        CHECK(world.take() == "kill0 task0:on_failure ");
        CHECK_FALSE(world.supervisor.finished());
        world.pass(10000);
        CHECK(world.take() == "drop0 ");
        world.task_ends(false);
        CHECK(world.supervisor.finished());
    }
    SUBCASE("too many restarts")
    {
        policy.restart = Restart::Always;
        policy.restart_limit = 1;
        policy.restart_delay = 0;
        world.up();
        world.exit(1);
        world.task_ends(true);
        world.take();
        world.exit(1);
        CHECK(world.state() == State::Failed);
        CHECK(world.take() == "kill0 task0:on_failure ");
    }
    SUBCASE("not when it ended well")
    {
        policy.restart = Restart::Always;
        world.up();
        world.exit(0);
        CHECK(world.take() == "kill0 ");
    }
    SUBCASE("not when it was stopped")
    {
        world.up();
        world.stop_by_hand();
        world.exit(143);
        CHECK(world.take() == "stop0 ");
    }
    SUBCASE("of an essential service, before everything has ended")
    {
        policy.essential = true;
        world.up();
        world.exit(3);
        CHECK(world.supervisor.closing());
        CHECK_FALSE(world.supervisor.finished());
        CHECK(world.take() == "task0:on_failure ");
        world.task_ends(true);
        CHECK(world.supervisor.finished());
    }
}
