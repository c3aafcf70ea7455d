// SPDX-License-Identifier: MIT
#pragma once

/// Points in time, as people write and read them: always in UTC, for a small device knows no time zone, and a log that
/// was fetched from it is read elsewhere.

#include "base/text.h"

namespace vial {

/// Writes milliseconds since 1970 as `2026-11-24T10:00:00.123Z`.
void put_moment(Writer& to, std::int64_t at);

/// Milliseconds since 1970 of a time as `moment` writes it, where the fraction, the seconds, the clock and the Z may be missing and
/// a blank may stand for the T; of `@SECONDS` since 1970; or of a duration before `now`, as `10m`.
Maybe<std::int64_t> parse_moment(std::string_view text, std::int64_t now);

}  // namespace vial
