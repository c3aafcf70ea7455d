// SPDX-License-Identifier: MIT
//
// `vial init -- COMMAND` in somebody's container: which signals the main process gets, and which not. See pid1.h;
// what its peers did is written where they failed.

#include "pid1.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/user.h>
#endif

using namespace vial;
using namespace vial::test;

namespace {

/// The program under test as PID 1, and a witness as its main process, ready.
class Witnessed : public Contained {
public:
    explicit Witnessed(Words options, Words main = witness(), std::function<void()> prepare = {})
        : Contained(pid1(std::move(options), std::move(main)), std::move(prepare))
    {
        CHECK(says("set"));
    }
    /// Sends it to init; the main process must say that it got `wanted`.
    void passes(int signal, int wanted)
    {
        kill(signal);
        CHECK_MESSAGE(expect("got " + std::to_string(wanted) + "\n", patience), signal);
    }
    void passes(int signal) { passes(signal, signal); }
    /// Lets the main process end.
    int end(int code = 0)
    {
        send("exit " + std::to_string(code) + "\n");
        return wait(patience);
    }
};

const std::string nothing_but(const std::vector<int>& signals)
{
    std::string text = "set\n";
    for (const int number : signals)
        text += "got " + std::to_string(number) + "\n";
    return text;
}

}  // namespace

// tini and catatonit do not take ILL, TRAP, ABRT, BUS, FPE, SEGV and SYS: as PID 1 of its namespace the kernel drops
// them for them, and what was sent is lost. dumb-init passes. s6 runs a script for each of a few that it takes, runit none.
TEST_CASE("pid1-15: every signal that somebody sends reaches the main process")
{
    const NothingLeft nothing_left;
    Witnessed process({});
    std::vector<int> sent;
    for (int number = 1; number < 32; number++) {
        if (number == SIGKILL || number == SIGSTOP || number == SIGCHLD || number == SIGTSTP || number == SIGTTIN ||
            number == SIGTTOU)
            continue;
        process.passes(number);
        sent.push_back(number);
        if (process.has_ended())
            break;
    }
    // One that was queued with a value was sent, too.
    const sigval value{};
    CHECK(::sigqueue(process.pid(), SIGUSR2, value) == 0);
    CHECK(process.expect("got 12\n", patience));
    sent.push_back(SIGUSR2);
    CHECK(process.end(3) == 3);
    CHECK(process.output() == nothing_but(sent));
}

// All three pass; dumb-init by luck, since it keeps its rewriting in an array of 32 and reads behind that.
TEST_CASE("pid1-16: real-time signals, each as often as it was sent")
{
    const NothingLeft nothing_left;
    Witnessed process({});
    std::vector<int> sent;
    for (int number = 34; number <= 64 && !process.has_ended(); number++) {
        process.passes(number);
        sent.push_back(number);
    }
    for (int i = 0; i < 5; i++) {
        process.kill(40);
        sent.push_back(40);
    }
    for (int i = 0; i < 5; i++)
        CHECK(process.expect("got 40\n", patience));
    CHECK(process.end(3) == 3);
    CHECK(process.output() == nothing_but(sent));
}

// tini: "Unexpected error when forwarding signal: 'Operation not permitted'", exits 1, and the container is gone.
// dumb-init, catatonit and s6 pass.
TEST_CASE("pid1-17: a main process that may not be sent signals goes on, and so does init")
{
    const NothingLeft nothing_left;
    // Without CAP_KILL root, too, has power only over its own.
    Witnessed process({}, witness({"uid", "12345", "signals"}),
                      [] { (void)::prctl(PR_CAPBSET_DROP, 5 /* CAP_KILL */, 0, 0, 0); });
    CHECK(taken(process.pid(), SIGUSR1));
    CHECK(taken(process.pid(), SIGTERM));
    CHECK(process.end(6) == 6);
    CHECK(process.output() == nothing_but({}));
}

// tini and catatonit pass; below dumb-init the main process leads a session, and cannot leave its group.
TEST_CASE("pid1-18: nobody there to send to is not fatal")
{
    const NothingLeft nothing_left;
    // Its process group is empty: it went away, alone.
    Witnessed process({"--group"}, witness({"regroup", "signals"}));
    CHECK(taken(process.pid(), SIGUSR1));
    CHECK(process.end(6) == 6);
}

// tini -g and catatonit -g lose it, silently. Below dumb-init it cannot leave, see above.
TEST_CASE("pid1-19: group mode reaches a main process that left its group, and what stayed in it")
{
    const NothingLeft nothing_left;
    Witnessed process(
        {"--group"},
        script("exec 3<&0; WITNESS name member signals <&3 & exec WITNESS name main regroup signals </dev/null"));
    // Both are ready: one of them `expect` has found already.
    CHECK(process.expect("set\n", patience));
    process.kill(SIGUSR1);
    CHECK(eventually(
        [&] {
            (void)process.expect("got", 50);
            return contains(process.output(), "main: got 10\n") && contains(process.output(), "member: got 10\n");
        },
        patience));
}

TEST_CASE("pid1-19: in group mode every member of the group gets a signal once")
{
    const NothingLeft nothing_left;
    Witnessed process({"--group"},
                      script("exec 3<&0; WITNESS name member signals </dev/null & exec WITNESS signals <&3"));
    CHECK(process.expect("set\n", patience));
    // Real-time signals queue: one that came twice is seen twice.
    process.kill(40);
    CHECK(process.expect("got 40\n", patience));
    CHECK(process.expect("got 40\n", patience));
    process.kill(41);
    CHECK(process.expect("got 41\n", patience));
    CHECK(process.expect("got 41\n", patience));
    int count = 0;
    for (const std::string& line : lines(process.output()))
        count += line.ends_with("got 40");
    CHECK(count == 2);
}

// tini, dumb-init, catatonit, s6 and runit end at once, and the kernel kills it: it is never asked.
TEST_CASE("pid1-20: a descendant in a session of its own is asked to end, too, when the container stops")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/asked";
    write_text(file, "");
    Witnessed process({}, script("WITNESS name apart session signals > " + file +
                                 " </dev/null & "
                                 "exec WITNESS signals"));
    CHECK(eventually([&] { return read_text(file) == "apart: set\n"; }, patience));
    process.send("raise 15\n");
    CHECK(eventually([&] { return read_text(file) == "apart: set\napart: got 15\n"; }, patience));
    // Now it would have its time; to end it is not what is tested here.
    process.kill(SIGKILL);
    CHECK(process.wait(patience) == 128 + SIGKILL);
}

// tini and catatonit have no rewriting; dumb-init passes.
TEST_CASE("pid1-21: signals are rewritten and dropped, two exchanged, none twice")
{
    const NothingLeft nothing_left;
    Witnessed one({"--rewrite", "15:3"});
    one.passes(SIGTERM, SIGQUIT);
    one.passes(SIGQUIT, SIGQUIT);
    CHECK(one.end(3) == 3);
    CHECK(one.output() == nothing_but({SIGQUIT, SIGQUIT}));

    Witnessed none({"--rewrite", "15:0"});
    CHECK(taken(none.pid(), SIGTERM));
    none.passes(SIGUSR1);
    CHECK(none.end(3) == 3);
    CHECK(none.output() == nothing_but({SIGUSR1}));

    Witnessed exchanged({"--rewrite", "1:31", "--rewrite", "31:1"});
    exchanged.passes(1, 31);
    exchanged.passes(31, 1);
    CHECK(exchanged.end(3) == 3);
    CHECK(exchanged.output() == nothing_but({31, 1}));
}

// tini -e maps to 0 only; dumb-init and catatonit have none.
TEST_CASE("pid1-22: each exit code can be remapped, and the others stay")
{
    const NothingLeft nothing_left;
    const auto code_of = [](const Words& options, int code) {
        Process process(pid1(options, witness({"exit", std::to_string(code)})), Process::Streams::Pipes, contained());
        return process.wait(patience);
    };
    int right = 0;
    for (int code = 0; code < 256; code++)
        right += code_of({"--remap", std::to_string(code) + ":" + std::to_string(255 - code)}, code) == 255 - code;
    CHECK(right == 256);
    CHECK(code_of({"--remap", "5:0"}, 4) == 4);
    CHECK(code_of({"--remap", "5:0"}, 6) == 6);
    for (const int code : {9, 10, 20, 21})
        CHECK(code_of({"--remap", "10-20:77"}, code) == (code == 10 || code == 20 ? 77 : code));
    // A death by signal is an exit code as any other: Java's 143 after TERM is the classic.
    Witnessed process({"--remap", "143:0"});
    process.send("raise 15\n");
    CHECK(process.wait(patience) == 0);
}

namespace {

/// For `prepare`: a parent that goes away at its time. What goes on as the program under test is a child of it, with
/// a PID namespace of its own if wanted; the first process of the outer namespace looks after the parent.
///
/// `die`: the parent ends when this has an end of file. `dead`: goes on only after it has ended, when not negative.
void begin_with_parent(int die, std::uint64_t namespaces, const std::function<void()>& before_exec)
{
    const pid_t parent = ::fork();
    if (parent != 0) {
        int status = 0;
        (void)::waitpid(parent, &status, 0);
        // What is left comes to us; we go when the test kills us.
        while (::waitpid(-1, &status, 0) > 0) {
        }
        for (;;)
            ::pause();
    }
    const pid_t child =
        static_cast<pid_t>(::syscall(SYS_clone, namespaces | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child != 0) {
        char byte;
        (void)!::read(die, &byte, 1);
        ::_exit(0);
    }
    before_exec();
}

}  // namespace

// tini -p passes; dumb-init and catatonit have none.
TEST_CASE("pid1-23: a parent that dies is a signal to init, in a namespace of its own and in its parent's")
{
    const NothingLeft nothing_left;
    for (const std::uint64_t namespaces : {std::uint64_t{CLONE_NEWPID | CLONE_NEWNS}, std::uint64_t{0}}) {
        CAPTURE(namespaces);
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        const Fd read_end(ends[0]);
        Fd write_end(ends[1]);
        // getppid() is 0 in a namespace of its own, from the beginning.
        Process process(pid1({"--parent-death", "TERM"}, witness()), Process::Streams::Pipes, contained([&] {
                            ::close(write_end.get());
                            begin_with_parent(read_end.get(), namespaces, [] {});
                        }));
        CHECK(process.expect("set\n", patience));
        CHECK_FALSE(process.expect("got", 20));
        write_end.reset();
        CHECK(process.expect("got 15\n", patience));
    }
}

#if defined(__x86_64__)

// tini -p arms a signal that will never come, and lives for ever.
TEST_CASE("pid1-23: a parent that dies just before the signal is armed is noticed")
{
    const NothingLeft nothing_left;
    int ends[2], gate[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(gate, O_CLOEXEC) == 0);
    const Fd read_end(ends[0]), gate_end(gate[0]);
    Fd write_end(ends[1]), open_gate(gate[1]);
    Process process(pid1({"--parent-death", "TERM"}, witness()), Process::Streams::Pipes, contained([&] {
                        ::close(write_end.get());
                        begin_with_parent(read_end.get(), 0, [&] {
                            char byte;
                            (void)!::read(gate_end.get(), &byte, 1);
                        });
                    }));
    const pid_t parent = child_of(process.pid()), init = child_of(parent);
    Traced traced(init, 0);
    REQUIRE(::ptrace(PTRACE_INTERRUPT, init, nullptr, nullptr) == 0);
    REQUIRE(::write(open_gate.get(), "", 1) == 1);
    // From system call to system call, until it is about to arm the signal.
    bool arming = false;
    for (int call = 0; call < 4000 && !arming && traced.stop() != 0; call++) {
        user_regs_struct registers{};
        ::ptrace(PTRACE_GETREGS, init, nullptr, &registers);
        arming = registers.orig_rax == SYS_prctl && registers.rdi == PR_SET_PDEATHSIG && registers.rsi == SIGTERM;
        if (!arming)
            ::ptrace(PTRACE_SYSCALL, init, nullptr, nullptr);
    }
    CHECK(arming);
    write_end.reset();
    CHECK(eventually([&] { return status_of(init, "PPid") == std::to_string(process.pid()); }, patience));
    traced.let_go();
    // It ends, with or without a main process that was told.
    CHECK(eventually(
        [&] {
            (void)process.expect("got 15\n", 20);
            return contains(process.output(), "got 15\n") || state_of(init) == '\0' || state_of(init) == 'Z';
        },
        patience));
}

TEST_CASE("pid1-24: a fault of init's own is not the main process's")
{
    const NothingLeft nothing_left;
    Witnessed process({});
    const pid_t init = process.pid();
    Traced traced(init, 0);
    REQUIRE(::ptrace(PTRACE_INTERRUPT, init, nullptr, nullptr) == 0);
    CHECK(traced.stop() != 0);
    // It goes on at an address where nothing is.
    user_regs_struct registers{};
    ::ptrace(PTRACE_GETREGS, init, nullptr, &registers);
    registers.rip = 16;
    registers.orig_rax = ~0ULL;
    ::ptrace(PTRACE_SETREGS, init, nullptr, &registers);
    traced.let_go();
    CHECK(process.wait(patience) == 128 + SIGSEGV);
    CHECK(process.output() == nothing_but({}));
}

#endif

// All three pass both.
TEST_CASE("pid1-24: SIGCHLD stays with init")
{
    const NothingLeft nothing_left;
    Witnessed process({});
    CHECK(taken(process.pid(), SIGCHLD));
    process.passes(SIGUSR1);
    CHECK(process.end(3) == 3);
    CHECK(process.output() == nothing_but({SIGUSR1}));
}
