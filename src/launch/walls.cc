// SPDX-License-Identifier: MIT
#include "launch/walls.h"

#include "base/os.h"
#include "kernel/beneath.h"
#include "kernel/devices.h"
#include "kernel/mounts.h"

#include <sys/stat.h>

namespace vial {

namespace {

/// Covered: they tell of the host or of other containers, or act on the machine.
constexpr const char* masked[] = {
    "/proc/acpi",        "/proc/asound",       "/proc/interrupts",  "/proc/kcore",     "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",        "/proc/timer_list", "/proc/timer_stats",
    "/sys/firmware",     "/sys/devices/virtual/powercap",
};

/// Kept, read-only: /sys is mounted read-only as a whole.
constexpr const char* read_only[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/// A file is covered with the null device, a directory with an empty read-only tmpfs that all of them share.
class Masks {
public:
    explicit Masks(const Fd& root) : root_(root) {}

    Result<void> cover(std::string_view path)
    {
        const auto target = open_beneath(root_, path);
        if (target.number() == ENOENT)
            return {};
        if (!target.ok())
            return target.error();
        const struct stat found = TRY(os::fstat(target.value().get()));
        return S_ISDIR(found.st_mode) ? cover_directory(target.value(), path) : cover_file(target.value(), path);
    }

private:
    Result<void> cover_file(const Fd& target, std::string_view path)
    {
        if (!null_) {
            null_ = TRY(open_beneath(root_, "/dev/null"));
            if (!is_null_device(null_))
                return Error("it is not the null device", "mask with /dev/null", path);
        }
        return bind(null_, target, 0, path);
    }

    Result<void> cover_directory(const Fd& target, std::string_view path)
    {
        if (empty_)
            return bind(empty_, target, MountReadOnly | MountNoSuid | MountNoDev | MountNoExec, path);
        TRY(mount_filesystem("tmpfs", target, MountReadOnly | MountNoSuid | MountNoDev | MountNoExec, "size=0,nr_inodes=2,mode=0555", path));
        empty_ = TRY(open_beneath(root_, path));
        return {};
    }

    const Fd& root_;
    Fd null_, empty_;
};

Result<void> make_read_only(const Fd& root, std::string_view path)
{
    const auto target = open_beneath(root, path);
    if (target.number() == ENOENT)
        return {};
    if (!target.ok())
        return target.error();
    return bind(target.value(), target.value(), MountReadOnly | MountNoSuid, path);
}

}  // namespace

Result<void> raise_walls(const Fd& root, const Spec& spec)
{
    Masks masks(root);
    for (const char* path : masked)
        TRY(masks.cover(path));
    for (const std::string& path : spec.mask)
        TRY(masks.cover(path));
    for (const char* path : read_only)
        TRY(make_read_only(root, path));
    for (const std::string& path : spec.read_only_paths)
        TRY(make_read_only(root, path));
    return {};
}

}  // namespace vial
