// SPDX-License-Identifier: MIT

/// `vial stop`, `vial kill` and `vial wait`: the ends of containers.

#include "base/os.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"

#include <signal.h>

namespace vial {

namespace {

constexpr Option stop_options[] = {
    {"timeout", 't', "TIME", "kill what has not ended after this time, in place of the spec's stop_timeout"},
};

constexpr Option kill_options[] = {
    {"signal", 's', "SIGNAL", "which one (KILL, which ends the whole container)"},
    {"service", 0, "SERVICE", "only to this service"},
};

/// Runs `act` for each name; the exit code is that of the first failure.
template <typename Act>
int for_each_name(const char* command, const Arguments& arguments, const Act& act)
{
    if (arguments.words.empty()) {
        print_error(compose("%: which container? see `vial list`", command));
        return static_cast<int>(ExitCode::Usage);
    }
    if (const auto root = require_root(command); !root.ok())
        return print_error({}, root.error());
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

int stop(const Arguments& arguments)
{
    std::int64_t timeout = -1;
    if (arguments.has("timeout")) {
        const auto given = parse_duration(arguments.value("timeout"));
        if (!given) {
            print_error("stop: --timeout is a time like 10s");
            return static_cast<int>(ExitCode::Usage);
        }
        timeout = *given;
    }
    return for_each_name("stop", arguments, [timeout](Text name) -> Result<void> {
        return stop_container(TRY(find_container(name)), timeout);
    });
}

int kill(const Arguments& arguments)
{
    const std::string_view word = arguments.value("signal", "KILL");
    const auto signal = parse_signal(word);
    if (!signal) {
        print_error(compose("kill: '%' is no signal", word));
        return static_cast<int>(ExitCode::Usage);
    }
    const std::string_view service = arguments.value("service");
    return for_each_name("kill", arguments, [&](Text name) -> Result<void> {
        const Record record = TRY(find_running(name));
        if (*signal != SIGKILL && record.has_init) {
            (void)TRY(ask(name, compose("signal %%%", *signal, service.empty() ? "" : " ", service)));
            return {};
        }
        if (!service.empty()) {
            (void)TRY(ask(name, compose("signal % %", *signal, service)));
            return {};
        }
        TRY(signal_init(record, *signal));
        if (*signal == SIGKILL)
            TRY(wait_for_end(record, -1));
        return {};
    });
}

int wait(const Arguments& arguments)
{
    return for_each_name("wait", arguments, [](Text name) -> Result<void> {
        const Record record = TRY(find_container(name));
        if (record.phase != Phase::Ended)
            TRY(wait_for_end(record, -1));
        const Outcome outcome = read_outcome(name);
        const Decimal code(outcome.code);
        print(compose("%\n", outcome.known ? std::string_view(code) : std::string_view("unknown")));
        return {};
    });
}

}  // namespace

constexpr Command stop_command{
    "stop", "[OPTIONS] NAME...", "stop containers and clear everything of theirs", stop_options, false, stop};
constexpr Command kill_command{
    "kill", "[OPTIONS] NAME...", "send a signal to a container's services", kill_options, false, kill};
constexpr Command wait_command{"wait", "NAME...", "wait for containers to end and print their exit codes",
                               {},     false,     wait};

}  // namespace vial
