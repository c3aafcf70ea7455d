// SPDX-License-Identifier: MIT
#include "ctl/moment.h"

#include <doctest/doctest.h>
#include <string>

using namespace vial;

namespace {

std::string written(std::int64_t at)
{
    char buffer[64];
    Writer text(buffer, sizeof buffer);
    put_moment(text, at);
    return std::string(text.text());
}

std::int64_t read(std::string_view text)
{
    return parse_moment(text, 1'000'000'000'000).value_or(-1);
}

}  // namespace

TEST_CASE("a moment is written in UTC")
{
    CHECK(written(0) == "1970-01-01T00:00:00.000Z");
    CHECK(written(951'782'399'999) == "2000-02-28T23:59:59.999Z");
    CHECK(written(951'782'400'000) == "2000-02-29T00:00:00.000Z");
    CHECK(written(951'868'800'000) == "2000-03-01T00:00:00.000Z");
    CHECK(written(1'709'251'199'000) == "2024-02-29T23:59:59.000Z");
    CHECK(written(1'763'786'009'123) == "2025-11-22T04:33:29.123Z");
    CHECK(written(4'107'542'400'000) == "2100-03-01T00:00:00.000Z");
}

TEST_CASE("what is written is read, for every day of some centuries")
{
    for (std::int64_t day = 0; day < 200'000; day += 7) {
        const std::int64_t at = day * 86'400'000 + day % 86'399 * 1000 + day % 1000;
        REQUIRE(read(written(at)) == at);
    }
}

TEST_CASE("a moment in the ways people write it")
{
    CHECK(read("2025-11-22T04:33:29") == 1'763'786'009'000);
    CHECK(read("2025-11-22 04:33") == 1'763'785'980'000);
    CHECK(read("2025-11-22") == 1'763'769'600'000);
    CHECK(read("@1763786009") == 1'763'786'009'000);
    CHECK(read("10m") == 1'000'000'000'000 - 600'000);
    CHECK(read("1d2h") == 1'000'000'000'000 - 26 * 3'600'000);
    CHECK(read("100000d") == 0);
    for (const char* wrong :
         {"", "@", "@-1", "@99999999999999999999", "yesterday", "2025-11", "2025-13-01", "2025-00-01", "2025-11-32",
          "2025-11-22T", "2025-11-22T24:00", "2025-11-22T04:60", "2025-11-22T04:33:29.1", "2025-11-22T04:33:29Zulu",
          "2025-11-22T04:33:29+01:00", "25-11-22"})
        CHECK_MESSAGE(read(wrong) == -1, wrong);
}
