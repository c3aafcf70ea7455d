// SPDX-License-Identifier: MIT
//
// What PID 1 gets along with: no memory that it did not have at the start, few descriptors, and a kernel that refuses
// it processes. The numbers are those of the project's list of what a PID 1 must get right.

#include "asking.h"

#include "base/os.h"
#include "base/text.h"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

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

}  // namespace

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

TEST_CASE("PID 1's resident memory: 160 kB at rest, its pages of the program among them")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("lean")});
    const std::string path = "/proc/" + std::to_string(init_pid("lean")) + "/smaps_rollup";
    std::string told;
    const auto is_small = [&] {
        told = read_text(path);
        const std::size_t at = told.find("Rss:");
        return at != told.npos && std::atol(told.c_str() + at + 4) <= 160;
    };
    const bool small = eventually(is_small, 2000);
    CHECK_MESSAGE(small, told);
    (void)done({"stop", "lean"});
}
