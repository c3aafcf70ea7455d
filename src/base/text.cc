// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <algorithm>
#include <cstring>
#include <signal.h>

namespace vial {

namespace {

constexpr std::int64_t largest = INT64_MAX;

bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n';
}

/// Takes the digits off the front of `text`; nothing where there are none or too many.
std::optional<std::int64_t> take_digits(std::string_view& text)
{
    if (text.empty() || !is_digit(text[0]))
        return std::nullopt;
    std::int64_t number = 0;
    for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, text[0] - '0', &number))
            return std::nullopt;
    }
    return number;
}

bool take_prefix(std::string_view& text, std::string_view prefix)
{
    if (!text.starts_with(prefix))
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

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

void Builder::add_all(const char* pattern, values::Kinds kinds, std::va_list given)
{
    while (true) {
        const char* end = pattern;
        while (*end != '\0' && (*end != '%' || kinds == 0))
            ++end;
        *this += std::string_view(pattern, static_cast<std::size_t>(end - pattern));
        pattern = *end == '\0' ? end : end + 1;
        switch (kinds & 3) {
        case values::Literal:
            *this += std::string_view(va_arg(given, const char*));
            break;
        case values::View:
            *this += va_arg(given, std::string_view);
            break;
        case values::Number:
            *this += Decimal(va_arg(given, std::int64_t));
            break;
        default:
            return;
        }
        kinds >>= 2;
    }
}

void Builder::add_values(const char* pattern, values::Kinds kinds, ...)
{
    std::va_list given;
    va_start(given, kinds);
    add_all(pattern, kinds, given);
    va_end(given);
}

Text compose_values(const char* pattern, values::Kinds kinds, ...)
{
    Builder whole;
    std::va_list given;
    va_start(given, kinds);
    whole.add_all(pattern, kinds, given);
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
        const std::string_view run = text.substr(0, plain);
        text.remove_prefix(plain);
        return run;
    }

    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length);
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

    constexpr char named[] = "\"\\\b\f\n\r\t";
    constexpr char names[] = "\"\\bfnrt";
    scratch[0] = '\\';
    const char* found = code < 0x80 ? std::strchr(named, static_cast<int>(code)) : nullptr;
    if (found != nullptr && code != 0) {
        scratch[1] = names[found - named];
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

// --- Reading ---

std::string_view take_until(std::string_view& rest, char separator)
{
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

std::string_view take_word(std::string_view& rest)
{
    while (!rest.empty() && is_blank(rest[0]))
        rest.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest.size() && !is_blank(rest[end]))
        ++end;
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

std::optional<std::int64_t> parse_number(std::string_view text)
{
    const auto number = take_digits(text);
    return text.empty() ? number : std::nullopt;
}

std::optional<std::int64_t> parse_size(std::string_view text)
{
    const auto number = take_digits(text);
    if (!number)
        return std::nullopt;
    unsigned shift = 0;
    constexpr std::string_view units = "KMGT";
    const std::size_t unit = text.empty() ? units.npos : units.find(text[0]);
    if (unit != units.npos) {
        shift = 10 * (static_cast<unsigned>(unit) + 1);
        text.remove_prefix(1);
        if (text == "iB")
            text = {};
    }
    if (!text.empty() && text != "B")
        return std::nullopt;
    if (*number > largest >> shift)
        return std::nullopt;
    return *number << shift;
}

std::optional<std::int64_t> parse_duration(std::string_view text)
{
    // What another one begins with stands behind it.
    struct Unit {
        char name[4];
        std::int32_t milliseconds;
    };
    static constexpr Unit units[] = {{"ms", 1},    {"min", 60'000},  {"m", 60'000},
                                     {"s", 1'000}, {"h", 3'600'000}, {"d", 86'400'000}};

    std::int64_t sum = 0;
    bool first = true;
    do {
        auto number = take_digits(text);
        if (!number)
            return std::nullopt;
        std::int64_t factor = first && text.empty() ? 1000 : 0;
        for (const Unit& unit : units) {
            if (factor == 0 && take_prefix(text, unit.name))
                factor = unit.milliseconds;
        }
        if (factor == 0 || __builtin_mul_overflow(*number, factor, &*number) ||
            __builtin_add_overflow(sum, *number, &sum))
            return std::nullopt;
        first = false;
    } while (!text.empty());
    return sum;
}

// --- Signals ---

namespace {

// What glibc, and so nearly every program that documents a real-time signal, calls RTMIN and RTMAX. The
// libc that vial is built with has no say: musl's own RTMIN is 35, and `RTMIN+3` would no longer stop systemd.
constexpr int first_realtime = 34;
constexpr int last_realtime = 64;

struct SignalName {
    std::uint8_t number;  ///< they differ on MIPS and SPARC
    char name[7];
};

// The second names of a signal stand behind its first.
constexpr SignalName signal_names[] = {
    {SIGHUP, "HUP"},       {SIGINT, "INT"},     {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},   {SIGTRAP, "TRAP"},
    {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},     {SIGFPE, "FPE"},   {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},
    {SIGSEGV, "SEGV"},     {SIGUSR2, "USR2"},   {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
    {SIGCHLD, "CHLD"},     {SIGCONT, "CONT"},   {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"},
    {SIGTTOU, "TTOU"},     {SIGURG, "URG"},     {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"},
    {SIGPROF, "PROF"},     {SIGWINCH, "WINCH"}, {SIGIO, "IO"},     {SIGPWR, "PWR"},   {SIGSYS, "SYS"},
#ifdef SIGSTKFLT
    {SIGSTKFLT, "STKFLT"},
#endif
#ifdef SIGEMT
    {SIGEMT, "EMT"},
#endif
    {SIGABRT, "IOT"},      {SIGCHLD, "CLD"},    {SIGIO, "POLL"},
};

std::optional<int> realtime_signal(std::string_view text)
{
    int from;
    char sign;
    if (take_prefix(text, "RTMIN"))
        from = first_realtime, sign = '+';
    else if (take_prefix(text, "RTMAX"))
        from = last_realtime, sign = '-';
    else
        return std::nullopt;
    if (text.empty())
        return from;
    if (text[0] != sign)
        return std::nullopt;
    const auto offset = parse_number(text.substr(1));
    if (!offset || *offset > last_realtime - first_realtime)
        return std::nullopt;
    return sign == '+' ? from + static_cast<int>(*offset) : from - static_cast<int>(*offset);
}

}  // namespace

std::optional<int> parse_signal(std::string_view text)
{
    if (const auto number = parse_number(text)) {
        if (*number < 1 || *number > last_realtime)
            return std::nullopt;
        return static_cast<int>(*number);
    }
    take_prefix(text, "SIG");
    for (const SignalName& signal : signal_names) {
        if (text == signal.name)
            return signal.number;
    }
    return realtime_signal(text);
}

std::string_view signal_name(int number, char (&scratch)[16])
{
    for (const SignalName& signal : signal_names) {
        if (number == signal.number)
            return signal.name;
    }
    Writer name(scratch, sizeof scratch);
    if (number < first_realtime || number > last_realtime)
        return name.decimal(number).text();
    name.put("RTMIN");
    if (number > first_realtime)
        name.put('+').decimal(number - first_realtime);
    return name.text();
}

// --- For people ---

Text human_size(std::int64_t bytes)
{
    if (bytes < 1024)
        return decimal(bytes);
    // What is divided are 1024ths of the unit, so that a tenth can still be told.
    std::size_t unit = 0;
    for (; bytes >= 1024 * 1024; bytes >>= 10)
        ++unit;
    std::int64_t tenths = (bytes * 10 + 512) / 1024;
    if (tenths >= 10240) {
        tenths = 10;
        ++unit;
    }
    constexpr std::string_view units = "KMGTPE";
    return compose("%.%%", tenths / 10, tenths % 10, units.substr(unit, 1));
}

Text human_duration(std::int64_t milliseconds)
{
    const std::int64_t seconds = std::max<std::int64_t>(milliseconds, 0) / 1000;
    const auto two = [](std::int64_t larger, const char* unit, std::int64_t smaller, const char* small_unit) {
        return concat(larger, unit, smaller < 10 ? "0" : "", smaller, small_unit);
    };
    if (seconds < 60)
        return compose("%s", seconds);
    if (seconds < 3600)
        return two(seconds / 60, "m", seconds % 60, "s");
    if (seconds < 86400)
        return two(seconds / 3600, "h", seconds / 60 % 60, "m");
    return two(seconds / 86400, "d", seconds / 3600 % 24, "h");
}

namespace {

/// How many letters must be put in, left out or changed to get from one word to the other (Levenshtein).
std::size_t edit_distance(std::string_view from, std::string_view to)
{
    constexpr std::size_t longest = 63;
    if (from.size() > longest || to.size() > longest)
        return SIZE_MAX;
    std::uint8_t row[longest + 1];
    for (std::size_t column = 0; column <= to.size(); ++column)
        row[column] = static_cast<std::uint8_t>(column);
    for (std::size_t line = 0; line < from.size(); ++line) {
        std::uint8_t diagonal = row[0];
        row[0] = static_cast<std::uint8_t>(line + 1);
        for (std::size_t column = 0; column < to.size(); ++column) {
            const int changed = diagonal + (from[line] != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = static_cast<std::uint8_t>(std::min({changed, diagonal + 1, row[column] + 1}));
        }
    }
    return row[to.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, const std::string_view* candidates, std::size_t count)
{
    std::string_view best;
    std::size_t best_distance = word.size() / 3 + 1;
    for (std::size_t index = 0; index < count; ++index) {
        const std::size_t distance = edit_distance(word, candidates[index]);
        if (distance < best_distance) {
            best = candidates[index];
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace vial
