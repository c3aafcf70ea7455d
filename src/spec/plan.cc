// SPDX-License-Identifier: MIT
#include "spec/plan.h"

#include "base/os.h"
#include "spec/schema.h"

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace vial {

namespace {

constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr std::size_t plan_limit = 64U << 20;  // environments from files can be long, and a host's specs many

/// In the order of the keys of [security.rlimits].
constexpr std::uint8_t resource_numbers[] = {
    RLIMIT_AS,      RLIMIT_CORE,     RLIMIT_CPU,    RLIMIT_DATA,       RLIMIT_FSIZE,
    RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE,   RLIMIT_NOFILE,     RLIMIT_NPROC,
    RLIMIT_RSS,     RLIMIT_RTPRIO,   RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
};
static_assert(std::size(resource_numbers) == resource_count);

/// Builds the plan front to back; offsets stay good while the buffer grows.
class PlanWriter {
public:
    static constexpr std::size_t alignment = 8;

    /// Room for `count` things of this size, zeroed and aligned for any of them.
    PlanOffset reserve(std::size_t size, std::size_t count = 1)
    {
        const std::size_t offset = (bytes_.size() + alignment - 1) & ~(alignment - 1);
        const std::size_t more = offset - bytes_.size() + size * count;
        std::memset(bytes_.room(more), 0, more);
        bytes_.took(more);
        return static_cast<PlanOffset>(offset);
    }
    PlanOffset text(std::string_view text)
    {
        const std::size_t offset = bytes_.size();
        bytes_ += slice(text, 0, position(text, '\0'));
        bytes_ += '\0';
        return static_cast<PlanOffset>(offset);
    }
    PlanOffset texts(const List<Text>& texts)
    {
        const PlanOffset list = reserve(sizeof(PlanOffset), texts.size());
        for (std::size_t index = 0; index < texts.size(); ++index) {
            const PlanOffset offset = text(texts[index]);
            put(list + index * sizeof offset, &offset, sizeof offset);
        }
        return list;
    }
    PlanOffset array(const void* data, std::size_t size, std::size_t count = 1)
    {
        const PlanOffset offset = reserve(size, count);
        put(offset, data, size * count);
        return offset;
    }
    void put(std::size_t offset, const void* data, std::size_t size)
    {
        if (size > 0)
            std::memcpy(bytes_.at(offset), data, size);
    }
    std::string_view bytes() const { return bytes_; }

private:
    Builder bytes_;
};

/// Whether every reference of a plan of `size` mapped bytes stays inside it. PID 1 trusts it from there on.
class Inspector {
public:
    explicit Inspector(const Plan& plan) : plan_(plan) {}

    bool whole() const
    {
        // The last byte being NUL, every text that begins inside also ends inside.
        if (*plan_.text(plan_.size - 1) != '\0' || !text(plan_.container) ||
            !array(plan_.services, plan_.service_count, sizeof(PlanService)) ||
            !array(plan_.limits, plan_.limit_count, sizeof(PlanLimit)) || !texts(plan_.landlock, plan_.rule_count) ||
            (plan_.filter_size != 0 && !array(plan_.filter, plan_.filter_size, sizeof(sock_filter))))
            return false;
        for (const PlanService& service : plan_.all_services()) {
            if (!text(service.name) || !text(service.directory) || service.argument_count == 0 ||
                !texts(service.arguments, service.argument_count) ||
                !texts(service.environment, service.environment_count) ||
                !array(service.groups, service.group_count, sizeof(std::uint32_t)) ||
                !array(service.policy, 1, sizeof(ServicePolicy)) || (service.tasks != 0 && !tasks(service.tasks)) ||
                (service.pid_file != 0 && !text(service.pid_file)) ||
                (service.past != 0 && !array(service.past, 1, past_size)))
                return false;
        }
        return plan_.edge_count == 0 || (edges(plan_.needs) && edges(plan_.dependents));
    }

private:
    bool text(PlanOffset offset) const { return offset >= sizeof(Plan) && offset < plan_.size; }
    bool array(PlanOffset offset, std::uint64_t count, std::uint64_t size) const
    {
        return offset % PlanWriter::alignment == 0 && offset >= sizeof(Plan) && offset + count * size <= plan_.size;
    }
    bool tasks(PlanOffset offset) const
    {
        if (!array(offset, task_commands, sizeof(PlanCommand)))
            return false;
        for (const PlanCommand& command : plan_.commands(offset)) {
            if (!texts(command.arguments, command.argument_count))
                return false;
        }
        return true;
    }
    bool edges(const PlanEdges& edges) const
    {
        if (!array(edges.starts, plan_.service_count + 1ULL, sizeof(std::uint32_t)) ||
            !array(edges.edges, plan_.edge_count, sizeof(Dependency)))
            return false;
        std::uint32_t last = 0;
        for (const std::uint32_t start : plan_.list(edges.starts, plan_.service_count + 1)) {
            if (start < last || start > plan_.edge_count)
                return false;
            last = start;
        }
        for (const Dependency edge : plan_.edges(edges)) {
            if (edge.service() >= plan_.service_count)
                return false;
        }
        return true;
    }
    bool texts(PlanOffset offset, std::uint32_t count) const
    {
        if (!array(offset, count, sizeof(PlanOffset)))
            return false;
        for (const PlanOffset element : plan_.list(offset, count)) {
            if (!text(element))
                return false;
        }
        return true;
    }

    const Plan& plan_;
};

}  // namespace

Result<const Plan*> map_plan(int fd)
{
    const auto refuse = [](Phrase reason) { return Error(reason, "take over the plan"_p); };
    if ((TRY(os::seals(fd)) & all_seals) != all_seals)
        return refuse("its memory is not sealed"_p);
    const auto size = static_cast<std::size_t>(TRY(os::fstat(fd)).st_size);
    if (size < sizeof(Plan) || size > plan_limit)
        return refuse("its size is wrong"_p);
    // Private, for before 6.7 a shared mapping of a write-sealed memfd was refused; nothing is ever copied.
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED)
        return Error(errno, "map the plan"_p);
    const auto* plan = static_cast<const Plan*>(memory);
    if (plan->magic == Plan::expected_magic && plan->size == size && Inspector(*plan).whole())
        return plan;
    ::munmap(memory, size);
    return refuse("it is damaged"_p);
}

namespace {

/// Writes down who depends on whom, seen from one end or the other.
PlanEdges write_edges(PlanWriter& writer, const Spec& spec, const NameTable& numbers, bool reverse,
                      std::uint32_t& edge_count)
{
    const std::size_t count = spec.services.size();
    List<List<Dependency>> rows;
    for (std::size_t index = 0; index < count; ++index)
        rows.emplace_back();
    for (std::uint32_t from = 0; from < count; ++from) {
        const ServiceSpec& service = spec.services[from];
        for (const List<Text>* names : {&service.required, &service.after}) {
            for (Text name : *names) {
                const std::uint32_t to = numbers.find(name);
                const bool required = names == &service.required;
                // Named in both it is required.
                if (!required && service.required.contains(name))
                    continue;
                rows[reverse ? to : from].push_back({reverse ? from : to, required});
            }
        }
    }
    List<std::uint32_t> starts{0};
    List<Dependency> edges;
    for (const List<Dependency>& row : rows) {
        edges.append(row.data(), row.size());
        starts.push_back(static_cast<std::uint32_t>(edges.size()));
    }
    edge_count = static_cast<std::uint32_t>(edges.size());
    return {writer.array(starts.data(), sizeof(std::uint32_t), starts.size()),
            writer.array(edges.data(), sizeof(Dependency), edges.size())};
}

/// The commands of hooks and probe; 0 where there are none. `policy` gets to know which there are.
PlanOffset write_tasks(PlanWriter& writer, const ServiceSpec& service, ServicePolicy& policy)
{
    PlanCommand commands[task_commands] = {};
    for (std::size_t index = 0; index < task_commands; ++index) {
        const List<Text>& command = service.task_command[index];
        commands[index].arguments = command.empty() ? sizeof(Plan) : writer.texts(command);
        commands[index].argument_count = static_cast<std::uint32_t>(command.size());
        if (!command.empty())
            policy.tasks |= static_cast<std::uint8_t>(task_bit(Task::Health) << index);
    }
    if (policy.tasks == 0)
        return 0;
    return writer.array(commands, sizeof commands);
}

}  // namespace

List<PlanLimit> process_limits(const Spec& spec)
{
    List<PlanLimit> limits;
    for (std::size_t at = 0; at < resource_count; ++at) {
        ResourceLimit limit = spec.security.rlimits[at];
        const std::uint8_t resource = resource_numbers[at];
        if (limit.soft == as_it_is && resource == RLIMIT_NOFILE)
            limit = spec.limits.files;
        if (limit.soft == as_it_is && resource == RLIMIT_CORE)
            limit = spec.limits.core;
        if (limit.soft != as_it_is)
            limits.push_back({resource, limit.soft, limit.hard});
    }
    return limits;
}

std::string_view resource_name(std::int64_t resource)
{
    for (std::size_t at = 0; at < resource_count; ++at)
        if (resource_numbers[at] == resource)
            return schema_keys(Group::Rlimits)[at].name();
    return {};
}

Result<Fd> make_plan(const Spec& spec, std::uint32_t flags, const PlanDescriptors& descriptors,
                     const List<List<Text>>& environments, std::span<const sock_filter> filter)
{
    PlanWriter writer;
    Plan plan{};
    writer.reserve(sizeof plan);
    plan.magic = Plan::expected_magic;
    plan.flags = flags;
    if (spec.security.no_new_privileges)
        plan.flags |= PlanNoNewPrivileges;
    if (spec.security.seccomp != SeccompChoice::Off)
        plan.flags |= PlanSeccomp;
    if (!spec.init)
        plan.flags |= PlanNoInit;
    plan.capabilities = spec.security.capabilities;
    plan.ambient = spec.security.ambient;
    const List<PlanLimit> limits = process_limits(spec);
    plan.limits = writer.array(limits.data(), sizeof(PlanLimit), limits.size());
    plan.limit_count = static_cast<std::uint32_t>(limits.size());
    plan.filter_size = static_cast<std::uint32_t>(filter.size());
    if (!filter.empty())
        plan.filter = writer.array(filter.data(), sizeof(sock_filter), filter.size());
    plan.landlock = writer.texts(spec.security.landlock);
    plan.rule_count = static_cast<std::uint32_t>(spec.security.landlock.size());
    plan.log_size = spec.log.size;
    plan.channel = descriptors.channel;
    plan.control = descriptors.control;
    plan.requests = descriptors.requests;
    plan.answers = descriptors.answers;
    plan.exit_file = descriptors.exit_file;
    std::memcpy(plan.log, descriptors.log, sizeof plan.log);
    std::memcpy(plan.standard, descriptors.standard, sizeof plan.standard);
    std::memcpy(plan.stat, descriptors.stat, sizeof plan.stat);
    plan.service_count = static_cast<std::uint32_t>(spec.services.size());
    plan.services = writer.reserve(sizeof(PlanService), spec.services.size());

    // What is the same as in the service before is not written again: a thousand services are mostly alike.
    PlanService last{};
    bool depends = false;
    for (std::size_t index = 0; index < spec.services.size(); ++index) {
        const ServiceSpec& from = spec.services[index];
        const ServiceSpec& before = spec.services[index == 0 ? 0 : index - 1];
        PlanService to{};
        to.name = writer.text(from.name);
        to.directory = index > 0 && from.directory == before.directory ? last.directory : writer.text(from.directory);
        to.arguments = writer.texts(from.command);
        to.argument_count = static_cast<std::uint32_t>(from.command.size());
        const auto& environment = index < environments.size() ? environments[index] : from.environment;
        const bool same = index > 0 && index < environments.size() && environment == environments[index - 1];
        to.environment = same ? last.environment : writer.texts(environment);
        to.environment_count = static_cast<std::uint32_t>(environment.size());
        List<std::uint32_t> groups;
        for (const Identifier& group : from.groups)
            groups.push_back(group);
        to.groups = writer.array(groups.data(), sizeof(std::uint32_t), groups.size());
        to.group_count = static_cast<std::uint32_t>(from.groups.size());
        to.user = from.user;
        to.group = from.group;
        to.umask = from.umask;
        to.is_container = from.is_container;
        to.on_demand = from.on_demand;
        to.renewed = from.renewed;
        to.running = from.running;
        to.started = from.started;
        to.fingerprint = from.fingerprint;
        to.past = from.past.empty() ? 0 : writer.array(from.past.data(), from.past.size());
        ServicePolicy policy = from.policy;
        if (!from.pid_file.empty()) {
            policy.ready = Ready::PidFile;
            to.pid_file = writer.text(from.pid_file);
        }
        to.tasks = write_tasks(writer, from, policy);
        to.policy = last.policy;
        if (index == 0 || std::memcmp(writer.bytes().data() + last.policy, &policy, sizeof policy) != 0)
            to.policy = writer.array(&policy, sizeof policy);
        depends = depends || !from.after.empty() || !from.required.empty();
        const ServiceDescriptors none;
        const ServiceDescriptors& opened = index < descriptors.services.size() ? descriptors.services[index] : none;
        std::memcpy(to.join, opened.join, sizeof to.join);
        to.kill_file = opened.kill_file;
        to.leaf_memory = opened.leaf_memory;
        to.leaf_cpu = opened.leaf_cpu;
        to.leaf_events = opened.leaf_events;
        to.leaf_tasks = opened.leaf_tasks;
        to.terminal = opened.terminal;
        writer.put(plan.services + index * sizeof to, &to, sizeof to);
        last = to;
    }
    if (depends) {
        const NameTable numbers = number_services(spec);
        plan.needs = write_edges(writer, spec, numbers, false, plan.edge_count);
        plan.dependents = write_edges(writer, spec, numbers, true, plan.edge_count);
    }
    plan.container = writer.text(spec.name);  // last: so the plan ends in a NUL
    if (writer.bytes().size() > plan_limit)
        return Error("commands and environments of more than 4 MiB"_p, "make the plan"_p, spec.name);
    plan.size = static_cast<std::uint32_t>(writer.bytes().size());
    writer.put(0, &plan, sizeof plan);

    Fd memory = TRY(os::memfd("vial-plan"));
    TRY(os::write_all(memory.get(), writer.bytes()));
    TRY(os::seal(memory.get()));
    return memory;
}

}  // namespace vial
