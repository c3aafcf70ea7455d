// SPDX-License-Identifier: MIT
//
// The names that `vial init` answers to: the flags, environment variables, versions and exit codes of tini, dumb-init,
// catatonit and pause.

#include "entry.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial::test;

namespace {

/// The program under one of its other names.
std::string called(const std::string& name)
{
    const std::string path = work() + "/" + name;
    if (!exists(path))
        CHECK(::symlink(::getenv("VIAL"), path.c_str()) == 0);
    return path;
}

/// With variables of the environment.
Words with(Words variables, const Words& words)
{
    variables.insert(variables.begin(), "env");
    return variables + words;
}

}  // namespace

TEST_CASE("versions are found where tools look for them")
{
    const NothingLeft nothing_left;
    CHECK(run({called("tini"), "--version"}).out.starts_with("tini version "));
    CHECK(run({called("docker-init"), "--version"}).out.starts_with("tini version "));
    CHECK(run({called("catatonit"), "--version"}).out.starts_with("tini version "));
    CHECK(run({called("catatonit"), "-V"}).out.starts_with("tini version "));
    CHECK(run({called("dumb-init"), "--version"}).err == "dumb-init v1.2.5\n");
    CHECK(run({called("dumb-init"), "-V"}).err == "dumb-init v1.2.5\n");
    CHECK(run({called("pause"), "-v"}).out.starts_with("pause.c "));
}

TEST_CASE("help and wrong flags end as the original's do")
{
    const NothingLeft nothing_left;
    for (const char* name : {"tini", "dumb-init", "catatonit"}) {
        CAPTURE(name);
        CHECK(run({called(name), "-h"}).code == 0);
        CHECK(run({called(name)}).code == 1);
        const Finished wrong = run({called(name), "--yolo", "/bin/true"});
        CHECK(wrong.code == 1);
        CHECK(wrong.out == "");
        CHECK(contains(wrong.err, "option"));
        CHECK(run({called(name), "-Z", "/bin/true"}).code == 1);
    }
}

TEST_CASE("values of flags are taken and refused as the originals do")
{
    const NothingLeft nothing_left;
    struct Case {
        const char* name;
        const char* flag;
        Words taken, refused;
        const char* words;
    };
    const Case cases[] = {
        {"dumb-init",
         "-r",
         {"1:2:3", " 1:2", "1: 2", "+1:+2", "1:2x", "01:02", "\t1:\n2", "31:31"},
         {"", "1", "1:", ":1", "1 :2", "15::12", "1:-1", "-1:2", "0:1", "1:32", "32:1", "0x1:2", "15:derp"},
         "Usage: -r option takes <signum>:<signum>"},
        {"tini",
         "-p",
         {"SIGTERM", "SIGKILL", "SIGHUP", "SIGSYS"},
         {"", "SIG", "TERM", "15", "sigterm", "SIGNONE", "SIGIO", "SIGPOLL", "SIGPWR", "SIGIOT", "SIGCLD", "SIGRTMIN",
          "SIGRTMIN+1"},
         "Not a valid option for -p: "},
        {"tini",
         "-e",
         {"", " 5", "+5", "-0", "255"},
         {"5x", "0x5", "256", "-1", "5 ", "x", "99999999999999999999"},
         "Not a valid option for -e: "},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        for (const std::string& value : one.taken) {
            CAPTURE(value);
            CHECK(run({called(one.name), one.flag, value, "/bin/true"}).code == 0);
        }
        for (const std::string& value : one.refused) {
            CAPTURE(value);
            const Finished refused = run({called(one.name), one.flag, value, "/bin/true"});
            CHECK(refused.code == 1);
            CHECK(contains(refused.err, one.words));
        }
    }
}

TEST_CASE("exit codes of a command that cannot be executed")
{
    const NothingLeft nothing_left;
    struct Case {
        const char* name;
        int missing, refused;
        const char* words;
    };
    for (const Case& one : {Case{"tini", 127, 126, "exec /none failed: No such file or directory"},
                            Case{"dumb-init", 2, 2, "[dumb-init] /none: No such file or directory"},
                            Case{"catatonit", 1, 1, "failed to exec pid1: No such file or directory"}}) {
        CAPTURE(one.name);
        const Finished missing = run(contained({called(one.name), "/none"}));
        CHECK(missing.code == one.missing);
        CHECK(contains(missing.err, one.words));
        CHECK(run(contained({called(one.name), "/etc/passwd"})).code == one.refused);
        CHECK(run(contained(Words{called(one.name), "--"} + shell("exit 9"))).code == 9);
    }
}

TEST_CASE("flags and environment variables of tini")
{
    const NothingLeft nothing_left;
    const std::string tini = called("tini");
    CHECK(run(contained(Words{tini, "-e", "7", "-e143", "--"} + shell("exit 7"))).code == 0);
    CHECK(run(contained(Words{tini, "-e", "143", "--"} + shell("kill $$"))).code == 0);
    CHECK(contains(run({tini, "/bin/true"}).err, "zombie reaping won't work"));
    CHECK(run({tini, "-s", "/bin/true"}).err == "");
    CHECK(run(with({"TINI_SUBREAPER="}, {tini, "/bin/true"})).err == "");
    CHECK(run(with({"TINI_VERBOSITY=0"}, {tini, "/bin/true"})).err == "");
    CHECK(contains(run(with({"TINI_VERBOSITY=3"}, {tini, "-s", "/bin/true"})).err, "] Received SIGCHLD"));
    CHECK(contains(run({tini}).err, "supervision of a valid init process"));
    for (const char* verbosity : {"TINI_VERBOSITY=3", "TINI_VERBOSITY= 3x", "TINI_VERBOSITY=-1"})
        CHECK(contains(run(with({verbosity}, {tini, "-s", "/bin/true"})).err, "[DEBUG tini ("));
    CHECK(contains(run({tini, "-vvv", "-s", "/bin/true"}).err, "[DEBUG tini ("));
    CHECK(contains(run(contained(Words{tini, "-w", "--"} + shell("(sleep 0.1 &); sleep 0.5"))).err,
                   "Reaped zombie process with pid="));
    for (const Words& group : {Words{tini, "-g", "--"}, with({"TINI_KILL_PROCESS_GROUP="}, {tini, "--"})}) {
        Process process(group + shell("trap '' USR1; echo up; sh -c 'trap - USR1; exec sleep 1000' || exit 6"));
        CHECK(process.expect("up\n"));
        CHECK_FALSE(process.expect("never", 300));
        process.kill(SIGTERM);
        CHECK(process.wait() == 143);
    }
}

TEST_CASE("flags and environment variables of dumb-init")
{
    const NothingLeft nothing_left;
    const std::string dumb = called("dumb-init");
    const auto session = [&](const Words& words) {
        return run(words + shell("[ $(ps -o sid= -p $$) = $$ ] && echo own || echo shared")).out;
    };
    CHECK(session({dumb}) == "own\n");
    CHECK(session({dumb, "-c"}) == "shared\n");
    CHECK(session({dumb, "--single-child"}) == "shared\n");
    CHECK(session(with({"DUMB_INIT_SETSID=0"}, {dumb})) == "shared\n");
    CHECK(session(with({"DUMB_INIT_SETSID=1"}, {dumb})) == "own\n");
    CHECK(contains(run(with({"DUMB_INIT_DEBUG=1"}, {dumb, "/bin/true"})).err, "[dumb-init] setsid complete.\n"));
    CHECK(run(with({"DUMB_INIT_DEBUG=0"}, {dumb, "/bin/true"})).err == "");
    for (const Words& rewrite : {Words{"-r", "10:12", "-r12:10"}, Words{"--rewrite=10:12", "--rewrite", "12:10"}}) {
        Process process(Words{dumb} + rewrite +
                        shell("trap 'echo usr2' USR2; trap 'exit 5' USR1; echo up; while :; do sleep 0.05; done"));
        CHECK(process.expect("up\n"));
        process.kill(SIGUSR1);
        CHECK(process.expect("usr2\n"));
        process.kill(SIGUSR2);
        CHECK(process.wait() == 5);
    }
}

TEST_CASE("flags and environment variables of catatonit, and pause")
{
    const NothingLeft nothing_left;
    const std::string catatonit = called("catatonit");
    CHECK(contains(run(with({"CATATONIT_DEBUG=1"}, {catatonit, "/bin/true"})).err, "(catatonit:"));
    CHECK(run(with({"CATATONIT_LOG=1"}, {catatonit, "/bin/true"})).code == 1);
    CHECK(run({catatonit, "/bin/true"}).err == "");
    for (const Words& words : {Words{catatonit, "-P"}, Words{called("pause")}, ctl_words({"init", "--pause"})}) {
        for (const int signal : {SIGTERM, SIGINT}) {
            Process process(words);
            // Its own name says that the exec is over.
            const std::string name = words[0].substr(words[0].rfind('/') + 1);
            CHECK(eventually([&] {
                const std::string status = read_text("/proc/" + std::to_string(process.pid()) + "/status");
                return contains(status, "Name:\t" + name) && contains(status, "SigBlk:\tf");
            }));
            process.kill(SIGUSR1);
            CHECK_FALSE(process.has_ended());
            process.kill(signal);
            CHECK(process.wait() == 0);
        }
    }
}

TEST_CASE("a script without #! is a shell's under the peers' names, as with execvp")
{
    const NothingLeft nothing_left;
    const std::string script = work() + "/script";
    write_text(script, "echo ran $1; exit 3\n");
    CHECK(::chmod(script.c_str(), 0755) == 0);
    for (const char* name : {"tini", "dumb-init", "catatonit"}) {
        const Finished finished = run(contained({called(name), script, "well"}));
        CHECK(finished.code == 3);
        CHECK(finished.out == "ran well\n");
    }
    CHECK(init({"--", script}).code == 126);
}
