// SPDX-License-Identifier: MIT
#pragma once

/// How the engine finds a service among many: by what comes first in time, by pid, and by who depends on whom.
///
/// All of it lives in memory of the caller's, sized once; nothing here is longer than the list of services, and the links
/// are members of the services themselves.

#include "supervise/service.h"

#include <span>

namespace vial {

/// All dependencies, seen from one end. Those of service n are `edges[starts[n]]` to `edges[starts[n + 1]]`; both are
/// empty where nobody depends on anybody.
struct Dependencies {
    std::span<const std::uint32_t> starts;
    std::span<const Dependency> edges;

    std::span<const Dependency> of(ServiceIndex index) const
    {
        return starts.empty() ? edges : edges.subspan(starts[index], starts[index + 1] - starts[index]);
    }
};

/// A heap of the services that have a deadline, the earliest on top.
class Deadlines {
public:
    /// `heap`: as many places as services.
    Deadlines(std::span<Service> services, std::span<ServiceIndex> heap) : services_(services), heap_(heap) {}

    /// To be called when a deadline of the service has changed.
    void update(ServiceIndex index);
    std::int64_t earliest() const { return count_ == 0 ? os::never : time_of(heap_[0]); }
    /// The service with the earliest deadline, if there is any.
    ServiceIndex first() const { return heap_[0]; }

private:
    std::int64_t time_of(ServiceIndex index) const;
    void put(std::uint32_t place, ServiceIndex index);

    std::span<Service> services_;
    std::span<ServiceIndex> heap_;
    std::uint32_t count_ = 0;
};

/// Whose process a pid is. A table of chains, as many as services.
class PidTable {
public:
    struct Owner {
        ServiceIndex service = 0;
        bool is_task = false;
        bool found = false;
    };

    /// `buckets`: as many as services, zeroed.
    PidTable(std::span<Service> services, std::span<std::uint32_t> buckets) : services_(services), buckets_(buckets) {}

    /// Writes down the service's pid, or its task's; 0 forgets it.
    void set(ServiceIndex index, bool is_task, pid_t pid);
    Owner find(pid_t pid) const;

private:
    std::uint32_t& bucket(pid_t pid) const { return buckets_[static_cast<std::uint32_t>(pid) % buckets_.size()]; }
    std::uint32_t& link(std::uint32_t entry) const { return services_[(entry - 1) / 2].same_bucket[(entry - 1) % 2]; }
    pid_t& pid_of(std::uint32_t entry) const
    {
        Service& service = services_[(entry - 1) / 2];
        return (entry - 1) % 2 == 0 ? service.pid : service.task_pid;
    }

    std::span<Service> services_;
    std::span<std::uint32_t> buckets_;  ///< the first entry of each chain: 1 + 2 * service + is_task
};

}  // namespace vial
