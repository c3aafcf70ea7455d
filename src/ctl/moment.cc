// SPDX-License-Identifier: MIT
#include "ctl/moment.h"

namespace vial {

namespace {

constexpr std::int64_t day = 86400;

/// Days from 1970-01-01 to the first of March of a year, from which on leap days come last.
constexpr std::int64_t days_to_march(std::int64_t year)
{
    return year * 365 + year / 4 - year / 100 + year / 400 - 719468;
}

/// Days from the first of March to the first of the month, March being 0.
constexpr std::int64_t days_to_month(std::int64_t month)
{
    return (month * 153 + 2) / 5;
}

/// Appends `number` in `width` digits and then `behind`.
void put(Writer& to, std::int64_t number, unsigned width, char behind)
{
    const Decimal digits(number);
    for (std::size_t length = std::string_view(digits).size(); length < width; length++)
        to.put('0');
    to.put(digits).put(behind);
}

/// Takes a number of exactly `width` digits; false: there is none.
bool take(std::string_view& text, std::size_t width, std::int64_t& number)
{
    const auto taken = parse_number(slice(text, 0, width));
    if (text.size() < width || !taken)
        return false;
    number = *taken;
    text.remove_prefix(width);
    return true;
}

bool take_letter(std::string_view& text, std::string_view letters)
{
    if (text.empty() || !contains(letters, text.front()))
        return false;
    text.remove_prefix(1);
    return true;
}

Maybe<std::int64_t> parse_date(std::string_view text)
{
    std::int64_t year, month, date, hour = 0, minute = 0, second = 0, fraction = 0;
    if (!take(text, 4, year) || !take_letter(text, "-") || !take(text, 2, month) || !take_letter(text, "-") ||
        !take(text, 2, date) || month < 1 || month > 12 || date < 1 || date > 31)
        return {};
    if (take_letter(text, "T ") && (!take(text, 2, hour) || !take_letter(text, ":") || !take(text, 2, minute)))
        return {};
    if (take_letter(text, ":") && !take(text, 2, second))
        return {};
    if (take_letter(text, ".") && !take(text, 3, fraction))
        return {};
    (void)take_letter(text, "Z");
    if (!text.empty() || hour > 23 || minute > 59 || second > 60)
        return {};
    const std::int64_t of_march = month > 2 ? month - 3 : month + 9;
    const std::int64_t days = days_to_march(month > 2 ? year : year - 1) + days_to_month(of_march) + date - 1;
    return (days * day + hour * 3600 + minute * 60 + second) * 1000 + fraction;
}

}  // namespace

void put_moment(Writer& to, std::int64_t at)
{
    const std::int64_t seconds = at / 1000;
    std::int64_t days = seconds / day;
    // The year that began in March, and the month from March on.
    std::int64_t year = 1970 + days / 365;
    while (days_to_march(year) > days)
        year--;
    days -= days_to_march(year);
    std::int64_t month = 11;
    while (days_to_month(month) > days)
        month--;
    put(to, month > 9 ? year + 1 : year, 4, '-');
    put(to, month > 9 ? month - 9 : month + 3, 2, '-');
    put(to, days - days_to_month(month) + 1, 2, 'T');
    put(to, seconds % day / 3600, 2, ':');
    put(to, seconds % 3600 / 60, 2, ':');
    put(to, seconds % 60, 2, '.');
    put(to, at % 1000, 3, 'Z');
}

Maybe<std::int64_t> parse_moment(std::string_view text, std::int64_t now)
{
    if (text.starts_with('@')) {
        const auto seconds = parse_number(slice(text, 1));
        return seconds && *seconds < INT64_MAX / 1000 ? Maybe(*seconds * 1000) : Maybe<std::int64_t>();
    }
    if (const auto ago = parse_duration(text))
        return now > *ago ? now - *ago : 0;
    return parse_date(text);
}

}  // namespace vial
