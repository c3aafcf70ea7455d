// SPDX-License-Identifier: MIT
//
// From inside a container with every default, as root: each row is an attack and what it answers.

#include "ground.h"

#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

struct Row {
    Words words;
    Words without;       ///< the walls that stand in its way: without them it must succeed. Empty: not to be shown
    bool may_be_absent;  ///< a file or a call that not every kernel has
};

void check(const std::string& where, const Row& row)
{
    const Finished inside = attack(where, row.words);
    CAPTURE(row.words.front());
    CAPTURE(row.words.back());
    CAPTURE(inside.out);
    CAPTURE(inside.err);
    if (row.may_be_absent && inside.code == NotTried)
        return;
    CHECK(inside.code == Refused);
    if (row.without.empty())
        return;
    const Finished open = attack(where, row.words, row.without);
    CAPTURE(open.out);
    CAPTURE(open.err);
    CHECK(open.code == Succeeded);
}

}  // namespace

TEST_CASE("what a process may do to others, to the kernel and to the machine")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    const Row rows[] = {
        {{"process", "1"}, no_walls, false},
        {{"trace", "1"}, {}, false},
        {{"limits", "1"}, {}, false},
        {{"write-fds", "1"}, no_walls, false},
        {{"descriptors"}, {}, false},
        {{"filter"}, no_walls, false},
        {{"new-user-clone"}, no_filter, false},
        {{"type-ahead"}, no_filter, false},
        {{"foreign", "x32"}, no_filter, true},
        {{"foreign", "int80"}, no_filter, true},
        {{"raw-socket"}, {"security.capabilities=[\"NET_RAW\"]"}, false},
        {{"host-name"}, no_walls, false},
        {{"control-group"}, no_walls, false},
        {{"mount-below", "/tmp"}, no_walls, false},
        {{"chroot", work()}, {}, false},
        {{"outside", work()}, {}, false},
        {{"disk", "7", "0"}, {"security.capabilities=[\"MKNOD\"]", "devices=[\"/dev/loop0:rwm\"]"}, false},
    };
    for (const Row& row : rows)
        check(where, row);
}

TEST_CASE("a root that may make nodes opens the devices of its spec alone")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    for (const Words& settings : {Words{"security.capabilities=[\"MKNOD\"]"}, no_walls,
                                  Words{"security.capabilities=[\"MKNOD\"]", "devices=[\"/dev/loop1:rwm\"]"}}) {
        const Finished tried = attack(where, {"disk", "7", "0"}, settings);
        CAPTURE(tried.out);
        CHECK(tried.code == Refused);
    }
}

TEST_CASE("a root that may chroot cannot leave the container by it")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    const Finished tried = attack(where, {"chroot", work()}, no_walls);
    CAPTURE(tried.out);
    CHECK(tried.code == Refused);
}

TEST_CASE("files that tell of the host or act on it")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    const char* const unreadable[] = {
        "/proc/acpi",        "/proc/asound",  "/proc/interrupts",
        "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
        "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap",
        "/proc/kmsg",        "/dev/mem",      "/dev/kmsg",
    };
    for (const char* path : unreadable)
        check(where, {{"read", path}, {}, true});
    const char* const unwritable[] = {
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/proc/bus/pci/devices",
        "/proc/timer_list",
        "/proc/keys",
        "/proc/mtrr",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/profiling",
        "/sys/power/state",
        "/sys/class/net/lo/mtu",
        "/sys/fs/cgroup/release_agent",
    };
    for (const char* path : unwritable)
        check(where, {{"write", path}, {}, true});
    // The control: they are there, and it is the walls that hide them.
    CHECK(exists("/proc/sys/kernel/core_pattern"));
    CHECK(attack(where, {"write", "/tmp"}).code == Refused);
    CHECK(attack(where, {"write", "/proc/self/comm"}).code == Succeeded);
    CHECK(attack(where, {"read", "/proc/self/status"}).code == Succeeded);
}

TEST_CASE("masks cannot be taken away")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    for (const char* path : {"/proc/keys", "/proc/sys", "/proc/bus", "/sys", "/dev"}) {
        CAPTURE(path);
        CHECK(attack(where, {"unmask", path}).code == Refused);
        CHECK(attack(where, {"unmask", path}, no_filter).code == Refused);
        CHECK(attack(where, {"unmask", path}, no_walls).code == Succeeded);
    }
    CHECK(attack(where, {"unmask", "/"}).code == Refused);
}

TEST_CASE("the capabilities are exactly those kept, in every set")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    const auto sets = [&](const Words& settings) {
        Words words = {"run", "--root", where};
        for (const std::string& setting : settings)
            words.insert(words.end(), {"--set", setting});
        words.insert(words.end(), {"--", "/bin/grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"});
        return done(words);
    };
    const std::string walls = "NoNewPrivs:\t1\nSeccomp:\t2\n";
    CHECK(sets({}) == "CapInh:\t0000000000000000\nCapPrm:\t00000000000004eb\nCapEff:\t00000000000004eb\n"
                      "CapBnd:\t00000000000004eb\nCapAmb:\t0000000000000000\n" +
                          walls);
    CHECK(sets({"user=1000"}) == "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                                 "CapBnd:\t00000000000004eb\nCapAmb:\t0000000000000000\n" +
                                     walls);
    CHECK(sets({"security.capabilities=[]"}) ==
          "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
          "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n" +
              walls);
}

TEST_CASE("the same walls around what comes in by exec")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    const std::string file =
        spec("walls-exec", "root = \"" + where + "\"\ncommand = [\"/attacker\", \"idle\"]\nstop_timeout = \"0s\"\n");
    done({"start", file});
    const std::string started =
        ctl({"exec", "walls-exec", "--", "/bin/grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status"}).out;
    CHECK(started == "CapInh:\t0000000000000000\nCapPrm:\t00000000000004eb\nCapEff:\t00000000000004eb\n"
                     "CapBnd:\t00000000000004eb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
    for (const Words& words : {Words{"descriptors"}, Words{"filter"}, Words{"process", "1"}, Words{"trace", "1"},
                               Words{"outside", work()}, Words{"raw-socket"}, Words{"new-user-clone"}}) {
        Words all = {"exec", "walls-exec", "--", "/attacker"};
        all.insert(all.end(), words.begin(), words.end());
        const Finished tried = ctl(all);
        CAPTURE(words.front());
        CAPTURE(tried.out);
        CAPTURE(tried.err);
        CHECK(tried.code == Refused);
    }
    done({"stop", "walls-exec"});
}

TEST_CASE("who may trace everybody inside finds in a visitor of `exec` nothing that a service could not have")
{
    const NothingLeft nothing_left;
    const std::string where = empty_directory("stalked");
    REQUIRE(run({"cp", "-a", root() + "/.", where}).code == 0);
    REQUIRE(run({"cp", payload("stalker"), where + "/stalker"}).code == 0);
    done({"start", spec("stalked", "root = \"" + where +
                                       "\"\ncommand = [\"/stalker\", \"5\"]\n"
                                       "[security]\nseccomp = \"off\"\n"
                                       "capabilities = [\"CAP_SYS_PTRACE\", \"CAP_DAC_OVERRIDE\"]\n")});
    // Each visitor is there for a moment only: enough of them come that some are met.
    for (int visit = 0; visit < 2000 && field(listed("stalked"), {"state"}) == "\"running\""; ++visit)
        (void)ctl({"exec", "stalked", "--", "/bin/true"});
    const std::string said = ctl({"logs", "stalked"}).out;
    CAPTURE(said);
    const std::size_t at = said.find("permitted ");
    REQUIRE(at != said.npos);
    // CAP_SETGID, CAP_SETUID and CAP_SETPCAP are what it becomes a service with.
    constexpr unsigned long long may = 1ULL << 19 | 1ULL << 1 | 1ULL << 6 | 1ULL << 7 | 1ULL << 8;
    CHECK((std::strtoull(said.c_str() + at + 10, nullptr, 16) & ~may) == 0);
    CHECK(contains(said, "leads 0"));
    done({"stop", "stalked"});
}

TEST_CASE("no descriptor of the launcher's comes in, however many it was given")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    // Without O_CLOEXEC, as a careless parent leaves them; directories of the host's among them.
    int given[20];
    for (int& fd : given)
        fd = ::open("/", O_RDONLY | O_DIRECTORY);
    CHECK(run({attacker(), "descriptors"}).code == Succeeded);

    CHECK(attack(where, {"descriptors"}).code == Refused);
    const std::string file = spec("leaks", "root = \"" + where + "\"\ncommand = [\"/attacker\", \"descriptors\"]\n");
    done({"start", file});
    CHECK(done({"wait", "leaks"}) == "1\n");
    done({"stop", "leaks"});
    const std::string bare =
        spec("leaks", "root = \"" + where + "\"\ninit = false\ncommand = [\"/attacker\", \"descriptors\"]\n");
    const Finished without_init = ctl({"run", bare});
    CAPTURE(without_init.out);
    CHECK(without_init.code == Refused);
    const std::string idle =
        spec("leaks", "root = \"" + where + "\"\ncommand = [\"/attacker\", \"idle\"]\nstop_timeout = \"0s\"\n");
    done({"start", idle});
    const Finished inside = ctl({"exec", "leaks", "--", "/attacker", "descriptors"});
    CAPTURE(inside.out);
    CHECK(inside.code == Refused);
    done({"stop", "leaks"});

    SUBCASE("nor a working directory through one (CVE-2024-21626)")
    {
        // Either it does not start, or it stands inside.
        for (int number = 3; number < 40; number++) {
            const std::string base = "/proc/self/fd/" + std::to_string(number);
            for (const std::string& path : {base, base + "/..", base + "/../../.." + work()}) {
                const Finished tried = attack(where, {"outside", work()}, {"directory=\"" + path + "\""});
                CAPTURE(path);
                CAPTURE(tried.out);
                CAPTURE(tried.err);
                CHECK((tried.code == Refused || (tried.code == 125 && lines(tried.err).size() == 1)));
            }
        }
        for (const char* path : {"/proc/1/root", "/proc/1/cwd", "/proc/self/root/..", "/proc/1/fd/3"})
            CHECK(attack(where, {"outside", work()}, {std::string("directory=\"") + path + "\""}).code != Succeeded);
    }
    for (const int fd : given)
        ::close(fd);
}

TEST_CASE("in a user namespace, where root inside is nobody outside")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    Words mapped_without_walls = mapped;
    mapped_without_walls.insert(mapped_without_walls.end(), no_walls.begin(), no_walls.end());
    const std::string before = fingerprint(vial_copy());
    const Words attacks[] = {
        {"write-exe", "1"}, {"remount-exe", "1"},
        {"descriptors"},    {"outside", work()},
        {"chroot", work()}, {"write", "/proc/sys/kernel/core_pattern"},
        {"disk", "7", "0"}, {"kill", std::to_string(::getpid())},
    };
    for (const Words& words : attacks) {
        CAPTURE(words.front());
        const Finished tried = attack(where, words, mapped);
        CAPTURE(tried.out);
        CAPTURE(tried.err);
        CHECK(tried.code == Refused);
        // All capabilities in there are over nothing of the host's.
        const Finished again = attack(where, words, mapped_without_walls);
        CAPTURE(again.out);
        CAPTURE(again.err);
        CHECK(again.code == Refused);
    }
    for (const Words& words :
         {Words{"process", "1"}, Words{"trace", "1"}, Words{"filter"}, Words{"mount-below", "/tmp"}}) {
        CAPTURE(words.front());
        CHECK(attack(where, words, mapped).code == Refused);
    }
    CHECK(fingerprint(vial_copy()) == before);
}

TEST_CASE("the terminal of `run` is one of the container's own")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    Process inside(ctl_words({"run", "--root", where, "--", "/bin/sh", "-c",
                              "/attacker descriptors; readlink /proc/self/fd/0; /attacker type-ahead; echo end-of-it"}),
                   Process::Streams::Terminal);
    CHECK(inside.expect("refused: 0-2 alone"));
    CHECK(inside.expect("/dev/pts/0"));
    CHECK(inside.expect("refused:"));
    CHECK(inside.expect("end-of-it"));
    CHECK(inside.wait() == 0);
}

TEST_CASE("a set-uid program gives nothing")
{
    const NothingLeft nothing_left;
    // Not on a tmpfs that is nosuid itself.
    const std::string where = "/tmp/vial-attack-" + std::to_string(::getpid());
    REQUIRE(run({"cp", "-a", image("walls"), where}).code == 0);
    REQUIRE(run({"cp", "-a", where + "/attacker", where + "/climb"}).code == 0);
    REQUIRE(::chmod((where + "/climb").c_str(), 04755) == 0);
    const auto climb = [&](const char* privileges, const char* filter) {
        return ctl({"run", "--root", where, "--set", "user=1000", "--set", privileges, "--set", filter, "--", "/climb",
                    "set-uid"});
    };
    CHECK(climb("security.no_new_privileges=true", "security.seccomp=\"default\"").code == Refused);
    CHECK(climb("security.no_new_privileges=true", "security.seccomp=\"off\"").code == Refused);
    const Finished without = climb("security.no_new_privileges=false", "security.seccomp=\"off\"");
    CAPTURE(without.out);
    CAPTURE(without.err);
    CHECK(without.code == Succeeded);
    CHECK(run({"rm", "-rf", where}).code == 0);
}

TEST_CASE("the host's processes are out of reach")
{
    const NothingLeft nothing_left;
    const std::string where = image("walls");
    Process sentinel({"/bin/sleep", "1000"});
    const std::string number = std::to_string(sentinel.pid());
    CHECK(attack(where, {"kill", number, std::to_string(::getpid())}).code == Refused);
    CHECK(attack(where, {"kill", number, std::to_string(::getpid())}, no_walls).code == Refused);
    CHECK(::kill(sentinel.pid(), 0) == 0);
    CHECK(run({attacker(), "kill", number}).code == Succeeded);
}
