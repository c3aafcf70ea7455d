// SPDX-License-Identifier: MIT

/// `vial events`: what happens to a container's services, as PID 1 tells it.

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/moment.h"
#include "ctl/output.h"
#include "launch/client.h"
#include "launch/stop.h"

namespace vial {

namespace {

constexpr std::int64_t ending_time = 1000;  // milliseconds

/// The text of a member, without taking memory for it: names and words of PID 1's need no escapes, and what has some is
/// shown with them.
std::string_view word(json::Raw object, std::string_view key)
{
    const json::Raw raw = json::member(object, key);
    return raw.starts_with('"') ? slice(raw, 1, raw.size() - 2) : std::string_view();
}

void put_number(Writer& to, const char* before, json::Raw object, const char* key)
{
    if (const auto number = json::number(json::member(object, key)))
        to.compose("%%", before, *number);
}

/// `2026-11-24T10:00:00.123Z  web  exited, code 1`
bool show_event(std::string_view line)
{
    char buffer[1024];
    Writer text(buffer, sizeof buffer - 1);
    if (const auto at = json::number(json::member(line, "at"))) {
        put_moment(text, *at);
        text.put("  ");
    }
    const std::string_view event = word(line, "event"), service = word(line, "service"), signal = word(line, "signal"),
                           reason = word(line, "reason");
    text.compose("%%%", service, service.empty() ? "" : "  ", event);
    if (const std::string_view limit = word(line, "limit"); !limit.empty())
        text.compose(": %,", limit);
    put_number(text, " ", line, "count");
    if (event == "started" || event == "restarted")
        put_number(text, ", PID ", line, "pid");
    if (event == "restarted")
        put_number(text, ", restarts ", line, "restarts");
    put_number(text, ", code ", line, "code");
    if (!signal.empty())
        text.compose(", SIG", signal);
    if (!reason.empty())
        text.compose(": ", reason);
    buffer[text.text().size()] = '\n';
    print({buffer, text.text().size() + 1});
    return !output_failed();
}

/// As PID 1 said it, newline and all.
bool pass_on(std::string_view line)
{
    print({line.data(), line.size() + 1});
    return !output_failed();
}

}  // namespace

Result<int> events(const Arguments& arguments)
{
    TRY(require_state(arguments));
    const Record& record = *TRY(find_answering(arguments.words.front()));
    const auto heard = ask_and_hear(record.name, "events", arguments.has(Option::Json) ? pass_on : show_event);
    // Its PID 1 may have been killed, and said no goodbye.
    if (!heard.ok() && !TRY(wait_for_end(record, ending_time)))
        return heard.error();
    return 0;
}

}  // namespace vial
