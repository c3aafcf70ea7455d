// SPDX-License-Identifier: MIT
#include "init/event_ring.h"

#include "base/os.h"
#include "init/object.h"
#include "init/stats.h"

namespace vial {

void EventRing::changed(ServiceIndex index, const Service& service, ServiceState before)
{
    switch (service.state) {
    case ServiceState::Starting:
        return add(service.last.at == 0 ? EventKind::Started : EventKind::Restarted, index, service, service.last);
    case ServiceState::Ready:
        if (before == ServiceState::Starting)
            add(EventKind::Ready, index, service, service.last);
        return;
    case ServiceState::Failed:
        return add(EventKind::Failed, index, service, service.last);
    case ServiceState::Stopped:
        return add(EventKind::Stopped, index, service, service.last);
    default:
        return;
    }
}

void EventRing::ended(ServiceIndex index, const Service& service, const Ending& ending)
{
    if (ending.oom)
        add(EventKind::Oom, index, service, ending);
    add(EventKind::Exited, index, service, ending);
}

void EventRing::add(EventKind kind, std::uint32_t count, std::uint8_t limit)
{
    Event& event = events_[next_++ % size] = Event{};
    event.at = os::realtime_ms();
    event.kind = kind;
    event.restarts = count;
    event.code = limit;
}

void EventRing::add(EventKind kind, ServiceIndex index, const Service& service, const Ending& ending)
{
    Event& event = events_[next_++ % size];
    event.at = os::realtime_ms();
    event.service = index;
    event.pid = service.pid;
    event.restarts = service.restarts;
    event.kind = kind;
    event.reason = service.reason;
    event.code = ending.code;
    event.signal = ending.signal;
}

void put_event(ObjectWriter& out, const Event& event)
{
    constexpr std::string_view names[] = {"started", "ready",   "exited", "restarted", "oom",
                                          "failed",  "stopped", "paused", "resumed",   "limit"};
    out.text("event", names[static_cast<unsigned>(event.kind)]);
    out.number("at", event.at);
    if (event.kind == EventKind::Limit) {
        constexpr std::string_view limits[limit_kinds] = {"oom_kills", "memory", "memory_high", "tasks"};
        out.text("limit", limits[event.code]);
        out.number("count", event.restarts);
    }
    if (event.kind >= EventKind::Paused)
        return;
    out.number("pid", event.pid > 0 ? event.pid : no_number);
    out.number("restarts", event.restarts);
    if (event.kind == EventKind::Exited || event.kind == EventKind::Failed)
        put_code(out, event.code, event.signal);
    if (event.kind == EventKind::Failed)
        out.text("reason",
                 event.reason == Reason::Requirement ? "what it requires has failed" : reason_text(event.reason));
}

}  // namespace vial
