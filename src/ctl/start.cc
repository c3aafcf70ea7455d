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

/// `run` gives the payload's exit codes, `start` only its own: a command that cannot be executed is a start that failed.
int failure(std::string_view name, const Error& error)
{
    const int code = print_error(name, error);
    return code <= static_cast<int>(ExitCode::NotFound) ? code : static_cast<int>(ExitCode::Failed);
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
    // `ready` has one kind yet, `start`: when launch returns, that is so, and --wait has nothing to wait for.
    const auto launched = launch(*spec, {});
    return launched.ok() ? 0 : failure(spec->name, launched.error());
}

Result<int> restart(const Arguments& arguments)
{
    if (arguments.has(Option::Service))
        return ask_service(arguments);
    const Text name = arguments.words.front();
    const std::int64_t timeout = TRY(timeout_of(arguments));
    TRY(require_root(arguments));
    const auto again = [&]() -> Result<void> {
        const Record record = TRY(find_container(name));
        const Spec spec = TRY(load_started_spec(name));
        if (record.foreground)
            return Error("it runs in the foreground of a `vial run`"_p, "restart", name);
        TRY(stop_container(record, timeout));
        (void)TRY(launch(spec, {}));
        return {};
    }();
    return again.ok() ? 0 : failure(name, again.error());
}

}  // namespace vial
