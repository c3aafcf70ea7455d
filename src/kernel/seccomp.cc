// SPDX-License-Identifier: MIT
#include "kernel/seccomp.h"

#include "kernel/seccomp_calls.h"
#include "kernel/seccomp_compiler.h"

#include "base/os.h"

#include <algorithm>
#include <linux/capability.h>
#include <sys/prctl.h>

namespace vial {

namespace {

using namespace seccomp;

// --- From the table to a program ---

struct Runs {
    Run run[std::size(rows) * 2] = {};
    std::size_t count = 0;

    constexpr void add(std::uint32_t first, std::uint8_t fate, std::uint8_t weight)
    {
        if (count == 0 || run[count - 1].fate != fate)
            run[count++] = {first, fate, 0};
        run[count - 1].weight = static_cast<std::uint8_t>(run[count - 1].weight + weight);
    }
};

/// Numbers that nobody has go with a refusal before them, where there is one: two runs become one.
consteval Runs default_runs()
{
    const Calls calls = sorted_calls();
    Runs runs;
    std::uint32_t next = 0;
    std::uint8_t fate = Missing;
    for (std::size_t at = 0; at < calls.count; ++at) {
        const Call& call = calls.call[at];
        if (call.number != next) {
            fate = fate == Refuse ? Refuse : Missing;
            runs.add(next, fate, 0);
        }
        if (call.fate != Gone)
            fate = call.fate;
        runs.add(call.number, fate, call.often ? 4 : 0);
        next = call.number + 1;
    }
    runs.add(next, Missing, 0);
    if (x32_first != 0)
        runs.add(x32_first, Kill, 0);
    return runs;
}

constexpr Runs runs = default_runs();
constexpr Compiler<256> compiled({runs.run, runs.count});

template <std::size_t length>
consteval std::array<sock_filter, length> copied()
{
    std::array<sock_filter, length> program{};
    std::copy_n(compiled.program().begin(), length, program.begin());
    return program;
}

constexpr std::array program = copied<compiled.program().size()>();

consteval std::array<std::uint8_t, FateCount> all_places()
{
    std::array<std::uint8_t, FateCount> made{};
    for (std::size_t fate = 0; fate < FateCount; ++fate)
        made[fate] = static_cast<std::uint8_t>(compiled.place(fate));
    return made;
}

/// Where each fate stands, from the end.
constexpr std::array places = all_places();
static_assert(program.size() <= 200, "longer programs take longer to load: close a gap in the table instead");

// --- What a capability changes ---

struct Grant {
    std::uint8_t at;               ///< the instruction, from the end
    std::uint8_t one, or_another;  ///< capabilities
};

constexpr Grant grant(Fate fate, std::uint8_t one, std::uint8_t or_another)
{
    // Of a look at flags it is the second instruction, which then looks for none.
    return {static_cast<std::uint8_t>(compiled.place(fate) - (fate == Namespaces ? 1 : 0)), one, or_another};
}

constexpr Grant grants[] = {
    grant(Namespaces, CAP_SYS_ADMIN, CAP_SYS_ADMIN),
    grant(NamespacesUnseen, CAP_SYS_ADMIN, CAP_SYS_ADMIN),
    grant(Administrator, CAP_SYS_ADMIN, CAP_SYS_ADMIN),
    grant(Tracer, CAP_SYS_PTRACE, CAP_SYS_PTRACE),
    grant(Modules, CAP_SYS_MODULE, CAP_SYS_MODULE),
    grant(Ports, CAP_SYS_RAWIO, CAP_SYS_RAWIO),
    grant(KernelLog, CAP_SYSLOG, CAP_SYS_ADMIN),
    grant(Handles, CAP_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH),
    grant(Nodes, CAP_SYS_NICE, CAP_SYS_NICE),
    grant(Programs, 39, CAP_SYS_ADMIN),
    grant(Counters, 38, CAP_SYS_ADMIN),
};

}  // namespace

std::span<const sock_filter> default_filter()
{
    return program;
}

void allow_capable(std::span<sock_filter> filter, std::uint64_t capabilities)
{
    for (const Grant& grant : grants) {
        sock_filter& instruction = filter[filter.size() - grant.at];
        if (((capabilities >> grant.one | capabilities >> grant.or_another) & 1) != 0)
            instruction.k = instruction.code == leave ? SECCOMP_RET_ALLOW : 0;
    }
}

Fate default_fate(std::uint32_t number)
{
    // The program is followed as the kernel does it, up to where the fates begin.
    std::size_t at = 3;
    while (at < program.size() - compiled.fates()) {
        const sock_filter& instruction = program[at];
        const bool yes = instruction.code == equal ? number == instruction.k : number >= instruction.k;
        at += 1U + (yes ? instruction.jt : instruction.jf);
    }
    std::uint8_t fate = Allow;
    while (places[fate] != program.size() - at)
        fate++;
    return static_cast<Fate>(fate);
}

FilterFates default_fates()
{
    return {std::span(program).last(compiled.fates()), places};
}

Result<void> install_filter(std::span<const sock_filter> filter)
{
    sock_fprog whole{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
    auto installed = os::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, reinterpret_cast<unsigned long>(&whole),
                               "limit the system calls"_p);
    if (installed.number() == EINVAL)
        installed.error().because("this kernel has no filters for them (CONFIG_SECCOMP_FILTER)"_p);
    return installed;
}

Result<void> install_default_filter(std::uint64_t capabilities)
{
    if (architecture == 0)
        return Error("there is no filter for this architecture"_p, "limit the system calls"_p);
    auto filter = program;
    allow_capable(filter, capabilities);
    return install_filter(filter);
}

}  // namespace vial
