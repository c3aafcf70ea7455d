// SPDX-License-Identifier: MIT
#include "spec/diagnostic.h"

namespace vial {

void Problems::add(int line, int column, Text message)
{
    if (full())
        return;
    if (list_.size() == limit) {
        list_.push_back({0, 0, "there are more problems than these"_p});
        return;
    }
    // The settings, whose line is 0, come after the file.
    Diagnostic* place = &list_.emplace_back();
    for (; line != 0 && place != list_.begin(); --place) {
        const Diagnostic& before = place[-1];
        if (before.line != 0 && (before.line < line || (before.line == line && before.column <= column)))
            break;
        *place = before;
    }
    *place = {line, column, message};
}

void Problems::add(Text message)
{
    if (list_.size() < limit)
        list_.push_back({0, 0, message, true});
    else
        add(0, 0, message);
}

}  // namespace vial
