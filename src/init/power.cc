// SPDX-License-Identifier: MIT

/// What the machine's first process does in its loop beside what every host's supervisor does: it feeds the hardware
/// watchdog, which is the one thing that ever wakes it for nothing (under another init, that one's); it starts a shell where no
/// service runs and one has failed; and it ends all in order, in a bounded time, when the machine is to be switched off.
/// What follows that is boot/power.cc's.

#include "base/os.h"
#include "init/entry.h"
#include "init/notify.h"
#include "init/pid1.h"

#include <algorithm>
#include <linux/watchdog.h>

namespace vial {

bool Pid1::is_first() const
{
    return is_host() && entry->host->first;
}

void Pid1::end_machine(int power)
{
    if (power_ != NoPower)
        return;
    power_ = power;
    (void)notify("STOPPING=1");
    if (entry->host->stop_timeout >= 0)
        power_deadline_ = now + entry->host->stop_timeout;
    supervisor.stop_all(now);
}

void Pid1::feed_watchdog()
{
    if (now < next_feed_)
        return;
    next_feed_ = os::never;
    if (!is_host() || entry->host->feed_interval == 0)
        return;
    if (entry->host->watchdog >= 0)
        (void)os::ioctl(entry->host->watchdog, WDIOC_KEEPALIVE, std::uint64_t{0}, "feed the watchdog");
    else
        (void)notify("WATCHDOG=1");
    next_feed_ = now + entry->host->feed_interval;
}

/// The last service is the shell. What was stopped by somebody, or is not to run at boot, has not failed.
bool Pid1::needs_emergency()
{
    if (!is_first() || supervisor.closing())
        return false;
    const std::span<const Service> services = supervisor.services();
    bool failed = services.size() == 1;
    for (const Service& service : services) {
        failed |= service.state == ServiceState::Failed;
        if (service.state != ServiceState::Failed && service.state != ServiceState::Stopped)
            return false;
    }
    const auto shell = static_cast<ServiceIndex>(services.size() - 1);
    return failed && services[shell].state == ServiceState::Stopped && supervisor.start(shell, now);
}

}  // namespace vial
