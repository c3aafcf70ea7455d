// SPDX-License-Identifier: MIT
#pragma once

/// What is wrong with a spec, in the order of the file, all of it in one go.

#include "base/list.h"
#include "base/text.h"

#include <string_view>

namespace vial {

struct Diagnostic {
    int line = 0, column = 0;  ///< from 1, columns in characters; line 0: about the whole, or about a `--set`
    Text message;
    bool names_place = false;  ///< the message does: a drop-in, or a `--set`
};

/// Collects diagnostics, sorted by place. Past `limit` only the fact that there are more is kept: a file that
/// is no spec at all should not scroll the screen away.
class Problems {
public:
    static constexpr std::size_t limit = 20;

    void add(int line, int column, Text message);
    /// Of one whose message says where that is; it comes after those of the file.
    void add(Text message);
    bool none() const { return list_.empty(); }
    /// Nothing more will be kept: going on costs time for nothing, and a hostile file could make it much.
    bool full() const { return list_.size() > limit; }
    List<Diagnostic> take() { return std::move(list_); }

private:
    List<Diagnostic> list_;
};

}  // namespace vial
