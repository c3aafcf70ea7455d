// SPDX-License-Identifier: MIT
//
// Our own binary, which every container executes as its PID 1, and which `exec` runs in there: nobody inside may write to it.

#include "ground.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// What the walls around the file itself are worth when all others are gone.
const Words all_settings[] = {
    {},
    no_filter,
    {"security.capabilities=[\"SYS_PTRACE\"]"},
    {"security.seccomp=\"off\"", "security.capabilities=[\"SYS_PTRACE\", \"DAC_OVERRIDE\", \"DAC_READ_SEARCH\"]"},
    no_walls,
};

/// Without walls it looks at what is executed alone: with CAP_SYS_PTRACE every process inside is an open book.
void start_hunter(const std::string& where, bool walls)
{
    const std::string text =
        "root = \"" + where + "\"\nstop_timeout = \"0s\"\ncommand = [\"/attacker\", \"hunt\", \"60\"";
    done({"start",
          spec("hunted",
               text + (walls ? "]\n" : ", \"exe\"]\n[security]\nseccomp = \"off\"\ncapabilities = [\"all\"]\n"))});
}

}  // namespace

TEST_CASE("PID 1's binary cannot be overwritten through /proc/1/exe (CVE-2019-5736)")
{
    const NothingLeft nothing_left;
    const std::string where = image("binary");
    const std::string before = fingerprint(vial_copy());
    for (const Words& settings : all_settings) {
        for (const char* way : {"write-exe", "remount-exe", "remount-exe-nested"}) {
            const Finished tried = attack(where, {way, "1"}, settings);
            CAPTURE(way);
            CAPTURE(settings.size());
            CAPTURE(tried.out);
            CAPTURE(tried.err);
            CHECK(tried.code == Refused);
        }
    }
    SUBCASE("on older kernels neither")
    {
        for (const char* version : {"4.9", "4.19", "5.4"}) {
            const OnOldKernel older({"--kernel", version});
            for (const Words& settings : {Words{}, no_walls}) {
                const Finished tried = attack(where, {"write-exe", "1"}, settings);
                CAPTURE(tried.out);
                CAPTURE(tried.err);
                CHECK(tried.code == Refused);
                CAPTURE(version);
                CHECK(attack(where, {"remount-exe", "1"}, settings).code == Refused);
            }
        }
    }
    CHECK(fingerprint(vial_copy()) == before);
}

TEST_CASE("an ordinary file that runs in a container can be overwritten, so the attack is a real one")
{
    const NothingLeft nothing_left;
    const std::string where = image("binary");
    const std::string prey = work() + "/prey";
    REQUIRE(run({"cp", attacker(), prey}).code == 0);
    // What a careless `init = false` would do: the program on the host's own mount.
    const Finished tried = ctl({"run", "--root", where, "--set", "mounts=[\"" + prey + ":/prey\"]", "--set",
                                "read_only=false", "--", "/prey", "write-exe", "self"});
    CAPTURE(tried.out);
    CHECK(tried.code == Succeeded);
}

TEST_CASE("with init = false the command may write to its own file, never to ours")
{
    const NothingLeft nothing_left;
    const std::string where = image("binary");
    const std::string before = fingerprint(vial_copy());
    // Each executes whatever it was executed from.
    REQUIRE(::symlink("/proc/self/exe", (where + "/self").c_str()) == 0);
    for (const Words& settings : {Words{}, no_walls}) {
        Words words = {"run", "--root", where, "--set", "init=false"};
        for (const std::string& setting : settings)
            words.insert(words.end(), {"--set", setting});
        words.insert(words.end(), {"--", "/self", "list"});
        const Finished finished = ctl(words);
        CAPTURE(finished.out);
        CAPTURE(finished.err);
        CHECK(finished.code < 128);
    }
    CHECK(fingerprint(vial_copy()) == before);
}

TEST_CASE("exec of an image whose shell leads to /proc/self/exe (CVE-2019-5736)")
{
    const NothingLeft nothing_left;
    const std::string where = image("binary");
    const std::string before = fingerprint(vial_copy());
    REQUIRE(::symlink("/proc/self/exe", (where + "/self").c_str()) == 0);
    write_text(where + "/script", "#!/proc/self/exe\n");
    REQUIRE(::chmod((where + "/script").c_str(), 0755) == 0);

    for (const bool walls : {true, false}) {
        start_hunter(where, walls);
        const auto inside = [&](const char* file) {
            return "/proc/" + std::to_string(init_pid("hunted")) + "/root/tmp/" + file;
        };
        REQUIRE(eventually([&] { return exists(inside("hunting")); }));
        for (int turn = 0; turn < 50; turn++) {
            const char* const program = turn % 2 == 0 ? "/self" : "/script";
            const Finished finished = ctl({"exec", "hunted", "--", program, "--version"});
            CAPTURE(program);
            CAPTURE(finished.err);
            CHECK(finished.code < 128);
            CHECK(finished.code >= 0);
        }
        if (init_pid("hunted") > 0)
            write_text(inside("hunt-over"), "");
        const std::string code = done({"wait", "hunted"});
        const std::string log = ctl({"logs", "hunted"}).out;
        CAPTURE(walls);
        CAPTURE(log);
        CHECK(code == "1\n");
        done({"stop", "hunted"});
        CHECK(fingerprint(vial_copy()) == before);
    }

    SUBCASE("a careless exec would have lost its binary")
    {
        const std::string prey = work() + "/naive";
        REQUIRE(run({"cp", attacker(), prey}).code == 0);
        const std::string prey_before = fingerprint(prey);
        start_hunter(where, false);
        const std::string pid = std::to_string(init_pid("hunted"));
        REQUIRE(eventually([&] { return exists("/proc/" + pid + "/root/tmp/hunting"); }));
        CHECK(run({prey, "naive-exec", pid, "/self"}).code == Succeeded);
        CHECK(done({"wait", "hunted"}) == "0\n");
        CHECK(fingerprint(prey) != prey_before);
        done({"stop", "hunted"});
    }
}
