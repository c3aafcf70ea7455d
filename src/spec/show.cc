// SPDX-License-Identifier: MIT
#include "spec/show.h"

#include "base/text.h"
#include "spec/address.h"
#include "spec/capability_names.h"
#include "spec/grammar.h"
#include "spec/read.h"
#include "spec/schema.h"

namespace vial {

namespace {

template <typename T>
const T& as(const void* member)
{
    return *static_cast<const T*>(member);
}

Text text_of_size(Bytes size)
{
    if (size == unlimited)
        return "max";
    constexpr std::string_view units = "KMGT";
    std::size_t unit = 0;
    for (; unit < units.size() && size >= 1024 && size % 1024 == 0; ++unit)
        size /= 1024;
    return concat(size, unit == 0 ? "" : slice(units, unit - 1, 1));
}

/// An array, filled element by element. TOML and JSON agree on its syntax and on that of the strings vial writes.
class Array {
public:
    void add(std::string_view text)
    {
        text_ += text_.empty() ? "" : ", ";
        text_ += text;
    }
    void add_string(std::string_view text) { add(toml_string(text)); }
    Text text() const { return compose("[%]", text_); }
    bool empty() const { return text_.empty(); }

private:
    Builder text_;
};

Text text_of_id(const Identifier& id)
{
    if (!id.name.empty())
        return toml_string(id.name);
    return id.given ? decimal(id.number) : Text();
}

Text text_of_mode(std::uint32_t mode)
{
    Builder text;
    for (int shift = 9; shift >= 0; shift -= 3)
        text += static_cast<char>('0' + (mode >> shift & 7));
    return text;
}

Text list_of_mount_options(const MountSpec& mount)
{
    Array list;
    const bool bind = mount.kind == MountKind::Bind;
    for (const MountOption& option : mount_options()) {
        const bool value = *(reinterpret_cast<const bool*>(reinterpret_cast<const char*>(&mount) + option.offset));
        if (value == option.value && (bind || !option.bind_only))
            list.add_string(option.name);
    }
    if (!bind && mount.size != unlimited)
        list.add_string(compose("size=%", text_of_size(mount.size)));
    if (!bind) {
        list.add_string(concat("mode=", text_of_mode(mount.mode)));
    }
    return list.text();
}

Text text_of_access(std::uint8_t access)
{
    Builder text;
    for (const unsigned bit : {1U, 2U, 0U})
        if ((access >> bit & 1) != 0)
            text += device_access[bit];
    return text;
}

Text list_of_capabilities(std::uint64_t capabilities)
{
    Array list;
    if (capabilities == all_capabilities)
        list.add_string("ALL");
    for (unsigned bit = 0; capabilities != all_capabilities && bit < capability_count; ++bit) {
        if ((capabilities >> bit & 1) != 0)
            list.add_string(capability_name(bit));
    }
    return list.text();
}

Text text_of_mac(const NetworkSpec& network)
{
    constexpr std::string_view digits = "0123456789abcdef";
    Builder text;
    for (const std::uint8_t byte : network.mac) {
        text += text.empty() ? "" : ":";
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

Text text_of_overlay(const OverlaySpec& overlay)
{
    if (overlay.kind == OverlayKind::None)
        return "none";
    if (overlay.kind == OverlayKind::Directory)
        return overlay.directory;
    return overlay.size == unlimited ? "tmpfs" : compose("tmpfs:%", text_of_size(overlay.size));
}

Text list_of_texts(const List<Text>& texts)
{
    Array list;
    for (Text text : texts)
        list.add_string(text);
    return list.text();
}

Text list_of_addresses(const List<IpAddress>& addresses, bool with_prefix)
{
    Array list;
    for (const IpAddress& address : addresses)
        list.add_string(address_text(address, with_prefix));
    return list.text();
}

/// Each element in the words of `write`, without quotes.
template <typename T, typename Write>
Text list_of(const void* member, const Write& write)
{
    Array list;
    for (const T& element : as<List<T>>(member))
        list.add_string(write(element));
    return list.text();
}

/// The value behind a row of the schema that is a list.
Text list_text(const SchemaKey& key, const void* member)
{
    switch (key.type) {
    case Type::Command:
        if (as<List<Text>>(member).empty())
            return {};
        [[fallthrough]];
    case Type::Texts:
    case Type::PathsInside:
    case Type::Landlock:
    case Type::Names:
    case Type::IoLimits:
    case Type::CgroupFiles:
    case Type::Sysctls:
    case Type::Environment:
    case Type::Hosts:
        return list_of_texts(as<List<Text>>(member));
    case Type::Ids: {
        Array list;
        for (const Identifier& id : as<List<Identifier>>(member))
            list.add(text_of_id(id));
        return list.text();
    }
    case Type::Devices:
        return list_of<DeviceSpec>(member, [](const DeviceSpec& device) {
            return compose("%:%:%", device.source, device.target, text_of_access(device.access));
        });
    case Type::IdMap:
        if (as<List<IdRange>>(member).empty())
            return {};
        return list_of<IdRange>(
            member, [](const IdRange& range) { return compose("% % %", range.inside, range.outside, range.count); });
    case Type::Networks:
    case Type::Addresses:
        return list_of_addresses(as<List<IpAddress>>(member), key.type == Type::Networks);
    case Type::Ports:
        return list_of<PortSpec>(member, port_text);
    case Type::Routes:
        return list_of<RouteSpec>(member, route_text);
    default:
        return {};
    }
}

/// The value behind a row of the schema; empty: not set, and there is no way to write that.
Text value_text(const SchemaKey& key, const void* member)
{
    switch (key.type) {
    case Type::Boolean:
        return as<bool>(member) ? "true" : "false";
    case Type::Text:
    case Type::Path:
    case Type::Hash:
    case Type::Name:
    case Type::Cpus:
    case Type::Join:
    case Type::Interface: {
        const auto& text = as<Text>(member);
        return text.empty() ? text : toml_string(text);
    }
    case Type::Resource: {
        const auto& limit = as<ResourceLimit>(member);
        if (limit.soft == as_it_is)
            return {};
        return toml_string(compose("%:%", text_of_size(limit.soft), text_of_size(limit.hard)));
    }
    case Type::Mode: {
        const auto mode = as<std::uint32_t>(member);
        return mode == no_umask ? Text() : toml_string(text_of_mode(mode));
    }
    case Type::Size:
    case Type::Limit:
        return toml_string(text_of_size(as<Bytes>(member)));
    case Type::Duration: {
        const auto milliseconds = as<Milliseconds>(member);
        if (milliseconds < 0)
            return {};
        const bool whole = milliseconds % 1000 == 0;
        return compose("\"%%", whole ? milliseconds / 1000 : milliseconds, whole ? "s\"" : "ms\"");
    }
    case Type::ClockOffset:
        return decimal(as<std::int64_t>(member));
    case Type::Integer:
        return as<std::uint32_t>(member) == 0 ? "" : decimal(as<std::uint32_t>(member));
    case Type::RestartLimit: {
        const auto& policy = as<ServicePolicy>(member);
        return policy.restart_limit == 0 ? "" : compose("\"%/%ms\"", policy.restart_limit, policy.restart_window);
    }
    case Type::Ready: {
        const auto& policy = as<ServicePolicy>(member);
        const std::string_view word = nth_word("start|notify|fd|exec|tcp", static_cast<unsigned>(policy.ready));
        const bool numbered = policy.ready == Ready::Fd || policy.ready == Ready::Tcp;
        return toml_string(numbered ? compose("%:%", word, policy.ready_number) : Text(word));
    }
    case Type::Id:
        return text_of_id(as<Identifier>(member));
    case Type::Choice:
        return toml_string(nth_word(key.words(), as<std::uint8_t>(member)));
    case Type::Signal: {
        char scratch[16];
        return toml_string(signal_name(as<int>(member), scratch));
    }
    case Type::Overlay:
        return toml_string(text_of_overlay(as<OverlaySpec>(member)));
    case Type::MountOptions:
        return list_of_mount_options(as<MountSpec>(member));
    case Type::Mac:
        return as<NetworkSpec>(member).has_mac ? toml_string(text_of_mac(as<NetworkSpec>(member))) : "";
    case Type::Cpu: {
        const auto cpu = as<std::int32_t>(member);
        if (cpu == 0)
            return "\"max\"";
        return cpu % 10 == 0 ? concat("\"", cpu / 10, "%\"") : concat("\"", cpu / 10, ".", cpu % 10, "%\"");
    }
    case Type::Tasks:
        return as<std::int64_t>(member) == unlimited ? "\"max\"" : decimal(as<std::int64_t>(member));
    case Type::Score:
        return as<std::int32_t>(member) == no_score ? Text() : decimal(as<std::int32_t>(member));
    case Type::Capabilities:
        return list_of_capabilities(as<std::uint64_t>(member));
    case Type::Seccomp:
        if (const auto& security = as<SecuritySpec>(member); security.seccomp == SeccompChoice::Profile)
            return toml_string(security.seccomp_profile);
        else
            return security.seccomp == SeccompChoice::Off ? "\"off\"" : "\"default\"";
    default:
        return list_text(key, member);
    }
}

bool is_bare(std::string_view key)
{
    for (const char letter : key) {
        const char lower = static_cast<char>(letter | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(letter >= '0' && letter <= '9') && letter != '_' && letter != '-')
            return false;
    }
    return true;
}

/// The one walk for both forms: tables and keys in the order of the schema.
class Printer {
public:
    explicit Printer(bool json) : json_(json) {}

    Text whole(const Spec& spec);

private:
    void open(std::string_view name, std::string_view within = {}, bool list = false);
    void close(char bracket = '}');
    void comma();
    void keys(Group group, const void* base, bool at_top = false);
    void health(const ServiceSpec& service, std::string_view within);

    Builder text_;
    bool json_;
};

void Printer::comma()
{
    if (text_.back() != '{' && text_.back() != '[')
        text_ += ',';
}

void Printer::open(std::string_view name, std::string_view within, bool list)
{
    if (json_) {
        comma();
        if (!name.empty())
            text_.compose("%:", toml_string(name));
        text_ += '{';
        return;
    }
    const Text quoted = is_bare(name) ? Text(name) : toml_string(name);
    text_.compose("\n%%%%%\n", list ? "[[" : "[", within, within.empty() ? "" : ".", quoted, list ? "]]" : "]");
}

void Printer::close(char bracket)
{
    if (json_)
        text_ += bracket;
}

void Printer::keys(Group group, const void* base, bool at_top)
{
    for (const SchemaKey& key : schema_keys(group)) {
        // At the top `after` and `requires` are the spec's own; a lone service has nobody to wait for.
        if (key.later || key.type <= Type::FreeTable || (at_top && key.type == Type::Names))
            continue;
        // What was chosen for one start is not what the spec says.
        if (key.type == Type::IdMap && static_cast<const Spec*>(base)->auto_ids)
            continue;
        const Text value = value_text(key, static_cast<const char*>(base) + key.offset);
        if (value.empty())
            continue;
        if (json_)
            comma();
        text_.compose(json_ ? "\"%\":%" : "% = %\n", key.name(), value);
    }
}

void Printer::health(const ServiceSpec& service, std::string_view within)
{
    if (service.task_command[0].empty())
        return;
    open("health", within);
    keys(Group::Health, &service);
    close();
}

Text Printer::whole(const Spec& spec)
{
    const bool lone = !json_ && spec.services.size() == 1 && spec.services[0].name == "main";
    text_ += json_ ? "{" : "";
    keys(Group::Top, &spec);
    if (lone)
        keys(Group::Service, spec.services.data(), true);
    if (lone)
        health(spec.services[0], {});
    for (const SchemaKey& key : schema_keys(Group::Top)) {
        if (key.type != Type::Table)
            continue;
        open(key.name());
        const char* const base = reinterpret_cast<const char*>(&spec) + key.offset;
        keys(key.group, base);
        if (!json_)
            close();
        for (const SchemaKey& inner : schema_keys(key.group)) {
            if (inner.later || inner.type != Type::Table)
                continue;
            const std::size_t before = text_.size();
            open(inner.name(), key.name());
            const std::size_t opened = text_.size();
            keys(inner.group, base + inner.offset);
            if (!json_ && text_.size() == opened)
                text_.cut(before);
            close();
        }
        if (json_)
            close();
    }
    if (json_) {
        comma();
        text_ += "\"mount\":[";
    }
    for (const MountSpec& mount : spec.mounts) {
        open(json_ ? "" : "mount", {}, true);
        keys(Group::Mount, &mount);
        close();
    }
    close(']');
    if (json_)
        open("network");
    for (const NetworkSpec& network : spec.networks) {
        open(network.name, "network");
        keys(Group::Network, &network);
        close();
    }
    close();
    if (json_)
        open("service");
    for (const ServiceSpec& service : spec.services) {
        if (lone)
            break;
        open(service.name, "service");
        keys(Group::Service, &service);
        health(service, concat("service.", is_bare(service.name) ? service.name : toml_string(service.name)));
        close();
    }
    close();
    if (json_)
        return compose("%,\"not_supported_yet\":%}"_p, text_, list_of_texts(spec.not_yet));
    for (Text key : spec.not_yet)
        text_.compose("\n# not supported yet: %"_p, key);
    if (!spec.not_yet.empty())
        text_ += '\n';
    return text_;
}

}  // namespace

Text show_spec(const Spec& spec)
{
    return Printer(false).whole(spec);
}

Text show_spec_json(const Spec& spec)
{
    return Printer(true).whole(spec);
}

}  // namespace vial
