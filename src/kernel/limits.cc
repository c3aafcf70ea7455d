// SPDX-License-Identifier: MIT
#include "kernel/limits.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/limit_settings.h"
#include "spec/grammar.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr std::int64_t cpu_period = 100000;  // microseconds, the kernel's own default

constexpr Limit tasks_limit{"limits.tasks",
                            PidsController,
                            {"pids.max", "pids.max"},
                            {"max", "max"},
                            "the kernel needs CONFIG_CGROUP_PIDS; tasks = \"unlimited\" starts without the limit"_p};
constexpr Limit memory_limit{"limits.memory",
                             MemoryController,
                             {"memory.limit_in_bytes", "memory.max"},
                             {"-1", "max"},
                             "the kernel needs CONFIG_MEMCG (and cgroup_enable=memory on some boards)"_p};
constexpr Limit high_limit{"limits.memory_high",
                           MemoryController,
                           {"", "memory.high"},
                           {"", "max"},
                           "it takes version 2 of control groups; 'memory' works on both"_p};
constexpr Limit oom_group_limit{"limits.oom_group",
                                MemoryController,
                                {"", "memory.oom.group"},
                                {"", "0"},
                                "it takes version 2 of control groups and Linux 4.19"_p};
constexpr Limit cpu_limit{"limits.cpu",
                          CpuController,
                          {"cpu.cfs_quota_us", "cpu.max"},
                          {"-1", "max 100000"},
                          "the kernel needs CONFIG_CFS_BANDWIDTH"_p};
constexpr Limit cpu_weight_limit{"limits.cpu_weight",
                                 CpuController,
                                 {"cpu.shares", "cpu.weight"},
                                 {"1024", "100"},
                                 "the kernel needs CONFIG_FAIR_GROUP_SCHED"_p};
constexpr Limit io_weight_limit{"limits.io_weight",
                                IoController,
                                {"blkio.bfq.weight", "io.bfq.weight"},
                                {"100", "100"},
                                "the kernel needs the BFQ scheduler (CONFIG_BFQ_GROUP_IOSCHED)"_p};
constexpr Limit file_limit{"limits.cgroup", {}, {"", ""}, {"", ""}, "see the kernel's cgroup-v1 or cgroup-v2"_p};

}  // namespace

constinit const Limit swap_limit{"limits.swap",
                                 MemoryController,
                                 {"memory.memsw.limit_in_bytes", "memory.swap.max"},
                                 {"-1", "max"},
                                 "the kernel needs CONFIG_MEMCG_SWAP (and swapaccount=1 on some)"_p};
constinit const Limit cpus_limit{"limits.cpus",
                                 CpusetController,
                                 {"cpuset.cpus", "cpuset.cpus"},
                                 {"", ""},
                                 "it takes CONFIG_CPUSETS, and processors that are there: see /proc/cpuinfo"_p};
constinit const Limit io_limit{"limits.io",
                               IoController,
                               {"", "io.max"},
                               {"", ""},
                               "the kernel needs CONFIG_BLK_DEV_THROTTLING, and limits whole disks only"_p};

namespace {

/// As the kernel shows it: in whole pages, rounded down.
Text pages_of(std::int64_t bytes)
{
    const auto page = static_cast<std::int64_t>(::getpagesize());
    return decimal(bytes / page * page);
}

/// Of 1 to 10000, where 100 is the default, what BFQ has of 1 to 1000.
std::uint32_t bfq_weight(std::uint32_t weight)
{
    return weight <= 100 ? weight : 100 + (weight - 100) * 900 / 9900;
}

unsigned controller_of(std::string_view file)
{
    constexpr int blkio = 9;
    const int which = word_index(cgroup_controllers, take_until(file, '.'));
    return which == blkio ? unsigned{IoController} : 1U << which;
}

}  // namespace

bool is_unified(const List<LimitedGroup>& groups, unsigned controller)
{
    const LimitedGroup* group = group_for(groups, controller);
    return group != nullptr && group->hierarchy.unified;
}

/// Of version 2 one line for all four, of version 1 a file each.
Result<void> Settings::add_io(Text text)
{
    constexpr const char* files[] = {"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
                                     "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"};
    IoLimit limit;
    (void)parse_io_limit(text, limit);
    const Fd opened = TRY(os::open(limit.device.c_str(), O_PATH).as("set limits.io of", limit.device));
    const struct stat status = TRY(os::fstat(opened.get()));
    if (!S_ISBLK(status.st_mode))
        return Error("it is no block device"_p, "set limits.io of", limit.device);
    const Text device = compose("%:%", major(status.st_rdev), minor(status.st_rdev));
    Builder line(device);
    for (unsigned at = 0; at < std::size(files); ++at) {
        const std::int64_t most = limit.most[at];
        line.compose(" %=%", nth_word(io_limit_keys, at), most == unlimited ? Text("max") : decimal(most));
        if (!unified(IoController) && most != unlimited)
            all_.push_back({&io_limit, IoController, files[at], compose("% %", device, most)});
    }
    if (unified(IoController))
        add(io_limit, line);
    return {};
}

Result<void> Settings::collect()
{
    const LimitsSpec& wanted = spec_.limits;
    if (wanted.tasks != unlimited)
        add(tasks_limit, decimal(wanted.tasks));
    if (wanted.memory != unlimited)
        add(memory_limit, pages_of(wanted.memory));
    if (wanted.memory_high != unlimited)
        add(high_limit, pages_of(wanted.memory_high));
    if (wanted.swap != unlimited)
        // Version 1 limits memory and swap together; the spec's checks want both then.
        add(swap_limit, pages_of(wanted.swap + (unified(MemoryController) ? 0 : wanted.memory)));
    if (wanted.cpu != 0) {
        const Decimal quota(cpu_period * wanted.cpu / 1000);
        add(cpu_limit, unified(CpuController) ? compose("% %", quota, cpu_period) : Text(quota));
    }
    if (wanted.cpu_weight != 0) {
        const std::uint32_t shares = wanted.cpu_weight * 1024 / 100;
        add(cpu_weight_limit, decimal(unified(CpuController) ? wanted.cpu_weight : shares));
    }
    if (!wanted.cpus.empty())
        add(cpus_limit, wanted.cpus);
    if (wanted.io_weight != 0) {
        const LimitedGroup* group = group_for(groups_, IoController);
        const bool has_cost = unified(IoController) && os::lstat(group->directory.get(), "io.weight").ok();
        if (has_cost)
            all_.push_back({&io_weight_limit, IoController, "io.weight", decimal(wanted.io_weight)});
        else
            add(io_weight_limit, decimal(bfq_weight(wanted.io_weight)));
    }
    for (Text each : wanted.io)
        TRY(add_io(each));
    for (Text each : wanted.cgroup) {
        std::string_view value = each;
        const std::string_view file = take_until(value, '=');
        all_.push_back({&file_limit, controller_of(file), file, value});
    }
    return {};
}

void Settings::collect_leaves()
{
    if (spec_.limits.oom_group)
        for (const ServiceSpec& service : spec_.services)
            all_.push_back({&oom_group_limit, MemoryController,
                            unified(MemoryController) ? compose("%/memory.oom.group", service.name) : Text(), "1"});
}

namespace {

/// Whether what stands in a file is what was written. A file of a line for each device has more than that.
bool agrees(std::string_view text, const Setting& setting)
{
    const auto size = setting.limit == &file_limit ? parse_size(setting.value) : Maybe<std::int64_t>();
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        if (line.starts_with("default "))
            line.remove_prefix(8);
        if (line == setting.value || (size && line == pages_of(*size)) || (size && line == Decimal(*size)))
            return true;
    }
    return setting.unread || setting.value.empty();
}

}  // namespace

Error limit_failure(const Setting& setting, Phrase reason)
{
    return Error(reason, "set",
                 setting.file.empty() ? Text(setting.limit->key) : compose("% (%)", setting.limit->key, setting.file))
        .advise(setting.limit->advice);
}

/// Writes a limit and reads it back.
Result<void> apply(const List<LimitedGroup>& groups, const Setting& setting)
{
    const LimitedGroup* group = group_for(groups, setting.controller);
    if (group == nullptr)
        return limit_failure(setting, "this host has no control group for it"_p);
    if (setting.file.empty())
        return limit_failure(setting, "version 1 of control groups does not have it"_p);
    const Opened file = os::openat(group->directory.get(), setting.file.c_str(), O_RDWR);
    if (file.number() == ENOENT)
        return limit_failure(setting, "this kernel does not have it"_p);
    if (!file.ok())
        return limit_failure(setting, "it cannot be written and read"_p);
    const auto written = os::write_all(file.value().get(), setting.value);
    switch (written.number()) {
    case 0:
        break;
    case EINVAL:
    case ERANGE:
    case EBUSY: {
        Error error = limit_failure(setting, written.number() == EBUSY ? "more than that is in use"_p
                                                                       : "the kernel refuses the value"_p);
        if (setting.limit != &cpus_limit && setting.limit != &io_limit)
            error.advise(nullptr);
        return error;
    }
    default:
        Error error = written.error();
        error.as("set", compose("% (%)", setting.limit->key, setting.file)).advise(setting.limit->advice);
        return error;
    }
    char back[4096];
    const std::size_t got = TRY(os::pread(file.value().get(), back, sizeof back, 0).as("read back", setting.file));
    if (!agrees(std::string_view(back, got), setting))
        return limit_failure(setting, "the kernel took another value"_p);
    // Version 2 takes processors that are not there, and goes on with all.
    if (setting.limit == &cpus_limit && group->hierarchy.unified &&
        !agrees(os::read_file(group->directory.get(), "cpuset.cpus.effective").value_or({}), setting))
        return limit_failure(setting, "not all of these processors are there"_p);
    return {};
}

const LimitedGroup* group_for(const List<LimitedGroup>& groups, unsigned controller)
{
    for (const LimitedGroup& group : groups)
        if ((group.hierarchy.controllers & controller) != 0)
            return &group;
    return nullptr;
}

unsigned limited_controllers(const Spec& spec)
{
    const LimitsSpec& wanted = spec.limits;
    const bool memory = wanted.memory != unlimited || wanted.swap != unlimited || wanted.memory_high != unlimited;
    unsigned needed = memory || wanted.oom_group ? MemoryController : 0U;
    needed |= wanted.tasks != unlimited ? PidsController : 0U;
    needed |= wanted.cpu != 0 || wanted.cpu_weight != 0 ? CpuController : 0U;
    needed |= wanted.cpus.empty() ? 0U : CpusetController;
    needed |= wanted.io_weight != 0 || !wanted.io.empty() ? IoController : 0U;
    for (Text each : wanted.cgroup)
        needed |= controller_of(each);
    return needed;
}

Result<void> set_limits(const List<LimitedGroup>& groups, const Spec& spec)
{
    Settings settings(groups, spec);
    TRY(settings.collect());
    for (const Setting& each : settings.all())
        TRY(apply(groups, each));
    return {};
}

Result<void> set_leaf_limits(const List<LimitedGroup>& groups, const Spec& spec)
{
    Settings settings(groups, spec);
    settings.collect_leaves();
    for (const Setting& each : settings.all())
        TRY(apply(groups, each));
    return {};
}

Result<void> set_oom_score(const Spec& spec, Text process)
{
    if (spec.limits.oom_score == no_score)
        return {};
    auto written =
        os::write_file(AT_FDCWD, compose("/proc/%/oom_score_adj", process).c_str(), decimal(spec.limits.oom_score))
            .as("set limits.oom_score of", spec.name);
    if (written.number() == EACCES)
        written.error().advise("less than that of who starts it takes CAP_SYS_RESOURCE"_p);
    return written;
}

}  // namespace vial
