// SPDX-License-Identifier: MIT

/// Which program am I? One binary: the tool, PID 1 inside every container, and whatever it is called in place of.

#include "base/complain.h"
#include "base/features.h"
#include "base/text.h"
#include "boot/boot.h"
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
bool is_first_process(std::string_view called, int count, char** words)
{
    using namespace vial;
    if (::getpid() != 1 || (count > 1 && is_command(words[1])))
        return false;
    return called == "init" || owns_machine();
}

int refuse(std::string_view what, vial::Feature feature)
{
    vial::print_error(vial::left_out(what, feature));
    return static_cast<int>(vial::ExitCode::Usage);
}

}  // namespace

int main(int count, char** words)
{
    using namespace vial;
    if (count == 0)
        return 2;
    std::string_view called = words[0];
    called.remove_prefix(called.rfind('/') + 1);
    if constexpr (built_with(Feature::Launch)) {
        if (count == 2 && called == init_name) {
            const auto plan = parse_number(words[1]);
            return run_init(plan ? static_cast<int>(*plan) : -1);
        }
    }
    if constexpr (built_with(Feature::Peers)) {
        if (const Peer* peer = find_peer(called); peer != nullptr)
            return run_peer(*peer, words);
    } else if (is_peer_name(called)) {
        return refuse(called, Feature::Peers);
    }
    if constexpr (built_with(Feature::Boot)) {
        if (called == power_name)
            return go_on_powering_down(words);
        if (is_first_process(called, count, words))
            run_first();
        if (count > 2 && std::string_view(words[1]) == console_word)
            return become_console(words + 2);
    } else if (is_first_process(called, count, words)) {
        return refuse("boot", Feature::Boot);
    }
    static constexpr HostSide host_side = {boot, check_boot};
    const HostSide* const host = built_with(Feature::Boot) ? &host_side : nullptr;
    const auto all = std::span<char* const>(words, static_cast<std::size_t>(count));
    return run_command_line(all.front(), all.subspan(1), host);
}
