// SPDX-License-Identifier: MIT
//
// Nothing happens, nothing wakes it: the only test here that lets time pass, and so a program of its own, beside which
// others run.

#include "pid1.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <memory>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// Voluntary context switches so far: each time it went to sleep again.
long sleeps_of(pid_t pid)
{
    return std::atol(status_of(pid, "voluntary_ctxt_switches").c_str());
}

struct Watched {
    std::string what;
    pid_t init;
    long before = -1;
};

}  // namespace

// tini wakes up every second, runit every five; dumb-init, catatonit and s6 pass.
TEST_CASE("pid1-59: nothing happens for 30 s, nothing wakes init, however it was started")
{
    const NothingLeft nothing_left;
    std::vector<std::unique_ptr<Process>> processes;
    std::vector<Watched> all;
    const auto begin = [&](const std::string& what, const Words& words, bool first) {
        processes.push_back(std::make_unique<Process>(words, Process::Streams::Pipes, contained()));
        all.push_back({what, first ? processes.back()->pid() : child_of(processes.back()->pid())});
    };
    begin("a command", pid1({"sleep", "1000"}), true);
    if (is_vial()) {
        begin("not PID 1", not_pid1({"--subreaper"}, {"sleep", "1000"}), false);
        const std::string link = empty_directory("names") + "/tini";
        CHECK(::symlink(ctl_words({}).front().c_str(), link.c_str()) == 0);
        begin("as tini", {link, "--", "sleep", "1000"}, true);
        begin("with a socket and a log",
              pid1({"--control", work() + "/control", "--log", work() + "/idle"}, {"sleep", "1000"}), true);
        begin("pausing", ctl_words({"init", "--pause"}), true);
        write_text(work() + "/several.conf",
                   "[service.one]\ncommand = [\"sleep\", \"1000\"]\nrestart = \"always\"\n"
                   "[service.two]\ncommand = [\"sleep\", \"1000\"]\nready = \"fd\"\nstart_timeout = \"1h\"\n"
                   "[service.done]\ncommand = [\"true\"]\noneshot = true\n");
        begin("several services", ctl_words({"init", "--spec", work() + "/several.conf"}), true);
        (void)done({"start", spec("idle", "root = \"ROOT\"\n[service.one]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                          "[service.two]\nafter = [\"one\"]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                                          "[service.ended]\ncommand = [\"/bin/true\"]\n")});
        all.push_back({"a container", init_pid("idle")});
    }
    // What it does after the start, closing this and that, is over when it has not slept again for a while.
    for (Watched& one : all) {
        CAPTURE(one.what);
        REQUIRE(one.init > 1);
        CHECK(eventually(
            [&] {
                const long last = one.before;
                one.before = sleeps_of(one.init);
                const bool up = one.what == "pausing" || !children_of(one.init).empty();
                return up && last == one.before && state_of(one.init) == 'S';
            },
            patience));
    }
    const auto stirred = [&] {
        for (const Watched& one : all) {
            if (sleeps_of(one.init) != one.before) {
                MESSAGE("it woke: " << one.what);
                return true;
            }
        }
        return false;
    };
    CHECK_FALSE(eventually(stirred, 30000));
    for (const Watched& one : all)
        CHECK(state_of(one.init) == 'S');
    if (is_vial())
        (void)done({"stop", "idle"});
}
