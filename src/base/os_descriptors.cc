// SPDX-License-Identifier: MIT

/// Descriptors: their flags, pairs of them, and closing those that nobody asked for.

#include "base/os_call.h"

#include <algorithm>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vial::os {

namespace {

#ifdef SYS_fcntl64
constexpr auto fcntl_number = SYS_fcntl64;
#else
constexpr auto fcntl_number = SYS_fcntl;
#endif

}  // namespace

Result<void> claim(int fd)
{
    static constexpr Call call{"lock", fcntl_number};
    struct flock whole {};
    whole.l_type = F_WRLCK;
    return tell(call, fd, F_SETLK, &whole);
}

Result<bool> is_claimed(int fd)
{
    static constexpr Call call{"ask for the lock of"_p, fcntl_number};
    struct flock whole {};
    whole.l_type = F_WRLCK;
    TRY(tell(call, fd, F_GETLK, &whole));
    return whole.l_type != F_UNLCK;
}

Result<void> keep_across_exec(int fd)
{
    static constexpr Call call{"keep a descriptor across exec"_p, fcntl_number};
    return tell(call, fd, F_SETFD, 0L);
}

Result<void> close_on_exec(int fd)
{
    static constexpr Call call{"keep a descriptor from an exec"_p, fcntl_number};
    return tell(call, fd, F_SETFD, long{FD_CLOEXEC});
}

Result<Fd> duplicate(int fd, int at_least)
{
    static constexpr Call call{"duplicate a descriptor"_p, fcntl_number};
    return opened(call, fd, F_DUPFD_CLOEXEC, long{at_least});
}

Result<void> duplicate_to(int fd, int target)
{
    // dup2 onto itself does nothing, not even clear close-on-exec; dup3 refuses it.
    if (fd == target)
        return keep_across_exec(fd);
    static constexpr Call call{"duplicate a descriptor"_p, SYS_dup3, 0, true};
    return tell(call, fd, target, 0);
}

Result<void> set_nonblocking(int fd)
{
    static constexpr Call call{"make a descriptor non-blocking"_p, fcntl_number};
    const std::size_t flags = TRY(ask(call, fd, F_GETFL));
    return tell(call, fd, F_SETFL, flags | O_NONBLOCK);
}

Result<Pipe> pipe(int flags)
{
    static constexpr Call call{"make a pipe"_p, SYS_pipe2};
    int ends[2];
    TRY(tell(call, ends, flags | O_CLOEXEC));
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<void> tee(int from, int to, std::size_t size)
{
    static constexpr Call call{"copy to a pipe", SYS_tee};
    return tell(call, from, to, size, 2U);  // SPLICE_F_NONBLOCK
}

Result<Pair> socketpair(int type)
{
    static constexpr Call call{"make a socket pair"_p, SYS_socketpair};
    int ends[2];
    TRY(tell(call, AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
    return Pair{Fd(ends[0]), Fd(ends[1])};
}

void occupy_standard()
{
    pollfd standard[] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}};
    (void)poll(standard, 0);
    for (const pollfd& one : standard) {
        if ((one.revents & POLLNVAL) == 0)
            continue;
        Fd taken = open("/dev/null", one.fd == 0 ? O_WRONLY : O_RDONLY).value_or(Fd());
        if (!taken) {
            // There is no /dev: an end of a pipe that has no other.
            if (auto made = pipe(); made.ok())
                taken = std::move(made.value().read);
        }
        (void)keep_across_exec(taken.release());
    }
}

Result<Fd> memfd(const char* name, unsigned flags)
{
    static constexpr Call call{"make a memory file"_p, SYS_memfd_create, 1};
    return opened(call, name, flags | MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

Result<void> seal(int fd)
{
    static constexpr Call call{"seal a memory file"_p, fcntl_number};
    return tell(call, fd, F_ADD_SEALS, long{F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE});
}

Result<unsigned> seals(int fd)
{
    static constexpr Call call{"read the seals of a memory file"_p, fcntl_number};
    return static_cast<unsigned>(TRY(ask(call, fd, F_GET_SEALS)));
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

constexpr unsigned range_unshare = 2;        // CLOSE_RANGE_UNSHARE
constexpr unsigned range_close_on_exec = 4;  // CLOSE_RANGE_CLOEXEC, 5.11

Result<void> each_from(int first, unsigned flags, void (*act)(int fd))
{
    static constexpr Call call{"close descriptors"_p, __NR_close_range};
    auto closed = tell(call, first, ~0U, flags);
    // EPERM: of a filter that does not know it.
    if (closed.number() == ENOSYS || closed.number() == EPERM || (closed.number() == EINVAL && flags != 0))
        return each_listed(first, act);
    return closed;
}

}  // namespace

Result<void> close_from(int first)
{
    return each_from(first, 0, [](int fd) { Fd(fd).reset(); });
}

Result<void> close_inherited(int own)
{
    static constexpr Call call{nullptr, fcntl_number};
    for (int fd = 3; fd <= own; ++fd) {
        if (const auto flags = ask(call, fd, F_GETFD); flags.ok() && flags.value() == 0)
            Fd(fd).reset();
    }
    return close_from(own + 1);
}

Result<void> own_descriptors(int end)
{
    static constexpr Call call{"get descriptors of its own", __NR_close_range};
    const auto owned = tell(call, end, ~0U, range_unshare);
    return owned.number() == ENOSYS || owned.number() == EPERM ? unshare(CLONE_FILES) : owned;
}

Result<void> close_on_exec_from(int first)
{
    return each_from(first, range_close_on_exec, [](int fd) { (void)close_on_exec(fd); });
}

}  // namespace vial::os
