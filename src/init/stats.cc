// SPDX-License-Identifier: MIT
#include "init/stats.h"

#include "base/os.h"
#include "init/pid1.h"

#include <algorithm>

namespace vial {

namespace {

/// "No such number": the file is missing, or says `max`.
constexpr std::int64_t nothing = -1;

/// Version 1 says "no limit" with a number near 2^63.
constexpr std::int64_t absurd = std::int64_t{1} << 60;

/// The number behind `key` in an open cgroup file; with an empty key the number it begins with.
std::int64_t read_number(int fd, std::string_view key = {})
{
    if (fd < 0)
        return nothing;
    char buffer[512];
    const auto got = os::pread(fd, buffer, sizeof buffer, 0);
    if (!got.ok())
        return nothing;
    std::string_view text(buffer, got.value());
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        if (!key.empty() && take_word(line) != key)
            continue;
        const auto number = parse_number(take_word(line));
        return number && *number < absurd ? *number : nothing;
    }
    return nothing;
}

bool unified(const Plan& plan)
{
    return (plan.flags & PlanUnifiedCgroup) != 0;
}

/// Microseconds of processor time: version 2 has them in cpu.stat, version 1 nanoseconds in cpuacct.usage.
std::int64_t read_cpu(const Plan& plan, int fd)
{
    if (unified(plan))
        return read_number(fd, "usage_usec");
    const std::int64_t nanoseconds = read_number(fd);
    return nanoseconds == nothing ? nothing : nanoseconds / 1000;
}

std::int64_t read_throttled(const Plan& plan)
{
    const int fd = plan.stat[StatCpuThrottle];
    if (unified(plan))
        return read_number(fd, "throttled_usec");
    const std::int64_t nanoseconds = read_number(fd, "throttled_time");
    return nanoseconds == nothing ? nothing : nanoseconds / 1000;
}

void put_number(Writer& out, std::string_view key, std::int64_t number)
{
    out.put(key);
    if (number == nothing)
        out.put("null");
    else
        out.decimal(number);
}

void put_pid(Writer& out, const Service& service)
{
    out.put(",\"pid\":");
    if (service.pid > 0)
        out.decimal(service.pid);
    else
        out.put("null");
}

/// `"eth0":{"rx_bytes":1,"tx_bytes":2},...` from /proc/net/dev, where a line is `eth0: 1 packets ...` and the
/// ninth number is what was sent. Interfaces that do not fit are left out.
void put_interfaces(int fd, Writer& out)
{
    char buffer[2048];
    const auto got = fd < 0 ? Result<std::size_t>(std::size_t{0}) : os::pread(fd, buffer, sizeof buffer, 0);
    std::string_view text(buffer, got.ok() ? got.value() : 0);
    bool first = true;
    while (text.find('\n') != text.npos) {
        std::string_view line = take_until(text, '\n');
        if (line.find(':') == line.npos || out.text().size() > longest_line - 200)
            continue;
        std::string_view name = take_until(line, ':');
        name = take_word(name);
        std::int64_t numbers[9] = {};
        for (std::int64_t& number : numbers)
            number = parse_number(take_word(line)).value_or(0);
        out.put(first ? "" : ",").quoted(name);
        out.put(":{\"rx_bytes\":").decimal(numbers[0]).put(",\"tx_bytes\":").decimal(numbers[8]).put('}');
        first = false;
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
    const std::int64_t kills = read_number(plan.all_services()[service].leaf_events, "oom_kill");
    return kills != nothing ? kills : oom_kills(plan);
}

void put_container_status(const Pid1& init, Writer& out)
{
    out.put("{\"container\":").quoted(init.plan.text(init.plan.container));
    out.put(",\"state\":").put(init.supervisor.closing() ? "\"stopping\"" : "\"running\"");
    out.put(",\"uptime_ms\":").decimal(init.now - init.started_at);
    out.put(",\"services\":").decimal(init.plan.service_count);
    out.put(",\"oom_kills\":").decimal(oom_kills(init.plan));
    out.put(",\"reaped\":").decimal(static_cast<std::int64_t>(init.reaped));
    out.put(",\"forwarded\":").decimal(static_cast<std::int64_t>(init.forwarded));
    out.put(",\"log_dropped\":").decimal(static_cast<std::int64_t>(init.log.dropped()));
    out.put("}\n");
}

void put_service_status(const Pid1& init, ServiceIndex index, Writer& out)
{
    const Service& service = init.supervisor.service(index);
    out.put("{\"service\":").quoted(init.service_name(index));
    out.put(",\"state\":\"").put(state_name(service.state)).put('"');
    put_pid(out, service);
    out.put(",\"restarts\":").decimal(service.restarts);
    out.put(",\"uptime_ms\":").decimal(service.pid > 0 ? init.now - service.since : 0);
    out.put(",\"last_exit\":");
    const Ending& last = service.last;
    if (last.at == 0) {
        out.put("null");
    } else {
        char scratch[16];
        out.put("{\"code\":").decimal(last.code).put(",\"signal\":");
        if (last.signal != 0)
            out.quoted(signal_name(last.signal, scratch));
        else
            out.put("null");
        out.put(",\"oom\":").put(last.oom ? "true" : "false").put(",\"at\":").decimal(last.at).put('}');
    }
    out.put("}\n");
}

void put_container_stats(const Pid1& init, Writer& out)
{
    const Plan& plan = init.plan;
    out.put("{\"container\":").quoted(plan.text(plan.container));
    out.put(",\"uptime_ms\":").decimal(init.now - init.started_at);
    put_number(out, ",\"memory\":{\"current\":", read_number(plan.stat[StatMemoryCurrent]));
    put_number(out, ",\"peak\":", read_number(plan.stat[StatMemoryPeak]));
    put_number(out, ",\"limit\":", read_number(plan.stat[StatMemoryLimit]));
    put_number(out, ",\"oom_kills\":", oom_kills(plan));
    put_number(out, "},\"cpu\":{\"usage_usec\":", read_cpu(plan, plan.stat[StatCpu]));
    put_number(out, ",\"throttled_usec\":", read_throttled(plan));
    put_number(out, "},\"tasks\":{\"current\":", read_number(plan.stat[StatTasks]));
    put_number(out, ",\"limit\":", read_number(plan.stat[StatTasksLimit]));
    out.put("},\"reaped\":").decimal(static_cast<std::int64_t>(init.reaped));
    out.put(",\"forwarded\":").decimal(static_cast<std::int64_t>(init.forwarded));
    out.put(",\"network\":{");
    put_interfaces(init.interfaces, out);
    out.put("}}\n");
}

void put_service_stats(const Pid1& init, ServiceIndex index, Writer& out)
{
    const Service& service = init.supervisor.service(index);
    const PlanService& planned = init.plan.all_services()[index];
    out.put("{\"service\":").quoted(init.service_name(index));
    out.put(",\"state\":\"").put(state_name(service.state)).put('"');
    put_pid(out, service);
    out.put(",\"restarts\":").decimal(service.restarts);
    put_number(out, ",\"memory\":{\"current\":", read_number(planned.leaf_memory));
    put_number(out, "},\"cpu\":{\"usage_usec\":", read_cpu(init.plan, planned.leaf_cpu));
    out.put("}}\n");
}

}  // namespace vial
