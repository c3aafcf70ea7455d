// SPDX-License-Identifier: MIT
#include "base/fd.h"

#include <unistd.h>

namespace vial {

void Fd::reset(int number)
{
    // Linux frees the number even where close(2) fails, so there is nothing to retry: by then it may
    // already be somebody else's.
    if (number_ >= 0)
        ::close(number_);
    number_ = number;
}

}  // namespace vial
