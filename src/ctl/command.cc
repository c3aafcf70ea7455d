// SPDX-License-Identifier: MIT
#include "ctl/command.h"

#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/output.h"

#ifndef VIAL_VERSION
#define VIAL_VERSION "unknown"
#endif

namespace vial {

namespace {

/// One line for each Option: as --help lists it. What stands behind the tabs is packed.
constexpr Phrase option_lines =
    "-r, --root=PATH\tthe root filesystem, a directory or an image: no spec file is needed then\n"
    "-n, --name=NAME\twhat to call the container (run-PID)\n"
    "-T, --no-tty\tno terminal for the command, even where there is one here\n"
    "-w, --wait\treturn when the container is ready, not only started\n"
    "    --json\tprint JSON instead of a table\n"
    "    --set=KEY=VALUE\tset a key of the spec (dotted: limits.memory=16M)\n"
    "    --hash=HASH\twhat the image must be: sha256:DIGITS\n"
    "-t, --timeout=TIME\twait no longer: then stop and restart kill what is left, start --wait fails, upgrade goes "
    "back\n"
    "-s, --signal=SIGNAL\twhich one (KILL, which ends the whole container)\n"
    "    --service=SERVICE\tonly this service\n"
    "-f, --follow\tgo on until the container ends\n"
    "    --since=TIME\tonly what came later: 10m ago, 2026-11-24T10:00:00 in UTC, or @SECONDS\n"
    "-n, --lines=COUNT\tbegin with the last so many\n"
    "    --prefix\tsay which service a line is of\n"
    "    --timestamps\tsay when it was written\n"
    "    --metrics\tprint OpenMetrics text, of all containers if none is named\n"
    "-i, --interactive\tpass standard input on (else the command reads nothing)\n"
    "-t, --tty\tgive the command a terminal\n"
    "-u, --user=USER[:GROUP]\tas somebody else, by number or name\n"
    "-e, --env=NAME=VALUE\tset a variable of its environment\n"
    "    --directory=DIR\twhere it starts\n"
    "    --privileged\twith all capabilities and no filter: dangerous\n"
    "-g, --group\tpass signals on to the command's whole process group\n"
    "-r, --rewrite=SIGNAL:SIGNAL\tpass the second on in place of the first; 0: drop it\n"
    "-e, --remap=CODE[-CODE]:CODE\texit with the last in place of the command's own\n"
    "-p, --parent-death=SIG\tget this signal when the parent dies\n"
    "-s, --subreaper\twhere this is not PID 1: reap orphans all the same\n"
    "    --clean-signals\tstart the command with no signal blocked or ignored\n"
    "    --grace=TIME\thow long what the command leaves behind may take to end (2s)\n"
    "    --no-grace\tend with the command\n"
    "-v, --verbose\tsay on standard error what happens\n"
    "    --control=PATH\tanswer requests on this socket\n"
    "    --control-fd=R,W\tread requests from one descriptor, answer on another\n"
    "    --log=PATH[,size=SIZE]\tkeep the output in PATH.0 and PATH.1, bounded (64K each)\n"
    "    --spec=FILE\trun the services of a spec, in place of a command\n"
    "    --pause\trun nothing: reap until TERM or INT\n"
    "    --ensure\tgo on with one that runs and is as the spec says; start it anew if it is not\n"
    "    --reexec\thave the one that runs put this program in its place, and read its specs anew\n"
    "-h, --help\tshow this help\n"_p;

/// Bits of Options.
using Options = std::uint64_t;
static_assert(static_cast<unsigned>(Option::Count) <= 64);

template <typename... Each>
constexpr Options options(Each... each)
{
    return static_cast<Options>(
        ((Options{1} << static_cast<unsigned>(each)) | ... | (Options{1} << static_cast<unsigned>(Option::Help))));
}

/// What carries a command out, and which feature it is of. Where that is left out, nothing refers to it.
struct Action {
    Result<int> (*run)(const Arguments&);
    Feature feature = Feature::Always;
};

constexpr Action of(Feature feature, Result<int> (*run)(const Arguments&))
{
    return {built_with(feature) ? run : nullptr, feature};
}

struct Command {
    Phrase help;                           ///< `NAME USAGE`, a tab, and in one line what it does
    Result<int> (*run)(const Arguments&);  ///< null: to come, or left out
    Options options;
    Phrase wanted;             ///< what to say where the words are more or fewer
    bool takes_payload;        ///< after the first word, options are the payload's
    std::uint8_t least, most;  ///< how many words it wants
    Feature feature;

    constexpr Command(Phrase help_, Action action, Options options_, bool takes_payload_, std::uint8_t least_,
                      std::uint8_t most_, Phrase wanted_)
        : help(help_),
          run(action.run),
          options(options_),
          wanted(wanted_),
          takes_payload(takes_payload_),
          least(least_),
          most(most_),
          feature(action.feature)
    {
    }

    /// `NAME USAGE`; `summary` is the rest, packed.
    std::string_view usage(std::string_view& summary) const
    {
        summary = help.kept();
        return take_until(summary, '\t');
    }
    std::string_view name() const
    {
        std::string_view summary, rest = usage(summary);
        return take_until(rest, ' ');
    }
};

constexpr std::uint8_t any = 255;
constexpr Phrase which_container = "which container? see `vial list`"_p;

constexpr Phrase takes_no_words = "takes no words"_p;

constexpr Command to_come(Phrase help)
{
    return {help, {nullptr}, options(), false, 0, any, nullptr};
}

constexpr Command commands[] = {
    {"start [OPTIONS] SPEC\tstart a container in the background"_p, of(Feature::Launch, start),
     options(Option::Wait, Option::Timeout, Option::Set, Option::Service, Option::Ensure), false, 1, 1,
     "which spec? `vial start FILE`, or the name of one in /etc/vial"_p},
    {"run [OPTIONS] SPEC [-- COMMAND] | --root PATH [OPTIONS] -- COMMAND\trun a container in the foreground"_p,
     of(Feature::Foreground, run), options(Option::Root, Option::Name, Option::NoTty, Option::Set), true, 0, any,
     nullptr},
    {"stop [OPTIONS] NAME...\tstop containers and clear everything of theirs"_p, of(Feature::Launch, stop),
     options(Option::Timeout, Option::Service), false, 1, any, which_container},
    {"restart [OPTIONS] NAME\tstop a container and start it with the same spec"_p, of(Feature::Launch, restart),
     options(Option::Timeout, Option::Service), false, 1, 1, which_container},
    {"upgrade [OPTIONS] NAME IMAGE\tstart a container from another image, and go back where that is not well"_p,
     of(Feature::Images, upgrade), options(Option::Hash, Option::Timeout), false, 2, 2,
     "which container, and from what? `vial upgrade NAME IMAGE`"_p},
    {"reload [OPTIONS] [NAME...]\thave services read their configuration again, or boot its specs"_p,
     of(Feature::Launch, reload), options(Option::Service), false, 0, any, which_container},
    {"update NAME KEY=VALUE...\tchange limits of a running container"_p, of(Feature::Launch, update), options(), false,
     2, any, "which container, and what? `vial update NAME limits.memory=64M`"_p},
    {"kill [OPTIONS] NAME...\tsend a signal to a container's services"_p, of(Feature::Launch, kill),
     options(Option::Signal, Option::Service), false, 1, any, which_container},
    {"pause NAME...\tfreeze containers"_p, of(Feature::Launch, pause), options(), false, 1, any, which_container},
    {"resume NAME...\tthaw them again"_p, of(Feature::Launch, pause), options(), false, 1, any, which_container},
    {"exec [OPTIONS] NAME [--] COMMAND [ARGUMENTS]\trun a command in a running container"_p,
     of(Feature::Foreground, exec),
     options(Option::Interactive, Option::Tty, Option::User, Option::Environment, Option::Directory, Option::Service,
             Option::Privileged),
     true, 2, any, "in which container, and what? `vial exec [-i] [-t] NAME -- COMMAND`"_p},
    {"list [--json]\tlist all containers, also those that have ended"_p, of(Feature::Launch, list),
     options(Option::Json), false, 0, 0, "takes no names; `vial status NAME` shows one"_p},
    {"status [--json] NAME\tshow a container and its services"_p, of(Feature::Launch, status), options(Option::Json),
     false, 1, 1, which_container},
    {"stats [OPTIONS] NAME | --metrics [NAME]\tshow what a container uses"_p, of(Feature::Stats, stats),
     options(Option::Json, Option::Metrics), false, 0, 1, which_container},
    {"logs [OPTIONS] NAME|PATH\tshow what a container's services wrote"_p, of(Feature::Logs, logs),
     options(Option::Json, Option::Service, Option::Follow, Option::Since, Option::Lines, Option::Prefix,
             Option::Timestamps),
     false, 1, 1, which_container},
    {"events [--json] NAME\tfollow what happens to a container's services"_p, of(Feature::Launch, events),
     options(Option::Json), false, 1, 1, which_container},
    {"wait NAME...\twait for containers to end and print their exit codes"_p, of(Feature::Launch, wait), options(),
     false, 1, any, which_container},
    {"check [OPTIONS] SPEC...\tsay everything that is wrong with a spec"_p, of(Feature::Launch, check),
     options(Option::Set), false, 1, any, "which spec? `vial check FILE...`"_p},
    {"show [OPTIONS] SPEC|NAME\tprint a spec with every default filled in"_p, of(Feature::Launch, show),
     options(Option::Json, Option::Set), false, 1, 1, "which spec? `vial show FILE`, or the name of a container"_p},
    {"init [OPTIONS] -- COMMAND\tbe PID 1 in somebody else's container"_p, of(Feature::Init, init),
     options(Option::Group, Option::Rewrite, Option::Remap, Option::ParentDeath, Option::Subreaper,
             Option::CleanSignals, Option::Grace, Option::NoGrace, Option::Verbose, Option::Control, Option::ControlFd,
             Option::Log, Option::Spec, Option::Pause),
     true, 0, any, nullptr},
    {"boot [DIR]\tstart and keep all specs of a directory"_p, of(Feature::Boot, boot), options(Option::Reexec), false,
     0, 1, "takes one directory"_p},
    {"poweroff\tstop all services and switch the machine off"_p, of(Feature::Boot, power), options(), false, 0, 0,
     takes_no_words},
    {"reboot\tstop all services and start the machine again"_p, of(Feature::Boot, power), options(), false, 0, 0,
     takes_no_words},
    {"halt\tstop all services and the machine, and leave it on"_p, of(Feature::Boot, power), options(), false, 0, 0,
     takes_no_words},
    to_come("attach NAME\tconnect to a container's terminal"_p),
    to_come("top\twatch all containers live"_p),
};

/// `run` and `exec` give the payload's codes: their own failures have one that is none of those.
int own_code(const Command* command, int code)
{
    return command != nullptr && command->takes_payload ? payload_not_reached : code;
}

int usage_error(const Command* command, std::string_view message)
{
    print_error(message);
    print_error(compose("try `vial %--help`"_p, command == nullptr ? Text() : compose("% ", command->name())));
    return own_code(command, static_cast<int>(ExitCode::Usage));
}

/// A line of the table, taken apart.
struct OptionLine {
    std::string_view form;  ///< `-r, --root=PATH`
    std::string_view help;
    std::string_view name;   ///< `root`
    std::string_view value;  ///< `PATH`; empty: a flag
};

/// Calls `act` with each option of `command` and its line until it says true; which one that was.
template <typename Act>
Option each_option(const Command& command, const Act& act)
{
    std::string_view lines = option_lines.kept();
    unsigned at = 0;
    for (; !lines.empty(); ++at) {
        OptionLine line;
        line.help = take_until(lines, '\n');
        line.form = take_until(line.help, '\t');
        line.value = slice(line.form, 6);
        line.name = take_until(line.value, '=');
        if ((command.options >> at & 1) != 0 && act(line))
            break;
    }
    return static_cast<Option>(at);
}

/// Reads one word of options. `next`: the words that follow; one that is taken as a value is removed.
/// Returns what is wrong, or nothing.
Text read_option(const Command& command, Arguments& arguments, std::string_view word, std::span<char* const>& next)
{
    const bool is_long = word.starts_with("--");
    std::string_view rest = slice(word, is_long ? 2 : 1);
    do {
        std::string_view name = slice(rest, 0, 1);
        bool attached = false;
        if (is_long) {
            attached = contains(rest, '=');
            name = take_until(rest, '=');
        } else {
            rest.remove_prefix(1);
        }
        OptionLine line;
        const Option option = each_option(command, [&](const OptionLine& candidate) {
            line = candidate;
            return name == (is_long ? line.name : slice(line.form, 1, 1));
        });
        if (option == Option::Count)
            return compose(is_long ? "unknown option --%"_p : "unknown option -%"_p, name);
        arguments.given |= Options{1} << static_cast<unsigned>(option);
        if (line.value.empty()) {
            if (attached)
                return compose("option --% takes no value"_p, line.name);
            continue;
        }
        if (!attached && (is_long || rest.empty())) {
            if (next.empty())
                return compose("option --% needs a value (%)"_p, line.name, line.value);
            rest = next.front();
            next = next.subspan(1);
        }
        arguments.values[static_cast<std::size_t>(option)] = rest;
        if (option == Option::Set || option == Option::Remap || option == Option::Environment)
            arguments.settings.push_back(rest);
        if (option == Option::Rewrite)
            arguments.rewrites.push_back(rest);
        return {};
    } while (!is_long && !rest.empty());
    return {};
}

/// Two columns, the right one packed.
void add_line(Builder& text, std::string_view left, std::size_t width, std::string_view right, const char* note = "")
{
    text.compose("  %", left);
    text.pad(left.size() < width ? width - left.size() : 2);
    text.compose("%%\n", unpack(right), note);
}

void show_help(const Command& command)
{
    Builder text;
    std::string_view summary;
    const std::string_view usage = command.usage(summary);
    text.compose("usage: vial %\n%\n\n"_p, usage, unpack(summary));
    each_option(command, [&](const OptionLine& line) {
        add_line(text, line.form, 26, line.help);
        return false;
    });
    print(text);
}

const char* note(const Command& command)
{
    if (!built_with(command.feature))
        return "  (left out)";
    return command.run == nullptr ? "  (not supported yet)" : "";
}

void show_overview()
{
    Builder text;
    text.compose("usage: vial COMMAND [OPTIONS]   (also as `ctl COMMAND`)\ncontainers for small Linux machines\n\n"_p);
    for (const Command& command : commands) {
        std::string_view summary;
        (void)command.usage(summary);
        add_line(text, command.name(), 10, summary, note(command));
    }
    text.compose("\n`vial COMMAND --help` tells more; vial(1) and vial.conf(5) tell all.\n"_p);
    print(text);
}

/// With a second line of what it can do.
void show_version()
{
    Builder text("vial " VIAL_VERSION "\n");
    std::string_view names = feature_names;
    for (unsigned each = 0; !names.empty(); ++each)
        text.compose("%%%", each > 0 ? " " : "", built_with(static_cast<Feature>(each)) ? "+" : "-", take_word(names));
    text += '\n';
    print(text);
}

const Command* find_command(std::string_view name)
{
    for (const Command& command : commands)
        if (command.name() == name)
            return &command;
    return nullptr;
}

int unknown_command(std::string_view name)
{
    std::string_view names[std::size(commands)];
    for (std::size_t at = 0; at < std::size(commands); ++at)
        names[at] = commands[at].name();
    const std::string_view near = nearest(name, names, std::size(names));
    if (near.empty())
        return usage_error(nullptr, compose("unknown command '%'"_p, name));
    return usage_error(nullptr, compose("unknown command '%'; did you mean '%'?"_p, name, near));
}

/// Runs a command whose words have been taken apart.
int run_command(const Command& command, const Arguments& arguments)
{
    if (arguments.has(Option::Help)) {
        show_help(command);
        return 0;
    }
    if (command.run == nullptr) {
        print_error(compose("not supported yet: %"_p, command.name()));
        return static_cast<int>(ExitCode::Failed);
    }
    const bool fits = arguments.words.size() >= command.least && arguments.words.size() <= command.most;
    Result<int> done = fits ? command.run(arguments) : misused(arguments, command.wanted);
    return done.ok() ? done.value() : own_code(&command, print_error({}, done.error()));
}

int run_words(const char* program, std::span<char* const> words, const HostSide* host)
{
    if (words.empty())
        return usage_error(nullptr, "no command given"_p);
    const std::string_view first = words.front();
    if (first == "--help" || first == "-h" || first == "help") {
        show_overview();
        return 0;
    }
    if (first == "--version") {
        show_version();
        return 0;
    }
    const Command* command = find_command(first);
    if (command == nullptr)
        return first.starts_with('-') ? usage_error(nullptr, compose("unknown option %"_p, first))
                                      : unknown_command(first);

    if (!built_with(command->feature)) {
        print_error(left_out(first, command->feature));
        return own_code(command, static_cast<int>(ExitCode::Usage));
    }

    Arguments arguments;
    arguments.command = command->name();
    arguments.program = program;
    arguments.host = host;
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
            return usage_error(command, compose("%: %", command->name(), wrong));
    }
    if (!arguments.dashes)
        arguments.before_dashes = arguments.words.size();
    return run_command(*command, arguments);
}

}  // namespace

Error misused(const Arguments& arguments, std::string_view message)
{
    return Error("", "", compose("%: %", arguments.command, message)).exits(ExitCode::Usage);
}

bool is_command(std::string_view name)
{
    return find_command(name) != nullptr;
}

int run_command_line(const char* program, std::span<char* const> words, const HostSide* host)
{
    os::occupy_standard();
    // Descriptors that somebody forgot in us must reach no container; PID 1's own numbers rely on it too.
    if (words.empty() || std::string_view(words.front()) != "init")  // whose command gets them
        (void)os::close_from(3);
    const int code = run_words(program, words, host);
    return code == 0 && output_failed() ? static_cast<int>(ExitCode::Failed) : code;
}

}  // namespace vial
