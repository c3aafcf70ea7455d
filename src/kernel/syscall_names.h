// SPDX-License-Identifier: MIT
#pragma once

/// The names of system calls, as in seccomp_calls.inc: those that this architecture has, and those that only others have.

#include <cstdint>
#include <string_view>

namespace vial {

/// One name after the other; those of this architecture come first, by number.
class SyscallNames {
public:
    static constexpr std::uint32_t elsewhere = 0xffffffff;

    SyscallNames();

    /// False: there are no more.
    bool next();
    std::string_view name() const { return {name_, size_}; }
    /// `elsewhere`: this architecture has no such call.
    std::uint32_t number() const { return number_; }

private:
    const char* pieces_[128];  ///< what a letter from 0x80 on stands for, up to a `|`
    char name_[32];
    std::size_t size_ = 0;
    std::size_t at_ = 0;
    std::uint32_t number_ = 0xffffffff;
};

}  // namespace vial
