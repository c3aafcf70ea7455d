// SPDX-License-Identifier: MIT
#include "spec/checks.h"

#include "base/features.h"
#include "base/text.h"
#include "spec/address.h"
#include "spec/grammar.h"

#include <algorithm>
#include <sys/socket.h>

namespace vial {

using toml::Index;

namespace {

/// What one line of a message has room for.
constexpr std::size_t longest_cycle = 24;

/// Services that wait for each other, each for the next and the last for the first; empty where there are none such.
///
/// Takes away, again and again, whoever depends on nobody that is left. Who cannot be taken away leads into a cycle.
List<std::uint32_t> find_cycle(const Spec& spec, const NameTable& numbers)
{
    const std::size_t count = spec.services.size();
    List<bool> left;
    List<List<std::uint32_t>> needs;
    for (const ServiceSpec& service : spec.services) {
        left.push_back(true);
        List<std::uint32_t>& row = needs.emplace_back();
        for (const List<Text>* names : {&service.after, &service.required}) {
            for (Text name : *names)
                row.push_back(name == service.name ? NameTable::none : numbers.find(name));
        }
    }
    // The first of those left that it waits for, the number of services where there is none.
    const auto awaited = [&](std::size_t index) {
        for (const std::uint32_t other : needs[index]) {
            if (other < count && left[other])
                return std::size_t{other};
        }
        return count;
    };
    std::size_t first = count;
    for (bool changed = true; changed;) {
        changed = false;
        first = count;
        for (std::size_t index = count; index-- > 0;) {
            if (!left[index])
                continue;
            if (awaited(index) == count) {
                left[index] = false;
                changed = true;
            } else {
                first = index;
            }
        }
    }
    List<std::uint32_t> cycle;
    if (first == count)
        return cycle;
    // So many steps further on we are surely in the cycle itself.
    for (std::size_t step = 0; step < count; ++step)
        first = awaited(first);
    std::size_t next = first;
    do {
        cycle.push_back(static_cast<std::uint32_t>(next));
        next = awaited(next);
    } while (next != first && cycle.size() < longest_cycle);
    return cycle;
}

/// Goes through a Spec that was read without a syntax error. Keys that were refused are absent in it or have their
/// defaults; the checks look at the document first, so as not to report a key as missing that was merely wrong.
class Checker {
public:
    Checker(const toml::Document& document, const Spec& spec, Problems& problems)
        : document_(document), spec_(spec), problems_(problems), numbers_(number_services(spec))
    {
    }

    void whole(SpecKind kind);

private:
    /// The node of a key; 0 where it was not given.
    Index at(const char* table, const char* key = nullptr) const
    {
        const Index node = document_.find(0, table);
        return node == 0 || key == nullptr ? node : document_.find(node, key);
    }
    /// Reports where `node` stands, or about the whole where it is 0.
    void say(Index node, std::string_view message);
    void say(Index node, Phrase message) { say(node, Text(message)); }
    void features();
    void left_out(Feature feature, bool wanted, const char* key);
    void name();
    void services(SpecKind kind);
    void supervision(const ServiceSpec& service, Index node);
    void cycles();
    void namespaces();
    void id_map(const List<IdRange>& map, const char* key);
    void mapped(const ServiceSpec& service, Index node);
    void network(const NetworkSpec& network, Index node);
    void reachable(const IpAddress& gateway, const NetworkSpec& network, Index node, const char* key);
    void ports();

    const toml::Document& document_;
    const Spec& spec_;
    Problems& problems_;
    const NameTable numbers_;
};

/// Those that belong to a namespace, and no others: they would change the host.
Phrase sysctl_fault(std::string_view sysctl, const NamespacesSpec& own)
{
    constexpr std::string_view of_ipc[] = {"kernel/msg", "kernel/sem", "kernel/shm", "kernel/auto_msgmni",
                                           "fs/mqueue/"};
    bool has = own.uts;
    bool known = sysctl.starts_with("kernel/domainname=");
    if (sysctl.starts_with("net/")) {
        known = true;
        has = own.network;
    }
    for (const std::string_view prefix : of_ipc) {
        if (!sysctl.starts_with(prefix))
            continue;
        known = true;
        has = own.ipc;
    }
    if (!known)
        return "belongs to no namespace: it would change the host"_p;
    return has ? Phrase(nullptr) : "it has no such namespace of its own, see [namespaces]"_p;
}

void Checker::say(Index node, std::string_view message)
{
    if (node != 0)
        document_.report(problems_, node, message);
    else
        problems_.add(0, 0, Text(message));
}

/// A build that lacks one refuses what is of no use without it.
void Checker::features()
{
    left_out(Feature::Network, !spec_.networks.empty(), "network");
    left_out(Feature::Network, !spec_.ports.empty(), "ports");
    left_out(Feature::Network, !spec_.dns.empty(), "dns");
    left_out(Feature::Network, !spec_.hosts.empty(), "hosts");
    left_out(Feature::Boot, spec_.autostart, "autostart");
    left_out(Feature::Boot, !spec_.after.empty(), "after");
    left_out(Feature::Boot, !spec_.required.empty(), "requires");
}

void Checker::left_out(Feature feature, bool wanted, const char* key)
{
    if (!built_with(feature) && wanted)
        say(at(key), vial::left_out(key, feature));
}

void Checker::name()
{
    const Index node = at("name");
    if (node == 0 && spec_.name.empty())
        return say(0, "'name' is missing"_p);
    const Phrase fault = name_fault(spec_.name);
    if (node == 0 && fault)
        return say(0, compose("the file's name makes no name for a container (%); set one: name = \"...\""_p, fault));
    if (is_cgroup_file(spec_.name))
        say(node, compose("'%' is the name of a file in every cgroup; choose another name"_p, spec_.name));
}

void Checker::services(SpecKind kind)
{
    const bool pause = kind == SpecKind::Container && at("root") != 0 && at("service") == 0 && spec_.init;
    if (spec_.services.empty() && pause)
        return;
    if (spec_.services.empty())
        return say(at("service"), "'command' is missing"_p);
    const Index tables = at("service");
    for (const ServiceSpec& service : spec_.services) {
        const Index table = tables != 0 ? document_.find(tables, service.name) : 0;
        if (document_.find(table, "command") == 0)
            say(table, table != 0 ? compose("[service.%] has no 'command'"_p, service.name) : "'command' is missing");
        mapped(service, table);
        supervision(service, table);
    }
    cycles();
    if (spec_.init)
        return;
    if (spec_.services.size() != 1)
        return say(at("init"), "init = false wants exactly one service: nothing is there to start the others"_p);
    const ServiceSpec& only = spec_.services[0];
    if (only.policy.restart != Restart::No)
        say(at("init"), "init = false leaves nobody to restart the service: leave out 'restart', or this"_p);
    bool supervised = only.policy.ready != Ready::Start || only.policy.oneshot || !only.pid_file.empty();
    for (const List<Text>& command : only.task_command)
        supervised = supervised || !command.empty();
    if (supervised)
        say(at("init"), "init = false leaves nobody to run hooks or probes, or to ask whether the service is ready"_p);
}

void Checker::supervision(const ServiceSpec& service, Index node)
{
    for (const char* key : {"after", "requires"}) {
        const Index given = document_.find(node, key);
        for (Text name : *key == 'a' ? service.after : service.required) {
            if (numbers_.find(name) == NameTable::none)
                say(given, compose("%: there is no service '%' in this spec"_p, key, name));
            else if (name == service.name)
                say(given, compose("%: a service cannot wait for itself"_p, key));
        }
    }
    const Index health = document_.find(node, "health");
    if (health != 0 && document_.find(health, "command") == 0)
        say(health, "[health] has no 'command'"_p);
    if (service.policy.ready == Ready::Exec && health == 0)
        say(document_.find(node, "ready"), "ready = \"exec\" asks the command of [health]: there is none"_p);
    if (service.policy.oneshot && service.policy.ready != Ready::Start)
        say(document_.find(node, "ready"), "a oneshot is ready when it has ended well: leave out 'ready'"_p);
    if (!service.pid_file.empty() && (service.policy.oneshot || service.policy.ready != Ready::Start))
        say(document_.find(node, "pid_file"), "a service is ready when its pid_file names its main process: leave out "
                                              "'ready' and 'oneshot'"_p);
}

void Checker::cycles()
{
    const List<std::uint32_t> cycle = find_cycle(spec_, numbers_);
    if (cycle.empty())
        return;
    Builder names;
    for (const std::uint32_t each : cycle)
        names.compose("% -> ", spec_.services[each].name);
    const Text first = spec_.services[cycle.front()].name;
    say(document_.find(at("service"), first), compose("the services wait for each other: %%"_p, names, first));
}

void Checker::id_map(const List<IdRange>& map, const char* key)
{
    const Index node = at("user_namespace", key);
    bool maps_root = false;
    for (std::size_t index = 0; index < map.size(); ++index) {
        const IdRange& range = map[index];
        maps_root = maps_root || range.inside == 0;
        for (std::size_t other = 0; other < index; ++other) {
            const auto overlap = [](std::uint32_t a, std::uint32_t a_count, std::uint32_t b, std::uint32_t b_count) {
                return a < b ? b - a < a_count : a - b < b_count;
            };
            if (overlap(range.inside, range.count, map[other].inside, map[other].count) ||
                overlap(range.outside, range.count, map[other].outside, map[other].count))
                return say(node, compose("%: two ranges overlap"_p, key));
        }
    }
    if (node == 0)
        return say(at("user_namespace"), compose("a user namespace needs '%' in [user_namespace]"_p, key));
    if (!map.empty() && !maps_root)
        say(node, compose("%: must map 0, who sets up the container"_p, key));
}

void Checker::mapped(const ServiceSpec& service, Index node)
{
    const auto check = [&](const List<IdRange>& map, const Identifier& id, std::string_view key) {
        if (map.empty() || !id.name.empty())
            return;
        for (const IdRange& range : map) {
            if (id >= range.inside && id - range.inside < range.count)
                return;
        }
        const Index given = document_.find(node, key);
        say(given != 0 ? given : node, compose("%: % is not mapped in [user_namespace]"_p, key, id.number));
    };
    if (!spec_.namespaces.user)
        return;
    check(spec_.uid_map, service.user, "user");
    check(spec_.gid_map, service.group, "group");
    for (const Identifier& group : service.groups)
        check(spec_.gid_map, group, "groups");
}

void Checker::namespaces()
{
    const bool mapped = !spec_.uid_map.empty() || !spec_.gid_map.empty();
    if (spec_.auto_ids && (mapped || !spec_.namespaces.user)) {
        say(at("user_namespace", "auto"),
            "auto = true chooses the maps of a user namespace: it contradicts others, and none"_p);
    } else if (spec_.namespaces.user && !spec_.auto_ids) {
        id_map(spec_.uid_map, "uid_map");
        id_map(spec_.gid_map, "gid_map");
    } else if (!spec_.namespaces.user && mapped) {
        say(at("namespaces", "user"), "namespaces.user = false contradicts the maps in [user_namespace]"_p);
    }
    const bool joins = std::any_of(std::begin(spec_.namespaces.join), std::end(spec_.namespaces.join),
                                   [](Text join) { return !join.empty(); });
    if (!spec_.pod.empty() && spec_.pod == spec_.name)
        say(at("pod"), "pod: a container cannot be in a pod of its own"_p);
    if (spec_.namespaces.user && joins)
        say(at("namespaces", "join"), "join: who has a user namespace of its own has no say in other namespaces"_p);
    bool of_host = false;
    for (const NetworkSpec& network : spec_.networks)
        of_host = of_host || network.kind == NetworkKind::Host;
    if (of_host && (spec_.namespaces.network || spec_.networks.size() != 1))
        say(at("network"), "a network of type \"host\" is the host's as it is: no other [network.NAME] has a place "
                           "beside it, nor namespaces.net = true"_p);
    else if (!of_host && !spec_.namespaces.network && !spec_.networks.empty())
        say(at("namespaces", "net"), "without a network namespace of its own there is no place for "
                                     "[network.NAME]"_p);
    if (!spec_.namespaces.uts && spec_.hostname != spec_.name)
        say(at("hostname"), "'hostname' needs a UTS namespace of its own"_p);
    if (!spec_.namespaces.time && (spec_.monotonic_offset != 0 || spec_.boottime_offset != 0))
        say(at("namespaces"), "clock offsets need namespaces.time = true"_p);
}

void Checker::network(const NetworkSpec& network, Index node)
{
    const Index gateway = document_.find(node, "gateway");
    const bool shares = network.kind != NetworkKind::Veth;
    if (network.kind == NetworkKind::None || network.kind == NetworkKind::Host) {
        if (!network.bridge.empty() || !network.parent.empty() || !network.addresses.empty() ||
            !network.gateways.empty() || !network.routes.empty() || network.has_mac || network.mtu != 0 ||
            network.masquerade)
            say(node, compose("[network.%] of type \"%\" has no interface to set anything on"_p, network.name,
                              network.kind == NetworkKind::None ? "none" : "host"));
        return;
    }
    if (shares == network.parent.empty())
        say(node, shares ? "'parent' is missing: the host's interface that is shared or lent"_p
                         : "'parent' is for macvlan, ipvlan and physical"_p);
    if (shares && !network.bridge.empty())
        say(document_.find(node, "bridge"), "bridge: only a veth is plugged into one"_p);
    if (network.kind == NetworkKind::Ipvlan && network.has_mac)
        say(document_.find(node, "mac"), "mac: an ipvlan has its parent's"_p);
    if (network.kind == NetworkKind::Physical && (network.has_mac || network.mtu != 0))
        say(document_.find(node, network.has_mac ? "mac" : "mtu"),
            "mac and mtu: an interface that is lent comes back as it was"_p);
    if (network.masquerade && (network.bridge.empty() || network.gateways.empty() || network.addresses.empty()))
        say(document_.find(node, "masquerade"), "masquerade: wants a 'bridge', an 'address' and a 'gateway'"_p);
    int families[2] = {};
    for (const IpAddress& address : network.gateways) {
        if (++families[address.family == AF_INET6] == 2)
            say(gateway, "gateway: only one for IPv4 and one for IPv6"_p);
        reachable(address, network, node, "gateway");
    }
    for (const RouteSpec& route : network.routes)
        reachable(route.gateway, network, node, "routes");
}

void Checker::reachable(const IpAddress& gateway, const NetworkSpec& network, Index node, const char* key)
{
    // A link-local router is on every link (RFC 4861).
    bool reached = gateway.family == AF_INET6 && gateway.bytes[0] == 0xfe && (gateway.bytes[1] & 0xc0) == 0x80;
    for (const IpAddress& own : network.addresses)
        reached = reached || inside(gateway, own);
    if (!reached && document_.find(node, "address") == 0)
        say(document_.find(node, key), compose("%: wants an 'address' in the same network"_p, key));
    else if (!reached && !network.addresses.empty())
        say(document_.find(node, key),
            compose("%: % is in none of the networks of 'address'"_p, key, address_text(gateway, false)));
}

/// Where a published port leads: to an address that the host reaches over a bridge on which it has one itself.
void Checker::ports()
{
    const Index node = at("ports");
    for (std::size_t index = 0; index < spec_.ports.size(); ++index) {
        const PortSpec& port = spec_.ports[index];
        const std::uint8_t family = port.address.family;
        const bool leads = family != 0 ? publishing_network(spec_, family) != nullptr
                                       : publishing_network(spec_, AF_INET) != nullptr ||
                                             publishing_network(spec_, AF_INET6) != nullptr;
        Phrase fault = nullptr;
        if (!leads)
            fault = "wants a [network.NAME] with a 'bridge', and with an 'address' and a 'gateway' of its family"_p;
        else if (family == AF_INET6 && inside(port.address, *parse_network("::1/128")))
            fault = "the kernel does not lead IPv6 away from ::1"_p;
        for (std::size_t other = 0; other < index; ++other)
            if (collide(port, spec_.ports[other]))
                fault = "the port is published twice"_p;
        if (fault)
            return say(node, compose("ports: %: %", port_text(port), fault));
    }
}

void Checker::whole(SpecKind kind)
{
    features();
    name();
    if (kind == SpecKind::Container && at("root") == 0)
        say(0, "'root' is missing: the directory or image that becomes the container's /"_p);
    services(kind);
    namespaces();
    if (spec_.read_only && spec_.overlay.kind != OverlayKind::None)
        say(at("read_only"), "read_only = true contradicts 'overlay', which is there to be written to"_p);
    if (!spec_.root_hash.empty() && !spec_.read_only && spec_.overlay.kind == OverlayKind::None)
        say(at("read_only"),
            "read_only = false lets the container change its image, which would not have its root_hash "
            "any more: set an 'overlay'"_p);
    if (spec_.limits.memory == unlimited && spec_.limits.swap != unlimited)
        say(at("limits", "swap"), "swap: wants a limit of 'memory' as well"_p);
    if (!spec_.security.no_new_privileges && spec_.security.seccomp != SeccompChoice::Off)
        say(at("security", "no_new_privileges"),
            "no_new_privileges = false wants seccomp = \"off\" as well: the kernel filters system calls only with it"_p);
    for (Text sysctl : spec_.security.sysctls)
        if (const Phrase fault = sysctl_fault(sysctl, spec_.namespaces))
            say(at("security", "sysctl"), compose("sysctl: %: %"_p, slice(sysctl, 0, position(sysctl, '=')), fault));
    if ((spec_.security.ambient & ~spec_.security.capabilities) != 0)
        say(at("security", "ambient"), "ambient: must be among the 'capabilities' that are kept"_p);
    if (!spec_.security.no_new_privileges && !spec_.security.landlock.empty())
        say(at("security", "landlock"), "landlock: wants no_new_privileges = true"_p);
    for (const DeviceSpec& device : spec_.devices)
        for (const DeviceSpec* other = spec_.devices.begin(); other != &device; ++other)
            if (other->target == device.target)
                say(at("devices"), compose("devices: two of them are to be %"_p, device.target));
    const Index networks = at("network");
    for (const NetworkSpec& interface : spec_.networks)
        if (built_with(Feature::Network))
            network(interface, document_.find(networks, interface.name));
    if (built_with(Feature::Network))
        ports();
}

}  // namespace

NameTable number_services(const Spec& spec)
{
    NameTable numbers;
    for (std::uint32_t index = 0; index < spec.services.size(); index++)
        (void)numbers.add(spec.services[index].name, index);
    return numbers;
}

void check_spec(const toml::Document& document, const Spec& spec, SpecKind kind, Problems& problems)
{
    Checker(document, spec, problems).whole(kind);
}

Phrase mount_fault(const MountSpec& mount)
{
    if (mount.target.empty())
        return "wants a 'target'"_p;
    if (!is_target(mount.target))
        return "the target is not an absolute path without '..'"_p;
    if (mount.kind == MountKind::Tmpfs)
        return mount.source.empty() ? Phrase(nullptr) : "a tmpfs has no source"_p;
    if (mount.source.empty())
        return "wants a 'source', or type = \"tmpfs\""_p;
    return mount.size != unlimited || mount.mode != MountSpec{}.mode ? "size and mode are options of a tmpfs"_p
                                                                     : nullptr;
}

}  // namespace vial
