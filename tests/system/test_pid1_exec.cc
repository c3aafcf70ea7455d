// SPDX-License-Identifier: MIT
//
// `vial init` between fork and exec: what may happen to who is on the way to becoming something, and to others meanwhile.
// See pid1.h; what its peers did is written where they failed.

#include "base/os.h"
#include "pid1.h"
#include "spec_services.h"

#include <doctest/doctest.h>
#include <memory>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// A file with that content that may be executed.
std::string program_file(const std::string& name, std::string_view text, mode_t mode = 0755)
{
    const std::string path = work() + "/" + name;
    write_text(path, text);
    CHECK(::chmod(path.c_str(), mode) == 0);
    return path;
}

/// Init as PID 1, held by a debugger's hand where it has made its child; and the child at its first instruction.
class Held : public Contained {
public:
    explicit Held(const Words& words, const std::vector<int>& blocked = {}, Gate gate = {})
        : Contained(words,
                    [&] {
                        set_signals(blocked, {});
                        gate.wait();
                    }),
          traced(pid(), PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)
    {
        gate.opener.reset();
        child = traced.made();
    }

    Traced traced;
    pid_t child = 0;
};

/// The child is held until `meanwhile` has been done to init; then it goes on to its exec.
void before_exec(Held& process, const std::function<void(pid_t init)>& meanwhile)
{
    process.traced.let_go();
    meanwhile(process.pid());
    Traced(process.child).let_go();
}

/// `vial init --spec`, which first makes a process that reads the spec. It keeps what the services write, so they begin with
/// its descriptors.
Words kept(const std::string& text)
{
    return init_words({"--log", work() + "/kept"}, text);
}

}  // namespace

// dumb-init exits 2 and catatonit 1 in place of 127; none loses an end.
TEST_CASE("pid1-4: an exec that fails at once, and a child that ends at once, are seen every time")
{
    const NothingLeft nothing_left;
    constexpr int rounds = 60;
    int failed = 0, ended = 0;
    for (int round = 0; round < rounds && failed == round && ended == round; round++) {
        failed += run_contained(pid1({"/no/such/program"}), {}, patience).code == 127;
        ended += run_contained(pid1(witness({"exit", "5"})), {}, patience).code == 5;
    }
    CHECK(failed == rounds);
    CHECK(ended == rounds);
}

// Here the child is held until init has dealt with the signal. tini and
// catatonit pass; under dumb-init the child, which it has given a clean mask, dies of it (138).
TEST_CASE("pid1-5: a signal that comes before the child's exec is neither lost nor fatal to init")
{
    const NothingLeft nothing_left;
    for (const int number : {SIGUSR1, SIGRTMAX}) {
        INFO(number);
        Held process(pid1(witness()), {number});
        // Most pass it on now, to a child that has not become anything yet. Who waits with it until the exec, does well,
        // too.
        before_exec(process, [&](pid_t init) {
            (void)send_signal(init, number);
            (void)eventually([&] { return status_of(init, "ShdPnd") == signal_set({}); }, 500);
        });
        CHECK(process.expect("set\n", patience));
        CHECK(process.expect("got " + std::to_string(number) + "\n", patience));
        process.send("exit 6\n");
        CHECK(process.wait(patience) == 6);
    }
}

// The later of the two takes the earlier back, as the kernel has it.
TEST_CASE("pid1-5: to stop and to go on again before the child's exec comes to going on")
{
    const NothingLeft nothing_left;
    Held process(pid1({"--clean-signals"}, {"sleep", "1000"}), {SIGTSTP, SIGCONT});
    before_exec(process, [](pid_t init) {
        for (const int number : {SIGTSTP, SIGCONT}) {
            (void)send_signal(init, number);
            (void)eventually([&] { return status_of(init, "ShdPnd") == signal_set({}); }, 500);
        }
    });
    const pid_t main = child_of(process.pid());
    CHECK(eventually([&] { return status_of(main, "Name") == "sleep" && state_of(process.pid()) == 'S'; }, patience));
    // Who is stopped does not end of this.
    process.kill(SIGTERM);
    CHECK(process.wait(patience) == 128 + SIGTERM);
}

TEST_CASE("pid1-42: a signal for a command that ended before its exec does not go to who has its number then")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    Held process(pid1({"--grace", "600s"}, witness()), {});
    const pid_t init = process.pid(), child = process.child;
    // Not by its report, which is held open here, but by its end alone will init know.
    const std::vector<Fd> copies = copies_of(child);
    REQUIRE(!copies.empty());
    // Both wait for init; the signal is read first, for its number is the lower one.
    (void)send_signal(init, SIGUSR1);
    (void)send_signal(child, SIGKILL);
    CHECK(eventually([&] { return ::waitpid(child, nullptr, WNOHANG | __WALL) == child; }, patience));
    // On to where it has been reaped, and not a step further.
    for (int turn = 0; turn < 10000 && state_of(child) != '\0'; turn++) {
        ::ptrace(PTRACE_SYSCALL, init, nullptr, nullptr);
        CHECK(process.traced.stop() != 0);
    }
    REQUIRE(state_of(child) == '\0');
    Process heir(inside(init, witness({"recycle", "2", "name", "heir", "signals"})));
    CHECK(heir.expect("heir: set\n", patience));
    process.traced.let_go();
    // As to everybody, in the end.
    CHECK(heir.expect("heir: got 15\n", patience));
    CHECK_FALSE(contains(heir.output(), "heir: got 10"));
    heir.send("exit 0\n");
    CHECK(process.end() == 128 + SIGKILL);
}

// tini and catatonit pass; under dumb-init the child dies of it before its exec.
TEST_CASE("pid1-5: a signal that was there before init itself reaches the main process")
{
    const NothingLeft nothing_left;
    Gate gate;
    Contained process(pid1(witness()), [&] {
        set_signals({SIGTERM}, {});
        gate.wait();
    });
    CHECK(eventually([&] { return status_of(process.pid(), "SigBlk") == signal_set({SIGTERM}); }, patience));
    process.kill(SIGTERM);
    gate.opener.reset();
    CHECK(process.expect("got 15\n", patience));
    process.send("exit 6\n");
    CHECK(process.wait(patience) == 6);
}

// dumb-init exits 2 for all of them, catatonit 1, and says "failed to exec pid1" without a name. tini gives the
// last to a shell, which exits 127.
TEST_CASE("pid1-11: an exec that fails exits 127 or 126, and says the program and the reason in one line")
{
    const NothingLeft nothing_left;
    struct Failure {
        std::string path;
        int code;
        const char *reason, *in_short;  ///< the kernel's word for it will do, too
    };
    const Failure failures[] = {
        {"/no/such/program", 127, "No such file or directory", ""},
        {"no-such-program-in-path", 127, "no such program in PATH", "No such file or directory"},
        {work() + "/interpreter", 127, "not the interpreter", "No such file or directory"},
        {work() + "/forbidden", 126, "Permission denied", ""},
        {"/tmp", 126, "is a directory", "Permission denied"},
        {work() + "/garbage", 126, "no program for this machine", "Exec format error"},
    };
    (void)program_file("interpreter", "#!/no/such/interpreter\n");
    (void)program_file("forbidden", "#!/bin/sh\nexit 0\n", 0644);
    (void)program_file("garbage", std::string_view("\x7f"
                                                   "ELF\0\1\2\3",
                                                   8));
    for (const Failure& failure : failures) {
        CAPTURE(failure.path);
        const Finished finished = run_contained(pid1({failure.path}));
        CAPTURE(finished.err);
        CHECK(finished.code == failure.code);
        CHECK(finished.out == "");
        CHECK(lines(finished.err).size() == 1);
        CHECK(contains(finished.err, failure.path));
        CHECK((contains(finished.err, failure.reason) ||
               (*failure.in_short != '\0' && contains(finished.err, failure.in_short))));
    }
}

// A child starts with its parent's descriptors, and with them what is lent to those before it: see `Pid1::start`.
TEST_CASE("a service that is slow to execute does not keep those that are started with it from being ready")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    for (const bool first_is_slow : {true, false}) {
        CAPTURE(first_is_slow);
        const std::string sleep = "command = [\"/bin/sleep\", \"1000\"]\n";
        Held process(kept("[service.first]\n" + sleep + "[service.second]\n" + sleep));
        Traced(process.child).let_go();
        process.traced.go_on();
        Traced first(process.traced.made());
        process.traced.go_on();
        Traced second(process.traced.made());
        process.traced.let_go();
        Traced &slow = first_is_slow ? first : second, &quick = first_is_slow ? second : first;
        CHECK(slow.go_to(SYS_execve));
        quick.let_go();
        CHECK(service_becomes(first_is_slow ? "second" : "first", "ready"));
        CHECK(service_field(first_is_slow ? "first" : "second", "state") == "\"starting\"");
        slow.let_go();
        CHECK(service_becomes(first_is_slow ? "first" : "second", "ready"));
        process.kill(SIGTERM);
        CHECK(process.end() == 0);
    }
}

TEST_CASE("as many as are started at once hang before their exec, and the next one is started all the same")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    std::string text;
    for (int number = 0; number < 10; number++)
        text += "[service.s" + std::to_string(number) + "]\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    Held process(kept(text));
    Traced(process.child).let_go();
    std::vector<std::unique_ptr<Traced>> hanging;
    for (int number = 0; number < 9; number++) {
        process.traced.go_on();
        hanging.push_back(std::make_unique<Traced>(process.traced.made()));
    }
    process.traced.go_on();
    Traced(process.traced.made()).let_go();
    process.traced.let_go();
    CHECK(service_becomes("s9", "ready"));
    CHECK(service_field("s0", "state") == "\"starting\"");
    for (const auto& each : hanging)
        each->let_go();
    CHECK(service_becomes("s0", "ready"));
    process.kill(SIGTERM);
    CHECK(process.end() == 0);
}

TEST_CASE("the same while orphans end all the time")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    std::string text;
    for (int number = 0; number < 9; number++)
        text += "[service.s" + std::to_string(number) + "]\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    Held process(kept(text));
    Traced(process.child).let_go();
    std::vector<std::unique_ptr<Traced>> hanging;
    for (int number = 0; number < 8; number++) {
        process.traced.go_on();
        hanging.push_back(std::make_unique<Traced>(process.traced.made()));
    }
    process.traced.let_go();
    // What an orphan's end is to it is this signal. Nothing else wakes it, and nobody asks it anything.
    std::size_t children = 0;
    for (int end = 0; end < 4000 && children < 9; end++) {
        process.kill(SIGCHLD);
        (void)::usleep(1000);
        children = end % 16 != 0 ? children : children_of(process.pid()).size();
    }
    CHECK(children == 9);
    for (const auto& each : hanging)
        each->let_go();
    CHECK(service_becomes("s8", "ready"));
    process.kill(SIGTERM);
    CHECK(process.end() == 0);
}

TEST_CASE("TERM while the spec is read is heard when it has been read")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    Held process(kept("[service.one]\ncommand = [\"/bin/sleep\", \"1000\"]\n" + std::string(other)));
    Traced reader(process.child);
    process.traced.let_go();
    CHECK(eventually([&] { return state_of(process.pid()) == 'S'; }, patience));
    process.kill(SIGTERM);
    reader.let_go();
    CHECK(process.end() == 0);
    CHECK(process.errors() == "");
}
