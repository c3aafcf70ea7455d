// SPDX-License-Identifier: MIT
#pragma once

/// How a failure travels: as a value, from the system call that met it to the one line a person reads.
///
/// A function that can fail returns `Result<T>`; the caller writes `TRY(...)` and reads on as if
/// nothing could go wrong. An `Error` says what was tried (`step`), on what (`object`), why (`number`, or
/// `reason` where errno would mislead) and what to do (`advice`). It is put into words once, at the edge
/// (`describe`). A failure that was put into words elsewhere, in the container, travels on as an object without step
/// or reason. An Error owns no heap memory, so PID 1 can make one too.

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace vial {

/// The exit codes of the command line; see vial(1), "EXIT STATUS".
enum class ExitCode : int {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
};

struct [[nodiscard]] Error {
    static constexpr std::size_t object_capacity = 400;

    int number = 0;                     ///< an errno, or 0 where only `reason` speaks
    ExitCode exit = ExitCode::Failed;   ///< how the command ends when nobody handles this
    const char* step = "";              ///< a literal that completes "cannot ...": `mount`, `open the root`
    const char* reason = nullptr;       ///< a literal, in place of the errno's own words
    const char* advice = nullptr;       ///< a literal: what to do about it
    char object[object_capacity] = {};  ///< on what; a longer one keeps its end, which tells more

    Error(int number_, const char* step_, std::string_view object_ = {});
    Error(const char* reason_, const char* step_, std::string_view object_ = {});

    /// The same failure, told in the words of a caller who knows better what was tried.
    Error& as(const char* step_, std::string_view object_);
    Error& because(const char* reason_);
    Error& advise(const char* advice_);
    Error& exits(ExitCode code);
};

/// Writes `cannot STEP OBJECT: REASON; ADVICE` into `buffer`, cut to fit; returns the written part.
std::string_view describe(const Error& error, char* buffer, std::size_t size);

/// Enough for any description.
inline constexpr std::size_t description_capacity = 900;

template <typename T>
class [[nodiscard]] Result {
public:
    using Value = T;

    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(error) {}

    bool ok() const { return value_.has_value(); }
    explicit operator bool() const { return ok(); }

    T& value() { return *value_; }
    const T& value() const { return *value_; }
    T take() { return std::move(*value_); }
    T value_or(T fallback) { return ok() ? take() : std::move(fallback); }

    Error& error() { return error_; }
    const Error& error() const { return error_; }

    /// errno of the failure, 0 on success.
    int number() const { return ok() ? 0 : error_.number; }

    /// Relabels a failure; does nothing to a success.
    Result&& as(const char* step, std::string_view object) &&
    {
        if (!ok())
            error_.as(step, object);
        return std::move(*this);
    }

private:
    std::optional<T> value_;
    Error error_{0, ""};
};

template <>
class [[nodiscard]] Result<void> {
public:
    using Value = void;

    Result() = default;
    Result(Error error) : error_(error), ok_(false) {}

    bool ok() const { return ok_; }
    explicit operator bool() const { return ok_; }
    void take() const {}

    Error& error() { return error_; }
    const Error& error() const { return error_; }
    int number() const { return ok_ ? 0 : error_.number; }

    Result&& as(const char* step, std::string_view object) &&
    {
        if (!ok_)
            error_.as(step, object);
        return std::move(*this);
    }

private:
    Error error_{0, ""};
    bool ok_ = true;
};

#define VIAL_JOIN_(a, b) a##b
#define VIAL_JOIN(a, b) VIAL_JOIN_(a, b)
#define VIAL_TRY(expression, result)         \
    __extension__({                          \
        auto result = (expression);          \
        if (!result.ok()) [[unlikely]]       \
            return std::move(result.error()); \
        result.take();                       \
    })

/// The value of `expression`, or an early return with its error.
#define TRY(expression) VIAL_TRY(expression, VIAL_JOIN(try_, __COUNTER__))

}  // namespace vial
