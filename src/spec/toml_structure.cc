// SPDX-License-Identifier: MIT
#include "base/text.h"
#include "spec/toml_parser.h"

#include <utility>

namespace vial::toml {

bool Parser::fail(std::size_t at, std::string_view message)
{
    if (problems_ != nullptr)
        document_.report_at(*problems_, source_, at, message);
    return false;
}

/// `expected ..., found` what stands at `at_`.
bool Parser::fail_here(std::string_view expected)
{
    Text found = "the end of the file"_p;
    if (at_newline())
        found = "the end of the line"_p;
    else if (!at_end())
        found = compose("'%'", slice(text_, at_, utf8_length(slice(text_, at_))));
    return fail(at_, compose("expected %, found %"_p, expected, found));
}

void Parser::blanks()
{
    while (is_blank(peek()))
        ++at_;
}

/// Goes to the end of the line, over whatever stands there.
void Parser::line_end()
{
    while (!at_end() && !at_newline())
        ++at_;
}

/// Skips blanks, comments and newlines.
void Parser::blank_lines()
{
    for (;; ++at_) {
        blanks();
        if (peek() == '#')
            line_end();
        if (!at_newline())
            return;
    }
}

Index Parser::add(Index parent, Kind kind, Made made, std::string_view key, std::size_t at)
{
    const unsigned depth = document_[parent].depth + 1U;
    if (depth > depth_limit) {
        fail(at, "nested more than 16 deep"_p);
        return 0;
    }
    if (document_.nodes.size() >= node_limit) {
        fail(at, "more than 8192 values"_p);
        at_ = text_.size();
        return 0;
    }
    const auto index = static_cast<Index>(document_.nodes.size());
    Node node;
    node.kind = kind;
    node.made = made;
    node.depth = static_cast<std::uint8_t>(depth);
    node.source = source_;
    node.at = static_cast<std::uint32_t>(at);
    node.parent = parent;
    node.key = key;
    document_.nodes.push_back(node);
    Node& above = document_.nodes[parent];
    if (above.last != 0)
        document_.nodes[above.last].next = index;
    else
        above.first = index;
    above.last = index;
    return index;
}

void Parser::whole_file()
{
    for (;;) {
        blank_lines();
        if (at_end())
            return;
        brackets_ = 0;
        if (statement())
            continue;
        if (problems_->full())
            return;
        line_end();
        if (brackets_ == 0)
            continue;
        // The error stood inside an array that may go on for lines: the next key or header that is not indented
        // is the first thing that surely is none of its elements.
        while (!at_end()) {
            at_ += peek() == '\r' ? 2 : 1;
            if (is_bare(peek()) || peek() == '[')
                break;
            line_end();
        }
    }
}

bool Parser::statement()
{
    const bool done = peek() == '[' ? header() : pair(table_, section_);
    if (!done)
        return false;
    blanks();
    if (peek() == '#')
        line_end();
    if (at_end() || at_newline())
        return true;
    return fail_here("the end of the line"_p);
}

bool Parser::header()
{
    const std::size_t start = at_;
    const bool list = peek(1) == '[';
    at_ += list ? 2 : 1;
    // Until the header is known to be good, what follows it belongs to a table that nobody will look at.
    table_ = static_cast<Index>(document_.nodes.size());
    section_ = ++sections_;
    document_.nodes.push_back({});
    Key key;
    if (!this->key(key))
        return false;
    if (peek() != ']' || (list && peek(1) != ']'))
        return fail_here(list ? "']]' after the table's name"_p : "']' after the table's name"_p);
    at_ += list ? 2 : 1;

    Index table = root_;
    for (std::size_t index = 0; index + 1 < key.count; ++index) {
        Index child = document_.find(table, key.part[index]);
        if (child == 0) {
            child = add(table, Kind::Table, Made::Implicit, key.part[index], key.at[index]);
            if (child == 0)
                return false;
        }
        if (document_[child].made == Made::List)
            child = document_[child].last;
        if (document_[child].made == Made::Value)
            return fail(key.at[index], compose("'%' has a value already, which cannot be added to"_p, key.part[index]));
        table = child;
    }
    const std::string_view name = key.part[key.count - 1];
    const std::size_t at = key.count == 1 ? start : key.at[key.count - 1];
    Index child = document_.find(table, name);
    if (list) {
        if (child == 0)
            child = add(table, Kind::Array, Made::List, name, start);
        else if (document_[child].made != Made::List)
            return fail(at, compose("'%' is something else already, not an array of tables"_p, name));
        if (child != 0)
            child = add(child, Kind::Table, Made::Header, {}, start);
    } else if (child == 0) {
        child = add(table, Kind::Table, Made::Header, name, start);
    } else if (document_[child].made == Made::Implicit) {
        document_.nodes[child].made = Made::Header;
        document_.nodes[child].at = static_cast<std::uint32_t>(start);
    } else {
        return fail(at, compose("'%' is defined already"_p, name));
    }
    if (child == 0)
        return false;
    table_ = child;
    return true;
}

bool Parser::pair(Index table, std::uint32_t section)
{
    Key key;
    if (!this->key(key))
        return false;
    if (peek() != '=')
        return fail_here("'=' after the key"_p);
    ++at_;
    blanks();
    for (std::size_t index = 0; index + 1 < key.count; ++index) {
        Index child = document_.find(table, key.part[index]);
        if (child == 0) {
            child = add(table, Kind::Table, Made::Dotted, key.part[index], key.at[index]);
            if (child == 0)
                return false;
            document_.nodes[child].section = section;
        } else if (document_[child].made != Made::Dotted || document_[child].section != section) {
            return fail(key.at[index],
                        compose("'%' is defined already, and a dotted key cannot add to it"_p, key.part[index]));
        }
        table = child;
    }
    const std::string_view name = key.part[key.count - 1];
    if (document_.find(table, name) != 0)
        return fail(key.at[key.count - 1], compose("'%' is defined already"_p, name));
    const Index node = add(table, Kind::Broken, Made::Value, name, key.at[key.count - 1]);
    return node != 0 && value(node);
}

bool Parser::key(Key& key)
{
    for (;; ++at_) {
        blanks();
        if (key.count == depth_limit)
            return fail(at_, "nested more than 16 deep"_p);
        const std::size_t start = at_;
        std::string_view& part = key.part[key.count];
        key.at[key.count++] = start;
        if (peek() == '"' || peek() == '\'') {
            if (!string(part, false))
                return false;
        } else {
            while (is_bare(peek()))
                ++at_;
            part = slice(text_, start, at_ - start);
            if (part.empty())
                return fail_here("a key");
        }
        blanks();
        if (peek() != '.')
            return true;
    }
}

bool Parser::value(Index node)
{
    switch (peek()) {
    case '[':
        return array(node);
    case '{':
        return inline_table(node);
    case '"':
    case '\'':
        if (!string(document_.nodes[node].text, true))
            return false;
        document_.nodes[node].kind = Kind::String;
        return true;
    default:
        return scalar(node);
    }
}

bool Parser::array(Index node)
{
    const std::size_t start = at_++;
    ++brackets_;
    for (;;) {
        blank_lines();
        if (peek() == ']')
            break;
        if (at_end())
            return fail(start, "this array has no closing ']'"_p);
        const Index element = add(node, Kind::Broken, Made::Value, {}, at_);
        if (element == 0 || !value(element))
            return false;
        blank_lines();
        if (peek() == ',')
            ++at_;
        else if (at_end())
            return fail(start, "this array has no closing ']'"_p);
        else if (peek() != ']')
            return fail_here("',' or ']' in an array"_p);
    }
    ++at_;
    --brackets_;
    document_.nodes[node].kind = Kind::Array;
    return true;
}

bool Parser::inline_table(Index node)
{
    ++at_;
    // A section of its own, so that no dotted key outside these braces can add to what is made in them.
    const std::uint32_t section = ++sections_;
    blanks();
    if (peek() != '}') {
        for (;; ++at_) {
            blanks();
            if (!pair(node, section))
                return false;
            blanks();
            if (peek() == '}')
                break;
            if (at_newline() || at_end() || peek() == '#')
                return fail(at_, "a table in braces ends on its line: expected '}'"_p);
            if (peek() != ',')
                return fail_here("',' or '}' in a table"_p);
        }
    }
    ++at_;
    document_.nodes[node].kind = Kind::Table;
    return true;
}

/// Reads `KEY=VALUE` and puts the value where the key says, in place of what is there.
void Parser::setting()
{
    if (!check_letters())
        return;
    Problems* const problems = std::exchange(problems_, nullptr);  // a value that is no TOML is no problem yet
    Key key;
    const bool has_key = this->key(key) && peek() == '=';
    ++at_;
    blanks();
    const std::string_view text = slice(text_, at_);
    const auto apart = static_cast<Index>(document_.nodes.size());
    document_.nodes.push_back({});
    bool is_toml = has_key && value(apart);
    blanks();
    is_toml = is_toml && at_end();
    problems_ = problems;
    if (!has_key || (!is_toml && !text.empty() && contains("\"'[{", text[0]))) {
        fail(0, has_key ? "the value begins like TOML but is not"_p : "expected KEY=VALUE"_p);
        return;
    }
    Index node = 0;
    for (std::size_t index = 0; index < key.count; ++index) {
        if (document_[node].kind != Kind::Table) {
            fail(0, compose("'%' is no table; give it as a whole"_p, key.part[index - 1]));
            return;
        }
        Index child = document_.find(node, key.part[index]);
        if (child == 0)
            child = add(node, Kind::Table, Made::Value, key.part[index], 0);
        if (child == 0)
            return;
        node = child;
    }
    const Node& from = document_[apart];
    Node& to = document_.nodes[node];
    to.kind = is_toml ? from.kind : Kind::String;
    to.made = Made::Value;
    to.source = source_;
    to.text = is_toml ? from.text : text;
    to.number = from.number;
    to.first = from.first;
    to.last = from.last;
    for (Index child = to.first; child != 0; child = document_[child].next)
        document_.nodes[child].parent = node;
}

}  // namespace vial::toml
