// SPDX-License-Identifier: MIT
//
// `vial init -- COMMAND` in somebody's container, on a terminal: job control, and who is in the foreground. See
// pid1.h; what its peers did is written where they failed.

#include "pid1.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// The program under test as the leader of a session with a terminal of its own.
class OnTerminal : public Process {
public:
    explicit OnTerminal(Words words, std::function<void()> prepare = {})
        : Process(std::move(words), Streams::Terminal, contained(std::move(prepare)))
    {
    }
    bool is_ready() { return expect("set\r\n", patience); }
};

pid_t foreground(const Process& process)
{
    int group = 0;
    return ::ioctl(process.terminal(), TIOCGPGRP, &group) == 0 ? group : -1;
}

void set_local_mode(const Process& process, tcflag_t mode)
{
    termios modes{};
    CHECK(::tcgetattr(process.terminal(), &modes) == 0);
    modes.c_lflag |= mode;
    CHECK(::tcsetattr(process.terminal(), TCSANOW, &modes) == 0);
}

/// How often it was said; the terminal may have put an echo in front of it.
int count(const std::string& text, const std::string& line)
{
    int found = 0;
    for (const std::string& one : lines(text))
        found += one.ends_with(line + "\r");
    return found;
}

}  // namespace

TEST_CASE("pid1-25: Ctrl-C, Ctrl-\\ and a new window size reach the foreground group, each once")
{
    const NothingLeft nothing_left;
    OnTerminal process(pid1(witness()));
    REQUIRE(process.is_ready());
    process.send("\x03");
    CHECK(process.expect("got 2\r\n", patience));
    process.send("\x1c");
    CHECK(process.expect("got 3\r\n", patience));
    const winsize size{40, 100, 0, 0};
    CHECK(::ioctl(process.terminal(), TIOCSWINSZ, &size) == 0);
    CHECK(process.expect("got 28\r\n", patience));
    process.kill(SIGUSR1);
    CHECK(process.expect("got 10\r\n", patience));
    CHECK(count(process.output(), "got 2") == 1);
    CHECK(count(process.output(), "got 3") == 1);
    CHECK(count(process.output(), "got 28") == 1);
    process.send("exit 4\n");
    CHECK(process.wait(patience) == 4);
}

TEST_CASE("pid1-25: Ctrl-C ends a main process that lets itself be ended")
{
    const NothingLeft nothing_left;
    OnTerminal process(pid1(script("echo se''t; exec sleep 1000")));
    REQUIRE(process.is_ready());
    process.send("\x03");
    CHECK(process.wait(patience) == 128 + SIGINT);
}

// All three pass. What would break it: an orphaned process group, on which the terminal's Ctrl-Z is lost.
TEST_CASE("pid1-26: an interactive shell has job control")
{
    const NothingLeft nothing_left;
    OnTerminal process(pid1({"env", "PS1=inside> ", "ENV=", "/bin/sh", "-i"}));
    CHECK(process.expect("inside> ", patience));
    CHECK_FALSE(contains(process.output(), "job control"));
    process.send("sleep 1001\n");
    // The shell has put it into the foreground, and the terminal's signals are its.
    const pid_t shell = child_of(process.pid());
    CHECK(eventually(
        [&] {
            const std::vector<pid_t> jobs = children_of(shell);
            return !jobs.empty() && foreground(process) == jobs.front() && state_of(jobs.front()) == 'S';
        },
        patience));
    process.send("\x1a");
    CHECK(process.expect("Stopped", patience));
    CHECK(process.expect("inside> ", patience));
    process.send("bg; echo in''front\n");
    CHECK(process.expect("infront", patience));
    process.send("fg\n");
    CHECK(eventually([&] { return foreground(process) != shell; }, patience));
    process.send("\x03");
    CHECK(process.expect("inside> ", patience));
    process.send("exit 4\n");
    CHECK(process.wait(patience) == 4);
}

// All three pass; dumb-init gives up its terminal as it starts (TIOCNOTTY), and ignores the first HUP and CONT for
// that.
TEST_CASE("pid1-27: nobody hangs up on the main process at the start")
{
    const NothingLeft nothing_left;
    for (const Words& options : {Words{}, Words{"--group"}}) {
        OnTerminal process(pid1(options, witness()));
        REQUIRE(process.is_ready());
        process.kill(SIGUSR1);
        CHECK(process.expect("got 10\r\n", patience));
        CHECK(count(process.output(), "got 1") == 0);
        CHECK(count(process.output(), "got 18") == 0);
        // And those that somebody sends come through, the first of them too.
        process.kill(SIGHUP);
        CHECK(process.expect("got 1\r\n", patience));
        process.kill(SIGCONT);
        CHECK(process.expect("got 18\r\n", patience));
        process.send("exit 4\n");
        CHECK(process.wait(patience) == 4);
    }
}

namespace {

void suspend_and_continue(Process& process, pid_t init, bool init_stops)
{
    const pid_t main = child_of(init);
    for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU}) {
        CAPTURE(number);
        CHECK(eventually([&] { return state_of(main) == 'S' && state_of(init) == 'S'; }, patience));
        (void)send_signal(init, number);
        CHECK(eventually([&] { return state_of(main) == 'T'; }, patience));
        if (init_stops)
            CHECK(eventually([&] { return state_of(init) == 'T'; }, patience));
        (void)send_signal(init, SIGCONT);
        CHECK(eventually([&] { return state_of(main) == 'S' && state_of(init) == 'S'; }, patience));
    }
    (void)send_signal(init, SIGTERM);
    CHECK(process.wait(patience) == 128 + SIGTERM);
}

}  // namespace

// tini does not pass TTIN and TTOU on; catatonit none of the three. dumb-init passes.
TEST_CASE("pid1-28: TSTP, TTIN and TTOU suspend the main process, CONT resumes it")
{
    const NothingLeft nothing_left;
    {
        Process process(pid1(script("echo set; exec sleep 1000")), Process::Streams::Pipes, contained());
        REQUIRE(process.expect("set\n", patience));
        // As PID 1 of its namespace it cannot be stopped from inside, and does not need to.
        suspend_and_continue(process, process.pid(), false);
    }
    OnTerminal process(pid1(script("echo se''t; exec sleep 1000")));
    REQUIRE(process.is_ready());
    suspend_and_continue(process, process.pid(), false);
}

// The kernel takes back a CONT that is on its way to whoever is told to stop, also to a PID 1, which will not.
TEST_CASE("pid1-28: CONT that comes the moment the main process is suspended is not lost")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    Contained process(pid1(script("echo set; exec sleep 1000")));
    CHECK(process.says("set"));
    const pid_t main = child_of(process.pid());
    {
        Traced traced(process.pid(), 0);
        ::ptrace(PTRACE_INTERRUPT, process.pid(), nullptr, nullptr);
        CHECK(traced.stop() != 0);
        process.kill(SIGTSTP);
        CHECK(traced.go_to(SYS_kill));  // it passes it on,
        CHECK(traced.go_to(SYS_kill));  // and has done so
        CHECK(eventually([&] { return state_of(main) == 'T'; }, patience));
        process.kill(SIGCONT);
        traced.let_go();
    }
    CHECK(eventually([&] { return state_of(main) == 'S'; }, patience));
    process.kill(SIGTERM);
    CHECK(process.end() == 128 + SIGTERM);
}

// tini and catatonit go on running; for the shell that started them the job never stops. dumb-init passes.
TEST_CASE("pid1-28: where init is not PID 1 it is suspended, too, so that a shell sees a stopped job")
{
    const NothingLeft nothing_left;
    Process process(not_pid1({"--subreaper"}, script("echo set; exec sleep 1000")), Process::Streams::Pipes,
                    contained());
    REQUIRE(process.expect("set\n", patience));
    suspend_and_continue(process, child_of(process.pid()), true);
}

// All three pass.
TEST_CASE("pid1-29: TOSTOP cannot stop init while it has something to say")
{
    const NothingLeft nothing_left;
    for (const bool first : {true, false}) {
        CAPTURE(first);
        const Words options{"--verbose"};
        OnTerminal process(first ? pid1(options, witness()) : not_pid1({"--verbose", "--subreaper"}, witness()));
        REQUIRE(process.is_ready());
        set_local_mode(process, TOSTOP);
        const pid_t init = first ? process.pid() : child_of(process.pid());
        // Each of these is worth a line to it.
        for (int i = 0; i < 3; i++) {
            (void)send_signal(init, SIGUSR1);
            CHECK(process.expect("got 10\r\n", patience));
        }
        CHECK(eventually([&] { return state_of(init) == 'S'; }, patience));
        process.send("exit 4\n");
        CHECK(process.wait(patience) == 4);
    }
}

// tini and catatonit take it: the shell that started them in the background is stopped at its next prompt. s6 leaves
// it, and so does runit, which does not pass the signal on.
TEST_CASE("pid1-30: started in the background it leaves the foreground to whose it is")
{
    const NothingLeft nothing_left;
    OnTerminal process(pid1(witness()), [] {
        // This is the session's leader, and stays in the foreground; the program under test becomes a background job.
        const pid_t job =
            static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
        if (job != 0) {
            int status = 0;
            (void)::waitpid(job, &status, 0);
            ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
        }
        (void)::setpgid(0, 0);
    });
    REQUIRE(process.is_ready());
    CHECK(foreground(process) == process.pid());
    const pid_t init = child_of(process.pid());
    CHECK(taken(init, SIGUSR1));
    CHECK(process.expect("got 10\r\n", patience));
    CHECK(foreground(process) == process.pid());
}

TEST_CASE("pid1-30: started in the foreground it hands that to the main process")
{
    const NothingLeft nothing_left;
    OnTerminal process(pid1(witness()));
    REQUIRE(process.is_ready());
    const pid_t main = child_of(process.pid());
    CHECK(eventually([&] { return foreground(process) == main; }, patience));
}
