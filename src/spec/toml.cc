// SPDX-License-Identifier: MIT
#include "spec/toml.h"

#include "base/text.h"
#include "spec/toml_parser.h"

namespace vial::toml {

Document::Document(std::size_t capacity)
{
    decoded.room(capacity);
    Node root;
    root.kind = Kind::Table;
    root.made = Made::Header;
    nodes.push_back(root);
}

Index Document::find(Index table, std::string_view key) const
{
    for (Index child = nodes[table].first; child != 0; child = nodes[child].next) {
        if (nodes[child].key == key)
            return child;
    }
    return 0;
}

Text Document::path(Index node) const
{
    Text text;
    for (; node != 0; node = nodes[node].parent) {
        const std::string_view key = nodes[node].key;
        if (key.empty())
            continue;
        text = text.empty() ? Text(key) : compose("%.%", key, text);
    }
    return text;
}

void Document::report_at(Problems& problems, std::uint16_t source, std::size_t at, std::string_view message) const
{
    if (problems.full())
        return;
    if (is_setting(source)) {
        // Cut, for the value may be a whole page.
        const std::string_view setting = sources[source];
        const bool cut = setting.size() > 40;
        problems.add(compose("--set %%%", slice(setting, 0, cut ? 37 : 40), cut ? "...: " : ": ", message));
        return;
    }
    int line = 1, column = 1;
    for (const char letter : slice(sources[source], 0, at)) {
        if (letter == '\n') {
            ++line;
            column = 1;
        } else if ((letter & 0xc0) != 0x80) {  // not in the middle of a character
            ++column;
        }
    }
    if (source == 0)
        problems.add(line, column, Text(message));
    else
        problems.add(compose("%:%:%: %", names[source - 1U], line, column, message));
}

void Document::report(Problems& problems, Index node, std::string_view message) const
{
    report_at(problems, nodes[node].source, nodes[node].at, message);
}

void read(Document& document, std::string_view text, Problems& problems)
{
    document.sources.push_back(text);
    Parser parser(document, 0, &problems);
    if (parser.check_letters())
        parser.whole_file();
}

namespace {

void merge(Document& document, Index to, Index from)
{
    for (Index child = document[from].first, next = 0; child != 0; child = next) {
        next = document[child].next;
        const Index there = document.find(to, document[child].key);
        if (there != 0 && document[there].kind == Kind::Table && document[child].kind == Kind::Table) {
            merge(document, there, child);
            continue;
        }
        if (there != 0) {
            // Its place among the others stays.
            Node moved = document[child];
            moved.parent = to;
            moved.next = document[there].next;
            document.nodes[there] = moved;
            for (Index inner = moved.first; inner != 0; inner = document[inner].next)
                document.nodes[inner].parent = there;
            continue;
        }
        document.nodes[child].parent = to;
        document.nodes[child].next = 0;
        Node& table = document.nodes[to];
        (table.last != 0 ? document.nodes[table.last].next : table.first) = child;
        table.last = child;
    }
}

}  // namespace

void lay_over(Document& document, std::string_view text, std::string_view name, Problems& problems)
{
    document.sources.push_back(text);
    document.names.push_back(name);
    const auto root = static_cast<Index>(document.nodes.size());
    Node apart;
    apart.kind = Kind::Table;
    apart.made = Made::Header;
    document.nodes.push_back(apart);
    Parser parser(document, static_cast<std::uint16_t>(document.sources.size() - 1), &problems, root);
    if (parser.check_letters())
        parser.whole_file();
    merge(document, 0, root);
}

void set(Document& document, std::string_view setting, Problems& problems)
{
    document.sources.push_back(setting);
    Parser(document, static_cast<std::uint16_t>(document.sources.size() - 1), &problems).setting();
}

}  // namespace vial::toml
