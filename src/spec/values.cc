// SPDX-License-Identifier: MIT
#include "spec/values.h"

#include "base/text.h"
#include "spec/grammar.h"
#include "spec/read.h"

#include <iterator>
#include <optional>

namespace vial {

using toml::Index;
using toml::Kind;

namespace {

constexpr std::int64_t duration_limit = 1'000'000'000;  // seconds, some 31 years

/// What a value of each Type looks like, in the order of the enumeration. Of lists: one element.
constexpr const char* looks[] = {
    "a table",
    "tables with names of their own",
    "an array of tables",
    "a string or a whole number",
    "true or false",
    "a string",
    "a string",
    "a string",
    "an absolute path",
    "an absolute path without '..'",
    "a size like \"16M\"",
    "a size like \"16M\", or \"max\"",
    "a duration like \"10s\"",
    "a duration like \"10s\"",
    "a whole number",
    "one of ",
    "a signal like \"TERM\"",
    "a name",
    "a name",
    "\"start\", \"notify\", \"fd\", \"exec\" or \"tcp:PORT\"",
    "a number or a name",
    "a number or a name",
    "\"NAME=VALUE\"",
    "\"tmpfs\", \"tmpfs:16M\", \"none\" or an absolute path",
    "\"SOURCE:TARGET[:OPTIONS]\" or \"tmpfs:TARGET[:OPTIONS]\"",
    "a mount option",
    "a range of ids like \"0 100000 65536\"",
    "the name of a network interface (1-15 letters)",
    "an address with its prefix length like \"10.0.3.2/24\"",
    "an address like \"10.0.3.1\"",
    "a MAC address of one device like \"02:00:00:00:00:01\"",
    "a percentage of one processor like \"150%\", or \"max\"",
    "a whole number above 0, or \"max\"",
    "a capability like \"NET_ADMIN\"",
    "\"default\", \"off\" or an absolute path",
};
static_assert(std::size(looks) == static_cast<std::size_t>(Type::Seccomp) + 1);

std::optional<std::int64_t> parse_seconds(const toml::Node& node, bool may_be_negative)
{
    std::optional<std::int64_t> milliseconds;
    bool negative = false;
    if (node.kind == Kind::Integer) {
        negative = node.number < 0;
        if (node.number > -duration_limit && node.number < duration_limit)
            milliseconds = (negative ? -node.number : node.number) * 1000;
    } else if (node.kind == Kind::String) {
        negative = may_be_negative && node.text.substr(0, 1) == "-";
        milliseconds = parse_duration(node.text.substr(negative ? 1 : 0));
    }
    if (!milliseconds || *milliseconds > duration_limit * 1000 || (negative && !may_be_negative))
        return {};
    return negative ? -*milliseconds : *milliseconds;
}

}  // namespace

const char* look_of(Type type)
{
    return looks[static_cast<std::size_t>(type)];
}

/// A user or group, by number. A name is remembered: looking it up in the container's files is to come.
bool read_id(const ReadContext& context, Index node, std::uint32_t& id)
{
    const toml::Node& value = context.document[node];
    std::optional<std::int64_t> number;
    if (value.kind == Kind::Integer)
        number = value.number;
    else if (value.kind == Kind::String)
        number = parse_number(value.text);
    if (number && *number >= 0 && *number < 0xffffffff) {  // the last one means "no id"
        id = static_cast<std::uint32_t>(*number);
        return true;
    }
    if (number || value.kind != Kind::String || !is_user_name(value.text)) {
        context.expected(node, look_of(Type::Id));
        return false;
    }
    context.remember(node, " by name");
    return true;
}

void ReadContext::complain(Index node, std::string_view pattern, std::string_view first, std::string_view second) const
{
    Index named = node;
    while (document[named].key.empty() && named != 0)
        named = document[named].parent;
    std::string message = fill(pattern, first, second);
    if (document[node].source == 0 && named != 0)  // a setting names its key already
        message = concat({document[named].key, ": ", message});
    document.report(problems, node, "%", message);
}

void ReadContext::expected(Index node, std::string_view what) const
{
    const toml::Node& value = document[node];
    std::string found;
    switch (value.kind) {
    case Kind::Broken:
        return;
    case Kind::Table:
        found = "a table";
        break;
    case Kind::Array:
        found = "an array";
        break;
    case Kind::String:
        found = value.text.size() <= 60 ? toml_string(value.text) : "a long string";
        break;
    case Kind::Integer:
        found = concat({"the number ", Decimal(value.number)});
        break;
    case Kind::Boolean:
        found = value.number != 0 ? "true" : "false";
        break;
    }
    complain(node, "expected %, found %", what, found);
}

void ReadContext::remember(Index node, std::string_view detail) const
{
    while (document[node].key.empty() && node != 0)
        node = document[node].parent;
    if (!inside_later)
        not_yet.push_back(concat({document.path(node), detail}));
}

void read_value(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const toml::Node& value = context.document[node];
    if (value.kind == Kind::Broken)
        return;
    if (is_list(key.type))
        return read_list(context, key, node, member);

    const bool is_text = value.kind == Kind::String;
    const std::string_view text = value.text;
    const char* look = look_of(key.type);
    bool good = false;
    bool later = key.later;
    switch (key.type) {
    case Type::Boolean:
        good = value.kind == Kind::Boolean;
        put(member, value.number != 0);
        later = later && value.number != key.low;
        break;
    case Type::Text:
        good = is_text;
        put(member, std::string(text));
        break;
    case Type::Path:
        good = is_path(text);
        put(member, std::string(text));
        break;
    case Type::Name:
        if (const auto fault = name_fault(text); is_text && !fault.empty())
            return context.complain(node, "%: %", toml_string(text.substr(0, 80)), fault);
        good = is_text;
        put(member, std::string(text));
        break;
    case Type::Interface:
        good = is_interface_name(text);
        put(member, std::string(text));
        break;
    case Type::Size:
    case Type::Limit: {
        const auto size = value.kind == Kind::Integer ? std::optional(value.number) : parse_size(text);
        if (key.type == Type::Limit) {
            good = (size && *size > 0) || is_max(text);
            put(member, Bytes{is_max(text) ? unlimited : size.value_or(0)});
        } else {
            good = size && *size >= std::int64_t{key.low} * 1024 && *size <= std::int64_t{key.high} * 1024;
            if (size && !good)
                return context.complain(node, "expected a size from %K to %M", Decimal(key.low), Decimal(key.high / 1024));
            put(member, Bytes{size.value_or(0)});
        }
        break;
    }
    case Type::Duration:
    case Type::ClockOffset: {
        const bool is_offset = key.type == Type::ClockOffset;
        const auto milliseconds = parse_seconds(value, is_offset);
        good = milliseconds.has_value();
        if (is_offset && good && *milliseconds % 1000 != 0)
            return context.complain(node, "expected whole seconds");
        put(member, milliseconds.value_or(0) / (is_offset ? 1000 : 1));
        break;
    }
    case Type::Integer:
        good = value.kind == Kind::Integer && value.number >= key.low && value.number <= key.high;
        if (value.kind == Kind::Integer && !good)
            return context.complain(node, "expected a number from % to %", Decimal(key.low), Decimal(key.high));
        put(member, static_cast<std::uint32_t>(value.number));
        break;
    case Type::Choice: {
        const int index = is_text ? word_index(key.words, text) : -1;
        if (index < 0) {
            std::string all = look;
            std::string_view words = key.words;
            while (!words.empty()) {
                all += concat({"\"", take_until(words, '|'), "\""});
                all += words.empty() ? "" : ", ";
            }
            return context.expected(node, all);
        }
        good = true;
        later = later || index >= key.high;
        if (!later)
            put(member, static_cast<std::uint8_t>(index));
        break;
    }
    case Type::Signal: {
        auto signal = value.kind == Kind::Integer ? std::optional(static_cast<int>(value.number)) : parse_signal(text);
        good = signal && *signal >= 1 && *signal <= 64 && (is_text || value.number == *signal);
        put(member, signal.value_or(0));
        break;
    }
    case Type::Ready: {
        const std::int64_t port = text.substr(0, 4) == "tcp:" ? parse_number(text.substr(4)).value_or(0) : 0;
        good = word_index("start|notify|fd|exec", text) >= 0 || (port > 0 && port < 65536);
        later = text != "start";
        break;
    }
    case Type::Id: {
        std::uint32_t id = 0;
        if (!read_id(context, node, id))
            return;
        good = true;
        put(member, id);
        break;
    }
    case Type::Overlay: {
        OverlaySpec overlay;
        std::string_view rest = text;
        const std::string_view kind = take_until(rest, ':');
        if (is_path(text)) {
            overlay.kind = OverlayKind::Directory;
            overlay.directory = text;
            good = true;
        } else if (kind == "tmpfs") {
            overlay.kind = OverlayKind::Tmpfs;
            good = kind.size() == text.size();
            if (const auto size = parse_size(rest); !good && size && *size > 0) {
                overlay.size = *size;
                good = true;
            }
        } else {
            good = text == "none";
        }
        put(member, std::move(overlay));
        break;
    }
    case Type::Mac:
        if (auto* network = static_cast<NetworkSpec*>(member)) {
            good = is_text && parse_mac(text, network->mac);
            network->has_mac = good;
        }
        break;
    case Type::Cpu: {
        const auto cpu = parse_cpu(text);
        good = cpu || is_max(text);
        put(member, std::int32_t{cpu.value_or(0)});
        break;
    }
    case Type::Tasks:
        good = (value.kind == Kind::Integer && value.number > 0) || is_max(text);
        put(member, is_max(text) ? unlimited : value.number);
        break;
    case Type::Seccomp:
        good = text == "default" || text == "off" || is_path(text);
        later = is_path(text);
        put(member, text == "off" ? SeccompChoice::Off : SeccompChoice::Default);
        break;
    default:
        break;
    }
    if (!good)
        return context.expected(node, look);
    if (later)
        context.remember(node);
}

}  // namespace vial
