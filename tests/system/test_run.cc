// SPDX-License-Identifier: MIT
//
// A container in the foreground: exit codes, standard streams, signals, and the terminal.

#include "harness.h"

#include <doctest/doctest.h>
#include <memory>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

using namespace vial;
using namespace vial::test;

namespace {

/// `vial run --root ROOT -- WORDS...`
Words run_words(Words words, Words options = {})
{
    Words all{"run", "--root", root()};
    all.insert(all.end(), options.begin(), options.end());
    all.push_back("--");
    all.insert(all.end(), words.begin(), words.end());
    return ctl_words(all);
}

Finished run_inside(Words words, std::string_view input = {}, Words options = {})
{
    return run(run_words(std::move(words), std::move(options)), input);
}

Finished shell(const std::string& script, std::string_view input = {})
{
    return run_inside({"/bin/sh", "-c", script}, input);
}

void set_window(const Process& process, unsigned short rows, unsigned short columns)
{
    const winsize size{rows, columns, 0, 0};
    CHECK(::ioctl(process.terminal(), TIOCSWINSZ, &size) == 0);
}

tcflag_t local_modes(const Process& process)
{
    termios modes{};
    CHECK(::tcgetattr(process.terminal(), &modes) == 0);
    return modes.c_lflag;
}

/// Types a line into a shell and waits for what it answers. The line itself comes back too, so the answer must
/// differ from it: it is put together by the shell.
bool says(Process& shell, const std::string& line, const std::string& answer)
{
    shell.send(line + "\n");
    return shell.expect(answer);
}

/// Job control, window size and Ctrl-C in an interactive shell that has just been started on a terminal.
void use_shell(Process& process)
{
    INFO(process.output());
    CHECK(says(process, "echo rea''dy", "ready"));
    CHECK_FALSE(contains(process.output(), "job control turned off"));
    CHECK(says(process, "stty size", "40 132"));
    // The shell learns of a new size too.
    set_window(process, 33, 99);
    CHECK(eventually(
        [&] { return says(process, "stty size; echo si''ze", "size") && contains(process.output(), "33 99"); }));

    CHECK(says(process, "sleep 1000 & echo st''arted", "started"));
    CHECK(says(process, "jobs", "Running"));
    CHECK(says(process, "jobs; echo li''sted", "listed"));
    process.send("fg\n");
    CHECK(process.expect("sleep 1000"));
    // Ctrl-Z stops it once it is in the foreground.
    CHECK(eventually([&] {
        process.send("\x1a");
        return process.expect("Stopped", 200);
    }));
    CHECK(says(process, "jobs", "Stopped"));
    // To the end of that: it says `sleep 1000` too, and a Ctrl-C that comes before the `fg` was read throws that away.
    CHECK(says(process, "echo fo''und", "found"));
    process.send("fg\n");
    CHECK(process.expect("sleep 1000"));
    CHECK(eventually([&] {
        process.send("\x03");
        process.send("echo al''ive\n");
        return process.expect("alive", 200);
    }));
    CHECK(says(process, "jobs >/tmp/jobs; echo $(wc -l </tmp/jobs) jo''bs", "0 jobs"));
    CHECK(says(process, "tty; echo $?", "/dev/"));
}

}  // namespace

TEST_CASE("run gives the command's exit code")
{
    const NothingLeft nothing_left;
    CHECK(shell("exit 0").code == 0);
    CHECK(shell("exit 3").code == 3);
    CHECK(shell("exit 127").code == 127);
    CHECK(shell("exit 255").code == 255);
    CHECK(shell("kill -TERM $$").code == 128 + SIGTERM);
    CHECK(shell("kill -KILL $$").code == 128 + SIGKILL);
    CHECK(shell("kill -SEGV $$").code == 128 + SIGSEGV);
}

TEST_CASE("run: 127 for a command that is not there, 126 for one that cannot be executed, 125 for vial's own failure")
{
    const NothingLeft nothing_left;
    Finished finished = run_inside({"/bin/not-there"});
    CHECK(finished.code == 127);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "/bin/not-there"));
    CHECK(contains(finished.err, "No such file"));
    finished = run_inside({"/etc/passwd"});
    CHECK(finished.code == 126);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "/etc/passwd"));
    CHECK(contains(finished.err, "ermission denied"));
    finished = run_inside({"/etc"});
    CHECK(finished.code == 126);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(refused(125, {"run", "--root", "/not/there", "--", "/bin/true"}), "/not/there"));
    CHECK(contains(refused(125, {"run", work() + "/not-there.conf"}), "not-there.conf"));
}

TEST_CASE("run passes its standard streams on, whole")
{
    const NothingLeft nothing_left;
    const Finished finished = shell("cat; echo complaint >&2", "line\n");
    CHECK(finished.code == 0);
    CHECK(finished.out == "line\n");
    CHECK(finished.err == "complaint\n");
    // More than any buffer holds, there and back.
    std::string much;
    for (int number = 0; much.size() < 60000; number++)
        much += std::to_string(number) + "\n";
    CHECK(run_inside({"/bin/cat"}, much).out == much);
    CHECK(run_inside({"/bin/head", "-c", "3000000", "/dev/zero"}).out == std::string(3000000, '\0'));
    // A reader that goes away ends the writer.
    CHECK(run({"sh", "-c", "\"$@\" | head -n 1", "sh", run_words({}).at(0), "run", "--root", root(), "--", "/bin/yes"})
              .out == "y\n");
    // Closed or missing streams are none of the container's trouble.
    CHECK(run({"sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh", run_words({}).at(0), "run", "--root", root(), "--",
               "/bin/sh", "-c", "exit 9"})
              .code == 9);
    // Nor do they become something of vial's.
    CHECK(run({"sh", "-c", "exec \"$@\" <&-", "sh", run_words({}).at(0), "run", "--root", root(), "--", "/bin/sh", "-c",
               "/bin/readlink /proc/self/fd/0"})
              .out == "/dev/null\n");
}

TEST_CASE("run with a spec, and with another command than its own")
{
    const NothingLeft nothing_left;
    const std::string file =
        spec("greeter", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo hello from $(hostname); exit 4\"]\n");
    Finished finished = ctl({"run", file});
    CHECK(finished.code == 4);
    CHECK(finished.out == "hello from greeter\n");
    finished = ctl({"run", "--name", "other", file, "--", "/bin/hostname"});
    CHECK(finished.code == 0);
    CHECK(finished.out == "other\n");
    CHECK(ctl({"run", "--set", "environment.COLOUR=red", file, "--", "/bin/sh", "-c", "echo $COLOUR"}).out == "red\n");
    CHECK(ctl({"run", "-r", root(), "--", "/bin/echo", "--help", "-x"}).out == "--help -x\n");
}

TEST_CASE("run: several services share the streams")
{
    const NothingLeft nothing_left;
    const Finished finished =
        ctl({"run", spec("two", "root = \"ROOT\"\n[service.a]\ncommand = [\"/bin/echo\", \"one\"]\n"
                                "[service.b]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.1; echo two; exit 6\"]\n")});
    CHECK(finished.out == "one\ntwo\n");
    CHECK(finished.code == 6);
}

TEST_CASE("run: one that runs in the foreground is seen by the other commands")
{
    const NothingLeft nothing_left;
    Process process(run_words({"/bin/sh", "-c", "echo up; exec sleep 1000"}, {"--name", "fore"}));
    CHECK(process.expect("up\n"));
    // The command may be faster than the launcher's note of it.
    CHECK(eventually([] { return field(listed("fore"), {"state"}) == "\"running\""; }));
    CHECK(done({"exec", "fore", "--", "/bin/hostname"}) == "fore\n");
    CHECK(contains(refused(1, {"logs", "fore"}), "terminal of `vial run`"));
    CHECK(contains(refused(1, {"start", sleeper("fore")}), "running already"));
    CHECK(contains(refused(1, {"restart", "fore"}), "foreground"));
    (void)done({"stop", "fore"});
    CHECK(process.wait() == 128 + SIGTERM);
}

TEST_CASE("TERM to `vial run` stops the container in an orderly way")
{
    const NothingLeft nothing_left;
    Process process(
        run_words({"/bin/sh", "-c", "trap 'echo asked; exit 12' TERM; echo up; while :; do sleep 0.05; done"}));
    CHECK(process.expect("up\n"));
    process.kill(SIGTERM);
    CHECK(process.wait() == 12);
    CHECK(contains(process.output(), "asked\n"));
}

TEST_CASE("HUP and USR1 to `vial run` reach the command")
{
    const NothingLeft nothing_left;
    Process process(run_words(
        {"/bin/sh", "-c", "trap 'echo usr1' USR1; trap 'echo hup' HUP; echo up; while :; do sleep 0.02; done"}));
    CHECK(process.expect("up\n"));
    process.kill(SIGUSR1);
    CHECK(process.expect("usr1\n"));
    process.kill(SIGHUP);
    CHECK(process.expect("hup\n"));
    process.kill(SIGINT);
    CHECK(process.wait() == 128 + SIGTERM);
}

TEST_CASE("the third TERM to `vial run` is a KILL")
{
    const NothingLeft nothing_left;
    Process process(run_words({"/bin/sh", "-c", "trap 'echo term' TERM; echo up; while :; do sleep 0.02; done"}));
    CHECK(process.expect("up\n"));
    process.kill(SIGTERM);
    CHECK(process.expect("term\n"));
    process.kill(SIGINT);
    // Two signals of one kind that come at once are one, so once more until it is heard.
    CHECK(eventually([&] {
        process.kill(SIGTERM);
        return process.has_ended();
    }));
    CHECK(process.wait() == 128 + SIGKILL);
}

TEST_CASE("pid1-61: KILL of a foreground launcher leaves no payload")
{
    const NothingLeft nothing_left;
    for (const char* script : {"echo up; exec sleep 1000", "trap '' TERM; setsid sleep 1000 & echo up; sleep 1000"}) {
        Process process(run_words({"/bin/sh", "-c", script}, {"--name", "orphan"}));
        CHECK(process.expect("up\n"));
        const std::string group = cgroup("pids", "orphan");
        CHECK(exists(group));
        process.kill(SIGKILL);
        CHECK(process.wait() == 128 + SIGKILL);
        CHECK(eventually([&] { return read_text(group + "/main/cgroup.procs").empty(); }));
        CHECK(eventually([&] { return lines(ctl({"list"}).out).size() == 1; }));
        CHECK_FALSE(exists(group));
    }
}

TEST_CASE("many runs at once do not disturb each other")
{
    const NothingLeft nothing_left;
    std::vector<std::unique_ptr<Process>> all;
    for (int number = 0; number < 8; number++)
        all.push_back(
            std::make_unique<Process>(run_words({"/bin/sh", "-c", "sleep 0.1; exit " + std::to_string(number)})));
    for (int number = 0; number < 8; number++) {
        const int code = all[static_cast<std::size_t>(number)]->wait();
        INFO(all[static_cast<std::size_t>(number)]->errors());
        CHECK(code == number);
    }
}

TEST_CASE("run on a terminal: a shell with job control, and the terminal is as it was afterwards")
{
    const NothingLeft nothing_left;
    // A shell of the host around it looks at its terminal after the container.
    Process process({"env", "PS1=host> ", "sh"}, Process::Streams::Terminal);
    set_window(process, 40, 132);
    const tcflag_t before = local_modes(process);
    std::string line;
    for (const std::string& word : run_words({"/bin/sh"}))
        line += word + " ";
    process.send(line + "\n");
    CHECK(process.expect("/ # "));
    CHECK(local_modes(process) != before);
    use_shell(process);
    process.send("exit 7\n");
    CHECK(process.expect("host> "));
    CHECK(says(process, "echo co''de $?", "code 7"));
    CHECK(local_modes(process) == before);
    process.send("exit\n");
    CHECK(process.wait() == 0);
}

TEST_CASE("run on a terminal: a killed launcher takes the container along")
{
    const NothingLeft nothing_left;
    Process process(run_words({"/bin/sh"}, {"--name", "term"}), Process::Streams::Terminal);
    CHECK(process.expect("/ # "));
    process.kill(SIGKILL);
    CHECK(process.wait() == 128 + SIGKILL);
    CHECK(eventually([] { return lines(ctl({"list"}).out).size() == 1; }));
}

TEST_CASE("run on a terminal: a terminal that hangs up ends the container")
{
    const NothingLeft nothing_left;
    {
        Process process(run_words({"/bin/sleep", "1000"}, {"--name", "hang"}), Process::Streams::Terminal);
        CHECK(eventually([] { return field(listed("hang"), {"state"}) == "\"running\""; }));
        ::signal(SIGHUP, SIG_IGN);
        process.hang_up();
        CHECK(process.wait() != -1);
    }
    CHECK(eventually([] { return lines(ctl({"list"}).out).size() == 1; }));
}

TEST_CASE("run --no-tty on a terminal gives pipes")
{
    const NothingLeft nothing_left;
    Process process(run_words({"/bin/sh", "-c", "tty; read word; echo got $word"}, {"--no-tty"}),
                    Process::Streams::Terminal);
    CHECK(process.expect("not a tty"));
    process.send("something\n");
    CHECK(process.expect("got something"));
    CHECK(process.wait() == 0);
}

TEST_CASE("run with only some streams on a terminal gives pipes, and passes on all the same")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/taken";
    std::string line;
    for (const std::string& word : run_words({"/bin/sh", "-c", "'tty; read word; echo got $word'"}))
        line += word + " ";
    Process process({"sh", "-c", line + ">" + file}, Process::Streams::Terminal);
    process.send("something\n");
    CHECK(process.wait() == 0);
    CHECK(read_text(file) == "not a tty\ngot something\n");
}

TEST_CASE("exec: exit codes, streams, and nothing to read without -i")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    CHECK(ctl({"exec", "web", "--", "/bin/sh", "-c", "exit 5"}).code == 5);
    CHECK(ctl({"exec", "web", "/bin/sh", "-c", "exit 6"}).code == 6);
    CHECK(ctl({"exec", "web", "--", "/bin/sh", "-c", "kill -INT $$"}).code == 128 + SIGINT);
    CHECK(contains(refused(127, {"exec", "web", "--", "/bin/not-there"}), "/bin/not-there"));
    CHECK(contains(refused(126, {"exec", "web", "--", "/etc/passwd"}), "/etc/passwd"));
    const Finished finished = ctl({"exec", "-i", "web", "--", "/bin/sh", "-c", "cat; echo err >&2"}, "input\n");
    CHECK(finished.out == "input\n");
    CHECK(finished.err == "err\n");
    CHECK(ctl({"exec", "web", "--", "/bin/cat"}, "input\n").out == "");
    // It lives where the services live, behind the same walls.
    CHECK(ctl({"exec", "web", "--", "/bin/ls", "/proc/self/fd"}).out == "0\n1\n2\n3\n");
    CHECK(ctl({"exec", "web", "--", "/bin/look"}).out == "");
    CHECK(contains(ctl({"exec", "web", "--", "/bin/sh", "-c", "echo $PATH $container"}).out, "vial"));
    (void)done({"stop", "web"});
}

TEST_CASE("exec of what goes on when the container stops does not hold it up")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    Process visitor(
        ctl_words({"exec", "web", "--", "/bin/sh", "-c", "trap '' TERM; echo in; while :; do sleep 0.05; done"}));
    CHECK(visitor.expect("in\n"));
    (void)done({"stop", "web"});
    CHECK(visitor.wait() == 128 + SIGKILL);
}

TEST_CASE("exec: TERM to it reaches the command, KILL of it leaves the container alone")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    Process visitor(ctl_words(
        {"exec", "web", "--", "/bin/sh", "-c", "trap 'exit 21' TERM; echo in; while :; do sleep 0.02; done"}));
    CHECK(visitor.expect("in\n"));
    visitor.kill(SIGTERM);
    CHECK(visitor.wait() == 21);
    CHECK(field(listed("web"), {"state"}) == "\"running\"");
    (void)done({"stop", "web"});
}

TEST_CASE("exec -it: a shell with job control")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    Process process({"env", "PS1=host> ", "sh"}, Process::Streams::Terminal);
    set_window(process, 40, 132);
    const tcflag_t before = local_modes(process);
    std::string line;
    for (const std::string& word : ctl_words({"exec", "-it", "web", "--", "sh"}))
        line += word + " ";
    process.send(line + "\n");
    CHECK(process.expect("/ # "));
    use_shell(process);
    process.send("exit 8\n");
    const bool back = process.expect("host> ");
    CAPTURE(process.output());
    CHECK(back);
    CHECK(says(process, "echo co''de $?", "code 8"));
    CHECK(local_modes(process) == before);
    process.send("exit\n");
    CHECK(process.wait() == 0);
    (void)done({"stop", "web"});
}

TEST_CASE("exec -t without a terminal here: the command has one all the same")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web")});
    const Finished finished = ctl({"exec", "-t", "web", "--", "/bin/tty"});
    CHECK(finished.code == 0);
    CHECK(finished.out.substr(0, 9) == "/dev/pts/");
    (void)done({"stop", "web"});
}
