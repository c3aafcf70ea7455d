// SPDX-License-Identifier: MIT
#include "kernel/seccomp_profile.h"

#include "base/os.h"
#include "kernel/seccomp.h"
#include "kernel/seccomp_compiler.h"
#include "kernel/syscall_names.h"
#include "spec/grammar.h"
#include "spec/read.h"

#include <cerrno>
#include <cstring>

namespace vial {

namespace {

using namespace seccomp;

/// What may stand behind `errno NAME=`, beside a number.
constexpr const char* error_names = "EPERM|EACCES|ENOSYS|ENOENT|EINVAL|ENODEV|EAGAIN|ENOMEM|EOPNOTSUPP|EAFNOSUPPORT";
constexpr std::uint16_t error_numbers[] = {EPERM,  EACCES, ENOSYS, ENOENT,     EINVAL,
                                           ENODEV, EAGAIN, ENOMEM, EOPNOTSUPP, EAFNOSUPPORT};

enum Verb : std::int8_t { VerbAllow, VerbErrno, VerbKill, VerbLog, VerbDefault, VerbInclude };
constexpr const char* verbs = "allow|errno|kill|log|default|include";

struct Known {
    std::string_view name;
    std::uint32_t number;
    std::uint8_t fate = 0;
    bool given = false;
};

class Reader {
public:
    Reader()
    {
        char* letters = letters_.room(room_for_names);
        for (SyscallNames names; names.next();) {
            std::memcpy(letters, names.name().data(), names.name().size());
            known_.push_back({{letters, names.name().size()}, names.number()});
            letters += names.name().size();
        }
    }

    void read(std::string_view text)
    {
        for (line_ = 1; !text.empty() && !problems_.full(); ++line_) {
            whole_ = take_until(text, '\n');
            std::string_view rest = whole_;
            rest = take_until(rest, '#');
            if (const std::string_view word = take_word(rest); !word.empty())
                statement(word, rest);
        }
    }

    SeccompProfile finish(std::uint64_t capabilities)
    {
        SeccompProfile made;
        if (!has_default_)
            problems_.add(0, 0, "what becomes of all other calls? 'include default' or 'default ACTION' is missing"_p);
        List<Run> runs = lay_out();
        const std::uint8_t start = find("execve")->fate;
        if (problems_.none() && start != Allow && (start < FateCount || answers_[start - FateCount] != SECCOMP_RET_LOG))
            problems_.add(0, 0, "execve is not allowed: no program could be started"_p);
        made.problems = problems_.take();
        if (!made.problems.empty())
            return made;
        const FilterFates fates = default_fates();
        const Compiler<4096> compiler({runs.data(), runs.size()}, fates.code, fates.places,
                                      {answers_.data(), answers_.size()});
        made.program.append(compiler.program().data(), compiler.program().size());
        allow_capable({made.program.data(), made.program.size()}, capabilities);
        for (const std::uint32_t answer : answers_)
            made.logs = made.logs || answer == SECCOMP_RET_LOG;
        return made;
    }

private:
    /// A second name of one call stands for the first.
    Known* find(std::string_view name)
    {
        for (Known& known : known_) {
            if (known.name != name)
                continue;
            Known* first = known_.begin();
            while (first->number != known.number || known.number == SyscallNames::elsewhere) {
                if (first == &known)
                    break;
                ++first;
            }
            return first;
        }
        return nullptr;
    }

    void complain(std::string_view word, Text message)
    {
        int column = 1;
        for (const char* letter = whole_.data(); letter != word.data(); ++letter)
            column += (*letter & 0xc0) != 0x80 ? 1 : 0;
        problems_.add(line_, column, message);
    }

    void statement(std::string_view word, std::string_view rest)
    {
        const int verb = word_index(verbs, word);
        if (verb < 0)
            return complain(word, "a line begins with allow, errno, kill, log, default or include"_p);
        const std::string_view first = take_word(rest);
        if (first.empty())
            return complain(word, verb == VerbInclude   ? "include what? There is 'default'"_p
                                  : verb == VerbDefault ? "which? allow, errno, errno=NAME, kill or log"_p
                                                        : "which system calls?"_p);
        if (verb >= VerbDefault) {
            default_line(verb, word, first);
            if (const std::string_view more = take_word(rest); !more.empty())
                complain(more, "one word is enough"_p);
            return;
        }
        for (std::string_view name = first; !name.empty() && !problems_.full(); name = take_word(rest))
            call(verb, name);
    }

    void default_line(int verb, std::string_view word, std::string_view what)
    {
        if (has_default_)
            return complain(word, "what becomes of all other calls has been said before"_p);
        has_default_ = true;
        includes_ = verb == VerbInclude;
        std::string_view value = what;
        const int action = word_index(verbs, take_until(value, '='));
        const bool has_value = contains(what, '=');
        if (includes_ ? action != VerbDefault || has_value
                      : action < VerbAllow || action > VerbLog || (has_value && action != VerbErrno))
            return complain(what, includes_ ? "only 'default' can be included"_p
                                            : "expected allow, errno, errno=NAME, kill or log"_p);
        if (!includes_)
            otherwise_ = fate_of(action, what, value);
    }

    /// What an action comes to: a fate, or the number of an answer of our own.
    std::uint8_t fate_of(int action, std::string_view word, std::string_view value)
    {
        if (action == VerbAllow || action == VerbKill)
            return action == VerbAllow ? Allow : Kill;
        std::int64_t number = EPERM;
        if (action == VerbErrno && contains(word, '=')) {
            const int index = word_index(error_names, value);
            number = index >= 0 ? error_numbers[index] : parse_number(value).value_or(0);
            if (number < 1 || number > 4095) {
                complain(value, "expected EPERM, EACCES, ENOSYS, ENOENT, EINVAL, ENODEV, EAGAIN, ENOMEM, EOPNOTSUPP, "
                                "EAFNOSUPPORT or a number"_p);
                return Refuse;
            }
        }
        const auto answer =
            action == VerbLog ? std::uint32_t{SECCOMP_RET_LOG} : SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number);
        std::size_t at = 0;
        while (at < answers_.size() && answers_[at] != answer)
            ++at;
        if (at == Compiler<4096>::most_answers) {
            complain(word, "more different errors than there is room for"_p);
            return Refuse;
        }
        if (at == answers_.size())
            answers_.push_back(answer);
        return static_cast<std::uint8_t>(FateCount + at);
    }

    void call(int verb, std::string_view word)
    {
        std::string_view value = word;
        const std::string_view name = take_until(value, '=');
        Known* const found = find(name);
        if (found == nullptr)
            return unknown(name);
        Known& known = *found;
        if (known.given)
            return complain(word, compose("'%' is named twice"_p, name));
        known.given = true;
        const bool any = value == "any";
        if (verb != VerbErrno && contains(word, '=') && !(verb == VerbAllow && any))
            return complain(value, verb == VerbAllow ? "expected 'any', or nothing"_p : "no value may stand here"_p);
        known.fate = fate_of(verb, word, value);
        if (verb != VerbAllow || any || known.number == SyscallNames::elsewhere)
            return;
        // What depends on an argument goes on doing so.
        const Fate usual = default_fate(known.number);
        if (usual >= Namespaces && usual <= Family)
            known.fate = usual;
    }

    void unknown(std::string_view name)
    {
        List<std::string_view> names;
        for (const Known& known : known_)
            names.push_back(known.name);
        const std::string_view near = nearest(name, names.data(), names.size());
        bool plain = true;
        for (const char letter : name)
            plain = plain && letter > ' ' && letter < 0x7f;
        if (!plain)
            return complain(name, "that is no system call"_p);
        const Text text = compose("unknown system call '%'"_p, name);
        complain(name, near.empty() ? text : compose("%; did you mean '%'?"_p, text, near));
    }

    /// Numbers that nobody has go with a refusal before them.
    List<Run> lay_out()
    {
        List<Run> runs;
        std::uint32_t next = 0;
        const auto add = [&](std::uint32_t first, std::uint8_t fate) {
            if (runs.empty() || runs[runs.size() - 1].fate != fate)
                runs.push_back({first, fate, 0});
        };
        const bool refuses =
            includes_ || (otherwise_ >= FateCount && answers_[otherwise_ - FateCount] != SECCOMP_RET_LOG);
        const std::uint8_t gap = refuses ? std::uint8_t{Missing} : otherwise_;
        for (Known& known : known_) {
            if (!known.given)
                known.fate = includes_ ? std::uint8_t{default_fate(known.number)} : otherwise_;
            if (known.number == SyscallNames::elsewhere || known.number < next)
                continue;
            if (known.number != next)
                add(next, gap);
            add(known.number, known.fate);
            next = known.number + 1;
        }
        add(next, gap);
        if (x32_first != 0)
            runs.push_back({x32_first, Kill, 0});
        return runs;
    }

    static constexpr std::size_t room_for_names = 8192;

    List<Known> known_;  ///< those of this architecture first, by number
    Builder letters_;    ///< of their names
    List<std::uint32_t> answers_;
    Problems problems_;
    std::string_view whole_;  ///< the line
    int line_ = 0;
    bool has_default_ = false, includes_ = false;
    std::uint8_t otherwise_ = Refuse;
};

}  // namespace

SeccompProfile read_seccomp_profile(std::string_view text, std::uint64_t capabilities)
{
    Reader reader;
    reader.read(text);
    return reader.finish(capabilities);
}

Result<SeccompProfile> load_seccomp_profile(Text path, std::uint64_t capabilities)
{
    if (architecture == 0)
        return Error("there is no filter for this architecture"_p, "limit the system calls"_p);
    const Text text = TRY(load_spec_file(path.c_str()));
    return read_seccomp_profile(text, capabilities);
}

List<Text> seccomp_complaints(const SecuritySpec& security)
{
    List<Text> lines;
    if (security.seccomp != SeccompChoice::Profile)
        return lines;
    const auto profile = load_seccomp_profile(security.seccomp_profile, security.capabilities);
    if (!profile.ok()) {
        char words[description_capacity];
        lines.push_back(describe(profile.error(), words, sizeof words));
        return lines;
    }
    for (const Diagnostic& problem : profile.value().problems)
        lines.push_back(format(problem, security.seccomp_profile));
    return lines;
}

}  // namespace vial
