// SPDX-License-Identifier: MIT
#pragma once

/// The container's /dev: always a tmpfs of our own, never the image's directory.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "kernel/mounts.h"

#include <span>
#include <sys/stat.h>

namespace vial {

/// The host's nodes of the six devices, opened as sources: for a user namespace, where mknod(2) is refused.
Result<List<Tree>> open_device_nodes();

/// Fills the empty directory `dev`: null zero full random urandom tty, the links of proc(5), the mount points
/// pts and shm, and ptmx. `nodes` is empty where the nodes can be made, else what `open_device_nodes` opened.
Result<void> make_devices(const Fd& dev, std::span<const Tree> nodes);

/// A node of the host's that the container gets.
struct HostDevice {
    struct stat node {};
    Tree tree;  ///< in a user namespace, else Kind::None
};

/// Looks at the host's node `path`, below /dev; a symlink on the way must not lead out of there. `by_mount`: it cannot be made inside.
Result<HostDevice> open_host_device(Text path, bool by_mount);

/// Puts the node on `path`, which is taken from `dev`; with the mode and the owner that it has on the host.
Result<void> add_device(const Fd& dev, std::string_view path, HostDevice& device);

struct Terminal {
    Fd master;
    Fd slave;
};

/// A new pseudo-terminal out of the container's own devpts, mounted at `pts`. `owner` gets the slave.
Result<Terminal> open_terminal(const Fd& pts, std::uint32_t owner);

/// Whether `fd` is the null device: a mask made of anything else would let writes through.
bool is_null_device(const Fd& fd);

}  // namespace vial
