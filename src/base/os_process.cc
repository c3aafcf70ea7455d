// SPDX-License-Identifier: MIT
#include "base/os_call.h"
#include "base/syscall_numbers.h"

#include <cstddef>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial::os {

namespace {

/// `struct clone_args` as of 5.7; older kernels take it as long as what they do not know is zero.
struct Clone3Arguments {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
        cgroup;
};

constexpr std::uint64_t into_cgroup = 0x200000000;

/// The old call has the signal in the lowest byte of its flags, where clone3 has CLONE_NEWTIME, and ends
/// at 32 bits.
constexpr std::uint64_t clone3_only = ~std::uint64_t{0xffffff00};

long old_clone(std::uint64_t flags)
{
    const auto word = static_cast<unsigned long>(flags) | SIGCHLD;
#if defined(__s390__)
    return ::syscall(SYS_clone, 0, word, 0, 0, 0);
#else
    return ::syscall(SYS_clone, word, 0, 0, 0, 0);
#endif
}

}  // namespace

// Made directly and without a stack of its own, the child goes on here like fork's. What it may not trust is
// the libc's idea of its thread's id (raise and abort use it in musl): getpid, malloc and the rest work,
// because nobody else holds a lock in a program without threads.
Result<pid_t> clone(const CloneArguments& arguments)
{
    int pidfd = -1;
    Clone3Arguments block{};
    block.flags = arguments.flags;
    // A sibling tells our parent of its end as we do; clone3 wants that said by leaving it out.
    block.exit_signal = (arguments.flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
    if (arguments.pidfd != nullptr) {
        block.flags |= CLONE_PIDFD;
        block.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    }
    std::size_t size = offsetof(Clone3Arguments, set_tid);  // what 5.3 knew
    if ((arguments.flags & into_cgroup) != 0) {
        block.cgroup = static_cast<std::uint64_t>(arguments.cgroup);
        size = sizeof block;
    }

    long pid = CALL("clone3", ::syscall(__NR_clone3, &block, size));
    if (pid < 0 && errno == ENOSYS && (arguments.flags & clone3_only) == 0) {
        pid = CALL("clone", old_clone(arguments.flags));
        if (pid > 0 && arguments.pidfd != nullptr) {
            // Nobody has waited for the child yet, so the number is still its own.
            if (Opened opened_late = pidfd_open(static_cast<pid_t>(pid)); opened_late.ok())
                pidfd = opened_late.value().release();
        }
    }
    TRY(done(pid, "create the process"));
    if (pid > 0 && arguments.pidfd != nullptr)
        arguments.pidfd->reset(pidfd);
    return static_cast<pid_t>(pid);
}

Result<void> unshare(int flags)
{
    return done(CALL("unshare", ::syscall(SYS_unshare, flags)), "make new namespaces");
}

Result<void> setns(int fd, int flags)
{
    return done(CALL("setns", ::syscall(SYS_setns, fd, flags)), "join a namespace");
}

Result<Fd> pidfd_open(pid_t pid)
{
    return opened(CALL("pidfd_open", ::syscall(__NR_pidfd_open, pid, 0U)), "open the process");
}

Result<void> pidfd_send_signal(int pidfd, int signal)
{
    return done(CALL("pidfd_send_signal", ::syscall(__NR_pidfd_send_signal, pidfd, signal, nullptr, 0U)),
                "signal the process");
}

Result<void> kill(pid_t pid, int signal)
{
    return done(CALL("kill", ::kill(pid, signal)), "signal the process");
}

Error execute(int fd, char* const arguments[], char* const environment[])
{
    (void)CALL("execveat", ::syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH));
    return Error(errno, "execute", arguments[0] != nullptr ? arguments[0] : "");
}

Error execute(const char* path, char* const arguments[], char* const environment[])
{
    (void)CALL("execve", ::execve(path, arguments, environment));
    return Error(errno, "execute", path);
}

int Exited::exit_code() const
{
    return code == CLD_EXITED ? status : 128 + status;
}

Result<Exited> wait(pid_t pid, int options)
{
    siginfo_t report{};  // WNOHANG leaves si_pid as it was
    const idtype_t whom = pid == 0 ? P_ALL : P_PID;
    TRY(done(uninterrupted(
                 [&] { return CALL("waitid", ::waitid(whom, static_cast<id_t>(pid), &report, options | WEXITED)); }),
             "wait for a process"));
    return Exited{report.si_pid, report.si_code, report.si_status};
}

Result<void> prctl(int option, unsigned long a, unsigned long b, const char* step)
{
    return done(CALL("prctl", ::prctl(option, a, b, 0UL, 0UL)), step);
}

Result<CapabilitySets> capget()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3];
    TRY(done(CALL("capget", ::syscall(SYS_capget, &header, halves)), "read the capabilities"));
    const auto whole = [&](__u32 __user_cap_data_struct::*set) {
        return std::uint64_t{halves[1].*set} << 32 | halves[0].*set;
    };
    return CapabilitySets{whole(&__user_cap_data_struct::effective), whole(&__user_cap_data_struct::permitted),
                          whole(&__user_cap_data_struct::inheritable)};
}

Result<void> capset(const CapabilitySets& sets)
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3];
    for (unsigned half = 0; half < 2; ++half) {
        halves[half].effective = static_cast<__u32>(sets.effective >> 32 * half);
        halves[half].permitted = static_cast<__u32>(sets.permitted >> 32 * half);
        halves[half].inheritable = static_cast<__u32>(sets.inheritable >> 32 * half);
    }
    return done(CALL("capset", ::syscall(SYS_capset, &header, halves)), "change the capabilities");
}

Result<bool> in_bounding_set(unsigned capability)
{
    const long outcome = CALL("prctl", ::prctl(PR_CAPBSET_READ, capability, 0UL, 0UL, 0UL));
    TRY(done(outcome, "read the capability bounding set"));
    return outcome != 0;
}

Result<void> new_session_keyring()
{
    constexpr long join_session_keyring = 1;
    return done(CALL("keyctl", ::syscall(SYS_keyctl, join_session_keyring, nullptr, 0, 0, 0)), "make a keyring");
}

Result<void> sethostname(std::string_view name)
{
    if (CALL("sethostname", ::sethostname(name.data(), name.size())) < 0)
        return Error(errno, "set the hostname", name);
    return {};
}

Result<void> setrlimit(int resource, const rlimit& limit)
{
    // glibc has an enumeration for the resource, musl an int. Not setrlimit(2), which musl makes in all threads.
    using Resource = decltype(RLIMIT_FSIZE);
    return done(CALL("setrlimit", ::prlimit(0, static_cast<Resource>(resource), &limit, nullptr)),
                "set a resource limit");
}

Result<void> setsid()
{
    return done(CALL("setsid", ::setsid()), "make a session");
}

// The libcs' own setresuid and the like signal every thread of the process and abort where one of them
// fails; where 16 bits were once enough for an id, the call with 32 has another name.

Result<void> setresuid(uid_t user)
{
#ifdef SYS_setresuid32
    return done(CALL("setresuid", ::syscall(SYS_setresuid32, user, user, user)), "change the user");
#else
    return done(CALL("setresuid", ::syscall(SYS_setresuid, user, user, user)), "change the user");
#endif
}

Result<void> setresgid(gid_t group)
{
#ifdef SYS_setresgid32
    return done(CALL("setresgid", ::syscall(SYS_setresgid32, group, group, group)), "change the group");
#else
    return done(CALL("setresgid", ::syscall(SYS_setresgid, group, group, group)), "change the group");
#endif
}

Result<void> setgroups(std::span<const gid_t> groups)
{
#ifdef SYS_setgroups32
    return done(CALL("setgroups", ::syscall(SYS_setgroups32, groups.size(), groups.data())), "set the groups");
#else
    return done(CALL("setgroups", ::syscall(SYS_setgroups, groups.size(), groups.data())), "set the groups");
#endif
}

}  // namespace vial::os
