// SPDX-License-Identifier: MIT
//
// Containers of ordinary users: what they get, what is refused to them, and that nothing of it is left.

#include "harness.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial::test;

namespace {

/// Somebody with no rights and a directory of his own for what is to be known of his containers.
struct User {
    unsigned id;
    Words kernel;  ///< oldkernel with its options, or nothing
    std::string place = work() + "/runtime-" + std::to_string(id);

    explicit User(unsigned number, Words before = {}) : id(number), kernel(std::move(before))
    {
        (void)empty_directory("runtime-" + std::to_string(id), 0700);
        REQUIRE(::chown(place.c_str(), id, id + 1) == 0);
    }

    Words command(Words words, const std::string& runtime = "") const
    {
        Words all = kernel;
        const Words who{"setpriv",
                        "--reuid=" + std::to_string(id),
                        "--regid=" + std::to_string(id + 1),
                        "--clear-groups",
                        "env",
                        "XDG_RUNTIME_DIR=" + (runtime.empty() ? place : runtime)};
        all.insert(all.end(), who.begin(), who.end());
        words = ctl_words(words);
        all.insert(all.end(), words.begin(), words.end());
        return all;
    }

    Finished ctl(const Words& words) const { return run(command(words)); }

    std::string done(const Words& words) const
    {
        const Finished finished = ctl(words);
        INFO(words.front(), ": ", finished.err);
        CHECK(finished.code == 0);
        CHECK(finished.err.empty());
        return finished.out;
    }

    std::string refused(int code, const Words& words, const std::string& runtime = "") const
    {
        const Finished finished = run(command(words, runtime));
        INFO(words.front(), ": ", finished.err);
        CHECK(finished.code == code);
        CHECK(lines(finished.err).size() == 1);
        return finished.err;
    }

    std::string inside(const std::string& script, const Words& options = {}) const
    {
        Words words{"run", "--root", root()};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"--", "/bin/sh", "-c", script});
        const Finished finished = ctl(words);
        INFO(finished.err);
        CHECK(finished.code == 0);
        return finished.out;
    }

    /// Nothing is remembered of any container.
    bool is_clean() const { return run({"ls", place + "/vial"}).out.empty(); }
};

const Words kernels[] = {{}, {"--kernel", "5.4"}, {"--kernel", "4.19"}, {"--kernel", "4.9"}};

User on_kernel(const Words& options)
{
    Words before;
    if (!options.empty()) {
        before.push_back(payload("oldkernel"));
        before.insert(before.end(), options.begin(), options.end());
        before.push_back("--");
    }
    return User(12345, before);
}

}  // namespace

TEST_CASE("an ordinary user runs a command in a root filesystem, on new and old kernels")
{
    for (const Words& options : kernels) {
        INFO((options.empty() ? std::string("this kernel") : options.back()));
        const NothingLeft nothing_left;
        const User user = on_kernel(options);
        CHECK(contains(user.inside("id"), "uid=0(root) gid=0(root)"));
        CHECK(user.inside("tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map; cat /proc/self/setgroups") ==
              " 0 12345 1\n 0 12346 1\ndeny\n");
        CHECK(user.inside("hostname", {"--name", "mine"}) == "mine\n");
        CHECK(contains(user.inside("ip addr show lo"), "127.0.0.1"));
        CHECK(user.inside("ls /sys/class/net") == "lo\n");
        CHECK(
            user.inside("head -c 10 /proc/kcore | wc -c; echo x 2>/dev/null >/proc/sys/kernel/domainname || echo no") ==
            "0\nno\n");
        CHECK(user.inside("echo x >/dev/null && head -c 3 /dev/zero | wc -c; ls /dev") ==
              "3\n" + ctl({"run", "--root", root(), "--", "/bin/ls", "/dev"}).out);
        CHECK(user.ctl({"run", "--root", root(), "--", "/bin/sh", "-c", "exit 7"}).code == 7);
        CHECK(user.is_clean());
    }
}

TEST_CASE("what an ordinary user's container writes is his own")
{
    for (const Words& options : kernels) {
        INFO((options.empty() ? std::string("this kernel") : options.back()));
        const NothingLeft nothing_left;
        const User user = on_kernel(options);
        const std::string place = empty_directory("his");
        REQUIRE(::chown(place.c_str(), user.id, user.id + 1) == 0);
        const std::string file = spec("web", "root = \"ROOT\"\ncommand = [\"/bin/true\"]\nmounts = [\"" + place +
                                                 ":/data\", \"/proc/sys:/srv:ro\"]\n");
        const Finished finished = user.ctl({"run", file, "--", "/bin/sh", "-c", "echo x >/data/file; id -u >/new"});
        CHECK(contains(finished.err, "Read-only"));
        struct stat made {};
        CHECK(::stat((place + "/file").c_str(), &made) == 0);
        CHECK(made.st_uid == user.id);
        CHECK(made.st_gid == user.id + 1);
        CHECK(user.is_clean());
    }
}

TEST_CASE("an ordinary user's containers in the background")
{
    for (const Words& options : kernels) {
        INFO((options.empty() ? std::string("this kernel") : options.back()));
        const NothingLeft nothing_left;
        const User user = on_kernel(options);
        const std::string file = spec("web", "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", \"echo hello; exec "
                                             "sleep 1000\"]\n");
        (void)user.done({"start", file});
        CHECK(exists(user.place + "/vial/web/journal"));
        CHECK(contains(user.done({"list"}), "web"));
        CHECK(contains(user.done({"status", "web"}), "ready"));
        CHECK(contains(user.done({"stats", "web"}), "main"));
        CHECK(eventually([&] { return contains(user.done({"logs", "web"}), "hello"); }));
        CHECK(contains(user.done({"exec", "web", "--", "/bin/id"}), "uid=0(root)"));
        CHECK(user.done({"exec", "web", "--", "/bin/hostname"}) == "web\n");
        CHECK(user.ctl({"exec", "web", "--", "/bin/sh", "-c", "exit 5"}).code == 5);
        (void)user.refused(1, {"start", file});
        (void)user.done({"start", "--ensure", file});
        (void)user.done({"restart", "web"});
        CHECK(contains(user.done({"show", "web"}), "\"0 12345 1\""));
        (void)user.done({"kill", "web"});
        CHECK(user.done({"wait", "web"}) == "unknown\n");
        (void)user.done({"stop", "web"});
        CHECK(user.is_clean());
    }
}

TEST_CASE("an ordinary user's container on a terminal")
{
    const NothingLeft nothing_left;
    const User user(12345);
    Process shell(user.command({"run", "--name", "mine", "--root", root(), "--", "/bin/sh"}),
                  Process::Streams::Terminal);
    shell.send("tty; stat -c %u $(tty)\n");
    CHECK(shell.expect("/dev/"));
    CHECK(shell.expect("\n0"));
    Process second(user.command({"exec", "-it", "mine", "--", "/bin/sh"}), Process::Streams::Terminal);
    second.send("echo $(tty) $((6 * 7))\n");
    CHECK(second.expect("/dev/pts/1 42"));
    second.send("exit 3\n");
    CHECK(second.wait() == 3);
    shell.send("exit 4\n");
    CHECK(shell.wait() == 4);
    CHECK(user.is_clean());
}

TEST_CASE("vial's own binary, though an ordinary user's own, is none that his container can write to")
{
    for (const Words& options : kernels) {
        INFO((options.empty() ? std::string("this kernel") : options.back()));
        const NothingLeft nothing_left;
        const User user = on_kernel(options);
        const std::string copy = user.place + "/copy";
        (void)run({"cp", ctl_words({}).front(), copy});
        REQUIRE(::chown(copy.c_str(), user.id, user.id + 1) == 0);
        REQUIRE(::chmod(copy.c_str(), 0700) == 0);
        const std::string before = read_text(copy);
        Words words = user.command({"run", "--root", root(), "--", "/bin/sh", "-c",
                                    "{ echo x >/proc/1/exe; } 2>/dev/null; { dd if=/dev/zero of=/proc/1/exe "
                                    "bs=1 count=1 conv=notrunc; } 2>/dev/null; ls /proc/1/root/home/app; id -u"});
        for (std::string& word : words)
            word = word == ctl_words({}).front() ? copy : word;
        const Finished finished = run(words);
        INFO(finished.err);
        CHECK(lines(finished.out).back() == "0");
        CHECK(read_text(copy) == before);
        CHECK(run({copy, "--version"}).code == 0);
    }
}

TEST_CASE("everybody has his own containers")
{
    const NothingLeft nothing_left;
    const User one(12345), other(22345);
    const std::string file = sleeper("web");
    (void)one.done({"start", file});
    (void)other.done({"start", file});
    (void)done({"start", file});
    (void)other.done({"stop", "web"});
    CHECK(contains(one.done({"list"}), "running"));
    CHECK(lines(other.done({"list"})).size() == 1);
    CHECK(state("web") == "\"running\"");
    (void)one.done({"stop", "web"});
    (void)done({"stop", "web"});
    CHECK(one.is_clean());
    CHECK(other.is_clean());
}

TEST_CASE("what takes root is refused to an ordinary user, each in one line")
{
    const NothingLeft nothing_left;
    const User user(12345);
    const struct {
        const char *lines, *named;
    } cases[] = {
        {"[limits]\nmemory = \"16M\"\n", "cannot set limits.memory"},
        {"[limits]\ncpu = \"50%\"\n", "cannot set limits.cpu"},
        {"[limits]\ncpus = \"0\"\n", "cannot set limits.cpus"},
        {"[limits]\noom_group = true\n", "cannot set limits.oom_group"},
        {"[limits.cgroup]\n\"pids.max\" = 5\n", "cannot set limits.cgroup"},
        {"devices = [\"/dev/kmsg\"]\n", "cannot give devices"},
        {"[limits]\ntasks = 512\n", "cannot set limits.tasks"},
        {"[limits]\nmemory = \"16M\"\nswap = \"16M\"\n", "cannot set limits.memory"},
        {"[namespaces]\ntime = true\n", "cannot make namespaces.time"},
        {"[namespaces]\nnet = false\n", "leave namespaces.net = true"},
        {"[network.eth0]\naddress = \"10.0.0.2/24\"\n", "cannot make network.eth0"},
        {"[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 12346 1\"\n", "cannot write uid_map"},
        {"[user_namespace]\nuid_map = \"0 12345 1\"\ngid_map = \"0 0 1\"\n", "cannot write gid_map"},
        {"user = 33\n", "cannot run a service as user 33"},
        {"group = 33\n", "cannot run a service as group 33"},
        {"groups = [33]\n", "cannot run a service in group 33"},
        {"user = \"nobody\"\n", "cannot run a service as user nobody"},
    };
    for (const auto& each : cases) {
        INFO(std::string(each.lines));
        const std::string file = sleeper("web", each.lines);
        CHECK(contains(user.refused(1, {"start", file}), each.named));
        CHECK(contains(user.refused(125, {"run", file}), each.named));
        CHECK(user.is_clean());
    }
    // What says no more than what is so anyway.
    CHECK(user.ctl({"run", sleeper("web", "[limits]\ntasks = \"max\"\n[network.eth0]\ntype = \"none\"\n"), "--",
                    "/bin/true"})
              .code == 0);
    CHECK(user.ctl({"run", sleeper("web", "[user_namespace]\nuid_map = \"0 12345 1\"\ngid_map = \"0 12346 1\"\n"), "--",
                    "/bin/true"})
              .code == 0);
    const std::string image = spec("image", "root = \"" + root(RootKind::Squashfs) + "\"\ncommand = [\"/bin/true\"]\n");
    CHECK(contains(user.refused(1, {"start", image}), "images take a loop device"));
    CHECK(user.is_clean());
    for (const char* command : {"boot", "reload", "poweroff"})
        CHECK(contains(user.refused(1, {command}), std::string(command) + " needs root"));
}

TEST_CASE("the directory for an ordinary user's state is his alone")
{
    const NothingLeft nothing_left;
    const User user(12345);
    const std::string file = sleeper("web");
    const std::string open = empty_directory("open", 0777), foreign = empty_directory("foreign", 0755);
    REQUIRE(::chown(open.c_str(), user.id, user.id + 1) == 0);
    const std::string link = work() + "/link";
    (void)::unlink(link.c_str());
    REQUIRE(::symlink(user.place.c_str(), link.c_str()) == 0);
    for (const std::string& runtime : {work() + "/missing", open, foreign, link}) {
        for (const Words& words : {Words{"start", file}, Words{"list"}, Words{"stop", "web"}, Words{"logs", "web"}}) {
            const std::string said = user.refused(1, words, runtime);
            CHECK(contains(said, "in " + runtime));
            CHECK(contains(said, "set XDG_RUNTIME_DIR"));
        }
        CHECK(contains(user.refused(125, {"run", file}, runtime), "set XDG_RUNTIME_DIR"));
    }
    // Where the variable is missing, or no path, it is /run/user/UID.
    CHECK(contains(user.refused(1, {"list"}, "relative"), "in /run/user/12345: No such file or directory"));
    (void)run({"mkdir", "-p", "/run/user/12345"});
    REQUIRE(::chown("/run/user/12345", user.id, user.id + 1) == 0);
    CHECK(run(user.command({"run", file, "--", "/bin/true"}, "relative")).code == 0);
    CHECK(exists("/run/user/12345/vial/.lock"));
    (void)run({"rm", "-r", "/run/user"});
}

TEST_CASE("an ordinary user where the machine gives him no user namespace")
{
    const NothingLeft nothing_left;
    // The kernel refuses one to whoever sits in a chroot.
    const User user(12345, {"unshare", "--mount", "sh", "-c", "mount --rbind / \"$1\" && exec chroot \"$@\"", "sh",
                            empty_directory("all")});
    const std::string said = user.refused(125, {"run", "--root", root(), "--", "/bin/true"});
    CHECK(contains(said, "does not let ordinary users make user namespaces"));
    CHECK(user.is_clean());
}
