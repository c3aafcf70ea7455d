// SPDX-License-Identifier: MIT
#include "spec/diagnostic.h"

namespace vial {

std::string fill(std::string_view pattern, std::string_view first, std::string_view second)
{
    std::string text;
    for (const char letter : pattern) {
        if (letter != '%') {
            text += letter;
            continue;
        }
        text += first;
        first = second;
    }
    return text;
}

void Problems::add(int line, int column, std::string message)
{
    if (full())
        return;
    if (list_.size() == limit) {
        list_.push_back({0, 0, "there are more problems than these"});
        return;
    }
    // The settings, whose line is 0, come after the file.
    std::size_t place = list_.size();
    while (line != 0 && place > 0) {
        const Diagnostic& before = list_[place - 1];
        if (before.line != 0 && (before.line < line || (before.line == line && before.column <= column)))
            break;
        --place;
    }
    list_.insert(list_.begin() + static_cast<std::ptrdiff_t>(place), {line, column, std::move(message)});
}

}  // namespace vial
