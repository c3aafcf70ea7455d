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
