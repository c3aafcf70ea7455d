// SPDX-License-Identifier: MIT
#pragma once

/// `vial init -- COMMAND` as the first process of somebody's container: what a PID 1 must get right, from outside.
///
/// The numbers in the cases' names (`pid1-17`) are those of the project's list. The program under test is a
/// parameter, so that the same tests run against its peers, and against one that is wrong on purpose:
///     PID1=/usr/bin/tini config/build/sandboxed.sh build/tests/test_pid1_signals
/// runs them with tini. Options are written as vial's, and put into the peer's words where it has them; what a peer
/// has no option for, it fails. s6 and runit, which supervise a directory of services, are run by the scripts of peers/.
///
/// The tests never wait for time to pass. What they wait for is something that is said or can be looked at, for a
/// generous while; a barrier is that a signal has been taken (`taken`), or that a later one has arrived.

#include "harness.h"

#include <signal.h>

namespace vial::test {

/// How long to wait for what will come, in milliseconds: long enough for a machine with a hundred other things to do.
/// PID1_PATIENCE in the environment is another, for programs that are known to fail.
extern const long patience;

/// The program under test with `options`, in front of `command`.
Words pid1(Words options, Words command);
inline Words pid1(Words command)
{
    return pid1({}, std::move(command));
}
/// The same in a namespace whose first process is another (`witness outer`).
Words not_pid1(Words options, Words command);
/// The program under test is vial, not a peer of it.
bool is_vial();

/// `witness WORDS...`, see payloads/witness.c; without words one that reports signals.
Words witness(Words words = {"signals"});
/// A shell that runs `script`, in which WITNESS stands for the program.
Words script(std::string text);

/// New PID and mount namespaces with a /proc of their own, no signal blocked or ignored; then `prepare`.
Birth contained(std::function<void()> prepare = {});

/// A program as PID 1 of a namespace of its own, with pipes.
class Contained : public Process {
public:
    explicit Contained(Words words, std::function<void()> prepare = {})
        : Process(std::move(words), Streams::Pipes, contained(std::move(prepare)))
    {
    }
    bool says(std::string_view line) { return expect(std::string(line) + "\n", patience); }
    int end() { return wait(patience); }
};
/// Runs a program as PID 1 to its end.
Finished run_contained(Words words, std::function<void()> prepare = {}, long limit = patience);
/// A command that is put into the namespaces of `init` from outside.
Words inside(pid_t init, const Words& words);

/// Who waits at it, in `prepare`, goes on when `opener` is closed everywhere.
struct Gate {
    Gate();
    void wait();
    Fd end, opener;
};

/// For `prepare`: blocks these and no other, ignores these and no other.
void set_signals(const std::vector<int>& blocked, const std::vector<int>& ignored);

// What the kernel says of a process, as the host numbers it.

/// A field of /proc/PID/status, empty where there is none: `status_of(pid, "SigBlk")`.
std::string status_of(pid_t pid, const std::string& field);
/// R, S, D, T, Z ...; 0 where there is no such process.
char state_of(pid_t pid);
std::vector<pid_t> children_of(pid_t pid);
/// Its first child, when it has come.
pid_t child_of(pid_t pid);
/// A process in a debugger's hands (ptrace(2)), from its next stop on. Let go of it with the object, killed if it was
/// not let go before: nothing that is traced may stay, since its namespace could not end.
class Traced {
public:
    Traced(pid_t pid, long options);
    /// One that `made` has returned.
    explicit Traced(pid_t made);
    ~Traced();
    Traced(const Traced&) = delete;
    Traced& operator=(const Traced&) = delete;

    /// Waits for its next stop and returns what waitpid(2) says of it; 0 where none comes.
    int stop() const;
    /// Waits for it to make another process, which is in our hands, too, and stands at its first instruction.
    pid_t made() const;
    void go_on() const;
    /// On to where it has begun the next system call of that number, or has done the one that it had begun.
    bool go_to(long call) const;
    void let_go();

private:
    pid_t pid_;
    bool held_;
};

/// kill(2) of one process that was found in /proc. Never anything else: -1, which says that none was found, means all
/// processes of the machine to kill(2), and 0 all of the test.
bool send_signal(pid_t pid, int signal);
/// Sends the signal, and waits until it is not pending any more: whatever is done about it will be done before
/// anything that is sent later. False if it stays.
bool taken(pid_t pid, int signal);
std::string signal_set(const std::vector<int>& signals);  ///< as /proc/PID/status writes it

}  // namespace vial::test
