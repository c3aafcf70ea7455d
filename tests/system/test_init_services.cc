// SPDX-License-Identifier: MIT
//
// PID 1 without a launcher (bare_init.h): services that end, are started again, and leave something behind.
// The numbers are those of the project's list of what a PID 1 must get right. Needs root.

#include "bare_init.h"

#include "base/os.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("restart: on-failure and always start again, no does not")
{
    ServiceSpec service = shell("echo up; exit 1");
    service.policy.restart = Restart::OnFailure;
    service.policy.restart_delay = 0;
    BareInit failing({service, shell("exec sleep 1000", "other")});
    failing.run();
    CHECK(failing.eventually_logs("up\nup\nup\n"));
    CHECK(contains(failing.request("stop main"), "\"ok\":true"));
    CHECK(eventually([&] { return failing.status("main", "state") == "\"stopped\""; }));

    ServiceSpec once = shell("echo up");
    once.policy.restart = Restart::OnFailure;
    BareInit fine(once);
    fine.run();
    CHECK(fine.end() == 0);
    CHECK(fine.log() == "up\n");
}

TEST_CASE("a service that was killed is started again, and says so")
{
    ServiceSpec service = shell("echo up; exec sleep 1000");
    service.policy.restart = Restart::Always;
    service.policy.restart_delay = 0;
    BareInit container(service);
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
    BareInit container(service);
    container.run();
    REQUIRE(eventually([&] { return container.status("main", "state") == "\"backoff\""; }));
    container.signal(SIGTERM);
    CHECK(container.end() == 1);
}

TEST_CASE("pid1-50: stop works while a service is starting")
{
    BareInit container(shell("exec sleep 1000"));
    container.start();
    container.signal(SIGTERM);
    const int code = container.end();
    CHECK((code == 128 + SIGTERM || code == 0));  // 0: it was never started
}

TEST_CASE("several services: the first that fails for good gives its code, the others go on meanwhile")
{
    BareInit container({shell("exec sleep 1000", "a"), shell("exit 6", "b"), shell("exec sleep 1000", "c")});
    container.run();
    REQUIRE(eventually([&] { return container.status("b", "state") == "\"failed\""; }));
    CHECK(container.status("a", "state") == "\"ready\"");
    container.signal(SIGTERM);
    CHECK(container.end() == 6);
    CHECK(contains(container.exit_record(), "\"service\":\"b\""));
}

TEST_CASE("several services: all stopped as wanted is code 0")
{
    BareInit container({shell("exec sleep 1000", "a"), shell("exec sleep 1000", "b")});
    container.run();
    CHECK(contains(container.request("shutdown"), "\"ok\":true"));
    CHECK(container.end() == 0);
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
    BareInit container(many);
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
    BareInit container({service, shell("exec sleep 1000", "other")});
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
    BareInit container(service);
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
    BareInit container(shell("exec sleep 1000"));
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

TEST_CASE("a launcher that dies before the services run takes the container with it")
{
    // Refused forks keep it from ever running.
    Group group("pids");
    if (!group)
        return;
    group.write("pids.max", "1");
    BareInit container(shell("exec sleep 1000"));
    container.prepare = [&] { (void)os::write_file(AT_FDCWD, group.file("tasks").c_str(), "0"); };
    container.start();
    REQUIRE(eventually([&] { return contains(container.log(LogStream::Note), "trying again"); }));
    container.hang_up();
    CHECK(container.end() == 125);
}
