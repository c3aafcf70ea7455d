// SPDX-License-Identifier: MIT
#include "kernel/seccomp.h"

#include "base/syscall_numbers.h"
#include "child.h"

#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <set>
#include <sys/ioctl.h>
#include <sys/prctl.h>

using namespace vial;

namespace {

constexpr std::uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t missing = SECCOMP_RET_ERRNO | ENOSYS;

struct Verdict {
    std::uint32_t action;
    int steps;
};

/// What the kernel would make of the call: the few instructions that the filter is made of, one by one.
Verdict judge(const seccomp_data& call)
{
    const auto program = default_filter();
    std::uint32_t accumulator = 0;
    int steps = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const sock_filter& instruction = program[at];
        ++steps;
        bool jumps = false;
        switch (instruction.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            REQUIRE(instruction.k + 4 <= sizeof call);
            std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + instruction.k, 4);
            continue;
        case BPF_RET | BPF_K:
            return {instruction.k, steps};
        case BPF_JMP | BPF_JEQ | BPF_K:
            jumps = accumulator == instruction.k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            jumps = accumulator >= instruction.k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            jumps = accumulator > instruction.k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            jumps = (accumulator & instruction.k) != 0;
            break;
        default:
            FAIL("an instruction nobody expects: ", instruction.code);
        }
        at += jumps ? instruction.jt : instruction.jf;
    }
    FAIL("the program runs past its end");
    return {0, 0};
}

std::uint32_t own_architecture()
{
    // The program's first comparison is with it; that it is ours is shown by running it for real, below.
    return default_filter()[1].k;
}

Verdict judge(std::uint32_t number, std::uint64_t first = 0, std::uint64_t second = 0)
{
    seccomp_data call{};
    call.nr = static_cast<int>(number);
    call.arch = own_architecture();
    call.args[0] = first;
    call.args[1] = second;
    return judge(call);
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
    __NR_reboot,
    __NR_acct,
    __NR_quotactl,
    __NR_quotactl_fd,
    __NR_syslog,
    __NR_vhangup,
#ifdef __NR_kexec_file_load
    __NR_kexec_file_load,
#endif
#ifdef __NR_lookup_dcookie
    __NR_lookup_dcookie,
#endif
#ifdef __NR_nfsservctl
    __NR_nfsservctl,
#endif
#ifdef __NR_iopl
    __NR_iopl,
    __NR_ioperm,
#endif
#ifdef __NR_create_module
    __NR_create_module,
    __NR_get_kernel_syms,
    __NR_query_module,
#endif
#ifdef __NR_umount
    __NR_umount,
#endif
#if defined(__mips__) && defined(__NR_syscall)
    __NR_syscall,
#endif
};

}  // namespace

TEST_CASE("what is on the list is refused, and nothing else")
{
    constexpr std::uint32_t first = VIAL_FIRST_SYSCALL;
    for (std::uint32_t number = first; number < first + 1000; ++number) {
        const std::uint32_t expected = always_refused.count(number) != 0 ? refused
                                       : number == __NR_clone3           ? missing
                                                                         : SECCOMP_RET_ALLOW;
        CHECK_MESSAGE(judge(number).action == expected, number);
    }
}

TEST_CASE("new user namespaces are refused, other clones are not")
{
    for (const std::uint32_t number : {__NR_clone, __NR_unshare}) {
        CHECK(judge(number, CLONE_NEWUSER).action == refused);
        CHECK(judge(number, CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD).action == refused);
        CHECK(judge(number, CLONE_NEWUSER | 0xffffffff00000000).action == refused);
        CHECK(judge(number, SIGCHLD).action == SECCOMP_RET_ALLOW);
        CHECK(judge(number, CLONE_VM | CLONE_VFORK | SIGCHLD).action == SECCOMP_RET_ALLOW);
        CHECK(judge(number, ~std::uint64_t{CLONE_NEWUSER}).action == SECCOMP_RET_ALLOW);
    }
}

TEST_CASE("nothing types into a terminal, whatever the upper half of the request says")
{
    for (const std::uint64_t upper : {0x0ULL, 0x1ULL, 0xffffffffULL}) {
        CHECK(judge(__NR_ioctl, 0, TIOCSTI | upper << 32).action == refused);
#ifdef TIOCLINUX
        CHECK(judge(__NR_ioctl, 0, TIOCLINUX | upper << 32).action == refused);
#endif
        CHECK(judge(__NR_ioctl, 0, TIOCGWINSZ | upper << 32).action == SECCOMP_RET_ALLOW);
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
            CHECK(judge(call).action == SECCOMP_RET_KILL_PROCESS);
        }
    }
#ifdef __x86_64__
    CHECK(judge(0x40000000).action == SECCOMP_RET_KILL_PROCESS);
    CHECK(judge(0x40000000 + 520).action == SECCOMP_RET_KILL_PROCESS);
    CHECK(judge(0x3fffffff).action == SECCOMP_RET_ALLOW);
#endif
}

TEST_CASE("the filter is short, and shortest for what is called most")
{
#ifdef __x86_64__
    constexpr int most = 14, frequent = 8;
#else
    constexpr int most = 16, frequent = 10;  // where the numbers of what is refused are further apart
#endif
    CHECK(default_filter().size() <= 70);
    for (const std::uint32_t number : {__NR_read, __NR_write, __NR_close})
        CHECK(judge(number).steps <= frequent);
    for (std::uint32_t number = VIAL_FIRST_SYSCALL; number < VIAL_FIRST_SYSCALL + 500; ++number)
        CHECK(judge(number).steps <= most);
}

TEST_CASE("the kernel takes the filter and does as it says" * doctest::skip(emulated()))
{
    const auto ended = in_child([] {
        if (!os::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "").ok() || !install_default_filter().ok())
            return 1;
        // What it does not refuse is answered as ever, what it does by EPERM before any other check.
        if (::syscall(__NR_getppid) < 0 || ::syscall(__NR_read, -1, nullptr, 0) == 0 || errno != EBADF)
            return 2;
        if (::syscall(__NR_mount, nullptr, nullptr, nullptr, 0, nullptr) == 0 || errno != EPERM)
            return 3;
        if (::syscall(__NR_unshare, CLONE_NEWUSER) == 0 || errno != EPERM)
            return 4;
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
            if (!os::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "").ok() || !install_default_filter().ok())
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
