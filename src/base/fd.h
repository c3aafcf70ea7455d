// SPDX-License-Identifier: MIT
#pragma once

/// One owner for each open file descriptor.

#include "base/result.h"

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
    [[gnu::always_inline]] Fd& operator=(Fd&& other) noexcept
    {
        reset(other.release());
        return *this;
    }
    [[gnu::always_inline]] ~Fd() { close_visible(number_); }

    int get() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    [[gnu::always_inline]] void reset(int number = -1) { close_visible(std::exchange(number_, number)); }

private:
    /// What is visibly empty, since it was given away, is not worth a call.
    [[gnu::always_inline]] static void close_visible(int number)
    {
        if (!__builtin_constant_p(number < 0) || number >= 0)
            close(number);
    }
    /// Does nothing to a negative number.
    [[gnu::noinline]] static void close(int number);

    int number_ = -1;
};

class Opened;
Result<Fd> relabel(Result<Fd> result, Phrase step, std::string_view object);

/// A descriptor on its way to the one who asked for it, or why there is none.
///
/// It travels in two registers, which a class with a destructor may not: until somebody owns it, nobody would close it.
/// So there is nothing to look at in it: `TRY` makes it an Fd at once, and who wants to look at a failure first
/// keeps it as an `Opened`.
template <>
class [[nodiscard]] Result<Fd> {
public:
    Result(Fd fd) : number_(fd.release()) {}
    Result(Error error) : error_(error) {}
    Result(Opened&& opened);

    Fd value_or(Fd fallback) const { return failed() ? std::move(fallback) : take(); }
    /// Relabels a failure; does nothing to a success.
    Result as(Phrase step, std::string_view object) { return relabel(*this, step, object); }

    // For TRY and Opened.
    bool failed() const { return !error_.none(); }
    Error error() const { return error_; }
    Fd take() const { return Fd(failed() ? -1 : number_); }

private:
    Error error_;
    union {  // as in every Result: written only where there is no error
        int number_;
    };
};

/// The owner of what was opened, or the failure to do so.
class [[nodiscard]] Opened {
public:
    Opened(Result<Fd> result) : error_(result.error()), fd_(result.take()) {}
    Opened(Opened&&) noexcept = default;
    [[gnu::always_inline]] Opened& operator=(Opened&&) noexcept = default;
    [[gnu::always_inline]] ~Opened() {}

    bool ok() const { return error_.none(); }
    explicit operator bool() const { return ok(); }
    bool failed() const { return !ok(); }
    Error& error() { return error_; }
    const Error& error() const { return error_; }
    /// errno of the failure, 0 on success.
    int number() const { return ok() ? 0 : error_->number; }

    Fd& value() { return fd_; }
    const Fd& value() const { return fd_; }
    Fd take() { return std::move(fd_); }

private:
    Error error_;
    Fd fd_;
};

inline Result<Fd>::Result(Opened&& opened) : error_(opened.error()), number_(opened.value().release()) {}

}  // namespace vial
