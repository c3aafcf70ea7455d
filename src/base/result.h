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

#include "base/packed.h"

#include <cerrno>
#include <cstddef>
#include <new>
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

class Fd;
template <typename T>
class Result;

inline constexpr std::size_t errors_alive = 12;

class [[nodiscard]] Error {
public:
    static constexpr std::size_t object_capacity = 400;  ///< with its NUL

    /// All of it is written when an Error is made; initialisers here would put the ring into the file.
    struct Detail {
        int number;                    ///< an errno, or 0 where only `reason` speaks
        ExitCode exit;                 ///< how the command ends when nobody handles this
        const char* step;              ///< kept phrase that completes "cannot ...": `mount`, `open the root`
        const char* reason;            ///< the same, in place of the errno's own words
        const char* advice;            ///< the same: what to do about it
        char object[object_capacity];  ///< on what; a longer one keeps its end, which tells more
    };

    Error(int number, Phrase step, std::string_view object = {}) : detail_(make(number, nullptr, step, object)) {}
    Error(Phrase reason, Phrase step, std::string_view object = {}) : detail_(make(0, reason, step, object)) {}

    const Detail* operator->() const { return detail_; }

    /// The same failure, told in the words of a caller who knows better what was tried.
    Error& as(Phrase step, std::string_view object) { return *this = relabel(*this, step, object); }
    Error& because(Phrase reason)
    {
        detail_->reason = reason.kept();
        return *this;
    }
    Error& advise(Phrase advice)
    {
        detail_->advice = advice.kept();
        return *this;
    }
    Error& exits(ExitCode code)
    {
        detail_->exit = code;
        return *this;
    }

private:
    template <typename T>
    friend class Result;
    template <typename T, bool>
    friend struct ResultStore;
    friend class Opened;
    friend Result<Fd> relabel(Result<Fd> result, Phrase step, std::string_view object);
    Error() = default;
    static Detail* make(int number, Phrase reason, Phrase step, std::string_view object);
    /// Gives the error back, so that it stays in its register; does nothing to none.
    static Error relabel(Error error, Phrase step, std::string_view object);
    bool none() const { return detail_ == nullptr; }

    Detail* detail_ = nullptr;  ///< null only in a Result that is no failure
};

/// Writes `cannot STEP OBJECT: REASON; ADVICE` into `buffer`, cut to fit; returns the written part.
std::string_view describe(const Error& error, char* buffer, std::size_t size);

/// Enough for any description.
inline constexpr std::size_t description_capacity = 900;

/// What a Result holds: a value only where there is no error, so that a failure costs neither its making nor its end.
template <typename T, bool = std::is_trivially_destructible_v<T>>
struct ResultStore {
    ResultStore(T&& given) : value(std::move(given)) {}
    ResultStore(Error given) : error(given) {}

    Error error;
    union {
        T value;
    };
};

template <typename T>
struct ResultStore<T, false> {
    ResultStore(T&& given) : value(std::move(given)) {}
    ResultStore(Error given) : error(given) {}
    ResultStore(ResultStore&& other) noexcept : error(other.error)
    {
        if (error.none())
            new (&value) T(std::move(other.value));
    }
    ResultStore& operator=(ResultStore&& other) noexcept
    {
        this->~ResultStore();
        new (this) ResultStore(std::move(other));
        return *this;
    }
    [[gnu::always_inline]] ~ResultStore()
    {
        if (error.none())
            value.~T();
    }

    Error error;
    union {
        T value;
    };
};

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : outcome_(std::move(value)) {}
    Result(Error error) : outcome_(error) {}

    bool ok() const { return outcome_.error.none(); }
    bool failed() const { return !ok(); }
    explicit operator bool() const { return ok(); }

    T& value() { return outcome_.value; }
    const T& value() const { return outcome_.value; }
    T take() { return std::move(value()); }
    T value_or(T fallback) { return ok() ? take() : std::move(fallback); }

    Error& error() { return outcome_.error; }
    const Error& error() const { return outcome_.error; }

    /// errno of the failure, 0 on success.
    int number() const { return ok() ? 0 : error()->number; }

    /// Relabels a failure; does nothing to a success.
    Result&& as(Phrase step, std::string_view object) &&
    {
        error() = Error::relabel(error(), step, object);
        return std::move(*this);
    }

private:
    ResultStore<T> outcome_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(error) {}

    bool ok() const { return error_.none(); }
    bool failed() const { return !ok(); }
    explicit operator bool() const { return ok(); }
    void take() const {}

    Error& error() { return error_; }
    const Error& error() const { return error_; }
    int number() const { return ok() ? 0 : error_->number; }

    Result as(Phrase step, std::string_view object) { return Error::relabel(error_, step, object); }

private:
    Error error_;
};

#define VIAL_JOIN_(a, b) a##b
#define VIAL_JOIN(a, b) VIAL_JOIN_(a, b)
#define VIAL_TRY(expression, result)      \
    __extension__({                       \
        auto result = (expression);       \
        if (result.failed()) [[unlikely]] \
            return result.error();        \
        result.take();                    \
    })

/// The value of `expression`, or an early return with its error.
#define TRY(expression) VIAL_TRY(expression, VIAL_JOIN(try_, __COUNTER__))

}  // namespace vial
