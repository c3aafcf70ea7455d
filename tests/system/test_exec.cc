// SPDX-License-Identifier: MIT
//
// Who a command of `vial exec` is: like the first service, or as its options say.

#include "harness.h"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

constexpr const char* mapped = "[user_namespace]\nuid_map = \"0 100000 65536\"\ngid_map = \"0 100000 65536\"\n";

/// A root whose /etc/passwd knows some people.
std::string peopled()
{
    const std::string where = work() + "/peopled";
    if (!exists(where)) {
        CHECK(run({"cp", "-a", root(), where}).code == 0);
        write_text(where + "/etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\nodd:x:x:1::/:/\n");
        write_text(where + "/etc/group", "root:x:0:\nweb:x:34:\naudio:x:29:web\n");
    }
    return where;
}

/// Starts `web` with two services.
void start(const std::string& more = "")
{
    (void)done(
        {"start", spec("web", "root = \"" + peopled() + "\"\n" + more +
                                  "[service.one]\ncommand = [\"/bin/sleep\", \"1000\"]\nenvironment = [\"A=1\"]\n"
                                  "[service.two]\ncommand = [\"/bin/sleep\", \"1000\"]\nuser = \"web\"\n"
                                  "directory = \"/etc\"\numask = \"077\"\nenvironment = [\"A=2\", \"B=x\"]\n")});
}

Finished in_web(const Words& options, const std::string& script)
{
    Words words{"exec"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"web", "--", "/bin/sh", "-c", script});
    return ctl(words);
}

const std::string who = "echo $(id -u) $(id -g) $(id -G) $(pwd) $(umask) $HOME A=$A B=$B";

}  // namespace

TEST_CASE("exec as another user, in another directory, with other variables")
{
    for (const char* more : {"", mapped}) {
        const NothingLeft nothing_left;
        start(more);
        const struct {
            Words options;
            const char* answer;
        } cases[] = {
            {{}, "0 0 0 / 0022 /root A=1 B="},
            {{"--service", "two"}, "33 34 34 29 /etc 0077 /var/www A=2 B=x"},
            {{"--service=one"}, "0 0 0 / 0022 /root A=1 B="},
            {{"--user", "web"}, "33 34 34 29 / 0022 /var/www A=1 B="},
            {{"-u", "web:audio"}, "33 29 29 / 0022 /var/www A=1 B="},
            {{"-u", "1000"}, "1000 0 0 / 0022 / A=1 B="},
            {{"-u", "1000:1000"}, "1000 1000 1000 / 0022 / A=1 B="},
            {{"-u", "0", "--service", "two"}, "0 0 0 /etc 0077 /root A=2 B=x"},
            {{"--env", "A=3", "-e", "B=", "-eC=D", "--env=HOME=/x"}, "0 0 0 / 0022 /x A=3 B="},
            {{"--directory", "/srv"}, "0 0 0 /srv 0022 /root A=1 B="},
        };
        for (const auto& each : cases) {
            const Finished finished = in_web(each.options, who);
            INFO(std::string(each.answer), finished.out, finished.err);
            CHECK(finished.code == 0);
            CHECK(finished.err == "");
            CHECK(finished.out == std::string(each.answer) + "\n");
        }
        CHECK(in_web({"-e", "MULTI=a b=c"}, "echo \"$MULTI\"").out == "a b=c\n");
        // Whoever it is, the walls are those of the container.
        const std::string walls = "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status";
        CHECK(in_web({"-u", "web"}, walls).out == "CapBnd:\t00000000000004eb\nNoNewPrivs:\t1\nSeccomp:\t2\n");
        CHECK(in_web({"-u", "web"}, "grep CapEff /proc/self/status").out == "CapEff:\t0000000000000000\n");
        (void)done({"stop", "web"});
    }
}

TEST_CASE("exec: options that make no sense are refused in one line, and nothing runs")
{
    const NothingLeft nothing_left;
    start();
    const struct {
        Words options;
        const char* why;
    } cases[] = {
        {{"--user", ""}, "USER:GROUP"},
        {{"--user", "-1"}, "USER:GROUP"},
        {{"--user", "4294967295"}, "USER:GROUP"},
        {{"--user", "web:"}, "USER:GROUP"},
        {{"--user", ":web"}, "USER:GROUP"},
        {{"--user", "a/b"}, "USER:GROUP"},
        {{"--user", "nobody-here"}, "no such user"},
        {{"--user", "odd"}, "damaged line"},
        {{"--user", "web:nobody-here"}, "no such group"},
        {{"--env", "A"}, "NAME=VALUE"},
        {{"--env", "=A"}, "NAME=VALUE"},
        {{"--env", ""}, "NAME=VALUE"},
        {{"--directory", "srv"}, "absolute path"},
        {{"--directory", ""}, "absolute path"},
        {{"--directory", "/missing"}, "/missing"},
        {{"--service", "three"}, "no such service"},
        {{"--service", ""}, "no such service"},
    };
    for (const auto& each : cases) {
        Words words{"exec"};
        words.insert(words.end(), each.options.begin(), each.options.end());
        words.insert(words.end(), {"web", "--", "/bin/echo", "ran"});
        INFO(each.options[0], " ", each.options[1]);
        CHECK(contains(refused(125, words), each.why));
    }
    (void)done({"stop", "web"});
}

TEST_CASE("exec --privileged has all capabilities and no filter, and says so")
{
    for (const char* more : {"", mapped}) {
        const NothingLeft nothing_left;
        start(more);
        const std::string walls =
            "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; mount -t tmpfs none /tmp && echo mounted";
        const Finished ordinary = in_web({}, walls);
        CHECK(ordinary.out == "NoNewPrivs:\t1\nSeccomp:\t2\n");
        const Finished privileged = in_web({"--privileged"}, walls);
        CHECK(privileged.out == "NoNewPrivs:\t0\nSeccomp:\t0\nmounted\n");
        CHECK(lines(privileged.err).size() == 1);
        CHECK(contains(privileged.err, "web: --privileged: "));
        const std::string all = "grep -E '^Cap(Prm|Eff|Bnd):' /proc/self/status | awk '{ print $2 }' | sort -u | wc -l";
        CHECK(in_web({"--privileged"}, all).out == "1\n");
        CHECK(contains(in_web({"--privileged"}, "grep CapBnd /proc/self/status").out, "000001ff"));
        // It is the command's alone: what is inside, and who comes next, has what it had.
        CHECK(in_web({}, walls).out == "NoNewPrivs:\t1\nSeccomp:\t2\n");
        // As somebody else than root it has none to begin with.
        CHECK(in_web({"--privileged", "-u", "1000"}, "grep CapEff /proc/self/status").out ==
              "CapEff:\t0000000000000000\n");
        (void)done({"stop", "web"});
    }
}
