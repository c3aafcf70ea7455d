// SPDX-License-Identifier: MIT
//
// PID 1 without a launcher (bare_init.h): what it starts, what that finds, and the code in the end.
// The numbers are those of the project's list of what a PID 1 must get right. Needs root.

#include "bare_init.h"

#include "base/os.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("exit codes: the only service's code is the container's, and is recorded")
{
    for (const int code : {0, 1, 7, 127, 255}) {  // pid1-33
        BareInit container(shell("exit " + std::to_string(code)));
        container.run();
        CHECK(container.end() == code);
        CHECK(contains(container.exit_record(),
                       "{\"code\":" + std::to_string(code) + ",\"signal\":null,\"service\":\"main\""));
    }
}

TEST_CASE("pid1-34: death by signal n exits 128+n")
{
    BareInit container(shell("kill -USR1 $$"));
    container.run();
    CHECK(container.end() == 128 + SIGUSR1);
    CHECK(contains(container.exit_record(), "\"code\":138,\"signal\":\"USR1\""));
}

TEST_CASE("pid1-11: a first exec that fails is told in words and exits 127 or 126")
{
    ServiceSpec missing = shell("");
    missing.command = {"/no/such/program"};
    BareInit none(missing);
    none.start();
    const std::string words = none.hear();
    CHECK(words[0] == 'F');
    CHECK(contains(words, "/no/such/program"));
    CHECK(contains(words, "No such file or directory"));
    CHECK(none.end() == 127);

    missing.command = {"/tmp"};
    BareInit directory(missing);
    directory.start();
    CHECK(directory.hear()[0] == 'F');
    CHECK(directory.end() == 126);
}

TEST_CASE("a start that ended is over, whoever still holds what it would have reported through")
{
    int gate[2];
    REQUIRE(::pipe2(gate, O_CLOEXEC | O_NONBLOCK) == 0);
    const Fd gate_end(gate[0]), closed_gate(gate[1]);
    char much[4096] = {};
    while (::write(gate[1], much, sizeof much) > 0) {
    }
    // Its child waits here on its way to its exec, as if the gate were a control group's file.
    REQUIRE(::fcntl(gate[1], F_SETFL, 0) == 0);
    ServiceSpec service = shell("exec sleep 1000");
    service.policy.restart = Restart::Always;
    service.policy.restart_delay = 0;
    BareInit container(service);
    container.leaves.resize(1);
    container.leaves[0].join[0] = gate[1];
    container.start();
    const auto child = [&] { return static_cast<pid_t>(std::atoi(container.children().c_str())); };
    REQUIRE(eventually([&] { return child() > 1; }));
    const pid_t first = child();
    std::vector<Fd> copies = copies_of(first);
    REQUIRE(copies.size() > 3);
    REQUIRE(::kill(first, SIGKILL) == 0);
    REQUIRE(eventually([&] { return child() > 1 && child() != first; }));
    while (::read(gate[0], much, sizeof much) > 0) {
    }
    CHECK(container.hear() == "R");
    copies.clear();
    CHECK(container.status("main", "restarts") == "1");
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("a first exec that fails ends the services that did start")
{
    ServiceSpec missing = shell("", "bad");
    missing.command = {"/no/such/program"};
    BareInit container({shell("exec sleep 1000", "good"), missing});
    container.start();
    CHECK(contains(container.hear(), "bad: "));
    CHECK(container.end() == 127);
}

TEST_CASE("pid1-1: SIGCHLD inherited as ignored still reaps and still has the exit code")
{
    BareInit container(shell("exit 3"));
    container.prepare = [] { ::signal(SIGCHLD, SIG_IGN); };
    container.run();
    CHECK(container.end() == 3);
}

TEST_CASE("pid1-3: the service starts with no signal blocked and none ignored")
{
    BareInit container(
        shell("while read -r line; do case $line in SigBlk*|SigIgn*) echo $line;; esac; done < /proc/self/status"));
    container.prepare = [] {
        ::signal(SIGUSR1, SIG_IGN);
        ::signal(SIGPIPE, SIG_IGN);
    };
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");
}

TEST_CASE("pid1-6: works with descriptors 0, 1 and 2 closed")
{
    BareInit container(shell("echo said; exit 4"));
    container.prepare = [] { ::close(0), ::close(1), ::close(2); };
    container.run();
    CHECK(container.end() == 4);
    CHECK(container.log() == "said\n");
}

TEST_CASE("pid1-9: PID 1's working directory is /")
{
    BareInit container(shell("exec sleep 1000"));
    container.prepare = [] { (void)!::chdir("/tmp"); };
    container.run();
    CHECK(os::readlinkat(AT_FDCWD, ("/proc/" + std::to_string(container.pid()) + "/cwd").c_str()).value() == "/");
}

TEST_CASE("the service has descriptors 0, 1 and 2 and no other")
{
    BareInit container(shell("for fd in /proc/self/fd/*; do echo -n ${fd##*/}; done"));
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "0123");
}

TEST_CASE("PID 1 is closed to a service that runs as root")
{
    BareInit container(shell("cat /proc/1/environ > /dev/null 2>&1 && echo open || echo closed; readlink /proc/1/exe"));
    container.prepare = [] {
        (void)os::unshare(CLONE_NEWNS);
        (void)os::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        (void)os::mount("proc", "/proc", "proc", 0, nullptr);
    };
    container.run();
    container.end();
    CHECK(container.log() == "closed\n");
}

TEST_CASE("the file size limit of PID 1 is not the service's")
{
    BareInit container(shell("ulimit -f"));
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "unlimited\n");
}

TEST_CASE("foreground: the services' output is the launcher's, and it is told the exit code")
{
    BareInit container(shell("echo here; exit 8"));
    container.flags = PlanForeground;
    container.run();
    CHECK(container.output() == "here\n");
    CHECK(container.hear() == "X8");
    CHECK(container.end() == 8);
}

TEST_CASE("pid1-61: a launcher that is gone takes a foreground container with it")
{
    BareInit container(shell("exec sleep 1000"));
    container.flags = PlanForeground;
    container.run();
    container.hang_up();
    CHECK(container.end() == 125);
}

TEST_CASE("init = false: PID 1 is the service itself")
{
    BareInit container(shell("echo $$; exit 3"));
    container.flags = PlanNoInit | PlanForeground;
    container.start();
    CHECK(container.hear() == "");
    CHECK(container.output() == "1\n");
    CHECK(container.end() == 3);

    ServiceSpec missing = shell("");
    missing.command = {"/no/such/program"};
    BareInit bad(missing);
    bad.flags = PlanNoInit;
    bad.start();
    CHECK(contains(bad.hear(), "/no/such/program"));
    CHECK(bad.end() == 127);
}

TEST_CASE("a service with a terminal has it as its standard descriptors and controls it")
{
    const Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    const Fd slave(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(slave);
    BareInit container(shell("test -t 0 && test -t 1 && test -t 2 && echo yes > /dev/tty; read -r line; exit 5"));
    container.leaves.resize(1);
    container.leaves[0].terminal = slave.get();
    container.run();
    char buffer[64];
    const ssize_t got = ::read(master.get(), buffer, sizeof buffer);
    CHECK(std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0) == "yes\r\n");
    // pid1-25: the terminal's interrupt reaches the foreground group, and not PID 1.
    REQUIRE(::write(master.get(), "\x03", 1) == 1);
    CHECK(container.end() == 128 + SIGINT);
}
