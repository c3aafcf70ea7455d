// SPDX-License-Identifier: MIT
#include "kernel/devices.h"

#include "base/os.h"
#include "base/text.h"
#include "kernel/beneath.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

namespace vial {

namespace {

struct Node {
    const char* name;
    unsigned major, minor;
};

constexpr Node nodes_of_everybody[] = {
    {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

struct Link {
    const char* name;
    const char* target;
};

constexpr Link links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

bool is_device(const struct stat& found, const Node& node)
{
    return S_ISCHR(found.st_mode) && found.st_rdev == makedev(node.major, node.minor);
}

}  // namespace

Result<List<Tree>> open_device_nodes()
{
    List<Tree> nodes;
    for (const Node& node : nodes_of_everybody) {
        const Text path = compose("/dev/%", node.name);
        Tree tree = TRY(open_source(path, MountNoSuid | MountNoExec, false));
        if (!is_device(TRY(os::fstat(tree.fd.get())), node))
            return Error("it is not the device of that name"_p, "use", path).advise("look at the host's /dev"_p);
        nodes.push_back(std::move(tree));
    }
    return nodes;
}

Result<void> make_devices(const Fd& dev, std::span<const Tree> nodes)
{
    for (std::size_t at = 0; at < std::size(nodes_of_everybody); ++at) {
        const Node& node = nodes_of_everybody[at];
        if (nodes.empty()) {
            TRY(os::mknodat(dev.get(), node.name, S_IFCHR | 0666, makedev(node.major, node.minor)));
            continue;
        }
        const Fd target = TRY(open_beneath(dev, node.name, Missing::CreateFile));
        TRY(attach(nodes[at], target, node.name));
    }
    for (const Link& link : links)
        TRY(os::symlinkat(link.target, dev.get(), link.name));
    TRY(os::mkdirat(dev.get(), "pts", 0755));
    return os::mkdirat(dev.get(), "shm", 01777);
}

Result<HostDevice> open_host_device(Text path, bool by_mount)
{
    HostDevice device;
    const Fd found = TRY(os::open(path.c_str(), O_PATH).as("use the device"_p, path));
    const Text real = TRY(os::readlinkat(AT_FDCWD, FdPath(found)));
    if (!real.starts_with("/dev/"))
        return Error("it is a symlink out of /dev"_p, "use the device"_p, path);
    device.node = TRY(os::fstat(found.get()));
    if (!S_ISCHR(device.node.st_mode) && !S_ISBLK(device.node.st_mode))
        return Error("it is no device"_p, "use the device"_p, path);
    if (by_mount)
        device.tree = TRY(open_source(real, MountNoSuid | MountNoExec, false));
    return device;
}

Result<void> add_device(const Fd& dev, std::string_view path, HostDevice& device)
{
    const struct stat& node = device.node;
    if (device.tree.kind != Tree::Kind::None) {
        TRY(bring(device.tree));
        const struct stat now = TRY(os::fstat(device.tree.fd.get()));
        if (now.st_rdev != node.st_rdev || (now.st_mode & S_IFMT) != (node.st_mode & S_IFMT))
            return Error("somebody exchanged it"_p, "use the device"_p, path);
        return attach(device.tree, TRY(open_beneath(dev, path, Missing::CreateFile)), path);
    }
    const std::size_t slash = path.rfind('/');
    const Fd parent = slash == std::string_view::npos
                          ? TRY(os::duplicate(dev.get()))
                          : TRY(open_beneath(dev, slice(path, 0, slash), Missing::CreateDirectory));
    const Text name = slash == std::string_view::npos ? path : slice(path, slash + 1);
    TRY(os::mknodat(parent.get(), name.c_str(), node.st_mode, node.st_rdev).as("make the device"_p, path));
    return os::fchown(TRY(open_beneath(parent, name)).get(), node.st_uid, node.st_gid);
}

Result<Terminal> open_terminal(const Fd& pts, std::uint32_t owner)
{
    Terminal terminal;
    terminal.master =
        TRY(os::openat(pts.get(), "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW).as("open a terminal in"_p, "/dev/pts"));
    if (TRY(os::filesystem_magic(terminal.master.get())) != DEVPTS_SUPER_MAGIC)
        return Error("it is not a devpts filesystem"_p, "open a terminal in"_p, "/dev/pts");
    int unlocked = 0;
    TRY(os::ioctl(terminal.master.get(), TIOCSPTLCK, &unlocked, "unlock the terminal"_p));
    // TIOCGPTPEER (4.13) needs no path; before it the slave is opened by its number in this devpts.
    auto slave = os::ioctl(terminal.master.get(), TIOCGPTPEER, std::uint64_t{O_RDWR | O_NOCTTY | O_CLOEXEC},
                           "open the terminal"_p);
    if (slave.ok()) {
        terminal.slave = Fd(slave.take());
    } else {
        int number = 0;
        TRY(os::ioctl(terminal.master.get(), TIOCGPTN, &number, "number the terminal"_p));
        const Text name = concat(number);
        terminal.slave = TRY(os::openat(pts.get(), name.c_str(), O_RDWR | O_NOCTTY | O_NOFOLLOW));
    }
    if (owner != 0)
        TRY(os::fchown(terminal.slave.get(), owner, static_cast<gid_t>(-1)));
    return terminal;
}

bool is_null_device(const Fd& fd)
{
    const auto found = os::fstat(fd.get());
    return found.ok() && is_device(found.value(), nodes_of_everybody[0]);
}

}  // namespace vial
