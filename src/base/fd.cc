// SPDX-License-Identifier: MIT
#include "base/fd.h"

#include <unistd.h>

namespace vial {

void Fd::close(int number)
{
    // Linux frees the number even where close(2) fails, so there is nothing to retry: by then it may
    // already be somebody else's.
    if (number >= 0)
        ::close(number);
}

Result<Fd> relabel(Result<Fd> result, const char* step, std::string_view object)
{
    return result.failed() ? Error::relabel(result.error(), step, object) : result;
}

}  // namespace vial
