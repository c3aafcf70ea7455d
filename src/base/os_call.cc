// SPDX-License-Identifier: MIT
#include "base/os_call.h"

#include <unistd.h>

namespace vial::os {

namespace {

Refusal refusal = nullptr;

/// What the kernel answers: a small negative number is an errno.
[[gnu::always_inline]] inline long enter_kernel(long number, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__) && defined(__LP64__)
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = e;
    asm volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth) : "rcx", "r11", "memory");
    return number;
#elif defined(__aarch64__) && defined(__LP64__)
    register long called asm("x8") = number;
    register long first asm("x0") = a;
    register long second asm("x1") = b;
    register long third asm("x2") = c;
    register long fourth asm("x3") = d;
    register long fifth asm("x4") = e;
    asm volatile("svc 0" : "+r"(first) : "r"(called), "r"(second), "r"(third), "r"(fourth), "r"(fifth) : "memory");
    return first;
#else
    const long outcome = ::syscall(number, a, b, c, d, e);
    return outcome == -1 ? -errno : outcome;
#endif
}

}  // namespace

void refuse(Refusal refusal_)
{
    refusal = refusal_;
}

int refused(const Call& call)
{
    return refusal == nullptr || call.step.kept() == nullptr ? 0 : refusal(call.number);
}

VIAL_AT_REST Result<std::size_t> ask_kernel(long a, long b, long c, long d, long e, const Call& call)
{
    constexpr unsigned long greatest_number = 4095;
    for (;;) {
        const int refusal = refused(call);
        const long outcome = refusal != 0 ? -refusal : enter_kernel(call.number, a, b, c, d, e);
        if (static_cast<unsigned long>(outcome) < -greatest_number)
            return static_cast<std::size_t>(outcome);
        if (outcome == -EINTR && call.again)
            continue;
        const long arguments[] = {0, a, b, c, d};
        const auto* object = reinterpret_cast<const char*>(arguments[call.object]);
        // Without an object nothing is called that lies far from here: PID 1 at rest comes by.
        return Error(static_cast<int>(-outcome), call.step,
                     object != nullptr ? std::string_view(object) : std::string_view());
    }
}

VIAL_AT_REST Result<void> tell_kernel(long a, long b, long c, long d, long e, const Call& call)
{
    TRY(ask_kernel(a, b, c, d, e, call));
    return {};
}

Result<Fd> open_by_kernel(long a, long b, long c, long d, long e, const Call& call)
{
    return Fd(static_cast<int>(TRY(ask_kernel(a, b, c, d, e, call))));
}

}  // namespace vial::os
