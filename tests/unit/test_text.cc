// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <string>

using namespace vial;

namespace {

std::string quoted(std::string_view text)
{
    char buffer[256];
    Writer writer(buffer, sizeof buffer);
    writer.quoted(text);
    CHECK(writer.text() == json_string(text));
    return std::string(writer.text());
}

std::string name_of(int signal)
{
    char scratch[16];
    return std::string(signal_name(signal, scratch));
}

}  // namespace

TEST_CASE("decimal numbers")
{
    CHECK(std::string_view(Decimal(0)) == "0");
    CHECK(std::string_view(Decimal(-1)) == "-1");
    CHECK(std::string_view(Decimal(INT64_MAX)) == "9223372036854775807");
    CHECK(std::string_view(Decimal(INT64_MIN)) == "-9223372036854775808");
    CHECK(concat("pid ", 42, "", "!") == "pid 42!");
    CHECK(concat().empty());
}

TEST_CASE("a Writer keeps what fits and remembers what did not")
{
    char buffer[8];
    Writer writer(buffer, sizeof buffer);
    writer.put("abc").put('-').decimal(12);
    CHECK(writer.text() == "abc-12");
    CHECK_FALSE(writer.overflowed());
    writer.put("xyz");
    CHECK(writer.text() == "abc-12xy");
    CHECK(writer.overflowed());
    writer.put("");
    CHECK(writer.text().size() == sizeof buffer);
    writer.clear();
    CHECK(writer.text().empty());
    CHECK_FALSE(writer.overflowed());
    writer.put("12345678");
    CHECK_FALSE(writer.overflowed());
}

TEST_CASE("JSON strings are valid whatever a container has written")
{
    CHECK(quoted("") == "\"\"");
    CHECK(quoted("plain") == "\"plain\"");
    CHECK(quoted("a\"b\\c\b\f\n\r\t") == R"("a\"b\\c\b\f\n\r\t")");
    CHECK(quoted({"\0\x01\x1b\x7f", 4}) == R"("\u0000\u0001\u001b\u007f")");
    CHECK(quoted("\xc2\x9b"
                 "31m") == R"("\u009b31m")");  // the one-byte CSI of some terminals
    CHECK(quoted("\xc2\xa0 gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x98\x80") ==
          "\"\xc2\xa0 gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    for (const char* wrong : {"\x80", "\xff", "\xc0\xaf", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
        const std::string text = quoted(std::string("<") + wrong + ">");
        CHECK(text.starts_with("\"<\xef\xbf\xbd"));
        CHECK(text.ends_with(">\""));
    }
}

TEST_CASE("UTF-8 is recognised exactly")
{
    CHECK(utf8_length("") == 0);
    CHECK(utf8_length(std::string_view("\0", 1)) == 1);
    CHECK(utf8_length("\xdf\xbf!") == 2);
    CHECK(utf8_length("\xe0\xa0\x80") == 3);
    CHECK(utf8_length("\xe0\x9f\xbf") == 0);
    CHECK(utf8_length("\xed\x9f\xbf") == 3);
    CHECK(utf8_length("\xf0\x8f\xbf\xbf") == 0);
    CHECK(utf8_length("\xf4\x8f\xbf\xbf") == 4);
    CHECK(utf8_length("\xf5\x80\x80\x80") == 0);
    // Whatever is appended is one valid character.
    for (std::uint32_t point = 0; point < 0x111000; point += point < 0x900 ? 1 : 97) {
        Builder text;
        append_utf8(text, point);
        CHECK(utf8_length(text) == text.size());
    }
    Builder text;
    append_utf8(text, 0xd800);
    append_utf8(text, 0x110000);
    CHECK(text.view() == "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("taking a text apart")
{
    std::string_view rest = "a::b";
    CHECK(take_until(rest, ':') == "a");
    CHECK(take_until(rest, ':').empty());
    CHECK(rest == "b");
    CHECK(take_until(rest, ':') == "b");
    CHECK(rest.empty());
    CHECK(take_until(rest, ':').empty());
    rest = "  stop \t web\n";
    CHECK(take_word(rest) == "stop");
    CHECK(take_word(rest) == "web");
    CHECK(take_word(rest).empty());
}

TEST_CASE("numbers are read strictly")
{
    CHECK(parse_number("0") == 0);
    CHECK(parse_number("007") == 7);
    CHECK(parse_number("9223372036854775807") == INT64_MAX);
    for (const char* wrong : {"", "-1", "+1", " 1", "1 ", "0x10", "1.0", "9223372036854775808", "99999999999999999999"})
        CHECK_MESSAGE(!parse_number(wrong), wrong);
}

TEST_CASE("sizes")
{
    CHECK(parse_size("4096") == 4096);
    CHECK(parse_size("64K") == 65536);
    CHECK(parse_size("64KB") == 65536);
    CHECK(parse_size("16M") == 16 << 20);
    CHECK(parse_size("16MiB") == 16 << 20);
    CHECK(parse_size("2G") == std::int64_t{2} << 30);
    CHECK(parse_size("1T") == std::int64_t{1} << 40);
    CHECK(parse_size("12B") == 12);
    CHECK(parse_size("8388607T") == std::int64_t{8388607} << 40);
    for (const char* wrong : {"", "M", "1m", "1MM", "1iB", "1MiBB", "1Mi", "-1", "1 M", "1.5M", "8388608T", "1KBiB"})
        CHECK_MESSAGE(!parse_size(wrong), wrong);
}

TEST_CASE("durations")
{
    CHECK(parse_duration("10") == 10000);
    CHECK(parse_duration("0") == 0);
    CHECK(parse_duration("500ms") == 500);
    CHECK(parse_duration("10s") == 10000);
    CHECK(parse_duration("5min") == 300000);
    CHECK(parse_duration("5m") == 300000);
    CHECK(parse_duration("2h") == 7200000);
    CHECK(parse_duration("1d") == 86400000);
    CHECK(parse_duration("1m30s") == 90000);
    CHECK(parse_duration("1min30s250ms") == 90250);
    for (const char* wrong : {"", "s", "1m30", "1x", "1ms5", "1 s", "-1s", "1.5s", "1mins", "9223372036854775807",
                              "99999999999999999999s", "106751991168d"})
        CHECK_MESSAGE(!parse_duration(wrong), wrong);
}

TEST_CASE("signals by number and by name")
{
    CHECK(parse_signal("15") == SIGTERM);
    CHECK(parse_signal("TERM") == SIGTERM);
    CHECK(parse_signal("SIGUSR1") == SIGUSR1);
    CHECK(parse_signal("SIGVTALRM") == SIGVTALRM);
    CHECK(parse_signal("RTMIN") == 34);
    CHECK(parse_signal("SIGRTMIN+3") == 37);
    CHECK(parse_signal("RTMIN+30") == 64);
    // As glibc has it, which is another libc than ours: on MIPS there are twice as many.
#ifdef __mips__
    constexpr int greatest = 127;
#else
    constexpr int greatest = 64;
#endif
    CHECK(parse_signal("RTMAX") == greatest);
    CHECK(parse_signal("RTMAX-30") == greatest - 30);
    CHECK(parse_signal(std::to_string(greatest)) == greatest);
    for (const char* wrong :
         {"", "SIG", "0", "128", "term", "SIGSIGTERM", "SIG15", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN3", "TERM "})
        CHECK_MESSAGE(!parse_signal(wrong), wrong);
    CHECK(name_of(SIGTERM) == "TERM");
    CHECK(name_of(SIGABRT) == "ABRT");
    CHECK(name_of(SIGCHLD) == "CHLD");
    CHECK(name_of(34) == "RTMIN");
    CHECK(name_of(35) == "RTMIN+1");
    CHECK(name_of(32) == "32");
    CHECK(name_of(-5) == "-5");
    for (int signal = 1; signal <= greatest; ++signal)
        CHECK(parse_signal(name_of(signal)) == signal);
    const std::string beyond = std::to_string(greatest + 1), steps = std::to_string(greatest - 33);
    CHECK(!parse_signal(beyond));
    CHECK(!parse_signal("RTMIN+" + steps));
    CHECK(!parse_signal("RTMAX-" + steps));
}

TEST_CASE("sizes and durations for people")
{
    CHECK(human_size(0) == "0");
    CHECK(human_size(1023) == "1023");
    CHECK(human_size(1024) == "1.0K");
    CHECK(human_size(16 << 20) == "16.0M");
    CHECK(human_size((16 << 20) + (1 << 19)) == "16.5M");
    CHECK(human_size(1024 * 1024 - 1) == "1.0M");
    CHECK(human_size(INT64_MAX) == "8.0E");
    CHECK(human_duration(0) == "0s");
    CHECK(human_duration(-5) == "0s");
    CHECK(human_duration(3999) == "3s");
    CHECK(human_duration(125000) == "2m05s");
    CHECK(human_duration((4 * 3600 + 12 * 60) * 1000) == "4h12m");
    CHECK(human_duration((3 * 24 + 4) * 3600 * std::int64_t{1000}) == "3d04h");
}

TEST_CASE("the nearest word")
{
    constexpr std::string_view keys[] = {"memory", "memory_high", "tasks", "cpu", "restart"};
    const auto near = [&](std::string_view word) { return nearest(word, keys, std::size(keys)); };
    CHECK(near("memroy") == "memory");
    CHECK(near("memory-high") == "memory_high");
    CHECK(near("task") == "tasks");
    CHECK(near("cpus") == "cpu");
    CHECK(near("cpu") == "cpu");
    CHECK(near("banana").empty());
    CHECK(near("").empty());
    CHECK(near(std::string(1000, 'x')).empty());
    CHECK(nearest("x", nullptr, 0).empty());
}
