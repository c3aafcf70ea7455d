// SPDX-License-Identifier: MIT
//
// `vial init` and the names it answers to: options, environment variables, versions and bad input. What a PID 1 must
// get right once it runs is in test_pid1_*.cc, by the list's numbers.

#include "harness.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/// In a PID namespace of its own.
Words contained(Words words)
{
    words.insert(words.begin(), {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"});
    return words;
}

Words shell(const std::string& script)
{
    return {"/bin/sh", "-c", script};
}

Words operator+(Words first, const Words& second)
{
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// With variables of the environment.
Words with(Words variables, const Words& words)
{
    variables.insert(variables.begin(), "env");
    return variables + words;
}

Finished init(const Words& words)
{
    return run(contained(ctl_words({"init"}) + words));
}

}  // namespace

TEST_CASE("bad input: one clear message each, usage, and nothing is started")
{
    const NothingLeft nothing_left;
    struct Case {
        Words options;
        const char* message;
    };
    const std::string directory = empty_directory("a-directory");
    write_text(work() + "/a-file", "");
    const Case cases[] = {
        {{"--fly"}, "unknown option --fly"},
        {{"--rewrite", "KILL:TERM"}, "never passed on"},
        {{"--rewrite", "9:15"}, "never passed on"},
        {{"--rewrite", "TERM"}, "expected SIGNAL:SIGNAL"},
        {{"--rewrite", "TERM:"}, "expected SIGNAL:SIGNAL"},
        {{"--rewrite", "TERM:NONE"}, "expected SIGNAL:SIGNAL"},
        {{"--rewrite", "65:1"}, "expected SIGNAL:SIGNAL"},
        {{"--remap", "1:256"}, "0 to 255"},
        {{"--remap", "0-256:1"}, "0 to 255"},
        {{"--remap", "5-4:1"}, "0 to 255"},
        {{"--remap", "1"}, "expected CODE"},
        {{"--remap", "1-:0"}, "expected CODE"},
        {{"--parent-death", "NONE"}, "not a signal"},
        {{"--grace", "soon"}, "not a time"},
        {{"--control", directory}, "is a directory"},
        {{"--control", work() + "/a-file"}, "is there already"},
        {{"--control", work() + "/none/socket"}, "No such file"},
        {{"--control", work() + "/" + std::string(200, 'x')}, "long"},
        {{"--control-fd", "3"}, "expected two descriptors"},
        {{"--control-fd", "700,701"}, "not both open"},
        {{"--log", work() + "/none/log"}, "No such file"},
        {{"--log", work() + "/log,size=1"}, "4K or more"},
        {{"--pause"}, "one of these"},
        {{"--spec", "x.conf"}, "one of these"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.message);
        const Finished finished = run(ctl_words({"init"}) + one.options + Words{"--", "/bin/echo", "started"});
        CAPTURE(finished.err);
        CHECK(finished.code == 125);
        CHECK(finished.out == "");
        CHECK(contains(finished.err, one.message));
        CHECK(contains(finished.err, "vial init --help"));
    }
}

TEST_CASE("a spec without a root: its services run, and what takes a launcher is refused by name")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/services.conf";
    write_text(file, "[service.first]\ncommand = [\"/bin/sh\", \"-c\", \"echo first; exit 0\"]\n"
                     "[service.second]\ncommand = [\"/bin/sh\", \"-c\", \"echo second $WORD; exit 3\"]\n"
                     "environment = [\"WORD=two\"]\n");
    const Finished finished = init({"--spec", file});
    CAPTURE(finished.err);
    CHECK(finished.code == 3);
    CHECK(contains(finished.out, "first\n"));
    CHECK(contains(finished.out, "second two\n"));

    write_text(file, "root = \"/\"\ncommand = [\"/bin/true\"]\n[limits]\nmemory = \"1M\"\n");
    const Finished refused = init({"--spec", file});
    CHECK(refused.code == 125);
    CHECK(contains(refused.err, "'root' takes a launcher"));
    CHECK(contains(refused.err, "'limits' takes a launcher"));

    write_text(file, "command = [\"/tmp\"]\n");
    const Finished directory = init({"--spec", file});
    CHECK(directory.code == 126);
    CHECK(lines(directory.err).size() == 1);
    CHECK(contains(directory.err, "/tmp: it is a directory"));
    CHECK(init({"--spec", work() + "/none.conf"}).code == 125);

    write_text(file, "[service.a]\ncommand = [\"/bin/true\"]\nafter = [\"b\"]\n"
                     "[service.b]\ncommand = [\"/bin/true\"]\nrequires = [\"a\"]\n");
    const Finished loop = init({"--spec", file});
    CHECK(loop.code == 125);
    CHECK(lines(loop.err).size() == 1);
    CHECK(contains(loop.err, "the services wait for each other: a -> b -> a"));
}

TEST_CASE("a service that is not there when its turn comes is told in one line, and init lives on")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/later.conf", path = work() + "/later";
    write_text(file, "[service.first]\noneshot = true\ncommand = [\"/bin/sleep\", \"0.2\"]\n"
                     "[service.second]\nafter = [\"first\"]\ncommand = [\"/tmp\"]\n"
                     "[service.third]\ncommand = [\"/bin/sleep\", \"1000\"]\n");
    Process process(contained(ctl_words({"init", "--verbose", "--control", path, "--spec", file})));
    CHECK(eventually([&] { return contains(ControlLine(path).ask("status"), "\"second\",\"state\":\"failed\""); }));
    CHECK(contains(ControlLine(path).ask("status"), "\"third\",\"state\":\"ready\""));
    CHECK(ControlLine(path).ask("shutdown") == "{\"ok\":true}\n");
    CHECK(process.wait() == 126);
    std::size_t told = 0;
    for (const std::string& line : lines(process.errors()))
        told += contains(line, "second: cannot execute /tmp: it is a directory");
    CHECK(told == 1);
}

TEST_CASE(
    "a spec's service says that it is ready, or where it has gone; where there is no place for a socket that is told")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/telling.conf";
    write_text(file, "command = [\"" + payload("notify") + "\", \"=READY=1\", \"exit=6\"]\nready = \"notify\"\n");
    const auto on_dev = [&](const std::string& option) {
        return run(contained(shell("mount -t tmpfs -o " + option + " none /dev && exec \"$@\"") + Words{"sh"} +
                             ctl_words({"init", "--spec", file})));
    };
    CHECK(on_dev("rw").code == 6);
    const Finished refused = on_dev("ro");
    CHECK(refused.code == 125);
    CHECK(refused.err == "vial: cannot make the socket that ready = \"notify\" takes, in /dev/notify: "
                         "Read-only file system\n");

    // pid1-41, without a control group of its own.
    write_text(file, "pid_file = \"" + work() + "/telling.pid\"\ncommand = [\"" + payload("notify") +
                         "\", \"background\", \"+100\", \"pid=" + work() + "/telling.pid\", \"+100\", \"exit=7\"]\n");
    CHECK(init({"--spec", file}).code == 7);
}

TEST_CASE("TERM stops the services of a spec in order")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/stopped.conf";
    write_text(
        file,
        "command = [\"/bin/sh\", \"-c\", \"trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 1; done\"]\n");
    Process process(ctl_words({"init", "--no-grace", "--spec", file}));
    CHECK(process.expect("up\n"));
    process.kill(SIGTERM);
    CHECK(process.expect("asked\n"));
    CHECK(process.wait() == 0);
}

TEST_CASE("--control answers on a socket, also where an earlier run has left one")
{
    const NothingLeft nothing_left;
    const std::string path = work() + "/control";
    for (int turn = 0; turn < 2; turn++) {
        Process process(
            contained(ctl_words({"init", "--control", path, "--"}) + shell("echo up; read -r line; exit 4")));
        CHECK(process.expect("up\n"));
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        CHECK(::write(fd, "status\n", 7) == 7);
        std::string answer;
        char buffer[4096];
        while (!contains(answer, "\"ok\":")) {
            const ssize_t got = ::read(fd, buffer, sizeof buffer);
            if (got <= 0)
                break;
            answer.append(buffer, static_cast<std::size_t>(got));
        }
        CHECK(contains(answer, "\"main\""));
        CHECK(contains(answer, "{\"ok\":true}"));
        ::close(fd);
        process.send("\n");
        CHECK(process.wait() == 4);
        // Left on purpose: the next turn meets it.
        if (!exists(path)) {
            const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            CHECK(::bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
            ::close(stale);
        }
    }
    ::unlink(path.c_str());
}

TEST_CASE("--control-fd answers over two pipes, which the command does not get")
{
    const NothingLeft nothing_left;
    const Finished finished = run(
        shell("mkfifo " + work() + "/r " + work() + "/w; exec 5<>" + work() + "/r 6<>" + work() +
              "/w; (printf 'ping\\nstatus\\nfly\\n' >&5) & " + ::getenv("VIAL") +
              " init --no-grace --control-fd 5,6 -- /bin/sh -c 'sleep 1; ls /proc/self/fd | tr \"\\n\" \" \"; exit 5'; "
              "code=$?; echo; timeout 1 cat <&6; exit $code"));
    CHECK(finished.code == 5);
    CHECK(contains(finished.out, "{\"ok\":true}\n"));
    CHECK(contains(finished.out, "\"main\""));
    CHECK(contains(finished.out, "unknown request: fly"));
    CHECK_FALSE(contains(lines(finished.out)[0], "5 "));
    CHECK_FALSE(contains(lines(finished.out)[0], "6 "));
}

TEST_CASE("--log keeps the output in two bounded files")
{
    const NothingLeft nothing_left;
    const std::string path = work() + "/kept";
    const Finished finished =
        init(Words{"--log", path + ",size=8K", "--"} + shell("echo said; echo wrong >&2; seq 1 5000; echo last"));
    CHECK(finished.code == 0);
    CHECK(finished.out == "");
    const std::string both = read_text(path + ".0") + read_text(path + ".1");
    CHECK(both.size() == 16384);
    CHECK(contains(both, "last\n"));
    CHECK(contains(both, " main o "));

    // `vial logs` shows it, as it does a container's.
    const Finished shown = ctl({"logs", path});
    CHECK(shown.code == 0);
    CHECK(shown.err == "");
    CHECK(shown.out.ends_with("\n4999\n5000\nlast\n"));
    CHECK(done({"logs", "-n", "2", "--prefix", path}) == "main: 5000\nmain: last\n");
    CHECK(contains(done({"logs", "--json", "-n", "1", path}), "\"service\":\"main\""));
    Process follower(ctl_words({"logs", "-f", path}));
    CHECK(follower.expect("last\n"));
    CHECK(init(Words{"--log", path + ",size=8K", "--"} + shell("echo once more")).code == 0);
    CHECK(follower.expect("once more\n"));
    follower.kill(SIGTERM);
    CHECK(follower.wait() == 128 + SIGTERM);

    CHECK(refused(1, {"logs", path + "/none"}) ==
          "vial: cannot show the log of " + path + "/none: No such file or directory");
    write_text(work() + "/text.0", "not what it should be");
    write_text(work() + "/text.1", "");
    CHECK(refused(1, {"logs", work() + "/text"}) ==
          "vial: cannot show the log of " + work() + "/text: not a log of vial's");
}

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
    CHECK(run({called("dumb-init"), "-r", "1:32", "/bin/true"}).code == 1);
    CHECK(run({called("dumb-init"), "--rewrite=15:derp", "/bin/true"}).code == 1);
    CHECK(run({called("tini"), "-e", "256", "/bin/true"}).code == 1);
    CHECK(run({called("tini"), "-p", "SIGNONE", "/bin/true"}).code == 1);
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
    CHECK(contains(run(with({"TINI_VERBOSITY=3"}, {tini, "-s", "/bin/true"})).err, "[DEBUG tini ("));
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

TEST_CASE("it needs neither root nor /proc nor a place to write")
{
    const NothingLeft nothing_left;
    const Words setup = shell("mount -t tmpfs -o ro none /proc && mount -o remount,ro,bind / 2>/dev/null; "
                              "exec setpriv --reuid 65534 --regid 65534 --clear-groups " +
                              std::string(::getenv("VIAL")) + " init -- /bin/sh -c 'echo here; exit 8'");
    const Finished finished = run(Words{"unshare", "--pid", "--fork", "--mount", "--kill-child"} + setup);
    CAPTURE(finished.err);
    CHECK(finished.code == 8);
    CHECK(finished.out == "here\n");
}

TEST_CASE("few descriptors are enough to keep a log with")
{
    const NothingLeft nothing_left;
    const std::string log = work() + "/few";
    for (const char* limit : {"20", "64", "65"}) {
        CAPTURE(std::string(limit));
        const Finished finished = run(Words{"prlimit", std::string("--nofile=") + limit + ":" + limit} +
                                      ctl_words({"init", "--subreaper", "--log", log, "--"}) + shell("exit 3"));
        CAPTURE(finished.err);
        CHECK(finished.code == 3);
    }
}

TEST_CASE(
    "a filter that refuses what is newer than itself, or that it takes for new namespaces, keeps nobody from starting")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/filtered.conf", log = work() + "/filtered";
    write_text(file, "command = [\"/bin/sh\", \"-c\", \"exit 4\"]\n");
    for (const char* refused :
         {"clone3", "close_range", "unshare", "close_range,unshare", "clone3,close_range,unshare"}) {
        for (const Words& what : {Words{"--"} + shell("exit 4"), Words{"--log", log, "--spec", file}}) {
            CAPTURE(std::string(refused));
            CAPTURE(what[0]);
            const Finished finished = run(contained(
                Words{"timeout", "-k", "1", "5", payload("oldkernel"), "--without", refused, "--errno", "EPERM", "--"} +
                ctl_words({"init", "--subreaper"}) + what));
            CAPTURE(finished.err);
            CHECK(finished.code == 4);
        }
    }
}
