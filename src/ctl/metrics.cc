// SPDX-License-Identifier: MIT
#include "ctl/metrics.h"

#include "base/json.h"

namespace vial {

namespace {

/// Whose lines a metric is found in.
enum class Of : std::uint8_t { Container, Service, Interface };

/// One family: its name without `vial_`, and where the number stands in an answer to `stats`.
struct Family {
    const char* name;
    Phrase help;
    const char* object;  ///< the member that holds it; empty: the line itself
    const char* key;
    Of of;
    bool counter;
    std::int32_t divisor;  ///< 1000000: microseconds, told as seconds
};

constexpr std::int32_t micro = 1000000, milli = 1000;

constexpr Family families[] = {
    {"uptime_seconds", "since the container was started"_p, "", "uptime_ms", Of::Container, false, milli},
    {"memory_bytes", "memory in use"_p, "memory", "current", Of::Container, false, 1},
    {"memory_peak_bytes", "the most there was in use"_p, "memory", "peak", Of::Container, false, 1},
    {"memory_limit_bytes", "the limit"_p, "memory", "limit", Of::Container, false, 1},
    {"memory_limit_hits", "how often the limit was reached"_p, "memory", "limit_hits", Of::Container, true, 1},
    {"swap_bytes", "swap space in use"_p, "memory", "swap", Of::Container, false, 1},
    {"oom_kills", "processes that the OOM killer ended"_p, "memory", "oom_kills", Of::Container, true, 1},
    {"cpu_seconds", "processor time"_p, "cpu", "usage_usec", Of::Container, true, micro},
    {"cpu_throttled_seconds", "time held back by the limit"_p, "cpu", "throttled_usec", Of::Container, true, micro},
    {"tasks", "processes and threads"_p, "tasks", "current", Of::Container, false, 1},
    {"tasks_limit", "the limit"_p, "tasks", "limit", Of::Container, false, 1},
    {"tasks_limit_hits", "how often the limit was reached"_p, "tasks", "limit_hits", Of::Container, true, 1},
    {"io_read_bytes", "read from devices"_p, "io", "read_bytes", Of::Container, true, 1},
    {"io_written_bytes", "written to devices"_p, "io", "written_bytes", Of::Container, true, 1},
    {"io_reads", "reads from devices"_p, "io", "reads", Of::Container, true, 1},
    {"io_writes", "writes to devices"_p, "io", "writes", Of::Container, true, 1},
    {"memory_pressure_seconds", "time in which some waited for memory"_p, "pressure.memory", "some_usec", Of::Container,
     true, micro},
    {"cpu_pressure_seconds", "time in which some waited for a processor"_p, "pressure.cpu", "some_usec", Of::Container,
     true, micro},
    {"io_pressure_seconds", "time in which some waited for a device"_p, "pressure.io", "some_usec", Of::Container, true,
     micro},
    {"reaped", "orphans that PID 1 reaped"_p, "", "reaped", Of::Container, true, 1},
    {"forwarded", "signals that PID 1 passed on"_p, "", "forwarded", Of::Container, true, 1},
    {"log_dropped_bytes", "output that was not kept"_p, "", "log_dropped", Of::Container, true, 1},
    {"network_received_bytes", "by interface"_p, "", "rx_bytes", Of::Interface, true, 1},
    {"network_sent_bytes", "by interface"_p, "", "tx_bytes", Of::Interface, true, 1},
    {"service_uptime_seconds", "of its process; 0: there is none"_p, "", "uptime_ms", Of::Service, false, milli},
    {"service_restarts", "those nobody asked for"_p, "", "restarts", Of::Service, true, 1},
    {"service_memory_bytes", "memory in use"_p, "memory", "current", Of::Service, false, 1},
    {"service_cpu_seconds", "processor time"_p, "cpu", "usage_usec", Of::Service, true, micro},
};

void add_head(Builder& text, const char* name, bool counter, Phrase help)
{
    text.compose("# TYPE vial_% %\n"_p, name, counter ? "counter" : "gauge");
    if (std::string_view(name).ends_with("_seconds"))
        text.compose("# UNIT vial_% seconds\n"_p, name);
    if (std::string_view(name).ends_with("_bytes"))
        text.compose("# UNIT vial_% bytes\n"_p, name);
    text.compose("# HELP vial_% %\n"_p, name, help);
}

/// `,KEY="VALUE"`; what may be in a JSON string may be in a label, but for its escapes.
void add_label(Builder& text, const char* key, std::string_view value)
{
    text.compose("%%=\"", text.back() == '{' ? "" : ",", key);
    for (const char letter : value) {
        if (letter == '"' || letter == '\\')
            text += '\\';
        text += letter == '\n' ? ' ' : letter;
    }
    text += '"';
}

/// A number over its divisor, without losing a digit.
void add_value(Builder& text, std::int64_t value, std::int32_t divisor)
{
    text.compose(" %", value / divisor);
    if (divisor > 1) {
        text += '.';
        for (std::int32_t place = divisor / 10; place > 0; place /= 10)
            text += static_cast<char>('0' + value / place % 10);
    }
    text += '\n';
}

json::Raw descend(json::Raw object, std::string_view path)
{
    while (!path.empty())
        object = json::member(object, take_until(path, '.'));
    return object;
}

void add_sample(Builder& text, const Family& family, std::string_view container, const char* label,
                std::string_view labelled, json::Raw object)
{
    const auto value = json::number(json::member(descend(object, family.object), family.key));
    if (!value)
        return;
    text.compose("vial_%%{", family.name, family.counter ? "_total" : "");
    add_label(text, "container", container);
    if (!labelled.empty())
        add_label(text, label, labelled);
    text += '}';
    add_value(text, *value, family.divisor);
}

/// All samples of a family from one container's answer: its first line is the container, each other a service.
void add_samples(Builder& text, const Family& family, const Metrics& one)
{
    std::string_view rest = one.answer;
    const json::Raw container = take_until(rest, '\n');
    if (family.of == Of::Container)
        return add_sample(text, family, one.container, "", "", container);
    if (family.of == Of::Interface) {
        // The members of `network` are named by those who named the interfaces.
        json::Raw network = json::member(container, "network");
        json::Raw key;
        for (json::Raw value; !(value = json::next_member(network, key)).empty();)
            add_sample(text, family, one.container, "interface", json::string(key).value_or(""), value);
        return;
    }
    while (!rest.empty()) {
        const json::Raw line = take_until(rest, '\n');
        add_sample(text, family, one.container, "service", json::string(json::member(line, "service")).value_or(""),
                   line);
    }
}

/// 1 for the state that each service is in; the others are left out.
void add_states(Builder& text, const Metrics& one)
{
    std::string_view rest = one.answer;
    (void)take_until(rest, '\n');
    while (!rest.empty()) {
        const json::Raw line = take_until(rest, '\n');
        text += "vial_service_ready{";
        add_label(text, "container", one.container);
        add_label(text, "service", json::string(json::member(line, "service")).value_or(""));
        text.compose("} %\n", json::member(line, "state") == "\"ready\"" ? 1 : 0);
    }
}

}  // namespace

Text open_metrics(const List<Metrics>& all)
{
    Builder text;
    add_head(text, "up", false, "1: the container runs");
    for (const Metrics& one : all) {
        text += "vial_up{";
        add_label(text, "container", one.container);
        text.compose("} %\n", one.answer.empty() ? 0 : 1);
    }
    for (const Family& family : families) {
        add_head(text, family.name, family.counter, family.help);
        for (const Metrics& one : all)
            if (!one.answer.empty())
                add_samples(text, family, one);
    }
    add_head(text, "service_ready", false, "1: the service is ready");
    for (const Metrics& one : all)
        add_states(text, one);
    text += "# EOF\n";
    return text;
}

}  // namespace vial
