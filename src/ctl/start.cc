// SPDX-License-Identifier: MIT

/// `vial start` and `vial restart`: a container in the background.

#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "init/notify.h"
#include "kernel/capabilities.h"
#include "launch/client.h"
#include "launch/launch.h"
#include "launch/ordinary_user.h"
#include "launch/stop.h"
#include "spec/show.h"

#include <cstdlib>
#include <fcntl.h>

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
        return Error("it is running, but not ready yet"_p, "", "");
    // It may have done all that it had to, and be gone by now.
    if (!TRY(wait_for_end(record, ending_time)))
        return heard;
    const Outcome outcome = read_outcome(name);
    if (outcome.known && outcome.code == 0)
        return {};
    return Error("", "", compose("it ended before it was ready: %"_p, outcome.words()));
}

/// A container that runs and is as `spec` says; 0: there is none. One that is not so is stopped.
Result<pid_t> ensured(const Spec& spec)
{
    constexpr std::int64_t interval = 20, patience = 10000;  // milliseconds
    const std::int64_t deadline = os::boottime_ms() + patience;
    for (;;) {
        const auto record = read_record(spec.name);
        if (!record.ok() || record.value()->phase == Phase::Ended)
            return 0;
        if (record.value()->phase == Phase::Running) {
            const Text wanted = show_spec(spec);
            for (const char* file : {"spec", "spec.started"})
                if (!record.value()->stopping &&
                    os::read_file(AT_FDCWD, state_path(spec.name, file).c_str()).value_or({}) == wanted)
                    return record.value()->init.pid;
            TRY(stop_container(*record.value(), -1));
            return 0;
        }
        // Somebody else is starting it.
        if (os::boottime_ms() >= deadline)
            return 0;
        (void)TRY(os::poll({}, interval));
    }
}

/// Whether it is one that the host's supervisor keeps, and starts now.
Result<bool> is_for_boot(Text word, const Arguments& arguments)
{
    if (word.find('/') != word.npos || arguments.has(Option::Ensure) || !arguments.settings.empty() ||
        !has_admin_capability() || os::lstat(AT_FDCWD, word.c_str()).ok())
        return false;
    const auto record = read_record(word);
    // One that runs cannot be started: let that be said by who says it always.
    if (record.ok() && record.value()->phase != Phase::Ended)
        return false;
    return tell_boot("start", word);
}

}  // namespace

Result<int> start(const Arguments& arguments)
{
    if (arguments.has(Option::Service))
        return ask_service(arguments);
    const std::int64_t timeout = TRY(timeout_of(arguments));
    const Text word = arguments.words.front();
    if (built_with(Feature::Boot) && TRY(is_for_boot(word, arguments))) {
        const auto told = await_boot(word, Awaited::Ready, timeout);
        return told.ok() ? 0 : failure(word, told.error());
    }
    Spec* const spec = load_spec(word, arguments, {}, SpecKind::Container, arguments.has(Option::Ensure));
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    TRY(require_state(arguments));
    const auto started = [&]() -> Result<void> {
        const bool ensure = arguments.has(Option::Ensure);
        TRY(settle_for_user(*spec));  // which is how one that runs was started
        pid_t pid = ensure ? TRY(ensured(*spec)) : 0;
        LaunchOptions options;
        options.by_boot = ensure && ::getenv("NOTIFY_SOCKET") != nullptr;
        if (pid == 0)
            pid = TRY(launch(*spec, options)).pid;
        // Whoever wants to know when it is ready, waits for that.
        const bool asked = ::getenv("NOTIFY_SOCKET") != nullptr;
        (void)notify(compose("MAINPID=%", pid));
        if ((asked || arguments.has(Option::Wait)) && spec->init)
            TRY(await_ready(spec->name, timeout));
        (void)notify("READY=1");
        return {};
    }();
    if (started.ok())
        return 0;
    char words[description_capacity];
    (void)notify(compose("STATUS=%", describe(started.error(), words, sizeof words)));
    return failure(spec->name, started.error());
}

Result<int> restart(const Arguments& arguments)
{
    if (arguments.has(Option::Service))
        return ask_service(arguments);
    const Text name = arguments.words.front();
    const std::int64_t timeout = TRY(timeout_of(arguments));
    TRY(require_state(arguments));
    const auto again = [&]() -> Result<void> {
        if (built_with(Feature::Boot) && TRY(tell_boot("restart", name)))
            return await_boot(name, Awaited::Ready, timeout);
        const Record& record = *TRY(find_container(name));
        Spec& spec = *TRY(load_started_spec(name));
        if (record.foreground)
            return Error("it runs in the foreground of a `vial run`"_p, "restart", name);
        TRY(stop_container(record, timeout));
        (void)TRY(launch(spec, {}));
        return {};
    }();
    return again.ok() ? 0 : failure(name, again.error());
}

}  // namespace vial
