// SPDX-License-Identifier: MIT
#include "base/text.h"
#include "spec/address.h"
#include "spec/capability_names.h"
#include "spec/grammar.h"
#include "spec/read.h"
#include "spec/values.h"

#include <sys/socket.h>

namespace vial {

using toml::Index;
using toml::Kind;

namespace {

void read_environment_table(const ReadContext& context, const SchemaKey& key, Index node, List<Text>& to)
{
    for (Index child = context.document[node].first; child != 0; child = context.document[child].next) {
        const toml::Node& value = context.document[child];
        if (value.kind == Kind::Broken)
            continue;
        const bool is_file = key.type == Type::CgroupFiles;
        const Text text = is_file && value.kind == Kind::Integer ? decimal(value.number) : Text(value.text);
        if (value.kind != Kind::String && !(is_file && value.kind == Kind::Integer))
            context.expected(child, is_file ? "a string or a whole number"_p : "a string"_p);
        else if (const Phrase fault = is_file ? cgroup_file_fault(value.key) : nullptr)
            context.complain(child, Text(fault));
        else if (value.key.empty() || contains(value.key, '='))
            context.complain(child, "this is no name for a variable"_p);
        else
            to.push_back(compose("%=%", value.key, text));
    }
}

/// With slashes, dots may be in the names, as for sysctl(8).
Text sysctl_path(std::string_view above, std::string_view name)
{
    const bool has_slashes = contains(name, '/');
    Builder path(above);
    for (const char letter : name)
        path += letter == '.' && !has_slashes ? '/' : letter;
    return path;
}

/// `net.ipv4.ip_forward = 1`, as dotted keys or as one in quotes.
void read_sysctls(const ReadContext& context, Index table, std::string_view above, List<Text>& to)
{
    for (Index child = context.document[table].first; child != 0; child = context.document[child].next) {
        const toml::Node& value = context.document[child];
        const Text path = sysctl_path(above, value.key);
        if (value.kind == Kind::Table)
            read_sysctls(context, child, concat(path, "/"), to);
        else if (!is_sysctl(path))
            context.complain(child, "this is no name of a sysctl"_p);
        else if (value.kind == Kind::String || value.kind == Kind::Integer)
            to.push_back(concat(path, "=", value.kind == Kind::String ? Text(value.text) : decimal(value.number)));
        else if (value.kind != Kind::Broken)
            context.expected(child, "a string or a whole number"_p);
    }
}

template <typename T>
List<T>& list(void* member)
{
    return *static_cast<List<T>*>(member);
}

/// What cannot be read leaves nothing that further checks could find wrong as well.
template <typename T>
Taken taken_if(bool (*parse)(std::string_view, T&), std::string_view text, List<T>& to)
{
    T element;
    if (!parse(text, element))
        return Taken::Wrong;
    to.push_back(element);
    return Taken::Good;
}

/// Reads one element into the list `member`, whatever it is a list of.
Taken read_element(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const toml::Node& value = context.document[node];
    if (key.type == Type::Ids)
        return read_id(context, node, list<Identifier>(member).emplace_back());
    if (value.kind != Kind::String)
        return Taken::Wrong;
    const std::string_view text = value.text;
    Phrase fault = nullptr;
    switch (key.type) {
    case Type::PathsInside:
        if (!is_target(text))
            return Taken::Wrong;
        break;
    case Type::Landlock:
        if (!is_landlock_rule(text))
            return Taken::Wrong;
        break;
    case Type::Names:
        fault = name_fault(text);
        break;
    case Type::Environment:
        if (!contains(text, '=') || text[0] == '=')
            return Taken::Wrong;
        break;
    case Type::CgroupFiles: {
        if (!contains(text, '='))
            return Taken::Wrong;
        std::string_view rest = text;
        fault = cgroup_file_fault(take_until(rest, '='));
        break;
    }
    case Type::Sysctls: {
        std::string_view rest = text;
        const Text path = sysctl_path({}, take_until(rest, '='));
        if (!contains(text, '=') || !is_sysctl(path))
            return Taken::Wrong;
        list<Text>(member).push_back(concat(path, "=", rest));
        return Taken::Good;
    }
    case Type::IoLimits: {
        IoLimit limit;
        fault = parse_io_limit(text, limit);
        break;
    }
    case Type::Mounts:
        return good_unless(context, node, parse_mount(text, list<MountSpec>(member).emplace_back()));
    case Type::Devices:
        return good_unless(context, node, parse_device(text, list<DeviceSpec>(member).emplace_back()));
    case Type::MountOptions:
        return good_unless(context, node, parse_mount_option(text, *static_cast<MountSpec*>(member)));
    case Type::IdMap: {
        const auto range = parse_id_range(text);
        if (range)
            list<IdRange>(member).push_back(*range);
        return good_if(range.has_value());
    }
    case Type::Networks:
    case Type::Addresses: {
        const bool with_prefix = key.type == Type::Networks;
        const auto address = with_prefix ? parse_network(text) : parse_address(text);
        if (address) {
            list<IpAddress>(member).push_back(*address);
        } else if (const auto bare = parse_address(text)) {
            context.complain(node, compose("\"%\" has no prefix length; write \"%/%\""_p, text, text,
                                           bare->family == AF_INET ? 24 : 64));
            return Taken::Told;
        }
        return good_if(address.has_value());
    }
    case Type::Ports:
        return taken_if(parse_port, text, list<PortSpec>(member));
    case Type::Routes:
        return taken_if(parse_route, text, list<RouteSpec>(member));
    case Type::Hosts:
        if (!is_hosts_line(text))
            return Taken::Wrong;
        break;
    case Type::Capabilities: {
        const bool all = text == "ALL" || text == "all";
        const auto bit = parse_capability(text);
        *static_cast<std::uint64_t*>(member) |= all ? all_capabilities : std::uint64_t{1} << bit.value_or(0);
        return good_if(all || bit);
    }
    default:
        break;
    }
    list<Text>(member).push_back(text);
    return good_unless(context, node, fault);
}

void take_element(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    if (read_element(context, key, node, member) == Taken::Wrong)
        context.expected(node, look_of(key.type));
}

}  // namespace

bool is_list(Type type)
{
    switch (type) {
    case Type::Texts:
    case Type::Command:
    case Type::PathsInside:
    case Type::Landlock:
    case Type::Names:
    case Type::Ids:
    case Type::Environment:
    case Type::IoLimits:
    case Type::CgroupFiles:
    case Type::Sysctls:
    case Type::Mounts:
    case Type::MountOptions:
    case Type::Devices:
    case Type::IdMap:
    case Type::Networks:
    case Type::Addresses:
    case Type::Ports:
    case Type::Routes:
    case Type::Hosts:
    case Type::Capabilities:
        return true;
    default:
        return false;
    }
}

void read_list(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const toml::Node& value = context.document[node];
    if (key.type == Type::Sysctls && value.kind == Kind::Table)
        return read_sysctls(context, node, {}, list<Text>(member));
    if (key.type == Type::Capabilities)
        *static_cast<std::uint64_t*>(member) = 0;  // the list stands instead of the default
    const bool of_one = key.type == Type::Texts || key.type == Type::IdMap || key.type == Type::Networks ||
                        key.type == Type::Addresses || key.type == Type::IoLimits ||
                        (key.type >= Type::Ports && key.type <= Type::Hosts);
    const bool alone = value.kind == Kind::String && of_one;
    if ((key.type == Type::Environment || key.type == Type::CgroupFiles) && value.kind == Kind::Table) {
        read_environment_table(context, key, node, list<Text>(member));
    } else if (alone) {
        take_element(context, key, node, member);
    } else if (value.kind != Kind::Array) {
        return context.expected(node,
                                key.type == Type::Ids ? "an array of numbers or names"_p : "an array of strings"_p);
    }
    for (Index child = value.kind == Kind::Array ? value.first : 0; child != 0; child = context.document[child].next)
        take_element(context, key, child, member);
    const toml::Node& program = context.document[value.first];
    if (key.type == Type::Command && (value.first == 0 || (program.kind == Kind::String && program.text.empty())))
        return context.complain(node, "this wants at least the program to run: [\"/bin/httpd\", \"-f\"]"_p);
    if (key.later && (value.kind != Kind::Array || value.first != 0))
        context.remember(node);
}

}  // namespace vial
