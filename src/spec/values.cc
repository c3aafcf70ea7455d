// SPDX-License-Identifier: MIT
#include "spec/values.h"

#include "base/text.h"
#include "spec/grammar.h"
#include "spec/read.h"

#include <algorithm>
#include <iterator>

namespace vial {

using toml::Index;
using toml::Kind;

namespace {

constexpr std::int64_t duration_limit = 1'000'000'000;  // seconds, some 31 years

/// What a value of each Type looks like, in the order of the enumeration. Of lists: one element.
constexpr Phrase looks = "a table|"
                         "tables with names of their own|"
                         "an array of tables|"
                         "a string or a whole number|"
                         "true or false|"
                         "a string|"
                         "a string|"
                         "a string|"
                         "an absolute path|"
                         "\"sha256:\" with 64 hexadecimal digits in lower case|"
                         "an absolute path without '..'|"
                         "a size like \"16M\"|"
                         "a size like \"16M\", or \"max\"|"
                         "a duration like \"10s\"|"
                         "a duration like \"10s\"|"
                         "a whole number|"
                         "a string|"
                         "a signal like \"TERM\"|"
                         "a name|"
                         "a name|"
                         "\"start\", \"notify\", \"fd\", \"exec\" or \"tcp:PORT\"|"
                         "a number of restarts, or with a time like \"5/1m\"|"
                         "a number or a name|"
                         "a number or a name|"
                         "\"NAME=VALUE\"|"
                         "\"tmpfs\", \"tmpfs:16M\", \"none\" or an absolute path|"
                         "\"SOURCE:TARGET[:OPTIONS]\" or \"tmpfs:TARGET[:OPTIONS]\"|"
                         "a mount option|"
                         "\"/dev/NAME[:TARGET][:rwm]\"|"
                         "a range of ids like \"0 100000 65536\"|"
                         "the name of a network interface (1-15 letters)|"
                         "an address with its prefix length like \"10.0.3.2/24\"|"
                         "an address like \"10.0.3.1\"|"
                         "a MAC address of one device like \"02:00:00:00:00:01\"|"
                         "\"[ADDRESS:]HOST:CONTAINER[/tcp]\" or \"/udp\" like \"8080:80/tcp\"|"
                         "\"NETWORK via GATEWAY\" like \"10.1.0.0/16 via 10.0.3.1\"|"
                         "\"ADDRESS NAME...\" like \"10.0.3.5 db.lan db\"|"
                         "a percentage of one processor like \"150%\", or \"max\"|"
                         "a whole number above 0, or \"max\"|"
                         "a limit like 1024, \"16M\" or \"max\", or two like \"1024:4096\", the lower first|"
                         "an octal number in quotes like \"027\"|"
                         "a list of processors like \"0-2,5\"|"
                         "a device and its limits like \"/dev/sda rbps=10M wiops=100\"|"
                         "a file of the control group and what to write into it|"
                         "a table of sysctls|"
                         "a whole number from -1000 to 1000|"
                         "a capability like \"NET_ADMIN\"|"
                         "\"read:PATH\", \"write:PATH\" or \"exec:PATH\"|"
                         "\"default\", \"off\" or an absolute path|"
                         "an absolute path, \"pid:NUMBER\" or \"container:NAME\""_p;
static_assert(std::count(looks.kept(), looks.kept() + std::char_traits<char>::length(looks.kept()), '|') ==
              static_cast<int>(Type::Join));

Maybe<std::int64_t> parse_seconds(const toml::Node& node, bool may_be_negative)
{
    Maybe<std::int64_t> milliseconds;
    bool negative = false;
    if (node.kind == Kind::Integer) {
        negative = node.number < 0;
        if (node.number > -duration_limit && node.number < duration_limit)
            milliseconds = (negative ? -node.number : node.number) * 1000;
    } else if (node.kind == Kind::String) {
        negative = may_be_negative && slice(node.text, 0, 1) == "-";
        milliseconds = parse_duration(slice(node.text, negative ? 1 : 0));
    }
    if (!milliseconds || *milliseconds > duration_limit * 1000 || (negative && !may_be_negative))
        return {};
    return negative ? -*milliseconds : *milliseconds;
}

}  // namespace

Text look_of(Type type)
{
    return unpack(nth_word(looks.kept(), static_cast<std::size_t>(type)));
}

/// Those that a number may stand for, if only `true` or the seconds of a duration.
bool takes_number(Type type)
{
    switch (type) {
    case Type::Boolean:
    case Type::Size:
    case Type::Limit:
    case Type::Duration:
    case Type::ClockOffset:
    case Type::Integer:
    case Type::RestartLimit:
    case Type::Signal:
    case Type::Id:
    case Type::Cpu:
    case Type::Tasks:
    case Type::Resource:
    case Type::Cpus:
    case Type::Score:
        return true;
    default:
        return false;
    }
}

/// A user or group, by number or name.
Taken read_id(const ReadContext& context, Index node, Identifier& id)
{
    const toml::Node& value = context.document[node];
    Maybe<std::int64_t> number;
    if (value.kind == Kind::Integer)
        number = value.number;
    else if (value.kind == Kind::String)
        number = parse_number(value.text);
    id.given = true;
    if (number) {
        id.number = static_cast<std::uint32_t>(*number);
        return good_if(*number >= 0 && *number < 0xffffffff);  // the last one means "no id"
    }
    id.name = value.text;
    return good_if(value.kind == Kind::String && is_user_name(value.text));
}

Taken good_unless(const ReadContext& context, Index node, Phrase fault)
{
    if (!fault)
        return Taken::Good;
    context.complain(node, compose("%: %", toml_string(slice(context.document[node].text, 0, 200)), fault));
    return Taken::Told;
}

void ReadContext::complain(Index node, std::string_view message) const
{
    Index named = node;
    while (document[named].key.empty() && named != 0)
        named = document[named].parent;
    const bool told = document.is_setting(document[node].source) || named == 0;  // a setting names its key already
    document.report(problems, node, told ? message : compose("%: %", document[named].key, message));
}

void ReadContext::expected(Index node, std::string_view what) const
{
    const toml::Node& value = document[node];
    Text found;
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
        found = compose("the number %"_p, value.number);
        break;
    case Kind::Boolean:
        found = value.number != 0 ? "true" : "false";
        break;
    }
    complain(node, compose("expected %, found %"_p, what, found));
}

void ReadContext::remember(Index node, std::string_view detail) const
{
    while (document[node].key.empty() && node != 0)
        node = document[node].parent;
    if (!inside_later)
        not_yet.push_back(concat(document.path(node), detail));
}

namespace {

template <typename T>
T& as(void* member)
{
    return *static_cast<T*>(member);
}

Taken take_number(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const toml::Node& value = context.document[node];
    const SchemaRange& range = key.range();
    const bool is_number = value.kind == Kind::Integer;
    switch (key.type) {
    case Type::Boolean:
        as<bool>(member) = value.number != 0;
        return good_if(value.kind == Kind::Boolean);
    case Type::Limit: {
        const auto size = is_number ? Maybe(value.number) : parse_size(value.text);
        as<Bytes>(member) = is_max(value.text) ? unlimited : size.value_or(0);
        return good_if((size && *size >= range.low) || is_max(value.text));
    }
    case Type::Size: {
        const auto size = is_number ? Maybe(value.number) : parse_size(value.text);
        as<Bytes>(member) = size.value_or(0);
        if (!size || (*size >= std::int64_t{range.low} * 1024 && *size <= std::int64_t{range.high} * 1024))
            return good_if(size.has_value());
        context.complain(node, compose("expected a size from %K to %M"_p, range.low, range.high / 1024));
        return Taken::Told;
    }
    case Type::Duration:
    case Type::ClockOffset: {
        const bool is_offset = key.type == Type::ClockOffset;
        const auto milliseconds = parse_seconds(value, is_offset);
        as<std::int64_t>(member) = milliseconds.value_or(0) / (is_offset ? 1000 : 1);
        if (!is_offset || milliseconds.value_or(0) % 1000 == 0)
            return good_if(milliseconds.has_value());
        context.complain(node, "expected whole seconds"_p);
        return Taken::Told;
    }
    case Type::Integer:
        as<std::uint32_t>(member) = static_cast<std::uint32_t>(value.number);
        if (!is_number || (value.number >= range.low && value.number <= range.high))
            return good_if(is_number);
        context.complain(node, compose("expected a number from % to %"_p, range.low, range.high));
        return Taken::Told;
    case Type::RestartLimit: {
        auto& policy = as<ServicePolicy>(member);
        std::string_view window = value.text;
        const std::int64_t limit = is_number ? value.number : parse_number(take_until(window, '/')).value_or(0);
        if (!window.empty())
            policy.restart_window = parse_duration(window).value_or(0);
        policy.restart_limit = static_cast<std::uint32_t>(limit);
        return good_if(limit >= 1 && limit <= 255 && policy.restart_window > 0);
    }
    case Type::Signal: {
        const std::int64_t signal = is_number ? value.number : parse_signal(value.text).value_or(0);
        as<int>(member) = static_cast<int>(signal);
        return good_if(signal >= 1 && signal <= last_signal);
    }
    case Type::Id:
        return read_id(context, node, as<Identifier>(member));
    case Type::Resource: {
        const auto limit = parse_resource_limit(is_number ? decimal(value.number) : Text(value.text));
        as<ResourceLimit>(member) = limit.value_or({});
        return good_if(limit.has_value());
    }
    case Type::Cpu: {
        const auto cpu = parse_cpu(value.text);
        as<std::int32_t>(member) = cpu.value_or(0);
        return good_if(cpu || is_max(value.text));
    }
    case Type::Cpus: {
        const auto cpus = parse_cpus(is_number ? decimal(value.number) : Text(value.text));
        as<Text>(member) = cpus.value_or(Text());
        return good_if(cpus.has_value());
    }
    case Type::Score:
        as<std::int32_t>(member) = static_cast<std::int32_t>(value.number);
        return good_if(is_number && value.number >= -1000 && value.number <= 1000);
    default: {  // Tasks
        auto& limits = as<LimitsSpec>(static_cast<char*>(member) - offsetof(LimitsSpec, tasks));
        limits.tasks = is_max(value.text) ? unlimited : value.number;
        limits.tasks_given = true;
        return good_if((is_number && value.number > 0) || is_max(value.text));
    }
    }
}

Taken take_choice(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const int index = word_index(key.words(), context.document[node].text);
    if (index >= key.range().high)
        return Taken::Later;
    as<std::uint8_t>(member) = static_cast<std::uint8_t>(index);
    if (index >= 0)
        return Taken::Good;
    Builder all("one of ");
    std::string_view words = key.words();
    for (const char* between = ""; !words.empty(); between = ", ")
        all.compose("%\"%\"", between, take_until(words, '|'));
    context.expected(node, all);
    return Taken::Told;
}

Taken take_overlay(std::string_view text, OverlaySpec& overlay)
{
    std::string_view rest = text;
    const std::string_view kind = take_until(rest, ':');
    if (is_path(text)) {
        overlay.kind = OverlayKind::Directory;
        overlay.directory = text;
        return Taken::Good;
    }
    if (kind != "tmpfs")
        return good_if(text == "none");
    overlay.kind = OverlayKind::Tmpfs;
    if (kind.size() == text.size())
        return Taken::Good;
    overlay.size = parse_size(rest).value_or(0);
    return good_if(overlay.size > 0);
}

Taken take_text(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const std::string_view text = context.document[node].text;
    switch (key.type) {
    case Type::Ready: {
        auto& policy = as<ServicePolicy>(member);
        std::string_view number = text;
        const int word = word_index("start|notify|fd|exec|tcp", take_until(number, ':'));
        policy.ready = static_cast<Ready>(word);
        if (!contains(text, ':'))
            return good_if(word >= 0 && policy.ready != Ready::Tcp);
        const std::int64_t value = parse_number(number).value_or(0);
        policy.ready_number = static_cast<std::uint16_t>(value);
        return good_if((policy.ready == Ready::Tcp && value > 0 && value < 65536) ||
                       (policy.ready == Ready::Fd && value > 2 && value < 1024));
    }
    case Type::Mode: {
        const auto mode = parse_mode(text);
        as<std::uint32_t>(member) = mode.value_or(0);
        return good_if(mode && *mode <= 0777);
    }
    case Type::Overlay:
        return take_overlay(text, as<OverlaySpec>(member));
    case Type::Mac:
        as<NetworkSpec>(member).has_mac = true;
        return good_if(parse_mac(text, as<NetworkSpec>(member).mac));
    case Type::Seccomp:
        as<SecuritySpec>(member).seccomp_profile = text;
        as<SecuritySpec>(member).seccomp = text == "off"       ? SeccompChoice::Off
                                           : text == "default" ? SeccompChoice::Default
                                                               : SeccompChoice::Profile;
        return good_if(text == "default" || text == "off" || is_path(text));
    default:
        break;
    }
    as<Text>(member) = text;
    if (key.type == Type::Path)
        return good_if(is_path(text));
    if (key.type == Type::Join)
        return good_if(is_joinable(text));
    if (key.type == Type::Hash)
        return good_if(is_hash(text));
    if (key.type == Type::Interface)
        return good_if(is_interface_name(text));
    return good_unless(context, node, key.type == Type::Name ? name_fault(text) : Phrase(nullptr));
}

/// Whether a value of a key that is to come says no more than what vial does today.
bool harmless(const SchemaKey& key, const toml::Node& value)
{
    return key.type == Type::Boolean && value.number == key.range().low;
}

}  // namespace

void read_value(const ReadContext& context, const SchemaKey& key, Index node, void* member)
{
    const toml::Node& value = context.document[node];
    if (value.kind == Kind::Broken)
        return;
    if (is_list(key.type))
        return read_list(context, key, node, member);
    Taken taken = Taken::Wrong;
    if (takes_number(key.type))
        taken = take_number(context, key, node, member);
    else if (value.kind == Kind::String)
        taken =
            key.type == Type::Choice ? take_choice(context, key, node, member) : take_text(context, key, node, member);
    if (taken == Taken::Wrong)
        context.expected(node, look_of(key.type));
    else if (taken == Taken::Later || (taken == Taken::Good && key.later && !harmless(key, value)))
        context.remember(node);
}

}  // namespace vial
