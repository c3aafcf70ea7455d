// SPDX-License-Identifier: MIT
#pragma once

/// The one door through which os_*.cc call the kernel: it asks the test's refusal first, and turns a failure into an
/// Error. For those files only.
///
/// A function of os.h is a jump to this door and a line in a table that says the rest, so that a hundred of them stay
/// small. The libc's own function is only asked where its structures differ from the kernel's, or where a word of this
/// machine has no room for an argument (`kernel_words`).

#include "base/os.h"
#include "base/syscall_numbers.h"

#include <cerrno>
#include <cstddef>
#include <type_traits>

namespace vial::os {

/// What there is to say of a system call besides its arguments.
struct Call {
    Phrase step;              ///< a literal that completes "cannot ..."; null where nobody hears of a failure
    std::uint16_t number;     ///< SYS_...
    std::uint8_t object = 0;  ///< which argument is the path that an error names, counted from 1; 0: none
    bool again = false;       ///< calls again for as long as a signal gets in the way
};

/// Whether offsets and times are one word for the kernel and the libc alike.
inline constexpr bool kernel_words = sizeof(long) == 8;

/// For a register that the kernel does not look at.
struct Unset {};

/// An argument as it goes into its register. Where it is shorter than one, the kernel looks at its own bits only: what
/// it takes as a long must be given as a long.
template <typename T>
[[gnu::always_inline]] inline long word(T value)
{
    if constexpr (std::is_null_pointer_v<T>) {
        return 0;
    } else if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<long>(value);
    } else if constexpr (std::is_same_v<T, Unset>) {
        long any;
        asm volatile("" : "=r"(any));  // volatile: each its own, or one would be copied to the others
        return any;
    } else if constexpr (sizeof(T) < sizeof(long)) {
        if (__builtin_constant_p(value))
            return static_cast<long>(value);
        long wide;
        asm("" : "=r"(wide) : "0"(value));
        return wide;
    } else {
        return static_cast<long>(value);
    }
}

// The door, for calls that answer with a number, with nothing, and with a descriptor.
Result<std::size_t> ask_kernel(long a, long b, long c, long d, long e, const Call& call);
Result<void> tell_kernel(long a, long b, long c, long d, long e, const Call& call);
Result<Fd> open_by_kernel(long a, long b, long c, long d, long e, const Call& call);

template <typename A = Unset, typename B = Unset, typename C = Unset, typename D = Unset, typename E = Unset>
[[gnu::always_inline]] inline Result<std::size_t> ask(const Call& call, A a = {}, B b = {}, C c = {}, D d = {},
                                                      E e = {})
{
    return ask_kernel(word(a), word(b), word(c), word(d), word(e), call);
}

template <typename A = Unset, typename B = Unset, typename C = Unset, typename D = Unset, typename E = Unset>
[[gnu::always_inline]] inline Result<void> tell(const Call& call, A a = {}, B b = {}, C c = {}, D d = {}, E e = {})
{
    return tell_kernel(word(a), word(b), word(c), word(d), word(e), call);
}

template <typename A = Unset, typename B = Unset, typename C = Unset, typename D = Unset, typename E = Unset>
[[gnu::always_inline]] inline Result<Fd> opened(const Call& call, A a = {}, B b = {}, C c = {}, D d = {}, E e = {})
{
    return open_by_kernel(word(a), word(b), word(c), word(d), word(e), call);
}

/// The errno with which the test refuses this call, or 0; what nobody hears of is not refused. Nobody refuses in the product, so that the question vanishes
/// from it.
int refused(const Call& call);

/// The same for the libc's function: -1, and errno says why.
template <typename Function>
Result<std::size_t> ask_library(const Call& call, const char* object, Function function)
{
    for (;;) {
        const int refusal = refused(call);
        const long outcome = refusal != 0 ? -1 : static_cast<long>(function());
        if (outcome >= 0)
            return static_cast<std::size_t>(outcome);
        const int number = refusal != 0 ? refusal : errno;
        if (number != EINTR || !call.again)
            return Error(number, call.step, object);
    }
}

}  // namespace vial::os
