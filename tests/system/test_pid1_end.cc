// SPDX-License-Identifier: MIT
//
// `vial init -- COMMAND` in somebody's container: reaping, and how it ends. See pid1.h; what its peers did is written
// where they failed.

#include "pid1.h"

#include <climits>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// What a witness other than the main process is told, by name: it reads from here.
class Line {
public:
    Line() : path_(work() + "/line")
    {
        (void)::unlink(path_.c_str());
        CHECK(::mkfifo(path_.c_str(), 0600) == 0);
        // For both, so that nobody waits for anybody.
        end_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    }
    const std::string& path() const { return path_; }
    void send(std::string_view text) const
    {
        CHECK(::write(end_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

private:
    std::string path_;
    Fd end_;
};

}  // namespace

// All three pass.
TEST_CASE("pid1-31: of 20,000 orphans none is left")
{
    const NothingLeft nothing_left;
    Contained process(pid1(witness({"orphans", "20000", "signals"})));
    REQUIRE(process.expect("made\n", 60000));
    // The last of them has just died: half a second, on a machine that has nothing else to do.
    const bool at_once = eventually([&] { return children_of(process.pid()).size() == 1; }, 500);
    WARN(at_once);
    CHECK(eventually([&] { return children_of(process.pid()).size() == 1; }, 5000));
    process.send("exit 3\n");
    CHECK(process.end() == 3);
}

TEST_CASE("pid1-32: one SIGCHLD for two that died: both are seen")
{
    const NothingLeft nothing_left;
    for (const bool orphan_first : {true, false}) {
        CAPTURE(orphan_first);
        const Line to_orphan;
        Contained process(pid1(script("(WITNESS signals < " + to_orphan.path() + " &); exec WITNESS signals")));
        CHECK(process.says("set"));
        CHECK(process.says("set"));
        CHECK(eventually([&] { return children_of(process.pid()).size() == 2; }, patience));
        // The host may stop it. What happens meanwhile is one pending signal.
        process.kill(SIGSTOP);
        CHECK(eventually([&] { return state_of(process.pid()) == 'T'; }, patience));
        const std::vector<pid_t> both = children_of(process.pid());
        const auto all_dead = [&](std::size_t wanted) {
            return eventually(
                [&] {
                    std::size_t dead = 0;
                    for (const pid_t pid : both)
                        dead += state_of(pid) == 'Z';
                    return dead == wanted;
                },
                patience);
        };
        if (!orphan_first) {
            process.send("exit 9\n");
            CHECK(all_dead(1));
        }
        to_orphan.send("exit 5\n");
        CHECK(all_dead(orphan_first ? 1 : 2));
        if (orphan_first) {
            process.send("exit 9\n");
            CHECK(all_dead(2));
        }
        process.kill(SIGCONT);
        CHECK(process.end() == 9);
    }
}

TEST_CASE("pid1-32: one SIGCHLD for a crowd of orphans: all are reaped")
{
    const NothingLeft nothing_left;
    Contained process(pid1(script("WITNESS signals; exec WITNESS orphans 300 signals")));
    CHECK(process.says("set"));
    process.kill(SIGSTOP);
    CHECK(eventually([&] { return state_of(process.pid()) == 'T'; }, patience));
    process.send("exit 0\n");
    CHECK(process.says("made"));
    CHECK(children_of(process.pid()).size() == 301);
    process.kill(SIGCONT);
    CHECK(eventually([&] { return children_of(process.pid()).size() == 1; }, patience));
    CHECK(process.says("set"));
    process.send("exit 3\n");
    CHECK(process.end() == 3);
}

namespace {

/// A script for a main process that is a witness, with so many others that are its orphans once it has said `set`.
std::string beside_orphans(int count)
{
    return "i=0; while [ $i -lt " + std::to_string(count) +
           " ]; do (sleep 1000 >/dev/null &); i=$((i+1)); done; exec WITNESS signals";
}

/// Calls `meet` with one orphan of init's after the other, for as long as it says true.
void one_by_one(pid_t init, pid_t main, const std::function<bool(pid_t)>& meet)
{
    for (const pid_t pid : children_of(init)) {
        if (pid != main && !meet(pid))
            return;
    }
}

}  // namespace

// Of a device that saves power, systemd's TimerSlackNSec= is as long as this; it is inherited. The peers do not sleep.
TEST_CASE("pid1-31: where timers may be late, neither signals nor the end wait for more orphans to gather")
{
    const NothingLeft nothing_left;
    Contained process(pid1(script(beside_orphans(30))),
                      [] { (void)::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(LONG_MAX), 0, 0, 0); });
    CHECK(process.says("set"));
    one_by_one(process.pid(), child_of(process.pid()), [](pid_t orphan) {
        return send_signal(orphan, SIGKILL) && eventually([&] { return state_of(orphan) == 0; }, patience);
    });
    process.kill(SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 3\n");
    CHECK(process.end() == 3);
}

// A signal of a higher number than SIGCHLD's comes behind it.
TEST_CASE("pid1-31: orphans that end without end keep no signal from the main process")
{
    const NothingLeft nothing_left;
    if (!is_vial())
        return;
    Contained process(pid1(script(beside_orphans(60))));
    CHECK(process.says("set"));
    {
        Traced traced(process.pid(), 0);
        ::ptrace(PTRACE_INTERRUPT, process.pid(), nullptr, nullptr);
        CHECK(traced.stop() != 0);
        process.kill(SIGWINCH);
        process.kill(40);
        bool heard = false;
        // Whenever it begins to wait for a signal, and whenever it has got one, there is another orphan's.
        one_by_one(process.pid(), child_of(process.pid()), [&](pid_t orphan) {
            if (!send_signal(orphan, SIGKILL) || !eventually([&] { return state_of(orphan) == 'Z'; }, patience) ||
                !traced.go_to(SYS_rt_sigtimedwait))
                return false;
            const std::string pending = status_of(process.pid(), "ShdPnd");
            heard = pending == signal_set({}) || pending == signal_set({SIGCHLD});
            return !heard;
        });
        CHECK(heard);
        traced.let_go();
    }
    CHECK(process.says("got 28"));
    CHECK(process.says("got 40"));
    process.send("exit 3\n");
    CHECK(process.end() == 3);
}

TEST_CASE("pid1-33: exit codes come through, 127 and 255 too")
{
    const NothingLeft nothing_left;
    for (const int code : {0, 1, 2, 125, 126, 127, 128, 129, 143, 254, 255}) {
        Contained process(pid1(witness({"exit", std::to_string(code)})));
        CHECK(process.end() == code);
    }
}

TEST_CASE("pid1-34: death by signal n exits 128+n")
{
    const NothingLeft nothing_left;
    for (const int number : {1, 2, 3, 6, 9, 10, 11, 13, 15, 24, 31, 34, 40, 64}) {
        Contained process(pid1(witness()));
        CHECK(process.says("set"));
        process.send("raise " + std::to_string(number) + "\n");
        CHECK(process.end() == 128 + number);
    }
}

// tini, catatonit, s6 and runit end at once: no orphan is asked, and the kernel kills them all. dumb-init asks those of the main
// process's session, and does not wait.
TEST_CASE("pid1-35: orphans that outlive the main process get TERM, and its code is the code")
{
    const NothingLeft nothing_left;
    const Line to_orphan;
    Contained process(pid1({"--grace", "600s"},
                           script("(WITNESS name orphan signals < " + to_orphan.path() + " &); exec WITNESS signals")));
    CHECK(process.says("set"));
    CHECK(process.says("set"));
    process.send("exit 7\n");
    CHECK(process.says("orphan: got 15"));
    CHECK_FALSE(process.has_ended());
    to_orphan.send("exit 1\n");
    CHECK(process.end() == 7);
}

TEST_CASE("pid1-35: what does not end by itself is killed when its time is over")
{
    const NothingLeft nothing_left;
    Contained process(pid1({"--grace", "100ms"}, script("(WITNESS name orphan signals </dev/null &); "
                                                        "exec WITNESS signals")));
    CHECK(process.says("set"));
    CHECK(process.says("set"));
    process.send("exit 7\n");
    CHECK(process.says("orphan: got 15"));
    CHECK(process.end() == 7);
}

namespace {

/// With an orphan that would ask for a minute if it were asked.
void ends_at_once(const Words& words, const std::function<void()>& prepare = {})
{
    Contained process(words, prepare);
    CHECK(process.says("set"));
    CHECK(process.says("set"));
    process.send("exit 7\n");
    CHECK(process.end() == 7);
    CHECK_FALSE(contains(process.output(), "orphan: got 15"));
}

}  // namespace

TEST_CASE("pid1-35: with --no-grace it ends with the main process")
{
    const NothingLeft nothing_left;
    ends_at_once(pid1({"--no-grace"}, script("(WITNESS name orphan signals </dev/null &); exec WITNESS signals")));
}

// As they do themselves. dumb-init sends a TERM, but does not wait for anybody.
TEST_CASE("pid1-35: under a peer's name it ends with the main process")
{
    if (!is_vial())
        return;
    const NothingLeft nothing_left;
    for (const char* name : {"tini", "docker-init", "dumb-init", "catatonit"}) {
        CAPTURE(name);
        const std::string link = empty_directory("names") + "/" + name;
        CHECK(::symlink(ctl_words({}).front().c_str(), link.c_str()) == 0);
        Words words = script("(WITNESS name orphan session signals </dev/null &); exec WITNESS signals");
        words.insert(words.begin(), {link, "--"});
        ends_at_once(words);
    }
}

TEST_CASE("pid1-36: the grace period ends when the last process has gone")
{
    const NothingLeft nothing_left;
    // Longer than anybody has patience: where it is a sleep, this is too late.
    Contained process(pid1({"--grace", "600s"}, script("(WITNESS name orphan signals </dev/null &); "
                                                       "(sleep 1000 &); exec WITNESS signals")));
    CHECK(process.says("set"));
    CHECK(process.says("set"));
    CHECK(eventually([&] { return children_of(process.pid()).size() == 3; }, patience));
    process.send("exit 7\n");
    CHECK(process.says("orphan: got 15"));
    // The sleeper has taken its leave; the orphan that has not is waited for.
    CHECK(eventually([&] { return children_of(process.pid()).size() == 1; }, patience));
    CHECK_FALSE(process.has_ended());
    (void)send_signal(child_of(process.pid()), SIGKILL);
    CHECK(process.end() == 7);
}

TEST_CASE("pid1-37: a main process that is stopped and continued has not ended")
{
    const NothingLeft nothing_left;
    Contained process(pid1(witness()));
    CHECK(process.says("set"));
    const pid_t main = child_of(process.pid());
    for (int round = 0; round < 3; round++) {
        (void)send_signal(main, SIGSTOP);
        CHECK(eventually([&] { return state_of(main) == 'T'; }, patience));
        CHECK(taken(process.pid(), SIGCHLD));
        (void)send_signal(main, SIGCONT);
        CHECK(process.says("got 18"));
    }
    process.send("exit 5\n");
    CHECK(process.end() == 5);
}

TEST_CASE("pid1-38: a spurious SIGCHLD does no harm")
{
    const NothingLeft nothing_left;
    Contained process(pid1(witness()));
    CHECK(process.says("set"));
    for (int round = 0; round < 100; round++)
        process.kill(SIGCHLD);
    CHECK(taken(process.pid(), SIGCHLD));
    process.kill(SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 5\n");
    CHECK(process.end() == 5);
    CHECK(process.output() == "set\ngot 10\n");
}

// Of the peers catatonit -P alone has it, and passes.
TEST_CASE("pid1-39: with --pause it reaps, and ends well on TERM and INT")
{
    const NothingLeft nothing_left;
    for (const int number : {SIGTERM, SIGINT}) {
        Words words = pid1({"--pause"}, {});
        words.pop_back();  // the dashes
        Contained process(words);
        CHECK(run(inside(process.pid(), witness({"orphans", "20"})), {}, patience).code == 0);
        // Whoever reaps is ready for signals, too.
        CHECK(eventually([&] { return children_of(process.pid()).empty(); }, patience));
        CHECK_FALSE(process.has_ended());
        process.kill(number);
        CHECK(process.end() == 0);
    }
}

// All three pass.
TEST_CASE("pid1-40: a process in uninterruptible sleep keeps init from nothing")
{
    const NothingLeft nothing_left;
    Contained process(
        pid1({"--grace", "100ms"},
             script("(WITNESS name deep uninterruptible &); (WITNESS orphans 1 &); exec WITNESS signals")));
    CHECK(process.says("set"));
    // Orphans are reaped and signals passed on meanwhile; the sleeper and its own child stay.
    CHECK(eventually([&] { return children_of(process.pid()).size() == 2; }, patience));
    bool deep = false;
    for (const pid_t pid : children_of(process.pid()))
        deep = deep || state_of(pid) == 'D';
    CHECK(deep);
    process.kill(SIGUSR1);
    CHECK(process.says("got 10"));
    process.send("exit 7\n");
    CHECK(process.end() == 7);
}

// No peer goes on after its main process has ended, so none has the chance. (A number that still is a process group's
// is not given away: the heir begins a session.)
TEST_CASE("pid1-42: a signal for the main process does not go to who has its number now")
{
    const NothingLeft nothing_left;
    for (const Words& options : {Words{"--grace", "60s"}, Words{"--grace", "60s", "--group"}}) {
        Contained process(
            pid1(options, script("trap '' TERM; "
                                 "(WITNESS session recycle $$ name heir signals </dev/null &); exec WITNESS signals")));
        CHECK(process.says("set"));
        CHECK(eventually([&] { return children_of(process.pid()).size() == 2; }, patience));
        process.send("exit 7\n");
        CHECK(process.says("heir: set"));
        CHECK(taken(process.pid(), SIGUSR1));
        CHECK(taken(process.pid(), SIGHUP));
        CHECK(taken(process.pid(), 40));
        // What was sent by then has arrived. TERM may come, as to everybody.
        CHECK_FALSE(process.expect("heir: got 10", 50));
        CHECK_FALSE(contains(process.output(), "heir: got 1\n"));
        CHECK_FALSE(contains(process.output(), "heir: got 40"));
        CHECK_FALSE(process.has_ended());
    }
}

TEST_CASE("pid1-43: the launcher reports the main process's status even when init dies first")
{
    if (!is_vial())
        return;
    const NothingLeft nothing_left;
    // The main process has ended, and an orphan that does not listen keeps PID 1 waiting for a minute.
    const std::string file = spec("first", "root = \"ROOT\"\nstop_timeout = \"60s\"\n"
                                           "command = [\"/bin/sh\", \"-c\", "
                                           "\"(trap 'echo asked' TERM; echo up; while :; do sleep 1000 & wait; done) & "
                                           "read -r line; exit 7\"]\n");
    Process process(ctl_words({"run", file}));
    CHECK(process.expect("up\n", patience));
    REQUIRE(eventually([] { return init_pid("first") > 1; }));  // it may speak before its launcher has noted it
    const pid_t init = init_pid("first");
    process.send("now\n");
    CHECK(process.expect("asked\n", patience));
    (void)send_signal(init, SIGKILL);
    CHECK(process.wait(patience) == 7);
}
