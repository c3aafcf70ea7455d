// SPDX-License-Identifier: MIT
#pragma once

/// Talking to a container's PID 1 over its control socket.
///
/// The other side may be hostile: it gets a bounded time and a bounded number of bytes, and what it says is only shown.

#include "base/result.h"
#include "base/text.h"

#include <string_view>

namespace vial {

/// The JSON lines that PID 1 of `name` answers to `request`, without the last one, `{"ok":...}`; where that says it
/// failed, its words are the Error.
Result<Text> ask(Text name, std::string_view request);

/// The same for an answer without an end in sight: each of its lines goes to `hear` as it comes. Takes no memory. The answer
/// ends as above, or when `hear` says false, or with an Error after `timeout` milliseconds; -1: never.
Result<void> ask_and_hear(Text name, std::string_view request, bool (*hear)(std::string_view line),
                          std::int64_t timeout = -1);

}  // namespace vial
