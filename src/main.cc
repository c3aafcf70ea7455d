// SPDX-License-Identifier: MIT

/// Which program am I? One binary: the tool, PID 1 inside every container, and whatever it is called in place of.

#include "base/text.h"
#include "boot/console.h"
#include "boot/power.h"
#include "ctl/command.h"
#include "init/init.h"
#include "init/peers.h"
#include "launch/setup.h"

#include <string_view>
#include <unistd.h>

// Where a part of a view would begin behind its end, which is a bug, the program ends at once. The library's own way there
// brings in the libc's abort, and with that locks and signals.
void std::__throw_out_of_range_fmt(const char*, ...)  // NOLINT
{
    __builtin_trap();
}

namespace {

/// Called by the kernel, as `/init` or by `init=PATH`. The words of its command line that it does not know come as arguments
/// then (`single`), and mean nothing. In a container PID 1 is somebody's whole program, unless it is called `init`.
bool is_first_process(int count, char** words)
{
    using namespace vial;
    if (::getpid() != 1 || (count > 1 && is_command(words[1])))
        return false;
    std::string_view name = words[0];
    name.remove_prefix(name.rfind('/') + 1);
    return name == "init" || owns_machine();
}

}  // namespace

int main(int count, char** words)
{
    using namespace vial;
    if (count == 2 && std::string_view(words[0]) == init_name) {
        const auto plan = parse_number(words[1]);
        return run_init(plan ? static_cast<int>(*plan) : -1);
    }
    if (count > 0 && std::string_view(words[0]) == power_name)
        return go_on_powering_down(words);
    if (const Peer* peer = count > 0 ? find_peer(words[0]) : nullptr; peer != nullptr)
        return run_peer(*peer, words);
    if (count > 0 && is_first_process(count, words))
        run_first();
    if (count > 2 && std::string_view(words[1]) == console_word)
        return become_console(words + 2);
    const auto all = std::span<char* const>(words, static_cast<std::size_t>(count));
    return count == 0 ? 2 : run_command_line(all.front(), all.subspan(1));
}
