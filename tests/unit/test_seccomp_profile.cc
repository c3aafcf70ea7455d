// SPDX-License-Identifier: MIT
#include "kernel/seccomp_profile.h"

#include "base/syscall_numbers.h"
#include "child.h"
#include "filter.h"
#include "kernel/seccomp.h"
#include "kernel/syscall_names.h"
#include "spec/read.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <map>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <vector>

using namespace vial;

namespace {

constexpr std::uint32_t killed = SECCOMP_RET_KILL_PROCESS;

struct Filter {
    List<sock_filter> program;

    std::uint32_t operator()(std::uint32_t number, std::uint64_t first = 0, std::uint64_t second = 0) const
    {
        seccomp_data call{};
        call.nr = static_cast<int>(number);
        call.arch = default_filter()[1].k;
        call.args[0] = first;
        call.args[1] = second;
        return judge_call({program.data(), program.size()}, call).action;
    }
};

Filter good(const std::string& text, std::uint64_t capabilities = 0)
{
    SeccompProfile profile = read_seccomp_profile(text, capabilities);
    for (const Diagnostic& problem : profile.problems)
        FAIL_CHECK(std::string(format(problem, "p")));
    REQUIRE(profile.program.size() > 3);
    return {std::move(profile.program)};
}

std::string wrong(const std::string& text)
{
    std::string all;
    for (const Diagnostic& problem : read_seccomp_profile(text, 0).problems)
        all += std::string(format(problem, "p")) + "\n";
    return all;
}

std::uint32_t number_of(std::string_view name)
{
    for (SyscallNames names; names.next();)
        if (names.name() == name)
            return names.number();
    FAIL("no such name: ", std::string(name));
    return 0;
}

}  // namespace

TEST_CASE("each call's name and number are known")
{
    std::map<std::string, std::uint32_t> all;
    for (SyscallNames names; names.next();) {
        CHECK_MESSAGE(all.emplace(names.name(), names.number()).second, std::string(names.name()));
        CHECK(names.name().size() < 32);
    }
    CHECK(all.size() > 450);
    CHECK(all["read"] == __NR_read);
    CHECK(all["execve"] == __NR_execve);
    CHECK(all["clone3"] == VIAL_FIRST_SYSCALL + 435);
    CHECK(all["set_mempolicy_home_node"] == VIAL_FIRST_SYSCALL + 450);
    CHECK(all["file_setattr"] == VIAL_FIRST_SYSCALL + 469);
    CHECK(all["sched_get_priority_max"] == __NR_sched_get_priority_max);
#ifdef __x86_64__
    CHECK(all["fstatat64"] == SyscallNames::elsewhere);
    CHECK(all["riscv_flush_icache"] == SyscallNames::elsewhere);
#else
    CHECK(all["uretprobe"] == SyscallNames::elsewhere);
#endif
#ifdef __arm__
    CHECK(all["sync_file_range2"] == all["arm_sync_file_range"]);
    CHECK(all["set_tls"] == 0xf0005);
#endif
}

TEST_CASE("a profile that includes the default is the default but for what it says")
{
    const Filter same = good("include default\n");
    const Filter other = good("# ours\n\ninclude default   # and\nallow ptrace uselib fstatat64\n"
                              "errno getpid=ENOSYS getppid=7 gettid\nkill kexec_load\nlog sync\n");
    const Filter plain = {[] {
        List<sock_filter> program;
        program.append(default_filter().data(), default_filter().size());
        return program;
    }()};
    for (std::uint32_t number = VIAL_FIRST_SYSCALL; number < VIAL_FIRST_SYSCALL + 600; ++number) {
        for (const std::uint64_t argument : {std::uint64_t{0}, ~std::uint64_t{0}}) {
            const std::uint32_t usual = plain(number, argument, argument);
            const bool known = usual != missing && usual != refused;
            if (known)
                CHECK_MESSAGE(same(number, argument, argument) == usual, number);
            else
                CHECK(same(number, argument, argument) != allowed);
            std::uint32_t expected = usual;
            switch (number) {
            case __NR_ptrace:
                expected = allowed;
                break;
            case __NR_getpid:
                expected = missing;
                break;
            case __NR_getppid:
                expected = SECCOMP_RET_ERRNO | 7;
                break;
            case __NR_gettid:
                expected = refused;
                break;
            case __NR_kexec_load:
                expected = killed;
                break;
            case __NR_sync:
                expected = SECCOMP_RET_LOG;
                break;
            default:
                if (number == number_of("uselib"))
                    expected = allowed;
                else if (!known)
                    continue;
            }
            CHECK_MESSAGE(other(number, argument, argument) == expected, number);
        }
    }
}

TEST_CASE("what depends on an argument goes on doing so, unless any is allowed")
{
    const Filter usual = good("default errno=EACCES\nallow execve clone socket ioctl personality\n");
    CHECK(usual(__NR_clone, SIGCHLD) == allowed);
    CHECK(usual(__NR_clone, CLONE_NEWUSER) == refused);
    CHECK(usual(__NR_ioctl, 0, TIOCSTI) == refused);
    CHECK(usual(__NR_ioctl, 0, TIOCGWINSZ) == allowed);
    CHECK(usual(__NR_personality, 0x40000) == refused);
    CHECK(usual(__NR_socket, 38) == (SECCOMP_RET_ERRNO | EAFNOSUPPORT));
    CHECK(usual(__NR_read) == (SECCOMP_RET_ERRNO | EACCES));
    CHECK(usual(VIAL_FIRST_SYSCALL + 900) == missing);

    const Filter any = good("default errno\nallow execve clone=any socket=any ioctl=any personality=any clone3\n");
    CHECK(any(__NR_clone, CLONE_NEWUSER) == allowed);
    CHECK(any(__NR_ioctl, 0, TIOCSTI) == allowed);
    CHECK(any(__NR_personality, 0x40000) == allowed);
    CHECK(any(__NR_socket, 38) == allowed);
    CHECK(any(__NR_clone3) == allowed);
    CHECK(any(__NR_read) == refused);
}

TEST_CASE("a capability opens in a profile what it opens in the default")
{
    const std::string text = "include default\nkill sync\n";
    CHECK(good(text)(__NR_mount) == refused);
    CHECK(good(text, 1ULL << CAP_SYS_ADMIN)(__NR_mount) == allowed);
    CHECK(good(text, 1ULL << CAP_SYS_ADMIN)(__NR_clone, CLONE_NEWNS) == allowed);
    CHECK(good(text, 1ULL << CAP_SYS_PTRACE)(__NR_mount) == refused);
}

TEST_CASE("what becomes of all other calls")
{
    CHECK(good("default allow\n")(VIAL_FIRST_SYSCALL + 900) == allowed);
    CHECK(good("default allow\n")(__NR_mount) == allowed);
    CHECK(good("default allow\nerrno mount\n")(__NR_mount) == refused);
    CHECK(good("default log\n")(VIAL_FIRST_SYSCALL + 900) == SECCOMP_RET_LOG);
    CHECK(good("default kill\nallow execve read\n")(VIAL_FIRST_SYSCALL + 900) == killed);
    CHECK(good("default kill\nallow execve read\n")(__NR_read) == allowed);
    CHECK(read_seccomp_profile("default log\n", 0).logs);
    CHECK(read_seccomp_profile("include default\nlog sync", 0).logs);
    CHECK_FALSE(read_seccomp_profile("include default\n", 0).logs);
}

TEST_CASE("other architectures are deadly under any profile")
{
    const Filter all = good("default allow\n");
    seccomp_data call{};
    call.nr = 1;
    call.arch = 0x12345678;
    CHECK(judge_call({all.program.data(), all.program.size()}, call).action == killed);
#ifdef __x86_64__
    CHECK(all(0x40000001) == killed);
#endif
}

TEST_CASE("a profile that is as ragged as can be is right, however long its program")
{
    // Neighbours never have the same fate, and there are many fates.
    std::string text = "default errno=EINVAL\nallow execve exit_group\n";
    std::map<std::uint32_t, std::uint32_t> expected;
    unsigned turn = 0;
    for (SyscallNames names; names.next();) {
        if (names.name() == "execve" || names.name() == "exit_group" || names.number() == SyscallNames::elsewhere ||
            expected.count(names.number()) != 0)
            continue;
        const unsigned number = 1 + turn++ % 40;
        text += "errno " + std::string(names.name()) + "=" + std::to_string(number) + "\n";
        expected[names.number()] = SECCOMP_RET_ERRNO | number;
    }
    const Filter ragged = good(text);
    CHECK(ragged.program.size() > 300);
    CHECK(ragged.program.size() < BPF_MAXINSNS);
    for (const auto& [number, action] : expected)
        CHECK_MESSAGE(ragged(number) == action, number);
    CHECK(ragged(__NR_execve) == allowed);
#ifdef __SANITIZE_ADDRESS__
    constexpr bool watched = true;  // the sanitizer makes calls of its own
#else
    constexpr bool watched = false;
#endif
    if (!watched && !emulated()) {
        const auto ended = in_child([&] {
            if (!os::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, "").ok() ||
                !install_filter({ragged.program.data(), ragged.program.size()}).ok())
                return 1;
            return ::syscall(__NR_getppid) == -1 && errno == static_cast<int>(expected[__NR_getppid] & 0xffff) ? 0 : 2;
        });
        CHECK(ended.exit_code() == 0);
    }
}

TEST_CASE("what is wrong is told where it stands, all of it")
{
    CHECK(wrong("include default\nallow reed\n") == "p:2:7: unknown system call 'reed'; did you mean 'read'?\n");
    CHECK(wrong("include default\n\n  allow  read xyzzyxyzzy write zz\n") ==
          "p:3:15: unknown system call 'xyzzyxyzzy'\np:3:32: unknown system call 'zz'\n");
    CHECK(wrong("include default\npermit read\n") ==
          "p:2:1: a line begins with allow, errno, kill, log, default or include\n");
    CHECK(wrong("allow execve read\n") ==
          "p: what becomes of all other calls? 'include default' or 'default ACTION' is missing\n");
    CHECK(wrong("include default\nallow read\nerrno write read\n") == "p:3:13: 'read' is named twice\n");
    CHECK(wrong("include default\ndefault kill\n") == "p:2:1: what becomes of all other calls has been said before\n");
    CHECK(wrong("include other\n") == "p:1:9: only 'default' can be included\n");
    CHECK(wrong("default deny\n") == "p:1:9: expected allow, errno, errno=NAME, kill or log\n");
    CHECK(wrong("default kill=EPERM\n") == "p:1:9: expected allow, errno, errno=NAME, kill or log\n");
    CHECK(wrong("default errno=EWHAT\nallow execve\n").find("p:1:15: expected EPERM, ") == 0);
    CHECK(wrong("include default\nerrno read=0 write=4096 open=\n").find("p:2:12: ") == 0);
    CHECK(wrong("include default\nkill read=EPERM\n") == "p:2:11: no value may stand here\n");
    CHECK(wrong("include default\nallow clone=all\n") == "p:2:13: expected 'any', or nothing\n");
    CHECK(wrong("include default more\n") == "p:1:17: one word is enough\n");
    CHECK(wrong("include\n").find("p:1:1: ") == 0);
    CHECK(wrong("include default\nallow # nothing\n") == "p:2:1: which system calls?\n");
    CHECK(wrong("default errno\nallow read\n") == "p: execve is not allowed: no program could be started\n");
    CHECK(wrong("include default\nkill execve\n") == "p: execve is not allowed: no program could be started\n");
    CHECK(wrong("default allow\nlog \xc3\xa4\xc3\xa4 x\033[2J\n") ==
          "p:2:5: that is no system call\np:2:8: that is no system call\n");
    CHECK(wrong("").find("p: what becomes") == 0);

    // As the last of all, too, and with more wrong names than are told.
    std::string last = "allow execve\n";
    unsigned different = 1;
    for (SyscallNames names; names.next() && different <= 64;)
        if (names.name() != "execve")
            last += "errno " + std::string(names.name()) + "=" + std::to_string(different++) + "\n";
    CHECK(wrong(last + "default errno=99\n") == "p:66:9: more different errors than there is room for\n");
    CHECK(wrong(last + "default log\n") == "p:66:9: more different errors than there is room for\n");
    std::string nonsense = "include default\nallow";
    for (int count = 0; count < 100000; ++count)
        nonsense += " q" + std::to_string(count);
    CHECK(wrong(nonsense).find("p: there are more problems than these\n") != std::string::npos);

    std::string many = "default allow\n";
    unsigned number = 1;
    for (SyscallNames names; names.next() && number < 80;)
        many += "errno " + std::string(names.name()) + "=" + std::to_string(number++) + "\n";
    CHECK(wrong(many).find("more different errors than there is room for") != std::string::npos);
}
