// SPDX-License-Identifier: MIT
#include "base/fd.h"

#include "base/os_call.h"

namespace vial {

void Fd::close(int number)
{
    // Linux frees the number even where close(2) fails, so there is nothing to retry: by then it may
    // already be somebody else's.
    static constexpr os::Call call{nullptr, SYS_close};
    if (number >= 0)
        (void)os::tell(call, number);
}

Result<Fd> relabel(Result<Fd> result, Phrase step, std::string_view object)
{
    return result.failed() ? Error::relabel(result.error(), step, object) : result;
}

}  // namespace vial
