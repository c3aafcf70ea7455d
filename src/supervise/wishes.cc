// SPDX-License-Identifier: MIT

/// What is wished of services, by whoever looks after the whole: it settles what is wanted, and waits for nothing.

#include "supervise/supervisor.h"

namespace vial {

bool Supervisor::start(ServiceIndex index, std::int64_t now)
{
    if (closing_)
        return false;
    Service& service = services_[index];
    switch (service.state) {
    case ServiceState::Stopping:
        service.then = Afterwards::Again;
        service.pull = true;
        break;
    case ServiceState::Backoff:
    case ServiceState::Stopped:
    case ServiceState::Failed:
        // Whatever was, is forgotten.
        service.reason = Reason::None;
        service.recent = service.refusals = service.doublings = 0;
        service.pull = true;
        if (first_failed_ == index)
            first_failed_ = none;
        enter(index, ServiceState::Waiting, now);
        break;
    case ServiceState::Waiting:
    case ServiceState::Starting:
    case ServiceState::Ready:
    case ServiceState::Reloading:
        break;
    }
    return true;
}

void Supervisor::resume(ServiceIndex index, std::int64_t now)
{
    launch(index, now);
}

ServicePast past_now(const Service& service, std::uint32_t fingerprint)
{
    ServicePast past{};
    past.since = service.since;
    past.deadline = service.state == ServiceState::Backoff ? service.deadline : 0;
    past.last = service.last;
    past.fingerprint = fingerprint;
    past.restarts = service.restarts;
    past.window = service.window;
    past.recent = service.recent;
    past.doublings = service.doublings;
    past.reason = service.reason;
    past.up = service.state == ServiceState::Ready;
    return past;
}

void Supervisor::recall(ServiceIndex index, const ServicePast& past, std::int64_t now)
{
    Service& service = services_[index];
    service.last = past.last;
    service.restarts = past.restarts;
    service.window = past.window;
    service.recent = past.recent;
    service.doublings = past.doublings & 15;
    if (service.state == ServiceState::Ready && past.up)
        service.since = past.since;
    if (service.state != ServiceState::Waiting || past.deadline <= now)
        return;
    // Nothing has happened that anybody would have to be told of.
    service.state = ServiceState::Backoff;
    service.reason = past.reason;
    service.since = past.since;
    service.deadline = past.deadline;
    touch(index);
}

bool Supervisor::restart(ServiceIndex index, std::int64_t now)
{
    const ServiceState state = services_[index].state;
    if (closing_ || (state != ServiceState::Starting && state != ServiceState::Ready &&
                     state != ServiceState::Reloading && state != ServiceState::Stopping))
        return start(index, now);
    stop_one(index, Afterwards::Again, now);
    services_[index].then = Afterwards::Again;
    services_[index].spread = services_[index].pull = true;
    push(index);
    return true;
}

void Supervisor::stop(ServiceIndex index, std::int64_t now)
{
    services_[index].spread = true;
    stop_one(index, Afterwards::Rest, now);
    push(index);
}

void Supervisor::start_all(std::int64_t now)
{
    for (ServiceIndex index = 0; index < services_.size(); index++) {
        start(index, now);
        services_[index].pull = false;  // everything is on its way already
    }
}

void Supervisor::postpone(Milliseconds time)
{
    // All by as much: their order in the heap stays.
    for (Service& service : services_) {
        service.deadline += service.deadline != os::never ? time : 0;
        service.task_deadline += service.task_deadline != os::never ? time : 0;
    }
}

void Supervisor::stop_all(std::int64_t now)
{
    closing_ = true;
    for (auto index = static_cast<ServiceIndex>(services_.size()); index-- > 0;)
        stop_one(index, Afterwards::Rest, now);
}

/// A stop that somebody wishes: of this service alone.
void Supervisor::stop_one(ServiceIndex index, Afterwards then, std::int64_t now)
{
    Service& service = services_[index];
    switch (service.state) {
    case ServiceState::Waiting:
    case ServiceState::Backoff:
        // It will be started anyway where that is what follows.
        if (then == Afterwards::Rest)
            enter(index, ServiceState::Stopped, now);
        break;
    case ServiceState::Starting:
    case ServiceState::Ready:
    case ServiceState::Reloading:
        begin_stop(index, then, Reason::None, now);
        break;
    case ServiceState::Stopping:
        if (then == Afterwards::Rest)
            service.then = then;
        break;
    case ServiceState::Stopped:
    case ServiceState::Failed:
        break;
    }
}

bool Supervisor::reload(ServiceIndex index, std::int64_t now)
{
    const Service& service = services_[index];
    if ((service.state != ServiceState::Ready && service.state != ServiceState::Reloading) || service.pid == 0)
        return false;
    actions_.send_reload(index);
    // Who cannot say that it is done with it is done with it.
    if (actions_.policy(index).ready == Ready::Notify)
        reloading(index, now);
    return true;
}

}  // namespace vial
