// SPDX-License-Identifier: MIT
#pragma once

/// What is said on the console while the host's services come and go: `[ ok ] web 12 ms`; and who else is on it.

#include "base/result.h"
#include "supervise/service.h"

namespace vial {

/// See HostDuties.
void tell_console(std::string_view name, const Service& service, ServiceState before, Milliseconds took,
                  std::string_view why);

/// `vial: LINE`
void say(std::string_view line);
void say(const Error& error);

/// `/proc/self/exe` with this as its first word runs the words that follow on the console, as their terminal.
inline constexpr const char* console_word = "on-console";
/// Returns the exit code where that fails.
int become_console(char** words);

}  // namespace vial
