// SPDX-License-Identifier: MIT
#include "base/json.h"

#include "base/text.h"

#include <doctest/doctest.h>
#include <string>

using namespace vial;

TEST_CASE("valid JSON")
{
    for (const char* text : {"0",
                             "-0",
                             "1",
                             "-12.5e+3",
                             "1E9",
                             "0.5",
                             "\"\"",
                             "true",
                             "false",
                             "null",
                             "{}",
                             "[]",
                             " [ ] ",
                             "{ }",
                             "[1,2]",
                             "[[],{}]",
                             R"({"a":{"b":[1,{"c":"d"}]},"e":null})",
                             R"("\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t")",
                             "\t\r\n1\n",
                             "\"gr\xc3\xbc\xc3\x9f\"",
                             "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"})
        CHECK_MESSAGE(json::valid(text), text);
}

TEST_CASE("everything else is refused")
{
    for (const char* text :
         {"",          " ",         "01",          "-",        "+1",       ".5",
          "1.",        "1e",        "1e+",         "--1",      "0x1",      "NaN",
          "tru",       "truex",     "nul",         "True",     "\"",       "\"\\\"",
          "\"\\x\"",   "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "\"\x80\"", "\"\xc0\xaf\"",
          "'a'",       "{",         "}",           "[",        "]",        "[1",
          "[1,",       "[1,]",      "[,1]",        "[1 2]",    "[1]]",     "[1}",
          "{\"a\"}",   "{\"a\":}",  "{\"a\":1,}",  "{a:1}",    "{1:2}",    "{\"a\":1 \"b\":2}",
          "{\"a\":1]", "{,}",       "1 2",         "{} {}",    "// x\n1",  "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"})
        CHECK_MESSAGE(!json::valid(text), text);
    CHECK_FALSE(json::valid(std::string_view("1\0", 2)));
    CHECK_FALSE(json::valid(std::string(1000000, '[')));
    std::string deep;
    for (int level = 0; level < 100000; ++level)
        deep += "{\"a\":";
    CHECK_FALSE(json::valid(deep));
}

TEST_CASE("members of an object")
{
    const std::string_view text = R"( {"name" : "web", "pid":42, "a\u0062":true, "in":{"pid":7,"x":[1]}, "pid":43} )";
    REQUIRE(json::valid(text));
    CHECK(json::member(text, "name") == "\"web\"");
    CHECK(json::member(text, "pid") == "42");
    CHECK(json::member(text, "ab") == "true");
    CHECK(json::member(text, "in") == R"({"pid":7,"x":[1]})");
    CHECK(json::member(json::member(text, "in"), "pid") == "7");
    CHECK(json::member(text, "x").empty());
    CHECK(json::member(text, "").empty());
    CHECK(json::member("{}", "a").empty());
    CHECK(json::member("[1]", "a").empty());
    CHECK(json::member("", "a").empty());
    CHECK(json::member("{\"a\":", "a").empty());
    CHECK(json::member("{\"a\":1", "b").empty());
}

TEST_CASE("elements of an array")
{
    json::Raw rest = R"( [ 1 , "two" ,[3, [4]],{"five":6} ] )";
    CHECK(json::next_element(rest) == "1");
    CHECK(json::next_element(rest) == "\"two\"");
    CHECK(json::next_element(rest) == "[3, [4]]");
    CHECK(json::next_element(rest) == R"({"five":6})");
    CHECK(json::next_element(rest).empty());
    CHECK(json::next_element(rest).empty());
    for (json::Raw none : {"[]", "", "{}", "1", "[,1]", "]"})
        CHECK(json::next_element(none).empty());
    rest = "[1";
    CHECK(json::next_element(rest) == "1");
    CHECK(json::next_element(rest).empty());
}

TEST_CASE("values")
{
    CHECK(json::number("0") == 0);
    CHECK(json::number("-17") == -17);
    CHECK(json::number("9223372036854775807") == INT64_MAX);
    CHECK(json::number("-9223372036854775808") == INT64_MIN);
    for (const char* wrong :
         {"", "1.0", "1e3", "\"1\"", "9223372036854775808", "-9223372036854775809", "-", "1 ", "01"})
        CHECK_MESSAGE(!json::number(wrong), wrong);
    CHECK(json::boolean("true") == true);
    CHECK(json::boolean("false") == false);
    CHECK_FALSE(json::boolean("1"));
    CHECK_FALSE(json::boolean(""));
    CHECK(json::string(R"("a\u00e9\n\/\\")") == "a\xc3\xa9\n/\\");
    CHECK(json::string(R"("\ud83d\ude00")") == "\xf0\x9f\x98\x80");
    CHECK(json::string(R"("\ud83d")") == "\xef\xbf\xbd");
    CHECK(json::string(R"("\ude00\ud83dx")") == "\xef\xbf\xbd\xef\xbf\xbdx");
    CHECK(json::string(R"("\ud83d\u0041")") == "\xef\xbf\xbd"
                                               "A");
    CHECK(json::string(R"("\u0000")") == std::string(1, '\0'));
    for (const char* wrong : {"", "1", "\"", "\"a", "a\"", "\"a\"b\"", "null"})
        CHECK_MESSAGE(!json::string(wrong), wrong);
}

TEST_CASE("what is written can be read again, and no cut of it is taken for the whole")
{
    std::string every;
    for (int byte = 0; byte < 128; ++byte)
        every += static_cast<char>(byte);
    every += "\xc2\x9b\xc3\xa9\xf0\x9f\x98\x80";
    CHECK(json::string(json_string(every)) == every);

    const Text whole = concat("{\"a\":[", json_string(every), ",-1.5e3,true,null,{\"b\":{}}],\"c\":[]}");
    REQUIRE(json::valid(whole));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const auto cut = std::string_view(whole).substr(0, length);
        CHECK_FALSE(json::valid(cut));
        (void)json::member(cut, "c");
        json::Raw rest = json::member(cut, "a");
        while (!json::next_element(rest).empty()) {
        }
    }
}
