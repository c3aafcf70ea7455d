// SPDX-License-Identifier: MIT
//
// PID 1 as the kernel sees it: `run_init` as the first process of a real PID namespace, with plans made by
// `make_plan`, without a launcher. The numbers are those of the project's list of what a PID 1 must get right.
// Needs root.

#include "harness.h"

#include "base/events.h"
#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "init/init.h"
#include "spec/plan.h"
#include "supervise/log_format.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace vial;
using namespace vial::test;

namespace {

void pause_ms(long milliseconds)
{
    (void)eventually([] { return false; }, milliseconds);
}

/// A file in memory of a fixed size; what the launcher makes on tmpfs.
int memory_file(std::int64_t size)
{
    const int fd = ::memfd_create("test", MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    REQUIRE(::ftruncate(fd, size) == 0);
    return fd;
}

std::string read_descriptor(int fd)
{
    char buffer[4096];
    const ssize_t got = ::pread(fd, buffer, sizeof buffer, 0);
    std::string text(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
    return text.substr(0, text.find('\0'));
}

ServiceSpec shell(std::string script, std::string name = "main")
{
    ServiceSpec service;
    service.name = std::string_view(name);
    service.command = {"/bin/sh", "-c", std::string_view(script)};
    return service;
}

/// A container reduced to its PID 1. Ends with the object, whatever state it is in.
class Container {
public:
    std::vector<ServiceSpec> services;
    std::uint32_t flags = 0;
    std::int64_t log_size = 64 * 1024;
    std::vector<int> stat = std::vector<int>(StatCount, -1);
    int requests = -1, answers = -1;  ///< a pair in addition to the socket
    std::function<void()> prepare;    ///< runs in PID 1 before `run_init`

    Container() = default;
    explicit Container(std::vector<ServiceSpec> wanted) : services(std::move(wanted)) {}
    explicit Container(ServiceSpec wanted) { services.push_back(std::move(wanted)); }
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;
    ~Container()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        if (!directory_.empty()) {
            ::unlink((directory_ + "/control").c_str());
            ::rmdir(directory_.c_str());
        }
    }

    void start()
    {
        char name[] = "/tmp/vial-test-init-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        directory_ = name;
        Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_path().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener.get(), 64) == 0);
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        channel_.reset(pair[0]);
        const timeval limit{20, 0};
        REQUIRE(::setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
        Fd theirs(pair[1]);
        exit_file_.reset(memory_file(0));
        for (Fd& segment : log_)
            segment.reset(memory_file(log_size));
        int output[2];
        REQUIRE(::pipe2(output, O_CLOEXEC) == 0);
        output_.reset(output[0]);
        Fd output_end(output[1]);

        Spec spec;
        spec.name = "box";
        for (const ServiceSpec& service : services)
            spec.services.push_back(ServiceSpec(service));
        spec.log.size = log_size;
        PlanDescriptors descriptors;
        descriptors.channel = theirs.get();
        descriptors.control = listener.get();
        descriptors.requests = requests;
        descriptors.answers = answers;
        descriptors.exit_file = exit_file_.get();
        descriptors.log[0] = log_[0].get();
        descriptors.log[1] = log_[1].get();
        for (std::size_t i = 0; i < StatCount; i++)
            descriptors.stat[i] = stat[i];
        if ((flags & PlanForeground) != 0)
            descriptors.standard[1] = descriptors.standard[2] = output_end.get();
        List<List<Text>> environments;
        for (std::size_t i = 0; i < services.size(); i++) {
            descriptors.services.push_back(i < leaves.size() ? leaves[i] : ServiceDescriptors());
            environments.push_back({"PATH=/bin:/usr/bin"});
        }
        Opened plan = make_plan(spec, flags, descriptors, environments);
        REQUIRE(plan.ok());

        os::CloneArguments arguments;
        arguments.flags = CLONE_NEWPID;
        // As the launcher does it, or a signal that comes before PID 1 blocks it would be lost.
        sigset_t all, before;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, &before);
        auto pid = os::clone(arguments);
        if (pid.ok() && pid.value() == 0) {
            channel_.reset();
            if (prepare)
                prepare();
            ::_exit(run_init(plan.value().get()));
        }
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        REQUIRE(pid.ok());
        pid_ = pid.value();
    }

    /// Starts and waits for the launcher's good news.
    void run()
    {
        start();
        REQUIRE(hear() == "R");
    }

    std::vector<ServiceDescriptors> leaves;

    pid_t pid() const { return pid_; }
    std::string socket_path() const { return directory_ + "/control"; }
    /// The next message to the launcher; empty: PID 1 has closed its end.
    std::string hear()
    {
        char buffer[1024];
        const ssize_t got = ::recv(channel_.get(), buffer, sizeof buffer, 0);
        return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
    }
    void hang_up() { channel_.reset(); }
    void signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }

    /// How PID 1 ends, as a shell says it.
    int end()
    {
        int status = 0;
        REQUIRE(::waitpid(pid_, &status, 0) == pid_);
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::string exit_record() const { return read_descriptor(exit_file_.get()); }
    std::string request(std::string_view line) const
    {
        ControlLine client(socket_path());
        client.send(std::string(line) + "\n");
        return client.answer();
    }
    /// A member of a service's status line.
    std::string status(std::string_view service, std::string_view key) const
    {
        std::string text = request("status");
        std::string_view rest = text;
        while (!rest.empty()) {
            const std::string_view line = take_until(rest, '\n');
            if (json::string(json::member(line, "service")) == service)
                return std::string(json::member(line, key));
        }
        return "";
    }
    pid_t service_pid(std::string_view service = "main") const
    {
        return static_cast<pid_t>(std::atoi(status(service, "pid").c_str()));
    }
    /// All that services have written, or PID 1 about them.
    std::string log(LogStream stream = LogStream::Output) const
    {
        LogReader reader(log_[0].get(), log_[1].get());
        std::string text;
        for (LogRecord record; reader.next(record);) {
            if (record.stream == stream)
                text += record.data;
        }
        return text;
    }
    bool eventually_logs(std::string_view text) const
    {
        return eventually([&] { return log().find(text) != std::string::npos; });
    }
    /// What a foreground container has written, so far.
    std::string output()
    {
        char buffer[4096];
        const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
        return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
    }
    std::string children() const
    {
        const std::string name = std::to_string(pid_);
        return read_text("/proc/" + name + "/task/" + name + "/children");
    }
    long context_switches() const
    {
        const std::string text = read_text("/proc/" + std::to_string(pid_) + "/status");
        const std::size_t at = text.find("voluntary_ctxt_switches:");
        REQUIRE(at != std::string::npos);
        return std::atol(text.c_str() + at + 24);
    }
    int segment(int which) const { return log_[which].get(); }

private:
    pid_t pid_ = 0;
    std::string directory_;
    Fd channel_, exit_file_, log_[2], output_;
};

}  // namespace

TEST_CASE("exit codes: the only service's code is the container's, and is recorded")
{
    for (const int code : {0, 1, 7, 127, 255}) {  // pid1-33
        Container container(shell("exit " + std::to_string(code)));
        container.run();
        CHECK(container.end() == code);
        CHECK(contains(container.exit_record(),
                       "{\"code\":" + std::to_string(code) + ",\"signal\":null,\"service\":\"main\""));
    }
}

TEST_CASE("pid1-34: death by signal n exits 128+n")
{
    Container container(shell("kill -USR1 $$"));
    container.run();
    CHECK(container.end() == 128 + SIGUSR1);
    CHECK(contains(container.exit_record(), "\"code\":138,\"signal\":\"USR1\""));
}

TEST_CASE("pid1-11: a first exec that fails is told in words and exits 127 or 126")
{
    ServiceSpec missing = shell("");
    missing.command = {"/no/such/program"};
    Container none(missing);
    none.start();
    const std::string words = none.hear();
    CHECK(words[0] == 'F');
    CHECK(contains(words, "/no/such/program"));
    CHECK(contains(words, "No such file or directory"));
    CHECK(none.end() == 127);

    missing.command = {"/tmp"};
    Container directory(missing);
    directory.start();
    CHECK(directory.hear()[0] == 'F');
    CHECK(directory.end() == 126);
}

TEST_CASE("a start that ended is over, whoever still holds what it would have reported through")
{
    int gate[2];
    REQUIRE(::pipe2(gate, O_CLOEXEC | O_NONBLOCK) == 0);
    const Fd gate_end(gate[0]), closed_gate(gate[1]);
    char much[4096] = {};
    while (::write(gate[1], much, sizeof much) > 0) {
    }
    // Its child waits here on its way to its exec, as if the gate were a control group's file.
    REQUIRE(::fcntl(gate[1], F_SETFL, 0) == 0);
    ServiceSpec service = shell("exec sleep 1000");
    service.policy.restart = Restart::Always;
    service.policy.restart_delay = 0;
    Container container(service);
    container.leaves.resize(1);
    container.leaves[0].join[0] = gate[1];
    container.start();
    const auto child = [&] { return static_cast<pid_t>(std::atoi(container.children().c_str())); };
    REQUIRE(eventually([&] { return child() > 1; }));
    const pid_t first = child();
    std::vector<Fd> copies = copies_of(first);
    REQUIRE(copies.size() > 3);
    REQUIRE(::kill(first, SIGKILL) == 0);
    REQUIRE(eventually([&] { return child() > 1 && child() != first; }));
    while (::read(gate[0], much, sizeof much) > 0) {
    }
    CHECK(container.hear() == "R");
    copies.clear();
    CHECK(container.status("main", "restarts") == "1");
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("a first exec that fails ends the services that did start")
{
    ServiceSpec missing = shell("", "bad");
    missing.command = {"/no/such/program"};
    Container container({shell("exec sleep 1000", "good"), missing});
    container.start();
    CHECK(contains(container.hear(), "bad: "));
    CHECK(container.end() == 127);
}

TEST_CASE("pid1-1: SIGCHLD inherited as ignored still reaps and still has the exit code")
{
    Container container(shell("exit 3"));
    container.prepare = [] { ::signal(SIGCHLD, SIG_IGN); };
    container.run();
    CHECK(container.end() == 3);
}

TEST_CASE("pid1-3: the service starts with no signal blocked and none ignored")
{
    Container container(
        shell("while read -r line; do case $line in SigBlk*|SigIgn*) echo $line;; esac; done < /proc/self/status"));
    container.prepare = [] {
        ::signal(SIGUSR1, SIG_IGN);
        ::signal(SIGPIPE, SIG_IGN);
    };
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");
}

TEST_CASE("pid1-6: works with descriptors 0, 1 and 2 closed")
{
    Container container(shell("echo said; exit 4"));
    container.prepare = [] { ::close(0), ::close(1), ::close(2); };
    container.run();
    CHECK(container.end() == 4);
    CHECK(container.log() == "said\n");
}

TEST_CASE("pid1-9: PID 1's working directory is /")
{
    Container container(shell("exec sleep 1000"));
    container.prepare = [] { (void)!::chdir("/tmp"); };
    container.run();
    CHECK(os::readlinkat(AT_FDCWD, ("/proc/" + std::to_string(container.pid()) + "/cwd").c_str()).value() == "/");
}

TEST_CASE("the service has descriptors 0, 1 and 2 and no other")
{
    Container container(shell("for fd in /proc/self/fd/*; do echo -n ${fd##*/}; done"));
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "0123");
}

TEST_CASE("PID 1 is closed to a service that runs as root")
{
    Container container(
        shell("cat /proc/1/environ > /dev/null 2>&1 && echo open || echo closed; readlink /proc/1/exe"));
    container.prepare = [] {
        (void)os::unshare(CLONE_NEWNS);
        (void)os::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        (void)os::mount("proc", "/proc", "proc", 0, nullptr);
    };
    container.run();
    container.end();
    CHECK(container.log() == "closed\n");
}

TEST_CASE("pid1-15: signals that somebody sends reach the main process; TERM and INT stop the container")
{
    Container container(shell("for s in HUP USR1 USR2 QUIT WINCH CONT ALRM; do trap \"echo got $s\" $s; done; echo set;"
                              "while :; do sleep 1000 & wait; done"));
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGWINCH, SIGCONT, SIGALRM}) {
        char scratch[16];
        const std::string expected = "got " + std::string(signal_name(number, scratch)) + "\n";
        container.signal(number);
        CHECK_MESSAGE(container.eventually_logs(expected), expected);
    }
    CHECK(contains(container.request("status"), "\"forwarded\":7"));
    container.signal(SIGINT);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("pid1-16: real-time signals too")
{
    Container container(
        shell("trap 'echo first' 34; trap 'echo last' 64; echo set; while :; do sleep 1000 & wait; done"));
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    container.signal(34);
    CHECK(container.eventually_logs("first"));
    container.signal(64);
    CHECK(container.eventually_logs("last"));
}

TEST_CASE("TERM is an orderly stop: the service gets its stop signal and its time")
{
    ServiceSpec service = shell("trap 'echo asked; exit 5' USR1; echo set; while :; do sleep 1000 & wait; done");
    service.policy.stop_signal = SIGUSR1;
    Container container(service);
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    container.signal(SIGTERM);
    CHECK(container.end() == 5);
    CHECK(container.log() == "set\nasked\n");
}

TEST_CASE("a service that ignores its stop signal is killed when its time is over")
{
    ServiceSpec service = shell("trap '' TERM; echo set; while :; do sleep 1000; done");
    service.policy.stop_timeout = 100;
    Container container(service);
    container.run();
    REQUIRE(container.eventually_logs("set\n"));
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGKILL);
}

TEST_CASE("pid1-37: a stopped and continued child has not exited")
{
    Container container(shell("kill -STOP $$; echo back; exec sleep 1000"));
    container.run();
    const pid_t child = std::atoi(container.children().c_str());
    REQUIRE(eventually([&] { return contains(read_text("/proc/" + std::to_string(child) + "/stat"), ") T "); }));
    CHECK(container.status("main", "state") == "\"ready\"");
    ::kill(child, SIGCONT);
    CHECK(container.eventually_logs("back"));
    CHECK(container.status("main", "restarts") == "0");
}

TEST_CASE("pid1-38: a spurious SIGCHLD does no harm")
{
    Container container(shell("exec sleep 1000"));
    container.run();
    for (int i = 0; i < 100; i++)
        container.signal(SIGCHLD);
    CHECK(container.status("main", "state") == "\"ready\"");
}

TEST_CASE("pid1-44: KILL and STOP from inside change nothing")
{
    Container container(shell("kill -KILL 1; kill -STOP 1; echo alive; exec sleep 1000"));
    container.run();
    CHECK(container.eventually_logs("alive"));
    CHECK(container.request("ping") == "{\"ok\":true}\n");
}

TEST_CASE("pid1-31: a thousand orphans are all reaped")
{
    Container container(
        shell("i=0; while [ $i -lt 1000 ]; do (sleep 0 &); i=$((i+1)); done; echo made; exec sleep 1000"));
    container.run();
    REQUIRE(container.eventually_logs("made"));
    const auto main_only = [&] { return contains(container.request("status"), "\"reaped\":1000,"); };
    CHECK(eventually(main_only));
    CHECK(eventually(
        [&] { return container.children() == container.children().substr(0, container.children().find(' ') + 1); }));
}

TEST_CASE("pid1-35, 36: orphans get TERM and time, and the end comes when the last has gone")
{
    Container container(shell("(trap 'echo orphan asked; exit' TERM; echo set; while :; do sleep 1000 & wait; done) & "
                              "while ! [ \"$ready\" ]; do sleep 0.1; ready=1; done; exit 9"));
    container.run();
    CHECK(container.end() == 9);
    // The orphan may be asked before it has its trap: then it dies of TERM, as well.
    CHECK((contains(container.log(), "orphan asked") || !contains(container.log(), "set")));
}

TEST_CASE("pid1-20: a descendant in a session of its own dies with the container")
{
    Container container(shell("setsid sleep 1000 & echo set; wait"));
    container.run();
    REQUIRE(container.eventually_logs("set"));
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("restart: on-failure and always start again, no does not")
{
    ServiceSpec service = shell("echo up; exit 1");
    service.policy.restart = Restart::OnFailure;
    service.policy.restart_delay = 0;
    Container failing({service, shell("exec sleep 1000", "other")});
    failing.run();
    CHECK(failing.eventually_logs("up\nup\nup\n"));
    CHECK(contains(failing.request("stop main"), "\"ok\":true"));
    CHECK(eventually([&] { return failing.status("main", "state") == "\"stopped\""; }));

    ServiceSpec once = shell("echo up");
    once.policy.restart = Restart::OnFailure;
    Container fine(once);
    fine.run();
    CHECK(fine.end() == 0);
    CHECK(fine.log() == "up\n");
}

TEST_CASE("a service that was killed is started again, and says so")
{
    ServiceSpec service = shell("echo up; exec sleep 1000");
    service.policy.restart = Restart::Always;
    service.policy.restart_delay = 0;
    Container container(service);
    container.run();
    REQUIRE(container.eventually_logs("up\n"));
    CHECK(contains(container.request("signal KILL main"), "\"ok\":true"));
    CHECK(container.eventually_logs("up\nup\n"));
    CHECK(container.status("main", "restarts") == "1");
    CHECK(contains(container.status("main", "last_exit"), "\"code\":137,\"signal\":\"KILL\",\"oom\":false"));
    CHECK(contains(container.log(LogStream::Note), "killed by SIGKILL"));
}

TEST_CASE("pid1-50: stop cancels a pending restart")
{
    ServiceSpec service = shell("exit 1");
    service.policy.restart = Restart::Always;
    service.policy.restart_delay = 1000000;
    Container container(service);
    container.run();
    REQUIRE(eventually([&] { return container.status("main", "state") == "\"backoff\""; }));
    container.signal(SIGTERM);
    CHECK(container.end() == 1);
}

TEST_CASE("pid1-50: stop works while a service is starting")
{
    Container container(shell("exec sleep 1000"));
    container.start();
    container.signal(SIGTERM);
    const int code = container.end();
    CHECK((code == 128 + SIGTERM || code == 0));  // 0: it was never started
}

TEST_CASE("several services: the first that fails for good gives its code, the others go on meanwhile")
{
    Container container({shell("exec sleep 1000", "a"), shell("exit 6", "b"), shell("exec sleep 1000", "c")});
    container.run();
    REQUIRE(eventually([&] { return container.status("b", "state") == "\"failed\""; }));
    CHECK(container.status("a", "state") == "\"ready\"");
    container.signal(SIGTERM);
    CHECK(container.end() == 6);
    CHECK(contains(container.exit_record(), "\"service\":\"b\""));
}

TEST_CASE("several services: all stopped as wanted is code 0")
{
    Container container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    container.run();
    CHECK(contains(container.request("shutdown"), "\"ok\":true"));
    CHECK(container.end() == 0);
}

TEST_CASE("control: start, stop and restart of one of several")
{
    Container container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    container.run();
    const pid_t first = container.service_pid("a");
    REQUIRE(first > 1);
    CHECK(contains(container.request("restart a"), "\"ok\":true"));
    REQUIRE(eventually([&] { return container.service_pid("a") > first; }));
    CHECK(container.status("a", "restarts") == "0");
    container.request("stop a");
    REQUIRE(eventually([&] { return container.status("a", "state") == "\"stopped\""; }));
    CHECK(container.status("a", "pid") == "null");
    container.request("start a");
    REQUIRE(eventually([&] { return container.status("a", "state") == "\"ready\""; }));
}

TEST_CASE("control: every answer is lines of JSON")
{
    const std::string controls(100, '\x01');  // each is told as six letters
    Container container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    container.run();
    for (const char* request :
         {"status", "stats", "ping", "stop nobody", "start", "signal", "signal FOO a", "signal USR9", "events a",
          "reload nobody", "logs", "", "  ", "\"\\\x01\xff", "ping pong", "stop a b", controls.c_str()}) {
        const std::string answer = container.request(request);
        std::string_view rest = answer;
        CAPTURE(request);
        CAPTURE(answer);
        std::string_view last;
        while (!rest.empty()) {
            last = take_until(rest, '\n');
            CHECK(json::valid(last));
        }
        CHECK(json::boolean(json::member(last, "ok")).has_value());
    }
    CHECK(contains(container.request("stop nobody"), "no such service: nobody"));
    CHECK(contains(container.request("stats"), "\"lo\":{\"rx_bytes\":"));
}

TEST_CASE("pid1-57: a client that stalls, sends garbage, a megabyte, or goes away hurts nobody else")
{
    std::vector<ServiceSpec> many;
    for (int i = 0; i < 200; i++)
        many.push_back(shell("exec sleep 1000", "service-with-a-longer-name-" + std::to_string(i)));
    Container container(many);
    container.run();

    ControlLine silent(container.socket_path());
    ControlLine half(container.socket_path());
    REQUIRE(half.send("sta"));
    ControlLine deaf(container.socket_path());  // asks for more than fits and reads nothing
    for (int i = 0; i < 50; i++)
        REQUIRE(deaf.send("status\n"));
    {
        ControlLine leaving(container.socket_path());
        REQUIRE(leaving.send("status\n"));
    }
    ControlLine garbage(container.socket_path());
    REQUIRE(garbage.send(std::string("\0\xff\x80 \r\n", 6)));
    CHECK(contains(garbage.answer(), "unknown request"));
    ControlLine large(container.socket_path());
    large.send(std::string(1 << 20, 'x'));
    CHECK(contains(large.answer(), "longer than 4096"));
    CHECK(eventually([&] { return large.is_closed(); }));

    const std::string answer = container.request("status");
    CHECK(contains(answer, "service-with-a-longer-name-199"));
    CHECK(answer.ends_with("{\"ok\":true}\n"));
    REQUIRE(half.send("tus\n"));
    CHECK(contains(half.answer(), "service-with-a-longer-name-199"));
    // Several requests in one go are answered in their order.
    ControlLine eager(container.socket_path());
    REQUIRE(eager.send("ping\nstop nobody\nping\n"));
    std::string answers;
    while (answers.size() < 75 && !eager.is_closed(0))
        answers += eager.answer();
    CHECK(answers == "{\"ok\":true}\n{\"ok\":false,\"error\":\"no such service: nobody\"}\n{\"ok\":true}\n");
}

namespace {

/// The two ends of a pair of pipes that are the test's: what it writes are requests.
struct Pair {
    Pair()
    {
        int there[2], back[2];
        REQUIRE(::pipe2(there, O_CLOEXEC) == 0);
        REQUIRE(::pipe2(back, O_CLOEXEC) == 0);
        requests.reset(there[1]);
        answers.reset(back[0]);
        their_requests.reset(there[0]);
        their_answers.reset(back[1]);
    }
    void pass_to(Container& container)
    {
        container.requests = their_requests.get();
        container.answers = their_answers.get();
        container.prepare = [this] { requests.reset(), answers.reset(); };
    }
    /// To be called once PID 1 has its own.
    void let_go() { their_requests.reset(), their_answers.reset(); }
    void send(std::string_view text) const { REQUIRE(::write(requests.get(), text.data(), text.size()) > 0); }
    /// Reads until `text` has come; what has come since the last call.
    std::string until(std::string_view text) const
    {
        std::string heard;
        char buffer[4096];
        while (heard.find(text) == heard.npos) {
            pollfd entry{answers.get(), POLLIN, 0};
            if (::poll(&entry, 1, 20000) != 1)
                break;
            const ssize_t got = ::read(answers.get(), buffer, sizeof buffer);
            if (got <= 0)
                break;
            heard.append(buffer, static_cast<std::size_t>(got));
        }
        return heard;
    }

    Fd requests, answers, their_requests, their_answers;
};

}  // namespace

TEST_CASE("a pair of pipes speaks as the socket does, and takes its time")
{
    Container container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    Pair pair;
    pair.pass_to(container);
    container.run();
    pair.let_go();
    pair.send("ping\n");
    CHECK(pair.until("}\n") == "{\"ok\":true}\n");
    // Several at once, and one in pieces.
    pair.send("ping\nstop nobody\nsta");
    CHECK(pair.until("nobody\"}\n") == "{\"ok\":true}\n{\"ok\":false,\"error\":\"no such service: nobody\"}\n");
    pair.send("tus\n");
    CHECK(contains(pair.until("{\"ok\":true}\n"), "\"service\":\"b\""));
    // A line that is too long is told so and thrown away; the next one is heard.
    pair.send(std::string(9000, 'x') + "\nping\n");
    const std::string answer = pair.until("{\"ok\":true}\n");
    CHECK(answer == "{\"ok\":false,\"error\":\"the request is longer than 4096 bytes\"}\n{\"ok\":true}\n");
    // The stream of events ends with the next request.
    pair.send("events\n");
    CHECK(contains(pair.until("\"b\",\"event\":\"ready\""), "started"));
    pair.send("restart a\n");
    CHECK(contains(pair.until("{\"ok\":true}\n{\"ok\":true}\n"), "{\"ok\":true}\n"));
    CHECK(contains(container.request("ping"), "true"));  // the socket, beside it
    // Its end is for good, and nobody else's.
    pair.requests.reset();
    CHECK(eventually([&] { return pair.until("\x01").empty(); }));
    CHECK(eventually([&] { return container.status("a", "state") == "\"ready\""; }));
    pause_ms(200);
    const long before = container.context_switches();
    pause_ms(500);
    CHECK(container.context_switches() == before);
    CHECK(contains(container.request("status"), "\"ok\":true"));
}

TEST_CASE("a pair whose other end does not read, or is gone, hurts nobody and no service")
{
    Container container(shell("trap 'echo pipe' PIPE; while :; do sleep 0.05; done"));
    Pair pair;
    pair.pass_to(container);
    container.run();
    pair.let_go();
    for (int i = 0; i < 400; i++)
        pair.send("status\n");  // far more of an answer than fits
    CHECK(contains(container.request("status"), "\"ok\":true"));
    const long before = container.context_switches();
    pause_ms(500);
    CHECK(container.context_switches() <= before + 1);
    pair.answers.reset();
    CHECK(contains(container.request("status"), "\"ok\":true"));
    pair.requests.reset();
    pause_ms(100);
    CHECK(contains(container.request("status"), "\"ok\":true"));
    CHECK(container.log().empty());
}

TEST_CASE("stats: devices and pressure as version 2 of control groups tells them")
{
    Container container(shell("exec sleep 1000"));
    const auto file = [](std::string_view text) {
        const int fd = memory_file(0);
        REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        return Fd(fd);
    };
    const Fd io =
        file("8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n");
    const Fd pressure =
        file("some avg10=41.73 avg60=1.00 avg300=0.00 total=1530\nfull avg10=0.50 avg60=0.00 total=7\n");
    container.stat[StatIo] = io.get();
    container.stat[StatMemoryPressure] = pressure.get();
    container.run();
    const std::string answer = container.request("stats");
    CHECK(contains(answer, "\"io\":{\"read_bytes\":4097,\"written_bytes\":514,\"reads\":5,\"writes\":5}"));
    CHECK(contains(answer, "\"pressure\":{\"memory\":{\"some_avg10\":41.73,\"some_usec\":1530,"
                           "\"full_avg10\":0.50,\"full_usec\":7},\"cpu\":null,\"io\":null}"));
    for (std::string_view rest = answer; !rest.empty();)
        CHECK(json::valid(take_until(rest, '\n')));
}

TEST_CASE("more clients than there are places wait their turn")
{
    Container container(shell("exec sleep 1000"));
    container.run();
    std::vector<std::unique_ptr<ControlLine>> crowd;
    for (int i = 0; i < 20; i++)
        crowd.push_back(std::make_unique<ControlLine>(container.socket_path()));
    for (auto& client : crowd)
        client->send("ping\n");
    for (auto& client : crowd) {
        CHECK(client->answer() == "{\"ok\":true}\n");
        client.reset();
    }
}

TEST_CASE("log: what a service wrote survives its end, in order, over restarts")
{
    ServiceSpec service = shell("echo one; echo two >&2; printf three");
    Container container(service);
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "one\ntwo\nthree");
}

TEST_CASE("log: more than fits keeps the newest, and the segments never grow")
{
    Container container(shell("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"));
    container.log_size = 8192;
    container.run();
    CHECK(container.end() == 0);
    const std::string text = container.log();
    CHECK(text.ends_with("line 4998\nline 4999\n"));
    CHECK(text.size() > 2000);  // the less the more records there were
    for (const int which : {0, 1})
        CHECK(os::fstat(container.segment(which)).value().st_size == 8192);
}

TEST_CASE("log: /dev/stdout can be opened by a service that is not root")
{
    ServiceSpec service = shell("echo opened > /proc/self/fd/1");
    service.user = service.group = 12345;
    Container container(service);
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "opened\n");
}

TEST_CASE("the file size limit of PID 1 is not the service's")
{
    Container container(shell("ulimit -f"));
    container.run();
    CHECK(container.end() == 0);
    CHECK(container.log() == "unlimited\n");
}

TEST_CASE("foreground: the services' output is the launcher's, and it is told the exit code")
{
    Container container(shell("echo here; exit 8"));
    container.flags = PlanForeground;
    container.run();
    CHECK(container.output() == "here\n");
    CHECK(container.hear() == "X8");
    CHECK(container.end() == 8);
}

TEST_CASE("pid1-61: a launcher that is gone takes a foreground container with it")
{
    Container container(shell("exec sleep 1000"));
    container.flags = PlanForeground;
    container.run();
    container.hang_up();
    CHECK(container.end() == 125);
}

TEST_CASE("init = false: PID 1 is the service itself")
{
    Container container(shell("echo $$; exit 3"));
    container.flags = PlanNoInit | PlanForeground;
    container.start();
    CHECK(container.hear() == "");
    CHECK(container.output() == "1\n");
    CHECK(container.end() == 3);

    ServiceSpec missing = shell("");
    missing.command = {"/no/such/program"};
    Container bad(missing);
    bad.flags = PlanNoInit;
    bad.start();
    CHECK(contains(bad.hear(), "/no/such/program"));
    CHECK(bad.end() == 127);
}

TEST_CASE("pid1-62: a thousand services: start, restart of one, stop of all")
{
    std::vector<ServiceSpec> many;
    for (int i = 0; i < 1000; i++) {
        ServiceSpec service;
        service.name = compose("s%", i);
        service.command = {"/bin/sleep", "1000"};
        service.policy.restart = Restart::Always;
        service.policy.restart_delay = 0;
        many.push_back(service);
    }
    rlimit files;
    ::getrlimit(RLIMIT_NOFILE, &files);
    const rlimit enough{std::max<rlim_t>(files.rlim_cur, 4096), std::max<rlim_t>(files.rlim_max, 4096)};
    ::setrlimit(RLIMIT_NOFILE, &enough);
    Container container(many);
    container.run();
    const pid_t before = container.service_pid("s500");
    REQUIRE(before > 1);
    CHECK(contains(container.request("signal KILL s500"), "\"ok\":true"));
    CHECK(eventually(
        [&] { return container.service_pid("s500") > before && container.status("s500", "restarts") == "1"; }));
    container.signal(SIGTERM);
    CHECK(container.end() == 0);
    ::setrlimit(RLIMIT_NOFILE, &files);
}

// --- With a cgroup of its own ---

namespace {

/// A group beneath ours in one hierarchy of version 1; empties and removes itself.
class Group {
public:
    explicit Group(const std::string& controller)
        : path_("/sys/fs/cgroup/" + controller + "/vial-test-init-" + std::to_string(::getpid()))
    {
        exists_ = os::lstat(AT_FDCWD, ("/sys/fs/cgroup/" + controller + "/tasks").c_str()).ok() &&
                  ::mkdir(path_.c_str(), 0755) == 0;
        if (!exists_)
            MESSAGE("not run: there is no version 1 hierarchy of " << controller);
    }
    ~Group()
    {
        if (exists_)
            CHECK(eventually([&] { return ::rmdir(path_.c_str()) == 0; }));
    }
    explicit operator bool() const { return exists_; }
    std::string file(const char* name) const { return path_ + "/" + name; }
    void write(const char* name, std::string_view text) const
    {
        REQUIRE(os::write_file(AT_FDCWD, file(name).c_str(), text).ok());
    }
    std::string read(const char* name) const { return read_text(file(name)); }
    Fd open(const char* name, int flags) const
    {
        Opened fd = os::open(file(name).c_str(), flags);
        REQUIRE(fd.ok());
        return fd.take();
    }

private:
    std::string path_;
    bool exists_ = false;
};

}  // namespace

TEST_CASE("pid1-51: what a service leaves behind is killed before it starts again, sessions of their own as well")
{
    Group group("pids");
    if (!group)
        return;
    const Fd tasks = group.open("tasks", O_WRONLY);
    // Both generations leave three behind; the group only ever holds those of one.
    ServiceSpec service = shell("for i in 1 2 3; do setsid sleep 1000 & done; echo up; exec sleep 1000");
    service.policy.restart = Restart::Always;
    service.policy.restart_delay = 0;
    Container container({service, shell("exec sleep 1000", "other")});
    container.leaves.resize(1);
    container.leaves[0].join[0] = tasks.get();
    container.run();
    for (int generation = 1; generation <= 5; generation++) {
        std::string log;
        for (int i = 0; i < generation; i++)
            log += "up\n";
        REQUIRE(eventually([&] { return container.log() == log; }));
        CHECK(eventually([&] { return group.read("pids.current") == "4\n"; }));
        container.request("signal KILL main");
    }
    REQUIRE(container.eventually_logs("up\nup\nup\nup\nup\nup\n"));
    container.request("stop main");
    CHECK(eventually([&] { return group.read("pids.current") == "0\n"; }));
    container.signal(SIGTERM);
    CHECK(container.end() == 0);
}

TEST_CASE("an out-of-memory kill is told from any other")
{
    Group group("memory");
    if (!group)
        return;
    group.write("memory.limit_in_bytes", "20M");
    const Fd tasks = group.open("tasks", O_WRONLY);
    const Fd events = group.open("memory.oom_control", O_RDONLY);
    ServiceSpec service = shell("exec tail /dev/zero");
    Container container(service);
    container.leaves.resize(1);
    container.leaves[0].join[0] = tasks.get();
    container.leaves[0].leaf_events = events.get();
    container.run();
    CHECK(container.end() == 128 + SIGKILL);
    CHECK(contains(container.exit_record(), "\"code\":137,\"signal\":\"KILL\",\"service\":\"main\",\"oom\":true"));
    CHECK(contains(container.log(LogStream::Note), "killed by SIGKILL, out of memory"));
}

TEST_CASE("pid1-60: a refused fork is tried again, and said")
{
    Group group("pids");
    if (!group)
        return;
    group.write("pids.max", "1");
    Container container(shell("exec sleep 1000"));
    container.prepare = [&] { (void)os::write_file(AT_FDCWD, group.file("tasks").c_str(), "0"); };
    container.start();
    REQUIRE(eventually([&] { return contains(container.log(LogStream::Note), "Resource temporarily unavailable"); }));
    CHECK(container.status("main", "state") == "\"backoff\"");
    group.write("pids.max", "max");
    CHECK(container.hear() == "R");
    CHECK(container.status("main", "restarts") == "0");
    container.signal(SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}

// --- With a terminal ---

TEST_CASE("a service with a terminal has it as its standard descriptors and controls it")
{
    const Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    const Fd slave(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(slave);
    Container container(shell("test -t 0 && test -t 1 && test -t 2 && echo yes > /dev/tty; read -r line; exit 5"));
    container.leaves.resize(1);
    container.leaves[0].terminal = slave.get();
    container.run();
    char buffer[64];
    const ssize_t got = ::read(master.get(), buffer, sizeof buffer);
    CHECK(std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0) == "yes\r\n");
    // pid1-25: the terminal's interrupt reaches the foreground group, and not PID 1.
    REQUIRE(::write(master.get(), "\x03", 1) == 1);
    CHECK(container.end() == 128 + SIGINT);
}

TEST_CASE("pid1-56, 57: a service that writes without end keeps nobody waiting")
{
    Container container({shell("exec yes", "loud"), shell("exec sleep 1000", "quiet")});
    container.run();
    for (int i = 0; i < 50; i++)
        REQUIRE(container.request("ping") == "{\"ok\":true}\n");
    CHECK(contains(container.request("status"), "\"log_dropped\":0}"));
    CHECK(contains(container.request("restart quiet"), "\"ok\":true"));
    CHECK(eventually([&] { return container.status("quiet", "state") == "\"ready\""; }));
    container.signal(SIGTERM);
    CHECK(container.end() == 0);
}

TEST_CASE("pid1-48: a process put in from outside is asked to end, too, and holds nobody up for long")
{
    Container container(shell("read -r line < /proc/self/comm; exec sleep 1000"));
    container.run();
    const Opened space = os::open(("/proc/" + std::to_string(container.pid()) + "/ns/pid").c_str(), O_RDONLY);
    REQUIRE(space.ok());
    const Opened own = os::open("/proc/self/ns/pid", O_RDONLY);
    REQUIRE(os::setns(space.value().get(), CLONE_NEWPID).ok());
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t visitor = ::fork();
    if (visitor == 0) {
        os::restore_signals();
        ::execl("/bin/sleep", "sleep", "1000", nullptr);
        ::_exit(127);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    REQUIRE(os::setns(own.value().get(), CLONE_NEWPID).ok());
    container.signal(SIGTERM);
    // Only PID 1's end is ours to see in any order: the kernel lets it go when the visitor has been waited for.
    int status = 0;
    REQUIRE(::waitpid(visitor, &status, 0) == visitor);
    CHECK(WTERMSIG(status) == SIGTERM);
    CHECK(container.end() == 128 + SIGTERM);
}

TEST_CASE("a launcher that dies before the services run takes the container with it")
{
    // Refused forks keep it from ever running.
    Group group("pids");
    if (!group)
        return;
    group.write("pids.max", "1");
    Container container(shell("exec sleep 1000"));
    container.prepare = [&] { (void)os::write_file(AT_FDCWD, group.file("tasks").c_str(), "0"); };
    container.start();
    REQUIRE(eventually([&] { return contains(container.log(LogStream::Note), "trying again"); }));
    container.hang_up();
    CHECK(container.end() == 125);
}
