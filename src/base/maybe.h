// SPDX-License-Identifier: MIT
#pragma once

/// A value, or none.

#include <utility>

namespace vial {

/// As std::optional of a plain value; but a number travels in two registers and is looked at there, which the compiler does
/// not see through the library's union.
template <typename T>
class [[nodiscard]] Maybe {
public:
    constexpr Maybe() = default;
    constexpr Maybe(T value) : value_(std::move(value)), known_(true) {}

    constexpr bool has_value() const { return known_; }
    constexpr explicit operator bool() const { return known_; }
    constexpr T& operator*() { return value_; }
    constexpr const T& operator*() const { return value_; }
    constexpr T* operator->() { return &value_; }
    constexpr const T* operator->() const { return &value_; }
    constexpr T value_or(T fallback) const { return known_ ? value_ : fallback; }

    /// Whether it is there, and equal.
    template <typename Other>
    friend bool operator==(const Maybe& maybe, const Other& other)
    {
        return maybe.known_ && maybe.value_ == static_cast<T>(other);
    }

private:
    T value_{};
    bool known_ = false;
};

}  // namespace vial
