// SPDX-License-Identifier: MIT
//
// The command line: words it does not understand, names that are nobody's, help, and who may use it.

#include "harness.h"

#include <algorithm>
#include <doctest/doctest.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string plain(const std::string& more, const std::string& name = "web")
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n" + more);
}

}  // namespace

TEST_CASE("wrong usage of every command is exit code 2 (for run and exec 125), and says what")
{
    const NothingLeft nothing_left;
    const struct {
        int code;
        Words words;
        const char* named;
    } uses[] = {
        {2, {}, "no command"},
        {2, {"starts"}, "did you mean 'start'?"},
        {2, {"--bogus"}, "--bogus"},
        {2, {"start"}, "which spec"},
        {2, {"start", "a", "b"}, "start"},
        {2, {"start", "--bogus", "a"}, "--bogus"},
        {2, {"start", "-x", "a"}, "-x"},
        {2, {"start", "--set"}, "--set"},
        {2, {"start", "--wait=yes", "a"}, "--wait"},
        {125, {"run"}, "run"},
        {125, {"run", "--bogus"}, "--bogus"},
        {125, {"run", "--root", "/"}, "command"},
        {125, {"run", "--", "/bin/true"}, "run"},
        {125, {"run", "a", "/bin/true"}, "--"},
        {125, {"exec"}, "exec"},
        {125, {"exec", "web"}, "exec"},
        {125, {"exec", "--bogus", "web", "--", "/bin/true"}, "--bogus"},
        {2, {"stop"}, "which container"},
        {2, {"stop", "--timeout=soon", "web"}, "--timeout"},
        {2, {"stop", "--timeout"}, "--timeout"},
        {2, {"restart"}, "which container"},
        {2, {"restart", "a", "b"}, "restart"},
        {2, {"restart", "--timeout=soon", "web"}, "--timeout"},
        {2, {"kill"}, "which container"},
        {2, {"kill", "--signal=LOUD", "web"}, "LOUD"},
        {2, {"kill", "--signal=0", "web"}, "0"},
        {2, {"kill", "--signal=99", "web"}, "99"},
        {2, {"wait"}, "which container"},
        {2, {"list", "web"}, "list"},
        {2, {"list", "--bogus"}, "--bogus"},
        {2, {"status"}, "which container"},
        {2, {"status", "a", "b"}, "status"},
        {2, {"stats"}, "which container"},
        {2, {"logs"}, "which container"},
        {2, {"logs", "a", "b"}, "logs"},
        {2, {"check"}, "which spec"},
        {2, {"show"}, "which spec"},
        {2, {"show", "a", "b"}, "show"},
    };
    for (const auto& each : uses) {
        const Finished finished = ctl(each.words);
        std::string all;
        for (const std::string& word : each.words)
            all += " " + word;
        INFO("vial", all, ": ", finished.err);
        CHECK(finished.code == each.code);
        CHECK(finished.out == "");
        // A second line may say where to read on.
        const auto said = lines(finished.err);
        CHECK((said.size() == 1 || (said.size() == 2 && contains(said[1], "--help"))));
        CHECK(contains(finished.err, each.named));
    }
}

TEST_CASE("names of containers that are not there")
{
    const NothingLeft nothing_left;
    for (const char* name : {"nobody", ".", "..", "../vial", "a/b", ".lock", ""}) {
        INFO(std::string(name));
        for (const char* command : {"stop", "restart", "kill", "wait", "status", "stats", "logs"}) {
            if (*command == 'l' && contains(name, "/"))
                continue;  // this one is a path
            const std::string why = refused(3, {command, name});
            CHECK(contains(why, "no such container"));
            // Named once.
            if (*name != '\0')
                CHECK(why.find(name) == why.rfind(name));
        }
        CHECK(contains(refused(125, {"exec", name, "--", "/bin/true"}), "no such container"));
    }
    for (const std::string path : {"../vial", "a/b"})
        CHECK(refused(1, {"logs", path}) == "vial: cannot show the log of " + path + ": No such file or directory");
    const std::string why = refused(125, {"exec", "nobody", "--", "/bin/true"});
    CHECK(why.find("nobody") == why.rfind("nobody"));
    // Of several the good ones are done all the same.
    (void)done({"start", plain("")});
    const Finished finished = ctl({"stop", "nobody", "web"});
    CHECK(finished.code == 3);
    CHECK(lines(finished.err).size() == 1);
    CHECK(lines(ctl({"list"}).out).size() == 1);
}

TEST_CASE("--help and --version, everywhere")
{
    const NothingLeft nothing_left;
    CHECK(contains(done({"--version"}), "vial "));
    CHECK_FALSE(contains(done({"--version"}), "unknown"));
    const std::string overview = done({"--help"});
    CHECK(done({"-h"}) == overview);
    for (const char* command : {"start", "run", "stop", "restart", "kill", "exec", "list", "status", "stats", "logs",
                                "wait", "check", "show"}) {
        INFO(std::string(command));
        CHECK(contains(overview, command));
        const std::string help = done({command, "--help"});
        CHECK(contains(help, std::string("usage: vial ") + command));
        CHECK(done({command, "-h"}) == help);
        for (const std::string& line : lines(help))
            CHECK((line.empty() || line.back() != ' '));
        CHECK(
            std::ranges::all_of(help, [](char letter) { return letter == '\n' || (letter >= ' ' && letter < 0x7f); }));
    }
    for (const char* command : {"attach", "top"}) {
        INFO(std::string(command));
        CHECK(contains(done({command, "--help"}), "usage: vial "));
        CHECK(contains(refused(1, {command, "x"}), std::string("not supported yet: ") + command));
    }
    // What one option means is not the same for all that have it.
    CHECK(contains(done({"start", "--help"}), "start --wait fails"));
    CHECK(contains(done({"stop", "--help"}), "stop and restart kill"));
}

TEST_CASE("without root")
{
    const NothingLeft nothing_left;
    const std::string file = plain("");
    const std::string program = ctl_words({}).front();
    const Words commands[] = {
        {"start", file},
        {"run", file},
        {"stop", "web"},
        {"restart", "web"},
        {"kill", "web"},
        {"wait", "web"},
        {"list"},
        {"status", "web"},
        {"stats", "web"},
        {"logs", "web"},
        {"exec", "web", "--", "/bin/true"},
    };
    // An ordinary user who has no place for his own containers, and root who was denied the capability.
    for (const Words& who :
         {Words{"env", "-u", "XDG_RUNTIME_DIR", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"},
          Words{"setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"}}) {
        for (const Words& command : commands) {
            Words all = who;
            all.push_back(program);
            all.insert(all.end(), command.begin(), command.end());
            const Finished finished = run(all);
            INFO(command.front(), ": ", finished.err);
            CHECK(finished.code == (command.front() == "run" || command.front() == "exec" ? 125 : 1));
            CHECK(lines(finished.err).size() == 1);
            const bool ordinary = who.size() > 3;
            CHECK(contains(finished.err, ordinary ? "cannot keep what is to be known of containers in /run/user/65534: "
                                                  : "vial: " + command.front() + " needs root (CAP_SYS_ADMIN)"));
        }
    }
    // Looking at a spec needs nothing.
    for (const char* command : {"check", "show"}) {
        const Finished finished =
            run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, command, file});
        INFO(finished.err);
        CHECK(finished.code == 0);
    }
}

TEST_CASE("output that cannot be written is a failure")
{
    const NothingLeft nothing_left;
    const std::string program = ctl_words({}).front();
    for (const char* command : {"list", "--help", "--version"})
        CHECK(run({"sh", "-c", "exec \"$@\" >/dev/full", "sh", program, command}).code != 0);
}
