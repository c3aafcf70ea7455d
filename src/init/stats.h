// SPDX-License-Identifier: MIT
#pragma once

/// What `stats` and `status` say, a line at a time: from PID 1's own counters and from cgroup files that the
/// launcher opened. The versions of cgroups name and count the same things differently; here that is made even.

#include "base/text.h"
#include "spec/plan.h"
#include "supervise/service.h"

namespace vial {

class ObjectWriter;
class Pid1;

/// What has a limit that can be hit; the first counts whom the OOM killer ended.
enum class LimitKind : std::uint8_t { Kills, Memory, MemoryHigh, Tasks };
inline constexpr std::size_t limit_kinds = 4;
/// How often, so far; `no_number` where that is not counted.
std::int64_t limit_hits(const Plan& plan, LimitKind kind);

/// How many processes the OOM killer took so far: in the whole container, or in one service's leaf.
std::int64_t oom_kills(const Plan& plan);
std::int64_t oom_kills(const Plan& plan, ServiceIndex service);

/// Why a service is not as it should be, for people; nothing where it is.
void put_reason(const Pid1& init, ServiceIndex index, Writer& out);

/// Each writes one JSON object with its newline.
void put_container_status(const Pid1& init, Writer& out);
void put_service_status(const Pid1& init, ServiceIndex index, Writer& out);
void put_container_stats(const Pid1& init, Writer& out);
void put_service_stats(const Pid1& init, ServiceIndex index, Writer& out);

/// The longest that any of them gets.
inline constexpr std::size_t longest_line = 3072;

}  // namespace vial
