// SPDX-License-Identifier: MIT
#include "supervise/supervisor.h"

#include "supervise/delays.h"

#include <algorithm>

namespace vial {

Supervisor::Supervisor(const ServiceTables& tables, ServiceActions& actions)
    : services_(tables.services),
      actions_(actions),
      needs_(tables.needs),
      dependents_(tables.dependents),
      deadlines_(tables.services, tables.heap),
      pids_(tables.services, tables.buckets)
{
}

void Supervisor::touch(ServiceIndex index)
{
    Service& service = services_[index];
    const bool active = is_active(service);
    active_ = active_ + active - service.counted;
    service.counted = active;
    deadlines_.update(index);
}

void Supervisor::enter(ServiceIndex index, ServiceState state, std::int64_t now, std::int64_t deadline)
{
    Service& service = services_[index];
    const ServiceState before = service.state;
    service.state = state;
    service.since = now;
    service.deadline = deadline;
    touch(index);
    push_neighbours(index, before);
    if (state == ServiceState::Waiting)
        push(index);
    if (state != before)
        actions_.changed(index, before);
}

// --- Starting ---

/// Its turn has come in the queue: starts it, unless something it depends on holds it up, which pushes it
/// back into the queue when that changes.
void Supervisor::consider_start(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    if (service.task != Task::None || service.wanted != Task::None)
        return;
    const std::span<const Dependency> needs = needs_.of(index);
    const bool pull = service.pull;
    service.pull = false;
    for (const Dependency need : needs) {
        const Service& other = services_[need.service()];
        const bool gone = other.state == ServiceState::Stopped || other.state == ServiceState::Failed ||
                          (other.state == ServiceState::Stopping &&
                           (other.then == Afterwards::Rest || other.then == Afterwards::Fail));
        if (pull && need.required() && gone)
            start(need.service(), now);
    }
    for (const Dependency need : needs) {
        const Service& other = services_[need.service()];
        switch (other.state) {
        case ServiceState::Waiting:
        case ServiceState::Starting:
        case ServiceState::Backoff:
            return;
        case ServiceState::Stopping:
            if (need.required() || other.then == Afterwards::Again || other.then == Afterwards::Judge)
                return;
            break;
        case ServiceState::Failed:
            if (need.required())
                return fail(index, Reason::Requirement, now);
            break;
        case ServiceState::Stopped:
            // It was stopped just now, which is about to reach us too.
            if (need.required() && other.spread)
                return;
            break;
        case ServiceState::Ready:
        case ServiceState::Reloading:
            break;
        }
    }
    launch(index, now);
}

void Supervisor::launch(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    const ServicePolicy& policy = actions_.policy(index);
    made_++;
    service.up = service.healthy = false;
    service.misses = 0;
    auto pid = actions_.start(index);
    if (pid.ok()) {
        pids_.set(index, false, pid.value());
        service.refusals = 0;
        const bool waits = policy.ready != Ready::Start || policy.oneshot;
        enter(index, ServiceState::Starting, now, waits ? after(now, policy.start_timeout) : os::never);
    } else {
        enter(index, ServiceState::Backoff, now, now + refusal_delay(service.refusals));
        service.refusals = (service.refusals < refusals_most ? service.refusals + 1U : refusals_round) & 15;
    }
}

void Supervisor::started(ServiceIndex index, std::int64_t now)
{
    const Service& service = services_[index];
    if (service.state == ServiceState::Starting) {
        const ServicePolicy& policy = actions_.policy(index);
        if (policy.oneshot)
            return;
        if (policy.ready == Ready::Start)
            become_ready(index, now);
        else if (policy.ready >= Ready::Exec)
            schedule_probe(index, now);
    } else if (service.state == ServiceState::Stopping && service.step == StopStep::Signalled) {
        // It was on its way when the stop signal was sent. That it is there now means that the signal's default
        // is to be ignored; only the program itself knows what it means.
        actions_.send_stop(index);
    }
}

void Supervisor::ready(ServiceIndex index, std::int64_t now)
{
    const Service& service = services_[index];
    if (service.state == ServiceState::Reloading)
        enter(index, ServiceState::Ready, now);
    else if (service.state == ServiceState::Starting && !actions_.policy(index).oneshot)
        become_ready(index, now);
}

void Supervisor::reloading(ServiceIndex index, std::int64_t now)
{
    if (services_[index].state == ServiceState::Ready && services_[index].pid != 0)
        enter(index, ServiceState::Reloading, now, after(now, actions_.policy(index).start_timeout));
}

void Supervisor::become_ready(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    cancel(index, now);
    service.up = true;
    service.misses = 0;
    enter(index, ServiceState::Ready, now);
    if ((actions_.policy(index).tasks & task_bit(Task::OnStart)) != 0)
        want(index, Task::OnStart);
    else
        schedule_probe(index, now);
}

void Supervisor::adopt(ServiceIndex index, pid_t pid)
{
    pids_.set(index, false, pid);
    // Its stop signal went to the one before.
    if (services_[index].state == ServiceState::Stopping && services_[index].step == StopStep::Signalled)
        actions_.send_stop(index);
}

// --- Ending ---

bool Supervisor::left(ServiceIndex index)
{
    if (services_[index].state != ServiceState::Starting || actions_.policy(index).ready != Ready::PidFile)
        return false;
    pids_.set(index, false, 0);
    want(index, Task::Readiness);
    return true;
}

void Supervisor::exited(ServiceIndex index, const Ending& ending, std::int64_t now)
{
    Service& service = services_[index];
    pids_.set(index, false, 0);
    service.last = ending;
    note_stability(index, now);
    if (service.wanted != Task::OnFailure)
        service.wanted = Task::None;
    if (service.task != Task::OnStop && service.task != Task::OnFailure)
        cancel(index, now);
    touch(index);

    const ServicePolicy& policy = actions_.policy(index);
    const bool starting = service.state == ServiceState::Starting;
    if (service.state == ServiceState::Stopping)
        conclude(index, now);
    else if (policy.oneshot && starting && ending.code == 0)
        become_ready(index, now);
    else
        judge(index, starting && policy.ready != Ready::Start && !policy.oneshot ? Reason::NotReady : Reason::Ended,
              now);
    kill_rest(index);
}

/// What it left behind must not meet its next instance; but its hook is among that, and may do its work first. At the
/// end of everything, descendants are given their own time to end, by whoever asked for the end.
void Supervisor::kill_rest(ServiceIndex index)
{
    if (!closing_ && !finished() && services_[index].task != Task::OnStop)
        actions_.kill(index);
}

/// It has been ready: if for long enough, its next restart comes as soon as a first one.
void Supervisor::note_stability(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    const Milliseconds stable_after = actions_.policy(index).stable_after;
    if (service.state == ServiceState::Ready && stable_after >= 0 && now - service.since >= stable_after)
        service.doublings = 0;
}

/// It ended, and nobody wished it: again, or not.
void Supervisor::judge(ServiceIndex index, Reason reason, std::int64_t now)
{
    Service& service = services_[index];
    const ServicePolicy& policy = actions_.policy(index);
    const bool failed = service.last.code != 0 || reason != Reason::Ended;
    const bool again = policy.restart == Restart::Always || (policy.restart == Restart::OnFailure && failed) ||
                       (reason == Reason::Unwell && policy.health_action == HealthAction::Restart);
    service.reason = failed ? reason : Reason::None;
    if (again && !closing_) {
        if (too_often(service, policy, now))
            return fail(index, Reason::TooOften, now);
        if (failed && (policy.tasks & task_bit(Task::OnFailure)) != 0)
            want(index, Task::OnFailure);
        service.restarts++;
        const Milliseconds delay = restart_delay(policy, service.doublings);
        service.doublings = static_cast<std::uint8_t>(std::min(service.doublings + 1, 15)) & 15;
        if (delay > 0)
            enter(index, ServiceState::Backoff, now, after(now, delay));
        else
            enter(index, ServiceState::Waiting, now);
    } else if (failed) {
        fail(index, reason, now);
    } else {
        enter(index, ServiceState::Stopped, now);
        if (policy.essential)
            decide(index, now);
    }
}

bool Supervisor::too_often(Service& service, const ServicePolicy& policy, std::int64_t now)
{
    if (policy.restart_limit == 0)
        return false;
    const auto time = static_cast<std::uint32_t>(now);
    if (service.recent == 0 || time - service.window > policy.restart_window) {
        service.window = time;
        service.recent = 0;
    }
    if (service.recent >= policy.restart_limit)
        return true;
    service.recent++;
    return false;
}

void Supervisor::fail(ServiceIndex index, Reason reason, std::int64_t now)
{
    const ServicePolicy& policy = actions_.policy(index);
    services_[index].reason = reason;
    if (first_failed_ == none)
        first_failed_ = index;
    // What never ran has nothing to clear up after.
    if (reason != Reason::Requirement && (policy.tasks & task_bit(Task::OnFailure)) != 0)
        want(index, Task::OnFailure);
    enter(index, ServiceState::Failed, now);
    if (policy.essential)
        decide(index, now);
}

/// An essential service has ended: so does everything.
void Supervisor::decide(ServiceIndex index, std::int64_t now)
{
    if (closing_)
        return;
    decisive_ = index;
    stop_all(now);
}

void Supervisor::begin_stop(ServiceIndex index, Afterwards then, Reason reason, std::int64_t now)
{
    Service& service = services_[index];
    note_stability(index, now);
    service.then = then;
    service.reason = reason;
    service.step = StopStep::Held;
    service.wanted = Task::None;
    cancel(index, now);
    enter(index, ServiceState::Stopping, now);
    push(index);
}

/// The step of a stop that cannot be taken back.
void Supervisor::signal(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    if (service.pid == 0) {
        // It may be somewhere, with nobody known who could be told to stop.
        if (!service.up && !closing_)
            actions_.kill(index);
        return conclude(index, now);
    }
    service.step = StopStep::Signalled;
    service.deadline = after(now, actions_.policy(index).stop_timeout);
    touch(index);
    actions_.send_stop(index);
}

/// A stop is over.
void Supervisor::conclude(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    if (service.then == Afterwards::Judge)
        return judge(index, service.reason, now);
    if (service.then == Afterwards::Fail)
        return fail(index, service.reason, now);
    enter(index, service.then == Afterwards::Again ? ServiceState::Waiting : ServiceState::Stopped, now);
}

const Service* Supervisor::outcome() const
{
    if (decisive_ != none)
        return &services_[decisive_];
    if (services_.size() == 1)
        return services_.data();
    return first_failed_ == none ? nullptr : &services_[first_failed_];
}

}  // namespace vial
