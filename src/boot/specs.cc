// SPDX-License-Identifier: MIT
#include "boot/specs.h"

#include "base/directory.h"
#include "base/os.h"
#include "boot/host_conf.h"
#include "launch/state.h"
#include "spec/checks.h"
#include "spec/read.h"
#include "spec/show.h"

#include <algorithm>
#include <fcntl.h>

namespace vial {

namespace {

/// The container's services have their own patience: it is only killed when that must be over.
constexpr Milliseconds margin = 5000;

/// FNV-1a.
std::uint32_t fingerprint_of(std::string_view text)
{
    std::uint32_t hash = 2166136261U;
    for (const char letter : text)
        hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
    return hash;
}

class HostReader {
public:
    HostReader(Text directory, int state, HostSpecs& found) : directory_(directory), state_(state), found_(found) {}

    void read(Text file);
    /// Names of specs become names of services; who requires what is not there, or waits for itself, is left out.
    void settle();

private:
    /// One file, as what it became.
    struct Member {
        Text name;
        List<Text> services;
        List<Text> after, required;  ///< names of members
        bool left_out = false;
    };

    void complain(Text line) { found_.complaints.push_back(line); }
    bool has_service(std::string_view name) const;
    void keep(Text name) { found_.kept.push_back(name); }
    void add_container(const Spec& spec, Text path);
    void add_services(Spec& spec);
    Member* member(std::string_view name);
    void leave_out(Member& member);
    bool leave_out_unmet();
    bool leave_out_cycle();

    Text directory_;
    int state_;
    HostSpecs& found_;
    List<Member> members_;
    List<std::uint32_t> owners_;  ///< of each service its member
};

bool HostReader::has_service(std::string_view name) const
{
    return std::any_of(found_.spec.services.begin(), found_.spec.services.end(),
                       [&](const ServiceSpec& each) { return each.name == name; });
}

Text host_name(const Spec& spec, Text service)
{
    const bool several = spec.services.size() > 1 || spec.services.front().name != "main";
    return spec.root.empty() && several ? compose("%.%", spec.name, service) : spec.name;
}

HostReader::Member* HostReader::member(std::string_view name)
{
    for (Member& each : members_)
        if (each.name == name && !each.left_out)
            return &each;
    return nullptr;
}

void HostReader::read(Text file)
{
    constexpr std::size_t suffix = std::string_view(".conf").size();
    const Text path = compose("%/%", directory_, file);
    const Text stem = std::string_view(file).substr(0, file.size() - suffix);
    const auto refuse = [&](const Error& error) {
        char words[description_capacity];
        complain(describe(error, words, sizeof words));
        keep(stem);
    };
    const auto text = load_spec_file(path.c_str());
    if (!text.ok())
        return refuse(text.error());
    const auto drop_ins = load_drop_ins(path);
    if (!drop_ins.ok())
        return refuse(drop_ins.error());
    Reading reading = read_spec(text.value(), path, {}, SpecKind::Host, drop_ins.value());
    Spec& spec = reading.spec;
    for (const Diagnostic& problem : reading.problems)
        complain(format(problem, path));
    for (const Text key : spec.not_yet)
        complain(compose("%: not supported yet: %"_p, path, key));
    if (!reading.problems.empty() || !spec.not_yet.empty()) {
        keep(stem);
        return keep(spec.name);
    }
    if (spec.name == boot_name)
        return complain(compose("%: 'boot' is the name of what starts it; choose another"_p, path));
    bool taken = member(spec.name) != nullptr;
    for (const ServiceSpec& service : spec.services)
        taken = taken || has_service(host_name(spec, service.name));
    if (taken)
        return complain(compose("%: there is another spec named '%'"_p, path, spec.name));
    for (const List<Text>* names : {&spec.after, &spec.required}) {
        if (std::find(names->begin(), names->end(), spec.name) == names->end())
            continue;
        complain(compose("%: it waits for itself: not started"_p, path));
        return keep(spec.name);
    }
    Member& member = members_.emplace_back();
    member.name = spec.name;
    member.after = spec.after;
    member.required = spec.required;
    if (spec.root.empty())
        add_services(spec);
    else
        add_container(spec, path);
    while (owners_.size() < found_.spec.services.size())
        owners_.push_back(static_cast<std::uint32_t>(members_.size() - 1));
}

void HostReader::add_container(const Spec& spec, Text path)
{
    ServiceSpec& service = found_.spec.services.emplace_back();
    service.name = spec.name;
    for (const char* word : {"/proc/self/exe", "start", "--ensure"})
        service.command.push_back(word);
    service.command.push_back(path);
    service.is_container = true;
    service.on_demand = !spec.autostart;
    ServicePolicy& policy = service.policy;
    policy.ready = Ready::Notify;
    policy.stop_timeout = 0;
    policy.start_timeout = 0;
    policy.restart_backoff = 60000;
    for (const ServiceSpec& inside : spec.services) {
        const auto longest = [](Milliseconds a, Milliseconds b) { return a < 0 || b < 0 ? -1 : std::max(a, b); };
        policy.stop_timeout = longest(policy.stop_timeout, inside.policy.stop_timeout);
        policy.start_timeout = longest(policy.start_timeout, inside.policy.start_timeout);
        policy.restart = std::max(policy.restart, inside.policy.restart);
    }
    policy.stop_timeout += policy.stop_timeout < 0 ? 0 : margin;
    policy.start_timeout += policy.start_timeout < 0 ? 0 : margin;
    if (!spec.init)
        policy.stop_signal = spec.services.front().policy.stop_signal;
    service.fingerprint = fingerprint_of(show_spec(spec));
    recognise(service, state_);
    // One that was started by hand is kept from then on.
    if (const auto record = read_record(spec.name);
        record.ok() && record.value()->by_boot && record.value()->phase == Phase::Running)
        service.on_demand = false;
    members_.back().services.push_back(service.name);
}

void HostReader::add_services(Spec& spec)
{
    const std::uint32_t fingerprint = fingerprint_of(show_spec(spec));
    List<Text> names;
    for (const ServiceSpec& service : spec.services)
        names.push_back(host_name(spec, service.name));
    for (ServiceSpec& service : spec.services) {
        for (List<Text>* others : {&service.after, &service.required})
            for (Text& name : *others)
                name = host_name(spec, name);
    }
    for (std::size_t at = 0; at < names.size(); at++) {
        ServiceSpec& service = spec.services[at];
        service.name = names[at];
        service.policy.essential = false;  // no service's end is the host's
        service.on_demand = !spec.autostart;
        service.fingerprint = fingerprint;
        recognise(service, state_);
        members_.back().services.push_back(service.name);
        found_.spec.services.push_back(std::move(service));
    }
}

void HostReader::leave_out(Member& member)
{
    member.left_out = true;
    keep(member.name);
    List<ServiceSpec> kept;
    List<std::uint32_t> owners;
    for (std::size_t at = 0; at < owners_.size(); at++) {
        if (members_[owners_[at]].left_out)
            continue;
        kept.push_back(std::move(found_.spec.services[at]));
        owners.push_back(owners_[at]);
    }
    found_.spec.services = std::move(kept);
    owners_ = std::move(owners);
}

/// True: there was one, and others may miss it now.
bool HostReader::leave_out_unmet()
{
    bool any = false;
    for (Member& each : members_) {
        for (Text name : each.required) {
            if (each.left_out || member(name) != nullptr)
                continue;
            complain(compose("%: requires '%', which is not there: not started"_p, each.name, name));
            leave_out(each);
            any = true;
        }
    }
    return any;
}

bool HostReader::leave_out_cycle()
{
    const List<std::uint32_t> cycle = find_cycle(found_.spec);
    if (cycle.empty())
        return false;
    Builder names;
    List<Text> theirs;
    for (const std::uint32_t index : cycle) {
        names.compose("% -> ", found_.spec.services[index].name);
        theirs.push_back(found_.spec.services[index].name);
    }
    complain(compose("%%: they wait for each other: not started"_p, names, theirs.front()));
    for (Member& each : members_)
        for (Text name : each.services)
            if (!each.left_out && std::find(theirs.begin(), theirs.end(), name) != theirs.end())
                leave_out(each);
    return true;
}

void HostReader::settle()
{
    do {
        while (leave_out_unmet()) {
        }
        for (std::size_t at = 0; at < owners_.size(); at++) {
            ServiceSpec& service = found_.spec.services[at];
            const Member* const own = &members_[owners_[at]];
            // What it depends on within its own spec stays; what is around it is put together anew.
            const auto connect = [&](List<Text>& to, const List<Text>& from) {
                List<Text> kept;
                for (Text name : to)
                    if (std::find(own->services.begin(), own->services.end(), name) != own->services.end())
                        kept.push_back(name);
                for (Text name : from)
                    if (const Member* other = member(name); other != nullptr)
                        kept.append(other->services.data(), other->services.size());
                to = std::move(kept);
            };
            connect(service.after, own->after);
            connect(service.required, own->required);
        }
    } while (leave_out_cycle());
}

}  // namespace

void recognise(ServiceSpec& service, int state)
{
    const auto known = os::read_file(state, compose("run.%", service.name).c_str());
    if (!known.ok())
        return;
    std::string_view rest = known.value();
    std::string_view line = take_until(rest, '\n');
    const std::string_view word = take_word(line);
    ProcessId process;
    process.pid = static_cast<pid_t>(parse_number(word).value_or(0));
    process.start_time = parse_number(take_word(line)).value_or(0);
    const bool same = parse_number(take_word(line)).value_or(-1) == std::int64_t{service.fingerprint};
    if (is_alive(process)) {
        service.running = process.pid;
        service.renewed = !same;
    } else if (same && word == "done") {
        service.running = done_before;
    } else if (same && word == "rest") {
        service.on_demand = true;
    }
}

Result<HostSpecs> read_host_specs(Text directory, int state)
{
    HostSpecs found;
    found.spec.name = boot_name;
    HostReader reader(directory, state, found);
    for (Text file : spec_files(TRY(list_directory(directory))))
        if (file != host_conf_name)
            reader.read(file);
    reader.settle();
    return found;
}

}  // namespace vial
