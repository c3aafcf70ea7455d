// SPDX-License-Identifier: MIT
#pragma once

/// What happened to the services of late, for those who ask with `events`.
///
/// A ring of fixed size: what is new takes the place of what is oldest, and nobody's slow reading keeps anything. Events
/// are numbered from 0 on, and each reader remembers by itself which one it wants next. So a reader that comes late is
/// told what is still there, and one that is too slow can tell how many it missed.

#include "supervise/service.h"

namespace vial {

class ObjectWriter;

enum class EventKind : std::uint8_t {
    Started,    ///< its first process was made
    Ready,      ///< it does its work
    Exited,     ///< its process has ended
    Restarted,  ///< a process was made again, after another had ended
    Oom,        ///< the kernel's out-of-memory killer ended its process; Exited follows
    Failed,     ///< it will not be started again by itself
    Stopped,    ///< it does not run, as wanted
    Paused,     ///< the container is being frozen; this and the next are no service's
    Resumed,
    Limit,  ///< a limit was hit, as LimitKind says
};

struct Event {
    std::int64_t at;  ///< milliseconds since 1970
    ServiceIndex service;
    pid_t pid;               ///< 0: there is none
    std::uint32_t restarts;  ///< Limit: how often so far
    EventKind kind;
    Reason reason;      ///< Failed
    std::uint8_t code;  ///< of the last process, as Ending has it; Limit: which one
    std::uint8_t signal;
};

class EventRing {
public:
    static constexpr std::uint64_t size = 64;

    /// `memory`: room for `size` events.
    void open(Event* memory) { events_ = memory; }

    /// To be called when a service has entered another state.
    void changed(ServiceIndex index, const Service& service, ServiceState before);
    /// What is no service's.
    void add(EventKind kind, std::uint32_t count = 0, std::uint8_t limit = 0);
    /// To be called when its main process has ended, before the engine hears of it.
    void ended(ServiceIndex index, const Service& service, const Ending& ending);

    /// The number that the next event will have.
    std::uint64_t next() const { return next_; }
    /// The oldest that is still there.
    std::uint64_t first() const { return next_ < size ? 0 : next_ - size; }
    const Event& operator[](std::uint64_t number) const { return events_[number % size]; }

private:
    void add(EventKind kind, ServiceIndex index, const Service& service, const Ending& ending);

    std::uint64_t next_ = 0;
    Event* events_ = nullptr;
};

/// All of an event but the service's name: members of an object that is being written.
void put_event(ObjectWriter& out, const Event& event);

}  // namespace vial
