// SPDX-License-Identifier: MIT
#include "launch/setup.h"

#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/beneath.h"
#include "kernel/capabilities.h"
#include "kernel/devices.h"
#include "kernel/network.h"
#include "kernel/self.h"
#include "launch/environment.h"
#include "launch/handover.h"
#include "launch/identity.h"
#include "launch/name_files.h"
#include "launch/network_beside.h"
#include "launch/walls.h"
#include "supervise/channel.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

namespace vial {

namespace {

/// A quarter of the memory at most for each scratch filesystem that nobody gave a size: what is in them counts as the
/// container's memory, but not every container has a limit.
constexpr const char* shm_options = "mode=1777,size=25%";
constexpr const char* run_options = "mode=0755,size=25%";
constexpr const char* tmp_options = "mode=1777,size=25%";
constexpr const char* dev_options = "mode=0755,size=64k,nr_inodes=1k";
constexpr unsigned plain = MountNoSuid | MountNoDev | MountNoExec;

/// What PID 1 needs beside what its services keep: to become them, to stop them. CHOWN, to give log pipes to their
/// services, it drops before the first one starts.
constexpr std::uint64_t init_capabilities =
    1ULL << CAP_CHOWN | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP | 1ULL << CAP_KILL;

/// The launcher writes the maps of a user namespace from outside; nothing can be done in it before.
Result<void> wait_for_maps(const Fd& channel)
{
    char letter = 0;
    const std::size_t got = TRY(os::receive(channel.get(), &letter, 1));
    if (got == 0 || letter != static_cast<char>(ChannelLetter::Mapped))
        return Error("the launcher has gone"_p, "start the container"_p);
    return {};
}

Result<void> become_root_inside()
{
    TRY(os::setresgid(0).as("become group 0 of"_p, "the user namespace"));
    return os::setresuid(0).as("become user 0 of"_p, "the user namespace");
}

Result<void> join_cgroup(const Prepared& prepared, const List<Fd>& files)
{
    if (prepared.born_in_cgroup)
        return {};
    for (const Fd& file : files)
        TRY(os::write_all(file.get(), "0").as("join the control group"_p, compose("vial/%", prepared.spec.name)));
    if (!prepared.spec.namespaces.cgroup)
        return {};
    auto unshared = os::unshare(CLONE_NEWCGROUP).as("make the cgroup namespace of"_p, prepared.spec.name);
    if (unshared.number() == EINVAL)
        unshared.error()
            .because("this kernel has no cgroup namespaces (CONFIG_CGROUPS, Linux 4.6)"_p)
            .advise("leave it out in [namespaces]"_p);
    return unshared;
}

/// Puts changes on top of the image: overlayfs over what is on top of `/` now.
Result<Fd> mount_overlay(const Spec& spec, const Fd& lower, const Fd& slash)
{
    Fd changes;
    if (spec.overlay.kind == OverlayKind::Directory) {
        changes = TRY(os::open(spec.overlay.directory.c_str(), O_PATH | O_DIRECTORY));
    } else {
        const Text options =
            spec.overlay.size == unlimited ? Text("mode=0755") : compose("mode=0755,size=%", spec.overlay.size);
        TRY(mount_filesystem("tmpfs", slash, MountNoSuid, options.c_str(), "the overlay's tmpfs"));
        changes = TRY(top_of_root());
        TRY(os::mkdirat(changes.get(), "upper", 0755));
        TRY(os::mkdirat(changes.get(), "work", 0700));
    }
    const FdPath changes_path(changes);
    const Text options = compose("lowerdir=%,upperdir=%/upper,workdir=%/work%", static_cast<const char*>(FdPath(lower)),
                                 static_cast<const char*>(changes_path), static_cast<const char*>(changes_path),
                                 spec.namespaces.user ? ",userxattr" : "");
    TRY(mount_filesystem("overlay", slash, 0, options.c_str(), "the overlay"));
    Fd root = TRY(top_of_root());
    // Where it may not write into `work` the kernel mounts it read-only, and says so in its log alone.
    if (os::is_read_only(root.get()))
        return Error("the kernel cannot write to its directory"_p, "mount the overlay"_p, spec.overlay.directory)
            .advise("see the kernel's log"_p);
    return root;
}

/// The root filesystem on top of `/`, still beside everything of the host's.
Result<Fd> mount_root(Prepared& prepared)
{
    TRY(bring(prepared.root));
    const Fd slash = TRY(os::open("/", O_PATH | O_DIRECTORY));
    TRY(attach(prepared.root, slash, "/").as("mount the root filesystem"_p, prepared.spec.root));
    prepared.loop.reset();
    Fd root = prepared.root.kind == Tree::Kind::Detached ? std::move(prepared.root.fd) : TRY(top_of_root());
    if (prepared.spec.overlay.kind == OverlayKind::None)
        return root;
    return mount_overlay(prepared.spec, root, slash);
}

/// /proc, /sys or /dev of the image.
Result<Fd> own_directory(const Spec& spec, const Fd& root, const char* name)
{
    Opened directory = open_real_directory(root, name);
    if (!directory.ok())
        directory.error().as("mount on", compose("/% of %", name, spec.root));
    return directory;
}

Result<void> mount_dev(Prepared& prepared, const Fd& root)
{
    for (Tree& node : prepared.device_nodes)
        TRY(bring(node));
    const Fd target = TRY(own_directory(prepared.spec, root, "dev"));
    TRY(mount_filesystem("tmpfs", target, MountNoSuid | MountNoExec, dev_options, "/dev"));
    const Fd dev = TRY(open_real_directory(root, "dev"));
    auto made = make_devices(dev, prepared.device_nodes);
    if (made.number() == EPERM && prepared.device_nodes.empty()) {
        // vial runs in a user namespace itself, where nobody makes device nodes.
        prepared.device_nodes = TRY(open_device_nodes());
        made = make_devices(dev, prepared.device_nodes);
    }
    TRY(std::move(made));
    for (std::size_t at = 0; at < prepared.devices.size(); ++at)
        TRY(add_device(dev, slice(prepared.spec.devices[at].target, 5), prepared.devices[at]));
    // Group 5 is tty everywhere; in a user namespace that does not map it the mount is refused.
    constexpr const char* options = "newinstance,ptmxmode=0666,mode=0620,gid=5";
    const Fd pts = TRY(open_real_directory(dev, "pts"));
    const auto mount_pts = [&](std::string_view chosen) {
        return mount_filesystem("devpts", pts, MountNoSuid | MountNoExec, chosen.data(), "/dev/pts");
    };
    auto mounted = mount_pts(options);
    if (mounted.number() == EINVAL)
        mounted = mount_pts("newinstance,ptmxmode=0666,mode=0620");
    TRY(std::move(mounted));
    return mount_filesystem("tmpfs", TRY(open_real_directory(dev, "shm")), plain, shm_options, "/dev/shm");
}

/// /run or /tmp: where the image has the directory, and the spec nothing of its own for it.
Result<void> mount_scratch(const Spec& spec, const Fd& root, const char* path, unsigned flags, const char* options)
{
    for (const MountSpec& mount : spec.mounts)
        if (mount.target == path)
            return {};
    const Opened target = open_beneath(root, path);
    if (target.number() == ENOENT)
        return {};
    if (!target.ok())
        return target.error();
    return mount_filesystem("tmpfs", target.value(), flags, options, path);
}

Result<void> mount_from_spec(const MountSpec& mount, Tree& tree, const Fd& root)
{
    if (mount.kind == MountKind::Bind && tree.kind == Tree::Kind::None)
        return {};  // optional, and not there
    Missing missing = Missing::CreateDirectory;
    if (mount.kind == MountKind::Bind) {
        TRY(bring(tree));
        if (!S_ISDIR(TRY(os::fstat(tree.fd.get())).st_mode))
            missing = Missing::CreateFile;
    }
    const Fd target = TRY(open_mount_target(root, mount.target, missing));
    if (mount.kind == MountKind::Bind)
        return attach(tree, target, mount.target);
    Builder options("mode=0");
    for (int shift = 9; shift >= 0; shift -= 3)
        options += static_cast<char>('0' + ((mount.mode >> shift) & 7));
    if (mount.size != unlimited)
        options.compose(",size=%", mount.size);
    const unsigned flags = (mount.set_uid ? 0U : MountNoSuid) | (mount.devices ? 0U : MountNoDev) |
                           (mount.no_exec ? MountNoExec : 0U) | (mount.read_only ? MountReadOnly : 0U) |
                           (mount.no_atime ? MountNoAtime : 0U);
    return mount_filesystem("tmpfs", target, flags, Text(options).c_str(), mount.target);
}

/// `sysctls`: where they can be written to, before that is covered.
Result<void> mount_everything(Prepared& prepared, const Fd& root, Fd& sysctls)
{
    const Spec& spec = prepared.spec;
    auto proc = mount_filesystem("proc", TRY(own_directory(spec, root, "proc")), plain, nullptr, "/proc");
    if (proc.number() == EPERM)
        proc.error().because("parts of the /proc that is here are covered: the kernel gives no other one"_p);
    TRY(std::move(proc));
    TRY(mount_dev(prepared, root));
    TRY(mount_scratch(spec, root, "/run", MountNoSuid | MountNoDev, run_options));
    TRY(mount_scratch(spec, root, "/tmp", MountNoSuid | MountNoDev, tmp_options));
    // sysfs shows the network namespace of whoever mounts it.
    if (is_network_beside(spec.namespaces))
        TRY(join_network_beside(prepared.channel));
    auto sys = mount_filesystem("sysfs", TRY(own_directory(spec, root, "sys")), plain | MountReadOnly, nullptr, "/sys");
    if (sys.number() == EPERM && spec.namespaces.user && !spec.namespaces.network)
        sys.error()
            .because("a user namespace may not mount it for the host's network"_p)
            .advise("leave namespaces.net = true"_p);
    TRY(std::move(sys));
    for (std::size_t at = 0; at < spec.mounts.size(); ++at)
        TRY(mount_from_spec(spec.mounts[at], prepared.mounts[at], root));
    if (!spec.security.sysctls.empty())
        sysctls = TRY(open_beneath(TRY(open_real_directory(root, "proc")), "sys"));
    if (built_with(Feature::Network))
        TRY(mount_name_files(spec, root));
    return raise_walls(root, spec);
}

/// The terminal for the first service: its master goes to the launcher, its slave, which is returned, to PID 1 and over
/// /dev/console.
Result<Fd> make_console(const Prepared& prepared, const Fd& root)
{
    const Fd console = TRY(open_beneath(root, "/dev/console", Missing::CreateFile));
    if (!built_with(Feature::Foreground) || !prepared.terminal) {
        // What is written to a console that nobody has shall vanish.
        TRY(bind(TRY(open_beneath(root, "/dev/null")), console, 0, "/dev/console"));
        return Fd();
    }
    const ServiceSpec& service = prepared.spec.services.front();
    const Fd pts = TRY(open_beneath(root, "/dev/pts"));
    Terminal terminal = TRY(open_terminal(pts, service.user));
    int number = 0;
    TRY(os::ioctl(terminal.master.get(), TIOCGPTN, &number, "number the terminal"_p));
    TRY(bind(TRY(open_beneath(pts, Decimal(number))), console, 0, "/dev/console"));
    const char letter = static_cast<char>(ChannelLetter::Terminal);
    TRY(os::send(prepared.channel.get(), &letter, 1, terminal.master.get()));
    return std::move(terminal.slave);
}

/// 0, 1 and 2 lead nowhere: PID 1 speaks through its channel, its socket and its log.
Result<void> close_standard()
{
    const Fd null = TRY(os::open("/dev/null", O_RDWR));
    for (int number = 0; number <= 2; ++number)
        TRY(os::duplicate_to(null.get(), number));
    return {};
}

/// Returns the number of the plan's descriptor.
Result<int> set_up(Prepared& prepared)
{
    const Spec& spec = prepared.spec;
    TRY(os::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, "follow the launcher"_p));
    ::umask(0);
    if (spec.namespaces.user) {
        TRY(wait_for_maps(prepared.channel));
        TRY(become_root_inside());
    }
    TRY(join(prepared.joined));
    TRY(make_private());
    const HostRoot host = TRY(host_root());
    if (!prepared.self)
        prepared.self = TRY(open_self_read_only(MountNamespace::Private));

    const Fd root = TRY(mount_root(prepared));
    Fd sysctls;
    TRY(mount_everything(prepared, root, sysctls));
    if (has_names(spec)) {
        TRY(look_up_names(prepared.spec, root));
        TRY(tell_identities(spec, prepared.channel));
    }
    const Fd terminal = TRY(make_console(prepared, root));
    TRY(enter_root(root, host));

    if (spec.namespaces.uts)
        TRY(os::sethostname(spec.hostname));
    if (spec.namespaces.network && !is_network_beside(spec.namespaces))
        TRY(loopback_up());
    TRY(close_standard());
    const ReceivedHandover received = TRY(receive_handover(prepared.channel));
    TRY(join_cgroup(prepared, received.join));
    TRY(join_cgroup_namespace(prepared.joined));
    for (Text sysctl : spec.security.sysctls)
        TRY(set_sysctl(sysctls, sysctl));
    sysctls.reset();
    if (terminal)
        TRY(os::duplicate_to(terminal.get(), received.terminal));
    TRY(os::keep_across_exec(prepared.channel.get()));
    ::umask(022);
    TRY(limit_capabilities(spec.security.capabilities | init_capabilities));
    return received.plan;
}

}  // namespace

void set_up_container(Prepared& prepared)
{
    const auto plan = set_up(prepared);
    if (!plan.ok())
        report_and_exit(prepared.channel, plan.error());
    (void)os::setrlimit(RLIMIT_NOFILE, prepared.descriptors);
    char number[16] = {};
    Writer(number, sizeof number - 1).decimal(plan.value());
    char* arguments[] = {const_cast<char*>(init_name), number, nullptr};
    char* environment[] = {nullptr};
    report_and_exit(prepared.channel,
                    os::execute(prepared.self.get(), arguments, environment).as("execute vial as"_p, "PID 1"));
}

}  // namespace vial
