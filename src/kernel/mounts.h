// SPDX-License-Identifier: MIT
#pragma once

/// Mounting without paths: what is mounted and where it goes are both open descriptors.
///
/// A path inside an image may be a symlink that leads anywhere, and it may change between two looks. So
/// nothing here takes a target by path: targets come from `open_beneath` (kernel/beneath.h), sources are
/// opened once, by the launcher, in the host's mount namespace.
///
/// From Linux 5.12 on a source is a detached copy of a mount (open_tree(2)) with its flags and its private
/// propagation set before anybody sees it (mount_setattr(2)): a plain clone of a shared mount stays in the
/// host's peer group, and what the container mounts below it would appear on the host. Before 5.12 a
/// source is remembered, opened again in the container's own mount namespace (`bring`), bound, and remounted with
/// its flags: older kernels bind only what belongs to the caller's namespace. So it is for who may not copy mounts on the host.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "base/text.h"

#include <cstdint>

namespace vial {

/// Flags of a mount; the values are those of MS_*, the first four those of MOUNT_ATTR_* as well.
enum MountFlag : unsigned {
    MountReadOnly = 1,
    MountNoSuid = 2,
    MountNoDev = 4,
    MountNoExec = 8,
    MountNoAtime = 1024,
    MountFollow = 1U << 19,  ///< stays a slave of its source's propagation (MS_SLAVE); from 5.12 on
};

/// `/proc/self/fd/N`: names an open descriptor where only a path will do. Needs /proc, see `require_proc`.
class FdPath {
public:
    explicit FdPath(const Fd& fd) : FdPath(fd.get()) {}
    explicit FdPath(int fd);
    operator const char*() const { return path_; }

private:
    char path_[32];
};

/// A source of a mount that is visible nowhere yet.
struct Tree {
    enum class Kind : std::uint8_t {
        None,
        Detached,  ///< `fd` is a detached mount, complete
        Path,      ///< `fd` is an O_PATH descriptor of `path`, to be bound with `flags`
        Device,    ///< `path` is a block device with a filesystem of `type`, to be mounted with `flags`
    };
    Kind kind = Kind::None;
    Fd fd;
    unsigned flags = 0;      ///< MountFlag
    bool recursive = false;  ///< with the mounts below it
    Text path;               ///< for messages, and for `bring`
    const char* type = nullptr;
};

/// Whether this kernel has detached mounts with attributes (open_tree, move_mount, fsopen: 5.2; mount_setattr: 5.12).
bool has_detached_mounts();

/// The calls here go through /proc/self/fd: says so where /proc is not mounted.
Result<void> require_proc();

/// Opens the host's file or directory `path` (absolute) as a source. Fails with ENOENT where it is missing.
Result<Tree> open_source(Text path, unsigned flags, bool recursive);

/// In the container's mount namespace, before it has left the host's root: makes what the launcher opened
/// usable here. Does nothing to what is detached already.
Result<void> bring(Tree& tree);

/// Mounts `tree` on `target`. `name` is what messages call the target.
Result<void> attach(const Tree& tree, const Fd& target, std::string_view name);

/// A bind mount of what `source` names (in this mount namespace) on `target`, with `flags` set.
Result<void> bind(const Fd& source, const Fd& target, unsigned flags, std::string_view name);

/// A new filesystem of `type` on `target`; `data` are its options, see mount(2).
Result<void> mount_filesystem(const char* type, const Fd& target, unsigned flags, const char* data,
                              std::string_view name);

/// A mount of this mount namespace that lies below our root.
struct MountPoint {
    Text path, type;
    Text options;  ///< of the filesystem
};
/// In the order of their making.
Result<List<MountPoint>> list_mounts();

/// Stops mounts and unmounts from travelling between this mount namespace and the one it was copied from.
Result<void> make_private();

/// What `/` of this mount namespace is.
enum class HostRoot : std::uint8_t {
    Ordinary,
    Initramfs,  ///< the kernel's first mount, which nothing can pivot away from
};
Result<HostRoot> host_root();

/// The topmost of the mounts stacked on `/`: where a tree that was attached to `/` is entered.
Result<Fd> top_of_root();

/// Makes `root`, which is mounted on top of `/`, this process's `/` and lets go of everything below it.
///
/// The two arguments of pivot_root(2) may be the same directory: the old root then lies on top of the new
/// one, and one lazy unmount takes it away without any scratch directory inside the image. An initramfs
/// has no mount below it to pivot to: there the stacked root is entered by chroot(2) alone; the mounts
/// under it stay in the namespace, covered, and no path leads to them.
Result<void> enter_root(const Fd& root, HostRoot host);

}  // namespace vial
