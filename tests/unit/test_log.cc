// SPDX-License-Identifier: MIT

#include "base/os.h"
#include "init/log.h"
#include "supervise/log_format.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <unistd.h>
#include <vector>

using namespace vial;

namespace {

struct Segments {
    explicit Segments(std::int64_t bytes) : size(bytes)
    {
        for (int i = 0; i < 2; i++) {
            files[i] = os::memfd("segment").take();
            REQUIRE(::ftruncate(files[i].get(), size) == 0);
            numbers[i] = files[i].get();
        }
    }
    LogReader reader() const { return {numbers[0], numbers[1]}; }
    void overwrite(int which, std::int64_t offset, std::string_view text) const
    {
        REQUIRE(os::pwrite(numbers[which], text.data(), text.size(), offset).ok());
    }
    void forge(int which, LogSegmentHeader header) const
    {
        header.magic = LogSegmentHeader::expected_magic;
        header.check = header.sum();
        overwrite(which, 0, {reinterpret_cast<const char*>(&header), sizeof header});
    }

    std::int64_t size;
    Fd files[2];
    std::int32_t numbers[2];
};

struct Written : Segments {
    explicit Written(std::int64_t bytes) : Segments(bytes) { log.open(numbers, size, page); }
    void put(std::string_view text, std::string_view service = "web", bool commit = true)
    {
        std::memcpy(log.data(), text.data(), text.size());
        log.write_prepared(text.size(), 1000, service, LogStream::Output);
        if (commit)
            log.commit();
    }

    char page[Log::page];
    Log log;
};

std::string rest(LogReader& reader)
{
    std::string text;
    for (LogRecord record; reader.next(record);)
        text += record.data;
    return text;
}

}  // namespace

TEST_CASE("log: a remark that is too long is cut, and ends its line all the same")
{
    Written log(4096);
    log.log.note(2000, "db", std::string(2000, 'x'));
    log.log.commit();
    LogReader reader = log.reader();
    LogRecord record;
    REQUIRE(reader.next(record));
    CHECK(record.data.size() == 599);  // the reader takes the newline off
}

TEST_CASE("log: what is written is read, with who and when")
{
    Written log(4096);
    log.put("hello\n");
    log.log.note(2000, "db", "killed by SIGKILL");
    log.log.commit();
    LogReader reader = log.reader();
    LogRecord record;
    REQUIRE(reader.next(record));
    CHECK(record.at == 1000);
    CHECK(record.service == "web");
    CHECK(record.stream == LogStream::Output);
    CHECK(record.data == "hello\n");
    REQUIRE(reader.next(record));
    CHECK(record.at == 2000);
    CHECK(record.service == "db");
    CHECK(record.stream == LogStream::Note);
    CHECK(record.data == "killed by SIGKILL");
    CHECK_FALSE(reader.next(record));
    CHECK(reader.gaps() == 0);
}

TEST_CASE("log: a reader goes on when there is more, and sees nothing that is not committed")
{
    Written log(4096);
    LogReader reader = log.reader();
    CHECK(rest(reader) == "");
    log.put("one ", "web", false);
    CHECK(rest(reader) == "");
    log.put("two ");
    CHECK(rest(reader) == "one two ");
    log.put("three");
    CHECK(rest(reader) == "three");
}

TEST_CASE("log: a reader that keeps up sees everything over many turns")
{
    Written log(1024);
    LogReader reader = log.reader();
    for (int i = 0; i < 500; i++) {
        log.put(std::to_string(i));
        CHECK(rest(reader) == std::to_string(i));
    }
    CHECK(reader.gaps() == 0);
    CHECK(log.log.dropped() == 0);
    for (const int fd : log.numbers)
        CHECK(os::fstat(fd).value().st_size == 1024);
}

TEST_CASE("log: a late reader gets the newest of what fits, in order")
{
    Written log(1024);
    for (int i = 0; i < 500; i++)
        log.put(std::to_string(i) + " ");
    LogReader reader = log.reader();
    const std::string text = rest(reader);
    CHECK(text.ends_with(" 497 498 499 "));
    int expected = std::stoi(text);
    CHECK(expected < 480);
    for (std::size_t at = 0; at < text.size(); at = text.find(' ', at) + 1)
        CHECK(std::stoi(text.substr(at)) == expected++);
}

TEST_CASE("log: an overtaken reader says so and goes on")
{
    Written log(1024);
    log.put("first");
    LogReader reader = log.reader();
    CHECK(rest(reader) == "first");
    for (int i = 0; i < 200; i++)
        log.put(std::to_string(i) + " ");
    CHECK(rest(reader).ends_with("198 199 "));
    CHECK(reader.gaps() == 1);
}

TEST_CASE("log: skip_to_end shows only what comes")
{
    Written log(1024);
    for (int i = 0; i < 100; i++)
        log.put(std::to_string(i));
    LogReader reader = log.reader();
    reader.skip_to_end();
    CHECK(rest(reader) == "");
    log.put("new");
    CHECK(rest(reader) == "new");
}

TEST_CASE("log: PID 1 goes on where an earlier one has stopped")
{
    Written log(1024);
    for (int i = 0; i < 100; i++)
        log.put("old ");
    char page[Log::page];
    Log next;
    next.open(log.numbers, log.size, page);
    std::memcpy(next.data(), "new", 3);
    next.write_prepared(3, 1, "web", LogStream::Output);
    next.commit();
    LogReader reader = log.reader();
    CHECK(rest(reader).ends_with("old old new"));
}

TEST_CASE("log: what cannot be kept is counted")
{
    char page[Log::page];
    Log none;
    const std::int32_t missing[2] = {-1, -1};
    none.open(missing, 65536, page);
    none.write_prepared(10, 1, "web", LogStream::Output);
    none.commit();
    CHECK(none.dropped() == 10);

    Written log(4096);
    log.files[0] = os::open("/dev/full", 01).take();
    CHECK(::dup2(log.files[0].get(), log.numbers[0]) == log.numbers[0]);
    log.put("lost");
    CHECK(log.log.dropped() == 4);
}

TEST_CASE("log: the longest record and the longest name")
{
    Written log(16384);
    const std::string text(log.log.room(), 'x');
    const std::string name(500, 'n');
    log.put(text, name);
    LogReader reader = log.reader();
    LogRecord record;
    REQUIRE(reader.next(record));
    CHECK(record.data == text);
    CHECK(record.service == name.substr(0, 120));
}

TEST_CASE("log: a reader survives whatever a hostile PID 1 writes")
{
    Segments segments(4096);
    LogRecord record;
    SUBCASE("nothing") {}
    SUBCASE("a header that claims more than there is")
    {
        segments.forge(0, {0, 0, 1, 1 << 20, 0});
    }
    SUBCASE("a header that claims less than itself")
    {
        segments.forge(0, {0, 0, 1, 3, 0});
    }
    SUBCASE("no record")
    {
        segments.forge(0, {0, 0, 1, 4096, 0});
    }
    SUBCASE("a record longer than the segment")
    {
        segments.overwrite(0, 32, "1 web o 4096\nxxx");
        segments.forge(0, {0, 0, 1, 64, 0});
    }
    SUBCASE("numbers that are none")
    {
        segments.overwrite(0, 32, "1 web o -1\n 99999999999999999999 web o 1\n");
        segments.forge(0, {0, 0, 1, 74, 0});
    }
    SUBCASE("the same generation twice")
    {
        segments.forge(0, {0, 0, 7, 32, 0});
        segments.forge(1, {0, 0, 7, 32, 0});
    }
    SUBCASE("the last generation of all")
    {
        segments.forge(0, {0, 0, UINT64_MAX, 32, 0});
        segments.forge(1, {0, 0, 1, 32, 0});
    }
    SUBCASE("no files")
    {
        LogReader none(-1, -1);
        CHECK_FALSE(none.next(record));
    }
    SUBCASE("files without content")
    {
        for (const int fd : segments.numbers)
            REQUIRE(::ftruncate(fd, 0) == 0);
    }
    LogReader reader = segments.reader();
    for (int i = 0; i < 10; i++)
        CHECK_FALSE(reader.next(record));
}

TEST_CASE("log: the line before a record")
{
    LogRecord record;
    std::size_t bytes = 0;
    CHECK(parse_log_head("17 web o 5", record, bytes));
    CHECK(bytes == 5);
    for (const char* bad : {"", "17", "17 web", "17 web o", "17 web o ", "17 web o 0", "17 web o 4097", "17 web o 5x",
                            "17 web x 5", "17 web oo 5", "x web o 5", "17  o 5", "17 web o 5 6"})
        CHECK_FALSE_MESSAGE(parse_log_head(bad, record, bytes), bad);
}

TEST_CASE("log: read through PID 1, in pieces, over turns and overtakings")
{
    Written log(4096);
    log.put("one\n");
    log.put(std::string(1500, 'x') + "\xc3\xa4" + "end\n", "db");
    LogCursor cursor;
    LogRecord record;
    REQUIRE(log.log.next(cursor, record, 501));
    CHECK(record.data == "one\n");
    CHECK(record.service == "web");
    std::string whole;
    // A piece ends before a character, never in it.
    for (int piece = 0; piece < 4; piece++) {
        REQUIRE(log.log.next(cursor, record, 1501 / (piece + 1)));
        CHECK(record.service == "db");
        whole += record.data;
        if (whole.size() > 1500)
            break;
    }
    while (log.log.next(cursor, record, 501))
        whole += record.data;
    CHECK(whole == std::string(1500, 'x') + "\xc3\xa4" + "end\n");
    CHECK_FALSE(cursor.overtaken);
    // It goes on where it was, and over to the other segment.
    for (int i = 0; i < 4; i++)
        log.put(std::string(900, static_cast<char>('a' + i)));
    std::string rest_of_it;
    while (log.log.next(cursor, record, 4096))
        rest_of_it += record.data[0];
    CHECK(rest_of_it == "abcd");
    for (int i = 0; i < 20; i++)
        log.put(std::string(900, static_cast<char>('A' + i)));
    CHECK(log.log.next(cursor, record, 4096));
    CHECK(cursor.overtaken);
    while (log.log.next(cursor, record, 4096)) {
    }
    CHECK(record.data[0] == 'T');
}
