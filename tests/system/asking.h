// SPDX-License-Identifier: MIT
#pragma once

/// Asking a container's PID 1 directly, and what makes an answer.

#include "harness.h"

#include "base/json.h"

namespace vial::test {

/// A raw connection to a container's control socket.
class Line : public ControlLine {
public:
    explicit Line(const std::string& container) : ControlLine("/run/vial/" + container + "/control") {}
};

inline std::size_t count(std::string_view text, std::string_view part)
{
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size())
        found++;
    return found;
}

/// Each line of JSON, and the last one says how it went.
inline bool is_answer(const std::string& text)
{
    const auto all = lines(text);
    for (const std::string& line : all)
        if (!json::valid(line))
            return false;
    return !all.empty() && !json::member(all.back(), "ok").empty();
}

}  // namespace vial::test
