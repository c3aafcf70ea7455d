// SPDX-License-Identifier: MIT
#pragma once

/// The supervision engine: decides when each service is started, stopped, killed and started again.
///
/// It holds no process, descriptor or clock of its own. Wishes and events go in, each with the time at which
/// it happened; what shall be done comes out through `ServiceActions`. So the same engine supervises processes inside
/// a container and containers at the host's boot, and a test drives it through every transition of service.h with
/// a clock that it moves by hand. Nothing here allocates or waits.
///
/// Actions are called from within the engine's own functions and must not call back into it.

#include "base/result.h"
#include "supervise/service.h"

#include <span>

namespace vial {

/// What the engine cannot do itself.
class ServiceActions {
public:
    virtual ServicePolicy policy(ServiceIndex service) const = 0;
    /// Makes the main process, which is then on its way to its exec. An error: the kernel refused, try later.
    virtual Result<pid_t> start(ServiceIndex service) = 0;
    /// Sends the stop signal to the main process.
    virtual void send_stop(ServiceIndex service) = 0;
    /// Kills whatever there is of the service: main process, descendants, all its cgroup holds.
    virtual void kill(ServiceIndex service) = 0;
    /// Its state is no longer `before`.
    virtual void changed(ServiceIndex service, ServiceState before) = 0;

protected:
    ~ServiceActions() = default;
};

class Supervisor {
public:
    /// How many services one `advance` starts at most.
    static constexpr unsigned start_batch = 16;
    static constexpr Milliseconds kill_interval = 1000;

    Supervisor(std::span<Service> services, ServiceActions& actions) : services_(services), actions_(actions) {}

    // Wishes. They never wait; `advance` carries them out. False: not possible, because everything is being stopped.
    bool start(ServiceIndex index, std::int64_t now);
    bool restart(ServiceIndex index, std::int64_t now);
    void stop(ServiceIndex index, std::int64_t now);
    void start_all(std::int64_t now);
    /// For good: nothing is started after this. In reverse order.
    void stop_all(std::int64_t now);

    // Events.
    /// The exec of its main process went through.
    void started(ServiceIndex index, std::int64_t now);
    /// Its main process has ended and was reaped; this is so also where its exec failed.
    void exited(ServiceIndex index, const Ending& ending, std::int64_t now);

    /// Does what is due, and starts some of the services whose turn it is. True: there are more; call again soon.
    bool advance(std::int64_t now);
    /// When `advance` has to be called at the latest; os::never: only after an event.
    std::int64_t deadline() const { return earliest_; }

    /// Nothing runs and nothing will.
    bool finished() const { return active_ == 0; }
    /// Everything is being stopped, for good.
    bool closing() const { return closing_; }

    /// The service that decides what the whole came to, once `finished`: the only one; among several the
    /// first that failed. Its `last` says how. Null: several, and none of them failed.
    const Service* outcome() const;

    std::span<const Service> services() const { return services_; }
    const Service& service(ServiceIndex index) const { return services_[index]; }
    /// The service whose main process this is; null: nobody's.
    const Service* find(pid_t pid) const;
    ServiceIndex index_of(const Service& service) const
    {
        return static_cast<ServiceIndex>(&service - services_.data());
    }

private:
    void enter(ServiceIndex index, ServiceState state, std::int64_t now, std::int64_t deadline = os::never);
    void launch(ServiceIndex index, std::int64_t now);
    void begin_stop(ServiceIndex index, bool again, std::int64_t now);
    void expire(std::int64_t now);

    std::span<Service> services_;
    ServiceActions& actions_;
    std::int64_t earliest_ = os::never;  ///< the first of all deadlines
    std::uint32_t active_ = 0;           ///< services that run or will
    std::uint32_t waiting_ = 0;          ///< services in Waiting
    ServiceIndex turn_ = 0;              ///< where the search for the next one in Waiting goes on
    ServiceIndex first_failed_ = none;
    bool closing_ = false;

    static constexpr ServiceIndex none = UINT32_MAX;
};

}  // namespace vial
