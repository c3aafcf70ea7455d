// SPDX-License-Identifier: MIT
#pragma once

/// Services without processes, and a clock that stands until it is moved.
///
/// What the engine has done is written down as words: `start0 ` `stop1 ` `kill0 ` `reload0 ` `task0:health ` `drop0 `. The
/// rules that hold always are checked with every action.

#include "supervise/supervisor.h"

#include <cstdint>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace vial::test {

struct Edge {
    ServiceIndex from, to;  ///< `from` depends on `to`
    bool required = false;
};

class World : public ServiceActions {
public:
    using State = ServiceState;

    explicit World(std::size_t count = 1, const std::vector<Edge>& edges_ = {})
        : policies(count),
          services_(count),
          heap_(count),
          buckets_(count),
          told(count),
          stopped_by_hand(count),
          edges(edges_),
          supervisor(tables(), *this)
    {
    }

    std::vector<ServicePolicy> policies;
    std::string did;
    bool refuse = false;       ///< the kernel has no processes to give
    bool without_pid = false;  ///< tasks need no process
    bool named = false;        ///< pid files name a process

    const ServicePolicy& policy(ServiceIndex index) const override { return policies[index]; }
    Result<pid_t> start(ServiceIndex index) override
    {
        const Service& service = supervisor.service(index);
        REQUIRE(service.pid == 0);  // never two instances
        REQUIRE(service.task == Task::None);
        REQUIRE_FALSE(supervisor.closing());
        for (const Edge& edge : edges) {
            if (edge.from != index)
                continue;
            // Never before what it depends on is ready, or does not and will not run.
            const State other = state(edge.to);
            const bool ready = other == State::Ready || other == State::Reloading;
            if (edge.required)
                REQUIRE((ready || (other == State::Stopped && !stopped_by_hand[edge.to])));
            else
                REQUIRE((ready || other == State::Stopped || other == State::Failed || other == State::Stopping));
        }
        if (refuse)
            return Error(EAGAIN, "create the process");
        stopped_by_hand[index] = false;
        record("start", index);
        return ++last_pid;
    }
    void send_stop(ServiceIndex index) override
    {
        REQUIRE(supervisor.service(index).pid != 0);
        // Those that depend on it have gone, if they were to go when its stop began.
        const bool begun = told[index] == supervisor.service(index).pid ||
                           (supervisor.service(index).up && (policies[index].tasks & task_bit(Task::OnStop)) != 0);
        told[index] = supervisor.service(index).pid;
        for (const Edge& edge : edges) {
            if (!begun && edge.to == index && state(edge.from) == State::Stopping)
                REQUIRE(supervisor.service(edge.from).step == StopStep::Stubborn);
        }
        record("stop", index);
    }
    void send_reload(ServiceIndex index) override
    {
        REQUIRE(supervisor.service(index).pid != 0);
        record("reload", index);
    }
    void kill(ServiceIndex index) override { record("kill", index); }
    Result<pid_t> start_task(ServiceIndex index, Task task) override
    {
        REQUIRE(supervisor.service(index).task == Task::None);
        REQUIRE(supervisor.service(index).task_pid == 0);
        constexpr const char* names[] = {"none",    "readiness",  "health",   "on_start",
                                         "on_stop", "on_failure", "cancelled"};
        if (refuse)
            return Error(EAGAIN, "create the process");
        if (task == Task::Readiness && policies[index].ready == Ready::PidFile) {
            record("look", index);
            return named ? Result<pid_t>(++last_pid) : Error(ENOENT, "open");
        }
        did += "task" + std::to_string(index) + ":" + names[static_cast<int>(task)] + " ";
        return without_pid ? 0 : ++last_pid;
    }
    void kill_task(ServiceIndex index) override { record("drop", index); }
    void changed(ServiceIndex index, State before) override { REQUIRE(state(index) != before); }

    /// Lets `milliseconds` pass as PID 1 would: it calls when the deadline is there.
    void pass(std::int64_t milliseconds)
    {
        const std::int64_t until = now + milliseconds;
        turn();
        for (int turns = 0; supervisor.deadline() <= until; turns++) {
            REQUIRE(turns < 10000);
            if (turns == 10000)
                break;
            now = std::max(now, supervisor.deadline());
            turn();
        }
        now = until;
    }
    /// All that can be done now.
    void turn()
    {
        int turns = 0;
        while (supervisor.advance(now) && turns < 10000)
            turns++;
        REQUIRE(turns < 10000);
    }
    /// Everything that is there has been executed and is ready.
    void up()
    {
        supervisor.start_all(now);
        bool again = true;
        for (int turns = 0; again && turns < 10000; turns++) {
            turn();
            again = false;
            for (ServiceIndex index = 0; index < services_.size(); index++) {
                if (state(index) == State::Starting) {
                    supervisor.started(index, now);
                    if (policies[index].oneshot)
                        exit(0, index);
                    supervisor.ready(index, now);
                    again = true;
                }
            }
        }
        did.clear();
    }
    void exit(int code, ServiceIndex index = 0)
    {
        Ending ending;
        ending.at = 1;
        ending.code = static_cast<std::uint8_t>(code);
        supervisor.exited(index, ending, now);
        turn();
    }
    void task_ends(bool good, ServiceIndex index = 0)
    {
        supervisor.task_ended(index, good, now);
        turn();
    }
    void start_by_hand(ServiceIndex index = 0)
    {
        (void)supervisor.start(index, now);
        turn();
    }
    void stop_by_hand(ServiceIndex index = 0)
    {
        stopped_by_hand[index] = true;
        supervisor.stop(index, now);
        turn();
    }
    State state(ServiceIndex index = 0) const { return supervisor.service(index).state; }
    const Service& service(ServiceIndex index = 0) const { return supervisor.service(index); }
    std::string take()
    {
        std::string text;
        text.swap(did);
        return text;
    }

private:
    void record(const char* what, ServiceIndex index) { did += what + std::to_string(index) + " "; }

    ServiceTables tables()
    {
        ServiceTables result;
        result.services = services_;
        result.heap = heap_;
        result.buckets = buckets_;
        if (!edges.empty()) {
            result.needs = list(edges, need_starts, needs, false);
            result.dependents = list(edges, dependent_starts, dependents, true);
        }
        return result;
    }
    Dependencies list(const std::vector<Edge>& all, std::vector<std::uint32_t>& starts, std::vector<Dependency>& to,
                      bool reverse)
    {
        for (ServiceIndex index = 0; index < services_.size(); index++) {
            starts.push_back(static_cast<std::uint32_t>(to.size()));
            for (const Edge& edge : all) {
                if ((reverse ? edge.to : edge.from) == index)
                    to.emplace_back(reverse ? edge.from : edge.to, edge.required);
            }
        }
        starts.push_back(static_cast<std::uint32_t>(to.size()));
        return {starts, to};
    }

    std::vector<Service> services_;
    std::vector<std::uint32_t> heap_, buckets_, need_starts, dependent_starts;
    std::vector<Dependency> needs, dependents;
    pid_t last_pid = 100;
    std::vector<pid_t> told;  ///< the last process of each that got a stop signal

public:
    std::vector<bool> stopped_by_hand;
    const std::vector<Edge> edges;
    std::int64_t now = 1000;
    Supervisor supervisor;
};

}  // namespace vial::test
