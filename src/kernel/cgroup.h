// SPDX-License-Identifier: MIT
#pragma once

/// A container's control groups, version 1, version 2 or both (hybrid); see cgroups(7).
///
/// The layout is a promise to whoever looks from outside, the same in each hierarchy that is used:
///
///     vial/NAME/           the limits, and no process
///     vial/NAME/init       PID 1
///     vial/NAME/SERVICE    one leaf a service
///     vial/NAME/exec       who was put in from outside, made by the first that is
///
/// Every limit is written and read back: a limit the kernel did not take stops the start. On version 1 processes
/// join by writing `0` to `tasks` themselves: a pid written into cgroup.procs from outside waits for an
/// RCU grace period, 9 ms and more. On version 2 PID 1 is born in its leaf (CLONE_INTO_CGROUP).

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "kernel/device_rules.h"
#include "spec/plan.h"
#include "spec/spec.h"

namespace vial {

enum Controller : unsigned {
    MemoryController = 1,
    PidsController = 2,
    CpuController = 4,
    CpuAccounting = 8,
    IoController = 16,
    CpusetController = 32,
    HugetlbController = 64,
    RdmaController = 128,
    MiscController = 256,
    FreezerController = 512,  ///< version 1 alone
    DeviceController = 1024,  ///< version 2 has a program in its place, see kernel/device_rules.h
};

/// A tree of control groups and what of a container's it can limit or count.
struct Hierarchy {
    Text root;                 ///< where it is mounted
    bool unified = false;      ///< version 2
    unsigned controllers = 0;  ///< Controller
};

/// The hierarchies of the controllers `needed`, each once, as far as this host has them; looked up anew by every command, as
/// nothing else of vial lives between them.
Result<List<Hierarchy>> find_hierarchies(unsigned needed);
/// Those that `spec` needs. Accounting alone is worth a group where somebody can ask later, not for a `run` that is
/// over in a moment: `only_limits`. `devices`: they are to be limited, too.
Result<List<Hierarchy>> find_hierarchies(const Spec& spec, bool only_limits, bool devices);

/// One leaf's files, opened.
struct CgroupLeaf {
    List<Fd> join;  ///< write "0" to each: `tasks` (v1), `cgroup.procs` (v2)
    Fd kill;        ///< cgroup.kill, where there is one (v2, 5.14)
    Fd memory, events, cpu, tasks;
};

struct ContainerCgroup {
    bool unified = false;
    List<Text> directories;   ///< `.../vial/NAME`, one a hierarchy
    List<Fd> join_init;       ///< as CgroupLeaf::join
    Fd init_directory;        ///< v2 alone: for CLONE_INTO_CGROUP
    List<CgroupLeaf> leaves;  ///< in the services' order
    Fd stat[StatCount];       ///< see PlanStat
};

/// `.../vial/NAME` in `hierarchy`: what `make_cgroup` will make there, for the journal that undoes it.
Text cgroup_directory(const Hierarchy& hierarchy, std::string_view name);

/// Removes `directory` where nobody lives in it: what is there before a container is made is not its own. Not there is success.
Result<void> remove_leftover(Text directory);

/// Makes the container's groups in `hierarchies` and sets its limits, and where there are any the `rules` for devices. What was made
/// before a failure stays: the caller's journal removes it. `only_limits`: as above.
Result<ContainerCgroup> make_cgroup(const List<Hierarchy>& hierarchies, const Spec& spec, bool only_limits,
                                    const List<DeviceRule>& rules);

/// Changes the limits of a container that runs, all or none: see `change_limits`.
Result<void> change_cgroup(const Spec& before, const Spec& after);

/// Makes the leaf of a running container for those who join from outside (`exec`), unless it is there, and opens it. It stays
/// until the container goes.
Result<List<Fd>> open_exec_leaf(const List<Text>& directories);

/// Removes what is empty of the services' leaves below `directories` (`.../vial/NAME`), for a start on what `remove_cgroup` has to
/// do while PID 1 is still ending.
void remove_service_leaves(const List<Text>& directories, const Spec& spec);

/// Removes `directory` (`.../vial/NAME`) and its leaves, killing what still lives in them, then `vial` itself if
/// that was the last. Gone already is success.
Result<void> remove_cgroup(Text directory);

}  // namespace vial
