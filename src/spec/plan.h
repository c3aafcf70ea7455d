// SPDX-License-Identifier: MIT
#pragma once

/// What the launcher tells PID 1: one flat, sealed, read-only piece of memory.
///
/// PID 1 maps it and uses it in place: no parser, no heap, no copy, and as the pages belong to the memfd they are
/// not PID 1's private memory. All references are byte offsets from the start of the plan; texts end in
/// NUL. The launcher is the same binary, so the layout needs no versions; the magic number only catches a
/// descriptor that is something else. Numbers of descriptors are those PID 1 finds open; -1: none.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

#include <cstdint>
#include <linux/filter.h>
#include <span>
#include <string_view>

namespace vial {

/// Where, inside, PID 1 listens for what services with `ready = "notify"` say: a socket of each one's name.
inline constexpr std::string_view notify_directory = "/dev/notify";

using PlanOffset = std::uint32_t;

/// Version 1 of control groups may have one for each controller.
inline constexpr std::size_t hierarchies_most = 9;

struct PlanService {
    PlanOffset name;
    PlanOffset arguments;    ///< argument_count offsets of texts
    PlanOffset environment;  ///< environment_count offsets of texts, `KEY=VALUE`, complete
    PlanOffset directory;
    PlanOffset groups;    ///< group_count numbers
    PlanOffset policy;    ///< a ServicePolicy
    PlanOffset tasks;     ///< task_commands of PlanCommand; 0: it has none
    PlanOffset pid_file;  ///< 0: none
    std::uint32_t argument_count, environment_count, group_count;
    std::uint32_t user, group, umask;
    std::int32_t join[hierarchies_most];  ///< opened `tasks` (v1) or `cgroup.procs` (v2) files of its leaf: write "0"
    std::int32_t kill_file;               ///< cgroup.kill (5.14), or -1
    std::int32_t leaf_memory;             ///< memory.current / memory.usage_in_bytes of the leaf, or -1
    std::int32_t leaf_cpu;                ///< cpu.stat / cpuacct.usage of the leaf, or -1
    std::int32_t
        leaf_events;  ///< memory.events / memory.oom_control of the leaf, or -1: v1 counts OOM kills in leaves only
    std::int32_t leaf_tasks;  ///< pids.events of the leaf, or -1: before 6.11, and on v1, refusals are counted there
    bool is_container, on_demand, renewed;  ///< these and the next as in ServiceSpec
    std::int32_t running;
    std::int64_t started;
    std::uint32_t fingerprint;
    PlanOffset past;        ///< a ServicePast; 0: none
    std::int32_t terminal;  ///< slave of the pty this service gets as 0-2 and controlling terminal, or -1
};

/// What runs beside a service: a hook, or its health probe.
struct PlanCommand {
    PlanOffset arguments;
    std::uint32_t argument_count;  ///< 0: there is none
};

/// Who depends on whom: of service n what is in `edges` from `starts[n]` to `starts[n + 1]`.
struct PlanEdges {
    PlanOffset starts;  ///< service_count + 1 numbers
    PlanOffset edges;   ///< a Dependency each
};

/// Of each process of a service, see setrlimit(2); `unlimited` stands for RLIM_INFINITY.
struct PlanLimit {
    std::int64_t resource, soft, hard;
};
/// All that a spec sets.
List<PlanLimit> process_limits(const Spec& spec);
/// `nofile`, for messages.
std::string_view resource_name(std::int64_t resource);

enum PlanFlag : std::uint32_t {
    PlanForeground = 1,  ///< `run`: services inherit `standard`, PID 1 dies with the launcher
    PlanNoInit = 2,      ///< init = false: PID 1 becomes the only service instead of supervising it
    PlanNoNewPrivileges = 4,
    PlanSeccomp = 8,
    PlanUnifiedCgroup = 16,  ///< v2 stat files
    PlanInside = 32,         ///< somebody else's container: a service stays who init is, unless it names a user
};

/// The container's own cgroup files, opened read-only, in the order `stats` prints them.
enum PlanStat : std::uint32_t {
    StatMemoryCurrent,
    StatMemoryPeak,
    StatMemoryLimit,
    StatMemoryEvents,
    StatCpu,
    StatCpuThrottle,
    StatTasks,
    StatTasksLimit,
    StatTasksEvents,
    StatSwap,  ///< version 1: with the memory
    StatSwapLimit,
    StatIo,
    StatMemoryPressure,  ///< version 2 alone, as what follows
    StatCpuPressure,
    StatIoPressure,
    StatCount
};

struct Plan {
    static constexpr std::uint32_t expected_magic = 0x6c616976;  // "vial"

    std::uint32_t magic, size;
    std::uint32_t flags;
    PlanOffset container;  ///< the container's name
    PlanOffset services;
    std::uint32_t service_count;
    std::uint32_t edge_count;  ///< 0: nobody depends on anybody, and there are no tables of it
    PlanEdges needs, dependents;
    std::uint64_t capabilities;  ///< what services keep
    std::uint64_t ambient;       ///< of it those of other users than root, too
    PlanOffset limits;           ///< limit_count of PlanLimit
    std::uint32_t limit_count;
    PlanOffset filter;          ///< filter_size instructions of seccomp's, of a profile of one's own
    std::uint32_t filter_size;  ///< 0: there is none
    PlanOffset landlock;        ///< rule_count offsets of texts, its rules
    std::uint32_t rule_count;   ///< 0: no limits
    std::int64_t log_size;      ///< of each segment, bytes
    std::int32_t channel;       ///< to the launcher, see supervise/channel.h
    std::int32_t control;       ///< the listening control socket
    std::int32_t requests;      ///< an inherited pair instead of, or beside it: where requests come from
    std::int32_t answers;       ///< and where answers go
    std::int32_t exit_file;     ///< where the container's end is written
    std::int32_t log[2];        ///< the segments
    std::int32_t standard[3];   ///< Foreground: what services get as 0-2
    std::int32_t stat[StatCount];

    const char* text(PlanOffset offset) const { return reinterpret_cast<const char*>(this) + offset; }
    std::span<const PlanService> all_services() const
    {
        return {reinterpret_cast<const PlanService*>(text(services)), service_count};
    }
    const ServicePolicy& policy(const PlanService& service) const
    {
        return *reinterpret_cast<const ServicePolicy*>(text(service.policy));
    }
    std::span<const PlanCommand, task_commands> commands(PlanOffset tasks) const
    {
        return std::span<const PlanCommand, task_commands>(reinterpret_cast<const PlanCommand*>(text(tasks)),
                                                           task_commands);
    }
    std::span<const Dependency> edges(const PlanEdges& side) const
    {
        return {reinterpret_cast<const Dependency*>(text(side.edges)), edge_count};
    }
    std::span<const PlanLimit> all_limits() const
    {
        return {reinterpret_cast<const PlanLimit*>(text(limits)), limit_count};
    }
    std::span<const sock_filter> all_of_filter() const
    {
        return {reinterpret_cast<const sock_filter*>(text(filter)), filter_size};
    }
    std::span<const PlanOffset> list(PlanOffset offset, std::uint32_t count) const
    {
        return {reinterpret_cast<const PlanOffset*>(text(offset)), count};
    }
};

/// Maps the plan read-only after checking magic, size and seals. It stays mapped for ever.
Result<const Plan*> map_plan(int fd);

/// What the launcher opened for PID 1, service by service; the numbers are those in this process, which
/// the exec keeps.
struct ServiceDescriptors {
    std::int32_t join[hierarchies_most] = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
    std::int32_t kill_file = -1, leaf_memory = -1, leaf_cpu = -1, leaf_events = -1, leaf_tasks = -1, terminal = -1;
};
struct PlanDescriptors {
    std::int32_t channel = -1, control = -1, requests = -1, answers = -1, exit_file = -1;
    std::int32_t log[2] = {-1, -1};
    std::int32_t standard[3] = {-1, -1, -1};
    std::int32_t stat[StatCount];
    List<ServiceDescriptors> services;
};

/// Writes the plan of `spec` into a sealed memfd. `environments` holds each service's complete one, `filter` what was made of
/// a profile for system calls.
Result<Fd> make_plan(const Spec& spec, std::uint32_t flags, const PlanDescriptors& descriptors,
                     const List<List<Text>>& environments, std::span<const sock_filter> filter = {});

}  // namespace vial
