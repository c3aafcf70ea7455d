// SPDX-License-Identifier: MIT
#include "spec/toml_parser.h"

#include <limits>

namespace vial::toml {

namespace {

/// The value of a digit in bases up to 16, or 99.
unsigned digit_value(char letter)
{
    if (is_digit(letter))
        return static_cast<unsigned>(letter - '0');
    const char lower = static_cast<char>(letter | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a') + 10 : 99;
}

}  // namespace

/// TOML wants UTF-8 and, in any place, no control characters but tab and the newlines LF and CR LF. Knowing this of
/// the whole text, the rest of the parser need not think of it.
bool Parser::check_letters()
{
    for (std::size_t at = 0; at < text_.size();) {
        const std::size_t length = utf8_length(slice(text_, at));
        if (length == 0)
            return fail(at, "this is not UTF-8 text"_p);
        const auto letter = static_cast<unsigned char>(text_[at]);
        if (letter == '\r') {
            if (at + 1 == text_.size() || text_[at + 1] != '\n')
                return fail(at, "a carriage return without a newline"_p);
        } else if ((letter < 0x20 && letter != '\t' && letter != '\n') || letter == 0x7f) {
            return fail(at, "a control character (write it as \\u00XX in a string)"_p);
        }
        at += length;
    }
    return true;
}

bool Parser::scalar(Index node)
{
    const std::size_t start = at_;
    while (is_bare(peek()) || peek() == '.' || peek() == '+' || peek() == ':')
        ++at_;
    const std::string_view token = slice(text_, start, at_ - start);
    if (token.empty())
        return fail_here("a value");
    Node& to = document_.nodes[node];
    if (token == "true" || token == "false") {
        to.kind = Kind::Boolean;
        to.number = token == "true";
        return true;
    }
    const std::size_t sign = token[0] == '+' || token[0] == '-' ? 1 : 0;
    const std::string_view number = slice(token, sign);
    if (number == "inf" || number == "nan")
        return fail(start, "numbers with fractions are not supported"_p);
    if (number.empty() || !is_digit(number[0]))
        return fail(start, compose("text stands in quotes: write \"%\""_p, token));
    if (contains(number, ':') || number.find('-', 1) == 4)
        return fail(start, "dates and times are not supported"_p);
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
    std::string_view digits = slice(token, has_sign ? 1 : 0);
    unsigned base = 10;
    if (digits.size() > 1 && digits[0] == '0') {
        const char letter = digits[1];
        base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        if (base == 10 && (is_digit(letter) || letter == '_'))
            return fail(start, "a number does not begin with 0 (octal is written 0o755)"_p);
        if (base != 10)
            digits.remove_prefix(2);
        if (base != 10 && has_sign)
            return fail(start, "a hexadecimal, octal or binary number takes no sign"_p);
    }
    const std::uint64_t most =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) + (negative ? 1 : 0);
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
                return fail(start, "numbers with fractions are not supported"_p);
            return fail(start, compose("'%' is not a number; text stands in quotes"_p, token));
        }
        if (sum > (most - digit) / base)
            return fail(start, "this number is too large"_p);
        sum = sum * base + digit;
        after_digit = true;
    }
    if (!after_digit)
        return fail(start, compose("'%' is not a number; text stands in quotes"_p, token));
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
    Builder& decoded = document_.decoded;
    const std::size_t begin = decoded.size();
    for (;;) {
        if (at_end() || (!spans && at_newline()))
            return fail(start, "this string has no closing quote"_p);
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
    text = slice(decoded.view(), begin);
    return true;
}

bool Parser::escape(bool may_span_lines)
{
    const std::size_t start = at_++;
    if (may_span_lines && (is_blank(peek()) || at_newline())) {
        // A backslash at the end of a line: the text goes on at the next letter that is no blank.
        blanks();
        if (!at_newline())
            return fail(start, "a '\\' before blanks wants the end of the line after them"_p);
        while (is_blank(peek()) || at_newline())
            ++at_;
        return true;
    }
    constexpr std::string_view letters = "btnfr\"\\";
    constexpr std::string_view meanings = "\b\t\n\f\r\"\\";
    const char letter = peek();
    const std::size_t which = at_end() ? std::string_view::npos : position(letters, letter);
    if (which != std::string_view::npos) {
        document_.decoded += meanings[which];
        ++at_;
        return true;
    }
    const int digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits == 0)
        return fail(start, "unknown escape; a backslash itself is written \\\\, or in a 'literal' string"_p);
    unsigned point = 0;
    ++at_;
    for (int count = 0; count < digits; ++count, ++at_) {
        const unsigned digit = digit_value(peek());
        if (digit > 15)
            return fail(start,
                        letter == 'u' ? "\\u wants four hexadecimal digits"_p : "\\U wants eight hexadecimal digits"_p);
        point = point << 4 | digit;
    }
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return fail(start, "this is no Unicode character"_p);
    if (point == 0)
        return fail(start, "the NUL character is not supported: no path or argument can hold it"_p);
    append_utf8(document_.decoded, point);
    return true;
}

}  // namespace vial::toml
