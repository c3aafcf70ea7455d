// SPDX-License-Identifier: MIT
//
// What services say of themselves on their socket (`ready = "notify"`), and what they might say to harm PID 1: under
// `vial init --spec`, where there are no control groups to help it.

#include "spec_services.h"

#include "base/os.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("a service that hands itself on for ever is stopped, and all of it is gone")
{
    const NothingLeft nothing_left;
    for (const char* way : {"chain", "escape"}) {
        CAPTURE(way);
        Services services("[service.main]\nready = \"notify\"\nstop_timeout = \"300ms\"\n"
                          "command = [\"NOTIFY\", \"=READY=1\", \"" +
                          std::string(way) + "\"]\n" + other);
        CHECK(services.becomes("main", "ready"));
        const std::string first = services.of("main", "pid");
        CHECK(eventually([&] { return services.of("main", "pid") != first; }));
        CHECK(services.ask("stop main") == "{\"ok\":true}\n");
        CHECK(services.becomes("main", "stopped"));
        CHECK(services.of("other", "state") == "\"ready\"");
        // Those who have left its session cannot be told from anybody else: they stay until the end of everything.
        if (way[0] == 'c')
            CHECK(eventually([&] { return children_of(services.pid()).size() == 1; }));
        CHECK(services.end() == 0);
    }
}

TEST_CASE("who takes over during a stop is told to stop as well")
{
    const NothingLeft nothing_left;
    // The first has named its successor, and ends of the signal; the second would wait for ever.
    Services services("[service.main]\nready = \"notify\"\nstop_timeout = \"1h\"\n"
                      "command = [\"/bin/sh\", \"-c\", \"sleep 1000 & NOTIFY =READY=1 =MAINPID=$! exit=0; wait\"]\n" +
                      std::string(other));
    CHECK(services.becomes("main", "ready"));
    CHECK(services.ask("stop main") == "{\"ok\":true}\n");
    CHECK(services.becomes("main", "stopped"));
    CHECK(services.end() == 0);
}

TEST_CASE("what a service said last, before it ended, does not count for the one that comes after it")
{
    const NothingLeft nothing_left;
    const std::string go = work() + "/go", again = work() + "/again";
    // More than init hears at a time, so that the last of it is there still when the next life begins.
    Services services("[service.main]\nready = \"notify\"\nstart_timeout = \"1h\"\nrestart = \"always\"\n"
                      "restart_delay = \"0s\"\ncommand = [\"/bin/sh\", \"-c\", \"[ -e " +
                          again + " ] && exec NOTIFY =STATUS=second; echo >" + again + "; exec NOTIFY @" + go +
                          " =X=1 =X=2 =X=3 =X=4 =X=5 =READY=1 exit=1\"]\n" + other,
                      {"--verbose"});
    CHECK(services.becomes("main", "starting"));
    const pid_t main = static_cast<pid_t>(std::atol(services.of("main", "pid").c_str()));
    CHECK(eventually([&] { return exists(again); }));
    services.kill(SIGSTOP);
    CHECK(eventually([&] { return state_of(services.pid()) == 'T'; }));
    write_text(go, "");
    const std::string inside =
        "/proc/" + std::to_string(services.pid()) + "/root/proc/" + std::to_string(main) + "/stat";
    CHECK(eventually([&] { return contains(read_text(inside), ") Z "); }));
    services.kill(SIGCONT);
    CHECK(eventually([&] {
        (void)services.expect("\n", 20);
        return contains(services.errors(), "status: second");
    }));
    CHECK(services.of("main", "state") == "\"starting\"");
    CHECK(services.of("main", "restarts") == "1");
    CHECK(services.end() == 0);
    CHECK(::unlink(go.c_str()) == 0);
    CHECK(::unlink(again.c_str()) == 0);
}

TEST_CASE("MAINPID: a process of another service or another user does not become a service's own")
{
    const NothingLeft nothing_left;
    // It names a child of its own, which ends. When it ends itself, the number is another's: of a service that is started
    // by hand meanwhile, or of an orphan of root's.
    const std::string next = "echo $(($0 - 1)) >/proc/sys/kernel/ns_last_pid; ";
    const std::string script =
        "sleep 0.5 & P=$!; NOTIFY =READY=1 =MAINPID=$P exit=0; wait; echo child $P; read -r line; exit 5";
    for (const bool is_service : {true, false}) {
        CAPTURE(is_service);
        Services services("[service.main]\nready = \"notify\"\ncommand = [\"/bin/sh\", \"-c\", \"" + script + "\"]\n" +
                          (is_service ? "" : "user = 65534\ngroup = 65534\n") + "restart = \"no\"\n" +
                          "[service.late]\ncommand = [\"/bin/sleep\", \"1000\"]\n" + other);
        CHECK(services.expect("child ", patience));
        CHECK(services.expect("\n", patience));
        const std::string& said = services.output();
        const std::string pid = said.substr(said.rfind("child ") + 6, said.size() - said.rfind("child ") - 7);
        REQUIRE(services.becomes("late", "ready"));
        if (is_service) {
            (void)services.ask("stop late");
            CHECK(services.becomes("late", "stopped"));
            CHECK(run(inside(services.pid(), {"sh", "-c", next, pid})).code == 0);
            (void)services.ask("start late");
            CHECK(services.becomes("late", "ready"));
            CHECK(services.of("late", "pid") == pid);
        } else {
            CHECK(run(inside(services.pid(),
                             {"sh", "-c", next + "sleep 1000 </dev/null >/dev/null 2>&1 & [ $! = $0 ]", pid}))
                      .code == 0);
        }
        services.send("end\n");
        CHECK(services.becomes("main", "failed"));
        CHECK(field(services.of("main", "last_exit"), {"code"}) == "5");
        CHECK(services.of("late", "state") == "\"ready\"");
        CHECK(services.end() == 5);
    }
}

TEST_CASE("MAINPID: where init is not PID 1 but a subreaper (pid1-41, pid1-46)")
{
    const NothingLeft nothing_left;
    Process process(init_words({"--subreaper"}, "[service.main]\nready = \"notify\"\ncommand = [\"NOTIFY\", "
                                                "\"daemon\", \"=READY=1\", \"@" +
                                                    work() + "/end\", \"exit=9\"]\n"),
                    Process::Streams::Pipes, {CLONE_NEWNS, own_dev});
    const auto main = [](const char* key) {
        return field(lines(ControlLine(work() + "/control").ask("status") + "\n\n").at(1), {key});
    };
    CHECK(eventually([&] { return main("state") == "\"ready\""; }));
    // The daemon is ready itself, so it has been adopted by then.
    CHECK(main("pid") == std::to_string(child_of(process.pid())));
    write_text(work() + "/end", "");
    CHECK(process.wait(patience) == 9);
    CHECK(::unlink((work() + "/end").c_str()) == 0);
}

TEST_CASE("a file in the place of /proc/PID/stat, which nobody ever writes, keeps PID 1 from nothing")
{
    const NothingLeft nothing_left;
    (void)empty_directory("proc");
    // What it covers is for it alone to miss: its successor is looked at as always.
    Services services("[service.main]\nready = \"notify\"\ncommand = [\"/bin/sh\", \"-c\", \"sleep 1000 & cd " +
                      work() +
                      "/proc; mkdir $!; mkfifo $!/stat; mount -t tmpfs none /proc; mount --bind . /proc; "
                      "NOTIFY =MAINPID=$! =READY=1 exit=0; exec sleep 1000\"]\n" +
                      other);
    CHECK(services.becomes("main", "ready"));
    const std::string first = services.of("main", "pid");
    CHECK(services.ask("signal KILL main") == "{\"ok\":true}\n");
    CHECK(eventually([&] { return services.of("main", "pid") != first; }));
    CHECK(services.of("main", "state") == "\"ready\"");
    CHECK(services.end() == 0);
}

TEST_CASE(
    "descriptors that come along are closed, which is what a barrier waits for; one that takes an hour holds up nobody")
{
    const NothingLeft nothing_left;
    const auto notifying = [](const std::string& name, const std::string& action) {
        return "[service." + name + "]\nready = \"notify\"\ncommand = [\"NOTIFY\", " + action + "\"=READY=1\"]\n";
    };
    Services services(notifying("polite", "\"barrier\", ") + notifying("hostile", "\"linger\", \"barrier\", "));
    CHECK(services.becomes("polite", "ready"));
    const bool ready = services.becomes("hostile", "ready");
    CHECK_MESSAGE(ready, services.ask("status"));
    CHECK(services.end() == 0);
}

TEST_CASE("descriptors that come where the kernel refuses a process: the message waits, and PID 1 sleeps meanwhile")
{
    const NothingLeft nothing_left;
    const std::string ours = cgroup("pids", "");
    const std::string group = ours.substr(0, ours.rfind("vial/")) + "few";
    REQUIRE(::mkdir(group.c_str(), 0755) == 0);
    if (exists(group + "/pids.max")) {
        const std::string file = work() + "/few.conf";
        write_text(
            file, "[service.main]\nready = \"notify\"\nstart_timeout = \"1h\"\ncommand = [\"/bin/sleep\", \"1000\"]\n");
        Contained process(ctl_words({"init", "--control", work() + "/control", "--spec", file}), [&] {
            own_dev();
            write_text(group + "/cgroup.procs", "0");
        });
        const auto state = [] {
            return field(lines(ControlLine(work() + "/control").ask("status") + "\n\n").at(1), {"state"});
        };
        const auto send = [&](std::string_view text, bool along) {
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            ("/proc/" + std::to_string(process.pid()) + "/root/dev/notify/main")
                .copy(address.sun_path, sizeof address.sun_path - 1);
            const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
            CHECK(os::send(fd.get(), text.data(), text.size(), along ? 0 : -1).ok());
        };
        CHECK(eventually([&] { return state() == "\"starting\"" && read_text(group + "/pids.current") == "2\n"; }));
        write_text(group + "/pids.max", "2");
        send("READY=1", true);
        CHECK_FALSE(eventually([&] { return state() != "\"starting\""; }, 200));
        const std::string sleeps = status_of(process.pid(), "voluntary_ctxt_switches");
        CHECK_FALSE(eventually([] { return false; }, 200));
        CHECK(status_of(process.pid(), "voluntary_ctxt_switches") == sleeps);
        write_text(group + "/pids.max", "max");
        send("X=1", false);
        CHECK(eventually([&] { return state() == "\"ready\""; }));
        process.kill(SIGTERM);
        CHECK(process.end() == 128 + SIGTERM);
    }
    CHECK(eventually([&] { return ::rmdir(group.c_str()) == 0; }));
}

TEST_CASE("the sockets in /dev/notify go with init, and those of one that was killed are in nobody's way")
{
    const NothingLeft nothing_left;
    const Words words = init_words({}, "[service.main]\nready = \"notify\"\ncommand = [\"NOTIFY\", \"=READY=1\", "
                                       "\"exit=0\"]\n");
    std::string command;
    for (const std::string& word : words)
        command += word + " ";
    const std::string slow = "[service.main]\nready = \"notify\"\ncommand = [\"/bin/sh\", \"-c\", \"kill -9 $PPID\"]\n";
    write_text(work() + "/killed.conf", slow);
    Process process({"/bin/sh", "-c",
                     command + "&& ls /dev; " + words.front() + " init --spec " + work() +
                         "/killed.conf; ls /dev/notify; " + command + "&& echo again; mkdir /dev/notify; " + command +
                         "&& ls /dev"},
                    Process::Streams::Pipes, {CLONE_NEWNS, own_dev});
    CHECK(process.wait(patience) == 0);
    CHECK(process.output() == "null\nmain\nagain\nnotify\nnull\n");
}

TEST_CASE("a control client that sends along a connection which takes an hour to close holds up nobody")
{
    const NothingLeft nothing_left;
    Services services(other);
    ControlLine hostile(work() + "/control");
    {
        const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
            fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* const name = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener.get(), name, length) == 0);
        REQUIRE(::listen(listener.get(), 1) == 0);
        REQUIRE(::getsockname(listener.get(), name, &length) == 0);
        REQUIRE(::connect(fd.get(), name, length) == 0);
        const Fd other_end(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const linger hour{1, 3600};
        REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hour, sizeof hour) == 0);
        const std::string much(4096, 'x');
        while (::send(fd.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
        }
        services.kill(SIGSTOP);
        CHECK(eventually([&] { return state_of(services.pid()) == 'T'; }));
        const bool sent = os::send(hostile.get(), "ping\n", 5, fd.get()).ok();
        // Ours is to be closed now, without waiting where it is the only one.
        const linger none{1, 0};
        if (!sent)
            (void)::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
        // Where the kernel cannot refuse it, PID 1 cannot either: before 6.16.
        const int on = 1;
        const bool refusable = ::setsockopt(hostile.get(), SOL_SOCKET, 83, &on, sizeof on) == 0;
        if (refusable)
            CHECK_FALSE(sent);
        else
            MESSAGE("not run: this kernel has no SO_PASSRIGHTS");
        if (!refusable && sent)
            (void)::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    services.kill(SIGCONT);
    CHECK(services.ask("ping") == "{\"ok\":true}\n");
    CHECK(services.end() == 128 + SIGTERM);
}
