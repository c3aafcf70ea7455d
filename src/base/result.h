// SPDX-License-Identifier: MIT
#pragma once

/// How a failure travels: as a value, from the system call that met it to the one line a person reads.
///
/// A function that can fail returns `Result<T>`; the caller writes `TRY(...)` and reads on as if
/// nothing could go wrong. An `Error` says what was tried (`step`), on what (`object`), why (`number`, or
/// `reason` where errno would mislead) and what to do (`advice`). It is put into words once, at the edge
/// (`describe`). A failure that was put into words elsewhere, in the container, travels on as an object without step
/// or reason.
///
/// An Error is one pointer, so that a Result fits into registers: what it points to lives in a small ring that is
/// written over after `errors_alive` more of them. An Error is passed up and told, not kept: who has to do more
/// that may fail before telling it puts it into words first. There is no heap in this, so PID 1 can fail too.

#include <cerrno>
#include <cstddef>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace vial {

/// The exit codes of the command line; see vial(1), "EXIT STATUS".
enum class ExitCode : int {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    PayloadFailed = 126,   ///< the program is there, but cannot be executed
    PayloadMissing = 127,  ///< the program is not there
};

inline constexpr std::size_t errors_alive = 16;

class [[nodiscard]] Error {
public:
    static constexpr std::size_t object_capacity = 400;  ///< with its NUL

    /// All of it is written when an Error is made; initialisers here would put the ring into the file.
    struct Detail {
        int number;            ///< an errno, or 0 where only `reason` speaks
        ExitCode exit;         ///< how the command ends when nobody handles this
        const char* step;      ///< a literal that completes "cannot ...": `mount`, `open the root`
        const char* reason;    ///< a literal, in place of the errno's own words
        const char* advice;    ///< a literal: what to do about it
        char object[object_capacity];  ///< on what; a longer one keeps its end, which tells more
    };

    Error(int number, const char* step, std::string_view object = {});
    Error(const char* reason, const char* step, std::string_view object = {});

    const Detail* operator->() const { return detail_; }

    /// The same failure, told in the words of a caller who knows better what was tried.
    Error& as(const char* step, std::string_view object);
    Error& because(const char* reason);
    Error& advise(const char* advice);
    Error& exits(ExitCode code);

private:
    template <typename T>
    friend class Result;
    Error() = default;

    Detail* detail_ = nullptr;  ///< null only in a Result that is no failure
};

/// Writes `cannot STEP OBJECT: REASON; ADVICE` into `buffer`, cut to fit; returns the written part.
std::string_view describe(const Error& error, char* buffer, std::size_t size);

/// Enough for any description.
inline constexpr std::size_t description_capacity = 900;

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(error) {}

    bool ok() const { return error_.detail_ == nullptr; }
    explicit operator bool() const { return ok(); }

    T& value() { return *get(value_); }
    const T& value() const { return *get(value_); }
    T take() { return std::move(value()); }
    T value_or(T fallback) { return ok() ? take() : std::move(fallback); }

    Error& error() { return error_; }
    const Error& error() const { return error_; }

    /// errno of the failure, 0 on success.
    int number() const { return ok() ? 0 : error_->number; }

    /// Relabels a failure; does nothing to a success.
    Result&& as(const char* step, std::string_view object) &&
    {
        if (!ok())
            error_.as(step, object);
        return std::move(*this);
    }

private:
    template <typename V>
    static V* get(V& value)
    {
        return &value;
    }
    template <typename V>
    static V* get(std::optional<V>& value)
    {
        return &*value;
    }
    template <typename V>
    static const V* get(const std::optional<V>& value)
    {
        return &*value;
    }

    // What has an empty state holds it on failure; only the few things that never are empty need the optional.
    std::conditional_t<std::is_default_constructible_v<T>, T, std::optional<T>> value_{};
    Error error_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(error) {}

    bool ok() const { return error_.detail_ == nullptr; }
    explicit operator bool() const { return ok(); }
    void take() const {}

    Error& error() { return error_; }
    const Error& error() const { return error_; }
    int number() const { return ok() ? 0 : error_->number; }

    Result as(const char* step, std::string_view object)
    {
        if (!ok())
            error_.as(step, object);
        return *this;
    }

private:
    Error error_;
};

#define VIAL_JOIN_(a, b) a##b
#define VIAL_JOIN(a, b) VIAL_JOIN_(a, b)
#define VIAL_TRY(expression, result)     \
    __extension__({                      \
        auto result = (expression);      \
        if (!result.ok()) [[unlikely]]   \
            return result.error();       \
        result.take();                   \
    })

/// The value of `expression`, or an early return with its error.
#define TRY(expression) VIAL_TRY(expression, VIAL_JOIN(try_, __COUNTER__))

}  // namespace vial
