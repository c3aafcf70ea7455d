// SPDX-License-Identifier: MIT
//
// Services that put themselves into the background and say in a pid file where they have gone (pid1-41). That they may
// say so with MAINPID is in test_supervision.cc.

#include "services.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace vial;
using namespace vial::test;

namespace {

/// A spec's command: goes into the background, and then does what is said.
std::string daemon(const std::string& words)
{
    return "command = [\"/file\", \"background\", " + words + "]\n";
}

/// Processes in the cgroup of a service.
std::size_t processes(const std::string& container, const std::string& service)
{
    return lines(read_text(cgroup("pids", container + "/" + service + "/cgroup.procs"))).size();
}

}  // namespace

TEST_CASE("pid1-41: a service in the background is followed by its pid file: readiness, pid, end, as any user")
{
    const NothingLeft nothing_left;
    for (const char* user : {"", "user = 65534\ngroup = 65534\n"}) {
        (void)done({"start", service_spec("daemon", "[service.main]\npid_file = \"/data/pid\"\n" + std::string(user) +
                                                        daemon("\"@/data/go\", \"pid=/data/pid\", \"@/data/end\", "
                                                               "\"exit=9\"") +
                                                        "[service.front]\nafter = [\"main\"]\n"
                                                        "command = [\"/bin/true\"]\n")});
        // What was started has gone, and nobody is known yet.
        CHECK(eventually([] { return pid_of("daemon") == "null"; }));
        CHECK(of("daemon", "main", "state") == "\"starting\"");
        CHECK(of("daemon", "front", "state") == "\"waiting\"");
        write_text(data() + "/go", "");
        CHECK(becomes("daemon", "main", "ready"));
        CHECK(pid_of("daemon") + "\n" == written("pid"));
        CHECK(becomes("daemon", "front", "stopped"));
        write_text(data() + "/end", "");
        CHECK(done({"wait", "daemon"}) == "9\n");
        (void)done({"stop", "daemon"});
    }
}

TEST_CASE("pid1-41: one that crashes in the background is started and followed again; a stop reaches it")
{
    const NothingLeft nothing_left;
    // The file of the former life is still there, and is not believed.
    (void)done({"start", service_spec("again", "[service.main]\npid_file = \"/data/pid\"\nrestart = \"always\"\n"
                                               "restart_delay = \"1ms\"\n" +
                                                   daemon("\"@/data/go\", \"pid=/data/pid\"") +
                                                   "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    write_text(data() + "/go", "");
    CHECK(becomes("again", "main", "ready"));
    std::string last = pid_of("again");
    for (int turn = 0; turn < 3; turn++) {
        (void)done({"kill", "--service", "main", "--signal", "KILL", "again"});
        CHECK(eventually([&] {
            return of("again", "main", "state") == "\"ready\"" && pid_of("again") != last &&
                   pid_of("again") + "\n" == written("pid");
        }));
        last = pid_of("again");
        CHECK(processes("again", "main") == 1);
    }
    CHECK(of("again", "main", "restarts") == "3");
    (void)done({"stop", "again"});
}

TEST_CASE("pid1-41: who is stopped before its pid file names it is killed")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("early", "[service.main]\npid_file = \"/data/pid\"\n" + daemon("\"@/data/go\"") +
                                                   "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(eventually([] { return pid_of("early") == "null" && processes("early", "main") == 1; }));
    (void)done({"restart", "early", "--service", "main"});
    CHECK(eventually([] { return pid_of("early") == "null" && processes("early", "main") == 1; }));
    (void)done({"stop", "early"});
}

// Each leaves somebody behind who could be followed, and a file that must not be.
TEST_CASE("pid1-41: a pid file that is not to be trusted is not followed, and the log says why")
{
    const NothingLeft nothing_left;
    const std::string pid = "/data/$0.pid", orphan = "(sleep 1000 & echo $! >/data/$0.real); ";
    const struct {
        const char *name, *script, *words;
    } cases[] = {
        {"first", "echo 1 >PID", "holds no process's number"},
        {"none", "echo 0 >PID", "holds no process's number"},
        {"all", "echo -1 >PID", "holds no process's number"},
        {"wide", "echo 4294967298 >PID", "holds no process's number"},
        {"words", "echo $(cat REAL) sleep >PID", "holds no process's number"},
        {"empty", ": >PID", "holds no process's number"},
        {"dead", "(exit 0) & echo $! >PID; wait", "names no process of the service"},
        {"theirs", "while ! [ -s /data/victim ]; do sleep 0.02; done; cat /data/victim >PID",
         "names no process of the service"},
        {"child", "sleep 1000 | { read -r l; } & cat REAL >PID; touch -d 2001-01-01 PID", "is older than the service"},
        {"pipe", "mkfifo PID", "is not a regular file"},
        {"link", "cp REAL PID.to; ln -s PID.to PID", "Symbolic link loop"},
        {"folder", "mkdir PID", "is not a regular file"},
        {"missing", ":", "No such file or directory"},
    };
    std::string text = "[service.victim]\ncommand = " + shell("echo $$ >/data/victim; exec sleep 1000") + "\n";
    const auto add = [&](const std::string& name, std::string script, const std::string& user) {
        for (const char* word : {"PID", "REAL"}) {
            const std::string is = *word == 'P' ? pid : "/data/$0.real";
            for (std::size_t at = script.find(word); at != script.npos; at = script.find(word, at + is.size()))
                script.replace(at, std::string(word).size(), is);
        }
        text += "[service." + name + "]\nstart_timeout = \"5s\"\npid_file = \"/data/" + name + ".pid\"\n" + user +
                "command = [\"/bin/sh\", \"-c\", \"" + orphan + script + "\", \"" + name + "\"]\n";
    };
    for (const auto& one : cases)
        add(one.name, one.script, "");
    // Of two users each has only what is its own.
    const std::string nobody = "user = 65534\ngroup = 65534\n";
    add("foreign", "while ! [ -s /data/first.real ]; do sleep 0.02; done; cat /data/first.real >PID", nobody);
    add("owned", "while ! [ -s /data/owned.pid ]; do sleep 0.02; done", nobody);
    add("owner", "cat REAL >/data/owned.pid; chown 12345 /data/owned.pid; cat REAL >PID", "");
    (void)done({"start", service_spec("mistrust", text)});
    CHECK(becomes("mistrust", "owner", "ready"));
    const auto says = [](const std::string& name, const std::string& words) {
        CAPTURE(name);
        CAPTURE(words);
        CHECK(becomes("mistrust", name, "failed"));
        CHECK(of("mistrust", name, "reason") == "\"it was not ready in time\"");
        bool said = false;
        for (const std::string& line : lines(ctl({"logs", "mistrust"}).out))
            said = said || (line.starts_with("[" + name + ": ") && contains(line, words));
        CHECK(said);
        CHECK(eventually([&] { return processes("mistrust", name) == 0; }));
    };
    for (const auto& one : cases)
        says(one.name, one.words);
    says("foreign", "names no process of the service");
    says("owned", "is not of root or the service's user");
    CHECK(of("mistrust", "victim", "state") == "\"ready\"");
    (void)done({"stop", "mistrust"});
}

TEST_CASE("pid1-41: without pid_file a service ends with what was started, whatever that leaves behind")
{
    const NothingLeft nothing_left;
    (void)done({"start", service_spec("plain", "[service.main]\n" + daemon("\"pid=/data/pid\"") +
                                                   "[service.other]\ncommand = [\"/bin/sleep\", \"1000\"]\n")});
    CHECK(becomes("plain", "main", "stopped"));
    CHECK(eventually([] { return processes("plain", "main") == 0; }));
    CHECK(ctl({"kill", "plain", "--signal", "TERM"}).code == 0);
    (void)done({"stop", "plain"});
}
