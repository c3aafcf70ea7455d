// SPDX-License-Identifier: MIT
//
// `vial init`: its options, bad input, and how little it needs. The names it answers to are in test_entry_names.cc, the
// services of a spec in test_entry_spec.cc; what a PID 1 must get right once it runs is in test_pid1_*.cc, by the list's
// numbers.

#include "entry.h"
#include "supervise/log_format.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace vial::test;

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
          "vial: cannot show the log of " + work() +
              "/text: not a log of vial's; name what `vial init --log` was told");
}

TEST_CASE("logs: what is no log, or no longer a whole one, is an error, and nobody is waited for")
{
    const NothingLeft nothing_left;
    const std::string path = work() + "/broken", first = path + ".0";
    const auto write_log = [&] {
        (void)::unlink(first.c_str());
        (void)::rmdir(first.c_str());
        CHECK(init(Words{"--log", path + ",size=4K", "--"} + shell("echo one; sleep 0.1; echo two")).code == 0);
    };
    const auto forge = [&](auto change) {
        std::string text = read_text(first);
        vial::LogSegmentHeader header;
        std::memcpy(&header, text.data(), sizeof header);
        change(header, text);
        header.check = header.sum();
        std::memcpy(text.data(), &header, sizeof header);
        write_text(first, text);
    };
    const char* damaged = "damaged";
    const char* odd = "not a log of vial's; name what ";
    const char* words = damaged;
    const char* shown = "";
    write_log();
    REQUIRE(done({"logs", path}) == "one\ntwo\n");
    SUBCASE("a FIFO")
    {
        CHECK(::unlink(first.c_str()) == 0);
        CHECK(::mkfifo(first.c_str(), 0600) == 0);
        words = odd;
    }
    SUBCASE("a directory")
    {
        CHECK(::unlink(first.c_str()) == 0);
        CHECK(::mkdir(first.c_str(), 0700) == 0);
        words = odd;
    }
    SUBCASE("shorter than its records")
    {
        CHECK(::truncate(first.c_str(), 48) == 0);
    }
    SUBCASE("shorter than its header")
    {
        CHECK(::truncate(first.c_str(), 20) == 0);
    }
    SUBCASE("a header that was written over")
    {
        write_text(first, read_text(first).replace(8, 8, "garbage!"));
    }
    SUBCASE("a record that was written over")
    {
        const std::string text = read_text(first);
        write_text(first, std::string(text).replace(text.rfind(" main o "), 8, "--------"));
        shown = "one\n";
    }
    SUBCASE("more lost than can be")
    {
        forge([](vial::LogSegmentHeader& header, std::string&) { header.dropped = UINT64_MAX; });
    }
    for (const Words& command : {Words{"logs", path}, Words{"logs", "-n", "5", path}, Words{"logs", "-f", path}}) {
        const Finished finished = ctl(command, {}, 5000);
        CAPTURE(finished.err);
        CHECK(finished.code == 1);
        CHECK(finished.out == shown);
        CHECK(lines(finished.err).size() == 1);
        CHECK(contains(finished.err, "vial: cannot show the log of " + path + ": "));
        CHECK(contains(finished.err, words));
    }
    (void)::unlink(first.c_str());
    (void)::rmdir(first.c_str());
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

TEST_CASE("a filter that refuses a call to wait with: another is taken, or init says so before it starts anything")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/waiting.conf";
    write_text(file, "command = [\"/bin/sh\", \"-c\", \"echo ran; exit 4\"]\n");
    for (const char* answer : {"EPERM", "ENOSYS"}) {
        const auto under = [&](const char* refused, const Words& what) {
            return run(contained(
                Words{"timeout", "-k", "1", "5", payload("oldkernel"), "--without", refused, "--errno", answer, "--"} +
                ctl_words({"init", "--subreaper"}) + what));
        };
        CAPTURE(std::string(answer));
        // Where init goes round and round it has some 50 hundredths of a second by then.
        const Finished other =
            under("rt_sigtimedwait", Words{"--"} + shell("sleep 0.5; cut -d' ' -f14,15 /proc/$PPID/stat; exit 4"));
        CAPTURE(other.err);
        CHECK(other.code == 4);
        int user = 99, system = 99;
        CHECK(std::sscanf(other.out.c_str(), "%d %d", &user, &system) == 2);
        CHECK(user + system < 20);
        for (const Words& what : {Words{"--"} + shell("echo ran; exit 4"), Words{"--spec", file}}) {
            for (const auto& [refused, words] : {std::pair("timerfd_settime", "cannot set a timer: "),
                                                 std::pair("epoll_pwait", "cannot wait for events: ")}) {
                CAPTURE(std::string(refused));
                const Finished finished = under(refused, what);
                CAPTURE(finished.err);
                CHECK(finished.code == 125);
                CHECK(finished.out == "");
                CHECK(lines(finished.err).size() == 1);
                CHECK(contains(finished.err, words));
            }
        }
    }
}
