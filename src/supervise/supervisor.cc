// SPDX-License-Identifier: MIT
#include "supervise/supervisor.h"

#include <algorithm>

namespace vial {

namespace {

/// How long after the `count`th refused fork in a row the next one is tried: 0.1 s, doubled up to 12.8 s.
Milliseconds refusal_delay(std::uint8_t count)
{
    return Milliseconds{100} << std::min<unsigned>(count, 7);
}

bool wants_restart(Restart restart, const Ending& ending)
{
    return restart == Restart::Always || (restart == Restart::OnFailure && ending.code != 0);
}

std::int64_t after(std::int64_t now, Milliseconds delay)
{
    std::int64_t at;
    return delay < 0 || __builtin_add_overflow(now, delay, &at) ? os::never : at;
}

}  // namespace

std::string_view state_name(ServiceState state)
{
    constexpr std::string_view names[] = {"waiting", "starting", "ready", "stopping", "backoff", "stopped", "failed"};
    return names[static_cast<unsigned>(state)];
}

void Supervisor::enter(ServiceIndex index, ServiceState state, std::int64_t now, std::int64_t deadline)
{
    Service& service = services_[index];
    const ServiceState before = service.state;
    active_ = active_ + is_active(state) - is_active(before);
    waiting_ = waiting_ + (state == ServiceState::Waiting) - (before == ServiceState::Waiting);
    service.state = state;
    service.since = now;

    const bool was_earliest = service.deadline == earliest_;
    service.deadline = deadline;
    if (deadline < earliest_) {
        earliest_ = deadline;
    } else if (was_earliest && earliest_ != os::never) {
        earliest_ = os::never;
        for (const Service& each : services_)
            earliest_ = std::min(earliest_, each.deadline);
    }
    if (state != before)
        actions_.changed(index, before);
}

bool Supervisor::start(ServiceIndex index, std::int64_t now)
{
    if (closing_)
        return false;
    switch (services_[index].state) {
    case ServiceState::Stopping:
        services_[index].again = true;
        break;
    case ServiceState::Backoff:
    case ServiceState::Stopped:
    case ServiceState::Failed:
        if (first_failed_ == index)
            first_failed_ = none;
        enter(index, ServiceState::Waiting, now);
        break;
    case ServiceState::Waiting:
    case ServiceState::Starting:
    case ServiceState::Ready:
        break;
    }
    return true;
}

bool Supervisor::restart(ServiceIndex index, std::int64_t now)
{
    const ServiceState state = services_[index].state;
    if (!closing_ && (state == ServiceState::Starting || state == ServiceState::Ready)) {
        begin_stop(index, true, now);
        return true;
    }
    return start(index, now);
}

void Supervisor::stop(ServiceIndex index, std::int64_t now)
{
    switch (services_[index].state) {
    case ServiceState::Waiting:
    case ServiceState::Backoff:
        enter(index, ServiceState::Stopped, now);
        break;
    case ServiceState::Starting:
    case ServiceState::Ready:
        begin_stop(index, false, now);
        break;
    case ServiceState::Stopping:
        services_[index].again = false;
        break;
    case ServiceState::Stopped:
    case ServiceState::Failed:
        break;
    }
}

void Supervisor::start_all(std::int64_t now)
{
    for (ServiceIndex index = 0; index < services_.size(); index++)
        start(index, now);
}

void Supervisor::stop_all(std::int64_t now)
{
    closing_ = true;
    for (auto index = static_cast<ServiceIndex>(services_.size()); index-- > 0;)
        stop(index, now);
}

void Supervisor::begin_stop(ServiceIndex index, bool again, std::int64_t now)
{
    services_[index].again = again;
    enter(index, ServiceState::Stopping, now, after(now, actions_.policy(index).stop_timeout));
    actions_.send_stop(index);
}

void Supervisor::started(ServiceIndex index, std::int64_t now)
{
    if (services_[index].state == ServiceState::Starting)
        enter(index, ServiceState::Ready, now);
    else if (services_[index].state == ServiceState::Stopping)
        // It was on its way when the stop signal was sent. That it is there now means that the signal's default
        // is to be ignored; only the program itself knows what it means.
        actions_.send_stop(index);
}

void Supervisor::exited(ServiceIndex index, const Ending& ending, std::int64_t now)
{
    Service& service = services_[index];
    service.pid = 0;
    service.last = ending;
    if (service.state == ServiceState::Stopping) {
        enter(index, service.again && !closing_ ? ServiceState::Waiting : ServiceState::Stopped, now);
        service.again = false;
    } else if (const ServicePolicy policy = actions_.policy(index); wants_restart(policy.restart, ending)) {
        service.restarts++;
        if (policy.restart_delay <= 0)
            enter(index, ServiceState::Waiting, now);
        else
            enter(index, ServiceState::Backoff, now, after(now, policy.restart_delay));
    } else {
        if (ending.code != 0 && first_failed_ == none)
            first_failed_ = index;
        enter(index, ending.code == 0 ? ServiceState::Stopped : ServiceState::Failed, now);
    }
    // What it left behind must not meet its next instance. At the end of everything, descendants are
    // given their own time to end, by whoever asked for the end.
    if (!closing_ && !finished())
        actions_.kill(index);
}

void Supervisor::launch(ServiceIndex index, std::int64_t now)
{
    Service& service = services_[index];
    if (auto pid = actions_.start(index); pid.ok()) {
        service.pid = pid.value();
        service.refusals = 0;
        enter(index, ServiceState::Starting, now);
    } else {
        enter(index, ServiceState::Backoff, now, now + refusal_delay(service.refusals));
        if (service.refusals < UINT8_MAX)
            service.refusals++;
    }
}

void Supervisor::expire(std::int64_t now)
{
    for (ServiceIndex index = 0; index < services_.size(); index++) {
        Service& service = services_[index];
        if (service.deadline > now)
            continue;
        if (service.state == ServiceState::Backoff) {
            enter(index, ServiceState::Waiting, now);
        } else {
            actions_.kill(index);
            enter(index, service.state, service.since, now + kill_interval);
        }
    }
}

bool Supervisor::advance(std::int64_t now)
{
    if (earliest_ <= now)
        expire(now);
    const auto count = static_cast<ServiceIndex>(services_.size());
    for (unsigned begun = 0; waiting_ > 0 && begun < start_batch; turn_ = turn_ + 1 < count ? turn_ + 1 : 0) {
        if (services_[turn_].state != ServiceState::Waiting)
            continue;
        launch(turn_, now);
        begun++;
    }
    return waiting_ > 0;
}

const Service* Supervisor::outcome() const
{
    if (services_.size() == 1)
        return services_.data();
    return first_failed_ == none ? nullptr : &services_[first_failed_];
}

const Service* Supervisor::find(pid_t pid) const
{
    for (const Service& service : services_) {
        if (service.pid == pid)
            return &service;
    }
    return nullptr;
}

}  // namespace vial
