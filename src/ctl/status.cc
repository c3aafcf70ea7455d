// SPDX-License-Identifier: MIT

/// `vial status` and `vial stats`: what PID 1 tells about its container, as a table or as it was said.

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"

namespace vial {

namespace {

constexpr std::int64_t ending_time = 1000;  // milliseconds

std::int64_t number(json::Raw object, std::string_view key, std::int64_t fallback = -1)
{
    return json::number(json::member(object, key)).value_or(fallback);
}

Text text(json::Raw object, std::string_view key)
{
    return json::string(json::member(object, key)).value_or("-");
}

Text size_or_dash(std::int64_t bytes)
{
    return bytes < 0 ? Text("-") : human_size(bytes);
}

Text number_or_dash(std::int64_t value)
{
    return value < 0 ? Text("-") : decimal(value);
}

Text milliseconds_of(std::int64_t microseconds)
{
    return microseconds < 0 ? Text("-") : compose("%ms", microseconds / 1000);
}

/// How a service's last run ended, in words.
Text ending(json::Raw last)
{
    if (last.empty() || last == "null")
        return "-";
    const std::int64_t code = number(last, "code");
    if (json::boolean(json::member(last, "oom")).value_or(false))
        return compose("killed by the OOM killer (%)", code);
    const Text signal = text(last, "signal");
    return signal == "-" ? compose("exited with %", code) : compose("killed by SIG% (%)", signal, code);
}

/// PID 1's lines as one object: `{"container":{...},"services":[...]}`.
Text joined(std::string_view answer)
{
    Builder json;
    json.compose("{\"container\":%,\"services\":[", take_until(answer, '\n'));
    for (bool first = true; !answer.empty(); first = false)
        json.compose("%%", first ? "" : ",", take_until(answer, '\n'));
    json += "]}\n";
    return json;
}

void show_status(const Record& record, std::string_view answer)
{
    const json::Raw container = take_until(answer, '\n');
    Builder head;
    head.compose("%: % for %, PID %", record.name, text(container, "state"),
                 human_duration(number(container, "uptime_ms", 0)), record.init.pid);
    if (const std::int64_t kills = number(container, "oom_kills", 0); kills > 0)
        head.compose(", the OOM killer struck % time%", kills, kills == 1 ? "" : "s");
    if (const std::int64_t dropped = number(container, "log_dropped", 0); dropped > 0)
        head.compose(", % of its log dropped", human_size(dropped));
    head += '\n';
    print(head);
    Table table({"SERVICE", "STATE", "PID", "UPTIME", "RESTARTS", "LAST RUN"});
    while (!answer.empty()) {
        const json::Raw line = take_until(answer, '\n');
        const std::int64_t pid = number(line, "pid");
        table.row({text(line, "service"), text(line, "state"), number_or_dash(pid),
                   pid < 0 ? Text("-") : human_duration(number(line, "uptime_ms", 0)),
                   number_or_dash(number(line, "restarts")), ending(json::member(line, "last_exit"))});
    }
    print(table.text());
}

void show_stats(const Record& record, std::string_view answer)
{
    const json::Raw container = take_until(answer, '\n');
    const json::Raw memory = json::member(container, "memory");
    const json::Raw cpu = json::member(container, "cpu");
    const json::Raw tasks = json::member(container, "tasks");
    const std::int64_t limit = number(memory, "limit");
    const std::int64_t task_limit = number(tasks, "limit");
    Table table({"CONTAINER", record.name});
    table.row({"uptime", human_duration(number(container, "uptime_ms", 0))});
    table.row({"memory", compose("% of %, peak %, OOM kills %", size_or_dash(number(memory, "current")),
                                 limit < 0 ? Text("unlimited") : human_size(limit),
                                 size_or_dash(number(memory, "peak")), number_or_dash(number(memory, "oom_kills")))});
    table.row({"cpu", compose("%, throttled %", milliseconds_of(number(cpu, "usage_usec")),
                              milliseconds_of(number(cpu, "throttled_usec")))});
    table.row({"tasks", compose("% of %", number_or_dash(number(tasks, "current")),
                                task_limit < 0 ? Text("unlimited") : decimal(task_limit))});
    table.row({"orphans reaped", number_or_dash(number(container, "reaped"))});
    table.row({"signals passed on", number_or_dash(number(container, "forwarded"))});
    print(table.text());
    Table services({"SERVICE", "STATE", "PID", "RESTARTS", "MEMORY", "CPU"});
    while (!answer.empty()) {
        const json::Raw line = take_until(answer, '\n');
        services.row({text(line, "service"), text(line, "state"), number_or_dash(number(line, "pid")),
                      number_or_dash(number(line, "restarts")),
                      size_or_dash(number(json::member(line, "memory"), "current")),
                      milliseconds_of(number(json::member(line, "cpu"), "usage_usec"))});
    }
    print(services.text());
}

void show_ended(const Record& record, bool as_json)
{
    const Outcome outcome = read_outcome(record.name);
    if (as_json) {
        const Decimal code(outcome.code);
        print(compose("{\"container\":{\"container\":%,\"state\":\"exited\",\"exit_code\":%,\"exit_signal\":%,\"oom_"
                      "killed\":%,\"ended_at\":%},\"services\":[]}\n",
                      json_string(record.name), outcome.known ? std::string_view(code) : "null",
                      outcome.signal.empty() ? Text("null") : json_string(outcome.signal),
                      outcome.oom ? "true" : "false", outcome.at));
    } else {
        print(compose("%: %%\n", record.name, outcome.words(),
                      outcome.at == 0 ? Text() : compose(", % ago", human_duration(os::realtime_ms() - outcome.at))));
    }
}

Result<int> tell(const Arguments& arguments, void (*show)(const Record&, std::string_view))
{
    TRY(require_root(arguments));
    const Record record = TRY(find_container(arguments.words.front()));
    const bool as_json = arguments.has(Option::Json);
    if (record.phase == Phase::Ended)
        return show_ended(record, as_json), 0;
    if (!record.has_init)
        return Error("it has no PID 1 of vial's to ask (init = false)", "", record.name);
    const auto answer = ask(record.name, arguments.command);
    if (!answer.ok()) {
        // It may be ending: its socket closes a moment before PID 1 has gone.
        if (!TRY(wait_for_end(record, ending_time)))
            return answer.error();
        show_ended(TRY(find_container(record.name)), as_json);
    } else if (as_json) {
        print(joined(answer.value()));
    } else {
        show(record, answer.value());
    }
    return 0;
}

}  // namespace

Result<int> status(const Arguments& arguments)
{
    return tell(arguments, show_status);
}

Result<int> stats(const Arguments& arguments)
{
    return tell(arguments, show_stats);
}

}  // namespace vial
