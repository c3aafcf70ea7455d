// SPDX-License-Identifier: MIT
#pragma once

/// One owner for each open file descriptor.

#include <utility>

namespace vial {

/// Owns a descriptor and closes it. Every descriptor vial opens is close-on-exec; the few that another
/// program is meant to get are passed on by `os::keep_across_exec` or a dup2 where that happens.
class [[nodiscard]] Fd {
public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    Fd(Fd&& other) noexcept : number_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    [[gnu::always_inline]] ~Fd()
    {
        // What is visibly empty, since it was given away, is not worth a call.
        if (!__builtin_constant_p(number_ < 0) || number_ >= 0)
            close(number_);
    }

    int get() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    void reset(int number = -1);

private:
    /// Does nothing to a negative number.
    [[gnu::noinline]] static void close(int number);

    int number_ = -1;
};

}  // namespace vial
