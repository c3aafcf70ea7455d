// SPDX-License-Identifier: MIT
#pragma once

/// The command line: what commands there are, what each takes, and how its words are read.
///
/// Options are GNU's: `--name=value`, `--name value`, clusters of short ones, `--` ends them. After the first word that
/// is no option everything belongs to the payload where a command takes one. Every command has --help, made from
/// the same table that parses; vial(1) is held against it by a test.

#include "base/list.h"
#include "base/result.h"

#include <span>
#include <string_view>

namespace vial {

struct Option {
    const char* name;   ///< long, without the dashes
    char letter;        ///< short, or 0
    const char* value;  ///< what the value is called, or nullptr for a flag
    const char* help;
};

/// The words of a command line, taken apart.
struct Arguments {
    struct Given {
        const Option* option;
        std::string_view value;
    };
    List<Given> given;
    List<const char*> words;        ///< NUL-terminated, as they came from the kernel
    std::size_t before_dashes = 0;  ///< how many of the words stood before `--`; all, where there was none
    bool dashes = false;            ///< there was a `--`
    const char* program = "";       ///< the process's first argument

    bool has(std::string_view option) const;
    /// The last value given; `fallback` where there was none.
    std::string_view value(std::string_view option, std::string_view fallback = {}) const;
};

/// What `run` and `exec` end with when it did not come to their command; its own codes they pass on.
inline constexpr int payload_not_reached = 125;

struct Command {
    const char* name;
    const char* usage;    ///< what follows the name: `[OPTIONS] NAME`
    const char* summary;  ///< one line
    std::span<const Option> options;
    bool takes_payload;            ///< after the first word, options are the payload's
    int (*run)(const Arguments&);  ///< returns the exit code; nullptr: to come
};

std::span<const Command* const> all_commands();

/// Runs `words`, which come after the program's own name. Returns the exit code.
int run_command_line(const char* program, std::span<char* const> words);

// One for each file of this folder.
extern const Command start_command, run_command, stop_command, restart_command, kill_command, wait_command;
extern const Command exec_command, list_command, status_command, stats_command, logs_command, check_command,
    show_command;

inline constexpr Option json_option{"json", 0, nullptr, "print JSON instead of a table"};
inline constexpr Option set_option{"set", 0, "KEY=VALUE", "set a key of the spec (dotted: limits.memory=16M)"};

}  // namespace vial
