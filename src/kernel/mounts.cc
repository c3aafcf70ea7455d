// SPDX-License-Identifier: MIT
#include "kernel/mounts.h"

#include "base/list.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/beneath.h"
#include "kernel/capabilities.h"

#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

namespace vial {

namespace {

// glibc's <sys/mount.h> and <linux/mount.h> (in base/os.h) exclude each other; this one is in the former only.
constexpr int detach = 2;  // MNT_DETACH

constexpr std::size_t mountinfo_limit = 4U << 20;

/// One line of /proc/self/mountinfo, see proc(5).
struct MountLine {
    std::int64_t id = 0, parent = 0;
    std::string_view point, options;
};

Maybe<MountLine> take_mount_line(std::string_view& rest)
{
    std::string_view line = take_until(rest, '\n');
    const auto id = parse_number(take_word(line));
    const auto parent = parse_number(take_word(line));
    if (!id || !parent)
        return {};
    take_word(line);  // major:minor
    take_word(line);  // root within the filesystem
    MountLine found{*id, *parent, take_word(line), {}};
    found.options = take_word(line);
    return found;
}

/// The kernel writes blanks and backslashes in mount points as octal: `\040`.
Text unescape(std::string_view text)
{
    Builder plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 3 < text.size()) {
            plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
            at += 3;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

/// The mount that a descriptor is on; before 5.8 from its fdinfo.
Result<std::int64_t> mount_id(int fd)
{
    if (const auto told = os::mount_id(fd); told.ok())
        return static_cast<std::int64_t>(told.value());
    const Text path = compose("/proc/self/fdinfo/%", fd);
    const Text info = TRY(os::read_file(AT_FDCWD, path.c_str()));
    std::string_view rest = info;
    while (!rest.empty()) {
        std::string_view line = take_until(rest, '\n');
        if (take_word(line) == "mnt_id:")
            if (const auto id = parse_number(take_word(line)))
                return *id;
    }
    return Error("the kernel does not tell (CONFIG_PROC_FS)"_p, "find the mount of"_p, path);
}

/// Before 5.12 a bind mount takes its flags from its source; they are added by a remount, mount by mount.
/// Flags that are there already are kept: in a user namespace they are locked, and leaving one out is EPERM.
Result<void> remount(const char* path, unsigned flags, std::string_view options)
{
    unsigned long all = flags | MS_REMOUNT | MS_BIND;
    std::string_view rest = options;
    while (!rest.empty()) {
        const std::string_view word = take_until(rest, ',');
        all |= word == "ro"           ? MS_RDONLY
               : word == "nosuid"     ? MS_NOSUID
               : word == "nodev"      ? MS_NODEV
               : word == "noexec"     ? MS_NOEXEC
               : word == "noatime"    ? MS_NOATIME
               : word == "nodiratime" ? MS_NODIRATIME
               : word == "relatime"   ? MS_RELATIME
                                      : 0UL;
    }
    return os::mount(nullptr, path, nullptr, all, nullptr);
}

/// The mount `id`, whose mount point the kernel calls `point`. That name counts from our `/`, but what hangs in a tree that is
/// stacked on `/` has the same name as what it hides: both are looked at. None: another mount covers it.
Result<Fd> find_mount(std::int64_t id, std::string_view point)
{
    const Fd bases[] = {TRY(top_of_root()), TRY(os::open("/", O_PATH | O_DIRECTORY))};
    for (const Fd& base : bases) {
        Opened found = open_beneath(base, point);
        if (found.ok() && TRY(mount_id(found.value().get())) == id)
            return found;
    }
    return Error(ENOENT, "find the mount on"_p, point);
}

/// Sets `flags` on the mount `id` and on all that hang below it.
Result<void> set_flags_below(std::int64_t id, unsigned flags)
{
    const Text info = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo_limit));
    List<std::int64_t> below{id};
    std::string_view rest = info;
    while (!rest.empty()) {
        const auto line = take_mount_line(rest);
        if (!line)
            continue;
        bool inside = line->id == id;
        for (std::size_t at = 0; at < below.size() && !inside; ++at)
            inside = below[at] == line->parent;
        if (!inside)
            continue;
        below.push_back(line->id);
        const Text point = unescape(line->point);
        Opened target = find_mount(line->id, point);
        if (target.number() == ENOENT && line->id != id)
            continue;  // covered by another mount: out of everybody's reach
        if (!target.ok())
            return target.error();
        TRY(remount(FdPath(target.value()), flags, line->options).as("set the flags of the mount"_p, point));
    }
    return {};
}

Result<void> bind_by_path(const Fd& source, const Fd& target, unsigned flags, bool recursive, std::string_view name)
{
    const unsigned long how = MS_BIND | (recursive ? static_cast<unsigned long>(MS_REC) : 0UL);
    // The new mount lies over what `target` names, so only the list of mounts tells which it is: the last that
    // hangs on the target's mount (numbers are used again, the order is that of making).
    TRY(os::mount(FdPath(source), FdPath(target), nullptr, how, nullptr).as("mount", name));
    const std::int64_t parent = TRY(mount_id(target.get()));
    const Text info = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo_limit));
    std::int64_t newest = -1;
    std::string_view rest = info;
    while (!rest.empty()) {
        const auto line = take_mount_line(rest);
        if (line && line->parent == parent)
            newest = line->id;
    }
    if (newest < 0)
        return Error(ENOENT, "find the new mount"_p, name);
    TRY(set_flags_below(newest, flags));
    return {};
}

Result<Tree> open_detached(Text path, unsigned flags, bool recursive)
{
    const unsigned depth = recursive ? AT_RECURSIVE : 0U;
    Tree tree{Tree::Kind::Detached, Fd(), flags, recursive, path, nullptr};
    tree.fd = TRY(os::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | O_CLOEXEC | depth).as("open", path));
    mount_attr attributes{};
    attributes.attr_set = flags & (MountReadOnly | MountNoSuid | MountNoDev | MountNoExec);
    if ((flags & MountNoAtime) != 0) {
        attributes.attr_set |= MOUNT_ATTR_NOATIME;
        attributes.attr_clr = MOUNT_ATTR__ATIME;
    }
    attributes.propagation = (flags & MountFollow) != 0 ? MS_SLAVE : MS_PRIVATE;
    TRY(os::mount_setattr(tree.fd.get(), "", AT_EMPTY_PATH | depth, attributes).as("set the mount flags of"_p, path));
    return tree;
}

}  // namespace

FdPath::FdPath(int fd)
{
    Writer text(path_, sizeof path_ - 1);
    text.put("/proc/self/fd/").decimal(fd);
    path_[text.text().size()] = '\0';
}

bool has_detached_mounts()
{
    static signed char known = -1;
    if (known < 0) {
        const mount_attr nothing{};
        // All of them look at what they are given only after they were found to exist.
        known = !os::missing(os::open_tree(-1, "", AT_EMPTY_PATH)) && !os::missing(os::move_mount(-1, "", -1, "", 0)) &&
                !os::missing(os::mount_setattr(-1, "", AT_EMPTY_PATH, nothing)) && !os::missing(os::fsopen(""));
    }
    return known == 1;
}

Result<void> require_proc()
{
    if (os::filesystem_magic("/proc").value_or(0) != PROC_SUPER_MAGIC)
        return Error("/proc is not mounted", "start a container").advise("mount -t proc proc /proc");
    return {};
}

Result<Tree> open_source(Text path, unsigned flags, bool recursive)
{
    if (has_detached_mounts() && has_admin_capability())
        return open_detached(path, flags, recursive);
    Tree tree{Tree::Kind::Path, Fd(), flags, recursive, path, nullptr};
    tree.fd = TRY(os::open(path.c_str(), O_PATH));
    return tree;
}

Result<void> bring(Tree& tree)
{
    if (tree.kind == Tree::Kind::Path)
        tree = TRY(open_source(tree.path, tree.flags, tree.recursive));
    return {};
}

Result<void> attach(const Tree& tree, const Fd& target, std::string_view name)
{
    constexpr unsigned by_descriptors = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    switch (tree.kind) {
    case Tree::Kind::None:
        return Error(EBADF, "mount", name);
    case Tree::Kind::Detached:
        return os::move_mount(tree.fd.get(), "", target.get(), "", by_descriptors).as("mount", name);
    case Tree::Kind::Path:
        return bind_by_path(tree.fd, target, tree.flags, tree.recursive, name);
    case Tree::Kind::Device:
        return os::mount(tree.path.c_str(), FdPath(target), tree.type, tree.flags, nullptr).as("mount", name);
    }
    return {};
}

Result<void> bind(const Fd& source, const Fd& target, unsigned flags, std::string_view name)
{
    if (!has_detached_mounts())
        return bind_by_path(source, target, flags, false, name);
    Tree tree{Tree::Kind::Detached, Fd(), flags, false, {}, nullptr};
    tree.fd = TRY(os::open_tree(source.get(), "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH).as("mount", name));
    if (flags != 0) {
        mount_attr attributes{};
        attributes.attr_set = flags;
        TRY(os::mount_setattr(tree.fd.get(), "", AT_EMPTY_PATH, attributes).as("set the mount flags of"_p, name));
    }
    return attach(tree, target, name);
}

Result<void> mount_filesystem(const char* type, const Fd& target, unsigned flags, const char* data,
                              std::string_view name)
{
    auto mounted = os::mount(type, FdPath(target), type, flags, data).as("mount", name);
    if (mounted.number() == ENODEV)
        mounted.error().because("this kernel does not have the filesystem"_p).advise("see /proc/filesystems"_p);
    return mounted;
}

Result<void> make_private()
{
    return os::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr).as("make private the mount namespace"_p, "");
}

Result<HostRoot> host_root()
{
    const std::uint64_t magic = TRY(os::filesystem_magic("/"));
    if (magic != RAMFS_MAGIC && magic != TMPFS_MAGIC)
        return HostRoot::Ordinary;
    const Fd root = TRY(os::open("/", O_PATH | O_DIRECTORY));
    // A tmpfs may be an ordinary root too. The kernel's first mount is the one that has no parent; the list
    // says so by giving itself, or a mount that is not in the list, as the parent.
    const std::int64_t id = TRY(mount_id(root.get()));
    const Text info = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo_limit));
    std::string_view rest = info;
    while (!rest.empty()) {
        const auto line = take_mount_line(rest);
        if (line && line->id == id)
            return line->parent == id ? HostRoot::Initramfs : HostRoot::Ordinary;
    }
    return HostRoot::Ordinary;
}

Result<Fd> top_of_root()
{
    // `..` of the root is the root itself, but unlike `/` it is entered through what is mounted on it.
    return os::open("/..", O_PATH | O_DIRECTORY);
}

Result<void> enter_root(const Fd& root, HostRoot host)
{
    TRY(os::fchdir(root.get()));
    if (host == HostRoot::Initramfs) {
        TRY(os::chroot("."));
        return os::chdir("/");
    }
    TRY(os::pivot_root(".", "."));
    // What was stacked on the old root below the new one lies on top of it now, and `.` leads to the topmost.
    constexpr int most_stacked = 64;
    const std::int64_t new_root = TRY(mount_id(root.get()));
    for (int stacked = 0; stacked < most_stacked; ++stacked) {
        const Fd top = TRY(top_of_root());
        if (TRY(mount_id(top.get())) == new_root)
            return os::chdir("/");
        TRY(os::unmount(".", detach).as("let go of"_p, "the host's root"));
    }
    return Error(ELOOP, "let go of"_p, "the host's root");
}

Result<List<MountPoint>> list_mounts()
{
    const Text info = TRY(os::read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo_limit));
    List<MountPoint> found;
    std::string_view rest = info;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        const std::size_t dash = line.find(" - ");
        const auto known = take_mount_line(rest);
        if (!known || dash == line.npos)
            continue;
        std::string_view super = line.substr(dash + 3);
        MountPoint& mount = found.emplace_back();
        mount.path = unescape(known->point);
        mount.type = take_word(super);
        take_word(super);  // its source
        mount.options = take_word(super);
    }
    return found;
}

}  // namespace vial
