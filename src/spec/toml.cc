// SPDX-License-Identifier: MIT
#include "spec/toml.h"

#include "base/text.h"

#include <limits>

namespace vial::toml {

namespace {

bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t';
}

bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

bool is_bare(char letter)
{
    const char lower = static_cast<char>(letter | 0x20);
    return is_digit(letter) || (lower >= 'a' && lower <= 'z') || letter == '_' || letter == '-';
}

/// The value of a digit in bases up to 16, or 99.
unsigned digit_value(char letter)
{
    if (is_digit(letter))
        return static_cast<unsigned>(letter - '0');
    const char lower = static_cast<char>(letter | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a') + 10 : 99;
}

/// The length of the UTF-8 sequence at the start of `text`; 0 where it is none (RFC 3629: shortest form, no
/// surrogates, at most U+10FFFF).
std::size_t utf8_length(std::string_view text)
{
    const auto byte = [&](std::size_t index) {
        return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    // Only the second byte's range depends on the first.
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(1) < low || byte(1) > high)
        return 0;
    const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    for (std::size_t index = 2; index < length; ++index) {
        if ((byte(index) & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

void append_utf8(std::string& to, unsigned point)
{
    if (point < 0x80) {
        to += static_cast<char>(point);
        return;
    }
    const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    const unsigned lead = more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0;
    to += static_cast<char>(lead | point >> (6 * more));
    for (int shift = 6 * (more - 1); shift >= 0; shift -= 6)
        to += static_cast<char>(0x80 | (point >> shift & 0x3f));
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
    Parser(Document& document, std::uint16_t source, Problems* problems)
        : document_(document), text_(document.sources[source]), source_(source), problems_(problems)
    {
    }

    bool check_letters();
    void whole_file();
    bool setting_key(Key& key);
    /// One value up to the very end of the text, into a node without a parent.
    Index lone_value();
    std::string_view rest() const { return text_.substr(at_); }

private:
    bool fail(std::size_t at, std::string_view pattern, std::string_view word = {});
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
    Problems* problems_;         ///< null: a failure is only an answer
    std::size_t at_ = 0;
    Index table_ = 0;            ///< what the last header opened
    std::uint32_t section_ = 0;  ///< that of `table_`
    std::uint32_t sections_ = 0;
    unsigned brackets_ = 0;      ///< how many arrays are open
};

bool Parser::fail(std::size_t at, std::string_view pattern, std::string_view word)
{
    if (problems_ != nullptr)
        document_.report_at(*problems_, source_, at, fill(pattern, word));
    return false;
}

/// `expected ..., found` what stands at `at_`.
bool Parser::fail_here(std::string_view expected)
{
    std::string found = "the end of the file";
    if (at_newline())
        found = "the end of the line";
    else if (!at_end())
        found = concat({"'", text_.substr(at_, utf8_length(text_.substr(at_))), "'"});
    return fail(at_, concat({"expected ", expected, ", found %"}), found);
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

/// TOML wants UTF-8 and, in any place, no control characters but tab and the newlines LF and CR LF. Knowing this of
/// the whole text, the rest of the parser need not think of it.
bool Parser::check_letters()
{
    for (std::size_t at = 0; at < text_.size();) {
        const std::size_t length = utf8_length(text_.substr(at));
        if (length == 0)
            return fail(at, "this is not UTF-8 text");
        const auto letter = static_cast<unsigned char>(text_[at]);
        if (letter == '\r') {
            if (at + 1 == text_.size() || text_[at + 1] != '\n')
                return fail(at, "a carriage return without a newline");
        } else if ((letter < 0x20 && letter != '\t' && letter != '\n') || letter == 0x7f) {
            return fail(at, "a control character (write it as \\u00XX in a string)");
        }
        at += length;
    }
    return true;
}

Index Parser::add(Index parent, Kind kind, Made made, std::string_view key, std::size_t at)
{
    const unsigned depth = document_[parent].depth + 1U;
    if (depth > depth_limit) {
        fail(at, "nested more than 16 deep");
        return 0;
    }
    if (document_.nodes.size() >= node_limit) {
        fail(at, "more than 8192 values");
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
    return fail_here("the end of the line");
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
        return fail_here(list ? "']]' after the table's name" : "']' after the table's name");
    at_ += list ? 2 : 1;

    Index table = 0;
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
            return fail(key.at[index], "'%' has a value already, which cannot be added to", key.part[index]);
        table = child;
    }
    const std::string_view name = key.part[key.count - 1];
    const std::size_t at = key.count == 1 ? start : key.at[key.count - 1];
    Index child = document_.find(table, name);
    if (list) {
        if (child == 0)
            child = add(table, Kind::Array, Made::List, name, start);
        else if (document_[child].made != Made::List)
            return fail(at, "'%' is something else already, not an array of tables", name);
        if (child != 0)
            child = add(child, Kind::Table, Made::Header, {}, start);
    } else if (child == 0) {
        child = add(table, Kind::Table, Made::Header, name, start);
    } else if (document_[child].made == Made::Implicit) {
        document_.nodes[child].made = Made::Header;
        document_.nodes[child].at = static_cast<std::uint32_t>(start);
    } else {
        return fail(at, "'%' is defined already", name);
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
        return fail_here("'=' after the key");
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
            return fail(key.at[index], "'%' is defined already, and a dotted key cannot add to it", key.part[index]);
        }
        table = child;
    }
    const std::string_view name = key.part[key.count - 1];
    if (document_.find(table, name) != 0)
        return fail(key.at[key.count - 1], "'%' is defined already", name);
    const Index node = add(table, Kind::Broken, Made::Value, name, key.at[key.count - 1]);
    return node != 0 && value(node);
}

bool Parser::key(Key& key)
{
    for (;; ++at_) {
        blanks();
        if (key.count == depth_limit)
            return fail(at_, "nested more than 16 deep");
        const std::size_t start = at_;
        std::string_view& part = key.part[key.count];
        key.at[key.count++] = start;
        if (peek() == '"' || peek() == '\'') {
            if (!string(part, false))
                return false;
        } else {
            while (is_bare(peek()))
                ++at_;
            part = text_.substr(start, at_ - start);
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
            return fail(start, "this array has no closing ']'");
        const Index element = add(node, Kind::Broken, Made::Value, {}, at_);
        if (element == 0 || !value(element))
            return false;
        blank_lines();
        if (peek() == ',')
            ++at_;
        else if (at_end())
            return fail(start, "this array has no closing ']'");
        else if (peek() != ']')
            return fail_here("',' or ']' in an array");
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
                return fail(at_, "a table in braces ends on its line: expected '}'");
            if (peek() != ',')
                return fail_here("',' or '}' in a table");
        }
    }
    ++at_;
    document_.nodes[node].kind = Kind::Table;
    return true;
}

bool Parser::scalar(Index node)
{
    const std::size_t start = at_;
    while (is_bare(peek()) || peek() == '.' || peek() == '+' || peek() == ':')
        ++at_;
    const std::string_view token = text_.substr(start, at_ - start);
    if (token.empty())
        return fail_here("a value");
    Node& to = document_.nodes[node];
    if (token == "true" || token == "false") {
        to.kind = Kind::Boolean;
        to.number = token == "true";
        return true;
    }
    const std::size_t sign = token[0] == '+' || token[0] == '-' ? 1 : 0;
    const std::string_view number = token.substr(sign);
    if (number == "inf" || number == "nan")
        return fail(start, "numbers with fractions are not supported");
    if (number.empty() || !is_digit(number[0]))
        return fail(start, "text stands in quotes: write \"%\"", token);
    if (number.find(':') != std::string_view::npos || number.find('-', 1) == 4)
        return fail(start, "dates and times are not supported");
    if (!integer(token, to.number))
        return false;
    to.kind = Kind::Integer;
    return true;
}

bool Parser::integer(std::string_view token, std::int64_t& number)
{
    const std::size_t start = at_ - token.size();
    const bool negative = token[0] == '-';
    const bool has_sign = negative || token[0] == '+';
    std::string_view digits = token.substr(has_sign ? 1 : 0);
    unsigned base = 10;
    if (digits.size() > 1 && digits[0] == '0') {
        const char letter = digits[1];
        base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        if (base == 10 && (is_digit(letter) || letter == '_'))
            return fail(start, "a number does not begin with 0 (octal is written 0o755)");
        if (base != 10)
            digits.remove_prefix(2);
        if (base != 10 && has_sign)
            return fail(start, "a hexadecimal, octal or binary number takes no sign");
    }
    const std::uint64_t most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) + (negative ? 1 : 0);
    std::uint64_t sum = 0;
    bool after_digit = false;
    for (const char letter : digits) {
        if (letter == '_' && after_digit) {
            after_digit = false;
            continue;
        }
        const unsigned digit = digit_value(letter);
        if (digit >= base) {
            if (base == 10 && (letter == '.' || letter == 'e' || letter == 'E'))
                return fail(start, "numbers with fractions are not supported");
            return fail(start, "'%' is not a number; text stands in quotes", token);
        }
        if (sum > (most - digit) / base)
            return fail(start, "this number is too large");
        sum = sum * base + digit;
        after_digit = true;
    }
    if (!after_digit)
        return fail(start, "'%' is not a number; text stands in quotes", token);
    number = static_cast<std::int64_t>(negative ? 0 - sum : sum);
    return true;
}

bool Parser::string(std::string_view& text, bool may_span_lines)
{
    const std::size_t start = at_;
    const char quote = peek();
    const bool spans = may_span_lines && peek(1) == quote && peek(2) == quote;
    at_ += spans ? 3 : 1;
    if (spans && at_newline())
        at_ += peek() == '\r' ? 2 : 1;
    std::string& decoded = document_.decoded;
    const std::size_t begin = decoded.size();
    for (;;) {
        if (at_end() || (!spans && at_newline()))
            return fail(start, "this string has no closing quote");
        const char letter = peek();
        if (letter == quote && !spans)
            break;
        if (letter == quote && peek(1) == quote && peek(2) == quote) {
            // Up to two quotes may stand before the three that end it.
            for (int more = 0; more < 2 && peek(3) == quote; ++more, ++at_)
                decoded += quote;
            break;
        }
        if (letter == '\\' && quote == '"') {
            if (!escape(spans))
                return false;
            continue;
        }
        ++at_;
        if (letter != '\r')  // always before a newline, which alone is kept
            decoded += letter;
    }
    at_ += spans ? 3 : 1;
    text = std::string_view(decoded).substr(begin);
    return true;
}

bool Parser::escape(bool may_span_lines)
{
    const std::size_t start = at_++;
    if (may_span_lines && (is_blank(peek()) || at_newline())) {
        // A backslash at the end of a line: the text goes on at the next letter that is no blank.
        blanks();
        if (!at_newline())
            return fail(start, "a '\\' before blanks wants the end of the line after them");
        while (is_blank(peek()) || at_newline())
            ++at_;
        return true;
    }
    constexpr std::string_view letters = "btnfr\"\\";
    constexpr std::string_view meanings = "\b\t\n\f\r\"\\";
    const char letter = peek();
    const std::size_t which = at_end() ? std::string_view::npos : letters.find(letter);
    if (which != std::string_view::npos) {
        document_.decoded += meanings[which];
        ++at_;
        return true;
    }
    const int digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits == 0)
        return fail(start, "unknown escape; a backslash itself is written \\\\, or in a 'literal' string");
    unsigned point = 0;
    ++at_;
    for (int count = 0; count < digits; ++count, ++at_) {
        const unsigned digit = digit_value(peek());
        if (digit > 15)
            return fail(start, letter == 'u' ? "\\u wants four hexadecimal digits" : "\\U wants eight hexadecimal digits");
        point = point << 4 | digit;
    }
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return fail(start, "this is no Unicode character");
    if (point == 0)
        return fail(start, "the NUL character is not supported: no path or argument can hold it");
    append_utf8(document_.decoded, point);
    return true;
}

bool Parser::setting_key(Key& key)
{
    if (this->key(key) && peek() == '=') {
        ++at_;
        return true;
    }
    return false;
}

Index Parser::lone_value()
{
    const auto node = static_cast<Index>(document_.nodes.size());
    document_.nodes.push_back({});
    document_.nodes[node].source = source_;
    blank_lines();
    if (!value(node))
        return 0;
    blank_lines();
    return at_end() ? node : 0;
}

}  // namespace

Document::Document(std::size_t capacity)
{
    decoded.reserve(capacity);
    Node root;
    root.kind = Kind::Table;
    root.made = Made::Header;
    nodes.push_back(root);
}

Index Document::find(Index table, std::string_view key) const
{
    for (Index child = nodes[table].first; child != 0; child = nodes[child].next) {
        if (nodes[child].key == key)
            return child;
    }
    return 0;
}

std::string Document::path(Index node) const
{
    std::string text;
    for (; node != 0; node = nodes[node].parent) {
        const std::string_view key = nodes[node].key;
        if (key.empty())
            continue;
        text.insert(0, text.empty() ? key : concat({key, "."}));
    }
    return text;
}

void Document::report_at(Problems& problems, std::uint16_t source, std::size_t at, std::string_view message) const
{
    if (source != 0) {
        // Cut, for the value may be a whole page.
        const std::string_view setting = sources[source];
        const bool cut = setting.size() > 40;
        problems.add(0, 0, concat({"--set ", setting.substr(0, cut ? 37 : 40), cut ? "...: " : ": ", message}));
        return;
    }
    int line = 1, column = 1;
    for (const char letter : sources[0].substr(0, at)) {
        if (letter == '\n') {
            ++line;
            column = 1;
        } else if ((letter & 0xc0) != 0x80) {  // not in the middle of a character
            ++column;
        }
    }
    problems.add(line, column, std::string(message));
}

void Document::report(Problems& problems, Index node, std::string_view pattern, std::string_view first,
                      std::string_view second) const
{
    report_at(problems, nodes[node].source, nodes[node].at, fill(pattern, first, second));
}

void read(Document& document, std::string_view text, Problems& problems)
{
    document.sources.push_back(text);
    Parser parser(document, 0, &problems);
    if (parser.check_letters())
        parser.whole_file();
}

void set(Document& document, std::string_view setting, Problems& problems)
{
    const auto source = static_cast<std::uint16_t>(document.sources.size());
    document.sources.push_back(setting);
    const auto complain = [&](std::string_view message) { document.report_at(problems, source, 0, message); };
    Key key;
    std::string_view text;
    {
        Parser parser(document, source, nullptr);
        if (!parser.setting_key(key))
            return complain("expected KEY=VALUE");
        text = parser.rest();
    }
    for (std::size_t at = 0; at < setting.size();) {
        const std::size_t length = utf8_length(setting.substr(at));
        if (length == 0)
            return complain("this is not UTF-8 text");
        at += length;
    }

    // The value is read as a text of its own, but its errors speak of the setting.
    document.sources[source] = text;
    Parser as_toml(document, source, nullptr);
    Index value = as_toml.check_letters() ? as_toml.lone_value() : 0;
    document.sources[source] = setting;
    if (value == 0) {
        const std::size_t start = text.find_first_not_of(" \t");
        if (start != std::string_view::npos && std::string_view("\"'[{").find(text[start]) != std::string_view::npos)
            return complain("the value begins like TOML but is not");
        value = static_cast<Index>(document.nodes.size());
        document.nodes.push_back({});
        document.nodes[value].kind = Kind::String;
        document.nodes[value].source = source;
        document.nodes[value].text = text;
    }
    Index table = 0;
    for (std::size_t index = 0; index < key.count; ++index) {
        if (document[table].kind != Kind::Table)
            return complain(fill("'%' is no table; give it as a whole", key.part[index - 1]));
        Index child = document.find(table, key.part[index]);
        if (child == 0) {
            child = static_cast<Index>(document.nodes.size());
            Node node;
            node.kind = Kind::Table;
            node.source = source;
            node.depth = static_cast<std::uint8_t>(document[table].depth + 1);
            node.parent = table;
            node.key = key.part[index];
            document.nodes.push_back(node);
            Node& above = document.nodes[table];
            (above.last != 0 ? document.nodes[above.last].next : above.first) = child;
            above.last = child;
        }
        table = child;
    }
    // The new value takes the old one's place among its siblings.
    const Node from = document[value];
    Node& to = document.nodes[table];
    to.kind = from.kind;
    to.made = Made::Value;
    to.source = source;
    to.text = from.text;
    to.number = from.number;
    to.first = from.first;
    to.last = from.last;
    for (Index child = to.first; child != 0; child = document[child].next)
        document.nodes[child].parent = table;
}

}  // namespace vial::toml
