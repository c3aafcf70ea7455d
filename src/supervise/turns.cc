// SPDX-License-Identifier: MIT

/// The deeds of the engine: the queue of those whose turn it is, what is due by the clock, and the tasks.

#include "supervise/delays.h"
#include "supervise/supervisor.h"

#include <algorithm>

namespace vial {

bool Supervisor::advance(std::int64_t now)
{
    while (deadlines_.earliest() <= now)
        expire(deadlines_.first(), now);
    for (made_ = 0; head_ != 0 && made_ < start_batch;) {
        const ServiceIndex index = head_ - 1;
        Service& service = services_[index];
        head_ = service.next;
        service.queued = false;
        settle(index, now);
    }
    return head_ != 0;
}

void Supervisor::push(ServiceIndex index)
{
    Service& service = services_[index];
    if (service.queued)
        return;
    service.queued = true;
    service.next = 0;
    (head_ == 0 ? head_ : services_[tail_ - 1].next) = index + 1;
    tail_ = index + 1;
}

/// What a change of its state may mean to others.
void Supervisor::push_neighbours(ServiceIndex index, ServiceState before)
{
    const ServiceState state = services_[index].state;
    for (const Dependency dependent : dependents_.of(index)) {
        const ServiceState theirs = services_[dependent.service()].state;
        if (theirs == ServiceState::Waiting || (state == ServiceState::Failed && dependent.required()))
            push(dependent.service());
    }
    if (before != ServiceState::Stopping)
        return;
    for (const Dependency need : needs_.of(index)) {
        if (services_[need.service()].state == ServiceState::Stopping)
            push(need.service());
    }
}

/// Does for one service what follows from its own state and its neighbours'.
void Supervisor::settle(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    if (service.spread)
        spread_stop(index, now);
    if (service.wanted != Task::None && service.task == Task::None)
        begin_task(index, now);
    switch (service.state) {
    case ServiceState::Waiting:
        consider_start(index, now);
        break;
    case ServiceState::Stopping:
        if (service.step != StopStep::Held || is_held(index))
            break;
        if (service.up && service.then != Afterwards::Judge &&
            (actions_.policy(index).tasks & task_bit(Task::OnStop)) != 0) {
            service.step = StopStep::Hook;
            want(index, Task::OnStop);
        } else {
            signal(index, now);
        }
        break;
    case ServiceState::Backoff:
        if (failed_requirement(index) != index)
            fail(index, Reason::Requirement, now);
        break;
    case ServiceState::Starting:
    case ServiceState::Ready:
    case ServiceState::Reloading:
        if ((service.pid != 0 || !service.up) && failed_requirement(index) != index)
            begin_stop(index, Afterwards::Fail, Reason::Requirement, now);
        break;
    case ServiceState::Stopped:
    case ServiceState::Failed:
        break;
    }
}

/// Takes along those that require it, one step down the graph; their own turns go on from there.
void Supervisor::spread_stop(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    service.spread = false;
    const bool again = service.state == ServiceState::Waiting ||
                       (service.state == ServiceState::Stopping && service.then == Afterwards::Again);
    for (const Dependency dependent : dependents_.of(index)) {
        Service& other = services_[dependent.service()];
        if (!dependent.required() || other.state == ServiceState::Stopped || other.state == ServiceState::Failed)
            continue;
        other.spread = true;
        stop_one(dependent.service(), again ? Afterwards::Again : Afterwards::Rest, now);
        push(dependent.service());
    }
}

bool Supervisor::is_held(ServiceIndex index) const
{
    for (const Dependency dependent : dependents_.of(index)) {
        const Service& other = services_[dependent.service()];
        if (other.state == ServiceState::Stopping && other.step != StopStep::Stubborn)
            return true;
    }
    return false;
}

ServiceIndex Supervisor::failed_requirement(ServiceIndex index) const
{
    for (const Dependency need : needs_.of(index)) {
        if (need.required() && services_[need.service()].state == ServiceState::Failed)
            return need.service();
    }
    return index;
}

// --- What is due ---

/// Moves what is due on; afterwards the service's deadlines lie ahead.
void Supervisor::expire(ServiceIndex index, std::int64_t now)
{
    if (services_[index].task_deadline <= now)
        expire_task(index, now);
    if (services_[index].deadline <= now)
        expire_state(index, now);
}

void Supervisor::expire_state(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    switch (service.state) {
    case ServiceState::Backoff:
        enter(index, ServiceState::Waiting, now);
        break;
    case ServiceState::Starting:
        begin_stop(index, Afterwards::Judge, Reason::Late, now);
        break;
    case ServiceState::Stopping:
        if (service.step >= StopStep::Killed) {
            service.step = StopStep::Stubborn;
            push_neighbours(index, ServiceState::Stopping);
        } else {
            service.step = StopStep::Killed;
        }
        service.deadline = now + kill_interval;
        touch(index);
        actions_.kill(index);
        break;
    default:  // Reloading: whatever it does, it has not said that it is over
        enter(index, ServiceState::Ready, now);
        break;
    }
}

void Supervisor::expire_task(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    if (service.task == Task::None) {
        service.wanted = service.state == ServiceState::Starting ? Task::Readiness : Task::Health;
        return begin_task(index, now);
    }
    actions_.kill_task(index);
    if (service.task_pid == 0)
        return task_ended(index, false, now);
    // One that does not even end when it is killed holds up no stop.
    const bool stuck = service.overdue;
    service.overdue = true;
    service.task_deadline = now + kill_interval;
    if (stuck && service.state == ServiceState::Stopping && service.step == StopStep::Hook) {
        service.wanted = Task::None;
        signal(index, now);
    }
    touch(index);
}

// --- Tasks ---

/// Every change of state that makes somebody want a task has ended the last one, or is about to hear of its end.
void Supervisor::want(ServiceIndex index, Task task)
{
    services_[index].wanted = task;
    touch(index);
    push(index);
}

/// What runs has lost its meaning.
void Supervisor::cancel(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    service.task_deadline = os::never;
    if (service.task != Task::None) {
        actions_.kill_task(index);
        service.overdue = true;
        service.task = service.task_pid == 0 ? Task::None : Task::Cancelled;
        if (service.task_pid != 0)
            service.task_deadline = now + kill_interval;
    }
    touch(index);
}

void Supervisor::begin_task(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    const Task task = service.wanted;
    service.wanted = Task::None;
    service.overdue = false;
    made_++;
    const ServicePolicy& policy = actions_.policy(index);
    auto pid = actions_.start_task(index, task);
    if (task == Task::Readiness && policy.ready == Ready::PidFile) {
        if (pid.ok())
            pids_.set(index, false, pid.value());
        return after_task(index, task, pid.ok() ? TaskResult::Good : TaskResult::Bad, now);
    }
    if (!pid.ok())
        return after_task(index, task, TaskResult::NotTried, now);
    service.task = task;
    pids_.set(index, true, pid.value());
    service.task_deadline = after(now, task <= Task::Health ? policy.probe_timeout : policy.hook_timeout);
    touch(index);
}

void Supervisor::task_ended(ServiceIndex index, bool good, std::int64_t now)
{
    Service& service = services_[index];
    const Task task = service.task;
    if (task == Task::None)
        return;
    pids_.set(index, true, 0);
    service.task = Task::None;
    after_task(index, task, good ? TaskResult::Good : TaskResult::Bad, now);
    if (task == Task::OnStop && service.pid == 0)
        kill_rest(index);
}

void Supervisor::after_task(ServiceIndex index, Task task, TaskResult result, std::int64_t now)
{
    Service& service = services_[index];
    service.task_deadline = os::never;
    if (result != TaskResult::NotTried && task <= Task::Health)
        service.misses = result == TaskResult::Good ? 0 : static_cast<std::uint8_t>(std::min(service.misses + 1, 255));
    if (task == Task::Health)
        service.healthy = result == TaskResult::Good;
    if (task == Task::Readiness && result == TaskResult::Good) {
        become_ready(index, now);
    } else if (task == Task::OnStop && service.state == ServiceState::Stopping && service.step == StopStep::Hook) {
        signal(index, now);
    } else if (task == Task::Health && service.misses >= actions_.policy(index).health_retries &&
               actions_.policy(index).health_action != HealthAction::None) {
        const bool again = actions_.policy(index).health_action == HealthAction::Restart;
        begin_stop(index, again ? Afterwards::Judge : Afterwards::Fail, Reason::Unwell, now);
    } else {
        schedule_probe(index, now);
    }
    touch(index);
    push(index);  // a start may have waited for this, or another task
}

/// When it is looked at next.
void Supervisor::schedule_probe(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    const ServicePolicy& policy = actions_.policy(index);
    if (service.task != Task::None || service.wanted != Task::None)
        return;
    // A pid file is looked at when nobody is there; whether somebody is well, when somebody is.
    const bool file = service.state == ServiceState::Starting && policy.ready == Ready::PidFile;
    if ((service.pid == 0) != file)
        return;
    if (service.state == ServiceState::Starting && policy.ready >= Ready::Exec)
        service.task_deadline = now + readiness_delay(service.misses);
    else if ((service.state == ServiceState::Ready || service.state == ServiceState::Reloading) &&
             (policy.tasks & task_bit(Task::Health)) != 0)
        service.task_deadline = now + std::max<Milliseconds>(policy.health_interval, 1);
    touch(index);
}

}  // namespace vial
