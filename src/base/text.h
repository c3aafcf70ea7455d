// SPDX-License-Identifier: MIT
#pragma once

/// Making and reading text without printf, locale or surprise.
///
/// A `Text` is kept: in the arena, or as a literal. `compose` and `Builder` make one (launcher, ctl); `Writer` fills a
/// caller's buffer and takes no memory (PID 1). The readers accept exactly what they document and nothing around it.

#include "base/list.h"
#include "base/maybe.h"
#include "base/packed.h"

#include <concepts>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <signal.h>
#include <string_view>

namespace vial {

/// A text that stays until the process ends, with a NUL behind it: a view that needs no owner, passed about and
/// copied like a number.
class Text : public std::string_view {
public:
    constexpr Text() : std::string_view("") {}
    /// A literal, or a word of the command line: it stays where it is.
    [[gnu::always_inline]] constexpr Text(const char* kept) : std::string_view(kept, __builtin_strlen(kept)) {}
    template <std::size_t size>
    Text(char (&passing)[size]) = delete;
    /// A copy of what may pass.
    Text(std::string_view passing);

    const char* c_str() const { return data(); }

private:
    friend class Builder;
    Text(const char* kept, std::size_t size) : std::string_view(kept, size) {}
};

/// Compares with a literal; its length need not be passed, which counts where there are many.
bool operator==(std::string_view text, const char* word);

/// What a pattern's values are passed as: the call of one function with whatever there is costs the caller a few
/// bytes a value, which an array of views to be filled does not.
namespace values {

/// Two bits for each value, the first in the lowest.
using Kinds = unsigned;
enum Kind : Kinds { End, Literal, View, Number };

inline const char* pass(const char* text)
{
    return text;
}
/// A view as variable arguments may be.
struct Slice {
    const char* data;
    std::size_t size;
};
inline Slice pass(std::string_view text)
{
    return {text.data(), text.size()};
}
inline std::int64_t pass(std::integral auto number)
{
    return static_cast<std::int64_t>(number);
}

template <typename Passed>
inline constexpr Kind kind = std::is_same_v<Passed, const char*> ? Literal
                             : std::is_same_v<Passed, Slice>     ? View
                                                                 : Number;

template <typename... Values>
consteval Kinds kinds_of()
{
    static_assert(sizeof...(Values) <= 16);
    Kinds kinds = 0;
    unsigned shift = 0;
    ((kinds |= kind<decltype(pass(std::declval<const Values&>()))> << shift, shift += 2), ...);
    return kinds;
}

/// Where a pattern and its values go, part by part.
struct Sink {
    void* to;
    void (*put)(void* to, std::string_view part);
};
void fill(Sink sink, const char* pattern, Kinds kinds, std::va_list given);

}  // namespace values

/// A text that is being made. What it is worth stays good; the NUL behind it, until more is appended.
class Builder : ListBytes {
public:
    Builder() = default;
    Builder(std::string_view start) { *this += start; }
    Builder(const Builder&) = delete;
    Builder& operator=(const Builder&) = delete;

    Builder& operator+=(std::string_view text);
    Builder& operator+=(char letter) { return *this += std::string_view(&letter, 1); }
    /// Appends what `compose` would make.
    template <typename... Values>
    [[gnu::always_inline]] void compose(Phrase pattern, const Values&... given)
    {
        add_values(pattern.kept(), values::kinds_of<Values...>(), values::pass(given)...);
    }
    /// So many blanks.
    void pad(std::size_t count);
    /// Room for `count` bytes behind the text; `took` says how many of them were filled.
    char* room(std::size_t count);
    void took(std::size_t count);

    /// What stands there, to be written over.
    char* at(std::size_t offset) { return static_cast<char*>(data) + offset; }

    std::size_t size() const { return ListBytes::size; }
    bool empty() const { return size() == 0; }
    /// Leaves the first `size` bytes.
    void cut(std::size_t size);
    char back() const { return view().back(); }
    std::string_view view() const { return {static_cast<const char*>(data), size()}; }
    operator std::string_view() const { return view(); }
    operator Text() const { return empty() ? Text() : Text(static_cast<const char*>(data), size()); }

private:
    void add_values(const char* pattern, values::Kinds kinds, ...);
};

/// A number's digits, alive as long as the object: `Decimal(pid)` where a view is wanted.
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

Text compose_values(const char* pattern, values::Kinds kinds, ...);
/// `pattern` with each `%` replaced by the next of the values, texts or whole numbers; those that are left over come
/// behind it: `compose("pid % of ", pid, name)`.
template <typename... Values>
[[gnu::always_inline]] inline Text compose(Phrase pattern, const Values&... given)
{
    return compose_values(pattern.kept(), values::kinds_of<Values...>(), values::pass(given)...);
}
/// One behind the other.
template <typename... Values>
[[gnu::always_inline]] inline Text concat(const Values&... given)
{
    return compose("", given...);
}

/// A number's digits.
Text decimal(std::int64_t number);

/// Appends to a fixed buffer; what does not fit is left out and remembered.
class Writer {
public:
    Writer(char* buffer, std::size_t size) : buffer_(buffer), size_(size) {}

    Writer& put(std::string_view text);
    Writer& put(char letter) { return put(std::string_view(&letter, 1)); }
    Writer& decimal(std::int64_t number) { return put(Decimal(number)); }
    /// Appends what `compose` would make.
    template <typename... Values>
    [[gnu::always_inline]] Writer& compose(Phrase pattern, const Values&... given)
    {
        return put_values(pattern.kept(), values::kinds_of<Values...>(), values::pass(given)...);
    }
    Writer& put_all(const char* pattern, values::Kinds kinds, std::va_list given);
    /// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
    Writer& quoted(std::string_view text);

    std::string_view text() const { return {buffer_, used_}; }
    bool overflowed() const { return overflowed_; }
    void clear() { used_ = 0, overflowed_ = false; }

private:
    Writer& put_values(const char* pattern, values::Kinds kinds, ...);

    char* buffer_;
    std::size_t size_;
    std::size_t used_ = 0;
    bool overflowed_ = false;
};

/// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
Text json_string(std::string_view text);

/// How many bytes (1-4) the UTF-8 character at the front of `text` takes; 0: it is none, or there is none.
std::size_t utf8_length(std::string_view text);
/// Takes a character off the front of `text`, which is not empty, or a part of one: `?` in place of a control character,
/// which could repaint the reader's terminal.
char take_printable(std::string_view& text);
/// Appends a code point; one that Unicode has not (a lone surrogate, past U+10FFFF) as U+FFFD.
void append_utf8(Builder& to, std::uint32_t point);

// As std::string_view has them; but a view that is passed to these stays in its registers, where the library's want its
// address.

/// What begins at `at`, `count` bytes at most; nothing past the end.
std::string_view slice(std::string_view text, std::size_t at, std::size_t count = std::string_view::npos);
/// Where the first such letter is, or npos.
std::size_t position(std::string_view text, char letter);
bool contains(std::string_view text, char letter);

/// Takes the part before `separator` off the front of `rest`; the whole of it where there is no separator.
std::string_view take_until(std::string_view& rest, char separator);
/// The same for runs of blanks (space, tab, newline): the next word, empty at the end.
std::string_view take_word(std::string_view& rest);
/// What a variable of `environment` is set to, or null.
const char* find_variable(char* const* environment, std::string_view name);

/// A whole decimal number, 0 to 2^63-1, digits only, no sign and no blanks.
Maybe<std::int64_t> parse_number(std::string_view text);
/// Bytes: `4096`, `64K`, `16M`, `2G`, `1T` (powers of 1024, optional `B` or `iB`: `16MiB`), as in systemd.
Maybe<std::int64_t> parse_size(std::string_view text);
/// Milliseconds: `500ms`, `10s`, `5min`/`5m`, `2h`, `1d`, sums like `1m30s`; a bare number is seconds.
Maybe<std::int64_t> parse_duration(std::string_view text);
/// The greatest signal: 64, but 127 on MIPS (of whose 128 nobody could hear that it ended a process).
inline constexpr int last_signal = _NSIG > 65 ? 127 : 64;
/// A signal by number (from 1 on) or name, with or without `SIG`: `TERM`, `SIGUSR1`, `RTMIN+3`.
Maybe<int> parse_signal(std::string_view text);
/// `TERM` for 15, `RTMIN+1` for SIGRTMIN+1; the number itself lives in `scratch` where there is no name.
std::string_view signal_name(int number, char (&scratch)[16]);
/// What an errno means: `No such file or directory`.
std::string_view error_words(int number, char (&scratch)[64]);

/// A size for people: `512`, `16.0M`. For tables only.
Text human_size(std::int64_t bytes);
/// A duration for people: `3s`, `2m05s`, `4h12m`, `3d04h`. For tables only.
Text human_duration(std::int64_t milliseconds);

/// The word of `candidates` nearest to `word` (edit distance at most a third of its length), or empty.
std::string_view nearest(std::string_view word, const std::string_view* candidates, std::size_t count);

}  // namespace vial
