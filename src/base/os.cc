// SPDX-License-Identifier: MIT
#include "base/os_call.h"

#include <algorithm>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

namespace vial::os {

namespace {

/// Reads until the end of the file or of the buffer: /proc hands some files out in pieces.
Result<std::size_t> fill(int fd, char* buffer, std::size_t size, const char* path)
{
    std::size_t used = 0;
    while (used < size) {
        auto got = read(fd, buffer + used, size - used);
        if (!got.ok())
            return got.error().as("read", path);
        if (got.value() == 0)
            break;
        used += got.value();
    }
    return used;
}

}  // namespace

Result<Fd> open(const char* path, int flags, mode_t mode)
{
    return openat(AT_FDCWD, path, flags, mode);
}

Result<Fd> openat(int directory, const char* path, int flags, mode_t mode)
{
    static constexpr Call open{"open", SYS_openat, 2, true}, create{"create", SYS_openat, 2, true};
    return opened((flags & O_CREAT) != 0 ? create : open, directory, path, flags | O_CLOEXEC | O_LARGEFILE, mode);
}

Result<Fd> open_within(int directory, const char* path, int flags)
{
    struct {
        std::uint64_t flags, mode, resolve;
    } const how{static_cast<unsigned>(flags | O_CLOEXEC), 0, 1};  // RESOLVE_NO_XDEV
    static constexpr Call call{"open", __NR_openat2, 2};
    Opened file = opened(call, directory, path, &how, sizeof how);
    // Filters that are older than the call may say EPERM.
    if (file.number() == ENOSYS || file.number() == EPERM)
        return openat(directory, path, flags);
    return file;
}

Result<std::size_t> read(int fd, void* buffer, std::size_t size)
{
    static constexpr Call call{"read", SYS_read, 0, true};
    return ask(call, fd, buffer, size);
}

Result<std::size_t> write(int fd, const void* buffer, std::size_t size)
{
    static constexpr Call call{"write", SYS_write, 0, true};
    return ask(call, fd, buffer, size);
}

Result<std::size_t> pread(int fd, void* buffer, std::size_t size, std::int64_t offset)
{
    static constexpr Call call{"read", SYS_pread64, 0, true};
    if constexpr (kernel_words)
        return ask(call, fd, buffer, size, offset);
    return ask_library(call, "", [&] { return ::pread(fd, buffer, size, offset); });
}

Result<std::size_t> pwrite(int fd, const void* buffer, std::size_t size, std::int64_t offset)
{
    static constexpr Call call{"write", SYS_pwrite64, 0, true};
    if constexpr (kernel_words)
        return ask(call, fd, buffer, size, offset);
    return ask_library(call, "", [&] { return ::pwrite(fd, buffer, size, offset); });
}

Result<void> write_all(int fd, std::string_view text)
{
    while (!text.empty())
        text.remove_prefix(TRY(write(fd, text.data(), text.size())));
    return {};
}

Result<Text> read_file(int directory, const char* path, std::size_t limit)
{
    const Fd file = TRY(openat(directory, path, O_RDONLY));
    Builder content;
    for (;;) {
        // One byte more than allowed is asked for, to tell a full file from one that is too long.
        const std::size_t room = std::min(std::max<std::size_t>(content.size(), 512), limit + 1 - content.size());
        const std::size_t got = TRY(fill(file.get(), content.room(room), room, path));
        content.took(got);
        if (content.size() > limit)
            return Error(EFBIG, "read", path);
        if (got < room)
            return Text(content);
    }
}

Result<std::string_view> read_small(int directory, const char* path, std::span<char> buffer)
{
    const Fd file = TRY(openat(directory, path, O_RDONLY));
    const std::size_t used = TRY(fill(file.get(), buffer.data(), buffer.size(), path));
    return std::string_view(buffer.data(), used);
}

Result<void> write_file(int directory, const char* path, std::string_view text)
{
    const Fd file = TRY(openat(directory, path, O_WRONLY));
    // The kernel's files take a value in one write: the rest of a short one would be a second value.
    auto written = write(file.get(), text.data(), text.size());
    if (!written.ok())
        return written.error().as("write", path);
    if (written.value() != text.size())
        return Error(EIO, "write", path);
    return {};
}

Result<std::size_t> read_directory(int fd, std::span<char> buffer)
{
    static constexpr Call call{"list", SYS_getdents64};
    return ask(call, fd, buffer.data(), buffer.size());
}

// On other machines the libc may have a `struct stat` of its own.
#if defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__riscv))
#define VIAL_KERNEL_STAT 1
#else
#define VIAL_KERNEL_STAT 0
#endif

Result<struct stat> fstat(int fd)
{
    static constexpr Call call{"examine an open file"_p, SYS_fstat};
    struct stat found;
#if VIAL_KERNEL_STAT
    TRY(tell(call, fd, &found));
#else
    TRY(ask_library(call, "", [&] { return ::fstat(fd, &found); }));
#endif
    return found;
}

Result<struct stat> lstat(int directory, const char* path)
{
    struct stat found;
#if VIAL_KERNEL_STAT
    static constexpr Call call{"examine", SYS_newfstatat, 2};
    TRY(tell(call, directory, path, &found, AT_SYMLINK_NOFOLLOW));
#else
    static constexpr Call call{"examine", SYS_openat};
    TRY(ask_library(call, path, [&] { return ::fstatat(directory, path, &found, AT_SYMLINK_NOFOLLOW); }));
#endif
    return found;
}

namespace {

/// All magic numbers have 32 bits; where f_type is a signed word the upper ones would come out negative.
std::uint64_t magic(const struct statfs& filesystem)
{
    return static_cast<std::uint32_t>(filesystem.f_type);
}

Result<void> examine(int fd, struct statfs& found)
{
    static constexpr Call call{"examine a filesystem"_p, SYS_fstatfs};
    if constexpr (kernel_words)
        return tell(call, fd, &found);
    TRY(ask_library(call, "", [&] { return ::fstatfs(fd, &found); }));
    return {};
}

}  // namespace

Result<std::uint64_t> filesystem_magic(int fd)
{
    struct statfs found;
    TRY(examine(fd, found));
    return magic(found);
}

Result<std::uint64_t> filesystem_magic(const char* path)
{
    static constexpr Call call{"examine", SYS_statfs, 1};
    struct statfs found;
    if constexpr (kernel_words)
        TRY(tell(call, path, &found));
    else
        TRY(ask_library(call, path, [&] { return ::statfs(path, &found); }));
    return magic(found);
}

bool is_read_only(int fd)
{
    struct statfs found;
    return examine(fd, found).ok() && (found.f_flags & ST_RDONLY) != 0;
}

Result<std::uint64_t> mount_id(int fd)
{
    // `struct statx` as the kernel has it; the libcs' own may lack the field.
    constexpr std::size_t mount_id_at = 0x90 / sizeof(std::uint64_t);
    constexpr unsigned wanted = 0x1000;  // STATX_MNT_ID
    constexpr Phrase step = "find the mount of a file"_p;
    std::uint64_t found[32];
#ifdef SYS_statx
    static constexpr Call call{step, SYS_statx};
    TRY(tell(call, fd, "", AT_EMPTY_PATH, wanted, found));
    std::uint32_t known;
    std::memcpy(&known, found, sizeof known);
    if ((known & wanted) != 0)
        return found[mount_id_at];
#endif
    return Error(ENOSYS, step);
}

Result<void> mkdirat(int directory, const char* path, mode_t mode)
{
    static constexpr Call call{"make the directory"_p, SYS_mkdirat, 2};
    return tell(call, directory, path, mode);
}

Result<void> mknodat(int directory, const char* path, mode_t mode, dev_t device)
{
    static constexpr Call call{"make the node"_p, SYS_mknodat, 2};
    return tell(call, directory, path, mode, static_cast<unsigned>(device));
}

Result<void> symlinkat(const char* target, int directory, const char* path)
{
    static constexpr Call call{"make the symlink"_p, SYS_symlinkat, 3};
    return tell(call, target, directory, path);
}

Result<void> unlinkat(int directory, const char* path, int flags)
{
    static constexpr Call call{"remove", SYS_unlinkat, 2};
    return tell(call, directory, path, flags);
}

Result<void> renameat(int directory, const char* from, const char* to)
{
    // The newest machines have no call without flags.
    static constexpr Call call{"rename", SYS_renameat2, 2};
    return tell(call, directory, from, directory, to, 0);
}

Result<Text> readlinkat(int directory, const char* path)
{
    static constexpr Call call{"read the link"_p, SYS_readlinkat, 2};
    char target[PATH_MAX];
    const std::size_t length = TRY(ask(call, directory, path, target, sizeof target));
    if (length == sizeof target)
        return Error(ENAMETOOLONG, call.step, path);
    return Text(std::string_view(target, length));
}

Result<void> fchmod(int fd, mode_t mode)
{
    static constexpr Call call{"change the mode"_p, SYS_fchmod};
    return tell(call, fd, mode);
}

Result<void> fchown(int fd, uid_t user, gid_t group)
{
    // The one that has room for 32 bits everywhere, and takes an O_PATH descriptor too.
    static constexpr Call call{"change the owner"_p, SYS_fchownat};
    return tell(call, fd, "", user, group, AT_EMPTY_PATH);
}

Result<void> fallocate(int fd, std::int64_t size)
{
    static constexpr Call call{"reserve space"_p, SYS_fallocate, 0, true};
    if constexpr (kernel_words)
        return tell(call, fd, 0, 0L, size);
    TRY(ask_library(call, "", [&] { return ::fallocate(fd, 0, 0, size); }));
    return {};
}

Result<void> fsync(int fd)
{
    static constexpr Call call{"write to the disk"_p, SYS_fsync, 0, true};
    return tell(call, fd);
}

Result<void> fchdir(int fd)
{
    static constexpr Call call{"enter an open directory"_p, SYS_fchdir};
    return tell(call, fd);
}

Result<void> chdir(const char* path)
{
    static constexpr Call call{"enter the directory"_p, SYS_chdir, 1};
    return tell(call, path);
}

Result<std::string_view> getcwd(std::span<char> buffer)
{
    static constexpr Call call{"find the working directory"_p, SYS_getcwd};
    const std::size_t size = TRY(ask(call, buffer.data(), buffer.size()));
    return std::string_view(buffer.data(), size - 1);
}

Result<void> lock(int fd, int operation)
{
    static constexpr Call call{"lock", SYS_flock, 0, true};
    return tell(call, fd, operation);
}

Result<int> ioctl(int fd, unsigned long request, void* argument, Phrase step)
{
    const Call call{step, SYS_ioctl};
    return static_cast<int>(TRY(ask(call, fd, request, argument)));
}

Result<int> ioctl(int fd, unsigned long request, std::uint64_t argument, Phrase step)
{
    return ioctl(fd, request, reinterpret_cast<void*>(static_cast<std::uintptr_t>(argument)), step);
}

bool is_terminal(int fd)
{
    winsize size;
    return os::ioctl(fd, TIOCGWINSZ, &size, "ask for a terminal"_p).ok();
}

namespace {

timespec read_clock(clockid_t clock)
{
    timespec now{};
    if constexpr (kernel_words) {
        // Not by the libc: its way around the kernel is larger than all the time it could save here.
        static constexpr Call call{nullptr, SYS_clock_gettime};
        (void)tell(call, clock, &now);
    } else {
        ::clock_gettime(clock, &now);
    }
    return now;
}

std::int64_t milliseconds(clockid_t clock)
{
    const timespec now = read_clock(clock);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

}  // namespace

std::int64_t boottime_ms()
{
    return milliseconds(CLOCK_BOOTTIME);
}

std::int64_t realtime_ms()
{
    return milliseconds(CLOCK_REALTIME);
}

std::int64_t monotonic_us()
{
    const timespec now = read_clock(CLOCK_MONOTONIC);
    return std::int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
}

}  // namespace vial::os
