// SPDX-License-Identifier: MIT

/// Which program am I? One binary: the tool, PID 1 inside every container, and whatever it is called in place of.

#include "base/text.h"
#include "ctl/command.h"
#include "init/init.h"
#include "init/peers.h"
#include "launch/setup.h"

#include <string_view>

// Where a part of a view would begin behind its end, which is a bug, the program ends at once. The library's own way there
// brings in the libc's abort, and with that locks and signals.
void std::__throw_out_of_range_fmt(const char*, ...)  // NOLINT
{
    __builtin_trap();
}

int main(int count, char** words)
{
    using namespace vial;
    if (count == 2 && std::string_view(words[0]) == init_name) {
        const auto plan = parse_number(words[1]);
        return run_init(plan ? static_cast<int>(*plan) : -1);
    }
    if (const Peer* peer = count > 0 ? find_peer(words[0]) : nullptr; peer != nullptr)
        return run_peer(*peer, words);
    const auto all = std::span<char* const>(words, static_cast<std::size_t>(count));
    return count == 0 ? 2 : run_command_line(all.front(), all.subspan(1));
}
