// SPDX-License-Identifier: MIT
#include "base/packed.h"

#include "base/result.h"
#include "base/text.h"

#include <cerrno>
#include <cstring>
#include <doctest/doctest.h>

using namespace vial;

namespace {

constexpr Phrase packed_text = "this kernel has no such thing: see the list of what is supported"_p;
constexpr std::string_view plain_text = "this kernel has no such thing: see the list of what is supported";

}  // namespace

TEST_CASE("a packed literal is shorter, and reads as it was written")
{
    CHECK(std::strlen(packed_text.kept()) < plain_text.size() * 2 / 3);
    CHECK(Text(packed_text) == plain_text);
    CHECK(unpack(packed_text.kept()) == plain_text);
}

TEST_CASE("every piece stands for itself")
{
    static constexpr auto table = packed::table();
    CHECK(table.count <= packed::most_pieces);
    for (std::size_t number = 0; number < table.count; ++number) {
        const char letter = static_cast<char>(0x80 + number);
        CHECK(unpacked(letter) == table.piece[number]);
        CHECK(table.piece[number].size() > 1);
        CHECK(table.piece[number].find_first_of("%\t\n") == std::string_view::npos);
    }
}

TEST_CASE("a plain literal is a packed one in which nothing was found")
{
    CHECK(Text(Phrase("the end")) == "the end");
    CHECK(std::string_view(""_p.kept()).empty());
    CHECK(Text("QXZ"_p) == "QXZ");
}

TEST_CASE("what stands before a tab is left as it is")
{
    constexpr Phrase help = "start the container\tstart the container\nthe end\tis the end\n"_p;
    std::string_view rest = help.kept();
    CHECK(take_until(rest, '\t') == "start the container");
    CHECK(take_until(rest, '\n').size() < std::strlen("start the container"));
    CHECK(take_until(rest, '\t') == "the end");
}

TEST_CASE("a pattern may be packed, and no value is taken for packed")
{
    constexpr const char* foreign = "\x80\xc3\xa9%";
    CHECK(compose("the value of % is not a number: %"_p, foreign, 7) ==
          "the value of \x80\xc3\xa9% is not a number: 7");
    Builder text;
    text.compose("is there % or not"_p, std::string_view(foreign));
    CHECK(text.view() == "is there \x80\xc3\xa9% or not");
}

TEST_CASE("an error speaks plainly, and leaves its object alone")
{
    Error error("there is no such thing"_p, "look at the directory"_p, "/srv/caf\xc3\xa9");
    error.advise("see the manual"_p);
    char words[description_capacity];
    CHECK(describe(error, words, sizeof words) ==
          "cannot look at the directory /srv/caf\xc3\xa9: there is no such thing; see the manual");
}

TEST_CASE("an errno's meaning is in the libc's words, and every number has some")
{
    char scratch[64];
    CHECK(error_words(EPERM, scratch) == "Operation not permitted");
    CHECK(error_words(ENOENT, scratch) == "No such file or directory");
    CHECK(error_words(EUCLEAN, scratch) == "the filesystem is damaged");
    CHECK(error_words(ENOTRECOVERABLE, scratch) == "State not recoverable");
    CHECK(error_words(123456, scratch) == "error 123456");
}
