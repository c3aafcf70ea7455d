// SPDX-License-Identifier: MIT

/// Phrase, numbers and signals: reading them, writing them for people, and guessing which one was meant.

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
Maybe<std::int64_t> take_digits(std::string_view& text)
{
    if (text.empty() || !is_digit(text[0]))
        return {};
    std::int64_t number = 0;
    for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, text[0] - '0', &number))
            return {};
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

std::string_view slice(std::string_view text, std::size_t at, std::size_t count)
{
    text.remove_prefix(std::min(at, text.size()));
    return {text.data(), std::min(count, text.size())};
}

std::size_t position(std::string_view text, char letter)
{
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == letter)
            return at;
    }
    return text.npos;
}

bool contains(std::string_view text, char letter)
{
    return position(text, letter) != text.npos;
}

std::string_view take_until(std::string_view& rest, char separator)
{
    const std::size_t end = std::min(position(rest, separator), rest.size());
    const std::string_view part = slice(rest, 0, end);
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
    const std::string_view word = slice(rest, 0, end);
    rest.remove_prefix(end);
    return word;
}

const char* find_variable(char* const* environment, std::string_view name)
{
    for (; *environment != nullptr; ++environment) {
        std::string_view rest = *environment;
        if (take_prefix(rest, name) && rest.starts_with('='))
            return rest.data() + 1;
    }
    return nullptr;
}

Maybe<std::int64_t> parse_number(std::string_view text)
{
    const auto number = take_digits(text);
    return text.empty() ? number : Maybe<std::int64_t>();
}

Maybe<std::int64_t> parse_size(std::string_view text)
{
    const auto number = take_digits(text);
    if (!number)
        return {};
    unsigned shift = 0;
    constexpr std::string_view units = "KMGT";
    const std::size_t unit = text.empty() ? units.npos : position(units, text[0]);
    if (unit != units.npos) {
        shift = 10 * (static_cast<unsigned>(unit) + 1);
        text.remove_prefix(1);
        if (text == "iB")
            text = {};
    }
    if (!text.empty() && text != "B")
        return {};
    if (*number > largest >> shift)
        return {};
    return *number << shift;
}

Maybe<std::int64_t> parse_duration(std::string_view text)
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
            return {};
        std::int64_t factor = first && text.empty() ? 1000 : 0;
        for (const Unit& unit : units) {
            if (factor == 0 && take_prefix(text, unit.name))
                factor = unit.milliseconds;
        }
        if (factor == 0 || __builtin_mul_overflow(*number, factor, &*number) ||
            __builtin_add_overflow(sum, *number, &sum))
            return {};
        first = false;
    } while (!text.empty());
    return sum;
}

// --- Signals ---

namespace {

// What glibc, and so nearly every program that documents a real-time signal, calls RTMIN and RTMAX. The
// libc that vial is built with has no say: musl's own RTMIN is 35, and `RTMIN+3` would no longer stop systemd.
constexpr int first_realtime = 34;
constexpr int last_realtime = last_signal;

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

Maybe<int> realtime_signal(std::string_view text)
{
    int from;
    char sign;
    if (take_prefix(text, "RTMIN"))
        from = first_realtime, sign = '+';
    else if (take_prefix(text, "RTMAX"))
        from = last_realtime, sign = '-';
    else
        return {};
    if (text.empty())
        return from;
    if (text[0] != sign)
        return {};
    const auto offset = parse_number(slice(text, 1));
    if (!offset || *offset > last_realtime - first_realtime)
        return {};
    return sign == '+' ? from + static_cast<int>(*offset) : from - static_cast<int>(*offset);
}

}  // namespace

Maybe<int> parse_signal(std::string_view text)
{
    if (const auto number = parse_number(text)) {
        if (*number < 1 || *number > last_realtime)
            return {};
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
    return compose("%.%%", tenths / 10, tenths % 10, slice(units, unit, 1));
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
