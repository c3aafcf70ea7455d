// SPDX-License-Identifier: MIT

/// `vial status` and `vial stats`: what PID 1 tells about its container, as a table or as it was said.

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/metrics.h"
#include "ctl/output.h"
#include "launch/client.h"
#include "launch/stop.h"

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

/// How a service's last run ended, in words.
Text ending(json::Raw last)
{
    if (last.empty() || last == "null")
        return "-";
    const std::int64_t code = number(last, "code");
    if (json::boolean(json::member(last, "oom")).value_or(false))
        return compose("killed by the OOM killer (%)"_p, code);
    const Text signal = text(last, "signal");
    return signal == "-" ? compose("exited with %"_p, code) : compose("killed by SIG% (%)"_p, signal, code);
}

/// The member that `path` names (`memory.current`), for people. `kind`: `t` a text, `n` a number, `b` bytes, `u`
/// microseconds, `d` milliseconds, `p` the same where there is a process, `s` a share in percent, `e` an ending, `r` why
/// it is so; as a capital: where there is none, there is no limit.
Text member_text(json::Raw object, char kind, std::string_view path)
{
    const bool nobody = kind == 'p' && number(object, "pid") < 0;
    while (!path.empty())
        object = json::member(object, take_until(path, '.'));
    if (kind == 't')
        return json::string(object).value_or("-");
    if (kind == 'e')
        return ending(object);
    if (kind == 's')
        return object.empty() ? Text("-") : concat(object, "%");
    if (kind == 'r')
        return object.size() < 3 || object == "null" ? Text() : concat(": ", json::string(object).value_or(""));
    const std::int64_t value = nobody ? -1 : json::number(object).value_or(-1);
    if (value < 0)
        return kind < 'a' ? "unlimited" : "-";
    switch (kind | 0x20) {
    case 'n':
        return decimal(value);
    case 'b':
        return human_size(value);
    case 'u':
        return compose("%ms", value / 1000);
    default:
        return human_duration(value);
    }
}

/// `pattern` with each `{KIND PATH}` replaced by that member of `object`.
Text filled(json::Raw object, std::string_view pattern)
{
    Builder text;
    while (!pattern.empty()) {
        text += take_until(pattern, '{');
        std::string_view path = take_until(pattern, '}');
        const std::string_view kind = take_until(path, ' ');
        if (!kind.empty())
            text += member_text(object, kind[0], path);
    }
    return text;
}

void show_table(std::string_view heads, std::string_view cells, std::string_view answer)
{
    Table table(heads);
    while (!answer.empty()) {
        const json::Raw line = take_until(answer, '\n');
        for (std::string_view rest = cells; !rest.empty();)
            table.cell(filled(line, take_until(rest, '|')));
    }
    print(table.text());
}

/// PID 1's lines as one object: `{"container":{...},"services":[...]}`.
Text joined(std::string_view answer)
{
    Builder json;
    json.compose("{\"container\":%,\"services\":["_p, take_until(answer, '\n'));
    for (bool first = true; !answer.empty(); first = false)
        json.compose("%%", first ? "" : ",", take_until(answer, '\n'));
    json += "]}\n";
    return json;
}

void show_status(const Record& record, std::string_view answer)
{
    const json::Raw container = take_until(answer, '\n');
    Builder head;
    head.compose("%: % for %, PID %"_p, record.name, text(container, "state"),
                 human_duration(number(container, "uptime_ms", 0)), record.init.pid);
    if (const std::int64_t kills = number(container, "oom_kills", 0); kills > 0)
        head.compose(", the OOM killer struck % time%"_p, kills, kills == 1 ? "" : "s");
    if (const std::int64_t dropped = number(container, "log_dropped", 0); dropped > 0)
        head.compose(", % of its log dropped"_p, human_size(dropped));
    head += '\n';
    print(head);
    show_table("SERVICE|STATE|PID|UPTIME|RESTARTS|LAST RUN",
               "{t service}|{t state}|{n pid}|{p uptime_ms}|{n restarts}|{e last_exit}{r reason}", answer);
}

void show_stats(const Record& record, std::string_view answer)
{
    const json::Raw container = take_until(answer, '\n');
    constexpr Phrase rows =
        "uptime|{d uptime_ms}|"
        "memory|{b memory.current} of {B memory.limit}, peak {b memory.peak}, OOM kills "
        "{n memory.oom_kills}|"
        "swap|{b memory.swap} of {B memory.swap_limit}|"
        "cpu|{u cpu.usage_usec}, throttled {u cpu.throttled_usec}|"
        "tasks|{n tasks.current} of {N tasks.limit}|"
        "limits hit|memory {n memory.limit_hits}, memory_high {n memory.high_hits}, tasks {n tasks.limit_hits}, "
        "cpu {n cpu.throttled_periods}|"
        "io|{b io.read_bytes} read, {b io.written_bytes} written|"
        "pressure|memory {s pressure.memory.some_avg10}, cpu "
        "{s pressure.cpu.some_avg10}, io {s pressure.io.some_avg10}|"
        "orphans reaped|{n reaped}|"
        "signals passed on|{n forwarded}"_p;
    show_table(concat("CONTAINER|", record.name), rows, container);
    Table interfaces("INTERFACE|RECEIVED|SENT");
    json::Raw network = json::member(container, "network"), name;
    for (json::Raw each; !(each = json::next_member(network, name)).empty();) {
        interfaces.cell(json::string(name).value_or("-"));
        interfaces.cell(filled(each, "{b rx_bytes}"));
        interfaces.cell(filled(each, "{b tx_bytes}"));
    }
    print(interfaces.text());
    show_table("SERVICE|STATE|PID|RESTARTS|MEMORY|CPU",
               "{t service}|{t state}|{n pid}|{n restarts}|{b memory.current}|{u cpu.usage_usec}", answer);
}

void show_ended(const Record& record, bool as_json)
{
    const Outcome outcome = read_outcome(record.name);
    if (as_json) {
        const Decimal code(outcome.code);
        print(compose("{\"container\":{\"container\":%,\"state\":\"exited\",\"exit_code\":%,\"exit_signal\":%,\"oom_"
                      "killed\":%,\"ended_at\":%},\"services\":[]}\n"_p,
                      json_string(record.name), outcome.known ? std::string_view(code) : "null",
                      outcome.signal.empty() ? Text("null") : json_string(outcome.signal),
                      outcome.oom ? "true" : "false", outcome.at));
    } else {
        print(compose("%: %%\n", record.name, outcome.words(),
                      outcome.at == 0 ? Text() : compose(", % ago", human_duration(os::realtime_ms() - outcome.at))));
    }
}

/// All that run, or those that were named; of the others it is said that they do not.
Result<int> show_metrics(const Arguments& arguments)
{
    TRY(require_state(arguments));
    List<Metrics> all;
    for (const Record* record : TRY(look_around())) {
        const bool named = arguments.words.empty() || std::string_view(arguments.words.front()) == record->name;
        if (!named || (record->phase != Phase::Ended && !record->has_init))
            continue;
        Metrics& one = all.emplace_back();
        one.container = record->name;
        // Who does not answer is about to end, or in trouble: not up, either way.
        if (record->phase == Phase::Running)
            if (auto answer = ask(record->name, "stats"); answer.ok())
                one.answer = answer.value();
    }
    if (all.empty() && !arguments.words.empty())
        (void)TRY(find_container(arguments.words.front()));
    print(open_metrics(all));
    return 0;
}

Result<int> tell(const Arguments& arguments, void (*show)(const Record&, std::string_view))
{
    TRY(require_state(arguments));
    const Record& record = *TRY(find_container(arguments.words.front()));
    const bool as_json = arguments.has(Option::Json);
    if (record.phase == Phase::Ended)
        return show_ended(record, as_json), 0;
    if (!record.has_init)
        return Error("it has no PID 1 of vial's to ask (init = false)"_p, "", record.name);
    const auto answer = ask(record.name, arguments.command);
    if (!answer.ok()) {
        // It may be ending: its socket closes a moment before PID 1 has gone.
        if (!TRY(wait_for_end(record, ending_time)))
            return answer.error();
        show_ended(*TRY(find_container(record.name)), as_json);
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
    if (arguments.has(Option::Metrics))
        return show_metrics(arguments);
    if (arguments.words.empty())
        return misused(arguments, "which container? see `vial list`"_p);
    return tell(arguments, show_stats);
}

}  // namespace vial
