// SPDX-License-Identifier: MIT

/// `vial init`: PID 1 in somebody else's container.

#include "init/entry.h"

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "init/peers.h"
#include "launch/prepare.h"
#include "launch/services_plan.h"
#include "spec/read.h"

#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr std::size_t longest_code = 255;

/// `SIGNAL:SIGNAL`
Text read_rewrite(Entry& entry, std::string_view value)
{
    std::string_view as = value;
    const auto from = parse_signal(take_until(as, ':'));
    const auto to = as == "0" ? Maybe<int>(0) : parse_signal(as);
    if (!from || !to)
        return compose("--rewrite: expected SIGNAL:SIGNAL, found '%'"_p, value);
    if (*from == SIGKILL || *from == SIGSTOP || *from == SIGCHLD)
        return compose("--rewrite: %: the first of these signals is never passed on"_p, value);
    entry.rewritten[*from] = static_cast<std::uint8_t>(*from ^ *to);
    return {};
}

/// `CODE[-CODE]:CODE`
Text read_remap(Entry& entry, std::string_view value)
{
    std::string_view as = value;
    std::string_view range = take_until(as, ':');
    const bool single = !contains(range, '-');
    const auto first = parse_number(take_until(range, '-'));
    const auto last = single ? first : parse_number(range);
    const auto to = parse_number(as);
    if (!first || !last || !to)
        return compose("--remap: expected CODE[-CODE]:CODE, found '%'"_p, value);
    if (*last > std::int64_t{longest_code} || *to > std::int64_t{longest_code} || *first > *last)
        return compose("--remap: exit codes are 0 to 255, found '%'"_p, value);
    for (auto code = static_cast<std::size_t>(*first); code <= static_cast<std::size_t>(*last); ++code)
        entry.remapped[code] = static_cast<std::uint8_t>(code ^ static_cast<std::size_t>(*to));
    return {};
}

/// `R,W`: they are ours, and not the command's.
Text read_descriptors(Entry& entry, std::string_view value)
{
    std::string_view second = value;
    const auto requests = parse_number(take_until(second, ','));
    const auto answers = parse_number(second);
    const auto fits = [](const auto& number) { return number && *number > 2 && *number <= INT32_MAX; };
    if (!fits(requests) || !fits(answers))  // the standard ones are the command's
        return compose("--control-fd: expected two descriptors from 3 on, R,W, found '%'"_p, value);
    entry.requests = static_cast<int>(*requests);
    entry.answers = static_cast<int>(*answers);
    if (!os::close_on_exec(entry.requests).ok() || !os::close_on_exec(entry.answers).ok())
        return compose("--control-fd: % are not both open"_p, value);
    return {};
}

Text words_of(const Error& error)
{
    char buffer[description_capacity];
    return Text(describe(error, buffer, sizeof buffer));
}

/// `PATH[,size=SIZE]`
Text open_log(Entry& entry, std::string_view value)
{
    const std::size_t comma = value.rfind(",size=");
    const Text path = slice(value, 0, comma);
    if (comma != value.npos) {
        const auto size = parse_size(slice(value, comma + 6));
        if (!size || *size < 4096)
            return compose("--log: expected PATH[,size=SIZE] with 4K or more, found '%'"_p, value);
        entry.log_size = *size;
    }
    for (int at = 0; at < 2; ++at) {
        Opened segment = open_log_segment(concat(path, at == 0 ? ".0" : ".1"), entry.log_size, 0);
        if (!segment.ok())
            return compose("--log: %", words_of(segment.error()));
        entry.log[at] = segment.value().release();
    }
    return {};
}

Text open_control(Entry& entry, Text path)
{
    Opened socket = make_control_socket(path);
    if (socket.number() == EADDRINUSE) {
        // One that an earlier run left is in the way. Anything else is somebody's.
        const auto there = os::lstat(AT_FDCWD, path.c_str());
        if (there.ok() && S_ISDIR(there.value().st_mode))
            return compose("--control: % is a directory"_p, path);
        if (!there.ok() || !S_ISSOCK(there.value().st_mode))
            return compose("--control: % is there already, and is no socket"_p, path);
        (void)os::unlinkat(AT_FDCWD, path.c_str());
        socket = Opened(make_control_socket(path));
    }
    if (!socket.ok())
        return compose("--control: %"_p, words_of(socket.error()));
    entry.control = socket.value().release();
    // What the path leads to in the end is none of ours.
    const std::size_t slash = path.rfind('/');
    const Text directory = slash == path.npos ? Text(".") : slash == 0 ? Text("/") : Text(slice(path, 0, slash));
    if (Opened opened = os::open(directory.c_str(), O_PATH | O_DIRECTORY); opened.ok())
        entry.control_directory = opened.value().release();
    return {};
}

/// Returns what is wrong, or nothing.
Text read_options(Entry& entry, const Arguments& arguments)
{
    entry.group = arguments.has(Option::Group);
    entry.subreaper = arguments.has(Option::Subreaper);
    entry.clean_signals = arguments.has(Option::CleanSignals);
    if (arguments.has(Option::Verbose))
        entry.level = Level::Debug;
    Text wrong;
    for (const std::string_view value : arguments.rewrites)
        wrong = wrong.empty() ? read_rewrite(entry, value) : wrong;
    for (const std::string_view value : arguments.settings)
        wrong = wrong.empty() ? read_remap(entry, value) : wrong;
    if (!wrong.empty())
        return wrong;
    if (arguments.has(Option::ParentDeath)) {
        const auto number = parse_signal(arguments.value(Option::ParentDeath));
        if (!number)
            return compose("--parent-death: not a signal: '%'"_p, arguments.value(Option::ParentDeath));
        entry.parent_death = *number;
    }
    if (arguments.has(Option::Grace)) {
        const auto time = parse_duration(arguments.value(Option::Grace));
        if (!time)
            return compose("--grace: not a time: '%'"_p, arguments.value(Option::Grace));
        entry.grace = *time;
    }
    if (arguments.has(Option::NoGrace))
        entry.grace = 0;
    if (arguments.has(Option::ControlFd))
        wrong = read_descriptors(entry, arguments.value(Option::ControlFd));
    if (wrong.empty() && arguments.has(Option::Log))
        wrong = open_log(entry, arguments.value(Option::Log));
    if (wrong.empty() && arguments.has(Option::Control))
        wrong = open_control(entry, arguments.value(Option::Control));
    return wrong;
}

/// The plan of a spec's services; empty after saying all that is wrong.
Fd plan_of(const Entry& entry, Text path)
{
    auto text = load_spec_file(path.c_str());
    if (!text.ok()) {
        print_error({}, text.error());
        return {};
    }
    Reading reading = read_spec(text.value(), path, {}, SpecKind::Services);
    for (const Diagnostic& problem : reading.problems)
        (void)os::write_all(STDERR_FILENO, compose("%\n", format(problem, path)));
    for (const Text key : reading.spec.not_yet)
        print_error(compose("%: not supported yet: %"_p, path, key));
    if (!reading.problems.empty() || !reading.spec.not_yet.empty())
        return {};

    Opened plan = plan_services(reading.spec, entry.log[0] < 0);
    if (!plan.ok())
        print_error({}, plan.error());
    return plan.ok() ? plan.take() : Fd();
}

}  // namespace

Result<int> init(const Arguments& arguments)
{
    static Entry entry;
    entry.peer = &own_name;
    const bool pause = arguments.has(Option::Pause);
    const bool spec = arguments.has(Option::Spec);
    const auto refuse = [](std::string_view message) {
        print_error(concat("init: ", message));
        print_error("usage: vial init [OPTIONS] -- COMMAND; see `vial init --help`");
        return payload_not_reached;
    };
    if (pause + spec + !arguments.words.empty() != 1)
        return refuse(arguments.words.empty() && !pause && !spec ? "no command given"
                                                                 : "one of these: a command, --spec FILE, or --pause");
    if (const Text wrong = read_options(entry, arguments); !wrong.empty())
        return refuse(wrong);
    if (spec) {
        (void)os::block_signals();  // what comes while the spec is read waits for the loop
        const Text path = arguments.value(Option::Spec);
        const auto read = [&] { return plan_of(entry, path); };
        Fd plan = TRY(make_plan_aside(path, read));
        if (!plan)
            return payload_not_reached;
        entry.plan = plan.release();
    } else if (!pause) {
        List<char*> command;
        for (const char* word : arguments.words)
            command.push_back(const_cast<char*>(word));
        command.push_back(nullptr);
        entry.command = command.data();
    }
    const int code = run_entry(entry);
    // Only now: whoever still asks has been answered.
    if (const Text path = arguments.value(Option::Control); entry.control_directory >= 0)
        (void)os::unlinkat(entry.control_directory, path.c_str() + (path.rfind('/') + 1));
    return code;
}

}  // namespace vial
