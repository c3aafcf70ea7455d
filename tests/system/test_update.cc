// SPDX-License-Identifier: MIT
//
// `vial update`: other limits for a container that runs, all or none.

#include "harness.h"

#include <doctest/doctest.h>

using namespace vial;
using namespace vial::test;

namespace {

/// The first line of a cgroup's file: of `v1` or, on version 2, of `v2`.
std::string limit(const std::string& controller, const std::string& group, const std::string& v1, const std::string& v2)
{
    const std::string text = read_text(cgroup(controller, group) + "/" + (cgroup_is_unified() ? v2 : v1));
    return text.substr(0, text.find('\n'));
}

std::string memory(const std::string& name)
{
    return limit("memory", name, "memory.limit_in_bytes", "memory.max");
}

std::string tasks(const std::string& name)
{
    return limit("pids", name, "pids.max", "pids.max");
}

std::string cpu(const std::string& name)
{
    return limit("cpu", name, "cpu.cfs_quota_us", "cpu.max");
}

/// Both have the two limits.
bool agree(const std::string& name, const std::string& memory_shown, const std::string& tasks_shown)
{
    const std::string shown = done({"show", name});
    return contains(shown, "memory = \"" + memory_shown + "\"\n") && contains(shown, "tasks = " + tasks_shown + "\n");
}

}  // namespace

TEST_CASE("limits of a container that runs are changed in the kernel and in what is known of it")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"32M\"\ncpu = \"50%\"\n")});
    CHECK(done({"update", "web", "limits.memory=64M"}) == "");
    CHECK(memory("web") == "67108864");
    CHECK(tasks("web") == "512");
    CHECK(agree("web", "64M", "512"));
    CHECK(field(done({"stats", "--json", "web"}), {"container", "memory", "limit"}) == "67108864");
    CHECK(done({"update", "web", "limits.memory = \"48M\"", "limits.tasks=33", "limits.cpu=120%",
                "limits.cpu_weight=50"}) == "");
    CHECK(memory("web") == "50331648");
    CHECK(tasks("web") == "33");
    CHECK(cpu("web") == (cgroup_is_unified() ? "120000 100000" : "120000"));
    CHECK(limit("cpu", "web", "cpu.shares", "cpu.weight") == (cgroup_is_unified() ? "50" : "512"));
    CHECK(agree("web", "48M", "33"));
    // What is so already stays so.
    CHECK(done({"update", "web", "limits.memory=48M"}) == "");
    CHECK(done({"restart", "web"}) == "");
    CHECK(memory("web") == "50331648");
    CHECK(tasks("web") == "33");
    CHECK(agree("web", "48M", "33"));
    // And no limit at all.
    CHECK(done({"update", "web", "limits.memory=max", "limits.cpu=max", "limits.tasks=max"}) == "");
    CHECK(field(done({"stats", "--json", "web"}), {"container", "memory", "limit"}) == "null");
    CHECK(tasks("web") == "max");
    CHECK(cpu("web") == (cgroup_is_unified() ? "max 100000" : "-1"));
    CHECK(contains(done({"show", "web"}), "memory = \"max\"\n"));
    CHECK(done({"exec", "web", "--", "/bin/echo", "in"}) == "in\n");
    (void)done({"stop", "web"});

    // Without a PID 1 to ask, too; and one in the foreground.
    (void)done({"start", sleeper("bare", "init = false\n")});
    CHECK(done({"update", "bare", "limits.tasks=40"}) == "");
    CHECK(tasks("bare") == "40");
    (void)done({"stop", "bare"});
    Process running(
        ctl_words({"run", "--root", root(), "--name", "front", "--", "/bin/sh", "-c", "echo up; exec sleep 1000"}));
    CHECK(running.expect("up\n"));
    CHECK(eventually([] { return state("front") == "\"running\""; }));
    CHECK(done({"update", "front", "limits.tasks=41"}) == "");
    CHECK(tasks("front") == "41");
    (void)done({"stop", "front"});
    (void)running.wait();
}

TEST_CASE("memory and swap, up and down, together and alone")
{
    const NothingLeft nothing_left;
    const auto both = [] { return limit("memory", "web", "memory.memsw.limit_in_bytes", "memory.swap.max"); };
    const bool unified = cgroup_is_unified();
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"32M\"\nswap = \"8M\"\n")});
    const struct {
        Words words;
        std::string memory, swap;
    } steps[] = {{{"limits.memory=64M"}, "67108864", unified ? "8388608" : "75497472"},
                 {{"limits.memory=16M"}, "16777216", unified ? "8388608" : "25165824"},
                 {{"limits.memory=128M", "limits.swap=0"}, "134217728", unified ? "0" : "134217728"},
                 {{"limits.swap=16M", "limits.memory=20M"}, "20971520", unified ? "16777216" : "37748736"},
                 {{"limits.swap=4M"}, "20971520", unified ? "4194304" : "25165824"}};
    for (const auto& step : steps) {
        Words words{"update", "web"};
        words.insert(words.end(), step.words.begin(), step.words.end());
        CHECK(done(words) == "");
        CHECK(memory("web") == step.memory);
        CHECK(both() == step.swap);
    }
    CHECK(contains(refused(2, {"update", "web", "limits.memory=max"}), "wants a limit of 'memory'"));
    CHECK(done({"update", "web", "limits.memory=max", "limits.swap=max"}) == "");
    (void)done({"stop", "web"});
}

TEST_CASE("processors and disks")
{
    const NothingLeft nothing_left;
    const auto cpus = [] { return limit("cpuset", "web", "cpuset.cpus", "cpuset.cpus"); };
    const std::string all = run({"nproc"}).out;
    (void)done({"start", sleeper("web", "[limits]\ncpus = \"0\"\n")});
    if (all == "1\n") {
        MESSAGE("skipped: this machine has one processor");
    } else {
        for (const std::string each : {"1", "0-1", "0", "1"}) {
            CHECK(done({"update", "web", "limits.cpus=\"" + each + "\""}) == "");
            CHECK(cpus() == each);
            CHECK(done({"exec", "web", "--", "/bin/nproc"}) == (each == "0-1" ? "2\n" : "1\n"));
        }
    }
    const std::string before = cpus();
    CHECK(
        contains(refused(1, {"update", "web", "limits.tasks=77", "limits.cpus=0,4095"}), "limits.cpus (cpuset.cpus)"));
    CHECK(cpus() == before);
    CHECK(tasks("web") == "512");
    CHECK(done({"exec", "web", "--", "/bin/nproc"}) == "1\n");
    (void)done({"stop", "web"});

    std::string disk;
    for (const std::string& name : lines(run({"ls", "/sys/block"}).out))
        disk = disk.empty() && exists("/dev/" + name) ? "/dev/" + name : disk;
    if (disk.empty()) {
        MESSAGE("skipped: this machine has no disk");
        return;
    }
    const auto read_limit = [] { return limit("blkio", "web", "blkio.throttle.read_bps_device", "io.max"); };
    (void)done({"start", sleeper("web", "[limits]\nio = \"" + disk + " rbps=100M\"\n")});
    CHECK(contains(read_limit(), "104857600"));
    CHECK(done({"update", "web", "limits.io=" + disk + " rbps=200M wiops=9000"}) == "");
    CHECK(contains(read_limit(), "209715200"));
    CHECK(contains(limit("blkio", "web", "blkio.throttle.write_iops_device", "io.max"), "9000"));
    CHECK(contains(refused(1, {"update", "web", "limits.io=" + disk + " rbps=50M", "limits.cpus=0,4095"}),
                   "limits.cpus"));
    CHECK(contains(read_limit(), "209715200"));
    CHECK(done({"update", "web", "limits.io=[]"}) == "");
    CHECK(read_limit() == "");
    CHECK(contains(done({"show", "web"}), "io = []\n"));
    (void)done({"stop", "web"});
}

TEST_CASE("all or nothing: where one is refused the others are put back")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"64M\"\nswap = \"8M\"\ntasks = 64\ncpu = \"50%\"\n")});
    const std::string shown = done({"show", "web"});
    const std::string swap = limit("memory", "web", "memory.memsw.limit_in_bytes", "memory.swap.max");
    const auto unchanged = [&] {
        CHECK(memory("web") == "67108864");
        CHECK(tasks("web") == "64");
        CHECK(limit("memory", "web", "memory.memsw.limit_in_bytes", "memory.swap.max") == swap);
        CHECK(done({"show", "web"}) == shown);
        CHECK_FALSE(exists("/run/vial/web/spec.new"));
    };
    const std::string why =
        refused(1, {"update", "web", "limits.cpus=4095", "limits.memory=32M", "limits.swap=1M", "limits.tasks=10"});
    CHECK(contains(why, "web: "));
    CHECK(contains(why, "limits.cpus"));
    unchanged();
    // What is wrong with the words is said before anything is touched.
    for (const char* wrong :
         {"limits.memory=much", "limits.tasks=0", "limits.cpu=1", "limits.tasks=", "limits.cpus=x"}) {
        CHECK(contains(refused(2, {"update", "web", "limits.tasks=10", wrong}), std::string(wrong).substr(0, 10)));
        unchanged();
    }
    for (const char* wrong : {"limits.oom_score=5", "limits.files=5", "limits.cgroup.x=1", "limits={tasks = 5}",
                              "limits.=1", "hostname=x", "memory=5M", "", "=", "limits.memory_hig=1M", "name=x"}) {
        const Finished finished = ctl({"update", "web", "limits.tasks=10", wrong});
        INFO(std::string(wrong), finished.err);
        CHECK(finished.code == 2);
        CHECK(contains(finished.err, "can change while it runs"));
        unchanged();
    }
    CHECK(contains(refused(3, {"update", "nobody", "limits.tasks=10"}), "no such container"));
    CHECK(ctl({"update", "web"}).code == 2);
    if (!cgroup_is_unified()) {
        CHECK(contains(refused(1, {"update", "web", "limits.memory_high=8M"}), "version 1 of control groups"));
        // Shared memory in use stays in use.
        CHECK(ctl({"exec", "web", "--", "/bin/sh", "-c", "head -c 20000000 /dev/zero >/dev/shm/x"}).code == 0);
        CHECK(done({"update", "web", "limits.swap=0"}) == "");
        CHECK(
            contains(refused(1, {"update", "web", "limits.tasks=10", "limits.memory=8M"}), "more than that is in use"));
        CHECK(memory("web") == "67108864");
        CHECK(tasks("web") == "64");
    }
    (void)done({"stop", "web"});
    if (!cgroup_is_unified()) {
        // Its processes are in no group of a controller that it was started without.
        (void)done({"start", sleeper("web")});
        CHECK(contains(refused(1, {"update", "web", "limits.tasks=10", "limits.cpu=50%"}),
                       "limits.cpu (cpu.cfs_quota_us): the container was started without"));
        CHECK(tasks("web") == "512");
        (void)done({"stop", "web"});
    }
}

TEST_CASE("start --ensure goes on with one whose limits were changed, for as long as its file is as it was")
{
    const NothingLeft nothing_left;
    const std::string file = sleeper("web", "[limits]\nmemory = \"32M\"\n");
    (void)done({"start", file});
    const pid_t before = init_pid("web");
    (void)done({"update", "web", "limits.memory=64M"});
    (void)done({"update", "web", "limits.tasks=50"});
    CHECK(done({"start", "--ensure", file}) == "");
    CHECK(init_pid("web") == before);
    CHECK(memory("web") == "67108864");
    // The file now says what is so; that is as good.
    CHECK(done({"start", "--ensure", sleeper("web", "[limits]\nmemory = \"64M\"\ntasks = 50\n")}) == "");
    CHECK(init_pid("web") == before);
    CHECK(done({"start", "--ensure", sleeper("web", "[limits]\nmemory = \"48M\"\n")}) == "");
    CHECK(init_pid("web") != before);
    CHECK(memory("web") == "50331648");
    (void)done({"stop", "web"});
}

TEST_CASE("many updates at once: what is known is what the kernel has")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", "[limits]\nmemory = \"64M\"\n")});
    const Finished crowd =
        run({"sh", "-c",
             "for i in $(seq 10); do \"$1\" update web limits.tasks=$((i + 100)) limits.memory=$((i + 30))M & "
             "\"$1\" update web limits.tasks=$((i + 200)) & done; wait",
             "sh", ctl_words({}).front()});
    CHECK(crowd.err == "");
    const std::string bytes = memory("web");
    CHECK(agree("web", std::to_string(std::stol(bytes) >> 20) + "M", tasks("web")));
    (void)done({"stop", "web"});
}
