// SPDX-License-Identifier: MIT
#include "supervise/service.h"

namespace vial {

std::string_view state_name(ServiceState state)
{
    constexpr std::string_view names[] = {"waiting",  "starting", "ready",   "reloading",
                                          "stopping", "backoff",  "stopped", "failed"};
    return names[static_cast<unsigned>(state)];
}

std::string_view reason_text(Reason reason)
{
    constexpr std::string_view texts[] = {"",
                                          "",
                                          "it ended before it was ready",
                                          "it was not ready in time",
                                          "its health probe failed",
                                          "it was started again too often",
                                          "requires "};
    return texts[static_cast<unsigned>(reason)];
}

}  // namespace vial
