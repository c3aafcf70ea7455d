// SPDX-License-Identifier: MIT
#pragma once

/// What a process tells the init that started it, if that wants to know: see sd_notify(3).

#include "base/result.h"

#include <string_view>

namespace vial {

/// Sends `text`, lines of `NAME=VALUE`, to the socket that NOTIFY_SOCKET names; where that is not set it does nothing. Nobody is
/// waited for: EAGAIN says that what was sent before has not been read yet.
Result<void> notify(std::string_view text);

}  // namespace vial
