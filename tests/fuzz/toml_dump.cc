// SPDX-License-Identifier: MIT

/// The TOML reader alone, for toml_differential.py: documents come in as `LENGTH\n` and so many bytes, and for each
/// goes out one line, `= ` and the tree as JSON or `! ` and the first problem.

#include "base/text.h"
#include "spec/read.h"
#include "spec/toml.h"

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace vial;

static void dump(const toml::Document& document, toml::Index node, std::string& to)
{
    const toml::Node& value = document[node];
    const bool table = value.kind == toml::Kind::Table;
    switch (value.kind) {
    case toml::Kind::Broken:
        std::abort();
    case toml::Kind::String:
        to += toml_string(value.text);
        return;
    case toml::Kind::Integer:
        to += Decimal(value.number);
        return;
    case toml::Kind::Boolean:
        to += value.number != 0 ? "true" : "false";
        return;
    case toml::Kind::Table:
    case toml::Kind::Array:
        break;
    }
    to += table ? '{' : '[';
    for (toml::Index child = value.first; child != 0; child = document[child].next) {
        if (child != value.first)
            to += ',';
        if (table)
            to += concat(toml_string(document[child].key), ":");
        dump(document, child, to);
    }
    to += table ? '}' : ']';
}

int main()
{
    std::size_t size = 0;
    std::string text;
    while (std::scanf("%zu", &size) == 1) {
        std::getchar();
        text.resize(size);
        if (std::fread(text.data(), 1, size, stdin) != size)
            return 1;
        toml::Document document(text.size());
        Problems problems;
        toml::read(document, text, problems);
        std::string line;
        if (problems.none()) {
            line = "= ";
            dump(document, 0, line);
        } else {
            line = concat("! ", problems.take()[0].message);
        }
        for (char& letter : line) {
            if (letter == '\n')
                letter = ' ';
        }
        std::puts(line.c_str());
        std::fflush(stdout);
    }
}
