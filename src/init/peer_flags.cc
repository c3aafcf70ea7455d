// SPDX-License-Identifier: MIT

/// Reading a peer's command line and environment variables into an Entry.

#include "base/os.h"
#include "base/text.h"
#include "init/peer_program.h"

#include <unistd.h>

namespace vial {

namespace {

constexpr bool takes_value(PeerAct act)
{
    return act == PeerAct::ParentDeath || act == PeerAct::Remap || act == PeerAct::Rewrite;
}

constexpr int wrong = 1;

constexpr Phrase dumb_rewrite = "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"
                                "This option can be specified multiple times.\n"
                                "Use --help for full usage.\n"_p;

void print(int fd, Phrase text, const char* program)
{
    Builder filled;
    for (const char* letter = text.kept(); *letter != '\0'; ++letter)
        filled += *letter == '%' ? program : unpacked(*letter);
    (void)os::write_all(fd, filled);
}

bool equals(const char* variable, std::string_view value)
{
    const char* given = find_variable(::environ, variable);
    return given != nullptr && given == value;
}

/// Reads a number as strtol(3) and scanf(3) do: blanks, a sign, digits. Returns what comes behind them; null: there is none,
/// and it is 0. A negative one is as great as unsigned makes it; of a long one only that counts, too.
const char* after_number(const char* at, unsigned& number)
{
    constexpr unsigned great = 100'000;
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        ++at;
    const char sign = *at;
    at += sign == '-' || sign == '+';
    number = 0;
    const char* const digits = at;
    for (unsigned digit; (digit = static_cast<unsigned>(*at - '0')) <= 9; ++at)
        number = number < great ? number * 10 + digit : number;
    if (sign == '-')
        number = 0 - number;
    return at != digits ? at : nullptr;
}

#ifndef SIGSTKFLT
#define SIGSTKFLT SIGEMT
#endif

/// The signal that has this name with tini, which knows no number, no other spelling, and not all signals; 0: none.
int tini_signal(std::string_view name)
{
    constexpr std::uint32_t unknown = 1U | 1U << SIGIO | 1U << SIGPWR | 1U << SIGSTKFLT;
    const int number = parse_signal(name).value_or(0);
    const bool known = number < 32 && (unknown >> number & 1) == 0 && name != "SIGIOT" && name != "SIGCLD";
    return known && name[0] == 'S' && name[1] == 'I' ? number : 0;
}

/// Reads one command line into an Entry.
class Reader {
public:
    Reader(const PeerProgram& program, char** words) : program_(program), words_(words) { entry_.peer = &program.peer; }

    int run();

private:
    /// An exit code: there is no more to do. -1: go on.
    int read_long(std::string_view word, char**& next);
    int read_letters(std::string_view word, char**& next);
    int read_flags();
    int read_flag(const PeerFlag& flag, const char* value);
    int read_environment();
    int complain(std::string_view message) const;
    const PeerFlag* find(std::string_view name) const;
    WhichPeer which() const { return static_cast<WhichPeer>(&program_ - peer_programs); }
    void raise(Level level) { entry_.level = level > entry_.level ? level : entry_.level; }

    const PeerProgram& program_;
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
const PeerFlag* Reader::find(std::string_view name) const
{
    const PeerFlag* found = nullptr;
    for (const PeerFlag& flag : program_.flags) {
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

int Reader::read_flag(const PeerFlag& flag, const char* value)
{
    const int to = program_.speaks_on_error ? STDERR_FILENO : STDOUT_FILENO;
    switch (flag.act) {
    case PeerAct::Group:
        entry_.group = true;
        break;
    case PeerAct::Subreaper:
        entry_.subreaper = true;
        break;
    case PeerAct::ParentDeath:
        entry_.parent_death = tini_signal(value);
        if (entry_.parent_death == 0) {
            tell(entry_, Level::Fatal, "Not a valid option for -p: "_p, value);
            return wrong;
        }
        break;
    case PeerAct::Remap: {
        unsigned code;
        const char* rest = after_number(value, code);
        // Nothing at all is 0.
        if (*(rest != nullptr ? rest : value) != '\0' || code > 255) {
            tell(entry_, Level::Fatal, "Not a valid option for -e: "_p, value);
            return wrong;
        }
        entry_.remapped[code] = static_cast<std::uint8_t>(code);
        break;
    }
    case PeerAct::Verbose:
        raise(entry_.level < Level::Debug ? static_cast<Level>(static_cast<int>(entry_.level) + 1) : Level::Debug);
        break;
    case PeerAct::Debug:
        raise(Level::Debug);
        break;
    case PeerAct::TellReaped:
        entry_.tell_reaped = true;
        break;
    case PeerAct::Rewrite: {
        unsigned from, as;
        // What comes behind the second number is nobody's business.
        const char* rest = after_number(value, from);
        if (rest == nullptr || *rest != ':' || after_number(rest + 1, as) == nullptr || from - 1 > 30 || as > 31) {
            print(STDERR_FILENO, dumb_rewrite, "");
            return wrong;
        }
        entry_.rewritten[from] = static_cast<std::uint8_t>(from ^ as);
        rewritten_ |= 1U << from;
        break;
    }
    case PeerAct::Single:
        entry_.standing = Standing::Shared;
        break;
    case PeerAct::Pause:
        pause_ = true;
        break;
    case PeerAct::Help:
        print(program_.speaks_on_error || which() == Catatonit ? STDERR_FILENO : STDOUT_FILENO, program_.help,
              words_[0]);
        return 0;
    case PeerAct::License:
        print(STDOUT_FILENO, "vial, in place of %: the MIT License\n", program_.peer.name);
        return 0;
    case PeerAct::Version:
        print(to, program_.version, "");
        return 0;
    }
    return -1;
}

/// `word` begins with two dashes; `next` points to it, and then to its value if that is a word of its own.
int Reader::read_long(std::string_view word, char**& next)
{
    std::string_view value = slice(word, 2);
    const bool attached = contains(value, '=');
    const PeerFlag* flag = find(take_until(value, '='));
    if (flag == nullptr && which() == Tini)
        return complain("invalid option -- '-'");
    if (flag == nullptr)
        return complain(compose("unrecognized option '%'"_p, word));
    if (takes_value(flag->act) && !attached && *++next == nullptr)
        return complain(compose("option '--%' requires an argument"_p, flag->name));
    return read_flag(*flag, attached ? value.data() : *next);
}

/// The same for letters behind one dash, the last of which may have a value.
int Reader::read_letters(std::string_view word, char**& next)
{
    int code = -1;
    for (std::size_t at = 1; at < word.size() && code < 0; at++) {
        const std::string_view letter = slice(word, at, 1);
        const PeerFlag* flag = nullptr;
        for (const PeerFlag& one : program_.flags)
            flag = one.letter == letter[0] ? &one : flag;
        if (flag == nullptr)
            return complain(compose("invalid option -- '%'"_p, letter));
        if (!takes_value(flag->act)) {
            code = read_flag(*flag, nullptr);
            continue;
        }
        const bool attached = at + 1 < word.size();
        if (!attached && *++next == nullptr)
            return complain(compose("option requires an argument -- '%'"_p, letter));
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
        entry_.subreaper |= find_variable(::environ, "TINI_SUBREAPER") != nullptr;
        entry_.group |= find_variable(::environ, "TINI_KILL_PROCESS_GROUP") != nullptr;
        if (const char* given = find_variable(::environ, "TINI_VERBOSITY"); given != nullptr) {
            unsigned level;
            (void)after_number(given, level);
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
        if (find_variable(::environ, "CATATONIT_DEBUG") != nullptr)
            entry_.level = Level::Debug;
        if (find_variable(::environ, "CATATONIT_LOG") != nullptr) {
            tell(entry_, Level::Fatal, "CATATONIT_LOG is reserved for future use"_p);
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
            tell(entry_, Level::Fatal, "missing program name"_p);
        print(STDERR_FILENO, program_.no_command.kept() != nullptr ? program_.no_command : program_.help, words_[0]);
        return wrong;
    }
    return run_entry(entry_);
}

}  // namespace

int run_peer(const Peer& peer, char** words)
{
    const PeerProgram* program = peer_programs;
    while (&program->peer != &peer)
        program++;
    return Reader(*program, words).run();
}

}  // namespace vial
