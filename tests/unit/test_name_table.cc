// SPDX-License-Identifier: MIT
#include "base/name_table.h"

#include <doctest/doctest.h>

using namespace vial;

TEST_CASE("name table: what was put in is found, and nothing else")
{
    NameTable table;
    CHECK(table.find("a") == NameTable::none);
    CHECK(table.find("") == NameTable::none);
    CHECK(table.add("a", 0));
    CHECK(table.add("", 1));
    CHECK_FALSE(table.add("a", 2));
    CHECK(table.find("a") == 0);
    CHECK(table.find("") == 1);
    CHECK(table.find("b") == NameTable::none);
}

TEST_CASE("name table: it grows with what it holds")
{
    NameTable table;
    constexpr std::uint32_t many = 5000;
    bool all = true;
    for (std::uint32_t number = 0; number < many; number++)
        all = all && table.add(decimal(number), number);
    for (std::uint32_t number = 0; number < many; number++)
        all = all && table.find(decimal(number)) == number;
    CHECK(all);
    CHECK(table.find(decimal(many)) == NameTable::none);
}
