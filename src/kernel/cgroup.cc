// SPDX-License-Identifier: MIT
#include "kernel/cgroup.h"

#include "base/directory.h"
#include "base/os.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr const char* controller_names[controller_count] = {"memory", "pids", "cpu", "cpuacct"};
constexpr const char* mount_point = "/sys/fs/cgroup";
constexpr std::size_t mountinfo_limit = 4U << 20;
constexpr std::int64_t cpu_period = 100000;  // microseconds, the kernel's own default

std::string& root_of(Cgroups& cgroups, Controller controller)
{
    return cgroups.roots[static_cast<std::size_t>(controller)];
}

const std::string& root_of(const Cgroups& cgroups, Controller controller)
{
    return cgroups.roots[static_cast<std::size_t>(controller)];
}

bool has_word(std::string_view words, std::string_view word, char separator)
{
    while (!words.empty())
        if (take_until(words, separator) == word)
            return true;
    return false;
}

bool is_filesystem(const std::string& path, std::uint64_t magic)
{
    const auto directory = os::open(path.c_str(), O_PATH | O_DIRECTORY);
    if (!directory.ok())
        return false;
    const auto found = os::filesystem_magic(directory.value().get());
    return found.ok() && found.value() == magic;
}

/// Version 1 hierarchies that are mounted elsewhere than usual, and version 2 beside them.
Result<void> search_mounts(Cgroups& cgroups)
{
    const std::string info = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo_limit));
    std::string_view rest = info;
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos)
            continue;
        std::string_view super = line.substr(dash + 3);
        const std::string_view type = take_word(super);
        if (type != "cgroup" && type != "cgroup2")
            continue;
        take_word(super);
        const std::string_view options = take_word(super);
        for (int field = 0; field < 4; ++field)
            take_word(line);
        const std::string point(take_word(line));
        std::string controllers;
        if (type == "cgroup2") {
            controllers = os::read_file(AT_FDCWD, concat({point, "/cgroup.controllers"}).c_str()).value_or({});
            if (!controllers.empty() && controllers.back() == '\n')
                controllers.pop_back();
        }
        for (std::size_t at = 0; at < controller_count; ++at) {
            const bool here = type == "cgroup" ? has_word(options, controller_names[at], ',')
                                               : has_word(controllers, controller_names[at], ' ');
            if (here && cgroups.roots[at].empty())
                cgroups.roots[at] = point;
        }
    }
    return {};
}

/// The hierarchies a container's groups are made in, each once. The processor's time is only counted where that costs no
/// hierarchy of its own beside the limits'.
std::vector<std::string> used_roots(const Cgroups& cgroups, const Spec& spec)
{
    std::vector<std::string> used;
    const auto use = [&](Controller controller) {
        const std::string& root = root_of(cgroups, controller);
        for (const std::string& other : used)
            if (other == root)
                return;
        if (!root.empty())
            used.push_back(root);
    };
    use(Controller::Memory);
    use(Controller::Pids);
    if (spec.limits.cpu != 0)
        use(Controller::Cpu);
    use(Controller::CpuAccounting);
    return used;
}

/// `vial` and `vial/NAME` in one hierarchy. The last container's end removes `vial`: it may go between the two.
Result<void> make_directories(const std::string& root, const std::string& directory, const Spec& spec)
{
    const std::string parent = concat({root, "/vial"});
    for (int attempt = 0; attempt < 16; ++attempt) {
        const auto parent_made = os::mkdirat(AT_FDCWD, parent.c_str(), 0755);
        if (parent_made.ok())  // before 5.11 a group's limits reach its children only where this is set
            (void)os::write_file(AT_FDCWD, concat({parent, "/memory.use_hierarchy"}).c_str(), "1");
        else if (parent_made.number() != EEXIST)
            return parent_made.error();
        const auto made = os::mkdirat(AT_FDCWD, directory.c_str(), 0755);
        if (made.ok())
            break;
        if (made.number() != ENOENT)
            return made.error();
    }
    TRY(os::mkdirat(AT_FDCWD, concat({directory, "/init"}).c_str(), 0755));
    for (const ServiceSpec& service : spec.services)
        TRY(os::mkdirat(AT_FDCWD, concat({directory, "/", service.name}).c_str(), 0755));
    return {};
}

/// Version 2 hands controllers down one level at a time.
Result<void> enable_controllers(const std::string& directory)
{
    const std::string available = TRY(os::read_file(AT_FDCWD, concat({directory, "/cgroup.controllers"}).c_str()));
    std::string wanted;
    for (const char* name : {"memory", "pids", "cpu"})
        if (has_word(std::string_view(available).substr(0, available.find('\n')), name, ' '))
            wanted += concat({wanted.empty() ? "+" : " +", name});
    if (wanted.empty())
        return {};
    const std::string control = concat({directory, "/cgroup.subtree_control"});
    auto written = os::write_file(AT_FDCWD, control.c_str(), wanted);
    if (written.number() == EBUSY)
        written.error().because("processes live in the group itself").advise("start vial from another control group");
    return written;
}

/// Where a container's limit goes and what it is called there.
class LimitWriter {
public:
    LimitWriter(const Cgroups& cgroups, const std::string& name) : cgroups_(cgroups), name_(name) {}

    /// Writes `value` and reads it back. `key`: the spec's, for messages.
    Result<void> set(Controller controller, const char* key, const char* v1_file, const char* v2_file,
                     std::int64_t value, const char* advice)
    {
        return set_text(controller, key, v1_file, v2_file, concat({Decimal(value)}), advice);
    }

    Result<void> set_text(Controller controller, const char* key, const char* v1_file, const char* v2_file,
                          const std::string& value, const char* advice)
    {
        const std::string& root = root_of(cgroups_, controller);
        const std::string what = concat({"limits.", key, " of ", name_});
        if (root.empty())
            return Error("this host has no control group for it", "set", what).advise(advice);
        const bool v2 = is_filesystem(root, CGROUP2_SUPER_MAGIC);
        const std::string path = concat({root, "/vial/", name_, "/", v2 ? v2_file : v1_file});
        auto written = os::write_file(AT_FDCWD, path.c_str(), value);
        if (!written.ok()) {
            Error error = written.error();
            error.as("set", what);
            if (error->number == ENOENT || error->number == EACCES)
                error.because("this kernel does not have it").advise(advice);
            else if (error->number == EINVAL)
                error.because("the kernel refuses the value");
            return error;
        }
        const std::string back = TRY(os::read_file(AT_FDCWD, path.c_str()));
        if (std::string_view(back).substr(0, back.find('\n')) != value)
            return Error("the kernel took another value", "set", what).advise("see the cgroup's file for what it allows");
        return {};
    }

private:
    const Cgroups& cgroups_;
    const std::string& name_;
};

/// Memory is limited in whole pages, rounded down, and that is what reads back.
std::int64_t whole_pages(Bytes size)
{
    const std::int64_t page = ::sysconf(_SC_PAGESIZE);
    return size / page * page;
}

Result<void> set_limits(const Cgroups& cgroups, const Spec& spec)
{
    LimitWriter limits(cgroups, spec.name);
    const LimitsSpec& wanted = spec.limits;
    if (wanted.tasks != unlimited)
        TRY(limits.set(Controller::Pids, "tasks", "pids.max", "pids.max", wanted.tasks,
                       "the kernel needs CONFIG_CGROUP_PIDS; tasks = \"unlimited\" starts without the limit"));
    if (wanted.memory != unlimited)
        TRY(limits.set(Controller::Memory, "memory", "memory.limit_in_bytes", "memory.max", whole_pages(wanted.memory),
                       "the kernel needs CONFIG_MEMCG (and cgroup_enable=memory on some boards)"));
    if (wanted.swap != unlimited) {
        const bool v2 = cgroups.unified || is_filesystem(root_of(cgroups, Controller::Memory), CGROUP2_SUPER_MAGIC);
        if (!v2 && wanted.memory == unlimited)
            return Error("cgroup v1 limits memory and swap together", "set", concat({"limits.swap of ", spec.name}))
                .advise("set limits.memory too");
        TRY(limits.set(Controller::Memory, "swap", "memory.memsw.limit_in_bytes", "memory.swap.max",
                       whole_pages(wanted.swap + (v2 ? 0 : wanted.memory)),
                       "the kernel needs CONFIG_MEMCG_SWAP (and swapaccount=1 on some)"));
    }
    if (wanted.cpu != 0) {
        const std::int64_t quota = cpu_period * wanted.cpu / 1000;
        const std::string v1 = concat({Decimal(quota)});
        const bool v2 = cgroups.unified || is_filesystem(root_of(cgroups, Controller::Cpu), CGROUP2_SUPER_MAGIC);
        TRY(limits.set_text(Controller::Cpu, "cpu", "cpu.cfs_quota_us", "cpu.max",
                            v2 ? concat({v1, " ", Decimal(cpu_period)}) : v1, "the kernel needs CONFIG_CFS_BANDWIDTH"));
    }
    return {};
}

Fd open_if_there(const std::string& directory, const char* file, int flags = O_RDONLY)
{
    return os::open(concat({directory, "/", file}).c_str(), flags).value_or(Fd());
}

/// Where `controller` keeps the directory `vial/NAME[/LEAF]`; empty where it is not used.
std::string group_of(const Cgroups& cgroups, Controller controller, std::string_view below)
{
    const std::string& root = root_of(cgroups, controller);
    return root.empty() ? std::string() : concat({root, "/vial/", below});
}

Result<CgroupLeaf> open_leaf_files(const Cgroups& cgroups, const ContainerCgroup& made, const std::string& container,
                                   const std::string& name)
{
    CgroupLeaf leaf;
    leaf.join = TRY(open_leaf(made.directories, name));
    const std::string below = concat({container, "/", name});
    const std::string memory = group_of(cgroups, Controller::Memory, below);
    const std::string pids = group_of(cgroups, Controller::Pids, below);
    const std::string time = group_of(cgroups, Controller::CpuAccounting, below);
    leaf.kill = open_if_there(pids, "cgroup.kill", O_WRONLY);
    leaf.processes = open_if_there(pids.empty() ? memory : pids, "cgroup.procs");
    leaf.memory = open_if_there(memory, made.unified ? "memory.current" : "memory.usage_in_bytes");
    leaf.events = open_if_there(memory, made.unified ? "memory.events" : "memory.oom_control");
    leaf.cpu = open_if_there(time, made.unified ? "cpu.stat" : "cpuacct.usage");
    return leaf;
}

struct StatFile {
    PlanStat stat;
    Controller controller;
    const char* v1;
    const char* v2;
};

constexpr StatFile stat_files[] = {
    {StatMemoryCurrent, Controller::Memory, "memory.usage_in_bytes", "memory.current"},
    {StatMemoryPeak, Controller::Memory, "memory.max_usage_in_bytes", "memory.peak"},
    {StatMemoryLimit, Controller::Memory, "memory.limit_in_bytes", "memory.max"},
    {StatMemoryEvents, Controller::Memory, "memory.oom_control", "memory.events"},
    {StatCpu, Controller::CpuAccounting, "cpuacct.usage", "cpu.stat"},
    {StatCpuThrottle, Controller::Cpu, "cpu.stat", "cpu.stat"},
    {StatTasks, Controller::Pids, "pids.current", "pids.current"},
    {StatTasksLimit, Controller::Pids, "pids.max", "pids.max"},
};

/// Ends every process in one group: what a crash left, or what came in through `exec`.
void kill_all_in(const std::string& directory)
{
    if (os::write_file(AT_FDCWD, concat({directory, "/cgroup.kill"}).c_str(), "1").ok())
        return;
    const std::string list = os::read_file(AT_FDCWD, concat({directory, "/cgroup.procs"}).c_str()).value_or({});
    std::string_view rest = list;
    while (!rest.empty())
        if (const auto pid = parse_number(take_until(rest, '\n')))
            (void)os::kill(static_cast<pid_t>(*pid), SIGKILL);
}

}  // namespace

Result<Cgroups> find_cgroups()
{
    Cgroups cgroups;
    if (is_filesystem(mount_point, CGROUP2_SUPER_MAGIC)) {
        cgroups.unified = true;
        const std::string path = concat({mount_point, "/cgroup.controllers"});
        const std::string available = TRY(os::read_file(AT_FDCWD, path.c_str()));
        const std::string_view words = std::string_view(available).substr(0, available.find('\n'));
        for (std::size_t at = 0; at < controller_count; ++at)
            if (has_word(words, controller_names[at], ' '))
                cgroups.roots[at] = mount_point;
        root_of(cgroups, Controller::CpuAccounting) = mount_point;  // cpu.stat counts in every group
        return cgroups;
    }
    bool all = true;
    for (std::size_t at = 0; at < controller_count; ++at) {
        const std::string usual = concat({mount_point, "/", controller_names[at]});
        if (is_filesystem(usual, CGROUP_SUPER_MAGIC))
            cgroups.roots[at] = usual;
        else
            all = false;
    }
    if (!all)
        TRY(search_mounts(cgroups));
    return cgroups;
}

std::vector<std::string> cgroup_directories(const Cgroups& cgroups, const Spec& spec)
{
    std::vector<std::string> directories = used_roots(cgroups, spec);
    for (std::string& directory : directories)
        directory += concat({"/vial/", spec.name});
    return directories;
}

Result<ContainerCgroup> make_cgroup(const Cgroups& cgroups, const Spec& spec)
{
    ContainerCgroup made;
    made.unified = cgroups.unified;
    const std::vector<std::string> roots = used_roots(cgroups, spec);
    made.directories = cgroup_directories(cgroups, spec);
    for (std::size_t at = 0; at < roots.size(); ++at) {
        if (made.unified) {
            TRY(enable_controllers(roots[at]));
            const auto parent = os::mkdirat(AT_FDCWD, concat({roots[at], "/vial"}).c_str(), 0755);
            if (!parent.ok() && parent.number() != EEXIST)
                return parent.error();
            TRY(enable_controllers(concat({roots[at], "/vial"})));
        }
        TRY(make_directories(roots[at], made.directories[at], spec));
        if (made.unified)
            TRY(enable_controllers(made.directories[at]));
    }
    TRY(set_limits(cgroups, spec));

    for (const StatFile& file : stat_files) {
        const std::string group = group_of(cgroups, file.controller, spec.name);
        if (!group.empty())
            made.stat[file.stat] = open_if_there(group, made.unified ? file.v2 : file.v1);
    }
    made.init = TRY(open_leaf_files(cgroups, made, spec.name, "init"));
    if (made.unified && !made.directories.empty())
        made.init_directory = TRY(os::open(concat({made.directories[0], "/init"}).c_str(), O_RDONLY | O_DIRECTORY));
    for (const ServiceSpec& service : spec.services)
        made.leaves.push_back(TRY(open_leaf_files(cgroups, made, spec.name, service.name)));
    return made;
}

Result<std::vector<Fd>> open_leaf(const std::vector<std::string>& directories, const std::string& leaf)
{
    std::vector<Fd> files;
    for (const std::string& directory : directories) {
        const std::string below = concat({directory, "/", leaf, "/"});
        // `tasks` exists on version 1 only, and there it is the cheap one.
        auto tasks = os::open(concat({below, "tasks"}).c_str(), O_WRONLY);
        files.push_back(tasks.ok() ? tasks.take() : TRY(os::open(concat({below, "cgroup.procs"}).c_str(), O_WRONLY)));
    }
    return files;
}

Result<void> remove_cgroup(const std::string& directory)
{
    const auto leaves = list_directory(directory, true);
    if (leaves.number() == ENOENT)
        return {};
    // An exiting process leaves its group a moment after it was waited for: a few short looks, then it is stuck.
    constexpr int looks = 12;
    for (int look = 0; look < looks; ++look) {
        bool busy = false;
        if (leaves.ok()) {
            for (const std::string& leaf : leaves.value()) {
                const std::string below = concat({directory, "/", leaf});
                if (os::unlinkat(AT_FDCWD, below.c_str(), AT_REMOVEDIR).number() != EBUSY)
                    continue;
                busy = true;
                kill_all_in(below);
            }
        }
        const int why = busy ? EBUSY : os::unlinkat(AT_FDCWD, directory.c_str(), AT_REMOVEDIR).number();
        if (why == 0 || why == ENOENT) {
            const std::string parent = directory.substr(0, directory.rfind('/'));
            (void)os::unlinkat(AT_FDCWD, parent.c_str(), AT_REMOVEDIR);
            return {};
        }
        if (why != EBUSY)
            return Error(why, "remove the control group", directory);
        (void)os::poll({}, std::int64_t{1} << look);
    }
    return Error("a process in it does not end", "remove the control group", directory)
        .advise("it waits in the kernel; the next command tries again");
}

}  // namespace vial
