// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <algorithm>
#include <cstring>

namespace vial {

Decimal::Decimal(std::int64_t number) : start_(digits_ + sizeof digits_)
{
    // The most negative number has no positive twin: count in unsigned.
    std::uint64_t rest = number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
    do
        *--start_ = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        *--start_ = '-';
}

bool operator==(std::string_view text, const char* word)
{
    return text == std::string_view(word);
}

Text::Text(std::string_view passing) : Text(concat(passing)) {}

namespace {

bool is_piece(char letter)
{
    return static_cast<unsigned char>(letter) >= 0x80;
}

}  // namespace

std::string_view unpacked(const char& letter)
{
    if (!is_piece(letter))
        return {&letter, 1};
    std::size_t at = 0;
    for (unsigned before = static_cast<unsigned char>(letter) - 0x80; before != 0; ++at)
        before -= packed::pieces[at] == '|' ? 1U : 0U;
    std::string_view rest = slice(packed::pieces, at);
    return take_until(rest, '|');
}

Text unpack(std::string_view kept)
{
    Builder whole;
    for (const char& letter : kept)
        whole += unpacked(letter);
    return whole;
}

Phrase::operator Text() const
{
    return unpack(kept_);
}

char* Builder::room(std::size_t count)
{
    // With the NUL's place, which whoever fills the room writes.
    void* place = add(1, count + 1);
    ListBytes::size -= static_cast<std::uint32_t>(count + 1);
    return static_cast<char*>(place);
}

Builder& Builder::operator+=(std::string_view text)
{
    char* place = room(text.size());
    if (!text.empty())
        std::memcpy(place, text.data(), text.size());
    took(text.size());
    return *this;
}

void Builder::pad(std::size_t count)
{
    while (count-- != 0)
        *this += ' ';
}

void Builder::took(std::size_t count)
{
    cut(size() + count);
}

void Builder::cut(std::size_t size)
{
    ListBytes::size = static_cast<std::uint32_t>(size);
    *room(0) = '\0';
}

void values::fill(Sink sink, const char* pattern, Kinds kinds, std::va_list given)
{
    const auto put = [&](std::string_view part) { sink.put(sink.to, part); };
    while (true) {
        const char* end = pattern;
        while (*end != '\0' && !is_piece(*end) && (*end != '%' || kinds == 0))
            ++end;
        put(std::string_view(pattern, static_cast<std::size_t>(end - pattern)));
        pattern = *end == '\0' ? end : end + 1;
        if (is_piece(*end)) {
            put(unpacked(*end));
            continue;
        }
        switch (kinds & 3) {
        case Literal:
            put(va_arg(given, const char*));
            break;
        case View: {
            const auto view = va_arg(given, Slice);
            put(std::string_view(view.data, view.size));
            break;
        }
        case Number:
            put(Decimal(va_arg(given, std::int64_t)));
            break;
        default:
            return;
        }
        kinds >>= 2;
    }
}

namespace {

values::Sink sink_of(Builder& builder)
{
    return {&builder, [](void* to, std::string_view part) { *static_cast<Builder*>(to) += part; }};
}

}  // namespace

// What is passed to these was counted and sorted when they were compiled.

void Builder::add_values(const char* pattern, values::Kinds kinds, ...)  // NOLINT(cert-dcl50-cpp)
{
    std::va_list given;
    va_start(given, kinds);
    values::fill(sink_of(*this), pattern, kinds, given);
    va_end(given);
}

Writer& Writer::put_all(const char* pattern, values::Kinds kinds, std::va_list given)
{
    values::fill({this, [](void* to, std::string_view part) { static_cast<Writer*>(to)->put(part); }}, pattern, kinds,
                 given);
    return *this;
}

Writer& Writer::put_values(const char* pattern, values::Kinds kinds, ...)  // NOLINT(cert-dcl50-cpp)
{
    std::va_list given;
    va_start(given, kinds);
    put_all(pattern, kinds, given);
    va_end(given);
    return *this;
}

Text compose_values(const char* pattern, values::Kinds kinds, ...)  // NOLINT(cert-dcl50-cpp)
{
    Builder whole;
    std::va_list given;
    va_start(given, kinds);
    values::fill(sink_of(whole), pattern, kinds, given);
    va_end(given);
    return whole;
}

Text decimal(std::int64_t number)
{
    return concat(number);
}

// --- JSON strings and UTF-8 ---

std::size_t utf8_length(std::string_view text)
{
    if (text.empty())
        return 0;
    const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
    const unsigned first = byte(0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || text.size() < length)
        return 0;
    for (std::size_t index = 1; index < length; ++index) {
        if ((byte(index) & 0xc0) != 0x80)
            return 0;
    }
    // Too long a form of something shorter, a surrogate, or past the last code point.
    const unsigned second = byte(1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
        return 0;
    return length;
}

char take_printable(std::string_view& text)
{
    const auto byte = static_cast<unsigned char>(text[0]);
    // U+0080 to U+009F, too: U+009B is what ESC [ is.
    const bool second_set = byte == 0xc2 && text.size() > 1 && (text[1] & 0xe0) == 0x80;
    text.remove_prefix(second_set ? 2 : 1);
    return second_set || byte < 0x20 || byte == 0x7f ? '?' : static_cast<char>(byte);
}

void append_utf8(Builder& to, std::uint32_t point)
{
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        point = 0xfffd;
    const auto put = [&](std::uint32_t byte) { to += static_cast<char>(byte); };
    const auto more = [&](unsigned shift) { put(0x80 | (point >> shift & 0x3f)); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xc0 | point >> 6);
        more(0);
    } else if (point < 0x10000) {
        put(0xe0 | point >> 12);
        more(6), more(0);
    } else {
        put(0xf0 | point >> 18);
        more(12), more(6), more(0);
    }
}

namespace {

/// Takes one character, or a run of those that stand for themselves, off the front of `text`; returns it as
/// it stands in a JSON string. Every control character is escaped, those beyond ASCII too: JSON is read on terminals.
std::string_view take_escaped(std::string_view& text, char (&scratch)[6])
{
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] >= 0x20 && text[plain] < 0x7f && text[plain] != '"' &&
           text[plain] != '\\')
        ++plain;
    if (plain != 0) {
        const std::string_view run = slice(text, 0, plain);
        text.remove_prefix(plain);
        return run;
    }

    const std::size_t length = utf8_length(text);
    const std::string_view character = slice(text, 0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
    if (length == 0)
        return "\xef\xbf\xbd";
    unsigned code = static_cast<unsigned char>(character[0]);
    if (length > 1) {
        const unsigned second = static_cast<unsigned char>(character[1]);
        if (code != 0xc2 || second > 0x9f)
            return character;
        code = second;  // U+0080 to U+009F
    }

    constexpr std::string_view named = "\"\\\b\f\n\r\t", names = "\"\\bfnrt";
    scratch[0] = '\\';
    const std::size_t found = position(named, static_cast<char>(code));
    if (found != named.npos) {
        scratch[1] = names[found];
        return {scratch, 2};
    }
    constexpr char hexadecimal[] = "0123456789abcdef";
    scratch[1] = 'u';
    scratch[2] = scratch[3] = '0';
    scratch[4] = hexadecimal[code >> 4];
    scratch[5] = hexadecimal[code & 15];
    return {scratch, 6};
}

}  // namespace

Writer& Writer::put(std::string_view text)
{
    const std::size_t fits = std::min(text.size(), size_ - used_);
    if (fits != 0)
        std::memcpy(buffer_ + used_, text.data(), fits);
    used_ += fits;
    overflowed_ |= fits != text.size();
    return *this;
}

Writer& Writer::quoted(std::string_view text)
{
    char scratch[6];
    put('"');
    while (!text.empty())
        put(take_escaped(text, scratch));
    return put('"');
}

Text json_string(std::string_view text)
{
    char scratch[6];
    Builder quoted("\"");
    while (!text.empty())
        quoted += take_escaped(text, scratch);
    quoted += '"';
    return quoted;
}

}  // namespace vial
