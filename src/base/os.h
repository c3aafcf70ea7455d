// SPDX-License-Identifier: MIT
#pragma once

/// The one door to the kernel: every system call vial makes goes through here.
///
/// Each function is its system call with its errors as values: the Error's step and object are filled in
/// so that the plain `TRY` already reads well; callers who know more relabel it with `.as(...)`. EINTR is
/// retried where that is harmless. Descriptors come back close-on-exec, always. Calls newer than Linux
/// 4.9 say so; their callers own the fallback. A unit test may refuse any call with `os::refuse`.

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"

#include <cstdint>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <span>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

/// A function that runs while a process rests: those that do stand together in the file, since its pages come into memory
/// 64 kB at a time (see forget_past in base/events.h).
#define VIAL_AT_REST [[gnu::section(".text.hot.rest")]]

namespace vial::os {

/// For tests: called with each call's number (SYS_...) before it is made; another answer than zero is its errno.
using Refusal = int (*)(long call);
void refuse(Refusal refusal);

// Files.
Result<Fd> open(const char* path, int flags, mode_t mode = 0);
Result<Fd> openat(int directory, const char* path, int flags, mode_t mode = 0);
/// openat(2) that leads to no other file system, whatever was mounted on the way: EXDEV (openat2(2), 5.6; before that
/// it does).
Result<Fd> open_within(int directory, const char* path, int flags);
Result<std::size_t> read(int fd, void* buffer, std::size_t size);
Result<std::size_t> write(int fd, const void* buffer, std::size_t size);
Result<std::size_t> pread(int fd, void* buffer, std::size_t size, std::int64_t offset);
Result<std::size_t> pwrite(int fd, const void* buffer, std::size_t size, std::int64_t offset);
/// Writes all of `text`, or fails.
Result<void> write_all(int fd, std::string_view text);
/// A small file's whole content; fails with EFBIG past `limit` bytes.
Result<Text> read_file(int directory, const char* path, std::size_t limit = 1U << 20);
/// Reads into the caller's buffer: no heap. The text that fitted.
Result<std::string_view> read_small(int directory, const char* path, std::span<char> buffer);
/// Opens, writes and closes: for the one-line files of /proc and cgroups.
Result<void> write_file(int directory, const char* path, std::string_view text);
/// What getdents64(2) writes.
struct DirectoryEntry {
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t size;
    std::uint8_t type;
    char name[1];  ///< as long as it needs to be
};
/// Entries of a directory, as many as fit; 0 at its end. They begin at multiples of their alignment.
Result<std::size_t> read_directory(int fd, std::span<char> buffer);
Result<struct stat> fstat(int fd);
/// AT_SYMLINK_NOFOLLOW.
Result<struct stat> lstat(int directory, const char* path);
/// The filesystem's magic number, see statfs(2).
Result<std::uint64_t> filesystem_magic(int fd);
Result<std::uint64_t> filesystem_magic(const char* path);
/// Whether the file is on a mount or filesystem that is read-only; not where nobody knows.
bool is_read_only(int fd);
/// The mount that a file is on, as the first field of /proc/self/mountinfo; statx(2), 5.8: ENOSYS before that.
Result<std::uint64_t> mount_id(int fd);
Result<void> mkdirat(int directory, const char* path, mode_t mode);
Result<void> mknodat(int directory, const char* path, mode_t mode, dev_t device);
Result<void> symlinkat(const char* target, int directory, const char* path);
Result<void> unlinkat(int directory, const char* path, int flags = 0);
Result<void> renameat(int directory, const char* from, const char* to);
Result<Text> readlinkat(int directory, const char* path);
Result<void> fchmod(int fd, mode_t mode);
Result<void> fchown(int fd, uid_t user, gid_t group);
Result<void> fallocate(int fd, std::int64_t size);
/// Of a directory: its names.
Result<void> fsync(int fd);
Result<void> fchdir(int fd);
Result<void> chdir(const char* path);
/// The kernel's own words: they begin with `(unreachable)` where the directory is not below the root.
Result<std::string_view> getcwd(std::span<char> buffer);
Result<void> lock(int fd, int operation);  ///< flock(2)
/// Locks the whole file for this process alone: a child has no part in it, and it is gone with the process, or once that closes
/// any descriptor of the file; see fcntl(2), F_SETLK.
Result<void> claim(int fd);
/// Whether another process has claimed it.
Result<bool> is_claimed(int fd);
Result<int> ioctl(int fd, unsigned long request, void* argument, Phrase step);
Result<int> ioctl(int fd, unsigned long request, std::uint64_t argument, Phrase step);
bool is_terminal(int fd);
Result<void> keep_across_exec(int fd);
Result<void> close_on_exec(int fd);
Result<Fd> duplicate(int fd, int at_least = 3);
/// dup2(2): afterwards `target` names the same open file and survives exec.
Result<void> duplicate_to(int fd, int target);
/// Where 0, 1 or 2 is closed, something of ours would get its number, and be taken for somebody's standard stream. What takes
/// its place can be used no more than a closed one, and survives exec.
void occupy_standard();
/// close_range(2) to the end from `first`; before 5.9 by reading /proc/self/fd.
Result<void> close_from(int first);
/// All from 3 on that are not close-on-exec, which none of ours are and all that came through an exec are not.
/// `own`: no descriptor of ours is larger.
Result<void> close_inherited(int own);
/// As `close_from`, but what is open stays so until the exec: a failure can still be told through one of them.
Result<void> close_on_exec_from(int first);
/// Of a process that shares its descriptors with the one it was cloned from (CLONE_FILES): its own from now on are those below
/// `end`, whatever there are beyond; before 5.9 all.
Result<void> own_descriptors(int end);
Result<void> set_nonblocking(int fd);
struct Pipe {
    Fd read, write;
};
Result<Pipe> pipe(int flags = 0);
struct Pair {
    Fd first, second;
};
Result<Pair> socketpair(int type);
/// tee(2) without waiting, however the pipes were opened.
Result<void> tee(int from, int to, std::size_t size);
/// memfd_create(2), sealable.
Result<Fd> memfd(const char* name, unsigned flags = 0);
/// Forbids every later change of a memfd's content and size.
Result<void> seal(int fd);
/// F_SEAL_...: what is forbidden; fails with EINVAL on what is no memfd.
Result<unsigned> seals(int fd);

// Mounts, by path or descriptor (see mount_setattr(2), open_tree(2), move_mount(2)).
Result<void> mount(const char* source, const char* target, const char* type, unsigned long flags, const char* data);
Result<void> unmount(const char* target, int flags);
Result<void> pivot_root(const char* new_root, const char* put_old);
Result<void> chroot(const char* path);
Result<Fd> open_tree(int directory, const char* path, unsigned flags);                                  // 5.2
Result<void> move_mount(int from, const char* from_path, int to, const char* to_path, unsigned flags);  // 5.2
Result<void> mount_setattr(int fd, const char* path, unsigned flags, const mount_attr& attributes);     // 5.12
Result<Fd> fsopen(const char* type);                                                                    // 5.2
Result<void> fsconfig(int fd, unsigned command, const char* key, const void* value, int aux);           // 5.2
Result<Fd> fsmount(int fd, unsigned attributes);                                                        // 5.2

// Processes and namespaces.
struct CloneArguments {
    std::uint64_t flags = 0;  ///< CLONE_*, without the exit signal (always SIGCHLD)
    int cgroup = -1;          ///< with CLONE_INTO_CGROUP (5.7)
    Fd* pidfd = nullptr;      ///< filled in the parent where not null
};
/// fork(2) with namespaces: 0 in the child. clone3 (5.3); before it clone(2), and pidfd_open (5.3) or none.
Result<pid_t> clone(const CloneArguments& arguments);
Result<void> unshare(int flags);
Result<void> setns(int fd, int flags);
Result<Fd> pidfd_open(pid_t pid);                       // 5.3
Result<void> pidfd_send_signal(int pidfd, int signal);  // 5.1
Result<void> kill(pid_t pid, int signal);
/// execveat(2) of the open file itself. Returns only to fail.
Error execute(int fd, char* const arguments[], char* const environment[]);
Error execute(const char* path, char* const arguments[], char* const environment[]);
struct Exited {
    pid_t pid = 0;   ///< 0: nobody to report (WNOHANG)
    int code = 0;    ///< CLD_EXITED, CLD_KILLED, CLD_DUMPED, ...
    int status = 0;  ///< exit code or signal
    /// As a shell says it: the code, or 128 + the signal.
    int exit_code() const;
};
/// waitid(2), EINTR retried. `pid` 0 means any child.
Result<Exited> wait(pid_t pid, int options);
Result<void> prctl(int option, unsigned long a, unsigned long b, Phrase step);
/// seccomp(2) with SECCOMP_GET_ACTION_AVAIL, which came with Linux 4.14: whether a filter may answer so.
Result<void> seccomp_knows(std::uint32_t action);
/// The version of Landlock's ABI, see landlock(7); ENOSYS: the kernel has none, EOPNOTSUPP: it is not switched on.
Result<std::size_t> landlock_abi();
/// A ruleset that closes these kinds of access to files.
Result<Fd> landlock_create(std::uint64_t access);
/// Opens some of them again for what is beneath `place`, or for that file.
Result<void> landlock_allow(int ruleset, int place, std::uint64_t access);
/// For this process and all it will become. Needs no_new_privs or CAP_SYS_ADMIN.
Result<void> landlock_restrict(int ruleset);
/// What capget(2) and capset(2) know of this process, a bit for each capability.
struct CapabilitySets {
    std::uint64_t effective = 0, permitted = 0, inheritable = 0;
};
Result<CapabilitySets> capget();
Result<void> capset(const CapabilitySets& sets);
/// Whether the bounding set has the capability; EINVAL: the kernel does not know it.
Result<bool> in_bounding_set(unsigned capability);
/// keyctl(2), JOIN_SESSION_KEYRING: a new and empty one.
Result<void> new_session_keyring();
Result<void> sethostname(std::string_view name);
Result<void> setrlimit(int resource, const rlimit& limit);
Result<rlimit> getrlimit(int resource);
Result<void> setsid();
/// The ids of this process, real, effective and saved; the plain system calls (vial has no threads).
Result<void> setresuid(uid_t user);
Result<void> setresgid(gid_t group);
Result<void> set_saved_group(gid_t group);
Result<void> setgroups(std::span<const gid_t> groups);

// The machine.
/// reboot(2): one of LINUX_REBOOT_CMD_*. Of the first process of another PID namespace than the machine's that ends only it.
Result<void> reboot(unsigned command);
void sync();
/// finit_module(2).
Result<void> load_module(int fd, const char* parameters, int flags);
/// bpf(2) with `size` bytes of its union. What is answered may be a descriptor, the caller's to close.
Result<std::size_t> bpf(unsigned command, const void* attributes, unsigned size);

// Sockets.
Result<Fd> socket(int domain, int type, int protocol);
Result<void> bind(int fd, const sockaddr* address, socklen_t length, std::string_view object);
Result<void> connect(int fd, const sockaddr* address, socklen_t length, std::string_view object);
Result<void> listen(int fd, int backlog);
Result<Fd> accept(int fd);
/// One message with at most one descriptor (SCM_RIGHTS, -1: none).
Result<std::size_t> send(int fd, const void* data, std::size_t size, int passed = -1, int flags = 0);
/// One message; a descriptor that came with it goes to `passed`. 0 bytes: the other end has closed.
Result<std::size_t> receive(int fd, void* data, std::size_t size, Fd* passed = nullptr, int flags = 0);
/// One message with any number of descriptors up to SCM_RIGHTS' 253.
Result<void> send_descriptors(int fd, const void* data, std::size_t size, std::span<const int> passed);
/// One message; the descriptors that came with it, `count` of them and the caller's to close, go to `passed`. More than fit
/// are lost.
Result<std::size_t> receive_descriptors(int fd, void* data, std::size_t size, std::span<int> passed, std::size_t& count,
                                        int flags = 0);
/// Looks at the next message without taking it out: how many descriptors come with it, of which copies go to `passed` and are
/// the caller's to close. EMFILE: they do not all fit.
Result<std::size_t> peek_descriptors(int fd, std::span<int> passed);
/// poll(2): the number of ready entries, 0 on a timeout. `timeout`: milliseconds, -1 waits for ever.
Result<int> poll(std::span<struct pollfd> entries, std::int64_t timeout);

// Clocks.
std::int64_t boottime_ms();   ///< CLOCK_BOOTTIME: what intervals count on
std::int64_t realtime_ms();   ///< CLOCK_REALTIME: what people read
std::int64_t monotonic_us();  ///< CLOCK_MONOTONIC, microseconds: what systemd compares with its own
/// For less than a second, or until a signal is heard.
void sleep(long nanoseconds);

/// The kernel does not know the call (ENOSYS), or a filter pretends so. EPERM does not count, since it may be meant; only a
/// plain fork and close_range, which nobody forbids on purpose, are done another way then.
inline bool missing(const Result<void>& result)
{
    return result.number() == ENOSYS;
}
inline bool missing(const Opened& result)
{
    return result.number() == ENOSYS;
}

}  // namespace vial::os
