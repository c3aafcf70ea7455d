// SPDX-License-Identifier: MIT
#include "kernel/cgroup.h"

#include "base/directory.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/limits.h"
#include "kernel/mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vial {

namespace {

/// By bit of Controller; version 1 has `blkio` in the place of `io`.
constexpr const char* controller_names[] = {"memory",  "pids", "cpu",  "cpuacct", "io",     "cpuset",
                                            "hugetlb", "rdma", "misc", "freezer", "devices"};
/// Version 2 has them handed down where a spec asks for them.
constexpr unsigned on_demand = CpusetController | HugetlbController | RdmaController | MiscController;
constexpr const char* usual_place = "/sys/fs/cgroup";

const char* controller_name(unsigned bit, bool unified)
{
    return !unified && 1U << bit == IoController ? "blkio" : controller_names[bit];
}

bool has_word(std::string_view words, std::string_view word, char separator)
{
    while (!words.empty())
        if (take_until(words, separator) == word)
            return true;
    return false;
}

unsigned controllers_among(std::string_view words, bool unified)
{
    unsigned found = 0;
    for (unsigned bit = 0; bit < std::size(controller_names); ++bit)
        found |= has_word(words, controller_name(bit, unified), unified ? ' ' : ',') ? 1U << bit : 0U;
    return found;
}

unsigned unified_controllers(Text root, unsigned needed)
{
    const Text words = os::read_file(AT_FDCWD, compose("%/cgroup.controllers", root).c_str()).value_or({});
    const unsigned found = controllers_among(slice(words, 0, position(words, '\n')), true) | CpuAccounting;
    return found & (needed | ~on_demand);
}

/// Wherever the mounts of /proc/self/mountinfo say.
Result<List<Hierarchy>> search_mounts(unsigned needed)
{
    const List<MountPoint> mounts = TRY(list_mounts());
    List<Hierarchy> found;
    unsigned known = 0;
    for (const MountPoint& mount : mounts) {
        if (mount.type != "cgroup" && mount.type != "cgroup2")
            continue;
        Hierarchy one{mount.path, mount.type == "cgroup2", 0};
        one.controllers =
            (one.unified ? unified_controllers(one.root, needed) : controllers_among(mount.options, false)) & ~known;
        known |= one.controllers;
        if (one.controllers != 0)
            found.push_back(std::move(one));
    }
    for (Hierarchy& one : found)
        if (one.unified && (known & DeviceController) == 0)
            one.controllers |= DeviceController;
    return found;
}

/// Version 2 hands controllers down one level at a time.
Result<void> hand_down(int directory, const char* control, unsigned controllers, Text root)
{
    Builder wanted;
    for (unsigned bit = 0; bit < std::size(controller_names); ++bit)
        if ((controllers & ~static_cast<unsigned>(CpuAccounting | DeviceController) & 1U << bit) != 0)
            wanted.compose("%+%", wanted.empty() ? "" : " ", controller_names[bit]);
    if (wanted.empty())
        return {};
    auto written = os::write_file(directory, control, wanted).as("hand controllers down in"_p, root);
    if (written.number() == EBUSY)
        written.error()
            .because("processes live in the group itself"_p)
            .advise("start vial from another control group"_p);
    return written;
}

/// Version 1: a group begins without any processor or memory, and cannot be joined, unless it takes its parent's.
void fill_cpuset(int root)
{
    (void)os::write_file(root, "vial/cgroup.clone_children", "1");
    for (const char* file : {"cpuset.cpus", "cpuset.mems"})
        (void)os::write_file(root, concat("vial/", file).c_str(), os::read_file(root, file).value_or({}));
}

Result<LimitedGroup> make_group(const Hierarchy& hierarchy, const Spec& spec, const List<DeviceRule>& rules)
{
    const Fd root = TRY(os::open(hierarchy.root.c_str(), O_PATH | O_DIRECTORY));
    const Text path = compose("vial/%", spec.name);
    if (hierarchy.unified)
        TRY(hand_down(root.get(), "cgroup.subtree_control", hierarchy.controllers, hierarchy.root));
    // The last container's end removes `vial`: it may go between the two.
    for (int attempt = 0;; ++attempt) {
        const auto parent = os::mkdirat(root.get(), "vial", 0755);
        if (!parent.ok() && parent.number() != EEXIST)
            return parent.error();
        if (parent.ok() && !hierarchy.unified && (hierarchy.controllers & MemoryController) != 0)
            // Before 5.11 a group's limits reach its children only where this is set.
            (void)os::write_file(root.get(), "vial/memory.use_hierarchy", "1");
        if (!hierarchy.unified && (hierarchy.controllers & CpusetController) != 0)
            fill_cpuset(root.get());
        if (hierarchy.unified)
            TRY(hand_down(root.get(), "vial/cgroup.subtree_control", hierarchy.controllers, hierarchy.root));
        const auto made = os::mkdirat(root.get(), path.c_str(), 0755);
        if (made.ok())
            break;
        if (made.number() != ENOENT || attempt == 16)
            return made.error();
    }
    LimitedGroup group{hierarchy, TRY(os::openat(root.get(), path.c_str(), O_PATH | O_DIRECTORY))};
    if (hierarchy.unified)
        TRY(hand_down(group.directory.get(), "cgroup.subtree_control", hierarchy.controllers, hierarchy.root));
    if (!rules.empty() && (hierarchy.controllers & DeviceController) != 0)
        TRY(limit_devices(group.directory, hierarchy.unified, rules, spec.name));
    return group;
}

Result<void> make_leaves(const LimitedGroup& group, const Spec& spec)
{
    TRY(os::mkdirat(group.directory.get(), "init", 0755));
    for (const ServiceSpec& service : spec.services)
        TRY(os::mkdirat(group.directory.get(), service.name.c_str(), 0755));
    return {};
}

/// A file that PID 1 tells of, where it is there.
Fd open_for_reading(const LimitedGroup* group, std::string_view leaf, const char* v1, const char* v2)
{
    const char* file = group == nullptr ? nullptr : group->hierarchy.unified ? v2 : v1;
    if (file == nullptr)
        return Fd();
    return os::openat(group->directory.get(), concat(leaf, leaf.empty() ? "" : "/", file).c_str(), O_RDONLY)
        .value_or(Fd());
}

Result<List<Fd>> open_join_files(const List<LimitedGroup>& groups, Text leaf)
{
    List<Fd> files;
    for (const LimitedGroup& group : groups)
        files.push_back(
            TRY(os::openat(group.directory.get(),
                           concat(leaf, group.hierarchy.unified ? "/cgroup.procs" : "/tasks").c_str(), O_WRONLY)));
    return files;
}

struct StatFile {
    PlanStat stat;
    Controller controller;
    const char* v1;
    const char* v2;
};

constexpr StatFile stat_files[] = {
    {StatMemoryCurrent, MemoryController, "memory.usage_in_bytes", "memory.current"},
    {StatMemoryPeak, MemoryController, "memory.max_usage_in_bytes", "memory.peak"},
    {StatMemoryLimit, MemoryController, "memory.limit_in_bytes", "memory.max"},
    {StatMemoryEvents, MemoryController, "memory.failcnt", "memory.events"},
    {StatCpu, CpuAccounting, "cpuacct.usage", "cpu.stat"},
    {StatCpuThrottle, CpuController, "cpu.stat", "cpu.stat"},
    {StatTasks, PidsController, "pids.current", "pids.current"},
    {StatTasksLimit, PidsController, "pids.max", "pids.max"},
    // Of version 1 the hierarchy of devices is used only where they are limited; it knows no pressure.
    {StatIo, IoController, "blkio.throttle.io_service_bytes_recursive", "io.stat"},
    {StatMemoryPressure, CpuAccounting, nullptr, "memory.pressure"},
    {StatCpuPressure, CpuAccounting, nullptr, "cpu.pressure"},
    {StatIoPressure, CpuAccounting, nullptr, "io.pressure"},
    {StatTasksEvents, PidsController, "pids.events", "pids.events"},  // these are for those in the background
    {StatSwap, MemoryController, "memory.memsw.usage_in_bytes", "memory.swap.current"},
    {StatSwapLimit, MemoryController, "memory.memsw.limit_in_bytes", "memory.swap.max"},
};

/// Ends every process in one group: what a crash left, or what came in through `exec`.
void kill_all_in(Text directory)
{
    if (os::write_file(AT_FDCWD, compose("%/cgroup.kill", directory).c_str(), "1").ok())
        return;
    const Text list = os::read_file(AT_FDCWD, compose("%/cgroup.procs", directory).c_str()).value_or({});
    std::string_view rest = list;
    while (!rest.empty())
        if (const auto pid = parse_number(take_until(rest, '\n')); pid && *pid > 0)
            (void)os::kill(static_cast<pid_t>(*pid), SIGKILL);
}

/// Removes one group without children. EBUSY: a process is in it.
int remove_group(Text directory)
{
    return os::unlinkat(AT_FDCWD, directory.c_str(), AT_REMOVEDIR).number();
}

/// Removes a group and all below it, as far as nobody is in them.
int remove_tree(Text directory)
{
    const int why = remove_group(directory);
    if (why != EBUSY)
        return why;
    for (Text below : list_directory(directory, true).value_or({}))
        (void)remove_tree(compose("%/%", directory, below));
    return remove_group(directory);
}

}  // namespace

Result<List<Hierarchy>> find_hierarchies(const Spec& spec, bool only_limits, bool devices)
{
    unsigned needed = only_limits ? 0U : MemoryController | PidsController | CpuAccounting;
    needed |= devices ? DeviceController : 0U;
    List<Hierarchy> found = TRY(find_hierarchies(needed | limited_controllers(spec)));
    bool there = !devices;
    for (const Hierarchy& one : found)
        there = there || (one.controllers & DeviceController) != 0;
    if (!there)
        return Error("this host has no control group for it"_p, "limit the devices of"_p, spec.name)
            .advise("the kernel needs CONFIG_CGROUP_DEVICE; without it, give it neither 'devices' nor MKNOD"_p);
    return found;
}

Result<List<Hierarchy>> find_hierarchies(unsigned needed)
{
    List<Hierarchy> found;
    if (os::filesystem_magic(usual_place).value_or(0) == CGROUP2_SUPER_MAGIC) {
        found.push_back({usual_place, true, unified_controllers(usual_place, needed) | DeviceController});
    } else {
        // The usual layout of version 1, one mount a controller; where one is missing or mounted with others, the mounts tell.
        for (unsigned bit = 0; bit < std::size(controller_names); ++bit) {
            if ((needed & 1U << bit) == 0)
                continue;
            const Text root = compose("%/%", usual_place, controller_name(bit, false));
            const auto entry = os::lstat(AT_FDCWD, root.c_str());
            if (!entry.ok() || !S_ISDIR(entry.value().st_mode) ||
                os::filesystem_magic(root.c_str()).value_or(0) != CGROUP_SUPER_MAGIC) {
                found = TRY(search_mounts(needed));
                break;
            }
            found.push_back({root, false, 1U << bit});
        }
    }
    List<Hierarchy> used;
    for (Hierarchy& one : found)
        if ((one.controllers & needed) != 0)
            used.push_back(std::move(one));
    return used;
}

Text cgroup_directory(const Hierarchy& hierarchy, std::string_view name)
{
    return compose("%/vial/%", hierarchy.root, name);
}

Result<void> remove_leftover(Text directory)
{
    const int why = remove_tree(directory);
    if (why == 0 || why == ENOENT)
        return {};
    return Error("processes live in it that are no container's of vial"_p, "take the control group"_p, directory)
        .advise("end them, or choose another name"_p);
}

Result<ContainerCgroup> make_cgroup(const List<Hierarchy>& hierarchies, const Spec& spec, bool only_limits,
                                    const List<DeviceRule>& rules)
{
    ContainerCgroup made;
    List<LimitedGroup> groups;
    for (const Hierarchy& hierarchy : hierarchies) {
        made.directories.push_back(cgroup_directory(hierarchy, spec.name));
        groups.push_back(TRY(make_group(hierarchy, spec, rules)));
    }
    // On version 1 the leaves of some take over what they are set to.
    TRY(set_limits(groups, spec));
    for (const LimitedGroup& group : groups)
        TRY(make_leaves(group, spec));
    TRY(set_leaf_limits(groups, spec));

    for (const StatFile& file : stat_files) {
        if (file.stat == StatTasksEvents && only_limits)
            break;
        made.stat[file.stat] = open_for_reading(group_for(groups, file.controller), {}, file.v1, file.v2);
    }
    made.join_init = TRY(open_join_files(groups, "init"));
    const LimitedGroup* memory = group_for(groups, MemoryController);
    made.unified = memory != nullptr ? memory->hierarchy.unified : !groups.empty() && groups.front().hierarchy.unified;
    if (groups.size() == 1 && made.unified)
        made.init_directory = TRY(os::openat(groups.front().directory.get(), "init", O_RDONLY | O_DIRECTORY));
    for (const ServiceSpec& service : spec.services) {
        CgroupLeaf& leaf = made.leaves.emplace_back();
        leaf.join = TRY(open_join_files(groups, service.name));
        leaf.memory = open_for_reading(memory, service.name, "memory.usage_in_bytes", "memory.current");
        leaf.events = open_for_reading(memory, service.name, "memory.oom_control", "memory.events");
        leaf.cpu = open_for_reading(group_for(groups, CpuAccounting), service.name, "cpuacct.usage", "cpu.stat");
        if (!only_limits)
            leaf.tasks =
                open_for_reading(group_for(groups, PidsController), service.name, "pids.events", "pids.events");
        if (made.unified)
            leaf.kill =
                os::openat(groups.front().directory.get(), compose("%/cgroup.kill", service.name).c_str(), O_WRONLY)
                    .value_or(Fd());
    }
    return made;
}

Result<void> change_cgroup(const Spec& before, const Spec& after)
{
    const List<Hierarchy> hierarchies = TRY(find_hierarchies(limited_controllers(before) | limited_controllers(after)));
    List<LimitedGroup> groups;
    for (const Hierarchy& hierarchy : hierarchies) {
        const Fd root = TRY(os::open(hierarchy.root.c_str(), O_PATH | O_DIRECTORY));
        Opened directory = os::openat(root.get(), compose("vial/%", after.name).c_str(), O_PATH | O_DIRECTORY);
        if (directory.number() == ENOENT)
            continue;
        groups.push_back({hierarchy, TRY(std::move(directory))});
        const auto hand = [&](int at, const char* control) {
            return hand_down(at, control, hierarchy.controllers, hierarchy.root);
        };
        if (hierarchy.unified) {
            TRY(hand(root.get(), "cgroup.subtree_control"));
            TRY(hand(root.get(), "vial/cgroup.subtree_control"));
            TRY(hand(groups.back().directory.get(), "cgroup.subtree_control"));
        }
    }
    return change_limits(groups, before, after);
}

Result<List<Fd>> open_exec_leaf(const List<Text>& directories)
{
    List<Fd> files;
    for (Text directory : directories) {
        const Text below = concat(directory, "/exec/");
        (void)os::mkdirat(AT_FDCWD, below.c_str(), 0755);
        // `tasks` exists on version 1 only, and there it is the cheap one.
        Opened tasks = os::open(compose("%tasks", below).c_str(), O_WRONLY);
        files.push_back(tasks.ok() ? tasks.take() : TRY(os::open(compose("%cgroup.procs", below).c_str(), O_WRONLY)));
    }
    return files;
}

void remove_service_leaves(const List<Text>& directories, const Spec& spec)
{
    for (Text directory : directories)
        for (const ServiceSpec& service : spec.services)
            (void)remove_group(compose("%/%", directory, service.name));
}

Result<void> remove_cgroup(Text directory)
{
    const Text parent = slice(directory, 0, directory.rfind('/'));
    // Mostly there is nothing else left, and nothing to be looked for.
    (void)remove_group(compose("%/init", directory));
    if (remove_group(directory) == 0) {
        (void)remove_group(parent);
        return {};
    }
    // An exiting process leaves its group a moment after it was waited for: a few short looks, then it is stuck. Each is a
    // new one: an `exec` that comes too late may make its leaf meanwhile.
    constexpr int looks = 12;
    for (int look = 0; look < looks; ++look) {
        const auto leaves = list_directory(directory, true);
        if (leaves.number() == ENOENT) {
            (void)remove_group(parent);
            return {};
        }
        if (!leaves.ok())
            return leaves.error();
        bool busy = false;
        for (Text leaf : leaves.value()) {
            const Text below = compose("%/%", directory, leaf);
            if (remove_group(below) == EBUSY) {
                busy = true;
                kill_all_in(below);
            }
        }
        const int why = busy ? EBUSY : remove_group(directory);
        if (why == 0 || why == ENOENT) {
            (void)remove_group(parent);  // EBUSY while others live there
            return {};
        }
        if (why != EBUSY)
            return Error(why, "remove the control group"_p, directory);
        (void)os::poll({}, std::int64_t{1} << look);
    }
    return Error("a process in it does not end"_p, "remove the control group"_p, directory)
        .advise("it waits in the kernel; the next command tries again"_p);
}

}  // namespace vial
