// SPDX-License-Identifier: MIT
#include "init/stats.h"

#include "base/os.h"
#include "init/object.h"
#include "init/pid1.h"

#include <algorithm>

namespace vial {

namespace {

/// Version 1 says "no limit" with a number near 2^63.
constexpr std::int64_t absurd = std::int64_t{1} << 60;

/// The number behind `key` in an open cgroup file; with an empty key the number it begins with. `no_number` where the
/// file is missing, or says `max`.
std::int64_t read_number(int fd, std::string_view key = {})
{
    if (fd < 0)
        return no_number;
    char buffer[512];
    const auto got = os::pread(fd, buffer, sizeof buffer, 0);
    if (!got.ok())
        return no_number;
    std::string_view text(buffer, got.value());
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        if (!key.empty() && take_word(line) != key)
            continue;
        const auto number = parse_number(take_word(line));
        return number && *number < absurd ? *number : no_number;
    }
    return no_number;
}

bool unified(const Plan& plan)
{
    return (plan.flags & PlanUnifiedCgroup) != 0;
}

/// Microseconds, under one key or another: version 2 counts in them, version 1 in nanoseconds.
std::int64_t read_time(const Plan& plan, int fd, std::string_view unified_key, std::string_view old_key)
{
    const std::int64_t time = read_number(fd, unified(plan) ? unified_key : old_key);
    return unified(plan) || time == no_number ? time : time / 1000;
}

/// Version 2 has it in cpu.stat, version 1 alone in cpuacct.usage.
std::int64_t read_cpu(const Plan& plan, int fd)
{
    return read_time(plan, fd, "usage_usec", {});
}

/// Version 1 has memory and swap in one number.
std::int64_t read_swap(const Plan& plan, PlanStat stat, std::int64_t memory)
{
    const std::int64_t both = read_number(plan.stat[stat]);
    return unified(plan) || both == no_number || memory == no_number ? both : std::max<std::int64_t>(both - memory, 0);
}

void put_service(ObjectWriter& out, const Pid1& init, ServiceIndex index)
{
    const Service& service = init.supervisor.service(index);
    out.text("service", init.service_name(index));
    out.text("state", state_name(service.state));
    char text[128];
    Writer reason(text, sizeof text);
    put_reason(init, index, reason);
    if (reason.text().empty())
        out.null("reason");
    else
        out.text("reason", reason.text());
    out.number("pid", service.pid > 0 ? service.pid : no_number);
    out.number("restarts", service.restarts);
    out.number("uptime_ms", service.pid > 0 ? init.now - service.since : 0);
    if ((init.plan.policy(init.plan.all_services()[index]).tasks & task_bit(Task::Health)) != 0)
        out.flag("healthy", service.healthy);
    if (service.last.at == 0)
        return out.null("last_exit");
    out.open("last_exit");
    put_code(out, service.last.code, service.last.signal);
    out.flag("oom", service.last.oom);
    out.number("at", service.last.at);
    out.close();
}

/// The sum over all devices: a line of theirs is `8:0 rbytes=512 wbytes=0 ...`, or on version 1 `8:0 Read 512`.
void put_io(ObjectWriter& out, const Pid1& init)
{
    constexpr const char* keys[] = {"rbytes", "wbytes", "rios", "wios"};
    constexpr const char* old_keys[] = {"Read", "Write", "", ""};
    constexpr const char* names[] = {"read_bytes", "written_bytes", "reads", "writes"};
    std::int64_t sums[std::size(keys)] = {};
    const int fd = init.plan.stat[StatIo];
    const auto got = fd < 0 ? Result<std::size_t>(0U) : os::pread(fd, init.scratch, Log::page, 0);
    std::string_view text(init.scratch, got.ok() ? got.value() : 0);
    const bool old = !unified(init.plan) && !contains(text, '=');
    while (!text.empty()) {
        std::string_view value = take_word(text);
        const std::string_view key = take_until(value, '=');
        for (std::size_t i = 0; i < std::size(keys); i++)
            if (key == (old ? old_keys[i] : keys[i]))
                sums[i] += parse_number(old ? take_word(text) : value).value_or(0);
    }
    for (std::size_t i = 0; i < std::size(keys); i++)
        out.number(names[i], fd >= 0 && got.ok() && (i < 2 || !old) ? sums[i] : no_number);
}

/// From lines like `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`: the share of the last ten seconds in which
/// some, or all, had to wait, in percent as the kernel writes it, and the microseconds since the start.
void put_pressure(ObjectWriter& out, const char* name, int fd)
{
    char buffer[256];
    if (fd < 0)
        return out.null(name);
    const auto got = os::pread(fd, buffer, sizeof buffer, 0);
    if (!got.ok())  // a kernel that was booted without it has the file all the same
        return out.null(name);
    std::string_view text(buffer, got.value());
    out.open(name);
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        const bool full = take_word(line) == "full";
        while (!line.empty()) {
            std::string_view value = take_word(line);
            const std::string_view key = take_until(value, '=');
            if (key == "avg10")
                out.raw(full ? "full_avg10" : "some_avg10", value);
            else if (key == "total")
                out.number(full ? "full_usec" : "some_usec", parse_number(value).value_or(0));
        }
    }
    out.close();
}

/// From /proc/net/dev, where a line is `eth0: BYTES packets ...` and the ninth number is what was sent. Interfaces
/// that do not fit are left out.
void put_interfaces(ObjectWriter& out, const Writer& line_so_far, const Pid1& init)
{
    const auto got = os::pread(init.interfaces, init.scratch, Log::page, 0);
    std::string_view text(init.scratch, got.ok() ? got.value() : 0);
    while (contains(text, '\n')) {
        std::string_view line = take_until(text, '\n');
        if (!contains(line, ':') || line_so_far.text().size() > longest_line - 200)
            continue;
        std::string_view name = take_until(line, ':');
        name = take_word(name);
        std::int64_t numbers[9] = {};
        for (std::int64_t& number : numbers)
            number = parse_number(take_word(line)).value_or(0);
        out.open_foreign(name);
        out.number("rx_bytes", numbers[0]);
        out.number("tx_bytes", numbers[8]);
        out.close();
    }
}

}  // namespace

std::int64_t oom_kills(const Plan& plan)
{
    // Version 1 counts where the victim was, version 2 in every group above it too.
    std::int64_t kills = std::max<std::int64_t>(read_number(plan.stat[StatMemoryEvents], "oom_kill"), 0);
    if (!unified(plan)) {
        for (const PlanService& service : plan.all_services())
            kills += std::max<std::int64_t>(read_number(service.leaf_events, "oom_kill"), 0);
    }
    return kills;
}

std::int64_t oom_kills(const Plan& plan, ServiceIndex service)
{
    // Not the sum over all of them: where this one has no leaf, no other has.
    const int leaf = plan.all_services()[service].leaf_events;
    return std::max<std::int64_t>(read_number(leaf >= 0 ? leaf : plan.stat[StatMemoryEvents], "oom_kill"), 0);
}

std::int64_t limit_hits(const Plan& plan, LimitKind kind)
{
    const int memory = plan.stat[StatMemoryEvents];
    std::int64_t sum = 0;
    switch (kind) {
    case LimitKind::Kills:
        return oom_kills(plan);
    case LimitKind::Memory:
        return unified(plan) ? read_number(memory, "max") : read_number(memory);
    case LimitKind::MemoryHigh:
        return unified(plan) ? read_number(memory, "high") : no_number;
    case LimitKind::Tasks:
        // The kernel counts where the limit is (6.11), or where who was refused is.
        sum = read_number(plan.stat[StatTasksEvents], "max");
        if (sum == no_number)
            break;
        for (const PlanService& service : plan.all_services())
            sum += std::max<std::int64_t>(read_number(service.leaf_tasks, "max"), 0);
    }
    return sum;
}

void put_reason(const Pid1& init, ServiceIndex index, Writer& out)
{
    const Service& service = init.supervisor.service(index);
    if (service.state == ServiceState::Backoff && service.refusals > 0)
        out.put("the kernel refused it a process");
    else
        out.put(reason_text(service.reason));
    if (service.reason == Reason::Requirement)
        out.compose("%, which failed"_p, init.service_name(init.supervisor.failed_requirement(index)));
}

void put_container_status(const Pid1& init, Writer& out)
{
    ObjectWriter object(out);
    object.text("container", init.plan.text(init.plan.container));
    object.text("state", init.is_paused() ? "paused" : init.supervisor.closing() ? "stopping" : "running");
    object.number("uptime_ms", init.now - init.started_at);
    object.number("services", init.plan.service_count);
    object.number("oom_kills", oom_kills(init.plan));
    object.number("reaped", static_cast<std::int64_t>(init.reaped));
    object.number("forwarded", static_cast<std::int64_t>(init.forwarded));
    object.number("log_dropped", static_cast<std::int64_t>(init.log.dropped()));
    object.end();
}

void put_service_status(const Pid1& init, ServiceIndex index, Writer& out)
{
    ObjectWriter object(out);
    put_service(object, init, index);
    object.end();
}

void put_container_stats(const Pid1& init, Writer& out)
{
    const Plan& plan = init.plan;
    ObjectWriter object(out);
    object.text("container", plan.text(plan.container));
    object.number("uptime_ms", init.now - init.started_at);
    object.open("memory");
    object.number("current", read_number(plan.stat[StatMemoryCurrent]));
    object.number("peak", read_number(plan.stat[StatMemoryPeak]));
    const std::int64_t limit = read_number(plan.stat[StatMemoryLimit]);
    object.number("limit", limit);
    object.number("limit_hits", limit_hits(plan, LimitKind::Memory));
    object.number("high_hits", limit_hits(plan, LimitKind::MemoryHigh));
    object.number("swap", read_swap(plan, StatSwap, read_number(plan.stat[StatMemoryCurrent])));
    object.number("swap_limit", read_swap(plan, StatSwapLimit, limit));
    object.number("oom_kills", oom_kills(plan));
    object.close();
    object.open("cpu");
    object.number("usage_usec", read_cpu(plan, plan.stat[StatCpu]));
    object.number("periods", read_number(plan.stat[StatCpuThrottle], "nr_periods"));
    object.number("throttled_periods", read_number(plan.stat[StatCpuThrottle], "nr_throttled"));
    object.number("throttled_usec", read_time(plan, plan.stat[StatCpuThrottle], "throttled_usec", "throttled_time"));
    object.close();
    object.open("tasks");
    object.number("current", read_number(plan.stat[StatTasks]));
    object.number("limit", read_number(plan.stat[StatTasksLimit]));
    object.number("limit_hits", limit_hits(plan, LimitKind::Tasks));
    object.close();
    object.open("io");
    put_io(object, init);
    object.close();
    object.open("pressure");
    put_pressure(object, "memory", plan.stat[StatMemoryPressure]);
    put_pressure(object, "cpu", plan.stat[StatCpuPressure]);
    put_pressure(object, "io", plan.stat[StatIoPressure]);
    object.close();
    object.number("reaped", static_cast<std::int64_t>(init.reaped));
    object.number("forwarded", static_cast<std::int64_t>(init.forwarded));
    object.number("log_dropped", static_cast<std::int64_t>(init.log.dropped()));
    object.open("network");
    put_interfaces(object, out, init);
    object.close();
    object.end();
}

void put_service_stats(const Pid1& init, ServiceIndex index, Writer& out)
{
    const PlanService& planned = init.plan.all_services()[index];
    ObjectWriter object(out);
    put_service(object, init, index);
    object.open("memory");
    object.number("current", read_number(planned.leaf_memory));
    object.close();
    object.open("cpu");
    object.number("usage_usec", read_cpu(init.plan, planned.leaf_cpu));
    object.close();
    object.end();
}

}  // namespace vial
