// SPDX-License-Identifier: MIT
#include "init/peers.h"

#include "base/os.h"
#include "base/text.h"

#include <cstdlib>
#include <span>
#include <unistd.h>

#ifndef VIAL_VERSION
#define VIAL_VERSION "unknown"
#endif

namespace vial {

const Peer own_name{"vial",
                    "vial: ",
                    {},
                    nullptr,
                    "this is not PID 1, and no subreaper: orphans will not come here (see --subreaper)",
                    127,
                    126,
                    false,
                    false};

namespace {

enum class Act : std::uint8_t {
    Group,
    Subreaper,
    ParentDeath,  ///< SIGNAL
    Remap,        ///< CODE, to 0
    Verbose,
    Debug,
    TellReaped,
    Rewrite,  ///< NUMBER:NUMBER
    Single,   ///< dumb-init: no session, no group
    Pause,
    Help,
    License,
    Version,
};

struct Flag {
    const char* name;  ///< the long one; null: none
    char letter;       ///< 0: none
    Act act;
};

constexpr bool takes_value(Act act)
{
    return act == Act::ParentDeath || act == Act::Remap || act == Act::Rewrite;
}

/// A peer with its command line.
struct Program {
    Peer peer;
    std::span<const Flag> flags;
    bool speaks_on_error;  ///< help and version go to standard error
    const char* version;
    const char* help;        ///< `%`: the program's name
    const char* no_command;  ///< null: the help
    const char* after_wrong_flag;
};

constexpr Flag tini_flags[] = {
    {nullptr, 's', Act::Subreaper},  {nullptr, 'p', Act::ParentDeath}, {nullptr, 'v', Act::Verbose},
    {nullptr, 'w', Act::TellReaped}, {nullptr, 'g', Act::Group},       {nullptr, 'e', Act::Remap},
    {nullptr, 'h', Act::Help},       {nullptr, 'l', Act::License},     {"version", 0, Act::Version},
};
constexpr Flag dumb_flags[] = {
    {"single-child", 'c', Act::Single}, {"rewrite", 'r', Act::Rewrite}, {"verbose", 'v', Act::Debug},
    {"help", 'h', Act::Help},           {"version", 'V', Act::Version},
};
constexpr Flag catatonit_flags[] = {
    {nullptr, 'g', Act::Group},   {nullptr, 'P', Act::Pause},     {nullptr, 'h', Act::Help},
    {nullptr, 'L', Act::License}, {"version", 'V', Act::Version},
};
constexpr Flag pause_flags[] = {{nullptr, 'v', Act::Version}};

// Where tools and those projects' tests look, the texts are as the original's.

constexpr const char tini_help[] = R"(% (tini version 0.19.0)
Usage: % [OPTIONS] PROGRAM -- [ARGS] | --version

  --version: Show version and exit.
  -h: Show this help message and exit.
  -s: Register as a process subreaper.
  -p SIGNAL: Trigger SIGNAL when parent dies, e.g. "-p SIGKILL".
  -v: Generate more verbose output. Repeat up to 3 times.
  -w: Print a warning when processes are getting reaped.
  -g: Send signals to the child's process group.
  -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0.
  -l: Show license and exit.

Environment: TINI_SUBREAPER (-s), TINI_KILL_PROCESS_GROUP (-g), TINI_VERBOSITY (0 to 4, default 1)
)";
constexpr const char dumb_help[] = R"(dumb-init v1.2.5
Usage: % [option] command [[arg] ...]

dumb-init is a simple process supervisor that forwards signals to children.
It is designed to run as PID1 in minimal container environments.

Optional arguments:
   -c, --single-child   Run in single-child mode.
                        In this mode, signals are only proxied to the
                        direct child and not any of its descendants.
   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.
                        To ignore (not proxy) a signal, rewrite it to 0.
                        This option can be specified multiple times.
   -v, --verbose        Print debugging information to stderr.
   -h, --help           Print this help message and exit.
   -V, --version        Print the current version and exit.

Full help is available online at https://github.com/Yelp/dumb-init
)";
constexpr const char dumb_no_command[] = "Usage: % [option] program [args]\nTry % --help for full usage.\n";
constexpr const char dumb_rewrite[] = "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"
                                      "This option can be specified multiple times.\n"
                                      "Use --help for full usage.\n";
constexpr const char catatonit_usage[] = "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n";
constexpr const char catatonit_help[] = R"(usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]

options:
  -g              Forward signals to pid1's process group.
  -h              Print this help page.
  -L              Print license information.
  -P              Run in pause mode (no program is run and quit on SIGINT).
  -V, --version   Print version information.
)";

#define IN_PLACE " - vial " VIAL_VERSION "\n"

constexpr Program programs[] = {
    {{"tini",
      "[% tini (%)] ",
      {"FATAL", "WARN ", "INFO ", "DEBUG"},
      "exec $ failed: %",
      "Tini is not running as PID 1 and isn't registered as a child subreaper.\n"
      "Zombie processes will not be re-parented to Tini, so zombie reaping won't work.\n"
      "To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register Tini as a "
      "child "
      "subreaper, or run Tini as PID 1.",
      127,
      126,
      true,
      false},
     tini_flags,
     false,
     "tini version 0.19.0" IN_PLACE,
     tini_help,
     nullptr,
     tini_help},
    {{"dumb-init", "[dumb-init] ", {}, "$: %", nullptr, 2, 2, true, true},
     dumb_flags,
     true,
     "dumb-init v1.2.5\n",
     dumb_help,
     dumb_no_command,
     ""},
    {{"catatonit",
      "% (catatonit:%): ",
      {"ERROR", "WARN", "INFO", "DEBUG"},
      "failed to exec pid1: %",
      nullptr,
      1,
      1,
      true,
      false},
     catatonit_flags,
     false,
     "tini version 0.1.7_catatonit" IN_PLACE,
     catatonit_help,
     catatonit_usage,
     catatonit_usage},
    {{"pause", "", {}, nullptr, "Warning: pause should be the first process", 127, 126, false, false},
     pause_flags,
     false,
     "pause.c 3.10" IN_PLACE,
     "",
     "",
     ""},
};
enum Which : unsigned char { Tini, DumbInit, Catatonit, Pause };

constexpr int wrong = 1;

void print(int fd, const char* text, const char* program)
{
    Builder filled;
    for (; *text != '\0'; text++)
        filled += *text == '%' ? std::string_view(program) : std::string_view(text, 1);
    (void)os::write_all(fd, filled);
}

bool equals(const char* variable, std::string_view value)
{
    const char* given = std::getenv(variable);
    return given != nullptr && given == value;
}

/// Reads one command line into an Entry.
class Reader {
public:
    Reader(const Program& program, char** words) : program_(program), words_(words) { entry_.peer = &program.peer; }

    int run();

private:
    /// An exit code: there is no more to do. -1: go on.
    int read_long(std::string_view word, char**& next);
    int read_letters(std::string_view word, char**& next);
    int read_flags();
    int read_flag(const Flag& flag, const char* value);
    int read_environment();
    int complain(std::string_view message) const;
    const Flag* find(std::string_view name) const;
    Which which() const { return static_cast<Which>(&program_ - programs); }
    void raise(Level level) { entry_.level = level > entry_.level ? level : entry_.level; }

    const Program& program_;
    char** words_;
    Entry entry_;
    bool pause_ = false;
    std::uint32_t rewritten_ = 0;  ///< signals that were named by -r
};

/// As getopt(3) says it.
int Reader::complain(std::string_view message) const
{
    (void)os::write_all(STDERR_FILENO, compose("%: %\n", words_[0], message));
    print(STDERR_FILENO, program_.after_wrong_flag, words_[0]);
    return wrong;
}

/// By its name, or by the beginning of one, as getopt_long(3).
const Flag* Reader::find(std::string_view name) const
{
    const Flag* found = nullptr;
    for (const Flag& flag : program_.flags) {
        if (flag.name == nullptr || !std::string_view(flag.name).starts_with(name))
            continue;
        if (name == flag.name)
            return &flag;
        if (found != nullptr)
            return nullptr;
        found = &flag;
    }
    return found;
}

int Reader::read_flag(const Flag& flag, const char* value)
{
    const int to = program_.speaks_on_error ? STDERR_FILENO : STDOUT_FILENO;
    switch (flag.act) {
    case Act::Group:
        entry_.group = true;
        break;
    case Act::Subreaper:
        entry_.subreaper = true;
        break;
    case Act::ParentDeath: {
        const auto number = parse_signal(value);
        if (!number) {
            tell(entry_, Level::Fatal, {"Not a valid option for -p: ", value});
            return wrong;
        }
        entry_.parent_death = *number;
        break;
    }
    case Act::Remap: {
        const auto code = parse_number(value);
        if (!code || *code > 255) {
            tell(entry_, Level::Fatal, {"Not a valid option for -e: ", value});
            return wrong;
        }
        entry_.remapped[*code] = static_cast<std::uint8_t>(*code);
        break;
    }
    case Act::Verbose:
        raise(entry_.level < Level::Debug ? static_cast<Level>(static_cast<int>(entry_.level) + 1) : Level::Debug);
        break;
    case Act::Debug:
        raise(Level::Debug);
        break;
    case Act::TellReaped:
        entry_.tell_reaped = true;
        break;
    case Act::Rewrite: {
        std::string_view as = value;
        const auto from = parse_number(take_until(as, ':'));
        const auto to_number = parse_number(as);
        if (!from || !to_number || *from < 1 || *from > 31 || *to_number > 31) {
            print(STDERR_FILENO, dumb_rewrite, "");
            return wrong;
        }
        entry_.rewritten[*from] = static_cast<std::uint8_t>(*from ^ *to_number);
        rewritten_ |= 1U << *from;
        break;
    }
    case Act::Single:
        entry_.standing = Standing::Shared;
        break;
    case Act::Pause:
        pause_ = true;
        break;
    case Act::Help:
        print(program_.speaks_on_error || which() == Catatonit ? STDERR_FILENO : STDOUT_FILENO, program_.help,
              words_[0]);
        return 0;
    case Act::License:
        print(STDOUT_FILENO, "vial, in place of %: the MIT License\n", program_.peer.name);
        return 0;
    case Act::Version:
        print(to, program_.version, "");
        return 0;
    }
    return -1;
}

/// `word` begins with two dashes; `next` points to it, and then to its value if that is a word of its own.
int Reader::read_long(std::string_view word, char**& next)
{
    std::string_view value = word.substr(2);
    const bool attached = value.find('=') != value.npos;
    const Flag* flag = find(take_until(value, '='));
    if (flag == nullptr && which() == Tini)
        return complain("invalid option -- '-'");
    if (flag == nullptr)
        return complain(compose("unrecognized option '%'", word));
    if (takes_value(flag->act) && !attached && *++next == nullptr)
        return complain(compose("option '--%' requires an argument", flag->name));
    return read_flag(*flag, attached ? value.data() : *next);
}

/// The same for letters behind one dash, the last of which may have a value.
int Reader::read_letters(std::string_view word, char**& next)
{
    int code = -1;
    for (std::size_t at = 1; at < word.size() && code < 0; at++) {
        const std::string_view letter = word.substr(at, 1);
        const Flag* flag = nullptr;
        for (const Flag& one : program_.flags)
            flag = one.letter == letter[0] ? &one : flag;
        if (flag == nullptr)
            return complain(compose("invalid option -- '%'", letter));
        if (!takes_value(flag->act)) {
            code = read_flag(*flag, nullptr);
            continue;
        }
        const bool attached = at + 1 < word.size();
        if (!attached && *++next == nullptr)
            return complain(compose("option requires an argument -- '%'", letter));
        return read_flag(*flag, attached ? *next + at + 1 : *next);
    }
    return code;
}

/// Flags end with the first word that is none, and with `--`.
int Reader::read_flags()
{
    char** next = words_ + 1;
    int code = -1;
    for (; *next != nullptr && code < 0; next++) {
        const std::string_view word = *next;
        if (word == "--") {
            next++;
            break;
        }
        if (word.size() < 2 || word[0] != '-')
            break;
        code = word[1] == '-' ? read_long(word, next) : read_letters(word, next);
        if (*next == nullptr)
            return code;
    }
    entry_.command = *next != nullptr ? next : nullptr;
    return code;
}

int Reader::read_environment()
{
    switch (which()) {
    case Tini:
        entry_.subreaper |= std::getenv("TINI_SUBREAPER") != nullptr;
        entry_.group |= std::getenv("TINI_KILL_PROCESS_GROUP") != nullptr;
        if (const char* given = std::getenv("TINI_VERBOSITY"); given != nullptr) {
            const std::int64_t level = parse_number(given).value_or(0);
            entry_.level = level < 3 ? static_cast<Level>(level) : Level::Debug;
        }
        break;
    case DumbInit:
        if (equals("DUMB_INIT_DEBUG", "1"))
            entry_.level = Level::Debug;
        if (equals("DUMB_INIT_SETSID", "0"))
            entry_.standing = Standing::Shared;
        if (entry_.standing == Standing::Shared)
            break;
        entry_.group = true;
        // A session of its own is an orphaned group: TSTP and its like would not stop it.
        for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU}) {
            if ((rewritten_ >> number & 1) == 0)
                entry_.rewritten[number] = static_cast<std::uint8_t>(number ^ SIGSTOP);
        }
        break;
    case Catatonit:
        if (std::getenv("CATATONIT_DEBUG") != nullptr)
            entry_.level = Level::Debug;
        if (std::getenv("CATATONIT_LOG") != nullptr) {
            tell(entry_, Level::Fatal, {"CATATONIT_LOG is reserved for future use"});
            return wrong;
        }
        break;
    case Pause:
        break;
    }
    return -1;
}

int Reader::run()
{
    entry_.grace = 0;
    if (which() == DumbInit || which() == Catatonit)
        entry_.level = Level::Fatal;
    if (which() == DumbInit) {
        entry_.standing = Standing::OwnSession;
        entry_.clean_signals = true;
    }
    entry_.subreaper = which() == Catatonit;
    pause_ = which() == Pause;
    int code = read_flags();
    if (code < 0)
        code = read_environment();
    if (code >= 0)
        return code;
    if (pause_) {
        entry_.command = nullptr;
    } else if (entry_.command == nullptr) {
        if (which() == Catatonit)
            tell(entry_, Level::Fatal, {"missing program name"});
        print(STDERR_FILENO, program_.no_command != nullptr ? program_.no_command : program_.help, words_[0]);
        return wrong;
    }
    return run_entry(entry_);
}

}  // namespace

const Peer* find_peer(std::string_view program)
{
    if (const std::size_t slash = program.rfind('/'); slash != program.npos)
        program.remove_prefix(slash + 1);
    if (program == "docker-init" || program == "tini-static")
        program = "tini";
    for (const Program& each : programs) {
        if (program == each.peer.name)
            return &each.peer;
    }
    return nullptr;
}

int run_peer(const Peer& peer, char** words)
{
    const Program* program = programs;
    while (&program->peer != &peer)
        program++;
    return Reader(*program, words).run();
}

}  // namespace vial
