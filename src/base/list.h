// SPDX-License-Identifier: MIT
#pragma once

/// A list that grows, out of the arena.
///
/// All lists share one piece of code that makes room, whatever they hold: an element must be of a kind that may be
/// moved by copying its bytes, which holds for everything in vial (a text, a descriptor's owner, structs of those).
/// A list of plain values has no destructor, and what was moved from it is not looked at again; one of owners can only
/// be moved.

#include "base/arena.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <type_traits>
#include <utility>

namespace vial {

/// What all lists have in common.
struct ListBytes {
    void* data = nullptr;
    std::uint32_t size = 0, capacity = 0;

    /// Makes room for `count` more elements and returns the place of the first.
    void* add(std::size_t element_size, std::size_t count = 1);
};

/// The elements' end: nothing to do for plain values.
template <typename T, bool = std::is_trivially_destructible_v<T>>
struct ListEnd : ListBytes {
    ListEnd() = default;
    ListEnd(const ListEnd& other) : ListBytes()
    {
        const T* element = static_cast<const T*>(other.data);
        for (std::uint32_t left = other.size; left != 0; --left)
            new (this->add(sizeof(T))) T(*element++);
    }
    ListEnd(ListEnd&&) noexcept = default;
    ListEnd& operator=(const ListEnd& other)
    {
        if (this != &other)
            *this = ListEnd(other);
        return *this;
    }
    ListEnd& operator=(ListEnd&&) noexcept = default;
};

template <typename T>
struct ListEnd<T, false> : ListBytes {
    ListEnd() = default;
    ListEnd(const ListEnd&) = delete;
    ListEnd& operator=(const ListEnd&) = delete;
    ListEnd(ListEnd&& other) noexcept : ListBytes(std::exchange(static_cast<ListBytes&>(other), {})) {}
    ListEnd& operator=(ListEnd&& other) noexcept
    {
        std::swap(static_cast<ListBytes&>(*this), static_cast<ListBytes&>(other));
        return *this;
    }
    ~ListEnd()
    {
        for (T* element = static_cast<T*>(data); size != 0; ++element, --size)
            element->~T();
    }
};

template <typename T>
class List : ListEnd<T> {
    /// What fits into registers is passed in them, the rest where it lies.
    // NOLINTNEXTLINE(bugprone-sizeof-expression): it may be a pointer
    using Plain = std::conditional_t<sizeof(T) <= 2 * sizeof(long), T, const T&>;
    using Passed = std::conditional_t<std::is_trivially_copyable_v<T>, Plain, T&&>;

public:
    using value_type = T;

    List() = default;
    List(std::initializer_list<T> elements)
    {
        for (const T& element : elements)
            push_back(T(element));
    }

    T& push_back(Passed element)
    {
        return *new (this->add(sizeof(T))) T(std::forward<Passed>(element));  // NOLINT(bugprone-sizeof-expression)
    }
    T& emplace_back() { return *new (this->add(sizeof(T))) T(); }
    void append(const T* elements, std::size_t count)
    {
        static_assert(std::is_trivially_copyable_v<T>);
        if (count != 0)
            std::memcpy(this->add(sizeof(T), count), elements, count * sizeof(T));
    }
    void clear()
    {
        while (!empty())
            pop_back();
    }
    void pop_back() { data()[--this->ListBytes::size].~T(); }

    std::size_t size() const { return this->ListBytes::size; }
    bool empty() const { return size() == 0; }
    T* data() { return static_cast<T*>(this->ListBytes::data); }
    const T* data() const { return static_cast<const T*>(this->ListBytes::data); }
    T* begin() { return data(); }
    T* end() { return data() + size(); }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size(); }
    T& operator[](std::size_t index) { return data()[index]; }
    const T& operator[](std::size_t index) const { return data()[index]; }
    T& front() { return data()[0]; }
    const T& front() const { return data()[0]; }
    T& back() { return end()[-1]; }
    const T& back() const { return end()[-1]; }

    bool contains(const T& wanted) const
    {
        for (const T& element : *this) {
            if (element == wanted)
                return true;
        }
        return false;
    }

    friend bool operator==(const List& one, const List& other)
    {
        return std::equal(one.begin(), one.end(), other.begin(), other.end());
    }
};

}  // namespace vial
