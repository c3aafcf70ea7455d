// SPDX-License-Identifier: MIT

/// `vial start` and `vial restart`: a container in the background.

#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "launch/launch.h"

namespace vial {

namespace {

constexpr Option start_options[] = {
    {"wait", 'w', nullptr, "return when the container is ready, not only started"},
    set_option,
};

constexpr Option restart_options[] = {
    {"timeout", 't', "TIME", "kill what has not ended after this time, in place of the spec's stop_timeout"},
};

/// `run` gives the payload's exit codes, `start` only its own: a command that cannot be executed is a start that failed.
int failure(std::string_view name, const Error& error)
{
    const int code = print_error(name, error);
    return code <= static_cast<int>(ExitCode::NotFound) ? code : static_cast<int>(ExitCode::Failed);
}

int start(const Arguments& arguments)
{
    if (arguments.words.size() != 1) {
        print_error("start: which spec? `vial start FILE`, or the name of one in /etc/vial");
        return static_cast<int>(ExitCode::Usage);
    }
    const auto spec = load_spec(arguments.words.front(), arguments);
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    if (const auto root = require_root("start"); !root.ok())
        return print_error({}, root.error());
    // `ready` has one kind yet, `start`: when launch returns, that is so, and --wait has nothing to wait for.
    const auto launched = launch(*spec, {});
    return launched.ok() ? 0 : failure(spec->name, launched.error());
}

int restart(const Arguments& arguments)
{
    if (arguments.words.size() != 1) {
        print_error("restart: which container? see `vial list`");
        return static_cast<int>(ExitCode::Usage);
    }
    const Text name = arguments.words.front();
    std::int64_t timeout = -1;
    if (arguments.has("timeout")) {
        const auto given = parse_duration(arguments.value("timeout"));
        if (!given) {
            print_error("restart: --timeout is a time like 10s");
            return static_cast<int>(ExitCode::Usage);
        }
        timeout = *given;
    }
    if (const auto root = require_root("restart"); !root.ok())
        return print_error({}, root.error());
    const auto again = [&]() -> Result<void> {
        const Record record = TRY(find_container(name));
        const Spec spec = TRY(load_started_spec(name));
        if (record.foreground)
            return Error("it runs in the foreground of a `vial run`", "restart", name);
        TRY(stop_container(record, timeout));
        (void)TRY(launch(spec, {}));
        return {};
    }();
    return again.ok() ? 0 : failure(name, again.error());
}

}  // namespace

constexpr Command start_command{"start", "[OPTIONS] SPEC", "start a container in the background", start_options, false,
                                start};
constexpr Command restart_command{
    "restart", "[OPTIONS] NAME", "stop a container and start it with the same spec", restart_options, false, restart};

}  // namespace vial
