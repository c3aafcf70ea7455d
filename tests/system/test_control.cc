// SPDX-License-Identifier: MIT
//
// Asking a container's PID 1: events, logs, numbers, and clients that are slow, loud or many. The numbers are those
// of the project's list of what a PID 1 must get right.

#include "harness.h"

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// A raw connection to a container's control socket.
class Line : public ControlLine {
public:
    explicit Line(const std::string& container) : ControlLine("/run/vial/" + container + "/control") {}
};

std::size_t count(std::string_view text, std::string_view part)
{
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size())
        found++;
    return found;
}

/// Each line of JSON, and the last one says how it went.
bool is_answer(const std::string& text)
{
    const auto all = lines(text);
    for (const std::string& line : all)
        if (!json::valid(line))
            return false;
    return !all.empty() && !json::member(all.back(), "ok").empty();
}

/// What is said about each call for memory that a process under watch makes.
struct Watched {
    pid_t who;  ///< whose calls count
    int calls;
};

/// Runs a command under a filter that reports each brk, mmap, mremap and munmap of it and of all that come after
/// it, and lets them go on; see seccomp_unotify(2).
class MemoryWatch {
public:
    explicit MemoryWatch(const Words& words)
    {
        watched_ = static_cast<Watched*>(
            ::mmap(nullptr, sizeof(Watched), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        const pid_t command = ::fork();
        if (command == 0) {
            const int listener = install();
            if (listener < 0 || !os::send(pair[1], "", 1, listener).ok())
                ::_exit(99);
            std::vector<char*> arguments;
            for (const std::string& word : words)
                arguments.push_back(const_cast<char*>(word.c_str()));
            arguments.push_back(nullptr);
            ::execv(arguments[0], arguments.data());
            ::_exit(98);
        }
        ::close(pair[1]);
        Fd listener;
        char byte;
        (void)os::receive(pair[0], &byte, 1, &listener);
        REQUIRE(listener);
        handler_ = ::fork();
        if (handler_ == 0)
            serve(listener.get());
        int how = 0;
        ::waitpid(command, &how, 0);
        REQUIRE(how == 0);
        ::close(pair[0]);
    }
    ~MemoryWatch()
    {
        ::kill(handler_, SIGKILL);
        ::waitpid(handler_, nullptr, 0);
        ::munmap(watched_, sizeof(Watched));
    }
    MemoryWatch(const MemoryWatch&) = delete;
    MemoryWatch& operator=(const MemoryWatch&) = delete;

    void watch(pid_t who) { watched_->who = who; }
    int calls() const { return watched_->calls; }

private:
    static int install()
    {
        sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_brk, 4, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 3, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 2, 0),
#ifdef SYS_mmap2
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap2, 1, 0),
#else
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
#endif
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        };
        const sock_fprog program{std::size(filter), filter};
        return static_cast<int>(
            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    }
    [[noreturn]] void serve(int listener) const
    {
        for (;;) {
            seccomp_notif call{};
            if (::ioctl(listener, static_cast<int>(SECCOMP_IOCTL_NOTIF_RECV), &call) != 0)
                continue;
            if (static_cast<pid_t>(call.pid) == watched_->who)
                watched_->calls++;
            seccomp_notif_resp answer{};
            answer.id = call.id;
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            (void)::ioctl(listener, static_cast<int>(SECCOMP_IOCTL_NOTIF_SEND), &answer);
        }
    }

    Watched* watched_;
    pid_t handler_ = -1;
};

constexpr const char* flaky = "root = \"ROOT\"\n"
                              "[service.steady]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                              "[service.flaky]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.05; exit 7\"]\n"
                              "restart = \"on-failure\"\nrestart_delay = \"10ms\"\nrestart_limit = 2\n";

}  // namespace

TEST_CASE("events: what was and what comes, until the end")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("tell", flaky)});
    Process follower(ctl_words({"events", "--json", "tell"}));
    for (const char* event : {"started", "ready", "exited", "restarted", "exited", "failed"})
        CHECK(follower.expect(std::string("\"event\":\"") + event + "\""));
    CHECK(contains(follower.output(), "\"service\":\"flaky\",\"event\":\"exited\""));
    CHECK(contains(follower.output(), "\"code\":7,\"signal\":null"));
    CHECK(contains(follower.output(), "\"reason\":\"it was started again too often\""));
    // Who comes late hears what was.
    Process late(ctl_words({"events", "tell"}));
    CHECK(late.expect("  flaky  exited, code 7\n"));
    CHECK(late.expect("  flaky  failed, code 7: it was started again too often\n"));
    (void)done({"kill", "--signal", "KILL", "--service", "steady", "tell"});
    CHECK(late.expect("  steady  exited, code 137, SIGKILL\n"));
    CHECK(follower.wait() == 0);
    CHECK(late.wait() == 0);
    for (const std::string& line : lines(follower.output()))
        CHECK(json::valid(line));
    (void)done({"stop", "tell"});
}

TEST_CASE("events: an OOM kill, a stop and a start by hand")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", spec("hungry", "root = \"ROOT\"\n[limits]\nmemory = \"16M\"\n"
                                 "[service.hog]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.2; exec tail /dev/zero\"]\n"
                                 "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    Process follower(ctl_words({"events", "hungry"}));
    CHECK(follower.expect("  hog  oom\n"));
    CHECK(follower.expect("  hog  exited, code 137, SIGKILL\n"));
    (void)done({"stop", "--service", "other", "hungry"});
    CHECK(follower.wait() == 0);
    CHECK(contains(follower.output(), "  other  stopped\n"));
    (void)done({"stop", "hungry"});
}

TEST_CASE("services are stopped, started, restarted and reloaded by name")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("pair", "root = \"ROOT\"\n"
                                      "[service.a]\ncommand = [\"/bin/sh\", \"-c\", \"trap 'echo again' HUP; "
                                      "while :; do sleep 0.05; done\"]\n"
                                      "[service.b]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    const auto state = [](const char* index) {
        return field(done({"status", "--json", "pair"}), {"services", index, "state"});
    };
    (void)done({"stop", "--service", "b", "pair"});
    CHECK(eventually([&] { return state("1") == "\"stopped\""; }));
    (void)done({"start", "--service", "b", "pair"});
    CHECK(eventually([&] { return state("1") == "\"ready\""; }));
    const std::string before = field(done({"status", "--json", "pair"}), {"services", "0", "pid"});
    (void)done({"reload", "--service", "a", "pair"});
    CHECK(eventually([] { return contains(done({"logs", "pair"}), "again"); }));
    CHECK(field(done({"status", "--json", "pair"}), {"services", "0", "pid"}) == before);
    (void)done({"restart", "--service", "a", "pair"});
    CHECK(eventually([&] {
        return state("0") == "\"ready\"" &&
               field(done({"status", "--json", "pair"}), {"services", "0", "pid"}) != before;
    }));
    CHECK(contains(refused(1, {"stop", "--service", "nobody", "pair"}), "no such service: nobody"));
    (void)done({"stop", "pair"});
}

TEST_CASE("logs: by service, by time, the last lines, with a prefix, with the time, as JSON")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start",
         spec("chat", "root = \"ROOT\"\n"
                      "[service.one]\ncommand = [\"/bin/sh\", \"-c\", \"echo a; echo b; exec sleep 1000\"]\n"
                      "[service.two]\ncommand = [\"/bin/sh\", \"-c\", \"printf 'c\\\\nd'; exec sleep 1000\"]\n")});
    REQUIRE(eventually([] { return ctl({"logs", "chat"}).out.size() >= 7; }));
    CHECK(done({"logs", "--service", "one", "chat"}) == "a\nb\n");
    CHECK(done({"logs", "--service=two", "chat"}) == "c\nd");
    CHECK(done({"logs", "-n", "1", "--service", "one", "chat"}) == "b\n");
    CHECK(done({"logs", "-n0", "chat"}).empty());
    CHECK(done({"logs", "-n", "100", "--service", "one", "chat"}) == "a\nb\n");
    CHECK(contains(done({"logs", "--prefix", "chat"}), "one: a\n"));
    CHECK(contains(done({"logs", "--prefix", "chat"}), "one: b\n"));
    CHECK(contains(done({"logs", "--prefix", "chat"}), "two: c\ntwo: d"));
    const std::string stamped = done({"logs", "--timestamps", "--service", "one", "-n", "1", "chat"});
    CHECK(stamped.size() == 27);
    CHECK(contains(stamped, "Z b\n"));
    // What was shown as a time is taken as one.
    const std::string stamp = stamped.substr(0, 24);
    CHECK(contains(done({"logs", "--since", stamp, "--service", "one", "chat"}), "b\n"));
    CHECK(done({"logs", "--since", "1h", "--service", "one", "chat"}) == "a\nb\n");
    CHECK(done({"logs", "--since", "@4000000000", "chat"}).empty());
    CHECK(done({"logs", "--since", "2099-01-01", "chat"}).empty());
    CHECK(contains(refused(2, {"logs", "--since", "yesterday", "chat"}), "'yesterday' is no time"));
    CHECK(contains(refused(2, {"logs", "-n", "many", "chat"}), "'many' is no number of lines"));
    for (const std::string& line : lines(done({"logs", "--json", "chat"})))
        CHECK(json::valid(line));
    CHECK(contains(done({"logs", "--json", "chat"}), "\"service\":\"one\",\"stream\":\"output\",\"data\":\"a\\n"));
    (void)done({"stop", "chat"});
}

TEST_CASE("logs: the spec says how they look")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", spec("neat", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo hello; exec sleep 1000\"]\n"
                               "[log]\nprefix = true\ntimestamps = true\n")});
    REQUIRE(eventually([] { return contains(ctl({"logs", "neat"}).out, "Z main: hello\n"); }));
    (void)done({"stop", "neat"});
}

TEST_CASE("the log through PID 1, where nobody reaches its files")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                spec("inner", "root = \"ROOT\"\n"
                              "[service.main]\ncommand = [\"/bin/sh\", \"-c\", \"i=0; while [ $i -lt 3000 ]; do "
                              "echo \\\"line $i \\\\\\\"q\\\"; i=$((i+1)); done; echo the end; exec sleep 1000\"]\n"
                              "[service.other]\ncommand = [\"/bin/sh\", \"-c\", \"echo other; exec sleep 1000\"]\n")});
    REQUIRE(eventually([] { return contains(ctl({"logs", "inner"}).out, "the end\n"); }));
    Line line("inner");
    const std::string answer = line.ask("logs main");
    CHECK(is_answer(answer));
    std::string text;
    for (const std::string& each : lines(answer))
        text += std::string(json::string(json::member(each, "data")).value_or(""));
    CHECK(text == done({"logs", "--service", "main", "inner"}));
    CHECK(contains(line.ask("logs other"), "\"data\":\"other\\n\"}"));
    CHECK(!contains(line.ask("logs other"), "line 1"));
    CHECK(contains(line.ask("logs nobody"), "no such service: nobody"));
    (void)done({"stop", "inner"});
}

TEST_CASE("stats: everything there is, for people, as JSON and as OpenMetrics")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"16M\"\n")});
    const std::string json = done({"stats", "--json", "web"});
    CHECK(json::valid(lines(json).front()));
    for (const char* key : {"memory", "cpu", "tasks", "io", "pressure", "network"})
        CHECK(field(json, {"container", key}).starts_with("{"));
    CHECK(field(json, {"container", "memory", "limit"}) == "16777216");
    CHECK(field(json, {"services", "0", "last_exit"}) == "null");
    CHECK(contains(done({"stats", "web"}), "pressure"));
    const std::string text = done({"stats", "--metrics", "web"});
    CHECK(text.ends_with("# EOF\n"));
    CHECK(contains(text, "# TYPE vial_memory_bytes gauge\n# UNIT vial_memory_bytes bytes\n"));
    CHECK(contains(text, "\nvial_up{container=\"web\"} 1\n"));
    CHECK(contains(text, "\nvial_memory_limit_bytes{container=\"web\"} 16777216\n"));
    CHECK(contains(text, "\nvial_service_restarts_total{container=\"web\",service=\"main\"} 0\n"));
    CHECK(contains(text, "\nvial_service_ready{container=\"web\",service=\"main\"} 1\n"));
    CHECK(contains(text, "\nvial_network_received_bytes_total{container=\"web\",interface=\"lo\"} "));
    // A family's samples stand together, whatever the number of containers.
    (void)done({"start", sleeper("db")});
    const std::string both = done({"stats", "--metrics"});
    CHECK(contains(both, "vial_up{container=\"db\"} 1\nvial_up{container=\"web\"} 1\n"));
    CHECK(count(both, "# TYPE vial_tasks gauge\n") == 1);
    (void)refused(3, {"stats", "--metrics", "nobody"});
    (void)refused(2, {"stats"});
    (void)done({"stop", "web", "db"});
}

TEST_CASE("pid1-57: silent, deaf, endless and half-closed clients, and those who follow too slowly")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("busy", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\nrestart = \"always\"\n"
                                      "restart_delay = 0\n")});
    Line slow("busy");
    REQUIRE(slow.send("events\n"));
    Line half("busy");
    REQUIRE(half.send("events\n"));
    half.half_close();
    CHECK(half.expect("\"event\":\"restarted\""));
    Line second("busy"), third("busy"), fourth("busy");
    CHECK(contains(second.ask("ping"), "{\"ok\":true}"));
    REQUIRE(second.send("events\n"));
    REQUIRE(third.send("events\n"));
    CHECK(third.expect("\"event\":"));
    CHECK(second.expect("\"event\":"));
    CHECK(contains(fourth.ask("events"), "too many follow already"));
    // The next request ends the stream.
    REQUIRE(second.send("ping\n"));
    CHECK(second.expect("{\"ok\":true}\n{\"ok\":true}\n"));
    Line loud("busy");
    (void)loud.send(std::string(1 << 20, 'x'));
    CHECK(loud.expect("longer than 4096 bytes"));
    CHECK(contains(done({"status", "busy"}), "busy: running"));
    // More has happened than anybody keeps: what the slow one missed is counted.
    std::size_t restarts = 0;
    REQUIRE(eventually(
        [&] {
            restarts = static_cast<std::size_t>(
                json::number(field(done({"status", "--json", "busy"}), {"services", "0", "restarts"})).value_or(0));
            return restarts > 800;
        },
        60000));
    CHECK(slow.expect("{\"event\":\"lost\",\"count\":"));
    Line last("busy");
    REQUIRE(last.send("events\n"));
    CHECK(last.expect("\"event\":"));
    (void)done({"stop", "busy"});
    CHECK(last.expect("{\"ok\":true}"));
}

TEST_CASE("ready: the next request ends the waiting, which is not taken for being ready")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("slow", "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\nready = \"fd\"\n")});
    Line both("slow");
    REQUIRE(both.send("ready\nping\n"));
    CHECK(both.expect("{\"ok\":false,\"error\":\"it is not ready yet\"}\n{\"ok\":true}\n"));
    Line one("slow");
    REQUIRE(one.send("ready\n"));
    CHECK(contains(done({"status", "slow"}), "starting"));
    REQUIRE(one.send("ping\n"));
    CHECK(one.expect("{\"ok\":false,\"error\":\"it is not ready yet\"}\n{\"ok\":true}\n"));
    (void)done({"stop", "slow"});
}

TEST_CASE("ready: who has been answered takes no place of those who follow")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("calm")});
    std::vector<Line> answered;
    for (int i = 0; i < 4; i++) {
        answered.emplace_back("calm");
        REQUIRE(answered.back().send("ready\n"));
        CHECK(answered.back().expect("{\"ok\":true}"));
    }
    Line follower("calm");
    REQUIRE(follower.send("events\n"));
    CHECK(follower.expect("\"event\":\"ready\""));
    (void)done({"stop", "calm"});
}

TEST_CASE("pid1-57: a thousand clients at once")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("crowd")});
    // Silent ones take all places and the queue, and ask nothing: those who do are served all the same.
    {
        std::vector<Line> silent;
        silent.reserve(40);
        for (int i = 0; i < 40; i++)
            silent.emplace_back("crowd");
        CHECK(contains(done({"status", "crowd"}), "crowd: running"));
    }
    const pid_t init = init_pid("crowd");
    const Finished all = run({"/bin/sh", "-c",
                              "i=0; while [ $i -lt 1000 ]; do \"$VIAL\" status crowd >/dev/null 2>>" + work() +
                                  "/said & i=$((i+1)); done; wait"},
                             {}, 240000);
    CHECK(all.code == 0);
    // Each was answered, or told in one line why not.
    for (const std::string& line : lines(read_text(work() + "/said")))
        CHECK(contains(line, "too many are asking already"));
    CHECK(init_pid("crowd") == init);
    CHECK(contains(done({"status", "crowd"}), "crowd: running"));
    (void)done({"stop", "crowd"});
}

TEST_CASE("pid1-60: where the kernel refuses processes, PID 1 goes on, tries again and says so")
{
    const NothingLeft nothing_left;
    // PID 1, the other, the loud one and its nine are all there may be. The tenth takes the other's place.
    (void)done({"start", spec("full", "root = \"ROOT\"\n[limits]\ntasks = 12\n"
                                      "[service.loud]\ncommand = [\"/bin/sh\", \"-c\", \"trap 'sleep 1000 &' USR1; "
                                      "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; while :; do wait; done\"]\n"
                                      "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\nrestart = \"always\"\n"
                                      "restart_delay = \"2s\"\n")});
    const auto status = [](const char* key) {
        return field(ctl({"status", "--json", "full"}).out, {"services", "1", key});
    };
    const auto tasks = [] { return read_text(cgroup("pids", "full/pids.current")); };
    REQUIRE(eventually([&] { return tasks() == "12\n"; }));
    (void)done({"kill", "--signal", "KILL", "--service", "other", "full"});
    REQUIRE(eventually([&] { return status("state") == "\"backoff\""; }));
    (void)done({"kill", "--signal", "USR1", "--service", "loud", "full"});
    REQUIRE(eventually([&] { return tasks() == "12\n"; }));
    REQUIRE(eventually(
        [&] { return status("state") == "\"backoff\"" && status("reason") == "\"the kernel refused it a process\""; }));
    CHECK(eventually([] { return count(ctl({"logs", "full"}).out, "[other: cannot ") >= 2; }));
    CHECK(contains(done({"logs", "full"}), "Resource temporarily unavailable; trying again]"));
    Line line("full");
    for (const char* request : {"status", "stats", "logs", "ping"})
        CHECK(is_answer(line.ask(request)));
    (void)done({"stop", "--service", "loud", "full"});
    CHECK(eventually([&] { return status("state") == "\"ready\"" && status("reason") == "null"; }));
    (void)done({"stop", "full"});
}

TEST_CASE("PID 1 asks for no memory once it has started, whatever happens")
{
    const NothingLeft nothing_left;
    MemoryWatch memory(
        ctl_words({"start", spec("lean", "root = \"ROOT\"\n"
                                         "[service.calm]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                         "[service.busy]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.01; exit 1\"]\n"
                                         "restart = \"always\"\nrestart_delay = \"10ms\"\n"
                                         "[service.loud]\ncommand = [\"/bin/sh\", \"-c\", "
                                         "\"while :; do echo some words of a log that turns over; done\"]\n"
                                         "[log]\nsize = \"8K\"\n")}));
    const pid_t init = init_pid("lean");
    REQUIRE(init > 0);
    memory.watch(init);
    Line follower("lean");
    REQUIRE(follower.send("events\n"));
    CHECK(follower.expect("\"restarted\""));
    for (const char* request :
         {"status", "stats", "logs", "logs calm", "ping", "reload", "reload calm", "restart calm", "stop calm",
          "start calm", "signal 18", "signal 18 calm", "nonsense", "stop nobody", "start"})
        CHECK(is_answer(Line("lean").ask(request)));
    (void)done({"exec", "lean", "--", "/bin/true"});
    Line loud("lean");
    (void)loud.send(std::string(1 << 20, 'x'));
    CHECK(loud.expect("longer than"));
    // Orphans, too.
    (void)done({"exec", "lean", "--", "/bin/sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.1 &) ; done"});
    const auto reaped = [] {
        return json::number(field(ctl({"stats", "--json", "lean"}).out, {"container", "reaped"}));
    };
    CHECK(eventually([&] { return reaped().value_or(0) >= 5; }));
    (void)Line("lean").ask("shutdown");
    CHECK(eventually([] { return field(listed("lean"), {"state"}) == "\"exited\""; }));
    CHECK(memory.calls() == 0);
    (void)done({"stop", "lean"});
}

TEST_CASE("PID 1 has no more descriptors after many starts than after the first, whether they went well or not")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("steady", "root = \"ROOT\"\noverlay = \"tmpfs\"\n"
                                        "[service.stays]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                        "[service.ends]\nrestart = \"always\"\nrestart_delay = \"1ms\"\n"
                                        "command = [\"/bin/usleep\", \"1000\"]\n")});
    const auto open = [directory = "/proc/" + std::to_string(init_pid("steady")) + "/fd"] {
        return std::distance(std::filesystem::directory_iterator(directory), {});
    };
    const auto restarts = [] {
        const std::string out = ctl({"status", "--json", "steady"}).out;
        return std::stol("0" + out.substr(out.rfind("\"restarts\":") + 11));
    };
    auto least = open();
    for (int look = 0; look < 50; look++)
        least = std::min(least, open());
    CHECK(eventually([&] { return restarts() > 100; }));
    CHECK(eventually([&] { return open() <= least; }));
    (void)done({"exec", "steady", "--", "/bin/rm", "/bin/usleep"});
    const long before = restarts();
    CHECK(eventually([&] { return restarts() > before + 100; }));
    CHECK(contains(done({"logs", "steady"}), "No such file"));
    CHECK(eventually([&] { return open() <= least; }));
    (void)done({"stop", "steady"});
}

TEST_CASE("PID 1's memory: 32 kB are enough for one service, whatever it was asked")
{
    const NothingLeft nothing_left;
    ::sync();  // pages of a program that was just written count as dirty memory until they are on the disk
    (void)done({"start", sleeper("small")});
    const std::string path = "/proc/" + std::to_string(init_pid("small")) + "/smaps";
    std::string parts;
    const auto is_small = [&] {
        std::int64_t sum = 0;
        std::string part;
        parts.clear();
        for (const std::string& each : lines(read_text(path))) {
            std::string_view rest = each;
            const std::string_view word = take_word(rest);
            if (word.find('-') != word.npos)
                part = each;
            const auto dirty = word == "Private_Dirty:" ? parse_number(take_word(rest)).value_or(1000) : 0;
            sum += dirty;
            if (dirty > 0)
                parts += part + ": " + std::to_string(dirty) + "\n";
        }
        return sum > 0 && sum <= 32;
    };
    const auto stays_small = [&] {
        const bool small = eventually(is_small, 2000);
        CHECK_MESSAGE(small, parts);
    };
    stays_small();
    for (const char* request : {"status", "stats", "logs", "ping", "signal 18"}) {
        CHECK(is_answer(Line("small").ask(request)));
        stays_small();
    }
    Line follower("small");
    REQUIRE(follower.send("events\n"));
    CHECK(follower.expect("\"ready\""));
    stays_small();
    (void)done({"stop", "small"});
}
