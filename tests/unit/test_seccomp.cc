// SPDX-License-Identifier: MIT
#include "kernel/seccomp.h"

#include "base/syscall_numbers.h"
#include "child.h"
#include "filter.h"
#include "kernel/seccomp_calls.h"
#include "spec/capability_names.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <set>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <vector>

using namespace vial;

namespace {

using Program = std::vector<sock_filter>;

Program filter_of(std::uint64_t capabilities)
{
    const auto plain = default_filter();
    Program program(plain.begin(), plain.end());
    allow_capable(program, capabilities);
    return program;
}

std::uint32_t own_architecture()
{
    // The program's first comparison is with it; that it is ours is shown by running it for real, below.
    return default_filter()[1].k;
}

Verdict judge(std::span<const sock_filter> program, std::uint32_t number, std::uint64_t first = 0,
              std::uint64_t second = 0)
{
    seccomp_data call{};
    call.nr = static_cast<int>(number);
    call.arch = own_architecture();
    call.args[0] = first;
    call.args[1] = second;
    return judge_call(program, call);
}

Verdict judge(std::uint32_t number, std::uint64_t first = 0, std::uint64_t second = 0)
{
    return judge(default_filter(), number, first, second);
}

constexpr seccomp::Calls calls = seccomp::sorted_calls();

const seccomp::Call* find_call(std::uint32_t number)
{
    const auto* const end = calls.call + calls.count;
    const auto* const found =
        std::find_if(calls.call, end, [number](const seccomp::Call& call) { return call.number == number; });
    return found == end ? nullptr : found;
}

/// Written down once more, so that a row lost from the list is noticed.
const std::set<std::uint32_t> always_refused = {
    __NR_setns,
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_open_tree,
    __NR_open_tree_attr,
    __NR_move_mount,
    __NR_mount_setattr,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_kexec_load,
    __NR_bpf,
    __NR_add_key,
    __NR_request_key,
    __NR_keyctl,
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_pidfd_getfd,
    __NR_kcmp,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_open_by_handle_at,
    __NR_swapon,
    __NR_swapoff,
    __NR_quotactl,
    __NR_quotactl_fd,
    __NR_syslog,
#ifdef __NR_kexec_file_load
    __NR_kexec_file_load,
#endif
#ifdef __NR_lookup_dcookie
    __NR_lookup_dcookie,
#endif
#ifdef __NR_iopl
    __NR_iopl,
    __NR_ioperm,
#endif
#ifdef __NR_umount
    __NR_umount,
#endif
#if defined(__mips__) && defined(__NR_syscall)
    __NR_syscall,
#endif
};

}  // namespace

TEST_CASE("each call has the fate that the table says")
{
    constexpr std::uint32_t first = VIAL_FIRST_SYSCALL;
    REQUIRE(first == seccomp::first_call);
    std::set<std::uint32_t> numbers = {0,       1,       3999,    0xf0000, 0xf0001,   0xf0002,
                                       0xf0003, 0xf0005, 0xf0006, 0xf0007, 0x3fffffff};
    for (std::uint32_t number = first; number < first + 1000; ++number)
        numbers.insert(number);
    for (const std::uint32_t number : numbers) {
        const seccomp::Call* const call = find_call(number);
        const std::uint32_t action = judge(number).action;
        CAPTURE(number);
        if (call == nullptr) {
            CHECK((action == missing || action == refused));
            continue;
        }
        CAPTURE(std::string(call->name));
        switch (call->fate) {
        case Allow:
        case Namespaces:  // all arguments are 0
        case Terminal:
        case Domain:
        case Family:
            CHECK(action == allowed);
            break;
        case Missing:
        case NamespacesUnseen:
            CHECK(action == missing);
            break;
        case Gone:
            break;
        default:
            CHECK(action == refused);
        }
    }
    for (std::uint32_t number = seccomp::newest_call + 1; number < first + 2000; ++number)
        CHECK(judge(number).action == missing);
}

TEST_CASE("what must never be allowed is not")
{
    for (const std::uint32_t number : always_refused)
        CHECK_MESSAGE(judge(number).action == refused, number);
    CHECK(judge(__NR_clone3).action == missing);
}

TEST_CASE("what every program needs is allowed")
{
    for (const std::uint32_t number : {__NR_read,         __NR_write,        __NR_openat,
                                       __NR_close,        __NR_brk,          __NR_munmap,
                                       __NR_execve,       __NR_exit_group,   __NR_wait4,
                                       __NR_rt_sigaction, __NR_kill,         __NR_getrandom,
                                       __NR_futex,        __NR_prctl,        __NR_set_tid_address,
                                       __NR_getdents64,   __NR_statx,        __NR_faccessat,
                                       __NR_connect,      __NR_epoll_ctl,    __NR_setuid,
                                       __NR_setgroups,    __NR_rt_sigreturn, __NR_sched_yield,
                                       __NR_prlimit64,    __NR_rseq,         __NR_close_range,
                                       __NR_openat2,      __NR_pidfd_open,   __NR_restart_syscall,
                                       __NR_capset,       __NR_memfd_create, __NR_sched_getaffinity})
        CHECK_MESSAGE(judge(static_cast<std::uint32_t>(number)).action == allowed, number);
#ifdef __arm__
    for (const std::uint32_t number : {0xf0002U, 0xf0005U})  // flushes the cache, sets the thread's pointer
        CHECK(judge(number).action == allowed);
    CHECK(judge(0xf0003).action == refused);
    CHECK(judge(0xf0009).action == missing);
#endif
#if defined(__mips__) && _MIPS_SIM == _ABIO32
    for (const std::uint32_t number : {4147U, 4283U})  // cacheflush, set_thread_area
        CHECK(judge(number).action == allowed);
#endif
#ifdef __riscv
    CHECK(judge(258).action == allowed);
    CHECK(judge(259).action == allowed);
#endif
#ifdef __x86_64__
    CHECK(judge(158).action == allowed);  // arch_prctl
    CHECK(judge(335).action == allowed);  // uretprobe: refused, it would kill
    CHECK(judge(154).action == refused);  // modify_ldt
#endif
}

TEST_CASE("new namespaces are refused, other clones are not")
{
    for (const std::uint32_t number : {__NR_clone, __NR_unshare}) {
        CHECK(judge(number, CLONE_NEWUSER).action == refused);
        CHECK(judge(number, CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD).action == refused);
        CHECK(judge(number, CLONE_NEWUSER | 0xffffffff00000000).action == refused);
        for (const std::uint64_t flag :
             {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET})
            CHECK(judge(number, flag | SIGCHLD).action == refused);
        CHECK(judge(number, SIGCHLD).action == allowed);
        CHECK(judge(number, CLONE_VM | CLONE_VFORK | SIGCHLD).action == allowed);
        CHECK(judge(number, ~std::uint64_t{0x7e020000}).action == allowed);
    }
}

TEST_CASE("a capability that is kept brings the calls that are of no use without it")
{
    struct Case {
        unsigned capability;
        std::vector<std::uint32_t> calls;
    };
    const Case cases[] = {
        {CAP_SYS_ADMIN,
         {__NR_mount, __NR_umount2, __NR_pivot_root, __NR_open_tree, __NR_move_mount, __NR_fsopen, __NR_mount_setattr,
          __NR_setns, __NR_clone3, __NR_quotactl, __NR_syslog, __NR_bpf, __NR_perf_event_open}},
        {CAP_SYS_PTRACE, {__NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_pidfd_getfd, __NR_kcmp}},
        {CAP_SYS_MODULE, {__NR_init_module, __NR_finit_module, __NR_delete_module}},
        {CAP_SYSLOG, {__NR_syslog}},
        {CAP_DAC_READ_SEARCH, {__NR_open_by_handle_at}},
        {CAP_SYS_NICE, {__NR_mbind, __NR_set_mempolicy, __NR_move_pages}},
        {39, {__NR_bpf}},
        {38, {__NR_perf_event_open}},
#ifdef __NR_iopl
        {CAP_SYS_RAWIO, {__NR_iopl, __NR_ioperm}},
#endif
    };
    for (unsigned capability = 0; capability < capability_count; ++capability) {
        CAPTURE(capability);
        const Program program = filter_of(std::uint64_t{1} << capability);
        const auto* const found = std::find_if(std::begin(cases), std::end(cases),
                                               [&](const Case& one) { return one.capability == capability; });
        for (const Case& one : cases) {
            for (const std::uint32_t number : one.calls) {
                CAPTURE(number);
                const bool mine = found != std::end(cases) &&
                                  std::find(found->calls.begin(), found->calls.end(), number) != found->calls.end();
                CHECK((judge(program, number).action == allowed) == mine);
            }
        }
        const bool admin = capability == CAP_SYS_ADMIN;
        CHECK(judge(program, __NR_unshare, CLONE_NEWUSER).action == (admin ? allowed : refused));
        CHECK(judge(program, __NR_clone, CLONE_NEWNS).action == (admin ? allowed : refused));
        CHECK(judge(program, __NR_ioctl, 0, TIOCSTI).action == refused);
        CHECK(judge(program, __NR_keyctl).action == refused);
        CHECK(judge(program, __NR_io_uring_setup).action == refused);
        CHECK(judge(program, __NR_kexec_load).action == refused);
    }
}

TEST_CASE("personalities that only change what uname says")
{
    for (const std::uint64_t good : {0ULL, 8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL, 0xffffffffffffffffULL})
        CHECK(judge(__NR_personality, good).action == allowed);
    for (const std::uint64_t bad :
         {1ULL, 0x40000ULL, 0x400000ULL, 0x60008ULL, 0xfffffffeULL, 0x100000000ULL | 0x40000ULL})
        CHECK(judge(__NR_personality, bad).action == refused);
}

TEST_CASE("kinds of sockets")
{
    const std::set<std::uint32_t> good = {0,          AF_UNIX,   AF_INET,      AF_INET6,
                                          AF_NETLINK, AF_PACKET, 29 /* CAN */, 31 /* Bluetooth */};
    for (std::uint32_t family = 0; family < 100; ++family) {
        CHECK(judge(__NR_socketpair, family).action == (good.count(family) != 0 ? allowed : no_family));
        CHECK(judge(__NR_socket, family).action == (good.count(family) != 0 ? allowed : no_family));
        CHECK(judge(__NR_socket, family | 0x500000000).action == (good.count(family) != 0 ? allowed : no_family));
    }
    CHECK(judge(__NR_socket, 0xffffffff).action == no_family);
#if defined(__NR_socketcall) && !defined(__i386__)
    CHECK(judge(__NR_socketcall, 1).action == missing);
#endif
}

TEST_CASE("nothing types into a terminal, whatever the upper half of the request says")
{
    for (const std::uint64_t upper : {0x0ULL, 0x1ULL, 0xffffffffULL}) {
        CHECK(judge(__NR_ioctl, 0, TIOCSTI | upper << 32).action == refused);
#ifdef TIOCLINUX
        CHECK(judge(__NR_ioctl, 0, TIOCLINUX | upper << 32).action == refused);
#endif
        CHECK(judge(__NR_ioctl, 0, TIOCGWINSZ | upper << 32).action == allowed);
    }
}

TEST_CASE("foreign calls are deadly")
{
    for (const std::uint32_t architecture :
         {0U, 0U + AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, 0U + AUDIT_ARCH_ARM, AUDIT_ARCH_AARCH64}) {
        if (architecture == own_architecture())
            continue;
        for (const int number : {0, 1, 59, 165}) {
            seccomp_data call{};
            call.nr = number;
            call.arch = architecture;
            CHECK(judge_call(default_filter(), call).action == SECCOMP_RET_KILL_PROCESS);
        }
    }
#ifdef __x86_64__
    CHECK(judge(0x40000000).action == SECCOMP_RET_KILL_PROCESS);
    CHECK(judge(0x40000000 + 520).action == SECCOMP_RET_KILL_PROCESS);
    CHECK(judge(0x3fffffff).action == missing);
#endif
}

TEST_CASE("the filter is short, and shortest for what is called most")
{
    // Machines of 32 bits have more calls, and their numbers lie less well.
    constexpr int most = 18, frequent = sizeof(long) == 8 ? 9 : 11;
    constexpr std::size_t length = sizeof(long) == 8 ? 110 : 150;
    CHECK(default_filter().size() <= length);
    for (const std::uint32_t number : {__NR_read, __NR_write, __NR_close})
        CHECK(judge(number).steps <= frequent);
    for (std::uint32_t number = VIAL_FIRST_SYSCALL; number < VIAL_FIRST_SYSCALL + 500; ++number)
        CHECK(judge(number).steps <= most);
}

TEST_CASE("the kernel takes the filter and does as it says" * doctest::skip(emulated()))
{
    const auto ended = in_child([] {
        if (!os::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "").ok() || !install_default_filter(0).ok())
            return 1;
        // What it does not refuse is answered as ever, what it does by EPERM before any other check.
        if (::syscall(__NR_getppid) < 0 || ::syscall(__NR_read, -1, nullptr, 0) == 0 || errno != EBADF)
            return 2;
        if (::syscall(__NR_mount, nullptr, nullptr, nullptr, 0, nullptr) == 0 || errno != EPERM)
            return 3;
        if (::syscall(__NR_unshare, CLONE_NEWUSER) == 0 || errno != EPERM)
            return 4;
        if (::syscall(VIAL_FIRST_SYSCALL + 900) == 0 || errno != ENOSYS || ::socket(38, SOCK_SEQPACKET, 0) >= 0 ||
            errno != EAFNOSUPPORT || ::personality(ADDR_NO_RANDOMIZE) >= 0 || errno != EPERM)
            return 10;
        if (::syscall(__NR_clone3, nullptr, 0) == 0 || errno != ENOSYS)
            return 5;
        if (::ioctl(-1, TIOCSTI, "x") == 0 || errno != EPERM)
            return 6;
        if (::ioctl(-1, TIOCGWINSZ, nullptr) == 0 || errno != EBADF)
            return 7;
        // A child is still made, by the older call, and inherits the filter.
        const auto child = in_child([] { return ::syscall(__NR_keyctl, 0, 0, 0) < 0 && errno == EPERM ? 9 : 1; });
        return child.exit_code() == 9 ? 0 : 8;
    });
    CHECK(ended.exit_code() == 0);
}

#ifdef __x86_64__
TEST_CASE("32-bit and x32 calls kill the process at once")
{
    for (const bool x32 : {false, true}) {
        const auto ended = in_child([&] {
            if (!os::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "").ok() || !install_default_filter(0).ok())
                return 1;
            long answer = 0x40000000 + __NR_getpid;
            if (x32)
                asm volatile("syscall" : "+a"(answer) : : "rcx", "r11", "memory");
            else
                asm volatile("int $0x80" : "+a"(answer = 20) : : "memory");
            return 0;
        });
        // A kernel without 32-bit programs knows no `int 0x80` either.
        CHECK(ended.code != CLD_EXITED);
        CHECK((ended.status == SIGSYS || (!x32 && ended.status == SIGSEGV)));
    }
}
#endif
