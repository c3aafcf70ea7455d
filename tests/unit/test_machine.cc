// SPDX-License-Identifier: MIT

/// What one machine numbers and lays out in another way than the next: its own words, against what its kernel does with
/// them. On this machine most of it cannot fail; `make check-cross` runs it on the others.

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "child.h"
#include "kernel/seccomp.h"

#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

using namespace vial;

namespace {

constexpr std::int64_t gigabyte = 1 << 30;

sigset_t only(int number)
{
    // Not by sigaddset(3), which refuses a few.
    unsigned long words[sizeof(sigset_t) / sizeof(unsigned long)] = {};
    const auto bit = static_cast<unsigned>(number - 1);
    constexpr unsigned word_bits = 8 * sizeof(unsigned long);
    words[bit / word_bits] = 1UL << bit % word_bits;
    sigset_t set;
    std::memcpy(&set, words, sizeof set);
    return set;
}

}  // namespace

TEST_CASE("signals have this kernel's numbers")
{
#ifdef __mips__
    constexpr int user1 = 16, user2 = 17, child = 18, stop = 23, terminal_stop = 24, go_on = 25, bus = 10,
                  bad_call = 12;
    CHECK(parse_signal("EMT") == 7);
    CHECK(!parse_signal("STKFLT"));
#else
    constexpr int user1 = 10, user2 = 12, child = 17, stop = 19, terminal_stop = 20, go_on = 18, bus = 7, bad_call = 31;
    CHECK(parse_signal("STKFLT") == 16);
#endif
    CHECK(parse_signal("KILL") == 9);
    CHECK(parse_signal("TERM") == 15);
    CHECK(parse_signal("USR1") == user1);
    CHECK(parse_signal("USR2") == user2);
    CHECK(parse_signal("CHLD") == child);
    CHECK(parse_signal("STOP") == stop);
    CHECK(parse_signal("TSTP") == terminal_stop);
    CHECK(parse_signal("CONT") == go_on);
    CHECK(parse_signal("BUS") == bus);
    CHECK(parse_signal("SYS") == bad_call);
}

TEST_CASE("every signal can be blocked, heard and waited for")
{
    const auto ended = in_child([] {
        os::restore_signals();
        os::block_signals();
        for (const int number : {SIGHUP, SIGUSR1, SIGCHLD, SIGWINCH, SIGSYS, 36, emulated() ? 37 : last_signal}) {
            const Fd heard = os::signal_descriptor(only(number)).take();
            signalfd_siginfo signal{};
            if (!os::kill(::getpid(), number).ok() ||
                os::read(heard.get(), &signal, sizeof signal).value_or(0) != sizeof signal ||
                static_cast<int>(signal.ssi_signo) != number || static_cast<pid_t>(signal.ssi_pid) != ::getpid())
                return number;
            siginfo_t waited{};
            if (!os::kill(::getpid(), number).ok() || os::wait_signal(only(number), waited) != number ||
                waited.si_pid != ::getpid())
                return 128 + number % 64;
        }
        return 0;
    });
    CHECK(ended.exit_code() == 0);
}

TEST_CASE("a signal is thrown away, or does what it does by default")
{
    const auto ended = in_child([] {
        os::restore_signals();
        for (const int number : {SIGHUP, SIGUSR1, SIGCHLD, SIGTSTP, 36}) {
            struct sigaction action {};
            if (os::set_ignored(number, true) || ::sigaction(number, nullptr, &action) != 0 ||
                action.sa_handler != SIG_IGN || action.sa_flags != 0 || !os::set_ignored(number, false) ||
                ::sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_DFL)
                return number;
        }
        return 0;
    });
    CHECK(ended.exit_code() == 0);
    const auto killed = in_child([] {
        os::restore_signals();
        (void)os::kill(::getpid(), SIGUSR1);
        return 0;
    });
    CHECK(killed.code == CLD_KILLED);
    CHECK(killed.status == SIGUSR1);
}

TEST_CASE("files are larger than a word")
{
    const Fd file = os::memfd("large").take();
    CHECK(os::pwrite(file.get(), "end", 3, 5 * gigabyte).value() == 3);
    CHECK(os::fstat(file.get()).value().st_size == 5 * gigabyte + 3);
    char found[4] = {};
    CHECK(os::pread(file.get(), found, 3, 5 * gigabyte).value() == 3);
    CHECK(std::string_view(found) == "end");
    CHECK(os::pread(file.get(), found, 3, gigabyte).value() == 3);
    CHECK(found[0] == '\0');
    CHECK(os::fallocate(file.get(), 4096).ok());
    CHECK(os::fstat(file.get()).value().st_size == 5 * gigabyte + 3);
}

TEST_CASE("a time may be beyond 2038")
{
    constexpr std::int64_t far = 1000LL << 33;
    const Fd timer = os::timer().take();
    REQUIRE(os::arm(timer.get(), far + 1).ok());
    itimerspec left{};
    REQUIRE(::timerfd_gettime(timer.get(), &left) == 0);
    CHECK(left.it_value.tv_sec <= far / 1000);
    CHECK(left.it_value.tv_sec > far / 1000 - os::boottime_ms() / 1000 - 60);
    REQUIRE(os::arm(timer.get(), os::never).ok());
    REQUIRE(::timerfd_gettime(timer.get(), &left) == 0);
    CHECK(left.it_value.tv_sec == 0);
    CHECK(left.it_value.tv_nsec == 0);

    REQUIRE(os::arm(timer.get(), os::boottime_ms() + 1).ok());
    pollfd entry{timer.get(), POLLIN, 0};
    CHECK(os::poll({&entry, 1}, 60'000).value() == 1);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    CHECK(os::realtime_ms() / 1000 - std::int64_t{now.tv_sec} <= 60);
    CHECK(std::int64_t{now.tv_sec} - os::realtime_ms() / 1000 <= 0);
}

TEST_CASE("a limit has 64 bits, or is none where the kernel has no room for it")
{
    const auto ended = in_child([] {
        const rlimit small{12345, 67890};
        if (!os::setrlimit(RLIMIT_NOFILE, {123, 456}).ok() || !os::setrlimit(RLIMIT_FSIZE, small).ok())
            return 1;
        const rlimit found = os::getrlimit(RLIMIT_FSIZE).value();
        if (found.rlim_cur != small.rlim_cur || found.rlim_max != small.rlim_max)
            return 2;
        const Text limits = os::read_file(AT_FDCWD, "/proc/self/limits").value();
        for (const char* line : {"Max file size             12345                67890                bytes",
                                 "Max open files            123                  456                  files"}) {
            if (limits.find(line) == limits.npos)
                return 3;
        }
        return 0;
    });
    CHECK(ended.exit_code() == 0);
    const auto large_ended = in_child([] {
        const rlimit large{5 * gigabyte, 6 * gigabyte};
        if (!os::setrlimit(RLIMIT_FSIZE, large).ok())
            return 1;
        const rlimit found = os::getrlimit(RLIMIT_FSIZE).value();
        const bool none = sizeof(long) == 4 && found.rlim_cur == ~rlim_t{0} && found.rlim_max == ~rlim_t{0};
        return none || (found.rlim_cur == large.rlim_cur && found.rlim_max == large.rlim_max) ? 0 : 2;
    });
    CHECK(large_ended.exit_code() == 0);
    CHECK(parse_size("3G") == 3 * gigabyte);
    CHECK(parse_size("8T") == 8192 * gigabyte);
}

TEST_CASE("an event brings its token back whole")
{
    const Fd queue = os::epoll().take();
    const os::Pipe pipe = os::pipe().take();
    constexpr std::uint64_t token = 0x0123456789abcdef;
    REQUIRE(os::watch(queue.get(), pipe.write.get(), EPOLLOUT, token).ok());
    REQUIRE(os::watch(queue.get(), pipe.read.get(), EPOLLIN, 1).ok());
    REQUIRE(os::write(pipe.write.get(), "x", 1).ok());
    epoll_event events[3] = {};
    REQUIRE(os::wait_events(queue.get(), events, 0).value() == 2);
    CHECK((events[0].data.u64 == token || events[1].data.u64 == token));
    CHECK((events[0].data.u64 == 1 || events[1].data.u64 == 1));
}

TEST_CASE("file systems, mounts and claims are told in the kernel's way")
{
    CHECK(os::filesystem_magic("/proc").value() == 0x9fa0);
    const Fd proc = os::open("/proc", O_RDONLY | O_DIRECTORY).take();
    CHECK(os::filesystem_magic(proc.get()).value() == 0x9fa0);
    CHECK(Opened(os::open("/dev/null", O_RDONLY | O_DIRECTORY)).number() == ENOTDIR);
    CHECK(Opened(os::openat(proc.get(), "self", O_RDONLY | O_NOFOLLOW)).number() == ELOOP);

    const Fd file = os::memfd("claimed").take();
    CHECK(os::claim(file.get()).ok());
    const auto ended = in_child([&] { return os::is_claimed(file.get()).value() ? 0 : 1; });
    CHECK(ended.exit_code() == 0);
    CHECK(!os::is_claimed(file.get()).value());
}

TEST_CASE("the filter is for the machine that the program is for")
{
    char head[20];
    const auto got = os::read_small(AT_FDCWD, "/proc/self/exe", head);
    REQUIRE(got.ok());
    REQUIRE(got.value().size() == sizeof head);
    std::uint16_t machine;
    std::memcpy(&machine, head + 18, sizeof machine);
    std::uint32_t architecture = machine;
    if (head[4] == 2)
        architecture |= __AUDIT_ARCH_64BIT;
    if (head[5] == 1)
        architecture |= __AUDIT_ARCH_LE;
    CHECK(default_filter()[1].k == architecture);
}
