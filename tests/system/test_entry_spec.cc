// SPDX-License-Identifier: MIT
//
// `vial init --spec`: the services of a spec without a launcher; what is refused, what is told, and what its services may
// do to init.

#include "entry.h"
#include "spec_services.h"

#include "base/json.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

using namespace vial;
using namespace vial::test;

TEST_CASE("a spec without a root: its services run, and what takes a launcher is refused by name")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/services.conf";
    write_text(file, "[service.first]\ncommand = [\"/bin/sh\", \"-c\", \"echo first; exit 0\"]\n"
                     "[service.second]\ncommand = [\"/bin/sh\", \"-c\", \"echo second $WORD; exit 3\"]\n"
                     "environment = [\"WORD=two\"]\n");
    const Finished finished = init({"--spec", file});
    CAPTURE(finished.err);
    CHECK(finished.code == 3);
    CHECK(contains(finished.out, "first\n"));
    CHECK(contains(finished.out, "second two\n"));

    write_text(file, "root = \"/\"\ncommand = [\"/bin/true\"]\n[limits]\nmemory = \"1M\"\n");
    const Finished refused = init({"--spec", file});
    CHECK(refused.code == 125);
    CHECK(contains(refused.err, "'root' takes a launcher"));
    CHECK(contains(refused.err, "'limits' takes a launcher"));

    write_text(file, "command = [\"/tmp\"]\n");
    const Finished directory = init({"--spec", file});
    CHECK(directory.code == 126);
    CHECK(lines(directory.err).size() == 1);
    CHECK(contains(directory.err, "/tmp: it is a directory"));
    CHECK(init({"--spec", work() + "/none.conf"}).code == 125);

    write_text(file, "[service.a]\ncommand = [\"/bin/true\"]\nafter = [\"b\"]\n"
                     "[service.b]\ncommand = [\"/bin/true\"]\nrequires = [\"a\"]\n");
    const Finished loop = init({"--spec", file});
    CHECK(loop.code == 125);
    CHECK(lines(loop.err).size() == 1);
    CHECK(contains(loop.err, "the services wait for each other: a -> b -> a"));
}

TEST_CASE("a service that is not there when its turn comes is told in one line, and init lives on")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/later.conf", path = work() + "/later";
    write_text(file, "[service.first]\noneshot = true\ncommand = [\"/bin/sleep\", \"0.2\"]\n"
                     "[service.second]\nafter = [\"first\"]\ncommand = [\"/tmp\"]\n"
                     "[service.third]\ncommand = [\"/bin/sleep\", \"1000\"]\n");
    Process process(contained(ctl_words({"init", "--verbose", "--control", path, "--spec", file})));
    CHECK(eventually([&] { return contains(ControlLine(path).ask("status"), "\"second\",\"state\":\"failed\""); }));
    CHECK(contains(ControlLine(path).ask("status"), "\"third\",\"state\":\"ready\""));
    CHECK(ControlLine(path).ask("shutdown") == "{\"ok\":true}\n");
    CHECK(process.wait() == 126);
    std::size_t told = 0;
    for (const std::string& line : lines(process.errors()))
        told += contains(line, "second: cannot execute /tmp: it is a directory");
    CHECK(told == 1);
}

TEST_CASE(
    "a spec's service says that it is ready, or where it has gone; where there is no place for a socket that is told")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/telling.conf";
    write_text(file, "command = [\"" + payload("notify") + "\", \"=READY=1\", \"exit=6\"]\nready = \"notify\"\n");
    const auto on_dev = [&](const std::string& option) {
        return run(contained(shell("mount -t tmpfs -o " + option + " none /dev && exec \"$@\"") + Words{"sh"} +
                             ctl_words({"init", "--spec", file})));
    };
    CHECK(on_dev("rw").code == 6);
    const Finished refused = on_dev("ro");
    CHECK(refused.code == 125);
    CHECK(refused.err == "vial: cannot make the socket that ready = \"notify\" takes, in /dev/notify: "
                         "Read-only file system\n");

    // pid1-41, without a control group of its own.
    write_text(file, "pid_file = \"" + work() + "/telling.pid\"\ncommand = [\"" + payload("notify") +
                         "\", \"background\", \"+100\", \"pid=" + work() + "/telling.pid\", \"+100\", \"exit=7\"]\n");
    CHECK(init({"--spec", file}).code == 7);
}

TEST_CASE("TERM stops the services of a spec in order")
{
    const NothingLeft nothing_left;
    const std::string file = work() + "/stopped.conf";
    write_text(
        file,
        "command = [\"/bin/sh\", \"-c\", \"trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 1; done\"]\n");
    Process process(ctl_words({"init", "--no-grace", "--spec", file}));
    CHECK(process.expect("up\n"));
    process.kill(SIGTERM);
    CHECK(process.expect("asked\n"));
    CHECK(process.wait() == 0);
}

TEST_CASE("ready = \"fd\": starts that fail, again and again, leave no descriptors with init")
{
    const NothingLeft nothing_left;
    const std::string text = "[service.first]\noneshot = true\ncommand = [\"/bin/sleep\", \"0.1\"]\n"
                             "[service.main]\nafter = [\"first\"]\nready = \"fd:9\"\nrestart = \"always\"\n"
                             "restart_delay = \"1ms\"\nrestart_backoff = \"1ms\"\ncommand = [\"/bin/no-such\"]\n";
    // Those whose output is kept share their descriptors with init at first.
    for (const Words& options : {Words{}, Words{"--log", work() + "/kept"}}) {
        CAPTURE(options.size());
        Services services(text + other, options);
        const auto after = [&](std::int64_t restarts) {
            CHECK(eventually([&] { return json::number(services.of("main", "restarts")).value_or(0) >= restarts; }));
            CHECK(services.ask("stop main") == "{\"ok\":true}\n");
            CHECK(services.becomes("main", "stopped"));
        };
        after(3);
        const std::size_t before = descriptors_of(services.pid());
        CHECK(services.ask("start main") == "{\"ok\":true}\n");
        after(100);
        // The connection that asked last may be open still.
        CHECK(eventually([&] { return descriptors_of(services.pid()) <= before; }));
        CHECK(services.end() == 0);
    }
}

TEST_CASE("ready = \"fd:N\" where few descriptors are allowed: it works, or is told in one line by the key's name")
{
    const NothingLeft nothing_left;
    constexpr rlim_t few = 64;
    for (const Words& options : {Words{}, Words{"--log", work() + "/kept"}}) {
        for (const rlim_t most : {few, rlim_t{4096}}) {
            for (const int number : {3, 40, 61, 62, 63, 64, 100, 1000}) {
                CAPTURE(options.size());
                CAPTURE(most);
                CAPTURE(number);
                const std::string text = std::to_string(number);
                Contained process(init_words(options, "ready = \"fd:" + text + "\"\ncommand = [\"/bin/sh\", \"-c\", " +
                                                          "\"echo >/proc/self/fd/" + text + "; exec sleep 1000\"]\n"),
                                  [&] {
                                      const rlimit limit{few, most};
                                      (void)::setrlimit(RLIMIT_NOFILE, &limit);
                                  });
                CHECK(eventually([&] { return process.has_ended() || service_field("main", "state") == "\"ready\""; }));
                const bool works = !process.has_ended();
                // Beside it init needs some itself, where the service may have as many as init.
                CHECK((works || number > 60));
                CHECK((!works || number < static_cast<int>(few)));
                process.kill(SIGTERM);
                CHECK(process.end() == (works ? 128 + SIGTERM : 125));
                CAPTURE(process.errors());
                CHECK(lines(process.errors()).size() == (works ? 0 : 1));
                CHECK((works || contains(process.errors(), "ready = \"fd\"")));
            }
        }
    }
}

TEST_CASE("ready = \"fd\": who closes it without a word is not ready, and init sleeps meanwhile")
{
    const NothingLeft nothing_left;
    Services services("[service.main]\nready = \"fd\"\nstart_timeout = \"1h\"\n"
                      "command = [\"/bin/sh\", \"-c\", \"exec 3>&-; echo closed; exec sleep 1000\"]\n" +
                      std::string(other));
    CHECK(services.says("closed"));
    CHECK(services.of("main", "state") == "\"starting\"");
    CHECK(eventually([&] { return state_of(services.pid()) == 'S'; }, patience));
    CHECK_FALSE(eventually([&] { return state_of(services.pid()) == 'R'; }, 200));
    CHECK(services.end() == 0);
}
