// SPDX-License-Identifier: MIT
//
// `vial boot` where one was before: after a crash, or for a new program. What runs and is as its spec says goes on. That it
// reads specs that have changed is in test_boot_reload.cc.

#include "boot.h"

#include <fcntl.h>
#include <sys/resource.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string program_of(pid_t pid)
{
    char path[4096] = {};
    (void)!::readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), path, sizeof path - 1);
    return path;
}

/// Puts the pid before it in `state`, from which it takes its services over.
void fake(const std::string& service, const std::string& text)
{
    write_text("/run/vial/boot/run." + service, text);
}

}  // namespace

TEST_CASE("boot: after a crash all go on as they were, and are watched as before")
{
    const NothingLeft nothing_left;
    for (const bool old : {false, true}) {
        CAPTURE(old);
        const OnOldKernel kernel(old ? Words{"--kernel", "4.19"} : Words{});
        Boot boot;
        boot.container("web", at_once);
        boot.container("well", "restart = \"on-failure\"\ncommand = " +
                                   shell("trap 'exit 0' USR1; while :; do sleep 0.05; done") + "\n");
        boot.daemon("db", at_once);
        boot.daemon("stopped");
        boot.daemon("app", "requires = [\"web\", \"db\"]\n");
        boot.daemon("forker", "pid_file = \"" + data() + "/pid\"\ncommand = " +
                                  shell("rm -f " + data() + "/pid; (setsid sleep 1000 & echo $! >" + data() + "/pid)") +
                                  "\n");
        boot.daemon("renamer",
                    "ready = \"notify\"\ncommand = [\"" + payload("notify") + "\", \"daemon\", \"=READY=1\"]\n");
        boot.start();
        for (const char* name : {"web", "well", "db", "stopped", "app", "forker", "renamer"})
            CHECK(is(name, "ready"));
        (void)done({"stop", "stopped"});
        std::vector<std::string> pids;
        const char* const names[] = {"web", "well", "db", "app", "forker", "renamer"};
        for (const char* name : names)
            pids.push_back(pid_at_boot(name));
        boot.crash();
        for (const std::string& pid : pids)
            CHECK(lives(pid));
        boot.start();
        for (std::size_t at = 0; at < pids.size(); at++) {
            CAPTURE(names[at]);
            CHECK(is(names[at], "ready"));
            CHECK(pid_at_boot(names[at]) == pids[at]);
        }
        CHECK(of("boot", "stopped", "state") == "\"stopped\"");

        kill_at_boot("web");
        CHECK(anew("web", pids[0]));
        kill_at_boot("db");
        CHECK(anew("db", pids[2]));
        (void)done({"kill", "--signal", "USR1", "well"});
        CHECK(is("well", "stopped"));
        // And the next one after a crash takes over these.
        const std::string web = pid_at_boot("web"), db = pid_at_boot("db");
        boot.crash();
        boot.start();
        CHECK(is("db", "ready"));
        CHECK(is("web", "ready"));
        CHECK(pid_at_boot("web") == web);
        CHECK(pid_at_boot("db") == db);
        CHECK(of("boot", "well", "state") == "\"stopped\"");
        CHECK(boot.stop() == 0);
        for (const std::string& pid : pids)
            CHECK_FALSE(lives(pid));
    }
}

TEST_CASE("boot: what the host's services write is kept over a crash and a reload; while nobody reads it, they wait")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("talker", "command = " +
                              shell("echo first; while ! [ -e " + data() +
                                    "/go1 ]; do sleep 0.02; done; "
                                    "dd if=/dev/zero bs=1k count=200 2>/dev/null | tr '\\\\0' x; echo; echo second; "
                                    ": >" +
                                    data() + "/done; while ! [ -e " + data() +
                                    "/go2 ]; do sleep 0.02; done; echo third; exec sleep 1000") +
                              "\n");
    boot.start();
    CHECK(is("talker", "ready"));
    const auto logged = [](const std::string& text) {
        return eventually([&] { return contains(ctl({"logs", "boot"}).out, text); });
    };
    CHECK(logged("first"));
    const std::string pid = pid_at_boot("talker");
    boot.crash();
    write_text(data() + "/go1", "");
    CHECK_FALSE(eventually([] { return exists(data() + "/done"); }, 300));
    CHECK(lives(pid));
    boot.start();
    CHECK(eventually([] { return exists(data() + "/done"); }));
    CHECK(logged("second"));
    (void)done({"reload", "boot"});
    write_text(data() + "/go2", "");
    CHECK(logged("third"));
    CHECK(pid_at_boot("talker") == pid);
}

TEST_CASE("boot: --reexec goes on as the program that was put in the place of its own")
{
    const NothingLeft nothing_left;
    Boot boot;
    const std::string program = work() + "/the-vial";
    const auto copy = [&](const std::string& to) { CHECK(run({"cp", ::getenv("VIAL"), to}).code == 0); };
    copy(program);
    boot.container("web");
    boot.daemon("db");
    Process old({program, "boot", boot.directory()});
    CHECK(is("web", "ready"));
    CHECK(is("db", "ready"));
    const std::string web = pid_at_boot("web"), db = pid_at_boot("db");
    struct stat before {
    }, after{};
    const std::string exe = "/proc/" + std::to_string(old.pid()) + "/exe";
    CHECK(::stat(exe.c_str(), &before) == 0);
    copy(program + ".new");
    CHECK(::rename((program + ".new").c_str(), program.c_str()) == 0);
    CHECK(contains(program_of(old.pid()), "(deleted)"));
    (void)done({"boot", "--reexec"});
    CHECK(eventually([&] { return program_of(old.pid()) == program; }));
    CHECK(::stat(exe.c_str(), &after) == 0);
    CHECK(before.st_ino != after.st_ino);
    CHECK(is("web", "ready"));
    CHECK(is("db", "ready"));
    CHECK(pid_at_boot("web") == web);
    CHECK(pid_at_boot("db") == db);

    // One that is no program is not run.
    write_text(program + ".new", "\x7f");
    ::chmod((program + ".new").c_str(), 0755);
    CHECK(::rename((program + ".new").c_str(), program.c_str()) == 0);
    (void)done({"boot", "--reexec"});
    for (int turn = 0; turn < 20; turn++)
        CHECK(ctl({"status", "boot"}).code == 0);
    CHECK(pid_at_boot("db") == db);
    old.kill(SIGTERM);
    CHECK(old.wait() == 0);
}

TEST_CASE("boot: a stop of it takes as long as what it stops may take")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("slow", "stop_timeout = \"30s\"\ncommand = " +
                               shell("trap 'sleep 7; exit 0' TERM; while :; do sleep 0.05; done") + "\n");
    boot.start();
    CHECK(is("slow", "ready"));
    (void)done({"stop", "boot"});
    CHECK(boot.process().wait() == 0);
    CHECK(contains(ctl({"list"}).out, "exited with 0"));
}

TEST_CASE("boot: what lies in its directory names nobody but whom it has started")
{
    const NothingLeft nothing_left;
    Boot boot;
    Process innocent({"sleep", "1000"});
    const std::string pid = std::to_string(innocent.pid());
    ::usleep(100000);  // when it was started is known by hundredths of a second
    for (const char* name : {"a", "b", "c", "d", "e", "f"})
        boot.daemon(name);
    boot.start();
    CHECK(is("f", "ready"));
    std::vector<std::string> before;
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
        CHECK(is(name, "ready"));
        before.push_back(pid_at_boot(name));
    }
    const std::string of_a = read_text("/run/vial/boot/run.a");
    boot.crash();
    // Its own number with another's beginning, numbers that are none, what is no file.
    fake("a", pid + of_a.substr(of_a.find(' ')));
    fake("b", "-1 0 0\n");
    fake("c", std::string(100000, 'x'));
    fake("d", "99999999999999999999 1 1\n");
    (void)run({"rm", "/run/vial/boot/run.e", "/run/vial/boot/run.f"});
    ::symlink((data() + "/target").c_str(), "/run/vial/boot/run.e");
    ::mkdir("/run/vial/boot/run.f", 0755);
    fake("gone", pid + of_a.substr(of_a.find(' ')));
    fake("gone2", "1 0 0\n");
    fake("gone3", "");
    boot.start();
    for (const char* name : {"a", "b", "c", "d", "e", "f"})
        CHECK(is(name, "ready"));
    CHECK(pid_at_boot("a") != pid);
    CHECK_FALSE(exists(data() + "/target"));
    CHECK(eventually([] { return !exists("/run/vial/boot/run.gone3"); }));
    ::rmdir("/run/vial/boot/run.f");
    CHECK(boot.stop() == 0);
    CHECK_FALSE(innocent.has_ended());
    // Those that it could not know any more are ours to end.
    for (const std::string& each : before)
        ::kill(static_cast<pid_t>(std::atol(each.c_str())), SIGKILL);
}

TEST_CASE("boot: killed in the middle of its starts, it finds what has come of them")
{
    const NothingLeft nothing_left;
    Boot boot;
    for (int number = 0; number < 12; number++)
        boot.container("c" + std::to_string(number));
    boot.daemon("d");
    for (int turn = 0; turn < 8; turn++) {
        boot.start();
        ::usleep(static_cast<unsigned>(turn) * 4000);
        boot.crash();
    }
    boot.start();
    for (int number = 0; number < 12; number++)
        CHECK(is("c" + std::to_string(number), "ready"));
    CHECK(is("d", "ready"));
    CHECK(boot.stop() == 0);
}

TEST_CASE("boot: killed before whom it starts is written down, it starts nobody twice")
{
    const NothingLeft nothing_left;
    Boot boot;
    const std::string note = "/run/vial/boot/run.db";
    boot.put("db.conf", "command = " + shell("echo $$ >>" + data() + "/seen; exec sleep 1000") + "\n");
    boot.start();
    CHECK(is("db", "stopped"));
    CHECK(::mkfifo(note.c_str(), 0600) == 0);  // who writes it down waits for a reader
    Process start(ctl_words({"start", "db"}));
    (void)eventually([] { return exists(data() + "/seen"); }, 500);
    boot.crash();
    (void)start.wait();
    ::unlink(note.c_str());
    boot.start();
    CHECK(Boot::again());
    (void)done({"start", "db"});
    CHECK(is("db", "ready"));
    CHECK(eventually([] { return exists(data() + "/seen"); }));
    std::size_t living = 0;
    for (const std::string& pid : lines(written("seen")))
        living += lives(pid) ? 1U : 0U;
    CHECK(living == 1);
    CHECK(boot.stop() == 0);
    for (const std::string& pid : lines(written("seen")))
        if (lives(pid))
            ::kill(static_cast<pid_t>(std::atol(pid.c_str())), SIGKILL);
}

TEST_CASE("boot: a stop of it ends what one before it has started, whether it runs or has crashed")
{
    const NothingLeft nothing_left;
    for (const bool runs : {true, false}) {
        CAPTURE(runs);
        Boot boot;
        boot.container("web");
        boot.daemon("db");
        boot.start();
        CHECK(is("web", "ready"));
        CHECK(is("db", "ready"));
        const std::string web = pid_at_boot("web"), db = pid_at_boot("db");
        boot.crash();
        if (runs) {
            boot.start();
            CHECK(is("web", "ready"));
            CHECK(is("db", "ready"));
        }
        (void)done({"stop", "boot"});
        CHECK_FALSE(lives(web));
        CHECK_FALSE(lives(db));
        if (lives(db))
            ::kill(static_cast<pid_t>(std::atol(db.c_str())), SIGKILL);
        if (!runs) {
            boot.start();
            CHECK(anew("web", web));
            CHECK(anew("db", db));
        }
        CHECK(boot.stop() == 0);
    }
}

TEST_CASE("boot: where there are no pidfds, who has the number of one that was taken over is not taken for it")
{
    if (!exists("/proc/sys/kernel/ns_last_pid")) {
        MESSAGE("a number cannot be had again on this kernel");
        return;
    }
    const NothingLeft nothing_left;
    const OnOldKernel kernel({"--kernel", "4.19"});
    Boot boot;
    boot.daemon("db", "command = " + shell("echo $$ >" + data() + "/db; exec sleep 1000") + "\n");
    std::string vial;
    for (const std::string& word : ctl_words({}))
        vial += word + " ";
    const std::string start = vial + "boot " + boot.directory() + " & boot=$!\n" + "until " + vial +
                              "status boot | grep -q 'db *ready'; do sleep 0.05; done\n";
    const Finished finished = run({"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-c",
                                   start + "read db <" + data() + "/db; kill -9 $boot; wait $boot\n" + start +
                                       "kill -9 $db; while kill -0 $db; do sleep 0.01; done\n"
                                       "echo $((db - 1)) >/proc/sys/kernel/ns_last_pid; sleep 1000 & innocent=$!\n"
                                       "[ $innocent = $db ] || echo it has another number\n"
                                       "sleep 2; kill $boot; wait $boot; kill -0 $innocent && echo it lives"});
    INFO(finished.err);
    CHECK(finished.out == "it lives\n");
}

TEST_CASE("boot: ten thousand specs, some of which wait for each other, and few descriptors")
{
    const NothingLeft nothing_left;
    Boot boot;
    const auto put = [&](const std::string& name, const std::string& more) {
        write_text(boot.path(name + ".conf"), more + "command = [\"/bin/true\"]\n");
    };
    const auto requires_one = [](const std::string& name) { return "requires = [\"" + name + "\"]\n"; };
    for (int number = 0; number < 5000; number++)
        put("s" + std::to_string(number), "");
    for (int number = 0; number < 1000; number++)
        put("t" + std::to_string(number), "root = \"/\"\n");
    for (int number = 10000; number < 13500; number++)
        put("chain" + std::to_string(number), requires_one("chain" + std::to_string(number + 1)));
    put("chain13500", "");
    for (int number = 0; number < 200; number++) {
        put("loop-a" + std::to_string(number), requires_one("loop-b" + std::to_string(number)));
        put("loop-b" + std::to_string(number), requires_one("loop-a" + std::to_string(number)));
    }
    boot.daemon("one");
    boot.container("two");
    Birth birth;
    birth.prepare = [] {
        const rlimit few{1024, 1024};
        (void)::setrlimit(RLIMIT_NOFILE, &few);
    };
    boot.start(birth);
    CHECK(is("one", "ready"));
    CHECK(is("two", "ready"));
    CHECK(contains(boot.said(), "loop-a7 -> loop-b7 -> loop-a7: they wait for each other: not started"));
    CHECK(boot.said().find("cannot") == std::string::npos);
    CHECK(boot.stop() == 0);
}
