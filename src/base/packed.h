// SPDX-License-Identifier: MIT
#pragma once

/// What is said to people, kept a third shorter than it reads.
///
/// Help, complaints and advice are a tenth of the program, and most of it is the same few words. `"it is not there"_p` is
/// such a text as the program keeps it: what occurs in `pieces` is one byte of 0x80 and up, which the compiler sees to. It
/// is taken apart again where it is put into words: by `compose`, whose pattern it may be, by `describe`, and where a Text is
/// wanted. A plain literal is a packed one in which nothing was found, and the other way round no letter beyond ASCII can
/// be in one.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vial {

class Text;

namespace packed {

/// What the letters from 0x80 on stand for. Found by `config/build/pieces.py`, which looks at all packed literals; an old
/// list is as right as a new one, only less short.
inline constexpr std::string_view pieces =
#include "base/pieces.inc"
    ;

inline constexpr std::size_t most_pieces = 128;

/// The pieces by number, for the compiler alone.
struct Table {
    std::string_view piece[most_pieces];
    std::size_t count = 0;
};

consteval Table table()
{
    Table made;  // one piece too many does not compile
    for (std::size_t at = 0; at < pieces.size(); ++at) {
        const std::size_t start = at;
        while (at < pieces.size() && pieces[at] != '|')
            ++at;
        made.piece[made.count++] = pieces.substr(start, at - start);
    }
    return made;
}

template <std::size_t size_>
struct Literal {
    static constexpr std::size_t size = size_;
    char letters[size_];  ///< with the NUL

    consteval Literal(const char (&text)[size_])
    {
        for (std::size_t at = 0; at < size_; ++at)
            letters[at] = text[at];
    }
};

template <std::size_t room>
struct Letters {
    char letters[room]{};
    std::size_t size = 0;
};

/// The shortest way to write a text: found from its end, where what remains is known already. What stands before a tab in its
/// line is left as it is: that is what help is looked up by.
template <std::size_t size>
consteval Letters<size> pack(const char (&text)[size])
{
    constexpr Table known = table();
    std::size_t length[size]{};   // of what begins here, packed
    std::uint8_t choice[size]{};  // the piece to begin with, from 1; 0: the letter itself
    bool plain = false;
    for (std::size_t at = size - 1; at-- > 0;) {
        length[at] = length[at + 1] + 1;
        plain = text[at] == '\t' || (plain && text[at] != '\n');
        for (std::size_t number = 0; number < known.count && !plain; ++number) {
            const std::string_view piece = known.piece[number];
            if (piece[0] != text[at] || piece.size() >= size - at || length[at + piece.size()] + 1 >= length[at])
                continue;
            if (std::string_view(text + at, piece.size()) == piece) {
                length[at] = length[at + piece.size()] + 1;
                choice[at] = static_cast<std::uint8_t>(number + 1);
            }
        }
    }
    Letters<size> made;
    for (std::size_t at = 0; at < size;) {
        const std::size_t number = choice[at];
        made.letters[made.size++] = number == 0 ? text[at] : static_cast<char>(0x7f + number);
        at += number == 0 ? 1 : known.piece[number - 1].size();
    }
    return made;
}

#ifndef __clang__
template <Literal literal>
struct Kept {
    static constexpr Letters<decltype(literal)::size> longest = pack(literal.letters);
    struct Exact {
        char letters[longest.size];
    };
    static consteval Exact exact()
    {
        Exact made{};
        for (std::size_t at = 0; at < longest.size; ++at)
            made.letters[at] = longest.letters[at];
        return made;
    }
    alignas(1) static constexpr Exact text = exact();  // without it: a multiple of 16
};
#endif

}  // namespace packed

/// A literal for people, packed or not: one pointer.
class Phrase {
public:
    constexpr Phrase(const char* literal) : kept_(literal) {}

    /// There is one: the literal was not null.
    constexpr explicit operator bool() const { return kept_ != nullptr; }
    /// As the program keeps it.
    constexpr const char* kept() const { return kept_; }
    operator Text() const;

private:
    const char* kept_;
};

template <packed::Literal literal>
consteval Phrase operator""_p()
{
#ifdef __clang__
    return literal.letters;  // clang 14 cannot pack, and a plain literal will do
#else
    return packed::Kept<literal>::text.letters;
#endif
}

/// What a letter of a kept phrase stands for: itself, or a piece.
std::string_view unpacked(const char& letter);
/// The same of a part of it.
Text unpack(std::string_view kept);

}  // namespace vial
