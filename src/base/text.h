// SPDX-License-Identifier: MIT
#pragma once

/// Making and reading text without printf, locale or surprise.
///
/// `concat` makes strings where the heap is allowed (launcher, ctl); `Writer` fills a caller's buffer and
/// never allocates (PID 1). The readers accept exactly what they document and nothing around it.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace vial {

/// A number's digits, alive as long as the object: `concat({"pid ", Decimal(pid)})`.
class Decimal {
public:
    explicit Decimal(std::int64_t number);
    operator std::string_view() const { return {start_, static_cast<std::size_t>(digits_ + sizeof digits_ - start_)}; }
    Decimal(const Decimal&) = delete;
    Decimal& operator=(const Decimal&) = delete;

private:
    char digits_[20];
    char* start_;
};

std::string concat(std::initializer_list<std::string_view> parts);

/// Appends to a fixed buffer; what does not fit is left out and remembered.
class Writer {
public:
    Writer(char* buffer, std::size_t size) : buffer_(buffer), size_(size) {}

    Writer& put(std::string_view text);
    Writer& put(char letter) { return put(std::string_view(&letter, 1)); }
    Writer& decimal(std::int64_t number) { return put(Decimal(number)); }
    /// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
    Writer& quoted(std::string_view text);

    std::string_view text() const { return {buffer_, used_}; }
    bool overflowed() const { return overflowed_; }
    void clear() { used_ = 0, overflowed_ = false; }

private:
    char* buffer_;
    std::size_t size_;
    std::size_t used_ = 0;
    bool overflowed_ = false;
};

/// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// How many bytes (1-4) the UTF-8 character at the front of `text` takes; 0: it is none, or there is none.
std::size_t utf8_length(std::string_view text);
/// Appends a code point; one that Unicode has not (a lone surrogate, past U+10FFFF) as U+FFFD.
void append_utf8(std::string& to, std::uint32_t point);

/// Takes the part before `separator` off the front of `rest`; the whole of it where there is no separator.
std::string_view take_until(std::string_view& rest, char separator);
/// The same for runs of blanks (space, tab, newline): the next word, empty at the end.
std::string_view take_word(std::string_view& rest);

/// A whole decimal number, 0 to 2^63-1, digits only, no sign and no blanks.
std::optional<std::int64_t> parse_number(std::string_view text);
/// Bytes: `4096`, `64K`, `16M`, `2G`, `1T` (powers of 1024, optional `B` or `iB`: `16MiB`), as in systemd.
std::optional<std::int64_t> parse_size(std::string_view text);
/// Milliseconds: `500ms`, `10s`, `5min`/`5m`, `2h`, `1d`, sums like `1m30s`; a bare number is seconds.
std::optional<std::int64_t> parse_duration(std::string_view text);
/// A signal by number (1-64) or name, with or without `SIG`: `TERM`, `SIGUSR1`, `RTMIN+3`.
std::optional<int> parse_signal(std::string_view text);
/// `TERM` for 15, `RTMIN+1` for SIGRTMIN+1; the number itself lives in `scratch` where there is no name.
std::string_view signal_name(int number, char (&scratch)[16]);

/// A size for people: `512`, `16.0M`. For tables only.
std::string human_size(std::int64_t bytes);
/// A duration for people: `3s`, `2m05s`, `4h12m`, `3d04h`. For tables only.
std::string human_duration(std::int64_t milliseconds);

/// The word of `candidates` nearest to `word` (edit distance at most a third of its length), or empty.
std::string_view nearest(std::string_view word, const std::string_view* candidates, std::size_t count);

}  // namespace vial
