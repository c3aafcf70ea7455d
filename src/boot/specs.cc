// SPDX-License-Identifier: MIT
#include "boot/specs.h"

#include "base/directory.h"
#include "base/name_table.h"
#include "base/os.h"
#include "boot/host_conf.h"
#include "kernel/seccomp_profile.h"
#include "launch/identity.h"
#include "launch/state.h"
#include "spec/read.h"
#include "spec/show.h"
#include "supervise/service.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

namespace vial {

namespace {

/// The container's services have their own patience: it is only killed when that must be over.
constexpr Milliseconds margin = 5000;

class HostReader {
public:
    HostReader(Text directory, int state, HostSpecs& found) : directory_(directory), state_(state), found_(found) {}

    void read(Text file);
    /// Names of specs become names of services; who requires what is not there, or waits for itself, is left out.
    void settle();

private:
    enum class Stage : std::uint8_t { Unseen, OnTheWay, Settled };

    /// One file, as what it became.
    struct Member {
        Text name;
        List<Text> awaited;                 ///< names of members: those it requires, then those that it is only after
        std::uint32_t required = 0;         ///< how many of them it requires
        std::uint32_t looked_at = 0;        ///< and how many have been seen to
        std::uint32_t first = 0, size = 0;  ///< its services
        Stage stage = Stage::Unseen;
        bool left_out = false;
    };

    void complain(Text line) { found_.complaints.push_back(line); }
    void keep(Text name) { found_.kept.push_back(name); }
    void add_container(const Spec& spec, Text path);
    void add_services(Spec& spec);
    Member* member(std::string_view name);
    void leave_out(Member& member);
    void settle(Member& start);
    void leave_out_circle(List<Member*>& way, const Member& begin);
    void connect(const Member& member);

    Text directory_;
    int state_;
    HostSpecs& found_;
    List<Member> members_;
    NameTable names_;  ///< of members and services, each with its member's number
};

Text host_name(const Spec& spec, Text service)
{
    const bool several = spec.services.size() > 1 || spec.services.empty() || spec.services.front().name != "main";
    return spec.root.empty() && several ? compose("%.%", spec.name, service) : spec.name;
}

/// Null: there is no such spec.
HostReader::Member* HostReader::member(std::string_view name)
{
    const std::uint32_t index = names_.find(name);
    return index != NameTable::none && members_[index].name == name ? &members_[index] : nullptr;
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
    const List<Text> profile = seccomp_complaints(spec.security);
    for (const Text line : profile)
        complain(line);
    if (!reading.problems.empty() || !spec.not_yet.empty() || !profile.empty()) {
        keep(stem);
        return keep(spec.name);
    }
    if (spec.name == boot_name)
        return complain(compose("%: 'boot' is the name of what starts it; choose another"_p, path));
    if (spec.root.empty() && state_ >= 0) {  // who only checks may do so on another machine
        const Opened root = os::open("/", O_PATH | O_DIRECTORY);
        const auto known = root.ok() ? look_up_names(spec, root.value()) : root.error();
        if (!known.ok()) {
            char words[description_capacity];
            complain(compose("%: %", path, describe(known.error(), words, sizeof words)));
            return keep(spec.name);
        }
    }
    bool taken = names_.find(spec.name) != NameTable::none;
    for (const ServiceSpec& service : spec.services)
        taken = taken || names_.find(host_name(spec, service.name)) != NameTable::none;
    if (taken)
        return complain(compose("%: there is another spec named '%'"_p, path, spec.name));
    for (const List<Text>* names : {&spec.after, &spec.required}) {
        if (std::find(names->begin(), names->end(), spec.name) == names->end())
            continue;
        complain(compose("%: it waits for itself: not started"_p, path));
        return keep(spec.name);
    }
    const auto number = static_cast<std::uint32_t>(members_.size());
    Member& member = members_.emplace_back();
    member.name = spec.name;
    member.awaited = spec.required;
    member.required = static_cast<std::uint32_t>(spec.required.size());
    member.awaited.append(spec.after.data(), spec.after.size());
    member.first = static_cast<std::uint32_t>(found_.spec.services.size());
    if (spec.root.empty())
        add_services(spec);
    else
        add_container(spec, path);
    member.size = static_cast<std::uint32_t>(found_.spec.services.size()) - member.first;
    (void)names_.add(spec.name, number);
    for (std::uint32_t at = member.first; at < found_.spec.services.size(); ++at)
        (void)names_.add(found_.spec.services[at].name, number);
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
    service.fingerprint = hash_of(show_spec(spec));
    recognise(service, state_);
    // One that was started by hand is kept from then on.
    if (const auto record = read_record(spec.name);
        record.ok() && record.value()->by_boot && record.value()->phase == Phase::Running && !record.value()->stopping)
        service.on_demand = false;
}

void HostReader::add_services(Spec& spec)
{
    const std::uint32_t fingerprint = hash_of(show_spec(spec));
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
        found_.spec.services.push_back(std::move(service));
    }
}

void HostReader::leave_out(Member& member)
{
    member.left_out = true;
    member.stage = Stage::Settled;
    keep(member.name);
}

/// Those on the way from `begin` on wait for each other, the last for the first.
void HostReader::leave_out_circle(List<Member*>& way, const Member& begin)
{
    constexpr std::size_t most_names = 24;
    std::size_t at = way.size();
    while (way[--at] != &begin) {
    }
    Builder names;
    for (std::size_t each = at; each < way.size() && each < at + most_names; ++each)
        names.compose("% -> ", way[each]->name);
    complain(compose("%%: they wait for each other: not started"_p, names, begin.name));
    for (; way.size() > at; way.pop_back())
        leave_out(*way.back());
}

/// Looks at whom it waits for, and at those before them, each once: whoever is met while still on the way there stands in a
/// circle. Who requires one that is not there, or was left out, is left out as well.
void HostReader::settle(Member& start)
{
    List<Member*> way{&start};
    while (!way.empty()) {
        Member& last = *way.back();
        last.stage = Stage::OnTheWay;
        if (last.looked_at == last.awaited.size()) {
            last.stage = Stage::Settled;
            way.pop_back();
            continue;
        }
        const Text name = last.awaited[last.looked_at];
        Member* const other = member(name);
        if (other != nullptr && other->stage == Stage::Unseen) {
            way.push_back(other);
        } else if (other != nullptr && other->stage == Stage::OnTheWay) {
            leave_out_circle(way, *other);
        } else if (last.looked_at < last.required && (other == nullptr || other->left_out)) {
            complain(compose("%: requires '%', which is not there: not started"_p, last.name, name));
            leave_out(last);
            way.pop_back();
        } else {
            ++last.looked_at;
        }
    }
}

/// Its services depend on all of the specs that it names, beside what they do on each other.
void HostReader::connect(const Member& member)
{
    for (std::uint32_t at = 0; at < member.awaited.size(); ++at) {
        const Member* const other = this->member(member.awaited[at]);
        for (std::uint32_t its = 0; other != nullptr && !other->left_out && its < other->size; ++its)
            for (std::uint32_t own = 0; own < member.size; ++own) {
                ServiceSpec& service = found_.spec.services[member.first + own];
                (at < member.required ? service.required : service.after)
                    .push_back(found_.spec.services[other->first + its].name);
            }
    }
}

void HostReader::settle()
{
    for (Member& each : members_)
        if (each.stage == Stage::Unseen)
            settle(each);
    for (const Member& each : members_)
        connect(each);
    List<ServiceSpec> kept;
    for (const Member& each : members_)
        for (std::uint32_t at = 0; !each.left_out && at < each.size; ++at)
            kept.push_back(std::move(found_.spec.services[each.first + at]));
    found_.spec.services = std::move(kept);
}

}  // namespace

void recognise(ServiceSpec& service, int state)
{
    if (state < 0)
        return;
    const Text noted = compose("past.%", service.name);
    ServicePast past;
    if (const auto bytes = os::read_file(state, noted.c_str()); bytes.ok() && bytes.value().size() == sizeof past) {
        (void)os::unlinkat(state, noted.c_str());  // from now on it is not true any more
        std::memcpy(&past, bytes.value().data(), sizeof past);
        if (past.fingerprint == service.fingerprint)
            service.past = bytes.value();
    }
    auto known = os::read_file(state, compose("run.%", service.name).c_str());
    // One that is being stopped, as its spec had gone.
    const auto condemned = os::read_file(state, compose("gone.%", service.name).c_str());
    const bool is_condemned = !known.ok() && condemned.ok();
    std::string_view rest = is_condemned ? condemned.value() : known.value_or({});
    std::string_view line = take_until(rest, '\n');
    const std::string_view word = take_word(line);
    ProcessId process;
    process.pid = static_cast<pid_t>(parse_number(word).value_or(0));
    process.start_time = parse_number(take_word(line)).value_or(0);
    const bool same = !is_condemned && parse_number(take_word(line)).value_or(-1) == std::int64_t{service.fingerprint};
    if (is_alive(process)) {
        service.running = process.pid;
        service.started = process.start_time;
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
