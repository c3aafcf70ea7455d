// SPDX-License-Identifier: MIT
//
// `vial init -- COMMAND` in somebody's container: what its main process is started with. See pid1.h.
//
// What the Debian 12 packages of its peers did in a case is written where they failed: tini 0.19.0, dumb-init 1.2.5,
// catatonit 0.1.7, s6 2.11.3, runit 2.1.2; of the last two only where it is about them and not about the scripts that run
// them (see pid1.h).

#include "base/os.h"
#include "pid1.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

// tini and catatonit wait for ever: the kernel reaps for them, and they are told nothing. dumb-init and s6 pass; runit
// hears of it, too, but has a code of its own in all cases, 111.
TEST_CASE("pid1-1: SIGCHLD inherited as ignored: still the child's code, still reaps")
{
    const NothingLeft nothing_left;
    const auto ignore = [] { set_signals({}, {SIGCHLD}); };
    CHECK(run_contained(pid1({"/bin/sh", "-c", "exit 3"}), ignore, patience).code == 3);

    Process process(pid1(script("(sleep 0 &); (WITNESS exit 0 &); exec WITNESS signals")), Process::Streams::Pipes,
                    contained(ignore));
    REQUIRE(process.expect("set\n"));
    CHECK(eventually([&] { return children_of(process.pid()).size() == 1; }, patience));
    process.send("exit 4\n");
    CHECK(process.wait(patience) == 4);
}

// catatonit blocks TSTP, TTIN and TTOU on top; dumb-init unblocks and stops ignoring
// everything; s6 and runit clear the mask and one ignored signal, PIPE or HUP. None has a choice.
TEST_CASE("pid1-2: the child gets the signal mask and the ignored signals that init was given")
{
    const NothingLeft nothing_left;
    const std::vector<int> blocked{SIGUSR1, SIGWINCH, 40}, ignored{SIGHUP, SIGUSR2, SIGPIPE};
    const Finished finished = run_contained(pid1({"cat", "/proc/self/status"}), [&] { set_signals(blocked, ignored); });
    CHECK(finished.code == 0);
    CHECK(contains(finished.out, "SigBlk:\t" + signal_set(blocked) + "\n"));
    CAPTURE(finished.out);
    CHECK(contains(finished.out, "SigIgn:\t" + signal_set(ignored) + "\n"));
    // Or a clean one, where asked.
    const Finished clean =
        run_contained(pid1({"--clean-signals"}, {"cat", "/proc/self/status"}), [&] { set_signals(blocked, ignored); });
    CHECK(contains(clean.out, "SigBlk:\t" + signal_set({}) + "\n"));
    CHECK(contains(clean.out, "SigIgn:\t" + signal_set({}) + "\n"));
}

TEST_CASE("pid1-2: the services of a spec ignore and block no signal, whatever init was given")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/signals.conf";
    write_text(file, "command = [\"/bin/grep\", \"^Sig[BI]\", \"/proc/self/status\"]\n");
    Process process(ctl_words({"init", "--spec", file}), Process::Streams::Pipes, contained([] {
                        set_signals({SIGUSR1}, {SIGHUP, SIGPIPE, SIGCHLD});
                    }));
    CHECK(process.wait() == 0);
    CHECK(process.output() == "SigBlk:\t" + signal_set({}) + "\nSigIgn:\t" + signal_set({}) + "\n");
}

TEST_CASE("pid1-62: what reading a long spec took does not stay with PID 1")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/long.conf";
    std::string spec;
    for (int number = 0; number < 200; number++)
        spec += "[service.s" + std::to_string(number) + "]\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    write_text(file, spec + "[service.last]\ncommand = [\"/bin/echo\", \"up\"]\n");
    Process process(ctl_words({"init", "--no-grace", "--spec", file}), Process::Streams::Pipes, contained());
    REQUIRE(process.expect("up\n"));
    std::int64_t kilobytes = 0;
    const std::string memory = read_text("/proc/" + std::to_string(process.pid()) + "/smaps_rollup");
    for (std::string_view rest = memory; !rest.empty();) {
        if (take_word(rest) == "Anonymous:")
            kilobytes = parse_number(take_word(rest)).value_or(0);
    }
    CAPTURE(memory);
    CHECK(kilobytes > 0);
    CHECK(kilobytes < 200);
    process.kill(SIGTERM);
    CHECK(process.wait() == 0);
}

// catatonit: 0000000000380000, its TSTP, TTIN and TTOU.
TEST_CASE("pid1-3: after a clean start nothing is blocked and nothing ignored in the child")
{
    const NothingLeft nothing_left;
    for (const bool terminal : {false, true}) {
        Process process(pid1({"grep", "^Sig", "/proc/self/status"}),
                        terminal ? Process::Streams::Terminal : Process::Streams::Pipes, contained());
        CHECK(process.wait(patience) == 0);
        CHECK(contains(process.output(), "SigBlk:\t" + signal_set({})));
        CAPTURE(process.output());
        CHECK(contains(process.output(), "SigIgn:\t" + signal_set({})));
    }
}

// tini exits 1 where descriptor 0 is closed: "tcsetpgrp failed: Bad file descriptor". dumb-init, catatonit
// and s6 pass, and runit but for its code.
TEST_CASE("pid1-6: works with descriptors 0, 1 and 2 closed")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/said";
    for (const std::vector<int>& closed : std::vector<std::vector<int>>{{0, 1, 2}, {0}, {1}, {2}, {0, 2}}) {
        for (const bool has_dev : {true, false}) {
            const auto close_them = [&] {
                if (!has_dev)
                    (void)::mount("tmpfs", "/dev", "tmpfs", 0, nullptr);
                for (const int fd : closed)
                    ::close(fd);
            };
            // What is written there is not taken for written.
            const bool mute = std::find(closed.begin(), closed.end(), 1) != closed.end();
            write_text(file, "");
            const std::string lost = mute ? "echo lost && exit 3; " : "";
            CHECK(run_contained(pid1(script(lost + "echo here > " + file + "; exit 4")), close_them).code == 4);
            CHECK(read_text(file) == "here\n");
        }
    }
}

// tini exits 1 where it is EBADF; dumb-init and catatonit pass.
TEST_CASE("pid1-7: no terminal to give to the child, for whatever reason, is not fatal")
{
    const NothingLeft nothing_left;
    const auto from = [](const char* path, int flags) {
        return [=] {
            const int fd = ::open(path, flags | O_NOCTTY);
            ::dup2(fd, 0);
            if (fd > 0)
                ::close(fd);
        };
    };
    Process other({"sleep", "1000"}, Process::Streams::Terminal);  // whose terminal is not ours
    const std::string terminal = "/proc/" + std::to_string(other.pid()) + "/fd/0";
    const std::vector<std::function<void()>> inputs{
        {},                              // a pipe: ENOTTY
        from("/dev/null", O_RDONLY),     // ENOTTY
        from(terminal.c_str(), O_RDWR),  // another session's: ENOTTY
        from("/proc/self/exe", O_PATH),  // EBADF
        [] { ::close(0); },              // EBADF
        [] { ::setsid(); },              // in a session without a terminal
    };
    for (std::size_t which = 0; which < inputs.size(); which++) {
        CAPTURE(which);
        // The terminal is named in the host's numbers, so it is opened before /proc is another.
        Birth birth = contained();
        birth.prepare = [&, fresh = birth.prepare] {
            if (inputs[which])
                inputs[which]();
            fresh();
        };
        Process process(pid1(witness({"exit", "5"})), Process::Streams::Pipes, birth);
        CHECK(process.wait(patience) == 5);
        INFO(process.errors());
    }
    // A terminal that has hung up: EIO.
    Process hung(pid1(witness({"exit", "5"})), Process::Streams::Terminal, contained([] {
                     (void)os::close_from(3);  // the master among them
                     ::signal(SIGHUP, SIG_IGN);
                     char byte;
                     while (::read(0, &byte, 1) > 0) {
                     }
                 }));
    hung.hang_up();
    CHECK(hung.wait(patience) == 5);
}

// tini, dumb-init, s6 and runit keep them all open for as long as they live; catatonit passes.
TEST_CASE("pid1-8: inherited descriptors reach the child, and init has closed them")
{
    const NothingLeft nothing_left;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    Process process(pid1(script("echo through >&7; exec 7>&-; exec WITNESS signals")), Process::Streams::Pipes,
                    contained([&] { ::dup2(write_end.get(), 7); }));
    write_end.reset();
    REQUIRE(process.expect("set\n", patience));
    char buffer[64];
    REQUIRE(::read(read_end.get(), buffer, sizeof buffer) == 8);
    CHECK(std::string_view(buffer, 8) == "through\n");
    // Now that the child has closed it, nobody holds it.
    pollfd entry{read_end.get(), POLLIN, 0};
    CHECK(::poll(&entry, 1, static_cast<int>(patience)) == 1);
    CHECK((entry.revents & POLLHUP) != 0);
    CHECK_FALSE(process.has_ended());
}

// tini and catatonit stay where they were started, s6 and runit in their directory of services; dumb-init passes.
TEST_CASE("pid1-9: init's working directory becomes /, the child keeps its own")
{
    const NothingLeft nothing_left;
    const std::string directory = empty_directory("somewhere");
    Process process(pid1(script("pwd; exec WITNESS signals")), Process::Streams::Pipes,
                    contained([&] { (void)!::chdir(directory.c_str()); }));
    CHECK(process.expect(directory + "\n", patience));
    REQUIRE(process.expect("set\n", patience));
    char path[256] = {};
    const std::string link = "/proc/" + std::to_string(process.pid()) + "/cwd";
    CHECK(eventually(
        [&] {
            const ssize_t length = ::readlink(link.c_str(), path, sizeof path - 1);
            return std::string_view(path, length > 0 ? static_cast<std::size_t>(length) : 0) == "/";
        },
        patience));
}

// tini, dumb-init, s6 and runit hand LISTEN_PID=1 on, so that sd_listen_fds(3) finds nothing; catatonit passes.
TEST_CASE("pid1-10: LISTEN_PID that names init names the child, and any other stays")
{
    const NothingLeft nothing_left;
    const Words command = pid1(script("echo ${LISTEN_PID:-none} $$ $LISTEN_FDS"));
    Finished finished = run_contained(command, [] { ::setenv("LISTEN_PID", "1", 1), ::setenv("LISTEN_FDS", "2", 1); });
    const std::string pid = finished.out.substr(0, finished.out.find(' '));
    CHECK(pid != "1");
    CHECK(finished.out == pid + " " + pid + " 2\n");
    finished = run_contained(command, [] { ::setenv("LISTEN_PID", "77", 1), ::setenv("LISTEN_FDS", "2", 1); });
    CHECK(finished.out.starts_with("77 "));
    finished = run_contained(command, [] { ::unsetenv("LISTEN_PID"), ::setenv("LISTEN_FDS", "2", 1); });
    CHECK(finished.out.starts_with("none "));
}

// tini -vvv writes "[INFO  tini (1)] ..." between the lines of its child. catatonit has nothing to say.
TEST_CASE("pid1-12: what init has to say, it never says on the child's standard output")
{
    const NothingLeft nothing_left;
    Process process(pid1({"--verbose"}, witness()), Process::Streams::Pipes, contained());
    REQUIRE(process.expect("set\n", patience));
    process.kill(SIGUSR1);
    CHECK(process.expect("got 10\n", patience));
    process.send("exit 0\n");
    CHECK(process.wait(patience) == 0);
    CHECK(process.output() == "set\ngot 10\n");
    CHECK(process.errors() != "");
}

// All three pass.
TEST_CASE("pid1-13: without a command: usage on standard error, and no success")
{
    const NothingLeft nothing_left;
    Words without = pid1({}), dashes = pid1({});
    without.pop_back();
    for (const Words& words : {without, dashes}) {
        const Finished finished = run_contained(words);
        CHECK(finished.code > 0);
        CHECK(finished.out == "");
        CHECK((contains(finished.err, "usage") || contains(finished.err, "Usage")));
    }
}

// tini without dashes takes the command's options for its own ("invalid option"), and exits 1. dumb-init exits 2 and
// catatonit 1 for the strange command.
TEST_CASE("pid1-14: options after the command are the command's, and -- ends init's own")
{
    const NothingLeft nothing_left;
    const Words echo{"/bin/echo", "--group", "--verbose", "--", "--grace", "-g", "-h"};
    Words with_dashes = pid1(echo), without = pid1(echo);
    without.erase(std::find(without.begin(), without.end(), "--"));
    for (const Words& words : {with_dashes, without}) {
        const Finished finished = run_contained(words);
        CHECK(finished.code == 0);
        CHECK(finished.out == "--group --verbose -- --grace -g -h\n");
        CHECK(finished.err == "");
    }
    // What follows the dashes is the command, whatever it looks like.
    const Finished strange = run_contained(pid1({"--group"}));
    CHECK(strange.code == 127);
    CHECK(contains(strange.err, "--group"));
}
