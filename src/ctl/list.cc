// SPDX-License-Identifier: MIT

/// `vial list`: every container there is, and those that have ended.

#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"

namespace vial {

namespace {

const char* phase_name(const Record& record)
{
    const Phase phase = record.phase;
    return phase == Phase::Running && record.paused ? "paused"
           : phase == Phase::Running                ? "running"
           : phase == Phase::Starting               ? "starting"
                                                    : "exited";
}

Text ago(std::int64_t at)
{
    return at == 0 ? Text("-") : compose("% ago", human_duration(os::realtime_ms() - at));
}

Text number_or_null(bool known, std::int64_t number)
{
    return known ? decimal(number) : Text("null");
}

Text as_json(const Record& record, const Outcome& outcome)
{
    const bool ended = record.phase == Phase::Ended;
    return compose(
        "{\"name\":%,\"pod\":%,\"state\":\"%\",\"pid\":%,\"started_at\":%,\"exit_code\":%,\"exit_signal\":%,\"oom_"
        "killed\":%,\"ended_at\":%}"_p,
        json_string(record.name), record.pod.empty() ? Text("null") : json_string(record.pod), phase_name(record),
        number_or_null(!ended && record.init.pid != 0, record.init.pid), record.started_at,
        number_or_null(ended && outcome.known, outcome.code),
        ended && !outcome.signal.empty() ? json_string(outcome.signal) : Text("null"),
        ended && outcome.oom ? "true" : "false", number_or_null(ended && outcome.at != 0, outcome.at));
}

}  // namespace

Result<int> list(const Arguments& arguments)
{
    TRY(require_state(arguments));
    const List<Record*> records = TRY(look_around());
    bool pods = false;
    for (const Record* each : records)
        pods = pods || !each->pod.empty();
    Table table(pods ? "NAME|POD|STATE|PID|STARTED|ENDED|RESULT" : "NAME|STATE|PID|STARTED|ENDED|RESULT");
    Builder json("[");
    for (const Record* each : records) {
        const Record& record = *each;
        const bool ended = record.phase == Phase::Ended;
        const Outcome outcome = ended ? read_outcome(record.name) : Outcome{};
        if (json.size() > 1)
            json += ",";
        json += as_json(record, outcome);
        table.cell(record.name);
        if (pods)
            table.cell(record.pod.empty() ? Text("-") : record.pod);
        table.cell(phase_name(record));
        table.cell(ended ? Text("-") : decimal(record.init.pid));
        table.cell(ago(record.started_at));
        table.cell(ended ? ago(outcome.at) : "-");
        table.cell(ended ? outcome.words() : "-");
    }
    print(arguments.has(Option::Json) ? compose("%]\n", json) : table.text());
    return 0;
}

}  // namespace vial
