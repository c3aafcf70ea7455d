// SPDX-License-Identifier: MIT

/// Limits that were hit, and processes that the OOM killer ended, as events. The kernel counts them, and says that a count has
/// grown: of memory on version 2, of tasks on both, for who has the file in an epoll. Who is at a limit hits it all the time:
/// so all counts are looked at then, and heard of again only after a while. Nothing of that wakes a PID 1 in whose
/// container nothing grows. What the kernel does not say (much of it on version 1) is seen when somebody asks for stats, and
/// when a service ends badly; how often processor time was held back is told by stats alone.

#include "init/pid1.h"
#include "init/stats.h"

namespace vial {

namespace {

constexpr Milliseconds look_interval = 1000;
constexpr Milliseconds quiet = 60000;  ///< from one event of a limit to the next; each OOM kill is one

}  // namespace

/// `call`: watch or rewatch of base/os.h.
template <typename Call>
static void for_each_file(const Plan& plan, int epoll, const Call& call)
{
    const auto watch = [&](int fd) {
        if (fd >= 0)
            (void)call(epoll, fd, EPOLLPRI | EPOLLONESHOT, event_token(Source::Limits));
    };
    if ((plan.flags & PlanUnifiedCgroup) != 0)
        watch(plan.stat[StatMemoryEvents]);
    watch(plan.stat[StatTasksEvents]);
    for (const PlanService& service : plan.all_services())
        watch(service.leaf_tasks);
}

void Pid1::watch_limits()
{
    if (!is_own() || foreground())
        return;
    for_each_file(plan, epoll, os::watch);
}

void Pid1::watch_limits_again()
{
    limits_again_ = os::never;
    for_each_file(plan, epoll, os::rewatch);
}

bool Pid1::look_at_limits()
{
    bool grown = false;
    limits_seen_ = now;
    for (std::uint8_t kind = 0; kind < limit_kinds; kind++) {
        const std::int64_t hits = limit_hits(plan, static_cast<LimitKind>(kind));
        if (hits <= seen_hits_[kind])
            continue;
        seen_hits_[kind] = hits;
        grown = true;
        if (kind != 0 && now < quiet_until_[kind])
            continue;
        quiet_until_[kind] = now + quiet;
        events.add(EventKind::Limit, static_cast<std::uint32_t>(hits), kind);
    }
    return grown;
}

void Pid1::hear_limits()
{
    if (look_at_limits())
        limits_again_ = now + look_interval;
    else
        watch_limits_again();
}

}  // namespace vial
