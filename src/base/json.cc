// SPDX-License-Identifier: MIT
#include "base/json.h"

#include "base/text.h"

namespace vial::json {

namespace {

constexpr std::size_t deepest = 16;

// Everything below takes what it recognises off the front of `rest`; after a `false` the text is no JSON and
// `rest` stands somewhere in it.

void skip_blanks(Raw& rest)
{
    const std::size_t start = rest.find_first_not_of(" \t\n\r");
    rest.remove_prefix(start == rest.npos ? rest.size() : start);
}

bool skip(Raw& rest, std::string_view expected)
{
    if (!rest.starts_with(expected))
        return false;
    rest.remove_prefix(expected.size());
    return true;
}

bool skip_digits(Raw& rest)
{
    const Raw before = rest;
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9')
        rest.remove_prefix(1);
    return rest.size() != before.size();
}

bool skip_number(Raw& rest)
{
    (void)skip(rest, "-");
    if (!skip(rest, "0") && !skip_digits(rest))
        return false;
    if (skip(rest, ".") && !skip_digits(rest))
        return false;
    if (skip(rest, "e") || skip(rest, "E")) {
        (void)(skip(rest, "+") || skip(rest, "-"));
        return skip_digits(rest);
    }
    return true;
}

/// The value of \u's four digits.
Maybe<std::uint32_t> take_code(Raw& rest)
{
    if (rest.size() < 4)
        return {};
    std::uint32_t code = 0;
    for (const char letter : slice(rest, 0, 4)) {
        const char lower = static_cast<char>(letter | 0x20);
        if (letter >= '0' && letter <= '9')
            code = code << 4 | static_cast<std::uint32_t>(letter - '0');
        else if (lower >= 'a' && lower <= 'f')
            code = code << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
        else
            return {};
    }
    rest.remove_prefix(4);
    return code;
}

/// What follows a backslash.
bool take_escape(Raw& rest, Builder* decoded)
{
    if (rest.empty())
        return false;
    const char letter = rest[0];
    rest.remove_prefix(1);
    if (letter == 'u') {
        const auto code = take_code(rest);
        if (!code)
            return false;
        std::uint32_t point = *code;
        // Two halves of a pair make one character; a half alone becomes U+FFFD.
        if (point >= 0xd800 && point < 0xdc00 && rest.starts_with("\\u")) {
            Raw ahead = slice(rest, 2);
            const auto low = take_code(ahead);
            if (low && *low >= 0xdc00 && *low < 0xe000) {
                point = 0x10000 + ((point - 0xd800) << 10) + (*low - 0xdc00);
                rest = ahead;
            }
        }
        if (decoded != nullptr)
            append_utf8(*decoded, point);
        return true;
    }
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const std::size_t index = position(names, letter);
    if (index == names.npos)
        return false;
    if (decoded != nullptr)
        *decoded += meanings[index];
    return true;
}

/// A string with its quotes; its text goes to `decoded` where that is not null.
bool take_string(Raw& rest, Builder* decoded)
{
    if (!skip(rest, "\""))
        return false;
    while (!rest.empty()) {
        if (skip(rest, "\""))
            return true;
        if (skip(rest, "\\")) {
            if (!take_escape(rest, decoded))
                return false;
            continue;
        }
        const std::size_t length = utf8_length(rest);
        if (length == 0 || static_cast<unsigned char>(rest[0]) < 0x20)
            return false;
        if (decoded != nullptr)
            *decoded += slice(rest, 0, length);
        rest.remove_prefix(length);
    }
    return false;
}

/// An object's key and colon.
bool skip_key(Raw& rest)
{
    skip_blanks(rest);
    if (!take_string(rest, nullptr))
        return false;
    skip_blanks(rest);
    return skip(rest, ":");
}

bool skip_scalar(Raw& rest)
{
    if (rest.empty())
        return false;
    switch (rest[0]) {
    case '"':
        return take_string(rest, nullptr);
    case 't':
        return skip(rest, "true");
    case 'f':
        return skip(rest, "false");
    case 'n':
        return skip(rest, "null");
    default:
        return skip_number(rest);
    }
}

/// Any value, without recursion: `closing` holds the bracket that each open level waits for.
bool skip_value(Raw& rest)
{
    char closing[deepest];
    std::size_t depth = 0;
    do {
        // Here a value begins. A bracket opens a level, and unless that is empty the next value begins inside.
        skip_blanks(rest);
        const char first = rest.empty() ? '\0' : rest[0];
        if (first == '{' || first == '[') {
            if (depth == deepest)
                return false;
            rest.remove_prefix(1);
            closing[depth++] = first == '{' ? '}' : ']';
            skip_blanks(rest);
            if (!rest.starts_with(closing[depth - 1])) {
                if (first == '{' && !skip_key(rest))
                    return false;
                continue;
            }
        } else if (!skip_scalar(rest)) {
            return false;
        }
        // Here one has ended: close what it was the last of, up to a comma.
        while (depth != 0) {
            skip_blanks(rest);
            if (skip(rest, {&closing[depth - 1], 1})) {
                --depth;
                continue;
            }
            if (!skip(rest, ","))
                return false;
            if (closing[depth - 1] == '}' && !skip_key(rest))
                return false;
            break;
        }
    } while (depth != 0);
    return true;
}

/// A value without the blanks around it; empty where there is none.
Raw take_value(Raw& rest)
{
    skip_blanks(rest);
    const Raw start = rest;
    if (!skip_value(rest))
        return {};
    return slice(start, 0, start.size() - rest.size());
}

}  // namespace

bool valid(std::string_view text)
{
    if (!skip_value(text))
        return false;
    skip_blanks(text);
    return text.empty();
}

Raw member(Raw object, std::string_view key)
{
    skip_blanks(object);
    if (!skip(object, "{"))
        return {};
    do {
        Builder name;
        skip_blanks(object);
        if (!take_string(object, &name))
            return {};
        skip_blanks(object);
        if (!skip(object, ":"))
            return {};
        const Raw value = take_value(object);
        if (name.view() == key || value.empty())
            return value;
        skip_blanks(object);
    } while (skip(object, ","));
    return {};
}

Raw next_element(Raw& rest)
{
    skip_blanks(rest);
    // The array as a whole begins with its bracket; what an earlier call left, with a comma.
    if (skip(rest, "[") || skip(rest, ",")) {
        const Raw value = take_value(rest);
        if (!value.empty())
            return value;
    }
    rest = {};
    return {};
}

Raw next_member(Raw& rest, Raw& key)
{
    skip_blanks(rest);
    if (skip(rest, "{") || skip(rest, ",")) {
        key = take_value(rest);
        skip_blanks(rest);
        const Raw value = skip(rest, ":") ? take_value(rest) : Raw();
        if (!value.empty())
            return value;
    }
    rest = {};
    return {};
}

Maybe<std::int64_t> number(Raw value)
{
    Raw rest = value;
    if (!skip_number(rest) || !rest.empty())
        return {};
    const bool negative = value[0] == '-';
    value.remove_prefix(negative ? 1 : 0);
    // The most negative number is the one whose amount does not fit.
    if (negative && value == "9223372036854775808")
        return INT64_MIN;
    const auto amount = parse_number(value);
    if (!amount)
        return {};
    return negative ? -*amount : *amount;
}

Maybe<bool> boolean(Raw value)
{
    if (value == "true")
        return true;
    if (value == "false")
        return false;
    return {};
}

Maybe<Text> string(Raw value)
{
    Builder text;
    if (!take_string(value, &text) || !value.empty())
        return {};
    return Text(text);
}

}  // namespace vial::json
