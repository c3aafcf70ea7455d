// SPDX-License-Identifier: MIT
//
// What goes wrong before a container runs: each case one clear line that names the thing, a code that is not 0, and
// nothing left behind.

#include "harness.h"

#include <doctest/doctest.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string plain(const std::string& more, const std::string& name = "web")
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/sleep\", \"1000\"]\n" + more);
}

}  // namespace

TEST_CASE("a root that is not there, that is no image, that is something else")
{
    const NothingLeft nothing_left;
    const auto with_root = [](const std::string& path) {
        return spec("web", "root = \"" + path + "\"\ncommand = [\"/bin/true\"]\n");
    };
    start_refused(1, with_root("/not/there"), {"/not/there", "No such file"});
    write_text(work() + "/text", "this is a file, but no image\n");
    start_refused(1, with_root(work() + "/text"), {work() + "/text", "image"});
    write_text(work() + "/empty", "");
    start_refused(1, with_root(work() + "/empty"), {work() + "/empty"});
    start_refused(1, with_root("/dev/null"), {"/dev/null"});
    start_refused(1, with_root("/dev/zero"), {"/dev/zero"});
    (void)run({"mkfifo", work() + "/pipe"});
    start_refused(1, with_root(work() + "/pipe"), {work() + "/pipe"});
    start_refused(1, with_root(empty_directory("bare")), {"/proc", "/bare", "no such directory"});
    (void)run({"ln", "-sfn", work() + "/dangling", work() + "/link"});
    start_refused(1, with_root(work() + "/link"), {work() + "/link"});
    CHECK(contains(refused(125, {"run", "--root", "/not/there", "--", "/bin/true"}), "/not/there"));
}

TEST_CASE("a container that fails before it has its network says why itself")
{
    const NothingLeft nothing_left;
    // In a user namespace of its own the network is born with it, and opened by way of its process.
    for (const char* more : {"", "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n"}) {
        const std::string file =
            spec("web", "root = \"" + empty_directory("bare") + "\"\ncommand = [\"/bin/true\"]\n[network.eth0]\n" +
                            "bridge = \"br-bare\"\naddress = [\"10.9.99.2/24\"]\n" + more);
        for (int attempt = 0; attempt < 10; ++attempt)
            start_refused(1, file, {"/proc", "/bare", "no such directory"});
    }
}

TEST_CASE("a damaged image")
{
    const NothingLeft nothing_left;
    for (const RootKind kind : {RootKind::Squashfs, RootKind::Erofs, RootKind::Ext4}) {
        std::string image = read_text(root(kind));
        INFO(root(kind));
        CHECK(image.size() > 8192);
        // Cut short, and with its superblock full of noise behind the signature.
        write_text(work() + "/cut", std::string_view(image).substr(0, 4096));
        const std::string why =
            refused(1, {"start", spec("web", "root = \"" + work() + "/cut\"\ncommand = [\"/bin/true\"]\n")});
        INFO(why);
        CHECK(contains(why, "web: cannot "));
        CHECK_FALSE(contains(why, "No error information"));
        for (std::size_t at = 1100; at < 1200; at++)
            image[at] = '\xff';
        for (std::size_t at = 8; at < 96; at++)
            image[at] = '\xff';
        write_text(work() + "/noise", image);
        const Finished finished =
            ctl({"start", spec("web", "root = \"" + work() + "/noise\"\ncommand = [\"/bin/not-there\"]\n")});
        INFO(finished.err);
        CHECK(finished.code == 1);
        CHECK(lines(finished.err).size() == 1);
    }
}

TEST_CASE("mistakes in a spec are named with file, line and column")
{
    const NothingLeft nothing_left;
    start_refused(2, plain("memroy = 5\n"), {"web.conf:3:1: ", "memroy"});
    start_refused(2, plain("restrat = \"always\"\n"), {"web.conf:3:1: ", "did you mean 'restart'?"});
    start_refused(2, plain("[limits]\nmemry = \"16M\"\n"), {"web.conf:4:1: ", "did you mean 'memory'?"});
    start_refused(2, plain("read_only = \"yes\"\n"), {"web.conf:3:", "read_only", "true or false"});
    start_refused(2, plain("hostname = 5\n"), {"web.conf:3:", "hostname"});
    start_refused(2, plain("[limits]\ntasks = \"many\"\n"), {"web.conf:4:", "tasks"});
    start_refused(2, plain("[limits]\nmemory = \"16 cows\"\n"), {"web.conf:4:", "memory"});
    start_refused(2, plain("name = \"a/b\"\n"), {"web.conf:3:", "name", "a/b"});
    start_refused(2, plain("name = \"..\"\n"), {"web.conf:3:", "name"});
    start_refused(2, plain("name = \"\"\n"), {"web.conf:3:", "name"});
    start_refused(2, plain("[network.eth0]\naddress = \"10.0.3.2\"\n"), {"web.conf:4:", "10.0.3.2", "prefix"});
    start_refused(2, plain("[network.eth0]\naddress = \"10.0.3.2/33\"\n"), {"web.conf:4:"});
    start_refused(2, plain("[network.a_name_that_is_too_long]\naddress = \"10.0.3.2/24\"\n"),
                  {"web.conf:3:", "a_name_that_is_too_long"});
    start_refused(2, plain("[network.eth0]\naddress = \"10.0.3.2/24\"\ngateway = \"10.0.4.1\"\n"),
                  {"web.conf:5:", "10.0.4.1"});
    start_refused(2, plain("mounts = [\"data:/data\"]\n"), {"web.conf:3:", "data"});
    start_refused(2, plain("mounts = [\"/etc:../data\"]\n"), {"web.conf:3:"});
    start_refused(2, plain("[security]\ncapabilities = [\"ALMIGHTY\"]\n"), {"web.conf:4:", "ALMIGHTY"});
    start_refused(2, plain("init = false\nrestart = \"always\"\n"), {"web.conf:", "init = false"});
    start_refused(2, plain("stop_signal = \"LOUD\"\n"), {"web.conf:3:", "stop_signal"});
    start_refused(2, spec("web", "root = \"ROOT\"\nuser = 5\n"), {"web.conf", "'command' is missing"});
    start_refused(2, spec("web", "root = \"ROOT\"\ninit = false\n"), {"web.conf", "'command' is missing"});
    start_refused(2, spec("web", "command = [\"/bin/true\"]\n"), {"web.conf", "'root' is missing"});
    start_refused(2, spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\ncommand = [\"/bin/true\"]\n"),
                  {"web.conf:3:", "command"});
    start_refused(2, spec("web", "root = \n"), {"web.conf:1:"});
    start_refused(2, spec("web", "root = \"/never ends\n"), {"web.conf:1:"});

    // Several at once are told at once, each on its line.
    const Finished finished = ctl({"start", plain("memroy = 5\nhostname = 7\n[limits]\ntasks = \"many\"\n")});
    CHECK(finished.code == 2);
    CHECK(lines(finished.err).size() == 3);
    // run has its lower codes for the command.
    CHECK(contains(refused(125, {"run", plain("memroy = 5\n")}), "web.conf:3:1: "));
    CHECK(contains(refused(2, {"check", plain("memroy = 5\n")}), "web.conf:3:1: "));
    CHECK(contains(refused(2, {"show", plain("memroy = 5\n")}), "web.conf:3:1: "));
    CHECK(contains(refused(2, {"start", "--set", "memroy=5", plain("")}), "memroy"));
    CHECK(contains(refused(2, {"start", "--set", "memroy", plain("")}), "memroy"));
}

TEST_CASE("a spec that is not there, a directory, ten megabytes, a program, not UTF-8, empty")
{
    const NothingLeft nothing_left;
    const Finished missing = ctl({"start", work() + "/not-there.conf"});
    CHECK(missing.code == 2);
    CHECK(lines(missing.err).size() == 1);
    CHECK(contains(missing.err, "not-there.conf"));
    CHECK(contains(refused(2, {"start", "not-there"}), "not-there"));
    start_refused(2, work(), {work()});
    start_refused(2, "/dev/null", {"/dev/null"});
    std::string large = "# ";
    large.resize(10U << 20, 'x');
    write_text(work() + "/large.conf", large);
    start_refused(2, work() + "/large.conf", {"large.conf"});
    large.clear();
    while (large.size() < 10U << 20)
        large += "key" + std::to_string(large.size()) + " = [[[[{ a = \"\"\n";
    write_text(work() + "/large.conf", large);
    start_refused(2, work() + "/large.conf", {"large.conf"});
    start_refused(2, root() + "/bin/busybox", {"busybox"});
    start_refused(2, root(RootKind::Squashfs), {"squashfs"});
    write_text(work() + "/latin.conf", "root = \"ROOT\"\n# \xe9t\xe9\ncommand = [\"/bin/true\"]\n");
    start_refused(2, work() + "/latin.conf", {"latin.conf:2:"});
    write_text(work() + "/nul.conf", std::string_view("root = \"/a\0b\"\n", 14));
    start_refused(2, work() + "/nul.conf", {"nul.conf"});
    start_refused(2, "/proc/self/mem", {"/proc/self/mem"});
    const Finished finished = ctl({"start", spec("void", "")});
    CHECK(finished.code == 2);
    CHECK(contains(finished.err, "'root' is missing"));
    // A pipe that never ends and a device are not waited for.
    (void)run({"mkfifo", work() + "/fifo.conf"});
    start_refused(2, work() + "/fifo.conf", {"fifo.conf"});
    start_refused(2, "/dev/zero", {"/dev/zero"});
}

TEST_CASE("a command that is not there, or that cannot be executed")
{
    const NothingLeft nothing_left;
    const auto with_command = [](const std::string& path) {
        return spec("web", "root = \"ROOT\"\ncommand = [\"" + path + "\"]\n");
    };
    start_refused(1, with_command("/bin/not-there"), {"/bin/not-there", "No such file"});
    start_refused(1, with_command("not-there"), {"not-there"});
    start_refused(1, with_command("/etc/passwd"), {"/etc/passwd", "ermission denied"});
    start_refused(1, with_command("/etc"), {"/etc"});
    // Of several services all or none run.
    start_refused(1,
                  spec("web", "root = \"ROOT\"\n[service.good]\ncommand = [\"/bin/sleep\", "
                              "\"1000\"]\n[service.bad]\ncommand = [\"/bin/not-there\"]\n"),
                  {"bad", "/bin/not-there"});
    start_refused(1, spec("web", "root = \"ROOT\"\ninit = false\ncommand = [\"/bin/not-there\"]\n"),
                  {"/bin/not-there"});
    start_refused(1, plain("directory = \"/not/there\"\n"), {"/not/there"});
    CHECK(contains(refused(125, {"run", "--root", root(), "--set", "directory=\"/not/there\"", "--", "/bin/true"}),
                   "/not/there"));
}

TEST_CASE("mounts whose source or target is missing")
{
    const NothingLeft nothing_left;
    start_refused(1, plain("mounts = [\"/not/there:/data\"]\n"), {"/not/there", "No such file"});
    start_refused(1, plain("mounts = [\"/etc:/not/there\"]\n"), {"/not/there", "read-only root"});
    start_refused(1, plain("mounts = [\"tmpfs:/not/there\"]\n"), {"/not/there", "read-only root"});
    // A file on a directory, and the other way round.
    write_text(work() + "/file", "");
    start_refused(1, plain("mounts = [\"" + work() + "/file:/data\"]\n"), {"/data"});
    start_refused(1, plain("mounts = [\"" + work() + ":/file\"]\n"), {"/file"});
    start_refused(1, plain("mounts = [\"" + work() + ":/bin/busybox/below\"]\n"), {"/bin/busybox/below"});
    start_refused(1, plain("overlay = \"/not/there\"\n"), {"/not/there"});
    write_text(work() + "/no-directory", "");
    start_refused(1, plain("overlay = \"" + work() + "/no-directory\"\n"), {"no-directory"});
}

TEST_CASE("an environment file that cannot be read")
{
    const NothingLeft nothing_left;
    start_refused(1, plain("environment_file = \"/not/there\"\n"), {"/not/there", "No such file"});
    start_refused(1, plain("environment_file = \"" + work() + "\"\n"), {work()});
    write_text(work() + "/environment", "GOOD=1\nno assignment\n");
    start_refused(2, plain("environment_file = \"" + work() + "/environment\"\n"), {"environment", "KEY=VALUE"});
    write_text(work() + "/environment", "# a comment\n\nCOLOUR=red\n");
    CHECK(ctl({"run", plain("environment_file = \"" + work() + "/environment\"\n"), "--", "/bin/sh", "-c",
               "echo $COLOUR"})
              .out == "red\n");
}

TEST_CASE("keys whose facility is to come are refused at start by name, and read by check")
{
    const NothingLeft nothing_left;
    const struct {
        const char *key, *line;
    } keys[] = {
        {"optional", "optional = [\"limits.cpu\"]"},
        {"tty", "tty = true"},
        {"namespaces.mount", "[namespaces]\nmount = false"},
        {"namespaces.pid", "[namespaces]\npid = false"},
        {"security.label", "[security]\nlabel = \"x\""},
        {"security.securebits", "[security]\nsecurebits = [\"noroot\"]"},
        {"log.path", "[log]\npath = \"/var/log/web\""},
    };
    for (const auto& each : keys) {
        INFO(std::string(each.line));
        const std::string why = refused(2, {"start", plain(std::string(each.line) + "\n")});
        CHECK(contains(why, std::string("not supported yet: ") + each.key));
        CHECK(contains(refused(2, {"check", plain(std::string(each.line) + "\n")}),
                       std::string("not supported yet: ") + each.key));
        CHECK(contains(refused(125, {"run", plain(std::string(each.line) + "\n")}),
                       std::string("not supported yet: ") + each.key));
    }
    // All of them, not only the first.
    const Finished both = ctl({"start", plain("tty = true\n[security]\nlabel = \"x\"\n")});
    INFO(both.err);
    CHECK(contains(both.err, "tty"));
    CHECK(contains(both.err, "security.label"));
}
