// SPDX-License-Identifier: MIT
#pragma once

/// Errors for people: one line each, on standard error.

#include "base/result.h"

#include <string_view>

namespace vial {

/// `vial: MESSAGE` on standard error.
void print_error(std::string_view message);
/// `SUBJECT: cannot ...`; returns the exit code that belongs to it. An empty subject is vial itself.
int print_error(std::string_view subject, const Error& error);

}  // namespace vial
