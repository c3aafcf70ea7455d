// SPDX-License-Identifier: MIT
//
// Random events at random graphs: whatever happens, the rules hold. Those that concern a single action are checked by World.

#include "supervised.h"

#include <algorithm>

using namespace vial;
using namespace vial::test;
using State = ServiceState;

namespace {

/// A small deterministic generator: the same events every time.
class Dice {
public:
    explicit Dice(std::uint32_t seed) : state_(seed * 2654435761U + 12345) {}
    std::uint32_t below(std::uint32_t bound)
    {
        state_ = state_ * 1664525 + 1013904223;
        return (state_ >> 8) % bound;
    }
    bool one_in(std::uint32_t count) { return below(count) == 0; }

private:
    std::uint32_t state_;
};

/// Edges from each service to services behind it in a random order: so there is no cycle.
std::vector<Edge> random_graph(Dice& dice, ServiceIndex count)
{
    std::vector<ServiceIndex> order(count);
    for (ServiceIndex index = 0; index < count; index++)
        order[index] = index;
    for (ServiceIndex index = count; index > 1; index--)
        std::swap(order[index - 1], order[dice.below(index)]);
    std::vector<Edge> edges;
    const std::uint32_t density = 1 + dice.below(5);
    for (ServiceIndex from = 0; from < count; from++) {
        for (ServiceIndex to = from + 1; to < count; to++) {
            if (dice.below(6) < density && dice.one_in(2))
                edges.push_back({order[from], order[to], dice.one_in(2)});
        }
    }
    return edges;
}

ServicePolicy random_policy(Dice& dice)
{
    ServicePolicy policy;
    policy.restart = static_cast<Restart>(dice.below(3));
    policy.restart_delay = dice.below(3) * 150;
    policy.restart_backoff = dice.below(2) * 1000;
    policy.restart_limit = dice.below(4);
    policy.restart_window = 2000;
    policy.stable_after = 400;
    policy.start_timeout = dice.one_in(3) ? unlimited : 700;
    policy.stop_timeout = dice.below(3) * 250;
    policy.ready = static_cast<Ready>(dice.below(5));
    policy.oneshot = dice.one_in(5);
    policy.essential = dice.one_in(20);
    policy.tasks = static_cast<std::uint8_t>(dice.below(256));
    policy.hook_timeout = 300;
    policy.probe_timeout = 200;
    policy.health_interval = 200;
    policy.health_retries = 1 + dice.below(2);
    policy.health_action = static_cast<HealthAction>(dice.below(3));
    return policy;
}

void check_rules(const World& world)
{
    std::int64_t earliest = os::never;
    bool active = false;
    for (const Service& service : world.supervisor.services()) {
        const ServiceIndex index = world.supervisor.index_of(service);
        const bool oneshot = world.policies[index].oneshot;
        const State state = service.state;
        const bool has_process = state == State::Starting || state == State::Reloading ||
                                 (state == State::Ready && !oneshot) ||
                                 (state == State::Stopping && service.step >= StopStep::Signalled);
        if (has_process)
            REQUIRE(service.pid != 0);
        if (service.pid != 0) {
            REQUIRE((has_process || state == State::Stopping));
            REQUIRE(world.supervisor.find(service.pid).service == index);
        }
        if (service.task_pid != 0)
            REQUIRE(world.supervisor.find(service.task_pid).is_task);
        if (service.task != Task::None)
            REQUIRE(service.task_deadline != os::never);  // each has a bound in time
        if (state == State::Stopping && service.step >= StopStep::Signalled)
            REQUIRE(service.deadline != os::never);
        if (state == State::Failed)
            REQUIRE(service.reason != Reason::None);
        earliest = std::min({earliest, service.deadline, service.task_deadline});
        active |= is_active(service);
    }
    REQUIRE(world.supervisor.deadline() == earliest);
    REQUIRE(world.supervisor.finished() == !active);
}

/// Once all is done that can be done at the moment, nobody may be forgotten.
void check_settled(const World& world)
{
    for (const Edge& edge : world.edges) {
        const Service& from = world.service(edge.from);
        const Service& to = world.service(edge.to);
        if (edge.required && to.state == State::Failed)
            REQUIRE(
                (!is_active(from) || from.state == State::Stopping || from.state == State::Failed || from.pid == 0));
    }
    for (const Service& service : world.supervisor.services()) {
        const ServiceIndex index = world.supervisor.index_of(service);
        const auto has = [&](bool reverse, auto&& holds) {
            return std::any_of(world.edges.begin(), world.edges.end(), [&](const Edge& edge) {
                return (reverse ? edge.to : edge.from) == index && holds(world.state(reverse ? edge.from : edge.to));
            });
        };
        // Who waits, waits for somebody who is on his way.
        if (service.state == State::Waiting)
            REQUIRE((service.task != Task::None || has(false, [](State state) {
                         return state == State::Waiting || state == State::Starting || state == State::Backoff ||
                                state == State::Stopping;
                     })));
        if (service.state == State::Stopping && service.step == StopStep::Held)
            REQUIRE(has(true, [](State state) { return state == State::Stopping; }));
        if (service.state == State::Stopping && service.step == StopStep::Hook)
            REQUIRE(service.task != Task::None);
    }
}

void random_event(World& world, Dice& dice)
{
    const ServiceIndex index = dice.below(static_cast<std::uint32_t>(world.policies.size()));
    const Service& service = world.service(index);
    Supervisor& supervisor = world.supervisor;
    world.refuse = dice.one_in(10);
    world.without_pid = dice.one_in(4);
    switch (dice.below(16)) {
    case 0:
        world.stopped_by_hand[index] = false;
        (void)supervisor.start(index, world.now);
        break;
    case 1:
        supervisor.stop(index, world.now);
        break;
    case 2:
        world.stopped_by_hand[index] = false;
        (void)supervisor.restart(index, world.now);
        break;
    case 3:
        (void)supervisor.reload(index, world.now);
        break;
    case 4:
        supervisor.reloading(index, world.now);
        break;
    case 5:
    case 6:
    case 7:
        if (service.pid != 0)
            supervisor.started(index, world.now);
        break;
    case 8:
    case 9:
        if (service.pid != 0)
            supervisor.ready(index, world.now);
        break;
    case 10:
    case 11:
        if (service.pid != 0) {
            Ending ending;
            ending.at = 1;
            ending.code = static_cast<std::uint8_t>(dice.below(2));
            supervisor.exited(index, ending, world.now);
        }
        break;
    case 12:
        if (service.task != Task::None)
            supervisor.task_ended(index, dice.one_in(2), world.now);
        break;
    case 13:
        if (dice.one_in(200))
            supervisor.stop_all(world.now);
        break;
    default:
        world.pass(dice.below(300));
        break;
    }
}

/// Everything that has a process ends, or does not and is killed; it takes a bounded time.
void check_end(World& world, Dice& dice)
{
    world.refuse = dice.one_in(2);
    world.supervisor.stop_all(world.now);
    for (int turn = 0; !world.supervisor.finished(); turn++) {
        REQUIRE(turn < 1000);
        if (turn == 1000)
            return;
        world.turn();
        check_rules(world);
        check_settled(world);
        for (const Service& service : world.supervisor.services()) {
            const ServiceIndex index = world.supervisor.index_of(service);
            const bool killed = service.step >= StopStep::Killed;
            if (service.pid != 0 && (killed || (service.step == StopStep::Signalled && dice.one_in(2))))
                world.exit(143, index);
            if (service.task != Task::None && (service.overdue || dice.one_in(2)))
                world.task_ends(false, index);
        }
        if (!world.supervisor.finished() && world.supervisor.deadline() != os::never)
            world.now = std::max(world.now, world.supervisor.deadline());
    }
    REQUIRE(world.supervisor.deadline() == os::never);
    for (const Service& service : world.supervisor.services()) {
        REQUIRE(service.pid == 0);
        REQUIRE((service.state == State::Stopped || service.state == State::Failed));
    }
}

}  // namespace

TEST_CASE("supervisor: whatever happens at whatever graph, the rules hold")
{
    for (std::uint32_t seed = 0; seed < 4000; seed++) {
        CAPTURE(seed);
        Dice dice(seed);
        const ServiceIndex count = 1 + dice.below(8);
        World world(count, random_graph(dice, count));
        for (ServicePolicy& policy : world.policies)
            policy = random_policy(dice);
        if (!dice.one_in(4))
            world.supervisor.start_all(world.now);
        for (int step = 0; step < 60; step++) {
            random_event(world, dice);
            check_rules(world);
            if (dice.one_in(2)) {
                world.turn();
                check_rules(world);
                check_settled(world);
            }
        }
        check_end(world, dice);
    }
}

TEST_CASE("supervisor: a thousand services come up and go down in a bounded number of turns")
{
    constexpr ServiceIndex count = 1000;
    std::vector<Edge> chain;
    for (ServiceIndex index = 0; index + 1 < count; index++)
        chain.push_back({index, index + 1, true});
    World world(count, chain);
    world.up();
    for (ServiceIndex index = 0; index < count; index++)
        REQUIRE(world.state(index) == State::Ready);
    world.supervisor.stop_all(world.now);
    for (ServiceIndex index = 0; index < count; index++) {
        world.turn();
        REQUIRE(world.take() == "stop" + std::to_string(index) + " ");
        world.exit(0, index);
        if (index + 1 < count) {
            REQUIRE(world.take() == "stop" + std::to_string(index + 1) + " ");
            world.did = "stop" + std::to_string(index + 1) + " ";
        }
    }
    CHECK(world.supervisor.finished());
}
