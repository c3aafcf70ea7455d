// SPDX-License-Identifier: MIT
//
// What a build says that was made without this and that. The program under test is `vial-small`: everything is left out that
// can be, but for containers themselves.

#include "harness.h"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string without(const std::string& what, const std::string& option)
{
    return what + ": this vial was built without it (meson option '" + option + "')";
}

/// The program under another name.
std::string called(const std::string& name)
{
    const std::string path = work() + "/" + name;
    if (!exists(path))
        CHECK(::symlink(ctl_words({}).front().c_str(), path.c_str()) == 0);
    return path;
}

}  // namespace

TEST_CASE("a command that was left out names the option, however it is called")
{
    const NothingLeft nothing_left;
    const struct {
        int code;
        Words words;
        const char* option;
    } commands[] = {
        {2, {"boot"}, "boot"},
        {2, {"boot", "--reexec"}, "boot"},
        {2, {"poweroff"}, "boot"},
        {2, {"reboot"}, "boot"},
        {2, {"halt"}, "boot"},
        {2, {"logs", "web"}, "logs"},
        {2, {"stats", "--metrics"}, "stats"},
        {2, {"stats", "--help"}, "stats"},
        {125, {"init", "--", "/bin/true"}, "init"},
        {125, {"run", "web.conf"}, "foreground"},
        {125, {"exec", "web", "--", "/bin/true"}, "foreground"},
    };
    for (const auto& each : commands) {
        INFO(each.words.front());
        CHECK(refused(each.code, each.words) == "vial: " + without(each.words.front(), each.option));
    }
}

TEST_CASE("--version and --help say what was left out")
{
    const NothingLeft nothing_left;
    CHECK(lines(done({"--version"})).at(1) == "-boot -foreground -images -init +launch -logs -network -peers -stats");
    for (std::string line : lines(done({"--help"}))) {
        line.erase(0, line.find_first_not_of(' '));
        CHECK(contains(line, "(left out)") ==
              (line.starts_with("boot ") || line.starts_with("exec ") || line.starts_with("halt ") ||
               line.starts_with("init ") || line.starts_with("logs ") || line.starts_with("poweroff ") ||
               line.starts_with("reboot ") || line.starts_with("run ") || line.starts_with("stats ") ||
               line.starts_with("upgrade ")));
    }
}

TEST_CASE("a name that it does not answer to")
{
    const NothingLeft nothing_left;
    for (const char* name : {"tini", "docker-init", "dumb-init", "catatonit", "pause"}) {
        const Finished finished = run({called(name), "--", "/bin/true"});
        CHECK(finished.code == 2);
        CHECK(finished.err == "vial: " + without(name, "peers") + "\n");
    }
}

TEST_CASE("a PID 1 that is called init")
{
    const NothingLeft nothing_left;
    const Finished finished =
        run({"unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "exec \"$0\"", called("init")});
    CHECK(finished.code == 2);
    CHECK(finished.err == "vial: " + without("boot", "boot") + "\n");
}

TEST_CASE("a key that was left out is refused where it stands")
{
    const NothingLeft nothing_left;
    const std::string file =
        spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\nautostart = true\nrequires = [\"db\"]\n"
                    "after = [\"log\"]\nports = [\"80:80\"]\ndns = [\"10.0.0.1\"]\nhosts = [\"10.0.0.1 "
                    "a\"]\n[network.eth0]\naddress = [\"10.0.3.2/24\"]\n");
    for (const char* command : {"check", "start"}) {
        const Finished finished = ctl({command, file});
        CHECK(finished.code == 2);
        CHECK(lines(finished.err) == std::vector<std::string>{
                                         file + ":3:1: " + without("autostart", "boot"),
                                         file + ":4:1: " + without("requires", "boot"),
                                         file + ":5:1: " + without("after", "boot"),
                                         file + ":6:1: " + without("ports", "network"),
                                         file + ":7:1: " + without("dns", "network"),
                                         file + ":8:1: " + without("hosts", "network"),
                                         file + ":9:2: " + without("network", "network"),
                                     });
    }
}

TEST_CASE("an image as a root")
{
    const NothingLeft nothing_left;
    start_refused(2, spec("web", "root = \"/etc/passwd\"\ncommand = [\"/bin/true\"]\n"),
                  {"/etc/passwd", "this vial was built without it (meson option 'images')"});
}

TEST_CASE("what is left works: a container starts, is asked, restarts and stops")
{
    const NothingLeft nothing_left;
    (void)done({"start", spec("web", "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(contains(done({"status", "web"}), "web: running"));
    ControlLine line("/run/vial/web/control");
    CHECK(contains(line.ask("stats"), "this vial was built without it (meson option): stats"));
    // What is kept as its spec is read again.
    (void)done({"restart", "web"});
    (void)done({"stop", "web"});
}
