// SPDX-License-Identifier: MIT
#include "kernel/seccomp.h"

#include "base/os.h"
#include "base/syscall_numbers.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

namespace vial {

namespace {

/// What becomes of a call.
enum Action : std::uint8_t {
    Allow,
    Refuse,         ///< EPERM
    Missing,        ///< ENOSYS: the caller falls back to an older call
    CheckFlags,     ///< EPERM with CLONE_NEWUSER in its flags
    CheckTerminal,  ///< EPERM for the requests that type into a terminal
    Kill,           ///< the process, at once
};

// --- The list ----------------------------------------------------------------------------------------

/// A call that this architecture has not.
constexpr std::uint32_t none = 0xffffffff;

#ifndef __NR_create_module
#define __NR_create_module none
#define __NR_get_kernel_syms none
#define __NR_query_module none
#endif
#ifndef __NR_iopl
#define __NR_iopl none
#endif
#ifndef __NR_ioperm
#define __NR_ioperm none
#endif
#ifndef __NR_kexec_file_load
#define __NR_kexec_file_load none
#endif
#ifndef __NR_lookup_dcookie
#define __NR_lookup_dcookie none
#endif
#ifndef __NR_nfsservctl
#define __NR_nfsservctl none
#endif
#ifndef __NR_umount
#define __NR_umount none
#endif
#ifdef __mips__
constexpr std::uint32_t indirect = __NR_syscall;
#else
constexpr std::uint32_t indirect = none;
#endif

struct Rule {
    std::uint32_t number;
    Action action;
};

constexpr Rule rules[] = {
    // A user namespace of one's own is full of capabilities, and of kernel code that only they reach. clone3 has
    // its flags in memory, where a filter cannot look; every libc falls back to clone.
    {__NR_clone, CheckFlags},
    {__NR_unshare, CheckFlags},
    {__NR_clone3, Missing},
    {__NR_setns, Refuse},

    // What is mounted stays as it is: masks and read-only paths are mounts.
    {__NR_mount, Refuse},
    {__NR_umount, Refuse},
    {__NR_umount2, Refuse},
    {__NR_pivot_root, Refuse},
    {__NR_open_tree, Refuse},
    {__NR_open_tree_attr, Refuse},
    {__NR_move_mount, Refuse},
    {__NR_mount_setattr, Refuse},
    {__NR_fsopen, Refuse},
    {__NR_fsconfig, Refuse},
    {__NR_fsmount, Refuse},
    {__NR_fspick, Refuse},

    // The kernel's own code.
    {__NR_init_module, Refuse},
    {__NR_finit_module, Refuse},
    {__NR_delete_module, Refuse},
    {__NR_create_module, Refuse},  // these three have left the kernel, but close gaps: a shorter program
    {__NR_get_kernel_syms, Refuse},
    {__NR_query_module, Refuse},
    {__NR_kexec_load, Refuse},
    {__NR_kexec_file_load, Refuse},
    {__NR_bpf, Refuse},

    // Keys know users, not containers.
    {__NR_add_key, Refuse},
    {__NR_request_key, Refuse},
    {__NR_keyctl, Refuse},

    // Other processes' memory, descriptors and traces.
    {__NR_ptrace, Refuse},
    {__NR_process_vm_readv, Refuse},
    {__NR_process_vm_writev, Refuse},
    {__NR_pidfd_getfd, Refuse},
    {__NR_kcmp, Refuse},
    {__NR_perf_event_open, Refuse},
    {__NR_lookup_dcookie, Refuse},

    // A history of holes, and nothing that a small service needs.
    {__NR_userfaultfd, Refuse},
    {__NR_io_uring_setup, Refuse},
    {__NR_io_uring_enter, Refuse},
    {__NR_io_uring_register, Refuse},

    // Makes the call that its first argument names; the kernel looks through it, this keeps it from being nested.
    {indirect, Refuse},

    // A file by its number, whatever directory it is below.
    {__NR_open_by_handle_at, Refuse},

    // The machine as a whole.
    {__NR_swapon, Refuse},
    {__NR_swapoff, Refuse},
    {__NR_reboot, Refuse},
    {__NR_acct, Refuse},
    {__NR_quotactl, Refuse},
    {__NR_quotactl_fd, Refuse},
    {__NR_nfsservctl, Refuse},
    {__NR_syslog, Refuse},
    {__NR_vhangup, Refuse},
    {__NR_iopl, Refuse},
    {__NR_ioperm, Refuse},

    // Input pushed into a terminal is read by whoever else has it (CVE-2017-5226).
    {__NR_ioctl, CheckTerminal},
};

#if defined(__x86_64__) && !defined(__ILP32__)
/// The x32 ABI has the same architecture word and numbers of its own.
constexpr std::uint32_t x32_first = 0x40000000;
#else
constexpr std::uint32_t x32_first = none;
#endif

#ifndef __NR_epoll_wait
#define __NR_epoll_wait none
#endif
#ifndef __NR_poll
#define __NR_poll none
#endif
#ifndef __NR_recv
#define __NR_recv none
#endif
#ifndef __NR_send
#define __NR_send none
#endif
#ifndef __NR_newfstatat
#define __NR_newfstatat none
#endif
#ifndef __NR_mmap
#define __NR_mmap __NR_mmap2
#endif
#ifndef __NR_futex
#define __NR_futex none
#endif
#ifndef __NR_ppoll
#define __NR_ppoll none
#endif

/// The calls that the search should find first.
constexpr std::uint32_t frequent[] = {
    __NR_read,    __NR_write,  __NR_close,      __NR_openat,     __NR_mmap,        __NR_munmap,
    __NR_readv,   __NR_writev, __NR_pread64,    __NR_lseek,      __NR_poll,        __NR_ppoll,
    __NR_futex,   __NR_recv,   __NR_send,       __NR_recvfrom,   __NR_sendto,      __NR_recvmsg,
    __NR_sendmsg, __NR_fstat,  __NR_newfstatat, __NR_epoll_wait, __NR_epoll_pwait, __NR_epoll_ctl,
};

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__i386__)
constexpr std::uint32_t architecture = AUDIT_ARCH_I386;
#elif defined(__aarch64__) && defined(__AARCH64EL__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__) && defined(__ARMEL__)
constexpr std::uint32_t architecture = AUDIT_ARCH_ARM;
#elif defined(__mips__) && defined(_ABIO32) && _MIPS_SIM == _ABIO32
constexpr std::uint32_t architecture = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_MIPSEL : AUDIT_ARCH_MIPS;
#elif defined(__mips__) && defined(_ABI64) && _MIPS_SIM == _ABI64
constexpr std::uint32_t architecture =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_MIPSEL64 : AUDIT_ARCH_MIPS64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t architecture = AUDIT_ARCH_RISCV64;
#elif defined(__powerpc64__)
constexpr std::uint32_t architecture =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_PPC64LE : AUDIT_ARCH_PPC64;
#else
// No filter, and whoever asks for one is told. (s390 would also need a CheckFlags of its own for clone, whose flags are
// its second argument there.)
constexpr std::uint32_t architecture = 0;
#endif

// --- From the list to a program ----------------------------------------------------------------------
//
// Sorted, and with neighbours of one fate joined, the rules are runs of numbers with allowed numbers between them. A
// segment is a run and what is allowed behind it; the first one has only the latter. The program finds
// a call's segment by binary search, a comparison a step, each splitting what is left where about as many frequent
// calls are on either side. As the search has made sure that the number is not below the segment, one
// last comparison with the end of the run tells its fate. Fates that are not decided by the number stand at the end,
// shared by all.

/// Little programs at the end of the program, one for each Action.
using Target = int;  ///< an instruction's index, or -1 - Action
constexpr Target fate(Action action)
{
    return -1 - action;
}

constexpr std::uint16_t load = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t equal = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t at_least = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t greater = BPF_JMP | BPF_JGT | BPF_K;
constexpr std::uint16_t any_bit = BPF_JMP | BPF_JSET | BPF_K;
constexpr std::uint16_t leave = BPF_RET | BPF_K;

/// Where the lower half of a call's argument lies in what the program sees. The upper one is of no account: the
/// kernel takes flags and requests as 32 bits, and a filter that compared all 64 was walked around (CVE-2019-10063).
constexpr std::uint32_t argument(unsigned index)
{
    constexpr unsigned lower_half = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * index + lower_half);
}

class Compiler {
public:
    constexpr Compiler()
    {
        collect();
        weigh();
        append(load, offsetof(seccomp_data, arch));
        append(equal, architecture, size + 1, fate(Kill));
        append(load, offsetof(seccomp_data, nr));
        search(0, run_count_);
        finish();
    }

    sock_filter code[128] = {};
    int size = 0;

private:
    struct Run {
        std::uint32_t first, last;
        Action action;
    };

    constexpr void collect()
    {
        for (const Rule& rule : rules) {
            if (rule.number != none)
                runs_[run_count_++] = {rule.number, rule.number, rule.action};
        }
        if (x32_first != none)
            runs_[run_count_++] = {x32_first, 0xffffffff, Kill};
        std::sort(runs_, runs_ + run_count_,
                  [](const Run& left, const Run& right) { return left.first < right.first; });
        int kept = 0;
        for (int index = 1; index < run_count_; ++index) {
            if (runs_[index].first == runs_[kept].last + 1 && runs_[index].action == runs_[kept].action)
                runs_[kept].last = runs_[index].last;
            else
                runs_[++kept] = runs_[index];
        }
        run_count_ = kept + 1;
    }

    /// A segment's weight: 1, and some for each frequent call in it.
    constexpr void weigh()
    {
        for (int segment = 0; segment <= run_count_; ++segment)
            weights_[segment] = 1;
        for (const std::uint32_t number : frequent) {
            int segment = 0;
            while (segment < run_count_ && number >= start(segment + 1))
                ++segment;
            if (number != none)
                weights_[segment] += 4;
        }
    }

    constexpr std::uint32_t start(int segment) const { return segment == 0 ? 0 : runs_[segment - 1].first; }

    constexpr Target append(std::uint16_t operation, std::uint32_t value, Target yes = 0, Target no = 0)
    {
        code[size] = {operation, 0, 0, value};
        yes_[size] = yes;
        no_[size] = no;
        return size++;
    }

    /// Between the segments `first` and `last`, of which the number is known to be in one.
    constexpr Target search(int first, int last)
    {
        if (first == last)
            return first == 0 ? fate(Allow) : decide(runs_[first - 1], last == run_count_ ? none : start(last + 1) - 1);
        int total = 0;
        for (int segment = first; segment <= last; ++segment)
            total += weights_[segment];
        int right = first + 1;  // begins the right part
        int below = weights_[first];
        while (right < last && 2 * below + weights_[right] <= total)
            below += weights_[right++];

        const int here = append(at_least, start(right));
        no_[here] = search(first, right - 1);
        yes_[here] = search(right, last);
        return here;
    }

    /// The number is in the segment of `run`, which ends at `end`.
    constexpr Target decide(const Run& run, std::uint32_t end)
    {
        if (run.last == end)
            return fate(run.action);
        if (run.first == run.last)
            return append(equal, run.first, fate(run.action), fate(Allow));
        return append(greater, run.last, fate(Allow), fate(run.action));
    }

    constexpr void finish()
    {
        int place[Kill + 1] = {};
        place[CheckFlags] = append(load, argument(0));
        append(any_bit, CLONE_NEWUSER, fate(Refuse), fate(Allow));
        place[CheckTerminal] = append(load, argument(1));
        append(equal, TIOCSTI, fate(Refuse), size + 1);
#ifdef TIOCLINUX
        append(equal, TIOCLINUX, fate(Refuse), fate(Allow));
#endif
        place[Allow] = append(leave, SECCOMP_RET_ALLOW);
        place[Refuse] = append(leave, SECCOMP_RET_ERRNO | EPERM);
        place[Missing] = append(leave, SECCOMP_RET_ERRNO | ENOSYS);
        place[Kill] = append(leave, SECCOMP_RET_KILL_PROCESS);

        // Now that everything has its place, jumps are counted from the instruction behind them.
        for (int index = 0; index < size; ++index) {
            if (BPF_CLASS(code[index].code) != BPF_JMP)
                continue;
            const auto distance = [&](Target target) {
                return static_cast<__u8>((target < 0 ? place[-1 - target] : target) - index - 1);
            };
            code[index].jt = distance(yes_[index]);
            code[index].jf = distance(no_[index]);
        }
    }

    Run runs_[std::size(rules) + 1] = {};
    int run_count_ = 0;
    int weights_[std::size(rules) + 2] = {};
    Target yes_[128] = {}, no_[128] = {};
};

constexpr int length = Compiler().size;
static_assert(length <= 100, "longer programs take longer to load: close a gap in the list instead");

constexpr std::array<sock_filter, length> compile()
{
    const Compiler compiler;
    std::array<sock_filter, length> program{};
    std::copy_n(compiler.code, length, program.begin());
    return program;
}

constexpr std::array<sock_filter, length> program = compile();

}  // namespace

std::span<const sock_filter> default_filter()
{
    return program;
}

Result<void> install_default_filter()
{
    if (architecture == 0)
        return Error("there is no filter for this architecture"_p, "limit the system calls"_p);
    sock_fprog whole{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    auto installed = os::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, reinterpret_cast<unsigned long>(&whole),
                               "limit the system calls"_p);
    if (installed.number() == EINVAL)
        installed.error().because("this kernel has no filters for them (CONFIG_SECCOMP_FILTER)"_p);
    return installed;
}

}  // namespace vial
