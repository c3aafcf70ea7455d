// SPDX-License-Identifier: MIT
//
// PID 1 without a launcher (bare_init.h): signals, orphans, and the order of the end.
// The numbers are those of the project's list of what a PID 1 must get right. Needs root.

#include "bare_init.h"

#include "base/events.h"
#include "base/os.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("pid1-15: signals that somebody sends reach the main process; TERM and INT stop the container")
{
    BareInit container(shell("for s in HUP USR1 USR2 QUIT WINCH CONT ALRM; do trap \"echo got $s\" $s; done; echo set;"
                             "while :; do sleep 1000 & wait; done"));
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH, SIGCONT, SIGALRM}) {
        char scratch[16];
        const std::string expected = "got " + std::string(signal_name(number, scratch)) + "\n";
        container.signal(number);
        CHECK_MESSAGE(container.eventually_logs(expected), expected);
    }
    CHECK(contains(container.request("status"), "\"forwarded\":7"));
    container.signal(SIGINT);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("pid1-16: real-time signals too")
{
    BareInit container(
        shell("trap 'echo first' 34; trap 'echo last' 64; echo set; while :; do sleep 1000 & wait; done"));
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    container.signal(34);
    CHECK(container.eventually_logs("first"));
    container.signal(64);
    CHECK(container.eventually_logs("last"));
}

TEST_CASE("TERM is an orderly stop: the service gets its stop signal and its time")
{
    ServiceSpec service = shell("trap 'echo asked; exit 5' USR1; echo set; while :; do sleep 1000 & wait; done");
    service.policy.stop_signal = SIGUSR1;
    BareInit container(service);
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    container.signal(SIGTERM);
    CHECK(container.end() == 5);
    CHECK(container.log() == "set\nasked\n");
}

TEST_CASE("a service that ignores its stop signal is killed when its time is over")
{
    ServiceSpec service = shell("trap '' TERM; echo set; while :; do sleep 1000; done");
    service.policy.stop_timeout = 100;
    BareInit container(service);
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGKILL);
}

TEST_CASE("pid1-37: a stopped and continued child has not exited")
{
    BareInit container(shell("kill -STOP $$; echo back; exec sleep 1000"));
    container.run();
    const pid_t child = std::atoi(container.children().c_str());
    REQUIRE(eventually([&] { return contains(read_text("/proc/" + std::to_string(child) + "/stat"), ") T "); }));
    CHECK(container.status("main", "state") == "\"ready\"");
    ::kill(child, SIGCONT);
    CHECK(container.eventually_logs("back"));
    CHECK(container.status("main", "restarts") == "0");
}

TEST_CASE("pid1-38: a spurious SIGCHLD does no harm")
{
    BareInit container(shell("exec sleep 1000"));
    container.run();
    for (int i = 0; i < 100; i++)
        container.signal(SIGCHLD);
    CHECK(container.status("main", "state") == "\"ready\"");
}

TEST_CASE("pid1-44: KILL and STOP from inside change nothing")
{
    BareInit container(shell("kill -KILL 1; kill -STOP 1; echo alive; exec sleep 1000"));
    container.run();
    CHECK(container.eventually_logs("alive"));
    CHECK(container.request("ping") == "{\"ok\":true}\n");
}

TEST_CASE("pid1-31: a thousand orphans are all reaped")
{
    BareInit container(
        shell("i=0; while [ $i -lt 1000 ]; do (sleep 0 &); i=$((i+1)); done; echo made; exec sleep 1000"));
    container.run();
    REQUIRE(container.eventually_logs("made"));
    const auto main_only = [&] { return contains(container.request("status"), "\"reaped\":1000,"); };
    CHECK(eventually(main_only));
    CHECK(eventually(
        [&] { return container.children() == container.children().substr(0, container.children().find(' ') + 1); }));
}

TEST_CASE("pid1-35, 36: orphans get TERM and time, and the end comes when the last has gone")
{
    BareInit container(shell("(trap 'echo orphan asked; exit' TERM; echo set; while :; do sleep 1000 & wait; done) & "
                             "while ! [ \"$ready\" ]; do sleep 0.1; ready=1; done; exit 9"));
    container.run();
    CHECK(container.end() == 9);
    // The orphan may be asked before it has its trap: then it dies of TERM, as well.
    CHECK((contains(container.log(), "orphan asked") || !contains(container.log(), "set")));
}

TEST_CASE("pid1-20: a descendant in a session of its own dies with the container")
{
    BareInit container(shell("setsid sleep 1000 & echo set; wait"));
    container.run();
    REQUIRE(container.eventually_logs("set"));
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("pid1-48: a process put in from outside is asked to end, too, and holds nobody up for long")
{
    BareInit container(shell("read -r line < /proc/self/comm; exec sleep 1000"));
    container.run();
    const Opened space = os::open(("/proc/" + std::to_string(container.pid()) + "/ns/pid").c_str(), O_RDONLY);
    REQUIRE(space.ok());
    const Opened own = os::open("/proc/self/ns/pid", O_RDONLY);
    REQUIRE(os::setns(space.value().get(), CLONE_NEWPID).ok());
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t visitor = ::fork();
    if (visitor == 0) {
        os::restore_signals();
        ::execl("/bin/sleep", "sleep", "1000", nullptr);
        ::_exit(127);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    REQUIRE(os::setns(own.value().get(), CLONE_NEWPID).ok());
    container.signal(SIGTERM);
    // Only PID 1's end is ours to see in any order: the kernel lets it go when the visitor has been waited for.
    int status = 0;
    REQUIRE(::waitpid(visitor, &status, 0) == visitor);
    CHECK(WTERMSIG(status) == SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}
