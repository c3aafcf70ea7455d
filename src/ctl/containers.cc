// SPDX-License-Identifier: MIT
#include "ctl/containers.h"

#include "base/features.h"
#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/choice.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include "kernel/capabilities.h"
#include "launch/client.h"
#include "launch/ordinary_user.h"
#include "spec/read.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace vial {

Text spec_path(std::string_view file_or_name)
{
    if (!contains(file_or_name, '/') && !os::lstat(AT_FDCWD, Text(file_or_name).c_str()).ok()) {
        Text path = compose("%/%.conf", spec_directory, file_or_name);
        if (os::lstat(AT_FDCWD, path.c_str()).ok())
            return path;
    }
    return Text(file_or_name);
}

Result<void> require_root(const Arguments& arguments)
{
    if (has_admin_capability())
        return {};
    return Error("", "", compose("% needs root (CAP_SYS_ADMIN)"_p, arguments.command)).advise("run it as root"_p);
}

Result<void> require_state(const Arguments& arguments)
{
    return is_ordinary_user() ? check_state_root() : require_root(arguments);
}

Text absolute_path(std::string_view path)
{
    if (!path.empty() && path.front() == '/')
        return Text(path);
    char here[4096];
    const auto directory = os::getcwd(here);
    return directory.ok() ? compose("%/%", directory.value(), path) : Text(path);
}

Result<bool> tell_boot(std::string_view verb, Text name)
{
    const auto record = read_record(boot_name);
    if (!record.ok() || record.value()->phase != Phase::Running || name == boot_name)
        return false;
    const auto told = ask(boot_name, compose("% %", verb, name));
    if (told.ok())
        return true;
    if (std::string_view(told.error()->object).starts_with("no such service"))
        return false;
    return told.error();
}

Result<void> nap(std::int64_t time, int interrupts)
{
    pollfd entry{interrupts, POLLIN, 0};
    return TRY(os::poll({&entry, 1}, time)) == 0 ? Result<void>() : Error("", "", "it was interrupted"_p);
}

Result<void> await_boot(Text name, Awaited awaited, std::int64_t timeout, int interrupts)
{
    constexpr std::int64_t interval = 20;  // milliseconds
    const std::int64_t deadline = timeout < 0 ? INT64_MAX : os::boottime_ms() + timeout;
    for (;;) {
        const Text answer = TRY(ask(boot_name, "status"));
        std::string_view rest = answer;
        while (!rest.empty()) {
            const std::string_view line = take_until(rest, '\n');
            if (json::string(json::member(line, "service")).value_or(Text()) != name)
                continue;
            const Text state = json::string(json::member(line, "state")).value_or(Text());
            const bool failed = state == "failed";
            if (state == "stopped" || (awaited == Awaited::Ready ? state == "ready" : failed))
                return {};
            if (awaited == Awaited::Ready && (failed || state == "backoff"))
                return Error("", "",
                             compose("it %: %; see `vial logs boot`"_p, failed ? "has failed" : "will be tried again",
                                     json::string(json::member(line, "reason")).value_or("it ended")));
        }
        if (os::boottime_ms() >= deadline)
            return Error("", "", awaited == Awaited::Ready ? "it is not ready yet"_p : "it has not ended yet"_p);
        TRY(nap(interval, interrupts));
    }
}

Result<std::int64_t> timeout_of(const Arguments& arguments)
{
    if (!arguments.has(Option::Timeout))
        return -1;
    const auto given = parse_duration(arguments.value(Option::Timeout));
    if (!given)
        return misused(arguments, "--timeout is a time like 10s"_p);
    return *given;
}

Spec* load_spec(std::string_view file_or_name, const Arguments& arguments, std::span<const Text> more, SpecKind kind,
                bool trial)
{
    List<std::string_view> settings = arguments.settings;
    for (Text setting : more)
        settings.push_back(setting);

    const Text path = file_or_name.empty() ? Text() : spec_path(file_or_name);
    Text text;
    List<DropIn> drop_ins;
    if (!path.empty()) {
        auto loaded = load_spec_file(path.c_str());
        if (!loaded.ok()) {
            print_error({}, loaded.error());
            return nullptr;
        }
        text = loaded.take();
        auto beside = load_drop_ins(path, trial && lock_choice(path).failed());
        if (!beside.ok()) {
            print_error({}, beside.error());
            return nullptr;
        }
        drop_ins = beside.take();
    }
    Reading as_container = read_spec(text, path, settings, SpecKind::Container, drop_ins);
    Reading as_host = kind == SpecKind::Host ? read_spec(text, path, settings, kind, drop_ins) : as_container;
    Reading& reading = as_host.problems.size() < as_container.problems.size() ? as_host : as_container;
    if (!path.empty())
        reading.spec.file = absolute_path(path);
    if (reading.problems.empty())
        return &reading.spec;
    for (const Diagnostic& problem : reading.problems)
        (void)os::write_all(STDERR_FILENO, compose("%\n", format(problem, path.empty() ? "vial" : path)));
    return nullptr;
}

Result<Record*> find_container(std::string_view name)
{
    if (name.empty() || name.front() == '.' || contains(name, '/'))
        return Error("no such container"_p, "", name).exits(ExitCode::NotFound).advise("see `vial list`"_p);
    (void)TRY(look_around());
    return read_record(name);
}

Result<Record*> find_running(std::string_view name)
{
    Record* record = TRY(find_container(name));
    if (record->phase != Phase::Running)
        return Error(record->phase == Phase::Starting ? "it is still being started"_p : "it is not running"_p, "", name)
            .exits(record->phase == Phase::Starting ? ExitCode::Failed : ExitCode::NotFound)
            .advise("see `vial list`"_p);
    return record;
}

Result<Record*> find_answering(std::string_view name)
{
    Record* record = TRY(find_running(name));
    if (!record->has_init)
        return Error("it has no PID 1 of vial's to ask (init = false)"_p, "", name);
    return record;
}

Text Outcome::words() const
{
    if (!known)
        return "killed, code unknown";
    if (oom)
        return compose("killed by the OOM killer (%)"_p, code);
    if (!signal.empty())
        return compose("killed by SIG% (%)"_p, signal, code);
    return compose("exited with %"_p, code);
}

Outcome read_outcome(Text name)
{
    Outcome outcome;
    const auto text = os::read_file(AT_FDCWD, state_path(name, "exit").c_str());
    if (!text.ok())
        return outcome;
    const std::string_view line = slice(text.value(), 0, position(text.value(), '\n'));
    const auto code = json::valid(line) ? json::number(json::member(line, "code")) : Maybe<std::int64_t>();
    if (!code)
        return outcome;
    outcome.known = true;
    outcome.code = static_cast<int>(*code & 0xff);
    // PID 1 wrote this, and it may have been taken over: only what is a signal's name gets to a terminal.
    if (auto signal = json::string(json::member(line, "signal")); signal && parse_signal(*signal))
        outcome.signal = *signal;
    outcome.oom = json::boolean(json::member(line, "oom")).value_or(false);
    outcome.at = json::number(json::member(line, "at")).value_or(0);
    if (outcome.at < 0 || outcome.at > os::realtime_ms())
        outcome.at = 0;
    return outcome;
}

}  // namespace vial
