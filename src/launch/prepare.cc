// SPDX-License-Identifier: MIT
#include "launch/prepare.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/devices.h"
#include "launch/environment.h"
#include "spec/plan.h"
#include "spec/show.h"

#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
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
    const auto found = os::open(spec.root.c_str(), O_PATH);
    if (!found.ok())
        return Error(found.number(), "open the root filesystem", spec.root);
    const struct stat what = TRY(os::fstat(found.value().get()));
    if (S_ISDIR(what.st_mode)) {
        prepared.root = TRY(open_source(spec.root, flags | (read_only ? MountReadOnly : 0U), true));
        return {};
    }
    if (!S_ISREG(what.st_mode))
        return Error("neither a directory nor an image", "use as a root filesystem", spec.root);
    if (spec.namespaces.user && !has_detached_mounts())
        return Error("in a user namespace it needs Linux 5.12", "mount the image", spec.root).advise("unpack it into a directory");
    ImageRoot image = TRY(open_image(spec.root, read_only, flags));
    prepared.root = std::move(image.tree);
    prepared.loop = std::move(image.loop);
    return {};
}

Result<Tree> open_mount(const MountSpec& mount)
{
    if (mount.kind == MountKind::Tmpfs)
        return Tree{};
    const unsigned flags = (mount.read_only ? MountReadOnly : 0U) | (mount.set_uid ? 0U : MountNoSuid) |
                           (mount.devices ? 0U : MountNoDev) | (mount.no_exec ? MountNoExec : 0U);
    auto tree = open_source(mount.source, flags, mount.recursive);
    if (tree.number() == ENOENT && mount.optional)
        return Tree{};
    if (!tree.ok())
        return tree.error().as("open the source of a mount,", mount.source);
    return tree;
}

Result<void> make_overlay_directories(const OverlaySpec& overlay)
{
    if (overlay.kind != OverlayKind::Directory)
        return {};
    for (const char* name : {"/upper", "/work"}) {
        const std::string path = concat({overlay.directory, name});
        const auto made = os::mkdirat(AT_FDCWD, path.c_str(), 0755);
        if (!made.ok() && made.number() != EEXIST)
            return Error(made.number(), "make the overlay's directory", path);
    }
    return {};
}

Result<Fd> make_control_socket(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(ENAMETOOLONG, "make the control socket", path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    Fd socket = TRY(os::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    TRY(os::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, path));
    TRY(os::listen(socket.get(), control_backlog));
    return socket;
}

Result<Fd> make_log_segment(const std::string& path, Bytes size)
{
    Fd segment = TRY(os::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    // Now, and by us: pages that PID 1 were the first to touch would count as the container's memory.
    TRY(os::fallocate(segment.get(), size).as("make room for the log", path));
    return segment;
}


/// Notes one descriptor as passed on, and gives its number.
class Passing {
public:
    explicit Passing(std::vector<int>& list) : list_(list) {}
    std::int32_t operator()(const Fd& fd)
    {
        if (fd)
            list_.push_back(fd.get());
        return fd.get();
    }

private:
    std::vector<int>& list_;
};

Result<ServiceDescriptors> pass_leaf(const CgroupLeaf& leaf, Passing& pass)
{
    ServiceDescriptors passed;
    constexpr std::size_t most = std::size(passed.join);
    if (leaf.join.size() > most)
        return Error(E2BIG, "join the control groups of", "a service");
    for (std::size_t at = 0; at < leaf.join.size(); ++at)
        passed.join[at] = pass(leaf.join[at]);
    passed.kill_file = pass(leaf.kill);
    passed.leaf_processes = pass(leaf.processes);
    passed.leaf_memory = pass(leaf.memory);
    passed.leaf_cpu = pass(leaf.cpu);
    passed.leaf_events = pass(leaf.events);
    return passed;
}

}  // namespace

Result<Prepared> open_host_paths(const Spec& spec)
{
    Prepared prepared(spec);
    TRY(open_root(prepared));
    for (const MountSpec& mount : spec.mounts)
        prepared.mounts.push_back(TRY(open_mount(mount)));
    if (spec.namespaces.user)
        prepared.device_nodes = TRY(open_device_nodes());
    TRY(make_overlay_directories(spec.overlay));
    return prepared;
}

Result<Handover> make_plan_and_files(Prepared& prepared, const LaunchOptions& options)
{
    const Spec& spec = prepared.spec;
    Handover mine;
    PlanDescriptors plan;
    Passing pass(prepared.passed_on);
    std::uint32_t flags = options.foreground ? PlanForeground : 0U;
    flags |= spec.init ? 0U : PlanNoInit;
    flags |= spec.security.no_new_privileges ? PlanNoNewPrivileges : 0U;
    flags |= spec.security.seccomp == SeccompChoice::Default ? PlanSeccomp : 0U;
    flags |= prepared.cgroup.unified ? PlanUnifiedCgroup : 0U;

    const std::string shown = show_spec(spec);
    const Fd copy = TRY(os::open(state_path(spec.name, "spec").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    TRY(os::write_all(copy.get(), shown).as("write to", state_path(spec.name, "spec")));

    os::Pair pair = TRY(os::socketpair(SOCK_SEQPACKET));
    mine.launcher_channel = std::move(pair.first);
    prepared.channel = std::move(pair.second);
    plan.channel = pass(prepared.channel);
    if (spec.init) {
        mine.control = TRY(make_control_socket(state_path(spec.name, "control")));
        mine.exit_file = TRY(os::open(state_path(spec.name, "exit").c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
        plan.control = pass(mine.control);
        plan.exit_file = pass(mine.exit_file);
    }
    if (spec.init && !options.foreground) {
        for (int at = 0; at < 2; ++at) {
            mine.log[at] = TRY(make_log_segment(state_path(spec.name, at == 0 ? "log.0" : "log.1"), spec.log.size));
            plan.log[at] = pass(mine.log[at]);
        }
    }
    if (options.foreground && !options.terminal) {
        for (int at = 0; at < 3; ++at) {
            mine.standard[at] = TRY(os::duplicate(options.standard[at]));
            plan.standard[at] = pass(mine.standard[at]);
        }
    }
    for (std::uint32_t at = 0; at < StatCount; ++at)
        plan.stat[at] = pass(prepared.cgroup.stat[at]);

    std::vector<std::vector<std::string>> environments;
    for (std::size_t at = 0; at < spec.services.size(); ++at) {
        const bool terminal = options.terminal && at == 0;
        plan.services.push_back(TRY(pass_leaf(prepared.cgroup.leaves[at], pass)));
        environments.push_back(TRY(environment_of(spec.services[at], terminal)));
        if (terminal) {
            // The terminal is made inside, later; its number is promised now.
            prepared.terminal = TRY(os::open("/dev/null", O_RDONLY));
            plan.services.back().terminal = pass(prepared.terminal);
        }
    }
    prepared.plan = TRY(make_plan(spec, flags, plan, environments));
    prepared.passed_on.push_back(prepared.plan.get());
    return mine;
}

}  // namespace vial
