// SPDX-License-Identifier: MIT
#include "launch/ordinary_user.h"

#include "base/text.h"
#include "kernel/capabilities.h"
#include "launch/id_maps.h"

#include <unistd.h>

namespace vial {

namespace {

Result<void> refuse_limits(const LimitsSpec& limits)
{
    const struct {
        bool given;
        const char* name;
    } limited[] = {
        {limits.memory != unlimited, "memory"},
        {limits.memory_high != unlimited, "memory_high"},
        {limits.swap != unlimited, "swap"},
        {limits.cpu != 0, "cpu"},
        {limits.cpu_weight != 0, "cpu_weight"},
        {!limits.cpus.empty(), "cpus"},
        {limits.tasks_given && limits.tasks != unlimited, "tasks"},
        {limits.io_weight != 0, "io_weight"},
        {!limits.io.empty(), "io"},
        {limits.oom_group, "oom_group"},
        {!limits.cgroup.empty(), "cgroup"},
    };
    for (const auto& [given, name] : limited)
        if (given)
            return Error("an ordinary user has no control groups"_p, "set", concat("limits.", name))
                .advise("leave it out, or start it as root"_p);
    return {};
}

Result<void> check_id(const List<IdRange>& map, const Identifier& id, bool named, Phrase step)
{
    if (!id.name.empty() && !named)
        return {};
    for (const IdRange& range : map)
        if (id >= range.inside && id - range.inside < range.count)
            return {};
    return Error("the user namespace does not map it"_p, step, id.name.empty() ? decimal(id.number) : id.name)
        .advise("see [user_namespace] in vial.conf(5)"_p);
}

}  // namespace

bool is_ordinary_user()
{
    return ::geteuid() != 0 && !has_admin_capability();
}

Result<void> settle_for_user(Spec& spec)
{
    if (!is_ordinary_user())
        return {};
    if (spec.auto_ids)
        TRY(settle_own_ids(spec));
    if (!spec.namespaces.user) {
        spec.namespaces.user = true;
        spec.uid_map.push_back({0, ::geteuid(), 1});
        spec.gid_map.push_back({0, ::getegid(), 1});
    }
    TRY(refuse_limits(spec.limits));
    spec.limits.tasks = unlimited;
    if (!spec.devices.empty())
        return Error("it takes root"_p, "give", "devices");
    for (const Text& join : spec.namespaces.join)
        if (!join.empty())
            return Error("it belongs to a user namespace that his container is not in"_p, "join", join);
    if (spec.namespaces.time)
        return Error("it takes root"_p, "make", "namespaces.time");
    for (const NetworkSpec& network : spec.networks)
        if (network.kind != NetworkKind::None)
            return Error("the container of an ordinary user has a lo alone"_p, "make", concat("network.", network.name))
                .advise("leave it out, or start it as root"_p);
    return check_mapped(spec, false);
}

Result<void> check_mapped(const Spec& spec, bool named)
{
    if (!spec.namespaces.user)
        return {};
    for (const ServiceSpec& service : spec.services) {
        TRY(check_id(spec.uid_map, service.user, named, "run a service as user"_p));
        TRY(check_id(spec.gid_map, service.group, named, "run a service as group"_p));
        for (const Identifier& group : service.groups)
            TRY(check_id(spec.gid_map, group, named, "run a service in group"_p));
    }
    return {};
}

}  // namespace vial
