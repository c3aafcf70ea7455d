// SPDX-License-Identifier: MIT
#include "launch/prepare.h"

#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/devices.h"
#include "kernel/seccomp_profile.h"
#include "launch/environment.h"
#include "launch/ordinary_user.h"
#include "spec/plan.h"
#include "spec/read.h"
#include "spec/show.h"

#include <cstring>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

namespace vial {

namespace {

constexpr int control_backlog = 64;

Result<void> open_root(Prepared& prepared)
{
    const Spec& spec = prepared.spec;
    const unsigned flags = MountNoDev;
    // With an overlay the image stays as it is; what changes goes elsewhere.
    const bool read_only = spec.read_only || spec.overlay.kind != OverlayKind::None;
    const Opened found = os::open(spec.root.c_str(), O_PATH);
    if (!found.ok())
        return Error(found.number(), "open the root filesystem"_p, spec.root);
    const struct stat what = TRY(os::fstat(found.value().get()));
    if (S_ISDIR(what.st_mode)) {
        if (!spec.root_hash.empty())
            return Error("a directory has no hash"_p, "check the root filesystem"_p, spec.root)
                .advise("give an image, or leave out root_hash"_p);
        prepared.root = TRY(open_source(spec.root, flags | (read_only ? MountReadOnly : 0U), true));
        return {};
    }
    if (!S_ISREG(what.st_mode))
        return Error("neither a directory nor an image"_p, "use as a root filesystem"_p, spec.root);
    if (!built_with(Feature::Images))
        return Error("", "", left_out(compose("an image as a root (%)"_p, spec.root), Feature::Images))
            .exits(ExitCode::Usage);
    if (is_ordinary_user())
        return Error("images take a loop device, and root"_p, "mount the image"_p, spec.root)
            .advise("unpack it into a directory"_p);
    if (spec.namespaces.user && !has_detached_mounts())
        return Error("in a user namespace it needs Linux 5.12"_p, "mount the image"_p, spec.root)
            .advise("unpack it into a directory"_p);
    ImageRoot image = TRY(open_image(spec.root, spec.root_hash, read_only, flags));
    prepared.root = std::move(image.tree);
    prepared.loop = std::move(image.loop);
    return {};
}

Result<Tree> open_mount(const MountSpec& mount)
{
    if (mount.kind == MountKind::Tmpfs)
        return Tree{};
    const unsigned flags = (mount.read_only ? MountReadOnly : 0U) | (mount.set_uid ? 0U : MountNoSuid) |
                           (mount.devices ? 0U : MountNoDev) | (mount.no_exec ? MountNoExec : 0U) |
                           (mount.no_atime ? MountNoAtime : 0U) | (mount.follow ? MountFollow : 0U);
    if (mount.follow && !has_detached_mounts())
        return Error("rslave needs Linux 5.12"_p, "open the source of a mount,"_p, mount.source);
    auto tree = open_source(mount.source, flags, mount.recursive);
    if (tree.number() == ENOENT && mount.optional)
        return Tree{};
    if (!tree.ok())
        return tree.error().as("open the source of a mount,"_p, mount.source);
    return tree;
}

/// The spec's nodes, and the rules that hold the container to them. Who cannot make a node has only those in its /dev, and
/// needs no rules but for the access to what the spec gives; in a user namespace nobody can.
Result<void> open_devices(Prepared& prepared)
{
    const Spec& spec = prepared.spec;
    const bool makes = (spec.security.capabilities >> CAP_MKNOD & 1U) != 0 && !spec.namespaces.user;
    if (spec.devices.empty() && !makes)
        return {};
    prepared.rules = rules_of_everybody();
    for (const DeviceSpec& device : spec.devices) {
        const struct stat& node =
            prepared.devices.push_back(TRY(open_host_device(device.source, spec.namespaces.user))).node;
        allow_device(prepared.rules, {S_ISBLK(node.st_mode), major(node.st_rdev), minor(node.st_rdev), device.access});
    }
    return {};
}

/// The host's id of the container's root.
std::uint32_t outside_of_root(const List<IdRange>& map)
{
    for (const IdRange& range : map)
        if (range.inside == 0)
            return range.outside;
    return 0;  // the spec's checks see to it that there is one
}

}  // namespace

Result<void> make_overlay_directories(const Spec& spec)
{
    const OverlaySpec& overlay = spec.overlay;
    if (overlay.kind != OverlayKind::Directory)
        return {};
    for (const char* name : {"/upper", "/work"}) {
        const Text path = concat(overlay.directory, name);
        const auto made = os::mkdirat(AT_FDCWD, path.c_str(), 0755);
        if (!made.ok() && made.number() != EEXIST)
            return Error(made.number(), "make the overlay's directory"_p, path);
        if (made.ok() && spec.namespaces.user) {
            const Fd directory = TRY(os::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            TRY(os::fchown(directory.get(), outside_of_root(spec.uid_map), outside_of_root(spec.gid_map)));
        }
    }
    return {};
}

Result<List<sock_filter>> read_filter(const SecuritySpec& security)
{
    if (security.seccomp != SeccompChoice::Profile)
        return List<sock_filter>();
    const Text path = security.seccomp_profile;
    SeccompProfile profile = TRY(load_seccomp_profile(path, security.capabilities));
    if (const std::size_t count = profile.problems.size(); count > 0) {
        const Text first = format(profile.problems.front(), path);
        return Error("", "", count == 1 ? first : compose("%, and % more"_p, first, count - 1)).exits(ExitCode::Usage);
    }
    if (profile.logs && os::seccomp_knows(SECCOMP_RET_LOG).failed())
        return Error("'log' needs Linux 4.14"_p, "limit the system calls"_p, path);
    return std::move(profile.program);
}

Result<Fd> make_control_socket(Text path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(ENAMETOOLONG, "make the control socket"_p, path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    Fd socket = TRY(os::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    TRY(os::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, path));
    TRY(os::listen(socket.get(), control_backlog));
    return socket;
}

Result<Fd> open_log_segment(Text path, Bytes size, int flags)
{
    Fd segment = TRY(os::open(path.c_str(), O_RDWR | O_CREAT | flags, 0600));
    // Now, and by us: pages that PID 1 were the first to touch would count as the container's memory.
    TRY(os::fallocate(segment.get(), size).as("make room for the log"_p, path));
    return segment;
}

namespace {

Result<ServiceDescriptors> pass_leaf(const CgroupLeaf& leaf, Handover& handover)
{
    ServiceDescriptors passed;
    if (leaf.join.size() > std::size(passed.join))
        return Error(E2BIG, "join the control groups of"_p, "a service");
    for (std::size_t at = 0; at < leaf.join.size(); ++at)
        passed.join[at] = handover.pass(leaf.join[at]);
    passed.kill_file = handover.pass(leaf.kill);
    passed.leaf_memory = handover.pass(leaf.memory);
    passed.leaf_cpu = handover.pass(leaf.cpu);
    passed.leaf_events = handover.pass(leaf.events);
    passed.leaf_tasks = handover.pass(leaf.tasks);
    return passed;
}

}  // namespace

Result<Prepared> open_host_paths(Spec& spec)
{
    Prepared prepared(spec);
    TRY(open_root(prepared));
    for (const MountSpec& mount : spec.mounts)
        prepared.mounts.push_back(TRY(open_mount(mount)));
    if (spec.namespaces.user)
        prepared.device_nodes = TRY(open_device_nodes());
    TRY(open_devices(prepared));
    prepared.joined = TRY(open_joined(spec.namespaces));
    return prepared;
}

Result<void> make_plan_and_files(const Spec& spec, const LaunchOptions& options, int channel, Provision& provision,
                                 Handover& handover)
{
    const Text copy_path = state_path(spec.name, "spec");
    const Fd copy = TRY(os::open(copy_path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    TRY(os::write_all(copy.get(), show_spec(spec)).as("write to", copy_path));

    // For `exec`, which puts the same around what comes later.
    if (const List<sock_filter>& filter = provision.filter; !filter.empty()) {
        const Text path = state_path(spec.name, "seccomp");
        const Fd file = TRY(os::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
        TRY(os::write_all(file.get(), {reinterpret_cast<const char*>(filter.data()), filter.size() * sizeof filter[0]})
                .as("write to", path));
    }

    PlanDescriptors plan;
    plan.channel = channel;
    if (spec.init) {
        provision.control = TRY(make_control_socket(state_path(spec.name, "control")));
        provision.exit_file = TRY(os::open(state_path(spec.name, "exit").c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
        plan.control = handover.pass(provision.control);
        plan.exit_file = handover.pass(provision.exit_file);
    }
    for (int at = 0; at < 2 && spec.init && !options.foreground; ++at) {
        provision.log[at] =
            TRY(open_log_segment(state_path(spec.name, at == 0 ? "log.0" : "log.1"), spec.log.size, O_EXCL));
        plan.log[at] = handover.pass(provision.log[at]);
    }
    for (int at = 0; at < 3 && options.foreground && !options.terminal; ++at) {
        provision.standard[at] = TRY(os::duplicate(options.standard[at]));
        plan.standard[at] = handover.pass(provision.standard[at]);
    }
    for (std::uint32_t at = 0; at < StatCount; ++at)
        plan.stat[at] = handover.pass(provision.cgroup.stat[at]);
    for (const Fd& file : provision.cgroup.join_init)
        handover.join(file);

    const Text id = TRY(make_start_id());
    List<List<Text>> environments;
    for (std::size_t at = 0; at < spec.services.size(); ++at) {
        const bool terminal = options.terminal && at == 0;
        plan.services.push_back(TRY(pass_leaf(provision.cgroup.leaves[at], handover)));
        environments.push_back(TRY(environment_of(spec.services[at], terminal, id)));
        if (terminal) {
            provision.terminal = TRY(os::open("/dev/null", O_RDONLY));
            plan.services.back().terminal = handover.promise_terminal(provision.terminal);
        }
    }
    std::uint32_t flags = options.foreground ? PlanForeground : 0U;
    flags |= provision.cgroup.unified ? PlanUnifiedCgroup : 0U;
    provision.plan =
        TRY(make_plan(spec, flags, plan, environments, {provision.filter.data(), provision.filter.size()}));
    handover.set_plan(provision.plan);
    return {};
}

}  // namespace vial
