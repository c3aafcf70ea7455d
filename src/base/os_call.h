// SPDX-License-Identifier: MIT
#pragma once

/// How os_*.cc make one system call: ask the test's refusal first, then turn errno into an Error.
/// For those files only.

#include "base/os.h"

namespace vial::os {

/// The test's answer; nobody sets it in the product, so that the whole question vanishes from it.
extern Refusal refusal;
/// Whether the test refuses this call; errno is then set.
[[gnu::always_inline]] inline bool refused(const char* call)
{
    if (refusal == nullptr) [[likely]]
        return false;
    const int number = refusal(call);
    errno = number != 0 ? number : errno;
    return number != 0;
}

// A macro, because a refused call must not be made: an argument would be evaluated first.
#define CALL(name, expression) (refused(name) ? -1L : static_cast<long>(expression))

/// Calls again for as long as a signal gets in the way.
template <typename Function>
long uninterrupted(Function call)
{
    long outcome;
    do
        outcome = call();
    while (outcome < 0 && errno == EINTR);
    return outcome;
}

// How a call's outcome becomes a Result; on failure errno says why. The object's length is only asked for
// when there is something to report.
Result<void> done(long outcome, const char* step, const char* object = "");
Result<Fd> opened(long outcome, const char* step, const char* object = "");
Result<std::size_t> counted(long outcome, const char* step);

}  // namespace vial::os
