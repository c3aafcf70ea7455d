// SPDX-License-Identifier: MIT
#include "launch/walls.h"

#include "base/os.h"
#include "kernel/beneath.h"
#include "kernel/devices.h"
#include "kernel/mounts.h"

#include <linux/magic.h>
#include <sys/stat.h>

namespace vial {

namespace {

/// Covered: they tell of the host or of other containers, or act on the machine.
constexpr const char* masked_in_proc[] = {
    "acpi",          "asound",      "interrupts", "kcore",      "keys",
    "latency_stats", "sched_debug", "scsi",       "timer_list", "timer_stats",
};
constexpr const char* masked_in_sys[] = {"firmware", "devices/virtual/powercap"};

/// Kept, read-only: /sys is mounted read-only as a whole.
constexpr const char* read_only_in_proc[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

constexpr unsigned all_flags = MountReadOnly | MountNoSuid | MountNoDev | MountNoExec;

/// A file is covered with the null device, a directory with an empty read-only tmpfs that all of them share.
class Masks {
public:
    explicit Masks(const Fd& root) : root_(root) {}

    Result<void> cover(const Fd& base, std::string_view path)
    {
        const Opened target = open_beneath(base, path);
        if (target.number() == ENOENT)
            return {};
        if (!target.ok())
            return target.error();
        const struct stat found = TRY(os::fstat(target.value().get()));
        if (!S_ISDIR(found.st_mode))
            return cover_file(target.value(), path);
        if (empty_)
            return bind(empty_, target.value(), all_flags, path);
        TRY(mount_filesystem("tmpfs", target.value(), all_flags, "size=0,nr_inodes=2,mode=0555", path));
        empty_ = TRY(open_beneath(base, path));
        return {};
    }

private:
    Result<void> cover_file(const Fd& target, std::string_view path)
    {
        if (!null_) {
            null_ = TRY(open_beneath(root_, "dev/null"));
            if (!is_null_device(null_))
                return Error("it is not the null device"_p, "mask with /dev/null"_p, path);
        }
        return bind(null_, target, 0, path);
    }

    const Fd& root_;
    Fd null_, empty_;
};

Result<void> make_read_only(const Fd& base, std::string_view path)
{
    const Opened target = open_beneath(base, path);
    if (target.number() == ENOENT)
        return {};
    if (!target.ok())
        return target.error();
    return bind(target.value(), target.value(), MountReadOnly | MountNoSuid, path);
}

}  // namespace

Result<void> raise_walls(const Fd& root, const Spec& spec)
{
    // Somebody who shares the root could exchange directories while we work: what is masked must be what was mounted.
    const Fd proc = TRY(open_real_directory(root, "proc"));
    const Fd sys = TRY(open_real_directory(root, "sys"));
    if (TRY(os::filesystem_magic(proc.get())) != PROC_SUPER_MAGIC ||
        TRY(os::filesystem_magic(sys.get())) != SYSFS_MAGIC)
        return Error("somebody exchanged the directories"_p, "mask what is in"_p, "/proc and /sys")
            .advise("give each container a root of its own"_p);
    Masks masks(root);
    for (const char* path : masked_in_proc)
        TRY(masks.cover(proc, path));
    for (const char* path : masked_in_sys)
        TRY(masks.cover(sys, path));
    for (Text path : spec.mask)
        TRY(masks.cover(root, path));
    for (const char* path : read_only_in_proc)
        TRY(make_read_only(proc, path));
    for (Text path : spec.read_only_paths)
        TRY(make_read_only(root, path));
    return {};
}

}  // namespace vial
