// SPDX-License-Identifier: MIT
#pragma once

/// The parser behind toml.h, in two parts: toml_structure.cc knows tables, keys and arrays and TOML's rules about
/// defining things twice; toml_value.cc knows letters, strings and numbers.

#include "base/text.h"
#include "spec/toml.h"

namespace vial::toml {

inline bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t';
}

inline bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

inline bool is_bare(char letter)
{
    const char lower = static_cast<char>(letter | 0x20);
    return is_digit(letter) || (lower >= 'a' && lower <= 'z') || letter == '_' || letter == '-';
}

/// A possibly dotted key.
struct Key {
    std::string_view part[depth_limit];
    std::size_t at[depth_limit] = {};
    std::size_t count = 0;
};

/// Recursive descent; `at_` always stands at the next letter to read, and a function that returns false has
/// reported why. Depth is bounded where nodes are made (`add`).
class Parser {
public:
    /// `root`: the table that a file's keys and headers belong in.
    Parser(Document& document, std::uint16_t source, Problems* problems, Index root = 0)
        : document_(document),
          text_(document.sources[source]),
          source_(source),
          problems_(problems),
          root_(root),
          table_(root)
    {
    }

    bool check_letters();
    void whole_file();
    void setting();

private:
    bool fail(std::size_t at, std::string_view message);
    bool fail(std::size_t at, Phrase message) { return fail(at, Text(message)); }
    bool fail_here(std::string_view expected);
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    bool at_end() const { return at_ >= text_.size(); }
    bool at_newline() const { return peek() == '\n' || peek() == '\r'; }
    void blanks();
    void blank_lines();
    void line_end();

    Index add(Index parent, Kind kind, Made made, std::string_view key, std::size_t at);
    bool statement();
    bool header();
    bool pair(Index table, std::uint32_t section);
    bool key(Key& key);
    bool value(Index node);
    bool array(Index node);
    bool inline_table(Index node);
    bool scalar(Index node);
    bool integer(std::string_view token, std::int64_t& number);
    bool string(std::string_view& text, bool may_span_lines);
    bool escape(bool may_span_lines);

    Document& document_;
    std::string_view text_;
    std::uint16_t source_;
    Problems* problems_;  ///< null: a failure is only an answer
    std::size_t at_ = 0;
    Index root_;
    Index table_;                ///< what the last header opened
    std::uint32_t section_ = 0;  ///< that of `table_`
    std::uint32_t sections_ = 0;
    unsigned brackets_ = 0;  ///< how many arrays are open
};

}  // namespace vial::toml
