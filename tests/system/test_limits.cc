// SPDX-License-Identifier: MIT
//
// What a container may use, and that its limits are the kernel's.

#include "harness.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <signal.h>

using namespace vial;
using namespace vial::test;

namespace {

/// The first line of a cgroup's file: of `v1` or, on version 2, of `v2`.
std::string limit(const std::string& controller, const std::string& group, const std::string& v1, const std::string& v2)
{
    const std::string text = read_text(cgroup(controller, group) + "/" + (cgroup_is_unified() ? v2 : v1));
    return text.substr(0, text.find('\n'));
}

std::vector<std::string> processes_in(const std::string& controller, const std::string& group)
{
    return lines(read_text(cgroup(controller, group) + "/cgroup.procs"));
}

std::string hog(const std::string& name, std::string_view more)
{
    return spec(name, std::string("root = \"ROOT\"\ncommand = [\"/bin/hog\"]\n").append(more));
}

}  // namespace

TEST_CASE("the memory hog of the classic demonstration is killed at 100M, and everybody says who did it")
{
    const NothingLeft nothing_left;
    (void)done({"start", hog("hog", "[limits]\nmemory = \"100M\"\n")});
    CHECK(done({"wait", "hog"}) == "137\n");
    const std::string log = done({"logs", "hog"});
    INFO(log);
    CHECK(contains(log, "holding 80 MB"));
    CHECK_FALSE(contains(log, "holding 110 MB"));
    CHECK(contains(done({"status", "hog"}), "killed by the OOM killer (137)"));
    CHECK(contains(done({"list"}), "killed by the OOM killer (137)"));
    CHECK(field(listed("hog"), {"oom_killed"}) == "true");
    CHECK(field(listed("hog"), {"exit_signal"}) == "\"KILL\"");
    // The machine is as usable as before.
    CHECK(run({"true"}).code == 0);
    CHECK(ctl({"run", "--root", root(), "--", "/bin/echo", "usable"}).out == "usable\n");
    (void)done({"stop", "hog"});
}

TEST_CASE("a hog in the foreground")
{
    const NothingLeft nothing_left;
    const Finished finished = ctl({"run", hog("hog", "[limits]\nmemory = \"50M\"\n")});
    CHECK(finished.code == 128 + SIGKILL);
    CHECK(contains(finished.out, "holding 30 MB"));
}

TEST_CASE("a hog among several services: the others live on, and status counts")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("mixed", "root = \"ROOT\"\n[service.steady]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                       "[service.hog]\ncommand = [\"/bin/hog\"]\n[limits]\nmemory = \"40M\"\n")});
    CHECK(eventually([] { return contains(ctl({"status", "mixed"}).out, "killed by the OOM killer"); }));
    const std::string status = done({"status", "--json", "mixed"});
    CHECK(json::number(field(status, {"container", "oom_kills"})).value_or(0) == 1);
    CHECK(field(status, {"services", "0", "state"}) == "\"ready\"");
    CHECK(field(status, {"services", "1", "last_exit", "oom"}) == "true");
    CHECK(contains(done({"status", "mixed"}), "the OOM killer struck 1 time"));
    CHECK(field(done({"stats", "--json", "mixed"}), {"container", "memory", "oom_kills"}) == "1");
    (void)done({"stop", "mixed"});
}

TEST_CASE("a hog that is restarted each time")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", hog("hog", "restart = \"on-failure\"\nrestart_delay = \"10ms\"\n[limits]\nmemory = \"30M\"\n")});
    CHECK(eventually([] {
        return json::number(field(ctl({"status", "--json", "hog"}).out, {"container", "oom_kills"})).value_or(0) >= 2;
    }));
    (void)done({"stop", "hog"});
}

TEST_CASE("memory that /tmp and /dev/shm take counts too")
{
    const NothingLeft nothing_left;
    const Finished finished = ctl({"run", "--root", root(), "--set", "limits.memory=20M", "--", "/bin/sh", "-c",
                                   "head -c 60000000 /dev/zero >/tmp/much; echo $?"});
    INFO(finished.out, finished.err);
    CHECK(finished.out != "0\n");
}

TEST_CASE("the limit on tasks refuses a fork")
{
    const NothingLeft nothing_left;
    const Finished finished = ctl({"run", "--root", root(), "--set", "limits.tasks=12", "--", "/bin/sh", "-c",
                                   "for i in $(seq 40); do sleep 1000 & done"});
    CHECK(finished.code != 0);
    CHECK(contains(finished.err, "fork"));
    (void)done({"start", sleeper("few", "[limits]\ntasks = 2\n")});
    // There is no place left but for one who comes from outside, and that one can make no more.
    CHECK(ctl({"exec", "few", "--", "/bin/echo", "in"}).out == "in\n");
    CHECK(contains(ctl({"exec", "few", "--", "/bin/sh", "-c", "echo one; /bin/true; echo two"}).err, "fork"));
    CHECK(field(ctl({"status", "--json", "few"}).out, {"container", "state"}) == "\"running\"");
    (void)done({"stop", "few"});
}

TEST_CASE("the limits are in the cgroup's files, and read back")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", sleeper("limited", "[limits]\nmemory = \"64M\"\nswap = \"16M\"\ntasks = 64\ncpu = \"150%\"\n")});
    CHECK(limit("memory", "limited", "memory.limit_in_bytes", "memory.max") == "67108864");
    if (cgroup_is_unified())
        CHECK(limit("memory", "limited", "", "memory.swap.max") == "16777216");
    else
        CHECK(limit("memory", "limited", "memory.memsw.limit_in_bytes", "") == "83886080");
    CHECK(limit("pids", "limited", "pids.max", "pids.max") == "64");
    CHECK(limit("cpu", "limited", "cpu.cfs_quota_us", "cpu.max") == (cgroup_is_unified() ? "150000 100000" : "150000"));
    (void)done({"stop", "limited"});

    // No swap at all, the commonest use of the key.
    (void)done({"start", sleeper("unswapped", "[limits]\nmemory = \"64M\"\nswap = 0\n")});
    if (cgroup_is_unified())
        CHECK(limit("memory", "unswapped", "", "memory.swap.max") == "0");
    else
        CHECK(limit("memory", "unswapped", "memory.memsw.limit_in_bytes", "") == "67108864");
    (void)done({"stop", "unswapped"});

    // A fifth of a processor is no more: what it wants beyond is throttled.
    (void)done(
        {"start",
         spec("busy",
              "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"while :; do :; done\"]\n[limits]\ncpu = \"20%\"\n")});
    CHECK(eventually([] {
        return json::number(field(ctl({"stats", "--json", "busy"}).out, {"container", "cpu", "throttled_usec"}))
                   .value_or(0) > 0;
    }));
    (void)done({"stop", "busy"});
}

TEST_CASE("512 tasks without a word about them, and as many as you like with `max`")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("plain")});
    CHECK(limit("pids", "plain", "pids.max", "pids.max") == "512");
    CHECK(field(done({"stats", "--json", "plain"}), {"container", "memory", "limit"}) == "null");
    CHECK(field(done({"stats", "--json", "plain"}), {"container", "tasks", "limit"}) == "512");
    (void)done({"stop", "plain"});
    (void)done({"start", sleeper("endless", "[limits]\ntasks = \"max\"\nmemory = \"max\"\n")});
    CHECK(limit("pids", "endless", "pids.max", "pids.max") == "max");
    (void)done({"stop", "endless"});
}

TEST_CASE("a limit that the kernel does not take stops the start")
{
    const NothingLeft nothing_left;
    // Less than the kernel's least quota of a millisecond.
    const Finished finished = ctl({"start", sleeper("tiny", "[limits]\ncpu = \"0.1%\"\n")});
    INFO(finished.err);
    CHECK(finished.code != 0);
    CHECK(lines(finished.err).size() == 1);
    CHECK(contains(finished.err, "cpu"));
}

namespace {

/// A disk of this machine, as `/dev/sda`; empty: there is none.
std::string disk()
{
    for (const std::string& name : lines(run({"ls", "/sys/block"}).out))
        if (exists("/dev/" + name))
            return "/dev/" + name;
    return {};
}

/// In a mount namespace where the hierarchy of `controller` is not mounted.
Finished without_controller(const std::string& controller, const Words& words)
{
    Words all{"unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/" + controller + " && exec \"$@\"", "sh"};
    for (const std::string& word : ctl_words(words))
        all.push_back(word);
    return run(all);
}

}  // namespace

TEST_CASE("weights, processors and disks are in the cgroup's files")
{
    const NothingLeft nothing_left;
    const bool unified = cgroup_is_unified();
    (void)done({"start", sleeper("weighed", "[limits]\ncpu_weight = 50\ncpus = \"0\"\n")});
    CHECK(limit("cpu", "weighed", "cpu.shares", "cpu.weight") == (unified ? "50" : "512"));
    CHECK(limit("cpuset", "weighed", "cpuset.cpus", "cpuset.cpus") == "0");
    CHECK(done({"exec", "weighed", "--", "/bin/nproc"}) == "1\n");
    CHECK(contains(read_text("/proc/" + std::to_string(init_pid("weighed")) + "/status"), "Cpus_allowed_list:\t0\n"));
    (void)done({"restart", "weighed"});
    CHECK(limit("cpuset", "weighed", "cpuset.cpus", "cpuset.cpus") == "0");
    // A second one beside it, with all there are.
    (void)done({"start", sleeper("wide", "[limits]\ncpu_weight = 10000\n")});
    CHECK(limit("cpu", "wide", "cpu.shares", "cpu.weight") == (unified ? "10000" : "102400"));
    (void)done({"stop", "wide", "weighed"});

    start_refused(1, sleeper("absent", "[limits]\ncpus = \"0,4095\"\n"), {"limits.cpus (cpuset.cpus)", "processors"});

    if (const std::string device = disk(); device.empty()) {
        MESSAGE("skipped: this machine has no disk");
    } else {
        const std::string with = "[limits]\nio = [\"" + device + " rbps=100M wiops=5000\"]\n";
        (void)done({"start", sleeper("slow", with)});
        if (unified) {
            CHECK(contains(read_text(cgroup("io", "slow/io.max")), " rbps=104857600 wbps=max riops=max wiops=5000\n"));
        } else {
            CHECK(contains(read_text(cgroup("blkio", "slow/blkio.throttle.read_bps_device")), " 104857600\n"));
            CHECK(contains(read_text(cgroup("blkio", "slow/blkio.throttle.write_iops_device")), " 5000\n"));
            CHECK(read_text(cgroup("blkio", "slow/blkio.throttle.write_bps_device")).empty());
        }
        (void)done({"stop", "slow"});
    }
    for (const char* wrong : {"/dev/null", "/etc/passwd", "/dev", "/dev/not-there"})
        start_refused(1, sleeper("odd", "[limits]\nio = [\"" + std::string(wrong) + " rbps=1M\"]\n"),
                      {"limits.io", wrong});

    const Finished finished = ctl({"start", sleeper("heavy", "[limits]\nio_weight = 200\n")});
    if (finished.code == 0) {
        const std::string value = limit("blkio", "heavy", "blkio.bfq.weight", "io.bfq.weight");
        CHECK((value == "109" || value == "default 109" || unified));
        (void)done({"stop", "heavy"});
    } else {
        CHECK(lines(finished.err).size() == 1);
        CHECK(contains(finished.err, "limits.io_weight"));
    }
}

TEST_CASE("a limit that this version or machine does not have is named, and nothing is started")
{
    const NothingLeft nothing_left;
    if (cgroup_is_unified())
        return;
    start_refused(1, sleeper("high", "[limits]\nmemory_high = \"8M\"\n"),
                  {"high: ", "limits.memory_high", "version 1 of control groups does not have it"});
    start_refused(1, sleeper("group", "[limits]\noom_group = true\n"),
                  {"limits.oom_group", "version 1 of control groups does not have it"});
    const std::pair<const char*, const char*> all[] = {{"cpuset", "cpus = \"0\""},
                                                       {"blkio", "io_weight = 10"},
                                                       {"cpu", "cpu_weight = 10"},
                                                       {"memory", "memory = \"8M\""},
                                                       {"pids", "tasks = 5"}};
    for (const auto& [controller, line] : all) {
        const Finished lacking =
            without_controller(controller, {"start", sleeper("lacking", "[limits]\n" + std::string(line) + "\n")});
        INFO(lacking.err);
        CHECK(lacking.code == 1);
        CHECK(lines(lacking.err).size() == 1);
        CHECK(contains(lacking.err, "this host has no control group for it"));
        CHECK(contains(lacking.err, std::string("limits.") + std::string(line).substr(0, std::string(line).find(' '))));
    }
}

TEST_CASE("files of the control group as they are")
{
    const NothingLeft nothing_left;
    const bool unified = cgroup_is_unified();
    const std::string size = unified ? "memory.low" : "memory.soft_limit_in_bytes";
    const std::string number = unified ? "pids.max" : "memory.swappiness";
    (void)done({"start", sleeper("raw", "[limits.cgroup]\n\"" + size + "\" = \"6M\"\n\"" + number + "\" = 17\n")});
    CHECK(limit("memory", "raw", size, size) == "6291456");
    CHECK(limit("memory", "raw", number, number) == "17");
    (void)done({"restart", "raw"});
    CHECK(limit("memory", "raw", size, size) == "6291456");
    (void)done({"stop", "raw"});
    const std::pair<std::string, const char*> wrong[] = {{"\"memory.not_there\" = 1", "memory.not_there"},
                                                         {"\"" + number + "\" = \"many\"", "refuses the value"},
                                                         {"\"hugetlb.9MB.max\" = 1", "hugetlb.9MB.max"}};
    for (const auto& [line, named] : wrong)
        start_refused(1, sleeper("raw", "[limits.cgroup]\n" + line + "\n"), {"raw: ", "limits.cgroup (", named});
    if (!unified)
        start_refused(1, sleeper("raw", "[limits.cgroup]\n\"memory.force_empty\" = 0\n"), {"memory.force_empty"});
    for (const char* kept : {"cgroup.procs", "tasks", "release_agent", "notify_on_release", "../memory.max"})
        CHECK(contains(refused(2, {"start", sleeper("raw", "[limits.cgroup]\n\"" + std::string(kept) + "\" = 0\n")}),
                       kept));
}

TEST_CASE("the OOM score is that of all in the container, and of who enters it")
{
    const NothingLeft nothing_left;
    const std::string users = "[namespaces]\nuser = true\n[user_namespace]\nuid_map = [\"0 100000 65536\"]\n"
                              "gid_map = [\"0 100000 65536\"]\n";
    for (const std::string& more : {std::string(), users}) {
        (void)done({"start", sleeper("scored", "[limits]\noom_score = 300\n" + more)});
        CHECK(done({"exec", "scored", "--", "/bin/cat", "/proc/self/oom_score_adj", "/proc/1/oom_score_adj"}) ==
              "300\n300\n");
        const std::string pid = field(done({"status", "--json", "scored"}), {"services", "0", "pid"});
        CHECK(done({"exec", "scored", "--", "/bin/cat", "/proc/" + pid + "/oom_score_adj"}) == "300\n");
        (void)done({"stop", "scored"});
    }
    const Finished zero =
        run({"sh", "-c", "echo 200 >/proc/self/oom_score_adj; exec \"$@\"", "sh", ctl_words({}).front(), "run",
             "--root", root(), "--set", "limits.oom_score=0", "--", "/bin/cat", "/proc/self/oom_score_adj"});
    CHECK(zero.out == "0\n");
    const Finished kept =
        run({"sh", "-c", "echo 200 >/proc/self/oom_score_adj; exec \"$@\"", "sh", ctl_words({}).front(), "run",
             "--root", root(), "--", "/bin/cat", "/proc/self/oom_score_adj"});
    CHECK(kept.out == "200\n");
}

TEST_CASE("limits that are hit are events, and counted in stats")
{
    const NothingLeft nothing_left;
    const auto stat = [](const std::vector<std::string>& path) {
        std::vector<std::string> all{"container"};
        all.insert(all.end(), path.begin(), path.end());
        return json::number(field(ctl({"stats", "--json", "full"}).out, all)).value_or(-1);
    };
    (void)done({"start", sleeper("full", "[limits]\nmemory = \"32M\"\nswap = \"8M\"\ncpu = \"50%\"\n")});
    Process events(ctl_words({"events", "full"}));
    CHECK(events.expect("ready"));
    CHECK(stat({"tasks", "limit_hits"}) == 0);
    CHECK(stat({"memory", "limit_hits"}) == 0);
    CHECK(stat({"memory", "swap"}) == 0);
    CHECK(stat({"memory", "swap_limit"}) == 8 << 20);
    CHECK(stat({"cpu", "periods"}) >= 0);
    CHECK(stat({"cpu", "throttled_periods"}) >= 0);
    // A process that is none of a service's is ended.
    CHECK(ctl({"exec", "full", "--", "/bin/hog"}).code == 128 + SIGKILL);
    CHECK(eventually([&] { return stat({"memory", "limit_hits"}) > 0; }));
    CHECK(contains(done({"stats", "full"}), "limits hit"));
    CHECK(contains(done({"stats", "--metrics", "full"}), "vial_memory_limit_hits_total{container=\"full\"} "));
    CHECK(events.expect("limit: memory, "));
    (void)done({"stop", "full"});
    CHECK(events.wait() == 0);
}

TEST_CASE("a limit that a service hits is told without anybody asking")
{
    const NothingLeft nothing_left;
    (void)done(
        {"start", spec("full", "root = \"ROOT\"\n[service.main]\nrestart = \"always\"\nrestart_delay = \"20ms\"\n"
                               "command = [\"/bin/sh\", \"-c\", \"sleep 1000 & sleep 1000 & wait\"]\n"
                               "[limits]\ntasks = 3\n")});
    Process events(ctl_words({"events", "full"}));
    Process json(ctl_words({"events", "--json", "full"}));
    CHECK(events.expect("  limit: tasks, "));
    CHECK(json.expect("{\"event\":\"limit\",\"at\":"));
    CHECK(json.expect("\"limit\":\"tasks\",\"count\":"));
    const std::string hits = field(done({"stats", "--json", "full"}), {"container", "tasks", "limit_hits"});
    CHECK(json::number(hits).value_or(0) > 0);
    (void)done({"stop", "full"});
    CHECK(events.wait() == 0);
    CHECK(json.wait() == 0);
}

TEST_CASE("control groups of that name that no container of vial's is known of")
{
    const NothingLeft nothing_left;
    // Empty ones are somebody's leavings.
    const std::string groups = cgroup("pids", "web");
    CHECK(run({"mkdir", "-p", groups + "/init", groups + "/main/deeper", groups + "/other"}).code == 0);
    (void)done({"start", sleeper("web", "[limits]\ntasks = 9\n")});
    CHECK(limit("pids", "web", "pids.max", "pids.max") == "9");
    CHECK_FALSE(exists(groups + "/other"));
    (void)done({"stop", "web"});

    // Whoever lives in one is not touched, wherever in it.
    for (const std::string& below : {groups, groups + "/main", groups + "/main/deeper"}) {
        CHECK(run({"mkdir", "-p", below}).code == 0);
        Process stranger({"sh", "-c", "echo 0 >'" + below + "/cgroup.procs' && echo in && exec sleep 1000"});
        CHECK(stranger.expect("in\n"));
        start_refused(1, sleeper("web"), {"web: ", groups, "processes live in it"});
        CHECK(contains(refused(125, {"run", sleeper("web")}), "processes live in it"));
        CHECK_FALSE(stranger.has_ended());
        CHECK_FALSE(exists("/run/vial/web"));
        stranger.kill(SIGKILL);
        (void)stranger.wait();
        (void)done({"start", sleeper("web")});
        (void)done({"stop", "web"});
    }
}

TEST_CASE("the layout of the cgroups is a promise")
{
    const NothingLeft nothing_left;
    (void)done({"start",
                spec("layout", "root = \"ROOT\"\n[service.web]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                               "[service.clock]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 1000 & sleep 1000 & wait\"]\n"
                               "[limits]\nmemory = \"32M\"\ntasks = 32\ncpu = \"100%\"\n")});
    for (const char* controller : {"memory", "pids", "cpu"}) {
        INFO(std::string(controller));
        CHECK(processes_in(controller, "").empty());
        CHECK(processes_in(controller, "layout").empty());
        CHECK(processes_in(controller, "layout/init") == std::vector<std::string>{std::to_string(init_pid("layout"))});
        CHECK(processes_in(controller, "layout/web").size() == 1);
        CHECK(eventually([&] { return processes_in(controller, "layout/clock").size() == 3; }));
    }
    // One who enters has a place beside the services.
    Process visitor(ctl_words({"exec", "layout", "--", "/bin/sh", "-c", "echo in; exec sleep 1000"}));
    CHECK(visitor.expect("in\n"));
    CHECK(processes_in("pids", "layout/exec").size() == 1);
    CHECK(processes_in("memory", "layout/exec").size() == 1);
    CHECK(processes_in("pids", "layout/web").size() == 1);
    // Inside, the container's own group is the root.
    CHECK_FALSE(contains(ctl({"exec", "layout", "--", "/bin/cat", "/proc/self/cgroup"}).out, "vial"));
    (void)done({"stop", "layout"});
    CHECK_FALSE(exists(cgroup("pids", "layout")));
    (void)visitor.wait();
}

TEST_CASE("a service name that is a cgroup's file name is refused")
{
    const NothingLeft nothing_left;
    for (const char* name : {"tasks", "cgroup.procs", "memory.max"})
        CHECK(contains(refused(2, {"start", sleeper("odd", std::string("name = \"") + name + "\"\n")}), name));
    CHECK(contains(refused(2, {"start", spec("odd", "root = \"ROOT\"\n[service.tasks]\ncommand = [\"/bin/true\"]\n")}),
                   "tasks"));
    for (const std::string name : {"init", "exec"})
        CHECK(contains(
            refused(2, {"start", spec("odd", "root = \"ROOT\"\n[service." + name + "]\ncommand = [\"/bin/true\"]\n")}),
            name + ": this name is taken"));
}
