// SPDX-License-Identifier: MIT
#pragma once

/// Printing for people: text, and tables.

#include "base/complain.h"
#include "base/list.h"
#include "base/text.h"

#include <cstddef>
#include <string_view>

namespace vial {

/// To standard output. What cannot be written is not an error a person could act on, but the exit code tells:
/// see `output_failed`.
void print(std::string_view text);
bool output_failed();

/// Left-aligned columns, as wide as they need to be.
class Table {
public:
    static constexpr std::size_t columns_most = 8;
    /// The columns' heads, with `|` between them.
    explicit Table(std::string_view heads);
    /// The next cell, row by row.
    void cell(std::string_view text);
    Text text() const;

private:
    std::size_t columns_ = 0;
    List<Text> cells_;
};

}  // namespace vial
