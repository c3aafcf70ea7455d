// SPDX-License-Identifier: MIT
//
// Maps of user namespaces that vial chooses, and those that helpers write for ordinary users.

#include "harness.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vial::test;

namespace {

const std::string automatic = "[user_namespace]\nauto = true\n";

/// Where the ids of a running container begin outside, users' and groups'; empty where they are not the 65536 of one range.
std::string start_of(const std::string& name)
{
    const std::string directory = "/proc/" + std::to_string(init_pid(name));
    const std::string users = read_text(directory + "/uid_map"), groups = read_text(directory + "/gid_map");
    CHECK(users == groups);
    const long start = std::atol(users.c_str() + 11);
    char expected[64];
    (void)std::snprintf(expected, sizeof expected, "%10d %10ld %10d\n", 0, start, 65536);
    return users == expected ? std::to_string(start) : "";
}

/// Runs a command with these lines in /etc/subuid and /etc/subgid.
Words with_ranges(const std::string& text, const Words& words)
{
    write_text(work() + "/ranges", text);
    Words all{"unshare",
              "--mount",
              "sh",
              "-c",
              "mount --bind \"$1\" /etc/subuid && mount --bind \"$1\" /etc/subgid && shift && exec \"$@\"",
              "sh",
              work() + "/ranges"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

/// As somebody who is in /etc/passwd, which the helpers want.
Finished as_nobody(const std::string& ranges, const Words& words, const std::string& path = "/usr/bin:/bin")
{
    const std::string place = empty_directory("runtime", 0700);
    CHECK(::chown(place.c_str(), 65534, 65534) == 0);
    Words all{"setpriv",        "--reuid=65534", "--regid=65534",
              "--clear-groups", "/usr/bin/env",  "XDG_RUNTIME_DIR=" + place,
              "PATH=" + path};
    const Words command = ctl_words(words);
    all.insert(all.end(), command.begin(), command.end());
    Finished finished = run(with_ranges(ranges, all));
    CHECK(run({"ls", place + "/vial"}).out.empty());
    return finished;
}

std::string script(const std::string& name, const std::string& more, const std::string& text)
{
    return spec(name, "root = \"ROOT\"\ncommand = [\"/bin/sh\", \"-c\", '''" + text + "''']\n" + more);
}

bool has_helpers()
{
    if (exists("/usr/bin/newuidmap") && exists("/usr/bin/newgidmap"))
        return true;
    MESSAGE("skipped: newuidmap and newgidmap are not installed");
    CHECK(std::getenv("CI") == nullptr);
    return false;
}

}  // namespace

TEST_CASE("vial chooses the ids of a user namespace: nobody else's, and the same again")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("one", "user = 1000\ngroup = 65535\n" + automatic)});
    (void)done({"start", sleeper("two", automatic)});
    const std::string first = start_of("one"), second = start_of("two");
    CHECK(first != "");
    CHECK(second != "");
    CHECK(first != second);
    CHECK(std::atol(first.c_str()) % 65536 == 0);
    CHECK(std::atol(first.c_str()) >= 524288);
    CHECK(ctl({"exec", "one", "--", "/bin/sh", "-c", "id -u; id -g"}).out == "1000\n65535\n");
    (void)done({"start", "--ensure", sleeper("two", automatic)});
    CHECK(contains(done({"show", "two"}), "auto = true\n"));
    CHECK(!contains(done({"show", "two"}), "_map"));
    (void)done({"restart", "two"});
    CHECK(start_of("two") == second);
    (void)done({"stop", "two"});

    // Whose range another has meanwhile gets the next one.
    const std::string map = "\"0 " + second + " 10\"\n";
    (void)done({"start", sleeper("squatter", "[user_namespace]\nuid_map = " + map + "gid_map = " + map)});
    (void)done({"start", sleeper("two", automatic)});
    CHECK(start_of("two") == std::to_string(std::atol(second.c_str()) + 65536));
    (void)done({"stop", "two", "squatter"});
    (void)done({"start", sleeper("two", automatic)});
    CHECK(start_of("two") == second);
    (void)done({"stop", "two", "one"});
}

TEST_CASE("ids that /etc/subuid gives to somebody are not chosen")
{
    const NothingLeft nothing_left;
    (void)done({"start", sleeper("web", automatic)});
    const long before = std::atol(start_of("web").c_str());
    (void)done({"stop", "web"});
    const std::string ranges = "rubbish\n:\nx:y:z\nsomebody:" + std::to_string(before + 65535) +
                               ":1\nother:" + std::to_string(before + 65536) + ":70000\n";
    CHECK(run(with_ranges(ranges, ctl_words({"start", sleeper("web", automatic)}))).code == 0);
    CHECK(start_of("web") == std::to_string(before + 3 * 65536));
    (void)done({"stop", "web"});
    const Finished none = run(with_ranges("all:1:4000000000\n", ctl_words({"start", sleeper("web", automatic)})));
    CHECK(none.code == 1);
    CHECK(lines(none.err).size() == 1);
    CHECK(contains(none.err, "cannot choose a range of ids for web: all are taken"));
}

TEST_CASE("an overlay's directory belongs to the root that was chosen")
{
    const NothingLeft nothing_left;
    const std::string place = empty_directory("changes", 0755);
    const std::string more = "overlay = \"" + place + "\"\n" + automatic;
    CHECK(ctl({"run", script("web", more, "echo x >/new; cat /new")}).out == "x\n");
    struct stat made {};
    CHECK(::stat((place + "/upper/new").c_str(), &made) == 0);
    CHECK(made.st_uid >= 524288);
    CHECK(made.st_uid == made.st_gid);
}

TEST_CASE("what contradicts maps that vial chooses")
{
    const NothingLeft nothing_left;
    for (const char* more : {"[user_namespace]\nauto = true\nuid_map = \"0 1 1\"\n",
                             "[user_namespace]\nauto = true\ngid_map = \"0 1 1\"\n",
                             "[namespaces]\nuser = false\n[user_namespace]\nauto = true\n"})
        CHECK(contains(refused(2, {"check", sleeper("web", more)}), "auto = true chooses the maps"));
    CHECK(ctl({"check", sleeper("web", "[user_namespace]\nauto = false\n")}).code == 0);
    start_refused(1, sleeper("web", "user = 65536\n" + automatic),
                  {"cannot run a service as user 65536", "not map it"});
}

TEST_CASE("an ordinary user has the ranges that /etc/subuid gives to him, written by the helpers")
{
    if (!has_helpers())
        return;
    const NothingLeft nothing_left;
    const std::string look = "tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map; id -u";
    const std::string two = " 0 65534 1\n 1 100000 65536\n";
    for (const char* owner : {"nobody", "65534"}) {
        const Finished finished = as_nobody(std::string("other:300000:65536\n") + owner + ":100000:65536\n",
                                            {"run", script("web", automatic, look)});
        INFO(finished.err);
        CHECK(finished.out == two + two + "0\n");
    }
    const std::string as_user = "user = 33\ngroup = 33\ngroups = [5]\n";
    Finished finished = as_nobody("nobody:100000:65536\n", {"run", script("web", as_user + automatic, "id -u; id -G")});
    INFO(finished.err);
    CHECK(finished.out == "33\n33 5\n");
    finished = as_nobody("nobody:100000:65536\n",
                         {"run", script("web",
                                        "[user_namespace]\nuid_map = [\"0 65534 1\", \"5 100010 10\"]\n"
                                        "gid_map = \"0 65534 1\"\n",
                                        look)});
    INFO(finished.err);
    CHECK(finished.out == " 0 65534 1\n 5 100010 10\n 0 65534 1\n0\n");
    // Nobody of the user's own in it.
    finished = as_nobody("nobody:100000:65536\n", {"run", script("web",
                                                                 "[user_namespace]\nuid_map = \"0 100000 65536\"\n"
                                                                 "gid_map = \"0 100000 65536\"\n",
                                                                 look)});
    INFO(finished.err);
    CHECK(finished.out == " 0 100000 65536\n 0 100000 65536\n0\n");
}

TEST_CASE("ranges that an ordinary user was not given, or that nobody writes for him, stop the start")
{
    const NothingLeft nothing_left;
    const std::string given = "nobody:100000:65536\n";
    const auto said = [&](const std::string& ranges, const std::string& more,
                          const std::string& path = "/usr/bin:/bin") {
        const Finished finished = as_nobody(ranges, {"start", sleeper("web", more)}, path);
        INFO(finished.err);
        CHECK(finished.code == 1);
        CHECK(lines(finished.err).size() == 1);
        return finished.err;
    };
    CHECK(contains(said("other:100000:65536\n", automatic),
                   "cannot take a range of ids from /etc/subuid: it gives nothing"));
    CHECK(contains(said(given, automatic, "/nowhere"),
                   "cannot write uid_map: cannot execute newuidmap: there is no such"));
    if (!has_helpers())
        return;
    CHECK(contains(
        said(given, "[user_namespace]\nuid_map = [\"0 65534 1\", \"1 100000 65537\"]\ngid_map = \"0 65534 1\"\n"),
        "cannot write uid_map: newuidmap: uid range [1-65538) -> [100000-165537) not allowed"));
    CHECK(contains(said(given, "[user_namespace]\nuid_map = \"0 65534 1\"\ngid_map = [\"0 65534 1\", \"1 0 1\"]\n"),
                   "cannot write gid_map: newgidmap: gid range"));
    CHECK(contains(said(given, "[user_namespace]\nuid_map = \"0 0 1\"\ngid_map = \"0 65534 1\"\n"),
                   "cannot write uid_map: newuidmap: uid range"));
}
