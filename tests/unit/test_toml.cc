// SPDX-License-Identifier: MIT
#include "spec/toml.h"

#include "base/text.h"
#include "spec/read.h"

#include <doctest/doctest.h>
#include <string>
#include <unistd.h>

using namespace vial;

namespace {

void write(const toml::Document& document, toml::Index node, std::string& to)
{
    const toml::Node& value = document[node];
    const bool table = value.kind == toml::Kind::Table;
    if (value.kind == toml::Kind::String)
        to += toml_string(value.text);
    else if (value.kind == toml::Kind::Integer)
        to += Decimal(value.number);
    else if (value.kind == toml::Kind::Boolean)
        to += value.number != 0 ? "true" : "false";
    else {
        to += table ? '{' : '[';
        for (toml::Index child = value.first; child != 0; child = document[child].next) {
            to += child != value.first ? "," : "";
            to += table ? concat(document[child].key, ":") : "";
            write(document, child, to);
        }
        to += table ? '}' : ']';
    }
}

/// The whole document on one line, or its problems, one a line.
std::string read(std::string_view text)
{
    toml::Document document(text.size());
    Problems problems;
    toml::read(document, text, problems);
    std::string answer;
    if (problems.none())
        write(document, 0, answer);
    for (const Diagnostic& problem : problems.take())
        answer += concat(format(problem, "f"), "\n");
    return answer;
}

/// Whether the text is refused, with this said about it.
bool refused(std::string_view text, std::string_view with)
{
    const std::string answer = read(text);
    const bool right = answer.substr(0, 2) == "f:" && answer.find(with) != std::string::npos;
    if (!right)
        MESSAGE(answer);
    return right;
}

}  // namespace

TEST_CASE("values have the meaning TOML gives them")
{
    CHECK(read("") == "{}");
    CHECK(read("# nothing\n\n") == "{}");
    CHECK(read("a = 1\nb = true # yes\nc = 'x'") == "{a:1,b:true,c:\"x\"}");
    CHECK(read("a = 1\r\nb = 2\r\n") == "{a:1,b:2}");
    CHECK(read("\"a b\" = 1\n'' = 2\nA-_9 = 3") == "{a b:1,:2,A-_9:3}");

    SUBCASE("integers")
    {
        CHECK(read("a = [+1, -1, 0, -0, 1_000, 0xFf, 0o17, 0b101, 0x0_0]") == "{a:[1,-1,0,0,1000,255,15,5,0]}");
        CHECK(read("a = 9223372036854775807\nb = -9223372036854775808") ==
              "{a:9223372036854775807,b:-9223372036854775808}");
        for (const char* wrong :
             {"01", "00", "+01", "0_1", "1__0", "_1", "1_", "0x", "0x_1", "0X1", "+0x1", "0b2", "0o8", "1a", "+"})
            CHECK_MESSAGE(refused(concat("a = ", wrong), "f:1:5: "), wrong);
        CHECK(refused("a = 9223372036854775808", "too large"));
        CHECK(refused("a = 0xffffffffffffffff", "too large"));
    }
    SUBCASE("what the subset leaves out is named")
    {
        for (const char* number : {"1.5", "1e3", "-1E3", "inf", "+nan", "0.5", "0e1"})
            CHECK_MESSAGE(refused(concat("a = ", number), "fractions are not supported"), number);
        for (const char* date : {"1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00"})
            CHECK_MESSAGE(refused(concat("a = ", date), "dates and times are not supported"), date);
        CHECK(refused("a = \"\\u0000\"", "NUL"));
        CHECK(refused("a = on-failure", "write \"on-failure\""));
        CHECK(refused("a = True", "write \"True\""));
    }
    SUBCASE("strings")
    {
        CHECK(read(R"(a = "\b\t\n\f\r\"\\ \u00e9\U0001F600")") == "{a:\"\\b\\t\\n\\f\\r\\\"\\\\ é😀\"}");
        CHECK(read(R"(a = '\b "x"')") == R"({a:"\\b \"x\""})");
        CHECK(read("a = \"\"\nb = ''") == "{a:\"\",b:\"\"}");
        CHECK(read("a = \"\"\"\none\r\ntwo\"\"\"") == R"({a:"one\ntwo"})");
        CHECK(read("a = '''\n\\one\n'two''''") == R"({a:"\\one\n'two'"})");
        CHECK(read("a = \"\"\"\"\"x\"\"\"\"\"") == R"({a:"\"\"x\"\""})");
        CHECK(read("a = \"\"\"x \\  \n\n   y\"\"\"") == R"({a:"x y"})");
        CHECK(refused("a = \"\"\"x\"\"\"\"\"\"", "end of the line"));
        CHECK(refused("a = \"x\nb = 1", "f:1:5: this string has no closing quote"));
        CHECK(refused("a = '''x\nb = 1", "f:1:5: this string has no closing quote"));
        for (const char* wrong : {"\\x41", "\\e", "\\ ", "\\u12", "\\ud800", "\\U00110000", "\\uD83D\\uDE00"})
            CHECK_MESSAGE(refused(concat("a = \"", wrong, "\""), "f:1:6: "), wrong);
        CHECK(refused("a = \"\"\"\\ x\"\"\"", "end of the line"));
    }
    SUBCASE("arrays and tables in braces")
    {
        CHECK(read("a = [ # one\n  1, 'x',\n\n  [true], # two\n]") == "{a:[1,\"x\",[true]]}");
        CHECK(read("a = []\nb = {}\nc = { d = 1, e.f = 2, e.g = 3 }") == "{a:[],b:{},c:{d:1,e:{f:2,g:3}}}");
        CHECK(read("a = [{ b = [\n1\n] }]") == "{a:[{b:[1]}]}");
        CHECK(refused("a = [,]", "f:1:6: expected a value"));
        CHECK(refused("a = [1,,2]", "f:1:8: expected a value"));
        CHECK(refused("a = [1 2]", "expected ',' or ']'"));
        CHECK(refused("a = [1,", "f:1:5: this array has no closing ']'"));
        CHECK(refused("a = { b = 1, }", "expected a key, found '}'"));
        CHECK(refused("a = { b = 1\n}", "ends on its line"));
        CHECK(refused("a = {\n}", "expected a key"));
        CHECK(refused("a = { b = 1, b = 2 }", "'b' is defined already"));
        CHECK(refused("a = { b = {}, b.c = 2 }", "'b' is defined already"));
    }
}

TEST_CASE("nothing is defined twice")
{
    // Accepted...
    CHECK(read("a.b = 1\na.c = 2") == "{a:{b:1,c:2}}");
    CHECK(read("[a]\nb = 1\n[a.c]\nd = 2") == "{a:{b:1,c:{d:2}}}");
    CHECK(read("[a.b]\nc = 1\n[a]\nd = 2") == "{a:{b:{c:1},d:2}}");
    CHECK(read("[a]\nb.c = 1\n[a.b.d]\ne = 2") == "{a:{b:{c:1,d:{e:2}}}}");
    CHECK(read("[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3") == "{a:[{b:1},{b:2,c:{d:3}}]}");
    CHECK(read("[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]") == "{a:[{b:[{},{}]},{b:[{}]}]}");
    CHECK(read("[[a.b]]\n[a.b.c]\n[[a.b]]\n[a.b.c]") == "{a:{b:[{c:{}},{c:{}}]}}");
    CHECK(read("[ a . 'b c' ]\nd = 1") == "{a:{b c:{d:1}}}");
    // ... and refused.
    for (const char* twice : {
             "a = 1\na = 2",
             "a = 1\n'a' = 2",
             "a = 1\na.b = 2",
             "a.b = 1\na = 2",
             "[a]\n[a]",
             "[a.b]\n[a]\n[a]",
             "a = {}\n[a]",
             "a = {}\n[a.b]",
             "a = { b = {} }\n[a.b.c]",
             "a = {}\na.b = 1",
             "a = 1\n[a]",
             "a = 1\n[a.b]",
             "a.b = 1\n[a]",
             "[a]\nb.c = 1\n[a.b]",
             "[a]\nb = 1\n[a.b]",
             "[a.b.c]\nz = 9\n[a]\nb.c.t = 1",
             "[a.b]\nz = 9\n[a]\nb.t = 1",
             "[[a]]\n[a]",
             "[a]\n[[a]]",
             "a = []\n[[a]]",
             "a = [{}]\n[a.b]",
             "[[a]]\nb = 1\n[[a.b]]",
             "[[a.b]]\n[a.b.c]\n[a.b.c]",
             "x.a = 1\n[x.a.b]",
         }) {
        CHECK_MESSAGE(refused(twice, " already"), twice);
    }
}

TEST_CASE("what is no TOML is refused where it stands")
{
    CHECK(refused("a", "f:1:2: expected '=' after the key, found the end of the file"));
    CHECK(refused("a\nb = 1", "f:1:2: expected '=' after the key, found the end of the line"));
    CHECK(refused("a b = 1", "f:1:3: expected '=' after the key, found 'b'"));
    CHECK(refused("= 1", "f:1:1: expected a key, found '='"));
    CHECK(refused("a =", "f:1:4: expected a value"));
    CHECK(refused("a = 1 b = 2", "f:1:7: expected the end of the line, found 'b'"));
    CHECK(refused("a. = 1", "f:1:4: expected a key"));
    CHECK(refused("a..b = 1", "f:1:3: expected a key"));
    CHECK(refused("é = 1", "f:1:1: expected a key, found 'é'"));
    CHECK(refused("'é' = 1 x", "f:1:9: "));  // columns count characters
    CHECK(refused("\"\"\"a\"\"\" = 1", "f:1:3: "));
    for (const char* header :
         {"[]", "[a", "[a.]", "[.a]", "[a]]", "[[a]", "[ [a]]", "[[a] ]", "[a] b = 1", "[a b]", "[a=1]"})
        CHECK_MESSAGE(refused(header, "f:1:"), header);

    SUBCASE("letters")
    {
        CHECK(refused("\xEF\xBB\xBF"
                      "a = 1",
                      "f:1:1: "));
        CHECK(refused("a = 1\rb = 2", "carriage return"));
        CHECK(refused("a = 1\r", "carriage return"));
        CHECK(refused("# \x01", "control character"));
        CHECK(refused("a = '\x7f'", "control character"));
        CHECK(refused(std::string_view("a = '\0'", 7), "control character"));
        for (const char* wrong :
             {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x98", "\x80"})
            CHECK(refused(concat("# ", wrong), "f:1:3: this is not UTF-8"));
    }
    SUBCASE("limits")
    {
        CHECK(read("a = [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]") == "{a:[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}");
        CHECK(refused("a = [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "more than 16 deep"));
        CHECK(refused("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", "more than 16 deep"));
        CHECK(refused("a = " + std::string(100000, '['), "more than 16 deep"));
        CHECK(refused("a = " + std::string(100000, '{'), ""));
        std::string many = "a = [";
        for (int count = 0; count < 9000; ++count)
            many += "1,";
        CHECK(refused(many + "]", "more than 8192 values"));
    }
}

TEST_CASE("all errors come in one go, in the order of the file")
{
    CHECK(read("a = x\nb = 1\n[c\nd = \"\n[e]\n[e]\n") ==
          "f:1:5: text stands in quotes: write \"x\"\n"
          "f:3:3: expected ']' after the table's name, found the end of the line\n"
          "f:4:5: this string has no closing quote\n"
          "f:6:1: 'e' is defined already\n");
    // After an error inside an array, its other lines are not taken for keys.
    CHECK(read("a = [\n  'x',\n  y,\n  'z',\n]\nb = z\n") == "f:3:3: text stands in quotes: write \"y\"\n"
                                                             "f:6:5: text stands in quotes: write \"z\"\n");
    std::string many;
    for (int count = 0; count < 100; ++count)
        many += "a b\n";
    const std::string answer = read(many);
    CHECK(answer.find("f:20:") != std::string::npos);
    CHECK(answer.find("f:21:") == std::string::npos);
    CHECK(answer.find("more problems") != std::string::npos);
}

TEST_CASE("a drop-in lies over the file")
{
    const auto over = [](std::string_view text, std::initializer_list<std::string_view> more) {
        std::size_t size = text.size();
        for (const std::string_view each : more)
            size += each.size();
        toml::Document document(size);
        Problems problems;
        toml::read(document, text, problems);
        int count = 0;
        std::string names[4];
        for (const std::string_view each : more) {
            names[count] = concat("d", Decimal(count));
            toml::lay_over(document, each, names[count++], problems);
        }
        std::string answer;
        if (problems.none())
            write(document, 0, answer);
        for (const Diagnostic& problem : problems.take())
            answer += concat(format(problem, "f"), "\n");
        return answer;
    };
    CHECK(over("a = 1\nb = 2", {}) == "{a:1,b:2}");
    CHECK(over("a = 1\nb = 2", {""}) == "{a:1,b:2}");
    CHECK(over("", {"a = 1"}) == "{a:1}");

    SUBCASE("tables add to each other, however they are written")
    {
        CHECK(over("[a]\nb = 1\nc = 2", {"[a]\nc = 3\nd = 4"}) == "{a:{b:1,c:3,d:4}}");
        CHECK(over("[a]\nb = 1", {"a.c = 2"}) == "{a:{b:1,c:2}}");
        CHECK(over("a.b.c = 1", {"[a.b]\nd = 2\n[a.e]\nf = 3"}) == "{a:{b:{c:1,d:2},e:{f:3}}}");
        CHECK(over("a = { b = 1, c = 2 }", {"[a]\nc = 3"}) == "{a:{b:1,c:3}}");
        CHECK(over("[a]\nb = 1", {"a = { c = 2 }"}) == "{a:{b:1,c:2}}");
        CHECK(over("[a.b.c]\nd = 1", {"a.b.c.d = 2\na.b.c.e = 3\nz = 4"}) == "{a:{b:{c:{d:2,e:3}}},z:4}");
    }
    SUBCASE("everything else is replaced, in its place")
    {
        CHECK(over("a = 1\nb = 2\nc = 3", {"b = 'x'"}) == "{a:1,b:\"x\",c:3}");
        CHECK(over("a = [1, 2]\nb = 1", {"a = [3]"}) == "{a:[3],b:1}");
        CHECK(over("[[a]]\nb = 1\n[[a]]\nb = 2\n[c]", {"[[a]]\nb = 3"}) == "{a:[{b:3}],c:{}}");
        CHECK(over("a = 1\nb = 2", {"[a]\nc = 3"}) == "{a:{c:3},b:2}");
        CHECK(over("[a]\nc = 3\n[b]", {"a = 1"}) == "{a:1,b:{}}");
        CHECK(over("[[a]]\nb = 1", {"a = 'x'"}) == "{a:\"x\"}");
        CHECK(over("a = 1", {"[[a]]\nb = 2\n[a.c]\nd = 3"}) == "{a:[{b:2,c:{d:3}}]}");
    }
    SUBCASE("the later one wins")
    {
        CHECK(over("a = 1\n[b]\nc = 1", {"a = 2\nb.c = 2\nb.d = 2", "a = 3\nb.d = 3"}) == "{a:3,b:{c:2,d:3}}");
        CHECK(over("a = 1", {"a = { b = 1 }", "a.c = 2", "a = 4\nz = 5"}) == "{a:4,z:5}");
        CHECK(over("a.b = 1", {"a = 2", "a.c = 3\nd = 4"}) == "{a:{c:3},d:4}");
    }
    SUBCASE("a setting comes last")
    {
        toml::Document document(100);
        Problems problems;
        toml::read(document, "a = 1", problems);
        toml::lay_over(document, "b.c = 2", "d", problems);
        toml::set(document, "b.c=3", problems);
        toml::set(document, "b.d=4", problems);
        std::string answer;
        write(document, 0, answer);
        CHECK(answer == "{a:1,b:{c:3,d:4}}");
        toml::set(document, "b.c=[", problems);
        const List<Diagnostic> found = problems.take();
        CHECK(found.size() == 1);
        CHECK(format(found[0], "f").substr(0, 6) == "--set ");
    }
    SUBCASE("what is wrong with one is said of it, after what is wrong with the file")
    {
        CHECK(over("a = 1", {"\nb c\n", "d = 1\nd = 2"}) ==
              "d0:2:3: expected '=' after the key, found 'c'\nd1:2:1: 'd' is defined already\n");
        CHECK(over("a b", {"c d"}) == "f:1:3: expected '=' after the key, found 'b'\n"
                                      "d0:1:3: expected '=' after the key, found 'd'\n");
    }
}
