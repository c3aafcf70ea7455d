// SPDX-License-Identifier: MIT
#pragma once

#include "base/features.h"

#include <doctest/doctest.h>

namespace vial {

/// For a case whose specs have a network, which a build without that refuses: `TEST_CASE("..." * with_network)`.
inline const auto with_network = doctest::skip(!built_with(Feature::Network));

}  // namespace vial
