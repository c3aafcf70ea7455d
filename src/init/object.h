// SPDX-License-Identifier: MIT
#pragma once

/// One JSON object after another on a line, written member by member without a heap.

#include "base/text.h"

namespace vial {

/// Stands for "there is no such number", which JSON says with `null`.
inline constexpr std::int64_t no_number = -1;

/// Puts in the braces, commas and quotes. Keys are literals of ours and need no escaping.
class ObjectWriter {
public:
    explicit ObjectWriter(Writer& out) : out_(out) { out_.put('{'); }

    void text(const char* key, std::string_view value);
    void null(const char* key);
    void number(const char* key, std::int64_t value);  ///< `no_number`: null
    void flag(const char* key, bool value);
    /// What is JSON already.
    void raw(const char* key, std::string_view value);
    /// What is put next belongs to an object of its own, until `close`.
    void open(const char* key);
    /// The same with a key that is not ours.
    void open_foreign(std::string_view key);
    void close();
    /// The last brace and the newline.
    void end();

private:
    void put_key(const char* key);

    Writer& out_;
    bool first_ = true;
};

/// `code` and `signal`, of how a process ended.
void put_code(ObjectWriter& out, int code, int signal);

}  // namespace vial
