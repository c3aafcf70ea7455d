// SPDX-License-Identifier: MIT
#include "launch/launch.h"

#include "base/events.h"
#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/bridge.h"
#include "kernel/capabilities.h"
#include "kernel/landlock.h"
#include "kernel/limits.h"
#include "kernel/namespaces.h"
#include "kernel/netlink.h"
#include "kernel/network.h"
#include "kernel/self.h"
#include "launch/environment.h"
#include "launch/handover.h"
#include "launch/id_maps.h"
#include "launch/identity.h"
#include "launch/lend.h"
#include "launch/network_beside.h"
#include "launch/ordinary_user.h"
#include "launch/prepare.h"
#include "launch/publish.h"
#include "launch/setup.h"
#include "launch/state.h"
#include "supervise/channel.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

std::uint64_t namespace_flags(const NamespacesSpec& wanted)
{
    std::uint64_t flags = CLONE_NEWNS | CLONE_NEWPID;
    flags |= wanted.network && !is_network_beside(wanted) ? CLONE_NEWNET : 0U;
    flags |= wanted.ipc ? CLONE_NEWIPC : 0U;
    flags |= wanted.uts ? CLONE_NEWUTS : 0U;
    flags |= wanted.user ? CLONE_NEWUSER : 0U;
    return flags;
}

/// Membership in a new time namespace begins with the next child: offsets can be set until then.
Result<void> make_time_namespace(const Spec& spec)
{
    auto made = os::unshare(CLONE_NEWTIME);
    if (!made.ok())
        return explain_namespaces(made.error(), CLONE_NEWTIME, spec.name);
    const Text offsets = compose("monotonic % 0\nboottime % 0\n", spec.monotonic_offset, spec.boottime_offset);
    return os::write_file(AT_FDCWD, "/proc/self/timens_offsets", offsets).as("set the clocks' offsets of"_p, spec.name);
}

List<IpAddress> bridge_addresses(const NetworkSpec& network)
{
    List<IpAddress> addresses;
    for (IpAddress gateway : network.gateways) {
        for (const IpAddress& address : network.addresses) {
            if (address.family == gateway.family) {
                gateway.prefix = address.prefix;
                addresses.push_back(gateway);
                break;
            }
        }
    }
    return addresses;
}

/// What the container's side said instead of what was expected.
Error failure_heard(std::string_view text)
{
    Error error("", "", slice(text, text.empty() ? 0 : 1));
    if (!text.empty() && text.front() == '2')
        error.exits(ExitCode::Usage);
    return error;
}

/// Whether it gets an interface of the launcher's.
bool is_connected(const Spec& spec)
{
    for (const NetworkSpec& network : spec.networks)
        if (network.kind != NetworkKind::None && network.kind != NetworkKind::Host)
            return true;
    return false;
}

/// What the container's side says next.
Result<std::size_t> hear(const Fd& channel, char* message, Fd& passed)
{
    auto received = os::receive(channel.get(), message, channel_message, &passed);
    // It ended with something of ours unread: said once, before what it said itself.
    if (received.number() == ECONNRESET)
        received = os::receive(channel.get(), message, channel_message, &passed);
    return received;
}

/// The network namespace that is made beside the container.
Result<Fd> await_network(const Fd& channel)
{
    char message[channel_message + 1];
    Fd network;
    const std::size_t got = TRY(hear(channel, message, network));
    if (!network)
        return failure_heard(std::string_view(message + 1, got > 0 ? got - 1 : 0));
    return network;
}

/// One that has just ended keeps its addresses on the parent for some tens of milliseconds, and a restart wants the same.
Result<void> configure_shared(NetlinkSocket& there, const NetworkSpec& network)
{
    constexpr int most_attempts = 200;
    constexpr long nap = 10'000'000;
    for (int attempt = 1;; ++attempt) {
        auto configured = configure_interface(there, network, attempt > 1);
        if (configured.number() != EADDRINUSE || attempt == most_attempts)
            return configured;
        os::sleep(nap);
    }
}

/// Veth pairs and bridges, and the container's end of each, while the container is busy mounting. The lock keeps a bridge
/// from being removed as its last user leaves while we join it.
Result<void> connect_networks(const Spec& spec, const Launched& launched, Journal& journal)
{
    if (!built_with(Feature::Network) || !is_connected(spec))
        return {};
    Fd inside;
    if (is_network_beside(spec.namespaces))
        inside = TRY(await_network(launched.channel));
    else {
        Opened opened = os::open(compose("/proc/%/ns/net", launched.pid).c_str(), O_RDONLY);
        if (opened.number() == ENOENT || opened.number() == ESRCH)
            return {};  // it has failed, and what it said is read next
        inside = TRY(std::move(opened));
    }
    NetlinkSocket netlink = TRY(NetlinkSocket::open());
    NetlinkSocket there = TRY(NetlinkSocket::open_in(inside.get()));
    const StateLock lock = TRY(StateLock::take());
    TRY(claim_ports(spec, journal, lock));
    for (const NetworkSpec& network : spec.networks) {
        if (network.kind == NetworkKind::Macvlan || network.kind == NetworkKind::Ipvlan) {
            TRY(make_shared(netlink, network, inside.get()));
            TRY(configure_shared(there, network));
        }
        if (network.kind == NetworkKind::Physical) {
            TRY(lend(netlink, there, network, inside, journal));
            TRY(configure_interface(there, network));
        }
        if (network.kind != NetworkKind::Veth)
            continue;
        BridgeUse bridge;
        if (!network.bridge.empty()) {
            TRY(journal.note(compose("bridge %\n", network.bridge)));
            bridge = TRY(ensure_bridge(netlink, network.bridge, bridge_addresses(network)));
        }
        const Text host_end = host_end_name(spec.name);
        TRY(journal.note(compose("interface %\n", host_end)));
        TRY(make_veth(netlink, host_end, bridge.index, network, inside.get()));
        TRY(configure_interface(there, network));
        TRY(await_connection(netlink, host_end, there, network));
        TRY(publish(netlink, spec, network, bridge.index, host_end, journal, lock));
    }
    return {};
}

/// A child that has failed early has closed its end: what it said is read next.
Result<void> unless_gone(Result<void> sent)
{
    return sent.number() == EPIPE || sent.number() == ECONNRESET ? Result<void>() : sent;
}

/// Who the services are that were given by name: the container's side, which has its files, tells them one after the other.
Result<void> await_identities(const Fd& channel, Spec& spec)
{
    for (const ServiceSpec& service : spec.services) {
        if (!has_names(service))
            continue;
        char message[channel_message];
        Fd nothing;
        const std::string_view heard(message, TRY(hear(channel, message, nothing)));
        if (!take_identity(spec, heard))
            return failure_heard(slice(heard, heard.empty() ? 0 : 1));
    }
    return {};
}

/// Waits until the services run, or for what went wrong.
Result<void> await_running(const Fd& channel, const Spec& spec, Fd& terminal)
{
    while (true) {
        char message[channel_message + 1];
        Fd passed;
        const std::size_t got = TRY(hear(channel, message, passed));
        if (got == 0 && !spec.init)
            return {};  // the exec closed it
        if (got == 0)
            return Error("PID 1 ended before its services ran"_p, "start", spec.name)
                .advise("look at the kernel's log: out of memory?"_p);
        const std::string_view text(message + 1, got - 1);
        switch (static_cast<ChannelLetter>(message[0])) {
        case ChannelLetter::Failed:
            return failure_heard(text);
        case ChannelLetter::ServiceFailed:
            return Error("", "", text).exits(ExitCode::PayloadFailed);
        case ChannelLetter::Terminal:
            terminal = std::move(passed);
            break;
        case ChannelLetter::Running:
            return {};
        case ChannelLetter::Identity:
        case ChannelLetter::Mapped:
        case ChannelLetter::Network:
        case ChannelLetter::Go:
        case ChannelLetter::Ended:
            break;
        }
    }
}

/// Gives birth to the container's first process. 0 in it, as with fork(2).
Result<pid_t> give_birth(Prepared& prepared, const ContainerCgroup& cgroup, Fd& process)
{
    const NamespacesSpec& wanted = prepared.spec.namespaces;
    os::CloneArguments arguments;
    arguments.flags = namespace_flags(wanted);
    arguments.pidfd = &process;
    // A signal that comes before PID 1 listens must wait for it: an init ignores what it has no handler for.
    const sigset_t before = os::block_signals();
    Result<pid_t> born = Error(ENOSYS, "create a process"_p);
    // Where the group has rules for devices it is joined late, as on version 1: they hold for the nodes of /dev, too.
    if (cgroup.init_directory && prepared.rules.empty()) {
        os::CloneArguments into = arguments;
        into.flags |= CLONE_INTO_CGROUP | (wanted.cgroup ? static_cast<std::uint64_t>(CLONE_NEWCGROUP) : 0U);
        into.cgroup = cgroup.init_directory.get();
        prepared.born_in_cgroup = true;
        born = os::clone(into);
    }
    if (born.number() == ENOSYS) {
        prepared.born_in_cgroup = false;
        born = os::clone(arguments);
    }
    if (born.ok() && born.value() == 0)
        return born;
    os::set_blocked(before);
    if (!born.ok())
        return explain_namespaces(born.error(), arguments.flags | (wanted.cgroup ? CLONE_NEWCGROUP : 0),
                                  prepared.spec.name);
    return born;
}

/// Everything from the claimed name to running services. Fails with the process still there; the caller ends it.
Result<void> bring_up(Prepared& prepared, const LaunchOptions& options, const List<Hierarchy>& hierarchies,
                      NetworkBeside& network, Launched& launched)
{
    Spec& spec = prepared.spec;
    Journal& journal = launched.journal;
    const Fd& channel = launched.channel;
    prepared.terminal = options.terminal;
    TRY(make_overlay_directories(spec));
    if (has_detached_mounts() && has_admin_capability())
        prepared.self = TRY(open_self_read_only(MountNamespace::Shared));
    if (spec.namespaces.time)
        TRY(make_time_namespace(spec));
    // On version 2 a process is born in its group, because moving it there later would cost more than all the rest. On
    // version 1 the groups are made while the container mounts.
    Provision provision;
    const bool unified = hierarchies.size() == 1 && hierarchies.front().unified;
    if (unified)
        provision.cgroup = TRY(make_cgroup(hierarchies, spec, options.foreground, prepared.rules));

    launched.pid = TRY(give_birth(prepared, provision.cgroup, launched.process));
    if (launched.pid == 0) {
        launched.channel.reset();
        provision.cgroup = {};  // what it needs of that comes with the rest, into the numbers that these would take
        set_up_container(prepared);
    }
    // From here on the container's ends are the container's alone; above all its binary, see kernel/self.h.
    const int channel_inside = prepared.channel.get();
    prepared.channel.reset();
    prepared.self.reset();
    TRY(set_oom_score(spec, decimal(launched.pid)));
    if (spec.namespaces.user) {
        TRY(write_id_maps(launched.pid, spec));
        const char mapped = static_cast<char>(ChannelLetter::Mapped);
        TRY(unless_gone(os::send_descriptors(channel.get(), &mapped, 1, {})));
    }
    if (!unified)
        provision.cgroup = TRY(make_cgroup(hierarchies, spec, options.foreground, prepared.rules));
    Handover handover;
    provision.filter = std::move(prepared.filter);
    const bool named = has_names(spec);
    if (!named)
        TRY(make_plan_and_files(spec, options, channel_inside, provision, handover));
    TRY(network.finish(spec.name));
    TRY(connect_networks(spec, launched, journal));
    if (named) {
        TRY(await_identities(channel, spec));
        TRY(check_mapped(spec, true));
        TRY(make_plan_and_files(spec, options, channel_inside, provision, handover));
    }
    TRY(unless_gone(handover.send(channel)));
    TRY(await_running(channel, spec, launched.terminal));
    const ProcessId init = TRY(identify(launched.pid));
    return journal.note(compose("init % %\nrunning now\n", init.pid, init.start_time));
}

/// Claims the name and notes what is about to be made.
Result<Journal> open_journal(Spec& spec, const LaunchOptions& options, const List<Hierarchy>& hierarchies)
{
    const StateLock lock = TRY(StateLock::take());
    TRY(settle_ids(spec, lock));
    Journal journal = TRY(Journal::claim(spec.name, lock));
    Builder lines;
    lines.compose("started %\nstarted-boot %\n", os::realtime_ms(), os::boottime_ms(),
                  options.foreground ? "foreground yes\n" : "", options.by_boot ? "by-boot yes\n" : "",
                  spec.init ? "" : "no-init yes\n");
    if (!spec.file.empty() && !contains(spec.file, '\n'))
        lines.compose("file %\n", spec.file);
    Result<void> noted;
    if (!spec.pod.empty()) {
        noted = note_member(spec.pod, spec.name);
        lines.compose("pod %\n", spec.pod);
    }
    for (const Hierarchy& hierarchy : hierarchies) {
        const Text directory = cgroup_directory(hierarchy, spec.name);
        if (noted.ok())
            noted = remove_leftover(directory);
        lines.compose("cgroup %\n", directory);
    }
    note_ids(spec, lines);
    if (noted.ok())
        noted = journal.note(lines);
    if (!noted.ok()) {
        (void)remove(journal.record(), lock);
        return noted.error();
    }
    return journal;
}

/// Ends what was started and clears what was made. A PID 1 that `ends_itself` is waited for: its exit code, which is returned,
/// says why.
int undo(Launched& launched, bool ends_itself)
{
    int code = 0;
    if (launched.pid > 0) {
        if (!ends_itself)
            (void)os::kill(launched.pid, SIGKILL);
        const auto ended = os::wait(launched.pid, WEXITED);
        code = ended.ok() ? ended.value().exit_code() : 0;
    }
    (void)launched.journal.remove_container();
    return code;
}

}  // namespace

Result<Launched> launch(Spec& spec, const LaunchOptions& options)
{
    if (!spec.not_yet.empty()) {
        Builder keys("not supported yet:");
        for (const Text& key : spec.not_yet)
            keys.compose("% %", &key == &spec.not_yet.front() ? "" : ",", key);
        return Error("", "", keys.view()).exits(ExitCode::Usage);
    }
    TRY(settle_for_user(spec));
    // Whoever started us may not care for its children; we wait for ours.
    (void)os::set_ignored(SIGCHLD, false);
    TRY(require_proc());
    TRY(allow_limits(spec));
    // Each service has some ten descriptors on their way to PID 1.
    const rlimit descriptors = TRY(os::getrlimit(RLIMIT_NOFILE));
    (void)os::setrlimit(RLIMIT_NOFILE, {descriptors.rlim_max, descriptors.rlim_max});
    Launched launched;
    os::Pair channel = TRY(os::socketpair(SOCK_SEQPACKET));
    NetworkBeside network;
    if (is_network_beside(spec.namespaces))
        TRY(network.begin(channel.first, channel.second, is_connected(spec)));
    Prepared prepared = TRY(open_host_paths(spec));
    if (!spec.security.landlock.empty())
        TRY(require_landlock());
    prepared.filter = TRY(read_filter(spec.security));
    launched.channel = std::move(channel.first);
    prepared.channel = std::move(channel.second);
    prepared.descriptors = descriptors;
    List<Hierarchy> hierarchies;
    if (!is_ordinary_user())
        hierarchies = TRY(find_hierarchies(spec, options.foreground, !prepared.rules.empty()));
    launched.journal = TRY(open_journal(spec, options, hierarchies));
    const auto up = bring_up(prepared, options, hierarchies, network, launched);
    if (!up.ok()) {
        // Put into words now: undoing may meet more errors than are kept.
        char words[description_capacity];
        (void)describe(up.error(), words, sizeof words);
        ExitCode code = up.error()->exit;
        const int ended = undo(launched, code == ExitCode::PayloadFailed);
        if (code == ExitCode::PayloadFailed)
            code = ended == 126 || ended == 127 ? static_cast<ExitCode>(ended) : ExitCode::Failed;
        return Error("", "", words).exits(code);
    }
    return launched;
}

}  // namespace vial
