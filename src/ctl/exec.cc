// SPDX-License-Identifier: MIT

/// `vial exec`: a further command in a running container, behind the same walls as its services.
///
/// Our process in there is seen by the container before it executes what was asked for, and an image whose shell is a link
/// to /proc/self/exe makes it execute vial itself. So the whole command runs from a read-only mount of the
/// binary (kernel/self.h): it executes itself anew first, under the name `sealed_name`.

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "ctl/relay.h"
#include "kernel/capabilities.h"
#include "kernel/cgroup.h"
#include "kernel/devices.h"
#include "kernel/limits.h"
#include "kernel/payload.h"
#include "kernel/self.h"
#include "launch/environment.h"
#include "launch/identity.h"
#include "launch/pause.h"
#include "launch/stop.h"
#include "spec/capability_names.h"
#include "spec/grammar.h"

#include <cstring>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

struct Namespace {
    const char* name;
    int flag;
    Fd fd;
};

/// What the process inside needs, all of it opened before it leaves the host.
struct Visit {
    Spec spec;
    List<sock_filter> filter;  ///< as PID 1 has it; empty: the default
    List<Namespace> namespaces;
    List<Fd> join;
    List<Text> environment;
    bool terminal = false;
    int standard[3] = {0, 1, 2};
    Fd report;  ///< where the visitor's number and the terminal's master are sent
};

/// The namespaces of `pid` that are not ours already: joining one's own user namespace is refused.
Result<List<Namespace>> open_namespaces(pid_t pid)
{
    // The user namespace first: what follows is asked with its root's rights. The rest in any order.
    constexpr std::pair<const char*, int> all[] = {
        {"user", CLONE_NEWUSER}, {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
        {"net", CLONE_NEWNET},   {"pid", CLONE_NEWPID},       {"time", 0x80},        {"mnt", CLONE_NEWNS},
    };
    List<Namespace> found;
    for (const auto& [name, flag] : all) {
        Opened its = os::open(compose("/proc/%/ns/%", pid, name).c_str(), O_RDONLY);
        if (its.number() == ENOENT)
            continue;  // this kernel does not have the kind
        Fd fd = TRY(std::move(its));
        const Fd mine = TRY(os::open(compose("/proc/self/ns/%", name).c_str(), O_RDONLY));
        const struct stat its_stat = TRY(os::fstat(fd.get()));
        const struct stat my_stat = TRY(os::fstat(mine.get()));
        if (its_stat.st_ino != my_stat.st_ino || its_stat.st_dev != my_stat.st_dev)
            found.push_back({name, flag, std::move(fd)});
    }
    return found;
}

/// A user or group as --user has it.
Result<void> read_id(std::string_view text, Identifier& id)
{
    id = Identifier();
    const auto number = parse_number(text);
    const bool fits = number && *number >= 0 && *number < 0xffffffff;
    if (!fits && (number || !is_user_name(text)))
        return Error("wants USER or USER:GROUP, each a number or a name"_p, "", "--user").exits(ExitCode::Usage);
    if (fits)
        id = static_cast<std::uint32_t>(*number);
    else
        id.name = text;
    id.given = true;
    return {};
}

/// Leaves in `spec` the one service whose part the command plays, as the options want it.
Result<void> choose_part(Spec& spec, const Arguments& arguments)
{
    std::uint32_t which = 0;
    if (arguments.has(Option::Service))
        which = number_services(spec).find(arguments.value(Option::Service));
    if (which == NameTable::none)
        return Error("it has no such service"_p, "", concat("--service ", arguments.value(Option::Service)));
    ServiceSpec service;
    if (!spec.services.empty())
        service = std::move(spec.services[which]);
    if (arguments.has(Option::User)) {
        std::string_view group = arguments.value(Option::User);
        TRY(read_id(take_until(group, ':'), service.user));
        service.group = Identifier();
        service.groups.clear();
        service.home = {};
        if (contains(arguments.value(Option::User), ':'))
            TRY(read_id(group, service.group));
    }
    if (arguments.has(Option::Directory))
        service.directory = arguments.value(Option::Directory);
    if (!is_path(service.directory))
        return Error("wants an absolute path"_p, "", "--directory").exits(ExitCode::Usage);
    List<Text> variables;
    TRY(add_environment(variables, service));
    for (const std::string_view variable : arguments.settings) {
        if (position(variable, '=') == std::string_view::npos || variable.front() == '=')
            return Error("wants NAME=VALUE"_p, "", "--env").exits(ExitCode::Usage);
        set_variable(variables, variable);
    }
    service.environment = std::move(variables);
    service.environment_file = {};  // it is a file of the host's
    spec.services.clear();
    spec.services.push_back(std::move(service));
    if (arguments.has(Option::Privileged)) {
        spec.security.capabilities = all_capabilities;
        spec.security.no_new_privileges = false;
        spec.security.seccomp = SeccompChoice::Off;
        spec.security.landlock.clear();
        print_error(spec.name,
                    Error("with all capabilities and no filter it can take over the host"_p, "", "--privileged"));
    }
    return {};
}

Result<Visit> prepare(const Record& record, const Arguments& arguments)
{
    Visit visit;
    visit.spec = std::move(*TRY(load_started_spec(record.name)));
    TRY(allow_limits(visit.spec));
    TRY(choose_part(visit.spec, arguments));
    visit.namespaces = TRY(open_namespaces(record.init.pid));
    visit.join = TRY(open_exec_leaf(record.cgroups));
    visit.terminal = arguments.has(Option::Tty);
    TRY(set_oom_score(visit.spec, "self"));
    if (visit.spec.security.seccomp == SeccompChoice::Profile) {
        const Text bytes = TRY(os::read_file(AT_FDCWD, state_path(record.name, "seccomp").c_str()));
        const std::size_t length = bytes.size() / sizeof(sock_filter);
        for (std::size_t at = 0; at < length; ++at)
            std::memcpy(&visit.filter.emplace_back(), bytes.data() + at * sizeof(sock_filter), sizeof(sock_filter));
    }
    // Only now is it certain that what was opened belongs to this container and not to a later owner of the number.
    if (!is_alive(record.init))
        return Error("it has ended"_p, "", record.name).exits(ExitCode::NotFound);
    return visit;
}

/// In the guide, which stays outside of the PID namespace: into everything else. The answer is the terminal's slave; `master` gets
/// the other side.
Result<Fd> enter(Visit& visit, Fd& master)
{
    TRY(os::prctl(PR_SET_DUMPABLE, 0, 0, "hide the process"_p));
    for (const Namespace& one : visit.namespaces)
        TRY(os::setns(one.fd.get(), one.flag).as("enter the namespaces of"_p, visit.spec.name));
    if (visit.spec.namespaces.user) {
        TRY(os::setresgid(0));
        TRY(os::setresuid(0));
        TRY(os::prctl(PR_SET_DUMPABLE, 0, 0, "hide the process"_p));
    }
    TRY(os::chdir("/"));
    if (has_names(visit.spec))
        TRY(look_up_names(visit.spec, TRY(os::open("/", O_PATH | O_DIRECTORY))));
    visit.environment = TRY(environment_of(visit.spec.services.front(), visit.terminal, {}));
    Fd slave;
    if (visit.terminal) {
        const Fd pts = TRY(os::open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW));
        Terminal terminal = TRY(open_terminal(pts, visit.spec.services.front().user));
        master = std::move(terminal.master);
        slave = std::move(terminal.slave);
    }
    // What is born next is seen from inside before it has executed anything: it must hold no more than a service could get.
    constexpr std::uint64_t to_change_identity = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP;
    TRY(limit_capabilities(visit.spec.security.capabilities | to_change_identity));
    return slave;
}

/// In the visitor: the command itself.
[[noreturn]] void become(const Visit& visit, const Fd& terminal, std::span<const char* const> words)
{
    const ServiceSpec& service = visit.spec.services.front();
    List<char*> arguments;
    for (const char* word : words)
        arguments.push_back(const_cast<char*>(word));
    arguments.push_back(nullptr);
    List<char*> environment;
    for (Text variable : visit.environment)
        environment.push_back(const_cast<char*>(variable.c_str()));
    environment.push_back(nullptr);

    List<std::uint32_t> groups;
    for (const Identifier& group : service.groups)
        groups.push_back(group);
    Payload payload{};
    payload.arguments = arguments.data();
    payload.environment = environment.data();
    payload.directory = service.directory.c_str();
    payload.identity = Identity{service.user,
                                service.group,
                                {groups.data(), groups.size()},
                                visit.spec.security.capabilities,
                                visit.spec.security.ambient,
                                visit.spec.security.no_new_privileges,
                                visit.spec.security.seccomp != SeccompChoice::Off,
                                {visit.filter.data(), visit.filter.size()}};
    const List<PlanLimit> limits = process_limits(visit.spec);
    payload.limits = {limits.data(), limits.size()};
    payload.umask = service.umask;
    List<const char*> rules;
    for (Text rule : visit.spec.security.landlock)
        rules.push_back(rule.c_str());
    payload.identity.landlock = {rules.data(), rules.size()};
    // Only now, and by itself: a container that has no task left to fork can still be entered.
    for (const Fd& file : visit.join) {
        if (const auto joined = os::write_all(file.get(), "0"); !joined.ok()) {
            print_error(visit.spec.name, joined.error());
            ::_exit(payload_not_reached);
        }
    }
    payload.terminal = terminal.get();
    for (int number = 0; number < 3; ++number)
        payload.standard[number] = visit.terminal ? -1 : visit.standard[number];
    os::reset_signal_actions();
    const Error error = execute_payload(payload);
    print_error(visit.spec.name, error);
    ::_exit(exec_exit_code(error));
}

/// The guide: a process that enters the container and leaves the visitor there. A PID namespace is entered by one's children
/// only, so the guide is never seen inside; with what it still holds of the host it must not be. The visitor is made our sibling,
/// so that who started us waits for it.
[[noreturn]] void guide(Visit& visit, std::span<const char* const> words)
{
    Fd master;
    const auto done = [&]() -> Result<void> {
        const Fd terminal = TRY(enter(visit, master));
        visit.namespaces.clear();
        os::CloneArguments as_sibling;
        as_sibling.flags = CLONE_PARENT;
        const pid_t visitor = TRY(os::clone(as_sibling).as("start a process in"_p, visit.spec.name));
        if (visitor == 0) {
            master.reset();
            visit.report.reset();
            become(visit, terminal, words);
        }
        TRY(os::send(visit.report.get(), &visitor, sizeof visitor, master.get()));
        return {};
    }();
    if (!done.ok())
        print_error(visit.spec.name, done.error());
    ::_exit(done.ok() ? 0 : payload_not_reached);
}

Result<os::Exited> execute(const Arguments& arguments, const Record& record)
{
    const bool terminal = arguments.has(Option::Tty);
    const SignalWatch signals = TRY(SignalWatch::open());
    Visit visit = TRY(prepare(record, arguments));
    Standard standard;
    Fd nothing;
    if (!terminal) {
        standard = TRY(make_standard());
        if (!arguments.has(Option::Interactive)) {
            nothing = TRY(os::open("/dev/null", O_RDONLY));
            standard.theirs[0].reset();
            standard.ours[0].reset();
            standard.number[0] = nothing.get();
        }
        for (int number = 0; number < 3; ++number)
            visit.standard[number] = standard.number[number];
    }
    os::Pair reports = TRY(os::socketpair(SOCK_SEQPACKET));
    visit.report = std::move(reports.second);
    const pid_t guide_pid = TRY(os::clone({}).as("start a process in"_p, record.name));
    if (guide_pid == 0)
        guide(visit, std::span<const char* const>(arguments.words).subspan(1));
    visit.report.reset();

    RelayTarget target;
    target.standard = &standard;
    target.keep_input = arguments.has(Option::Interactive);
    const std::size_t got = TRY(os::receive(reports.first.get(), &target.child, sizeof target.child, &target.terminal));
    const os::Exited guided = TRY(os::wait(guide_pid, WEXITED));
    if (got != sizeof target.child)
        return guided;  // it has said why
    return relay(target, signals);
}

/// Executes this command again, from where the container cannot harm it. Returns only to fail.
Error execute_sealed(const Arguments& arguments)
{
    const Opened self = open_self_read_only(MountNamespace::Shared);
    if (!self.ok())
        return self.error();
    List<const char*> words{sealed_name, "exec"};
    if (arguments.has(Option::Interactive))
        words.push_back("--interactive");
    if (arguments.has(Option::Tty))
        words.push_back("--tty");
    if (arguments.has(Option::Privileged))
        words.push_back("--privileged");
    // A value is the end of a word, so a NUL stands behind it.
    constexpr std::pair<Option, const char*> with_value[] = {
        {Option::User, "--user"}, {Option::Directory, "--directory"}, {Option::Service, "--service"}};
    for (const auto& [option, name] : with_value)
        if (arguments.has(option))
            for (const char* word : {name, arguments.value(option).data()})
                words.push_back(word);
    for (const std::string_view variable : arguments.settings)
        for (const char* word : {"--env", variable.data()})
            words.push_back(word);
    words.push_back("--");
    words.append(arguments.words.data(), arguments.words.size());
    words.push_back(nullptr);
    return os::execute(self.value().get(), const_cast<char**>(words.data()), environ);
}

}  // namespace

Result<int> exec(const Arguments& arguments)
{
    TRY(require_state(arguments));
    const Text name = arguments.words.front();
    const auto ended = [&]() -> Result<os::Exited> {
        const Record& record = *TRY(find_running(name));
        TRY(may_work(record));
        if (!is_sealed(arguments.program))
            return execute_sealed(arguments);
        return execute(arguments, record);
    }();
    if (ended.ok())
        return ended.value().exit_code();
    print_error(name, ended.error());
    return payload_not_reached;
}

}  // namespace vial
