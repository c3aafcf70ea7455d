// SPDX-License-Identifier: MIT

/// `vial start` and `vial restart`: a container in the background.

#include "base/os.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "launch/launch.h"

namespace vial {

namespace {

/// `run` gives the payload's exit codes, `start` only its own: a command that cannot be executed is a start that failed.
int failure(std::string_view name, const Error& error)
{
    const int code = print_error(name, error);
    return code <= static_cast<int>(ExitCode::NotFound) ? code : static_cast<int>(ExitCode::Failed);
}

constexpr std::int64_t ending_time = 1000;  // milliseconds

/// Until every service is ready, or has done its work.
Result<void> await_ready(Text name, std::int64_t timeout)
{
    const Record& record = *TRY(read_record(name));
    const std::int64_t begin = os::boottime_ms();
    auto heard = ask_and_hear(
        name, "ready", [](std::string_view) { return true; }, timeout);
    if (heard.ok() || heard.error()->step[0] == '\0')
        return heard;
    if (timeout >= 0 && os::boottime_ms() - begin >= timeout)
        return Error("it is running, but not ready yet", "", "");
    // It may have done all that it had to, and be gone by now.
    if (!TRY(wait_for_end(record, ending_time)))
        return heard;
    const Outcome outcome = read_outcome(name);
    if (outcome.known && outcome.code == 0)
        return {};
    return Error("", "", compose("it ended before it was ready: %"_p, outcome.words()));
}

}  // namespace

Result<int> start(const Arguments& arguments)
{
    if (arguments.has(Option::Service))
        return ask_service(arguments);
    const auto spec = load_spec(arguments.words.front(), arguments);
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    TRY(require_root(arguments));
    const std::int64_t timeout = TRY(timeout_of(arguments));
    const auto started = [&]() -> Result<void> {
        (void)TRY(launch(*spec, {}));
        return arguments.has(Option::Wait) && spec->init ? await_ready(spec->name, timeout) : Result<void>();
    }();
    return started.ok() ? 0 : failure(spec->name, started.error());
}

Result<int> restart(const Arguments& arguments)
{
    if (arguments.has(Option::Service))
        return ask_service(arguments);
    const Text name = arguments.words.front();
    const std::int64_t timeout = TRY(timeout_of(arguments));
    TRY(require_root(arguments));
    const auto again = [&]() -> Result<void> {
        const Record& record = *TRY(find_container(name));
        const Spec& spec = *TRY(load_started_spec(name));
        if (record.foreground)
            return Error("it runs in the foreground of a `vial run`"_p, "restart", name);
        TRY(stop_container(record, timeout));
        (void)TRY(launch(spec, {}));
        return {};
    }();
    return again.ok() ? 0 : failure(name, again.error());
}

}  // namespace vial
