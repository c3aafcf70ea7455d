// SPDX-License-Identifier: MIT
#include "ctl/containers.h"

#include "base/features.h"
#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/choice.h"
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include "launch/launch.h"
#include "spec/read.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace vial {

namespace {

/// What PID 1 may take for its own part of an orderly stop, beyond the services' own times.
constexpr std::int64_t stop_margin = 5000;
constexpr std::int64_t look_interval = 10;  // where there are no pidfds (before 5.3)

}  // namespace

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
    return Error("", "", compose("% needs root (CAP_SYS_ADMIN)"_p, arguments.command))
        .advise("run it as root; containers of ordinary users are not supported yet"_p);
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

Result<void> await_boot(Text name, Awaited awaited, std::int64_t timeout)
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
        (void)TRY(os::poll({}, interval));
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

const Spec* load_spec(std::string_view file_or_name, const Arguments& arguments, std::span<const Text> more,
                      SpecKind kind, bool trial)
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

Result<Spec*> load_started_spec(Text name)
{
    const Text text = TRY(os::read_file(AT_FDCWD, state_path(name, "spec").c_str(), spec_size_limit * 2));
    Reading reading = read_spec(text, {});
    if (!reading.problems.empty())
        return Error("the record of its spec is damaged"_p, "read", state_path(name, "spec"));
    reading.spec.file = TRY(read_record(name))->file;
    return &reading.spec;
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

Result<bool> wait_for_end(const Record& record, std::int64_t timeout)
{
    const std::int64_t deadline = timeout < 0 ? INT64_MAX : os::boottime_ms() + timeout;
    Opened process = os::pidfd_open(record.init.pid);
    // The number is checked after the descriptor was opened: from then on it is the same process.
    while (is_alive(record.init)) {
        const std::int64_t left = timeout < 0 ? -1 : deadline - os::boottime_ms();
        if (timeout >= 0 && left <= 0)
            return false;
        if (process.ok()) {
            pollfd entry{process.value().get(), POLLIN, 0};
            (void)TRY(os::poll({&entry, 1}, left));
        } else {
            (void)TRY(os::poll({}, look_interval));
        }
    }
    return true;
}

Result<void> signal_init(const Record& record, int signal)
{
    const Opened process = os::pidfd_open(record.init.pid);
    if (!is_alive(record.init))
        return {};
    const auto sent =
        process.ok() ? os::pidfd_send_signal(process.value().get(), signal) : os::kill(record.init.pid, signal);
    if (sent.number() == ESRCH)
        return {};
    return sent;
}

Result<void> may_end(const Record& record)
{
    if (!record.first)
        return {};
    return Error("it is the machine's first process"_p, "stop", record.name)
        .advise("`vial poweroff`, `vial reboot`, `vial halt`"_p);
}

Result<void> put_away(Text name, pid_t init)
{
    const StateLock lock = TRY(StateLock::take());
    auto record = read_record(name);
    if (!record.ok())
        return record.error()->exit == ExitCode::NotFound ? Result<void>() : record.error();
    if (record.value()->phase != Phase::Ended && record.value()->init.pid == init)
        return Error("the kernel does not tell whether it has ended"_p, "clear", name)
            .advise("the next command tries again"_p);
    if (record.value()->phase != Phase::Ended)
        return {};
    return remove(*record.value(), lock);
}

Result<void> stop_container(const Record& record, std::int64_t timeout)
{
    if (record.phase == Phase::Starting)
        return Error("it is still being started", "", record.name).advise("try again"_p);
    TRY(may_end(record));
    if (record.phase == Phase::Running) {
        std::int64_t grace = 0;
        int stop_signal = SIGTERM;
        if (const auto started = load_started_spec(record.name); started.ok()) {
            const Spec& spec = *started.value();
            for (const ServiceSpec& service : spec.services)
                grace = service.policy.stop_timeout > grace ? service.policy.stop_timeout : grace;
            if (!spec.init && !spec.services.empty())
                stop_signal = spec.services.front().policy.stop_signal;
        }
        const bool asked = record.has_init ? ask(record.name, "shutdown").ok() : signal_init(record, stop_signal).ok();
        std::int64_t patience = timeout >= 0 ? timeout : grace + (record.has_init ? stop_margin : 0);
        if (asked && timeout < 0 && record.name == boot_name)
            patience = -1;  // whom it stops has all the time that its own spec gives it
        if (!asked || !TRY(wait_for_end(record, patience))) {
            TRY(signal_init(record, SIGKILL));
            TRY(wait_for_end(record, -1));
        }
    }
    if (built_with(Feature::Boot) && record.name == boot_name)
        stop_what_boot_started();  // which may have crashed
    return put_away(record.name, record.init.pid);
}

}  // namespace vial
