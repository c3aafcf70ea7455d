// SPDX-License-Identifier: MIT
#pragma once

/// What the kernel would make of a call behind a filter.

#include <cerrno>
#include <cstring>
#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <span>

namespace vial {

inline constexpr std::uint32_t allowed = SECCOMP_RET_ALLOW;
inline constexpr std::uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
inline constexpr std::uint32_t missing = SECCOMP_RET_ERRNO | ENOSYS;
inline constexpr std::uint32_t no_family = SECCOMP_RET_ERRNO | EAFNOSUPPORT;

struct Verdict {
    std::uint32_t action;
    int steps;
};

/// What the kernel would make of the call: the few instructions that the filter is made of, one by one.
inline Verdict judge_call(std::span<const sock_filter> program, const seccomp_data& call)
{
    std::uint32_t accumulator = 0;
    int steps = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const sock_filter& instruction = program[at];
        ++steps;
        bool jumps = false;
        switch (instruction.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            REQUIRE(instruction.k + 4 <= sizeof call);
            std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + instruction.k, 4);
            continue;
        case BPF_RET | BPF_K:
            return {instruction.k, steps};
        case BPF_JMP | BPF_JA:
            at += instruction.k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            jumps = accumulator == instruction.k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            jumps = accumulator >= instruction.k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            jumps = accumulator > instruction.k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            jumps = (accumulator & instruction.k) != 0;
            break;
        default:
            FAIL("an instruction nobody expects: ", instruction.code);
        }
        at += jumps ? instruction.jt : instruction.jf;
    }
    FAIL("the program runs past its end");
    return {0, 0};
}

}  // namespace vial
