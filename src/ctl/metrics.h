// SPDX-License-Identifier: MIT
#pragma once

/// What containers use, in OpenMetrics' text format, for a collector that comes by from time to time. Every metric is named
/// in vial(1); a name that has been given stays what it is.

#include "base/text.h"

namespace vial {

struct Metrics {
    Text container;
    Text answer;  ///< of its PID 1 to `stats`; empty: it does not run
};

/// A whole exposition, with the line that ends it. What a kernel does not count is left out.
Text open_metrics(const List<Metrics>& all);

}  // namespace vial
