// SPDX-License-Identifier: MIT
#include "base/features.h"

namespace vial {

Text left_out(std::string_view what, Feature feature)
{
    return compose("%: this vial was built without it (meson option '%')"_p, what, feature_name(feature));
}

}  // namespace vial
