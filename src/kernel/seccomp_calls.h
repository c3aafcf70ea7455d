// SPDX-License-Identifier: MIT
#pragma once

/// The table of system calls (seccomp_calls.inc) with the numbers that they have here, for the compiler alone.
///
/// The numbers are the kernel's own headers'. Whoever includes this must not include anything that gives a call's name
/// another meaning, as some libc's <unistd.h> does with stat64.

#include "kernel/seccomp_fates.h"

#include <array>
#include <asm/unistd.h>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vial::seccomp {

/// A call that this architecture has not.
inline constexpr std::uint32_t none = 0xffffffff;

/// What a header's number looks like when it has been through the preprocessor: `3`, `(4000 + 3)`, `((0 +0x0f0000)+2)`; where there
/// is none, the name itself.
consteval std::uint32_t number_of(std::string_view text)
{
    std::uint32_t sum = 0;
    bool any = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '_')
            return none;
        if (text[at] < '0' || text[at] > '9')
            continue;
        const bool hexadecimal = text[at] == '0' && at + 1 < text.size() && text[at + 1] == 'x';
        const std::uint32_t base = hexadecimal ? 16 : 10;
        std::uint32_t number = 0;
        for (at += hexadecimal ? 2 : 0; at < text.size(); ++at) {
            const char letter = text[at];
            const bool digit = letter >= '0' && letter <= '9';
            if (!digit && !(hexadecimal && letter >= 'a' && letter <= 'f'))
                break;
            number = number * base + static_cast<std::uint32_t>(digit ? letter - '0' : letter - 'a' + 10);
        }
        sum += number;
        any = true;
    }
    return any ? sum : none;
}

#define VIAL_TEXT(...) #__VA_ARGS__
#define VIAL_NUMBER(name) ::vial::seccomp::number_of(VIAL_TEXT(name))

#ifdef __NR_Linux
/// Where the architecture's numbers begin: the three ABIs of MIPS have them one behind the other.
inline constexpr std::uint32_t first_call = __NR_Linux;
#else
inline constexpr std::uint32_t first_call = 0;
#endif
/// The newest that the table knows: what is behind it may be anything.
inline constexpr std::uint32_t newest_call = first_call + 469;

struct Call {
    std::string_view name;
    std::uint32_t number = none;
    std::uint8_t fate = Missing;
    bool often = false;
    std::uint16_t row = 0;
};

struct Row {
    const char* name;  ///< null: `fate` begins
    std::uint32_t number;
    Fate fate;
    bool often;
};

inline constexpr Row rows[] = {
#define GROUP(fate) {nullptr, none, fate, false},
#define CALL(name) {#name, VIAL_NUMBER(__NR_##name), Allow, false},
#define OFTEN(name) {#name, VIAL_NUMBER(__NR_##name), Allow, true},
#define NUMBERED(number, name) {#name, first_call + number, Allow, false},
#include "kernel/seccomp_calls.inc"
#undef GROUP
#undef CALL
#undef OFTEN
#undef NUMBERED
};

struct Calls {
    Call call[std::size(rows)] = {};
    std::size_t count = 0;
};

/// Those of this architecture, sorted by number. Of two names for one number the first in the table is kept.
consteval Calls sorted_calls()
{
    Calls made;
    Fate fate = Missing;
    for (std::size_t at_row = 0; at_row < std::size(rows); ++at_row) {
        const Row& row = rows[at_row];
        if (row.name == nullptr)
            fate = row.fate;
        if (row.name == nullptr || row.number == none)
            continue;
        std::size_t place = made.count;
        while (place > 0 && made.call[place - 1].number > row.number)
            --place;
        if (place > 0 && made.call[place - 1].number == row.number)
            continue;
        for (std::size_t at = made.count++; at > place; --at)
            made.call[at] = made.call[at - 1];
        made.call[place] = {row.name, row.number, fate, row.often, static_cast<std::uint16_t>(at_row)};
    }
    return made;
}

}  // namespace vial::seccomp
