// SPDX-License-Identifier: MIT
#pragma once

/// The command line: what commands there are, what each takes, and how its words are read.
///
/// Options are GNU's: `--name=value`, `--name value`, clusters of short ones, `--` ends them. After the first word that
/// is no option everything belongs to the payload where a command takes one. Every command has --help, made from
/// the same table that parses; vial(1) is held against it by a test.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace vial {

/// All options there are, in the order in which --help lists them; their texts stand in command.cc.
enum class Option : std::uint8_t {
    Root,
    Name,
    NoTty,
    Wait,
    Json,
    Set,
    Hash,
    Timeout,
    Signal,
    Service,
    Follow,
    Since,
    Lines,
    Prefix,
    Timestamps,
    Metrics,
    Interactive,
    Tty,
    User,
    Environment,
    Directory,
    Privileged,
    Group,
    Rewrite,
    Remap,
    ParentDeath,
    Subreaper,
    CleanSignals,
    Grace,
    NoGrace,
    Verbose,
    Control,
    ControlFd,
    Log,
    Spec,
    Pause,
    Ensure,
    Reexec,
    Help,
    Count
};

/// What the host's supervisor, which stands beside the commands, does for them; main puts it in.
struct HostSide {
    Result<int> (*boot)(Text directory);                       ///< see boot/boot.h
    Result<bool> (*check)(Text path, List<Text>& complaints);  ///< see check_boot there
};

/// The words of a command line, taken apart.
struct Arguments {
    std::string_view command;  ///< its name
    std::uint64_t given = 0;   ///< a bit for each Option
    std::string_view values[static_cast<std::size_t>(Option::Count)];
    List<std::string_view> settings;  ///< the values of all `--set`, `--remap` or `--env`
    List<std::string_view> rewrites;  ///< the same of `--rewrite`
    List<const char*> words;          ///< NUL-terminated, as they came from the kernel
    std::size_t before_dashes = 0;    ///< how many of the words stood before `--`; all, where there was none
    bool dashes = false;              ///< there was a `--`
    const char* program = "";         ///< the process's first argument
    const HostSide* host = nullptr;   ///< nullptr: it was left out

    bool has(Option option) const { return (given >> static_cast<unsigned>(option) & 1) != 0; }
    /// The last value given; empty where there was none.
    std::string_view value(Option option) const { return values[static_cast<std::size_t>(option)]; }
};

/// What `run` and `exec` end with when it did not come to their command; its own codes they pass on.
inline constexpr int payload_not_reached = 125;

/// Runs `words`, which come after the program's own name. Returns the exit code.
int run_command_line(const char* program, std::span<char* const> words, const HostSide* host);

/// Whether there is such a command.
bool is_command(std::string_view name);

/// A command line that makes no sense: `COMMAND: MESSAGE`.
Error misused(const Arguments& arguments, std::string_view message);

// The commands, in the other files of this folder. Each returns the exit code, or why it failed.
Result<int> boot(const Arguments& arguments);
Result<int> power(const Arguments& arguments);
Result<int> start(const Arguments& arguments);
Result<int> run(const Arguments& arguments);
Result<int> stop(const Arguments& arguments);
Result<int> restart(const Arguments& arguments);
Result<int> kill(const Arguments& arguments);
Result<int> pause(const Arguments& arguments);
Result<int> wait(const Arguments& arguments);
Result<int> exec(const Arguments& arguments);
Result<int> init(const Arguments& arguments);
Result<int> list(const Arguments& arguments);
Result<int> status(const Arguments& arguments);
Result<int> update(const Arguments& arguments);
Result<int> upgrade(const Arguments& arguments);
Result<int> reload(const Arguments& arguments);
Result<int> events(const Arguments& arguments);
Result<int> stats(const Arguments& arguments);
Result<int> logs(const Arguments& arguments);
Result<int> check(const Arguments& arguments);
Result<int> show(const Arguments& arguments);

}  // namespace vial
