// SPDX-License-Identifier: MIT
#pragma once

/// A container's control groups, version 1, version 2 or both (hybrid); see cgroups(7).
///
/// The layout is a promise to whoever looks from outside, the same in each hierarchy that is used:
///
///     vial/NAME/           the limits, and no process
///     vial/NAME/init       PID 1
///     vial/NAME/SERVICE    one leaf a service
///
/// Every limit is written and read back: a limit the kernel did not take stops the start. On version 1 processes
/// join by writing `0` to `tasks` themselves: a pid written into cgroup.procs from outside waits for an
/// RCU grace period, 9 ms and more. On version 2 PID 1 is born in its leaf (CLONE_INTO_CGROUP).

#include "base/fd.h"
#include "base/result.h"
#include "spec/plan.h"
#include "spec/spec.h"

#include <string>
#include <vector>

namespace vial {

enum class Controller : std::uint8_t { Memory, Pids, Cpu, CpuAccounting };
inline constexpr std::size_t controller_count = 4;

/// Where this host's controllers are; found anew by every command, as nothing else of vial lives between them.
struct Cgroups {
    bool unified = false;                  ///< version 2 only
    std::string roots[controller_count];   ///< by Controller; the same one for several is common; empty: there is none
};
Result<Cgroups> find_cgroups();

/// One leaf's files, opened.
struct CgroupLeaf {
    std::vector<Fd> join;  ///< write "0" to each: `tasks` (v1), `cgroup.procs` (v2)
    Fd kill;               ///< cgroup.kill, where there is one (v2, 5.14)
    Fd processes;          ///< cgroup.procs for reading
    Fd memory, events, cpu;
};

struct ContainerCgroup {
    bool unified = false;
    std::vector<std::string> directories;  ///< `.../vial/NAME`, one a hierarchy
    CgroupLeaf init;
    Fd init_directory;                     ///< v2: for CLONE_INTO_CGROUP
    std::vector<CgroupLeaf> leaves;        ///< in the services' order
    Fd stat[StatCount];                    ///< see PlanStat
};

/// The directories that `make_cgroup` will make, for the journal that undoes it.
std::vector<std::string> cgroup_directories(const Cgroups& cgroups, const Spec& spec);

/// Makes the container's groups and sets its limits. What was made before a failure stays: the caller's journal
/// removes it.
Result<ContainerCgroup> make_cgroup(const Cgroups& cgroups, const Spec& spec);

/// Opens the leaf of a running container for joining from outside (`exec`).
Result<std::vector<Fd>> open_leaf(const std::vector<std::string>& directories, const std::string& leaf);

/// Removes `directory` (`.../vial/NAME`) and its leaves, killing what still lives in them, then `vial` itself if
/// that was the last. Gone already is success.
Result<void> remove_cgroup(const std::string& directory);

}  // namespace vial
