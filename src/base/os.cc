// SPDX-License-Identifier: MIT
#include "base/os_call.h"
#include "base/syscall_numbers.h"

#include <algorithm>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

namespace vial::os {

Refusal refusal = nullptr;

void refuse(Refusal refusal_)
{
    refusal = refusal_;
}

Result<void> done(long outcome, const char* step, const char* object)
{
    if (outcome < 0) [[unlikely]]
        return Error(errno, step, object);
    return {};
}

Result<Fd> opened(long outcome, const char* step, const char* object)
{
    if (outcome < 0) [[unlikely]]
        return Error(errno, step, object);
    return Fd(static_cast<int>(outcome));
}

Result<std::size_t> counted(long outcome, const char* step)
{
    if (outcome < 0) [[unlikely]]
        return Error(errno, step);
    return static_cast<std::size_t>(outcome);
}

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
    const char* step = (flags & O_CREAT) != 0 ? "create" : "open";
    return opened(uninterrupted([&] { return CALL("openat", ::openat(directory, path, flags | O_CLOEXEC, mode)); }),
                  step, path);
}

Result<std::size_t> read(int fd, void* buffer, std::size_t size)
{
    return counted(uninterrupted([&] { return CALL("read", ::read(fd, buffer, size)); }), "read");
}

Result<std::size_t> write(int fd, const void* buffer, std::size_t size)
{
    return counted(uninterrupted([&] { return CALL("write", ::write(fd, buffer, size)); }), "write");
}

Result<std::size_t> pread(int fd, void* buffer, std::size_t size, std::int64_t offset)
{
    return counted(uninterrupted([&] { return CALL("pread", ::pread(fd, buffer, size, offset)); }), "read");
}

Result<std::size_t> pwrite(int fd, const void* buffer, std::size_t size, std::int64_t offset)
{
    return counted(uninterrupted([&] { return CALL("pwrite", ::pwrite(fd, buffer, size, offset)); }), "write");
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
    return counted(CALL("getdents64", ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size())), "list");
}

Result<struct stat> fstat(int fd)
{
    struct stat found;
    TRY(done(CALL("fstat", ::fstat(fd, &found)), "examine", "an open file"));
    return found;
}

Result<struct stat> lstat(int directory, const char* path)
{
    struct stat found;
    TRY(done(CALL("fstatat", ::fstatat(directory, path, &found, AT_SYMLINK_NOFOLLOW)), "examine", path));
    return found;
}

// All magic numbers have 32 bits; where f_type is a signed word the upper ones would come out negative.

Result<std::uint64_t> filesystem_magic(int fd)
{
    struct statfs found;
    TRY(done(CALL("fstatfs", ::fstatfs(fd, &found)), "examine", "a filesystem"));
    return std::uint64_t{static_cast<std::uint32_t>(found.f_type)};
}

Result<std::uint64_t> filesystem_magic(const char* path)
{
    struct statfs found;
    TRY(done(CALL("statfs", ::statfs(path, &found)), "examine", path));
    return std::uint64_t{static_cast<std::uint32_t>(found.f_type)};
}

Result<std::uint64_t> mount_id(int fd)
{
    // `struct statx` as the kernel has it; the libcs' own may lack the field.
    constexpr std::size_t mount_id_at = 0x90 / sizeof(std::uint64_t);
    constexpr unsigned wanted = 0x1000;  // STATX_MNT_ID
    std::uint64_t found[32];
#ifdef SYS_statx
    TRY(done(CALL("statx", ::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, wanted, found)), "find the mount of a file"));
    std::uint32_t known;
    std::memcpy(&known, found, sizeof known);
    if ((known & wanted) != 0)
        return found[mount_id_at];
#endif
    return Error(ENOSYS, "find the mount of a file");
}

Result<void> mkdirat(int directory, const char* path, mode_t mode)
{
    return done(CALL("mkdirat", ::mkdirat(directory, path, mode)), "make the directory", path);
}

Result<void> mknodat(int directory, const char* path, mode_t mode, dev_t device)
{
    return done(CALL("mknodat", ::mknodat(directory, path, mode, device)), "make the node", path);
}

Result<void> symlinkat(const char* target, int directory, const char* path)
{
    return done(CALL("symlinkat", ::symlinkat(target, directory, path)), "make the symlink", path);
}

Result<void> unlinkat(int directory, const char* path, int flags)
{
    return done(CALL("unlinkat", ::unlinkat(directory, path, flags)), "remove", path);
}

Result<void> renameat(int directory, const char* from, const char* to)
{
    return done(CALL("renameat", ::renameat(directory, from, directory, to)), "rename", from);
}

Result<Text> readlinkat(int directory, const char* path)
{
    char target[PATH_MAX];
    const long length = CALL("readlinkat", ::readlinkat(directory, path, target, sizeof target));
    TRY(done(length, "read the link", path));
    if (static_cast<std::size_t>(length) == sizeof target)
        return Error(ENAMETOOLONG, "read the link", path);
    return Text(std::string_view(target, static_cast<std::size_t>(length)));
}

Result<void> fchmod(int fd, mode_t mode)
{
    return done(CALL("fchmod", ::fchmod(fd, mode)), "change the mode");
}

Result<void> fchown(int fd, uid_t user, gid_t group)
{
    return done(CALL("fchown", ::fchown(fd, user, group)), "change the owner");
}

Result<void> fallocate(int fd, std::int64_t size)
{
    return done(uninterrupted([&] { return CALL("fallocate", ::fallocate(fd, 0, 0, size)); }), "reserve space");
}

Result<void> fchdir(int fd)
{
    return done(CALL("fchdir", ::fchdir(fd)), "enter an open directory");
}

Result<void> chdir(const char* path)
{
    return done(CALL("chdir", ::chdir(path)), "enter the directory", path);
}

Result<std::string_view> getcwd(std::span<char> buffer)
{
    const long size = CALL("getcwd", ::syscall(SYS_getcwd, buffer.data(), buffer.size()));
    TRY(done(size, "find the working directory"));
    return std::string_view(buffer.data(), static_cast<std::size_t>(size) - 1);
}

Result<void> lock(int fd, int operation)
{
    return done(uninterrupted([&] { return CALL("flock", ::flock(fd, operation)); }), "lock");
}

// ioctl(2) is called directly: the type of `request` differs between libcs, and musl's wrapper would bring
// its translations for old kernels along.

Result<int> ioctl(int fd, unsigned long request, void* argument, const char* step)
{
    const long outcome = CALL("ioctl", ::syscall(SYS_ioctl, fd, request, argument));
    TRY(done(outcome, step));
    return static_cast<int>(outcome);
}

Result<int> ioctl(int fd, unsigned long request, std::uint64_t argument, const char* step)
{
    return ioctl(fd, request, reinterpret_cast<void*>(static_cast<std::uintptr_t>(argument)), step);
}

Result<void> keep_across_exec(int fd)
{
    return done(CALL("fcntl", ::fcntl(fd, F_SETFD, 0)), "keep a descriptor across exec");
}

Result<Fd> duplicate(int fd, int at_least)
{
    return opened(CALL("fcntl", ::fcntl(fd, F_DUPFD_CLOEXEC, at_least)), "duplicate a descriptor");
}

Result<void> duplicate_to(int fd, int target)
{
    // dup2 onto itself does nothing, not even clear close-on-exec.
    if (fd == target)
        return keep_across_exec(fd);
    return done(uninterrupted([&] { return CALL("dup2", ::dup2(fd, target)); }), "duplicate a descriptor");
}

Result<void> set_nonblocking(int fd)
{
    const long flags = CALL("fcntl", ::fcntl(fd, F_GETFL));
    const long outcome = flags < 0 ? flags : CALL("fcntl", ::fcntl(fd, F_SETFL, static_cast<int>(flags) | O_NONBLOCK));
    return done(outcome, "make a descriptor non-blocking");
}

Result<Pipe> pipe(int flags)
{
    int ends[2];
    TRY(done(CALL("pipe2", ::pipe2(ends, flags | O_CLOEXEC)), "make a pipe"));
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<Pair> socketpair(int type)
{
    int ends[2];
    TRY(done(CALL("socketpair", ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends)), "make a socket pair"));
    return Pair{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> memfd(const char* name, unsigned flags)
{
    return opened(CALL("memfd_create", ::memfd_create(name, flags | MFD_CLOEXEC | MFD_ALLOW_SEALING)),
                  "make a memory file", name);
}

Result<void> seal(int fd)
{
    return done(CALL("fcntl", ::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)),
                "seal a memory file");
}

namespace {

/// A descriptor's number as /proc/self/fd spells it; -1 for `.` and `..`.
int descriptor_number(const char* name)
{
    int number = 0;
    for (; *name != '\0'; ++name) {
        if (*name < '0' || *name > '9')
            return -1;
        number = number * 10 + (*name - '0');
    }
    return number;
}

/// /proc/self/fd is walked by descriptor number, so closing what was just read skips nothing.
Result<void> each_listed(int first, void (*act)(int fd))
{
    const Fd list = TRY(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
    alignas(DirectoryEntry) char buffer[1024];
    for (;;) {
        const std::size_t size = TRY(read_directory(list.get(), buffer).as("read", "/proc/self/fd"));
        if (size == 0)
            return {};
        for (std::size_t at = 0; at < size;) {
            const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
            const int number = descriptor_number(entry->name);
            if (number >= first && number != list.get())
                act(number);
            at += entry->size;
        }
    }
}

constexpr unsigned range_close_on_exec = 4;  // CLOSE_RANGE_CLOEXEC, 5.11

Result<void> each_from(int first, unsigned flags, void (*act)(int fd))
{
    const long outcome = CALL("close_range", ::syscall(__NR_close_range, static_cast<unsigned>(first), ~0U, flags));
    if (outcome < 0 && (errno == ENOSYS || (errno == EINVAL && flags != 0)))
        return each_listed(first, act);
    return done(outcome, "close descriptors");
}

}  // namespace

Result<void> close_from(int first)
{
    return each_from(first, 0, [](int fd) { ::close(fd); });
}

Result<void> close_on_exec_from(int first)
{
    return each_from(first, range_close_on_exec, [](int fd) { ::fcntl(fd, F_SETFD, FD_CLOEXEC); });
}

namespace {

std::int64_t milliseconds(clockid_t clock)
{
    timespec now{};
    ::clock_gettime(clock, &now);
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

}  // namespace vial::os
