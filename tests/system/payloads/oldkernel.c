// SPDX-License-Identifier: MIT
//
// oldkernel [--kernel VERSION] [--without CALL,...] [--errno ENOSYS|EPERM] -- COMMAND [ARGUMENTS...]
// oldkernel --list
//
// Runs COMMAND as on an older kernel: a seccomp filter answers ENOSYS to every system call that came after
// VERSION (4.9, 4.19, 5.4, ...), and to the requests of older calls that came after it what an old kernel answers
// there. --without refuses single calls by name, on top or alone; --errno EPERM answers as careless
// filters do (some container managers'). --list prints what is known: name and first version.
//
// What this cannot imitate are files (cgroup.kill), mount options, and flags which an old kernel ignores.
//
// no_new_privs stays off, so that set-user-id programs and capabilities behave as always: needs CAP_SYS_ADMIN.

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// From <linux/filter.h>, <linux/seccomp.h> and <linux/audit.h>, which musl-gcc does not see.
struct instruction {
    uint16_t code;
    uint8_t jump_true, jump_false;
    uint32_t operand;
};
struct program {
    unsigned short length;
    struct instruction* instructions;
};
enum {
    load_word = 0x20,
    jump_equal = 0x15,
    jump_above = 0x25,
    jump_any_bit = 0x45,
    give_back = 0x06,
    set_filter = 2,  // PR_SET_SECCOMP's SECCOMP_MODE_FILTER
    number_offset = 0,
    architecture_offset = 4,
    arguments_offset = 16,
};
#define ALLOW 0x7fff0000U
#define ANSWER(number) (0x00050000U | (uint32_t)(number))

#if defined(__x86_64__)
#define ARCHITECTURE 0xc000003eU
#elif defined(__i386__)
#define ARCHITECTURE 0x40000003U
#elif defined(__aarch64__)
#define ARCHITECTURE 0xc00000b7U
#elif defined(__arm__)
#define ARCHITECTURE 0x40000028U
#elif defined(__riscv)
#define ARCHITECTURE 0xc00000f3U
#elif defined(__mips__) && __mips == 32 && defined(__MIPSEL__)
#define ARCHITECTURE 0x40000008U
#else
#error "oldkernel: name this architecture's AUDIT_ARCH"
#endif

// Numbers from 424 on are the same everywhere, but for this offset of MIPS.
#if defined(__mips__)
enum { base = 4000 };
#else
enum { base = 0 };
#endif

#define VERSION(major, minor) ((major)*1000 + (minor))

static const struct call {
    const char* name;
    int number;
    int since;  // VERSION
} calls[] = {
    {"unshare", SYS_unshare, 0},
    {"epoll_pwait", SYS_epoll_pwait, 0},
#ifdef SYS_rt_sigtimedwait
    {"rt_sigtimedwait", SYS_rt_sigtimedwait, 0},
#endif
#ifdef SYS_timerfd_settime
    {"timerfd_settime", SYS_timerfd_settime, 0},
#endif
    {"copy_file_range", SYS_copy_file_range, VERSION(4, 5)},
    {"preadv2", SYS_preadv2, VERSION(4, 6)},
    {"pwritev2", SYS_pwritev2, VERSION(4, 6)},
    {"pkey_mprotect", SYS_pkey_mprotect, VERSION(4, 9)},
    {"pkey_alloc", SYS_pkey_alloc, VERSION(4, 9)},
    {"pkey_free", SYS_pkey_free, VERSION(4, 9)},
    {"statx", SYS_statx, VERSION(4, 11)},
    {"bpf", SYS_bpf, VERSION(4, 15)},  // older, but not for control groups
#ifdef SYS_io_pgetevents
    {"io_pgetevents", SYS_io_pgetevents, VERSION(4, 18)},
#endif
#ifdef SYS_rseq
    {"rseq", SYS_rseq, VERSION(4, 18)},
#endif
#ifndef __LP64__  // where a time once had 32 bits
    {"clock_gettime64", base + 403, VERSION(5, 1)},
    {"clock_settime64", base + 404, VERSION(5, 1)},
    {"clock_adjtime64", base + 405, VERSION(5, 1)},
    {"clock_getres_time64", base + 406, VERSION(5, 1)},
    {"clock_nanosleep_time64", base + 407, VERSION(5, 1)},
    {"timer_gettime64", base + 408, VERSION(5, 1)},
    {"timer_settime64", base + 409, VERSION(5, 1)},
    {"timerfd_gettime64", base + 410, VERSION(5, 1)},
    {"timerfd_settime64", base + 411, VERSION(5, 1)},
    {"utimensat_time64", base + 412, VERSION(5, 1)},
    {"pselect6_time64", base + 413, VERSION(5, 1)},
    {"ppoll_time64", base + 414, VERSION(5, 1)},
    {"io_pgetevents_time64", base + 416, VERSION(5, 1)},
    {"recvmmsg_time64", base + 417, VERSION(5, 1)},
    {"mq_timedsend_time64", base + 418, VERSION(5, 1)},
    {"mq_timedreceive_time64", base + 419, VERSION(5, 1)},
    {"semtimedop_time64", base + 420, VERSION(5, 1)},
    {"rt_sigtimedwait_time64", base + 421, VERSION(5, 1)},
    {"futex_time64", base + 422, VERSION(5, 1)},
    {"sched_rr_get_interval_time64", base + 423, VERSION(5, 1)},
#endif
    {"pidfd_send_signal", base + 424, VERSION(5, 1)},
    {"io_uring_setup", base + 425, VERSION(5, 1)},
    {"io_uring_enter", base + 426, VERSION(5, 1)},
    {"io_uring_register", base + 427, VERSION(5, 1)},
    {"open_tree", base + 428, VERSION(5, 2)},
    {"move_mount", base + 429, VERSION(5, 2)},
    {"fsopen", base + 430, VERSION(5, 2)},
    {"fsconfig", base + 431, VERSION(5, 2)},
    {"fsmount", base + 432, VERSION(5, 2)},
    {"fspick", base + 433, VERSION(5, 2)},
    {"pidfd_open", base + 434, VERSION(5, 3)},
    {"clone3", base + 435, VERSION(5, 3)},
    {"close_range", base + 436, VERSION(5, 9)},
    {"openat2", base + 437, VERSION(5, 6)},
    {"pidfd_getfd", base + 438, VERSION(5, 6)},
    {"faccessat2", base + 439, VERSION(5, 8)},
    {"process_madvise", base + 440, VERSION(5, 10)},
    {"epoll_pwait2", base + 441, VERSION(5, 11)},
    {"mount_setattr", base + 442, VERSION(5, 12)},
    {"quotactl_fd", base + 443, VERSION(5, 14)},
    {"landlock_create_ruleset", base + 444, VERSION(5, 13)},
    {"landlock_add_rule", base + 445, VERSION(5, 13)},
    {"landlock_restrict_self", base + 446, VERSION(5, 13)},
    {"memfd_secret", base + 447, VERSION(5, 14)},
    {"process_mrelease", base + 448, VERSION(5, 15)},
    {"futex_waitv", base + 449, VERSION(5, 16)},
    {"set_mempolicy_home_node", base + 450, VERSION(5, 17)},
    {"cachestat", base + 451, VERSION(6, 5)},
    {"fchmodat2", base + 452, VERSION(6, 6)},
    {"map_shadow_stack", base + 453, VERSION(6, 6)},
    {"futex_wake", base + 454, VERSION(6, 7)},
    {"futex_wait", base + 455, VERSION(6, 7)},
    {"futex_requeue", base + 456, VERSION(6, 7)},
    {"statmount", base + 457, VERSION(6, 8)},
    {"listmount", base + 458, VERSION(6, 8)},
    {"lsm_get_self_attr", base + 459, VERSION(6, 8)},
    {"lsm_set_self_attr", base + 460, VERSION(6, 8)},
    {"lsm_list_modules", base + 461, VERSION(6, 8)},
    {"mseal", base + 462, VERSION(6, 10)},
    {"setxattrat", base + 463, VERSION(6, 13)},
    {"getxattrat", base + 464, VERSION(6, 13)},
    {"listxattrat", base + 465, VERSION(6, 13)},
    {"removexattrat", base + 466, VERSION(6, 13)},
    {"open_tree_attr", base + 467, VERSION(6, 15)},
    {"file_getattr", base + 468, VERSION(6, 17)},
    {"file_setattr", base + 469, VERSION(6, 17)},
};
enum { call_count = sizeof calls / sizeof *calls, last_number = base + 469 };

// Requests of calls that are older than they.
static const struct request {
    const char* name;
    int number;      // of the call
    int argument;    // which of its arguments tells
    uint32_t value;  // what it is then; with `bits` a bit of it
    int bits;
    int answer;  // what kernels before `since` answer
    int since;
} requests[] = {
#ifdef __mips__
    {"ioctl:TIOCGPTPEER", SYS_ioctl, 1, 0x20005441, 0, ENOTTY, VERSION(4, 13)},
#else
    {"ioctl:TIOCGPTPEER", SYS_ioctl, 1, 0x5441, 0, ENOTTY, VERSION(4, 13)},
#endif
// _IO(0xb7, 3), with the bit that MIPS sets for a request without data.
#ifdef __mips__
    {"ioctl:NS_GET_NSTYPE", SYS_ioctl, 1, 0x2000b703, 0, ENOTTY, VERSION(4, 11)},
#else
    {"ioctl:NS_GET_NSTYPE", SYS_ioctl, 1, 0xb703, 0, ENOTTY, VERSION(4, 11)},
#endif
    {"ioctl:LOOP_CONFIGURE", SYS_ioctl, 1, 0x4c0a, 0, EINVAL, VERSION(5, 8)},
    {"seccomp:SECCOMP_GET_ACTION_AVAIL", SYS_seccomp, 0, 2, 0, EINVAL, VERSION(4, 14)},
    {"waitid:P_PIDFD", SYS_waitid, 0, 3, 0, EINVAL, VERSION(5, 4)},
    {"unshare:CLONE_NEWTIME", SYS_unshare, 0, 0x80, 1, EINVAL, VERSION(5, 6)},
    // These are older than any kernel we care for, so only --without refuses them, as a kernel built without the
    // namespace does. Add clone3: its flags lie in memory, where a filter cannot look.
    {"clone:CLONE_NEWNS", SYS_clone, 0, 0x00020000, 1, EINVAL, 0},
    {"clone:CLONE_NEWCGROUP", SYS_clone, 0, 0x02000000, 1, EINVAL, 0},
    {"clone:CLONE_NEWUTS", SYS_clone, 0, 0x04000000, 1, EINVAL, 0},
    {"clone:CLONE_NEWIPC", SYS_clone, 0, 0x08000000, 1, EINVAL, 0},
    {"clone:CLONE_NEWUSER", SYS_clone, 0, 0x10000000, 1, EINVAL, 0},
    {"clone:CLONE_NEWPID", SYS_clone, 0, 0x20000000, 1, EINVAL, 0},
    {"clone:CLONE_NEWNET", SYS_clone, 0, 0x40000000, 1, EINVAL, 0},
    {"unshare:CLONE_NEWNET", SYS_unshare, 0, 0x40000000, 1, EINVAL, 0},
    {"unshare:CLONE_NEWCGROUP", SYS_unshare, 0, 0x02000000, 1, EINVAL, 0},
    {"socket:NETLINK_NETFILTER", SYS_socket, 2, 12, 0, EPROTONOSUPPORT, 0},
    {"prctl:PR_SET_CHILD_SUBREAPER", SYS_prctl, 0, 36, 0, EINVAL, 0},
    {"memfd_create:MFD_NOEXEC_SEAL", SYS_memfd_create, 1, 0x18, 1, EINVAL, VERSION(6, 3)},
};
enum { request_count = sizeof requests / sizeof *requests };

static struct instruction filter[4 + 2 * call_count + 6 * request_count + 4];
static unsigned short filter_length;

static void add(unsigned code, unsigned jump_true, unsigned jump_false, uint32_t operand)
{
    filter[filter_length++] = (struct instruction){(uint16_t)code, (uint8_t)jump_true, (uint8_t)jump_false, operand};
}

static void refuse_call(int number, int answer)
{
    add(jump_equal, 0, 1, (uint32_t)number);
    add(give_back, 0, 0, ANSWER(answer));
}

static void refuse_request(const struct request* request, int answer)
{
    add(jump_equal, 0, 4, (uint32_t)request->number);
    add(load_word, 0, 0, arguments_offset + 8 * (uint32_t)request->argument);  // little endian: the low half
    add(request->bits ? jump_any_bit : jump_equal, 0, 1, request->value);
    add(give_back, 0, 0, ANSWER(answer));
    add(load_word, 0, 0, number_offset);
}

static int is_listed(const char* list, const char* name)
{
    const size_t length = strlen(name);
    for (const char* at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return 1;
    }
    return 0;
}

static int is_known(const char* name, size_t length)
{
    for (size_t i = 0; i < call_count; ++i)
        if (strlen(calls[i].name) == length && strncmp(calls[i].name, name, length) == 0)
            return 1;
    for (size_t i = 0; i < request_count; ++i)
        if (strlen(requests[i].name) == length && strncmp(requests[i].name, name, length) == 0)
            return 1;
    return 0;
}

static int usage(void)
{
    fputs("usage: oldkernel [--kernel VERSION] [--without CALL,...] [--errno ENOSYS|EPERM] -- COMMAND...\n"
          "       oldkernel --list\n",
          stderr);
    return 125;
}

static int list(void)
{
    for (size_t i = 0; i < call_count; ++i)
        printf("%-30s %d.%d\n", calls[i].name, calls[i].since / 1000, calls[i].since % 1000);
    for (size_t i = 0; i < request_count; ++i)
        printf("%-30s %d.%d\n", requests[i].name, requests[i].since / 1000, requests[i].since % 1000);
    return 0;
}

int main(int argc, char** argv)
{
    int kernel = VERSION(999, 0), answer = ENOSYS, at = 1;
    const char* without = "";
    for (; at < argc && strcmp(argv[at], "--") != 0; at += 2) {
        if (strcmp(argv[at], "--list") == 0)
            return list();
        if (at + 1 >= argc)
            return usage();
        const char* value = argv[at + 1];
        // --since is the older spelling of --kernel.
        if (strcmp(argv[at], "--kernel") == 0 || strcmp(argv[at], "--since") == 0) {
            int major, minor;
            if (sscanf(value, "%d.%d", &major, &minor) != 2)
                return usage();
            kernel = VERSION(major, minor);
        } else if (strcmp(argv[at], "--without") == 0) {
            without = value;
        } else if (strcmp(argv[at], "--errno") == 0) {
            answer = strcmp(value, "EPERM") == 0 ? EPERM : strcmp(value, "ENOSYS") == 0 ? ENOSYS : 0;
            if (answer == 0)
                return usage();
        } else {
            return usage();
        }
    }
    if (at + 1 >= argc)
        return usage();
    // A misspelt name would refuse nothing, and the test would prove nothing.
    for (const char* name = without; *name;) {
        const size_t length = strcspn(name, ",");
        if (!is_known(name, length)) {
            fprintf(stderr, "oldkernel: unknown call '%.*s' (see --list)\n", (int)length, name);
            return 125;
        }
        name += length + (name[length] == ',');
    }

    add(load_word, 0, 0, architecture_offset);
    add(jump_equal, 1, 0, ARCHITECTURE);
    add(give_back, 0, 0, ALLOW);
    add(load_word, 0, 0, number_offset);
    if (kernel < VERSION(999, 0)) {
#ifdef __arm__
        add(jump_above, 2, 0, 0xeffff);  // ARM has a few that are as old as it, far beyond all others
#endif
        add(jump_above, 0, 1, last_number);
        add(give_back, 0, 0, ANSWER(answer));
    }
    for (size_t i = 0; i < request_count; ++i)
        if (requests[i].since > kernel || is_listed(without, requests[i].name))
            refuse_request(&requests[i], requests[i].answer);
    for (size_t i = 0; i < call_count; ++i)
        if (calls[i].since > kernel || is_listed(without, calls[i].name))
            refuse_call(calls[i].number, answer);
    add(give_back, 0, 0, ALLOW);

    const struct program program = {filter_length, filter};
    if (prctl(PR_SET_SECCOMP, set_filter, &program, 0, 0) < 0) {
        perror("oldkernel: seccomp (needs CAP_SYS_ADMIN)");
        return 125;
    }
    execvp(argv[at + 1], argv + at + 1);
    perror(argv[at + 1]);
    return 127;
}
