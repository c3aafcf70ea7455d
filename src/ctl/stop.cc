// SPDX-License-Identifier: MIT

/// `vial stop`, `kill` and `wait`, the ends of containers; and `pause` and `resume`.

#include "launch/stop.h"
#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "kernel/freezer.h"
#include "launch/client.h"
#include "launch/pause.h"

#include <signal.h>

namespace vial {

namespace {

/// Runs `act` for each name; the exit code is that of the first failure.
template <typename Act>
Result<int> for_each_name(const Arguments& arguments, const Act& act)
{
    TRY(require_state(arguments));
    int code = 0;
    for (const char* name : arguments.words) {
        const Result<void> done = act(Text(name));
        if (!done.ok()) {
            const int failed = print_error(done.error()->step[0] == '\0' ? std::string_view() : name, done.error());
            code = code == 0 ? failed : code;
        }
    }
    return code;
}

}  // namespace

Result<int> ask_service(const Arguments& arguments)
{
    return for_each_name(arguments, [&](Text name) -> Result<void> {
        (void)TRY(find_answering(name));
        (void)TRY(ask(name, compose("% %", arguments.command, arguments.value(Option::Service))));
        return {};
    });
}

Result<int> reload(const Arguments& arguments)
{
    if (!arguments.words.empty())
        return ask_service(arguments);
    if (!built_with(Feature::Boot))
        return misused(arguments, "which container? see `vial list`"_p);
    TRY(require_root(arguments));
    (void)TRY(find_answering(boot_name));
    (void)TRY(ask(boot_name, "reload"));
    return 0;
}

Result<int> stop(const Arguments& arguments)
{
    if (arguments.has(Option::Service))
        return ask_service(arguments);
    const std::int64_t timeout = TRY(timeout_of(arguments));
    return for_each_name(arguments, [timeout](Text name) -> Result<void> {
        const bool kept = built_with(Feature::Boot) && TRY(tell_boot("stop", name));  // or it would be started again
        const auto record = find_container(name);
        if (record.ok())
            return stop_container(*record.value(), timeout);
        return kept ? await_boot(name, Awaited::Rest, timeout) : record.error();
    });
}

Result<int> kill(const Arguments& arguments)
{
    const std::string_view word = arguments.has(Option::Signal) ? arguments.value(Option::Signal) : "KILL";
    const auto signal = parse_signal(word);
    if (!signal)
        return misused(arguments, compose("'%' is no signal"_p, word));
    const std::string_view service = arguments.value(Option::Service);
    return for_each_name(arguments, [&](Text name) -> Result<void> {
        const Record& record = *TRY(find_running(name));
        if (!service.empty() || (*signal != SIGKILL && record.has_init)) {
            TRY(resume_container(record));
            (void)TRY(ask(name, compose("signal %%%"_p, *signal, service.empty() ? "" : " ", service)));
            return {};
        }
        TRY(may_end(record));
        TRY(signal_init(record, *signal));
        if (record.paused)
            thaw(record.cgroups);  // on version 1 nobody dies before
        if (*signal == SIGKILL)
            TRY(wait_for_end(record, -1));
        return {};
    });
}

Result<int> pause(const Arguments& arguments)
{
    const bool thaws = arguments.command[0] == 'r';
    return for_each_name(arguments, [thaws](Text name) -> Result<void> {
        return thaws ? resume_container(*TRY(find_running(name))) : pause_container(*TRY(find_answering(name)));
    });
}

Result<int> wait(const Arguments& arguments)
{
    return for_each_name(arguments, [](Text name) -> Result<void> {
        const Record& record = *TRY(find_container(name));
        if (record.phase != Phase::Ended)
            TRY(wait_for_end(record, -1));
        const Outcome outcome = read_outcome(name);
        print(compose("%\n", outcome.known ? decimal(outcome.code) : Text("unknown")));
        return {};
    });
}

}  // namespace vial
