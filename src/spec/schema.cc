// SPDX-License-Identifier: MIT
#include "spec/schema.h"

#include "base/text.h"

#include <cstddef>
#include <type_traits>

namespace vial {

namespace {

// offsetof wants plain structs; texts and lists keep them so.
static_assert(std::is_standard_layout_v<Spec> && std::is_standard_layout_v<ServiceSpec>);
static_assert(std::is_standard_layout_v<NetworkSpec> && std::is_standard_layout_v<MountSpec>);
static_assert(std::is_standard_layout_v<Discarded>);

constexpr std::int32_t any = 0x7fffffff;

/// A row as it is written below; the program has only what `pack` makes of all of them.
struct Row {
    const char* name;
    Type type;
    bool later;
    Group group;
    std::size_t offset;
    std::int32_t low, high;
    const char* words;
};

constexpr Row now(const char* name, Type type, std::size_t offset, std::int32_t low = 0, std::int32_t high = any,
                  const char* words = "")
{
    return {name, type, false, Group::Count, offset, low, high, words};
}

constexpr std::size_t discarded(Type type)
{
    switch (type) {
    case Type::Text:
    case Type::Path:
    case Type::Name:
    case Type::Join:
        return offsetof(Discarded, text);
    case Type::Texts:
    case Type::Command:
    case Type::Names:
        return offsetof(Discarded, texts);
    default:
        return offsetof(Discarded, number);
    }
}

/// `low`: of a Boolean the value that is true already today; -1: neither.
constexpr Row later(const char* name, Type type, std::int32_t low = 0, std::int32_t high = any, const char* words = "")
{
    return {name, type, true, Group::Count, discarded(type), low, high, words};
}

constexpr Row table(const char* name, Type type, Group group, std::size_t offset)
{
    return {name, type, false, group, offset, 0, 0, ""};
}

constexpr Row later_table(const char* name, Type type, Group group)
{
    return {name, type, true, group, 0, 0, 0, ""};
}

/// KiB, for a Size's range.
constexpr std::int32_t mebi = 1024;

#define IN(member) offsetof(Spec, member)
constexpr Row top_keys[] = {
    now("name", Type::Name, IN(name)),
    now("root", Type::Path, IN(root)),
    now("root_hash", Type::Hash, IN(root_hash)),
    now("read_only", Type::Boolean, IN(read_only)),
    now("overlay", Type::Overlay, IN(overlay)),
    now("hostname", Type::Name, IN(hostname)),
    now("init", Type::Boolean, IN(init)),
    now("autostart", Type::Boolean, IN(autostart)),
    now("after", Type::Names, IN(after)),
    now("requires", Type::Names, IN(required)),
    now("pod", Type::Name, IN(pod)),
    later("optional", Type::Texts),
    now("mounts", Type::Mounts, IN(mounts)),
    now("devices", Type::Devices, IN(devices)),
    now("mask", Type::PathsInside, IN(mask)),
    now("read_only_paths", Type::PathsInside, IN(read_only_paths)),
    now("dns", Type::Addresses, IN(dns)),
    now("hosts", Type::Hosts, IN(hosts)),
    now("ports", Type::Ports, IN(ports)),
    table("namespaces", Type::Table, Group::Namespaces, 0),
    table("user_namespace", Type::Table, Group::UserNamespace, 0),
    table("limits", Type::Table, Group::Limits, IN(limits)),
    table("security", Type::Table, Group::Security, IN(security)),
    table("log", Type::Table, Group::Log, IN(log)),
    table("mount", Type::TableList, Group::Mount, IN(mounts)),
    table("network", Type::NamedTables, Group::Network, IN(networks)),
    table("service", Type::NamedTables, Group::Service, IN(services)),
};

constexpr Row namespaces_keys[] = {
    later("mount", Type::Boolean, true),
    later("pid", Type::Boolean, true),
    now("net", Type::Boolean, IN(namespaces) + offsetof(NamespacesSpec, network)),
    now("ipc", Type::Boolean, IN(namespaces) + offsetof(NamespacesSpec, ipc)),
    now("uts", Type::Boolean, IN(namespaces) + offsetof(NamespacesSpec, uts)),
    now("cgroup", Type::Boolean, IN(namespaces) + offsetof(NamespacesSpec, cgroup)),
    now("user", Type::Boolean, IN(namespaces) + offsetof(NamespacesSpec, user)),
    now("time", Type::Boolean, IN(namespaces) + offsetof(NamespacesSpec, time)),
    now("monotonic_offset", Type::ClockOffset, IN(monotonic_offset)),
    now("boottime_offset", Type::ClockOffset, IN(boottime_offset)),
    table("join", Type::Table, Group::Join, IN(namespaces) + offsetof(NamespacesSpec, join)),
};

constexpr Row user_namespace_keys[] = {
    now("uid_map", Type::IdMap, IN(uid_map)),
    now("gid_map", Type::IdMap, IN(gid_map)),
    now("auto", Type::Boolean, IN(auto_ids)),
};
#undef IN

constexpr Row join_of(const char* name, std::size_t index)
{
    return now(name, Type::Join, index * sizeof(Text));
}

/// In the order of `namespace_kinds` (kernel/namespaces.h).
constexpr Row join_keys[] = {
    later("mount", Type::Join), later("pid", Type::Join), join_of("net", 2),         join_of("ipc", 3),
    join_of("uts", 4),          join_of("cgroup", 5),     later("user", Type::Join), join_of("time", 7),
};
static_assert(std::size(join_keys) == namespace_count);

#define IN(member) offsetof(ServiceSpec, member)
constexpr Row service_keys[] = {
    now("command", Type::Command, IN(command)),
    now("user", Type::Id, IN(user)),
    now("group", Type::Id, IN(group)),
    now("groups", Type::Ids, IN(groups)),
    now("directory", Type::Path, IN(directory)),
    now("umask", Type::Mode, IN(umask)),
    now("environment", Type::Environment, IN(environment)),
    now("environment_file", Type::Path, IN(environment_file)),
    now("restart", Type::Choice, IN(policy.restart), 0, any, "no|on-failure|always"),
    now("restart_delay", Type::Duration, IN(policy.restart_delay)),
    now("restart_backoff", Type::Duration, IN(policy.restart_backoff)),
    now("restart_limit", Type::RestartLimit, IN(policy)),
    now("stable_after", Type::Duration, IN(policy.stable_after)),
    now("essential", Type::Boolean, IN(policy.essential)),
    now("ready", Type::Ready, IN(policy)),
    now("pid_file", Type::Path, IN(pid_file)),
    now("start_timeout", Type::Duration, IN(policy.start_timeout)),
    now("stop_signal", Type::Signal, IN(policy.stop_signal)),
    now("stop_timeout", Type::Duration, IN(policy.stop_timeout)),
    now("reload_signal", Type::Signal, IN(policy.reload_signal)),
    now("oneshot", Type::Boolean, IN(policy.oneshot)),
    now("after", Type::Names, IN(after)),
    now("requires", Type::Names, IN(required)),
    now("on_start", Type::Command, IN(task_command[1])),
    now("on_stop", Type::Command, IN(task_command[2])),
    now("on_failure", Type::Command, IN(task_command[3])),
    later("tty", Type::Boolean, false),
    table("health", Type::Table, Group::Health, 0),
};

constexpr Row health_keys[] = {
    now("command", Type::Command, IN(task_command[0])),
    now("interval", Type::Duration, IN(policy.health_interval)),
    now("timeout", Type::Duration, IN(policy.probe_timeout)),
    now("retries", Type::Integer, IN(policy.health_retries), 1, 255),
    now("action", Type::Choice, IN(policy.health_action), 0, any, "restart|stop|none"),
};
#undef IN

#define IN(member) offsetof(MountSpec, member)
constexpr Row mount_keys[] = {
    now("type", Type::Choice, IN(kind), 0, any, "bind|tmpfs"),
    now("source", Type::Path, IN(source)),
    now("target", Type::Path, IN(target)),
    now("options", Type::MountOptions, 0),
};
#undef IN

#define IN(member) offsetof(NetworkSpec, member)
constexpr Row network_keys[] = {
    now("type", Type::Choice, IN(kind), 0, any, "veth|none|macvlan|ipvlan|host|physical"),
    now("bridge", Type::Interface, IN(bridge)),
    now("parent", Type::Interface, IN(parent)),
    now("address", Type::Networks, IN(addresses)),
    now("gateway", Type::Addresses, IN(gateways)),
    now("routes", Type::Routes, IN(routes)),
    now("mac", Type::Mac, 0),
    now("mtu", Type::Integer, IN(mtu), 68, 65535),
    now("masquerade", Type::Boolean, IN(masquerade)),
};
#undef IN

#define IN(member) offsetof(LimitsSpec, member)
constexpr Row limits_keys[] = {
    now("memory", Type::Limit, IN(memory), 1),
    now("memory_high", Type::Limit, IN(memory_high), 1),
    now("swap", Type::Limit, IN(swap)),
    now("cpu", Type::Cpu, IN(cpu)),
    now("cpu_weight", Type::Integer, IN(cpu_weight), 1, 10000),
    now("cpus", Type::Cpus, IN(cpus)),
    now("tasks", Type::Tasks, IN(tasks)),
    now("io_weight", Type::Integer, IN(io_weight), 1, 10000),
    now("io", Type::IoLimits, IN(io)),
    now("files", Type::Resource, IN(files)),
    now("core", Type::Resource, IN(core)),
    now("oom_group", Type::Boolean, IN(oom_group)),
    now("oom_score", Type::Score, IN(oom_score)),
    now("cgroup", Type::CgroupFiles, IN(cgroup)),
};
#undef IN

#define IN(member) offsetof(SecuritySpec, member)
constexpr Row security_keys[] = {
    now("capabilities", Type::Capabilities, IN(capabilities)),
    now("ambient", Type::Capabilities, IN(ambient)),
    now("no_new_privileges", Type::Boolean, IN(no_new_privileges)),
    now("seccomp", Type::Seccomp, 0),
    now("landlock", Type::Landlock, IN(landlock)),
    later("label", Type::Text),
    table("rlimits", Type::Table, Group::Rlimits, IN(rlimits)),
    now("sysctl", Type::Sysctls, IN(sysctls)),
    later("securebits", Type::Texts),
};
#undef IN

constexpr Row limit_of_resource(const char* name, std::size_t index)
{
    return now(name, Type::Resource, index * sizeof(ResourceLimit));
}

/// In the order of `resource_numbers` (spec/plan.cc).
constexpr Row rlimits_keys[] = {
    limit_of_resource("as", 0),       limit_of_resource("core", 1),        limit_of_resource("cpu", 2),
    limit_of_resource("data", 3),     limit_of_resource("fsize", 4),       limit_of_resource("memlock", 5),
    limit_of_resource("msgqueue", 6), limit_of_resource("nice", 7),        limit_of_resource("nofile", 8),
    limit_of_resource("nproc", 9),    limit_of_resource("rss", 10),        limit_of_resource("rtprio", 11),
    limit_of_resource("rttime", 12),  limit_of_resource("sigpending", 13), limit_of_resource("stack", 14),
};
static_assert(std::size(rlimits_keys) == resource_count);

constexpr Row log_keys[] = {
    now("size", Type::Size, offsetof(LogSpec, size), 4, 1024 * mebi),
    later("path", Type::Path),
    now("prefix", Type::Boolean, offsetof(LogSpec, prefix)),
    now("timestamps", Type::Boolean, offsetof(LogSpec, timestamps)),
};

constexpr std::span<const Row> groups[] = {
    top_keys,     service_keys, health_keys,   mount_keys,   namespaces_keys, join_keys, user_namespace_keys,
    network_keys, limits_keys,  security_keys, rlimits_keys, log_keys,
};
constexpr std::size_t group_count = static_cast<std::size_t>(Group::Count);
static_assert(std::size(groups) == group_count);

struct Totals {
    std::size_t rows = 0;
    std::size_t letters = 1;  // the empty text
};

consteval Totals totals()
{
    Totals sum;
    for (const auto& group : groups) {
        for (const Row& row : group) {
            ++sum.rows;
            sum.letters += std::string_view(row.name).size() + 1;
            sum.letters += *row.words != '\0' ? std::string_view(row.words).size() + 1 : 0;
        }
    }
    return sum;
}

/// All rows without a single pointer: a quarter of the size.
struct Packed {
    SchemaKey keys[totals().rows];
    std::uint8_t first[group_count + 1];  ///< of each group's rows
    SchemaRange ranges[24];
    char letters[totals().letters];
};

consteval Packed pack()
{
    Packed packed{};
    std::size_t key_count = 0, range_count = 0, letter_count = 0;
    const auto put = [&](std::string_view text) {
        const std::size_t start = letter_count;
        for (const char letter : text)
            packed.letters[letter_count++] = letter;
        packed.letters[letter_count++] = '\0';
        return static_cast<std::uint16_t>(start);
    };
    const auto range_of = [&](const Row& row) {
        const bool has_words = *row.words != '\0';
        for (std::size_t at = 0; at < range_count && !has_words; ++at)
            if (packed.ranges[at].low == row.low && packed.ranges[at].high == row.high && packed.ranges[at].words == 0)
                return static_cast<std::uint8_t>(at);
        packed.ranges[range_count] = {row.low, row.high, has_words ? put(row.words) : std::uint16_t{0}};
        return static_cast<std::uint8_t>(range_count++);
    };
    put("");
    for (std::size_t group = 0; group < group_count; ++group) {
        for (const Row& row : groups[group])
            packed.keys[key_count++] = {
                put(row.name), static_cast<std::uint16_t>(row.offset), row.type, row.later, row.group, range_of(row)};
        packed.first[group + 1] = static_cast<std::uint8_t>(key_count);
    }
    return packed;
}

constexpr Packed schema = pack();

}  // namespace

const char* SchemaKey::name() const
{
    return schema.letters + name_at;
}

const SchemaRange& SchemaKey::range() const
{
    return schema.ranges[range_at];
}

const char* SchemaKey::words() const
{
    return schema.letters + range().words;
}

std::span<const SchemaKey> schema_keys(Group group)
{
    const std::uint8_t* first = schema.first + static_cast<std::size_t>(group);
    return {schema.keys + first[0], schema.keys + first[1]};
}

const SchemaKey* find_key(Group group, std::string_view name)
{
    for (const SchemaKey& key : schema_keys(group)) {
        if (name == key.name())
            return &key;
    }
    return nullptr;
}

Text unknown_key(Group group, std::string_view name, bool is_table)
{
    // At the top the keys of the only service are known as well.
    std::string_view candidates[64];
    std::size_t count = 0;
    for (const SchemaKey& key : schema_keys(group))
        candidates[count++] = key.name();
    if (group == Group::Top) {
        for (const SchemaKey& key : schema_keys(Group::Service))
            candidates[count++] = key.name();
    }
    std::string_view near = nearest(name, candidates, count);
    for (std::size_t index = 0; near.empty() && index < count; ++index) {
        if (candidates[index].size() > 2 && slice(name, 0, candidates[index].size()) == candidates[index])
            near = candidates[index];
    }
    Text text = compose("%%'", is_table ? "unknown table '" : "unknown key '", name);
    if (!near.empty())
        return compose("%; did you mean '%'?"_p, text, near);
    // A frequent slip in TOML: whatever follows a [header] belongs to it.
    if (find_key(Group::Top, name) != nullptr || find_key(Group::Service, name) != nullptr)
        return compose("%; it stands at the top of the file, before the first [table]"_p, text);
    for (const SchemaKey& table : schema_keys(Group::Top)) {
        if (table.group != Group::Count && find_key(table.group, name) != nullptr)
            return compose("%; it belongs in [%%"_p, text, table.name(),
                           table.type == Type::NamedTables ? ".NAME]" : "]");
    }
    return text;
}

}  // namespace vial
