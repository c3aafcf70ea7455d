// SPDX-License-Identifier: MIT
#include "ctl/command.h"

#include "base/os.h"
#include "base/text.h"
#include "ctl/output.h"

#ifndef VIAL_VERSION
#define VIAL_VERSION "unknown"
#endif

namespace vial {

namespace {

constexpr Command attach_command{"attach", "NAME", "connect to a container's terminal", {}, false, nullptr};
constexpr Command pause_command{"pause", "NAME", "freeze a container's services", {}, false, nullptr};
constexpr Command resume_command{"resume", "NAME", "thaw them", {}, false, nullptr};
constexpr Command top_command{"top", "", "watch all containers live", {}, false, nullptr};
constexpr Command events_command{"events", "NAME", "follow what happens in a container", {}, false, nullptr};
constexpr Command update_command{"update", "NAME KEY=VALUE...", "change limits of a running container", {}, false,
                                 nullptr};
constexpr Command init_command{"init", "[OPTIONS] -- COMMAND", "be PID 1 in somebody else's container", {}, true,
                               nullptr};
constexpr Command boot_command{"boot", "[DIR]", "start and keep all specs of a directory", {}, false, nullptr};

constexpr const Command* commands[] = {
    &start_command,  &run_command,    &stop_command, &restart_command, &kill_command,   &exec_command, &list_command,
    &status_command, &stats_command,  &logs_command, &wait_command,    &check_command,  &show_command, &attach_command,
    &pause_command,  &resume_command, &top_command,  &events_command,  &update_command, &init_command, &boot_command,
};

constexpr Option help_option{"help", 'h', nullptr, "show this help"};

int usage_error(const Command* command, std::string_view message)
{
    print_error(message);
    print_error(command == nullptr ? Text("try `vial --help`") : compose("try `vial % --help`", command->name));
    // `run` and `exec` give the payload's codes: their own failures have one that is none of those.
    return command != nullptr && command->takes_payload && command->run != nullptr ? payload_not_reached
                                                                                   : static_cast<int>(ExitCode::Usage);
}

const Option* find_option(const Command& command, std::string_view name, char letter)
{
    const auto is = [&](const Option& option) { return letter != 0 ? option.letter == letter : option.name == name; };
    if (is(help_option))
        return &help_option;
    for (const Option& option : command.options)
        if (is(option))
            return &option;
    return nullptr;
}

/// Reads one word of options. `next`: the words that follow; one that is taken as a value is removed.
/// Returns what is wrong, or nothing.
Text read_option(const Command& command, Arguments& arguments, std::string_view word, std::span<char* const>& next)
{
    const auto take = [&](const Option& option, bool attached, std::string_view value) -> Text {
        if (option.value == nullptr) {
            if (attached)
                return compose("option --% takes no value", option.name);
        } else if (!attached) {
            if (next.empty())
                return compose("option --% needs a value (%)", option.name, option.value);
            value = next.front();
            next = next.subspan(1);
        }
        arguments.given.push_back({&option, value});
        return {};
    };

    if (word.substr(0, 2) == "--") {
        std::string_view value = word.substr(2);
        const bool attached = value.find('=') != std::string_view::npos;
        const std::string_view name = take_until(value, '=');
        const Option* option = find_option(command, name, 0);
        if (option == nullptr)
            return compose("unknown option --%", name);
        return take(*option, attached, value);
    }
    for (std::size_t at = 1; at < word.size(); ++at) {
        const Option* option = find_option(command, {}, word[at]);
        if (option == nullptr)
            return compose("unknown option -%", word.substr(at, 1));
        const bool rest = option->value != nullptr && at + 1 < word.size();
        Text wrong = take(*option, rest, rest ? word.substr(at + 1) : std::string_view());
        if (!wrong.empty() || rest)
            return wrong;
    }
    return {};
}

void pad(Builder& text, std::size_t start, std::size_t width)
{
    const std::size_t used = text.size() - start;
    text.pad(used < width ? width - used : 2);
}

void show_help(const Command& command)
{
    Builder text;
    text.compose("usage: vial % %\n%\n\n", command.name, command.usage, command.summary);
    const auto show = [&](const Option& option) {
        const std::size_t start = text.size();
        if (option.letter != 0)
            text.compose("  -%, --%", std::string_view(&option.letter, 1), option.name);
        else
            text.compose("      --%", option.name);
        if (option.value != nullptr)
            text.compose("=%", option.value);
        pad(text, start, 28);
        text.compose("%\n", option.help);
    };
    for (const Option& option : command.options)
        show(option);
    show(help_option);
    print(text);
}

void show_overview()
{
    Builder text("usage: vial COMMAND [OPTIONS]   (also as `ctl COMMAND`)\n"
                 "containers for small Linux machines\n\n");
    for (const Command* command : commands) {
        const std::size_t start = text.size();
        text.compose("  %", command->name);
        pad(text, start, 12);
        text.compose("%%\n", command->summary, command->run == nullptr ? "  (not supported yet)" : "");
    }
    text += "\n`vial COMMAND --help` tells more; vial(1) and vial.conf(5) tell all.\n";
    print(text);
}

const Command* find_command(std::string_view name)
{
    for (const Command* command : commands)
        if (command->name == name)
            return command;
    return nullptr;
}

int unknown_command(std::string_view name)
{
    std::string_view names[std::size(commands)];
    for (std::size_t at = 0; at < std::size(commands); ++at)
        names[at] = commands[at]->name;
    const std::string_view near = nearest(name, names, std::size(names));
    if (near.empty())
        return usage_error(nullptr, compose("unknown command '%'", name));
    return usage_error(nullptr, compose("unknown command '%'; did you mean '%'?", name, near));
}

}  // namespace

bool Arguments::has(std::string_view option) const
{
    for (const Given& one : given)
        if (one.option->name == option)
            return true;
    return false;
}

std::string_view Arguments::value(std::string_view option, std::string_view fallback) const
{
    for (const Given& one : given)
        if (one.option->name == option)
            fallback = one.value;
    return fallback;
}

std::span<const Command* const> all_commands()
{
    return commands;
}

int run_command_line(const char* program, std::span<char* const> words)
{
    // Descriptors that somebody forgot in us must reach no container; PID 1's own numbers rely on it too.
    (void)os::close_from(3);
    if (words.empty())
        return usage_error(nullptr, "no command given");
    const std::string_view first = words.front();
    if (first == "--help" || first == "-h" || first == "help") {
        show_overview();
        return output_failed() ? 1 : 0;
    }
    if (first == "--version") {
        print("vial " VIAL_VERSION "\n");
        return output_failed() ? 1 : 0;
    }
    const Command* command = find_command(first);
    if (command == nullptr)
        return first.front() == '-' ? usage_error(nullptr, compose("unknown option %", first)) : unknown_command(first);

    Arguments arguments;
    arguments.program = program;
    words = words.subspan(1);
    bool payload = false;  // its own words have begun: options are its own too
    while (!words.empty()) {
        const char* raw = words.front();
        const std::string_view word = raw;
        words = words.subspan(1);
        if (word == "--" && !arguments.dashes && (!payload || arguments.words.size() == 1)) {
            arguments.dashes = payload = true;
            arguments.before_dashes = arguments.words.size();
            continue;
        }
        if (payload || word.size() < 2 || word.front() != '-') {
            arguments.words.push_back(raw);
            payload = payload || command->takes_payload;
            continue;
        }
        const Text wrong = read_option(*command, arguments, word, words);
        if (!wrong.empty())
            return usage_error(command, compose("%: %", command->name, wrong));
    }
    if (!arguments.dashes)
        arguments.before_dashes = arguments.words.size();
    if (arguments.has("help")) {
        show_help(*command);
        return output_failed() ? 1 : 0;
    }
    if (command->run == nullptr) {
        print_error(compose("not supported yet: %", command->name));
        return static_cast<int>(ExitCode::Failed);
    }
    return command->run(arguments);
}

}  // namespace vial
