// SPDX-License-Identifier: MIT
#pragma once

/// The names of the capabilities, see capabilities(7).

#include "base/maybe.h"

#include <cstdint>
#include <string_view>

namespace vial {

/// All that have a name here, CHOWN (0) to CHECKPOINT_RESTORE (40, Linux 5.9).
inline constexpr unsigned capability_count = 41;
inline constexpr std::uint64_t all_capabilities = (std::uint64_t{1} << capability_count) - 1;

/// The bit's number: `NET_ADMIN`, with or without `CAP_`, in upper or lower case.
Maybe<unsigned> parse_capability(std::string_view text);
/// `NET_ADMIN` for 12; empty for a bit without a name.
std::string_view capability_name(unsigned bit);

}  // namespace vial
