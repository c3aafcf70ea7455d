// SPDX-License-Identifier: MIT
#pragma once

/// Saying things to people: tables, and errors in one line.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"

#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace vial {

/// To standard output. What cannot be written is not an error a person could act on, but the exit code tells:
/// see `output_failed`.
void print(std::string_view text);
bool output_failed();

/// `vial: MESSAGE` on standard error.
void print_error(std::string_view message);
/// `SUBJECT: cannot ...`; returns the exit code that belongs to it. An empty subject is vial itself.
int print_error(std::string_view subject, const Error& error);

/// Left-aligned columns, as wide as they need to be.
class Table {
public:
    static constexpr std::size_t columns_most = 8;
    explicit Table(std::initializer_list<std::string_view> heads) : columns_(heads.size()) { row(heads); }
    void row(std::initializer_list<std::string_view> cells);
    Text text() const;

private:
    std::size_t columns_;
    List<Text> cells_;
};

}  // namespace vial
