// SPDX-License-Identifier: MIT
#include "base/os_call.h"

#include <cstddef>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/reboot.h>
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

Result<std::size_t> old_clone(std::uint64_t flags)
{
    static constexpr Call call{"create the process"_p, SYS_clone};
    const auto word = static_cast<unsigned long>(flags) | SIGCHLD;
#if defined(__s390__)
    return ask(call, nullptr, word, nullptr, nullptr, nullptr);
#else
    return ask(call, word, nullptr, nullptr, nullptr, nullptr);
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

    static constexpr Call call{"create the process"_p, __NR_clone3};
    auto created = ask(call, &block, size);
    // Nobody forbids a fork as such: who answers EPERM is a filter that does not know the call.
    const bool unknown = created.number() == ENOSYS || created.number() == EPERM;
    if (unknown && (arguments.flags & clone3_only) == 0) {
        created = old_clone(arguments.flags);
        if (created.ok() && created.value() > 0 && arguments.pidfd != nullptr) {
            // Nobody has waited for the child yet, so the number is still its own.
            pidfd = pidfd_open(static_cast<pid_t>(created.value())).value_or(Fd()).release();
        }
    }
    const auto pid = static_cast<pid_t>(TRY(created));
    if (pid > 0 && arguments.pidfd != nullptr)
        arguments.pidfd->reset(pidfd);
    return pid;
}

Result<void> unshare(int flags)
{
    static constexpr Call call{"make new namespaces"_p, SYS_unshare};
    return tell(call, long{flags});
}

Result<void> setns(int fd, int flags)
{
    static constexpr Call call{"join a namespace"_p, SYS_setns};
    return tell(call, fd, flags);
}

Result<Fd> pidfd_open(pid_t pid)
{
    static constexpr Call call{"open the process"_p, __NR_pidfd_open};
    return opened(call, pid, 0U);
}

Result<void> pidfd_send_signal(int pidfd, int signal)
{
    static constexpr Call call{"signal the process"_p, __NR_pidfd_send_signal};
    return tell(call, pidfd, signal, nullptr, 0U);
}

Result<void> kill(pid_t pid, int signal)
{
    static constexpr Call call{"signal the process"_p, SYS_kill};
    return tell(call, pid, signal);
}

Error execute(int fd, char* const arguments[], char* const environment[])
{
    static constexpr Call call{"execute", SYS_execveat};
    return tell(call, fd, "", arguments, environment, AT_EMPTY_PATH)
        .as(call.step, arguments[0] != nullptr ? arguments[0] : "")
        .error();
}

Error execute(const char* path, char* const arguments[], char* const environment[])
{
    static constexpr Call call{"execute", SYS_execve, 1};
    return tell(call, path, arguments, environment).error();
}

int Exited::exit_code() const
{
    return code == CLD_EXITED ? status : 128 + status;
}

Result<Exited> wait(pid_t pid, int options)
{
    siginfo_t report{};  // WNOHANG leaves si_pid as it was
    const idtype_t whom = pid == 0 ? P_ALL : P_PID;
    static constexpr Call call{"wait for a process"_p, SYS_waitid, 0, true};
    TRY(tell(call, whom, pid, &report, options | WEXITED, nullptr));
    return Exited{report.si_pid, report.si_code, report.si_status};
}

Result<void> prctl(int option, unsigned long a, unsigned long b, Phrase step)
{
    const Call call{step, SYS_prctl};
    return tell(call, option, a, b, 0UL, 0UL);
}

Result<void> seccomp_knows(std::uint32_t action)
{
    constexpr unsigned get_action_avail = 2;
    static constexpr Call call{"limit the system calls"_p, SYS_seccomp};
    return tell(call, get_action_avail, 0U, &action);
}

Result<std::size_t> landlock_abi()
{
    static constexpr Call call{"limit access to files"_p, __NR_landlock_create_ruleset};
    return ask(call, nullptr, 0UL, 1U);
}

Result<Fd> landlock_create(std::uint64_t access)
{
    static constexpr Call call{"limit access to files"_p, __NR_landlock_create_ruleset};
    return opened(call, &access, sizeof access, 0U);
}

Result<void> landlock_allow(int ruleset, int place, std::uint64_t access)
{
    constexpr unsigned path_beneath = 1;
    struct [[gnu::packed]] {
        std::uint64_t access;
        std::int32_t place;
    } const rule{access, place};
    static constexpr Call call{"limit access to files"_p, __NR_landlock_add_rule};
    return tell(call, ruleset, path_beneath, &rule, 0U);
}

Result<void> landlock_restrict(int ruleset)
{
    static constexpr Call call{"limit access to files"_p, __NR_landlock_restrict_self};
    return tell(call, ruleset, 0U);
}

Result<CapabilitySets> capget()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3];
    static constexpr Call call{"read the capabilities"_p, SYS_capget};
    TRY(tell(call, &header, halves));
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
    static constexpr Call call{"change the capabilities"_p, SYS_capset};
    return tell(call, &header, halves);
}

Result<bool> in_bounding_set(unsigned capability)
{
    static constexpr Call call{"read the capability bounding set"_p, SYS_prctl};
    return TRY(ask(call, PR_CAPBSET_READ, static_cast<unsigned long>(capability), 0UL, 0UL, 0UL)) != 0;
}

Result<void> new_session_keyring()
{
    constexpr int join_session_keyring = 1;
    static constexpr Call call{"make a keyring"_p, SYS_keyctl};
    return tell(call, join_session_keyring, nullptr);
}

Result<void> sethostname(std::string_view name)
{
    static constexpr Call call{"set the hostname"_p, SYS_sethostname};
    return tell(call, name.data(), static_cast<int>(name.size())).as(call.step, name);
}

Result<void> setrlimit(int resource, const rlimit& limit)
{
    // Not setrlimit(2), where 32 bits were once enough for a limit.
    static constexpr Call call{"set a resource limit"_p, SYS_prlimit64};
    return tell(call, 0, resource, &limit, nullptr);
}

Result<rlimit> getrlimit(int resource)
{
    static constexpr Call call{"read a resource limit"_p, SYS_prlimit64};
    rlimit limit;
    TRY(tell(call, 0, resource, nullptr, &limit));
    return limit;
}

Result<void> setsid()
{
    static constexpr Call call{"make a session"_p, SYS_setsid};
    return tell(call);
}

// The libcs' own setresuid and the like signal every thread of the process and abort where one of them
// fails; where 16 bits were once enough for an id, the call with 32 has another name.

Result<void> setresuid(uid_t user)
{
#ifdef SYS_setresuid32
    static constexpr Call call{"change the user"_p, SYS_setresuid32};
#else
    static constexpr Call call{"change the user"_p, SYS_setresuid};
#endif
    return tell(call, user, user, user);
}

namespace {

Result<void> change_groups(gid_t real_and_effective, gid_t saved)
{
#ifdef SYS_setresgid32
    static constexpr Call call{"change the group"_p, SYS_setresgid32};
#else
    static constexpr Call call{"change the group"_p, SYS_setresgid};
#endif
    return tell(call, real_and_effective, real_and_effective, saved);
}

}  // namespace

Result<void> setresgid(gid_t group)
{
    return change_groups(group, group);
}

Result<void> set_saved_group(gid_t group)
{
    return change_groups(static_cast<gid_t>(-1), group);
}

Result<void> setgroups(std::span<const gid_t> groups)
{
#ifdef SYS_setgroups32
    static constexpr Call call{"set the groups"_p, SYS_setgroups32};
#else
    static constexpr Call call{"set the groups"_p, SYS_setgroups};
#endif
    return tell(call, static_cast<int>(groups.size()), groups.data());
}

Result<void> reboot(unsigned command)
{
    static constexpr Call call{"end the machine's run"_p, SYS_reboot};
    return tell(call, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, nullptr);
}

void sync()
{
    static constexpr Call call{nullptr, SYS_sync};
    (void)tell(call);
}

Result<void> load_module(int fd, const char* parameters, int flags)
{
    static constexpr Call call{"load the module"_p, SYS_finit_module};
    return tell(call, fd, parameters, flags);
}

Result<std::size_t> bpf(unsigned command, const void* attributes, unsigned size)
{
    static constexpr Call call{"load a program into"_p, SYS_bpf};
    return ask(call, command, attributes, size);
}

}  // namespace vial::os
