// SPDX-License-Identifier: MIT
#pragma once

/// How long the engine waits for what.

#include "supervise/service.h"

#include <algorithm>

namespace vial {

constexpr std::int64_t after(std::int64_t now, Milliseconds delay)
{
    std::int64_t at = 0;
    return delay < 0 || __builtin_add_overflow(now, delay, &at) ? os::never : at;
}

/// After a refused fork, when `count` were refused before it: 0.1 s, doubled up to 12.8 s.
constexpr Milliseconds refusal_delay(unsigned count)
{
    return Milliseconds{100} << std::min(count, 7U);
}

/// Of a count that goes round behind it: each of the last delay, some 64 s for all of them.
constexpr unsigned refusals_round = 11, refusals_most = 15;

/// Whether one is worth telling somebody who has heard of the first: about once a minute.
constexpr bool tells_refusal(unsigned count)
{
    return count == 0 || count == refusals_round;
}

/// Before a restart, when the delay was doubled so many times.
constexpr Milliseconds restart_delay(const ServicePolicy& policy, unsigned doublings)
{
    Milliseconds delay = policy.restart_delay;
    for (; doublings > 0 && delay < policy.restart_backoff; doublings--)
        delay = std::min(delay * 2, policy.restart_backoff);
    return delay;
}

/// Between two looks at whether a service is ready, when so many were in vain: 20 ms, doubled up to 1.28 s.
constexpr Milliseconds readiness_delay(unsigned misses)
{
    return Milliseconds{20} << std::min(misses, 6U);
}

}  // namespace vial
