// SPDX-License-Identifier: MIT
//
// `vial init` and its standard error, which it shares with its command: who reads it may have gone to sleep, and who
// writes to it may fill it at any moment.

#include "pid1.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// Writes until nothing more fits. The descriptor is the test's own.
void fill(int fd)
{
    const std::string much(65536, 'x');
    for (std::size_t size = much.size(); size > 0; size /= 2) {
        while (::write(fd, much.data(), size) > 0) {
        }
    }
}

void empty(int fd)
{
    char buffer[65536];
    while (::read(fd, buffer, sizeof buffer) > 0) {
    }
}

/// The same open file anew, non-blocking for the test alone.
Fd own(int fd, int mode)
{
    return Fd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool writes(std::uint64_t number)
{
    for (const long call : {SYS_write, SYS_writev, SYS_pwritev2, SYS_sendto, SYS_sendmsg, SYS_tee, SYS_splice})
        if (number == static_cast<std::uint64_t>(call))
            return true;
    return false;
}

/// One system call after the other of what is traced, until it waits for events. `before`: at the entry of each call that
/// writes. False: it is stuck in a call.
bool step_until_waiting(const Traced& traced, pid_t pid, const std::function<void()>& before)
{
    for (int turn = 0; turn < 10000; turn++) {
        if (::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) != 0 || traced.stop() == 0)
            return false;
        ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0)
            return false;
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
            continue;
        const bool waits = info.entry.nr == SYS_epoll_pwait || info.entry.nr == SYS_rt_sigtimedwait;
        if (waits && status_of(pid, "ShdPnd") == signal_set({}))
            return true;
        if (writes(info.entry.nr))
            before();
    }
    return false;
}

/// `vial init --verbose` that is told of a signal and says so, while somebody fills its standard error in the very
/// moment before it writes.
void filled_before_each_write(bool with_proc)
{
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    Fd reader(pipe[0]), writer(pipe[1]);
    const Fd ours = own(writer.get(), O_WRONLY);
    REQUIRE(::fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0);
    Contained process(pid1({"--verbose"}, witness()), [&] {
        ::dup2(writer.get(), 2);
        if (!with_proc)
            ::umount2("/proc", MNT_DETACH), ::mount("tmpfs", "/proc", "tmpfs", 0, nullptr);
    });
    CHECK(process.says("set"));
    {
        Traced traced(process.pid(), PTRACE_O_TRACESYSGOOD);
        ::ptrace(PTRACE_INTERRUPT, process.pid(), nullptr, nullptr);
        CHECK(traced.stop() != 0);
        process.kill(SIGUSR1);
        int filled = 0;
        const bool waits = step_until_waiting(traced, process.pid(), [&] {
            fill(ours.get());
            filled++;
        });
        CHECK(waits);
        CHECK(filled > 0);
        if (waits)
            traced.let_go();
    }
    CHECK(process.says("got 10"));
    // Nothing has changed for whoever else has the descriptor.
    CHECK((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
    process.send("exit 5\n");
    CHECK(process.end() == 5);
    empty(reader.get());
}

}  // namespace

TEST_CASE("standard error: a pipe that somebody fills just before init writes")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    filled_before_each_write(true);
}

TEST_CASE("standard error: the same where there is no /proc to open it anew")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    filled_before_each_write(false);
}

TEST_CASE("standard error: a socket whose reader sleeps")
{
    const NothingLeft nothing_left;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    const Fd reader(pair[0]), writer(pair[1]);
    const std::string much(4096, 'x');
    for (std::size_t size = much.size(); size > 0; size /= 2) {
        while (::send(writer.get(), much.data(), size, MSG_DONTWAIT) > 0) {
        }
    }
    Contained process(pid1({"--verbose"}, witness()), [&] { ::dup2(writer.get(), 2); });
    CHECK(process.says("set"));
    process.kill(SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 5\n");
    CHECK(process.end() == 5);
}

TEST_CASE("standard error: a file is written at its end, wherever that is by now")
{
    const NothingLeft nothing_left;
    const std::string path = work() + "/errors";
    write_text(path, "before\n");
    Contained process(pid1({"--verbose"}, witness()), [&] {
        const int file = ::open(path.c_str(), O_WRONLY | O_APPEND);
        ::dup2(file, 2);
        ::close(file);
    });
    CHECK(process.says("set"));
    process.kill(SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 5\n");
    CHECK(process.end() == 5);
    CHECK(read_text(path).starts_with("before\n"));
    if (is_vial())
        CHECK(contains(read_text(path), "Forwarded signal 10"));
}

TEST_CASE("standard error: a file that is larger than init may write is no signal for the main process")
{
    const NothingLeft nothing_left;
    const std::string path = work() + "/large";
    write_text(path, std::string(8192, 'x'));
    Contained process(pid1({"--verbose"}, witness()), [&] {
        const int file = ::open(path.c_str(), O_WRONLY | O_APPEND);
        ::dup2(file, 2);
        ::close(file);
        const rlimit limit{4096, 4096};
        (void)::setrlimit(RLIMIT_FSIZE, &limit);
    });
    CHECK(process.says("set"));
    // From somebody else it is one.
    for (const int number : {SIGUSR1, SIGXFSZ, SIGUSR2}) {
        process.kill(number);
        CHECK(process.says("got " + std::to_string(number)));
    }
    process.send("exit 5\n");
    CHECK(process.end() == 5);
    CHECK(process.output() == "set\ngot 10\ngot 25\ngot 12\n");
}

TEST_CASE("standard error: a pipe whose reader has gone keeps init from nothing")
{
    const NothingLeft nothing_left;
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    Fd reader(pipe[0]), writer(pipe[1]);
    Contained process(pid1({"--verbose"}, witness()), [&] { ::dup2(writer.get(), 2); });
    CHECK(process.says("set"));
    reader.reset();
    for (const int number : {SIGUSR1, SIGTERM, SIGPIPE, SIGCONT}) {
        process.kill(number);
        CHECK(process.says("got " + std::to_string(number)));
    }
    process.send("exit 5\n");
    CHECK(process.end() == 5);
    CHECK(process.output() == "set\ngot 10\ngot 15\ngot 13\ngot 18\n");
}
