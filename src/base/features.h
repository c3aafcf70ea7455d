// SPDX-License-Identifier: MIT
#pragma once

/// What a build may leave out, each by the meson option of its name (meson_options.txt says what it is).
///
/// Nothing of this is asked while the program runs. Each answer is a constant, so the few places that lead into a feature are
/// compiled without it, and the linker leaves out what nobody calls any more; whoever wants it is told. The files themselves
/// are built all the same, and so are their tests.

#include "base/text.h"

#include <cstdint>
#include <string_view>

#ifndef VIAL_WITHOUT
#include <vial-features.h>  // made by meson: those left out, with blanks between them
#endif

namespace vial {

enum class Feature : std::uint8_t { Boot, Foreground, Images, Init, Launch, Logs, Network, Peers, Stats, Always };

/// In their order; Always has none.
inline constexpr std::string_view feature_names = "boot foreground images init launch logs network peers stats";

constexpr std::string_view feature_name(Feature feature)
{
    std::string_view rest = feature_names;
    for (auto before = static_cast<unsigned>(feature); before > 0; --before)
        rest.remove_prefix(rest.find(' ') + 1);
    return rest.substr(0, rest.find(' '));
}

/// A bit for each.
inline constexpr unsigned features_left_out = [] {
    unsigned bits = 0;
    for (unsigned each = 0; each < static_cast<unsigned>(Feature::Always); ++each)
        if (std::string_view(" " VIAL_WITHOUT " ").find(feature_name(static_cast<Feature>(each))) !=
            std::string_view::npos)
            bits |= 1U << each;
    return bits;
}();

constexpr bool built_with(Feature feature)
{
    return (features_left_out >> static_cast<unsigned>(feature) & 1U) == 0;
}

/// What to say to somebody who wants `what`, which is of that feature.
Text left_out(std::string_view what, Feature feature);

}  // namespace vial
