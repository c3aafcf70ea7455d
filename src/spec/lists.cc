// SPDX-License-Identifier: MIT
#include "spec/values.h"

#include "base/text.h"
#include "spec/address.h"
#include "spec/capability_names.h"
#include "spec/grammar.h"
#include "spec/read.h"

#include <sys/socket.h>

namespace vial {

using toml::Index;
using toml::Kind;

namespace {

void read_environment_table(const ReadContext& context, Index node, std::vector<std::string>& to)
{
    for (Index child = context.document[node].first; child != 0; child = context.document[child].next) {
        const toml::Node& value = context.document[child];
        if (value.kind == Kind::Broken)
            continue;
        if (value.kind != Kind::String)
            context.expected(child, "a string");
        else if (value.key.empty() || value.key.find('=') != std::string_view::npos)
            context.complain(child, "this is no name for a variable");
        else
            to.push_back(concat({value.key, "=", value.text}));
    }
}

/// Reads lists element by element: each of the vectors stays empty but the one that the type asks for.
struct ListReader {
    const ReadContext& context;
    const SchemaKey& key;
    std::vector<std::string> texts;
    std::vector<std::uint32_t> ids;
    std::vector<IpAddress> addresses;
    std::vector<IdRange> ranges;
    std::vector<MountSpec> mounts;
    MountSpec* options_of = nullptr;
    std::uint64_t capabilities = 0;

    void element(Index node);
    void complain_about(Index node, std::string_view fault) const
    {
        context.complain(node, "%: %", toml_string(context.document[node].text.substr(0, 200)), fault);
    }
    void store(void* member);
};

void ListReader::element(Index node)
{
    const toml::Node& value = context.document[node];
    const char* look = look_of(key.type);
    if (key.type == Type::Ids) {
        std::uint32_t id = 0;
        if (read_id(context, node, id))
            ids.push_back(id);
        return;
    }
    if (value.kind != Kind::String)
        return context.expected(node, look);
    const std::string_view text = value.text;
    switch (key.type) {
    case Type::PathsInside:
        if (!is_target(text))
            return context.expected(node, look);
        break;
    case Type::Names:
        if (const auto fault = name_fault(text); !fault.empty())
            return complain_about(node, fault);
        break;
    case Type::Environment:
        if (text.find('=') == std::string_view::npos || text[0] == '=')
            return context.expected(node, look);
        break;
    case Type::Mounts: {
        MountSpec mount;
        if (const char* fault = parse_mount(text, mount))
            return complain_about(node, fault);
        mounts.push_back(std::move(mount));
        return;
    }
    case Type::MountOptions:
        if (const char* fault = parse_mount_option(text, *options_of))
            complain_about(node, fault);
        return;
    case Type::IdMap:
        if (const auto range = parse_id_range(text))
            ranges.push_back(*range);
        else
            context.expected(node, look);
        return;
    case Type::Networks:
    case Type::Addresses: {
        const bool with_prefix = key.type == Type::Networks;
        const auto address = with_prefix ? parse_network(text) : parse_address(text);
        if (address)
            addresses.push_back(*address);
        else if (const auto bare = parse_address(text))
            context.complain(node,
                             bare->family == AF_INET ? "\"%\" has no prefix length; write \"%/24\""
                                                     : "\"%\" has no prefix length; write \"%/64\"",
                             text, text);
        else
            context.expected(node, look);
        return;
    }
    case Type::Capabilities:
        if (text == "ALL" || text == "all")
            capabilities |= all_capabilities;
        else if (const auto bit = parse_capability(text))
            capabilities |= std::uint64_t{1} << *bit;
        else
            context.expected(node, look);
        return;
    default:
        break;
    }
    texts.emplace_back(text);
}

void ListReader::store(void* member)
{
    switch (key.type) {
    case Type::Ids:
        return put(member, std::move(ids));
    case Type::IdMap:
        return put(member, std::move(ranges));
    case Type::Networks:
    case Type::Addresses:
        return put(member, std::move(addresses));
    case Type::Capabilities:
        return put(member, capabilities);
    case Type::MountOptions:
        return;
    case Type::Mounts:
        return put(member, std::move(mounts));
    default:
        return put(member, std::move(texts));
    }
}

}  // namespace

bool is_list(Type type)
{
    switch (type) {
    case Type::Texts:
    case Type::Command:
    case Type::PathsInside:
    case Type::Names:
    case Type::Ids:
    case Type::Environment:
    case Type::Mounts:
    case Type::MountOptions:
    case Type::IdMap:
    case Type::Networks:
    case Type::Addresses:
    case Type::Capabilities:
        return true;
    default:
        return false;
    }
}

void read_list(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const toml::Node& value = context.document[node];
    ListReader reader{context, key, {}, {}, {}, {}, {}, {}, 0};
    MountSpec scratch;
    reader.options_of = member != nullptr ? static_cast<MountSpec*>(member) : &scratch;
    const bool alone = value.kind == Kind::String && (key.type == Type::Networks || key.type == Type::Addresses ||
                                                      key.type == Type::IdMap || key.type == Type::Texts);
    if (key.type == Type::Environment && value.kind == Kind::Table) {
        read_environment_table(context, node, reader.texts);
    } else if (alone) {
        reader.element(node);
    } else if (value.kind != Kind::Array) {
        return context.expected(node, key.type == Type::Ids ? "an array of numbers or names" : "an array of strings");
    }
    for (Index child = value.kind == Kind::Array ? value.first : 0; child != 0; child = context.document[child].next)
        reader.element(child);
    const toml::Node& program = context.document[value.first];
    if (key.type == Type::Command && (value.first == 0 || (program.kind == Kind::String && program.text.empty())))
        return context.complain(node, "this wants at least the program to run: [\"/bin/httpd\", \"-f\"]");
    if (key.later && value.kind == Kind::Array && value.first == 0)
        return;
    reader.store(member);
    if (key.later)
        context.remember(node);
}

}  // namespace vial
