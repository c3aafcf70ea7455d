// SPDX-License-Identifier: MIT
//
// `vial boot` where its specs have changed: what is new is started, what has gone is stopped, what has changed begins anew, and
// all else goes on.

#include "base/os.h"
#include "boot.h"

using namespace vial;
using namespace vial::test;

TEST_CASE("boot: a reload starts what is new, stops what is gone, and begins anew only what has changed")
{
    const NothingLeft nothing_left;
    Boot boot;
    for (const char* name : {"c-same", "c-changed", "c-gone", "c-stopped"})
        boot.container(name);
    for (const char* name : {"d-same", "d-changed", "d-gone", "d-stopped"})
        boot.daemon(name);
    boot.daemon("once", "oneshot = true\ncommand = " + shell("echo run >>" + data() + "/once") + "\n");
    boot.daemon("c-to-d");
    boot.container("d-to-c");
    boot.start();
    for (const char* name : {"c-same", "c-changed", "c-gone", "c-stopped", "d-same", "d-changed", "d-gone", "d-stopped",
                             "once", "c-to-d", "d-to-c"})
        CHECK(is(name, "ready"));
    (void)done({"stop", "c-stopped", "d-stopped"});
    const auto pid = [](const char* name) { return pid_at_boot(name); };
    const std::string same_c = pid("c-same"), same_d = pid("d-same"), changed_c = pid("c-changed"),
                      changed_d = pid("d-changed"), gone_c = pid("c-gone"), gone_d = pid("d-gone"),
                      to_c = pid("d-to-c"), to_d = pid("c-to-d");

    boot.container("c-changed", "environment = { A = \"1\" }\n");
    boot.put("d-changed.conf.d/more.conf", "environment = { A = \"1\" }\n");
    boot.container("c-to-d");
    boot.daemon("d-to-c");
    boot.container("c-new");
    boot.daemon("d-new");
    ::unlink(boot.path("c-gone.conf").c_str());
    ::unlink(boot.path("d-gone.conf").c_str());
    (void)done({"reload", "boot"});
    CHECK(is("c-new", "ready"));
    CHECK(is("d-new", "ready"));
    CHECK(anew("c-changed", changed_c));
    CHECK(anew("d-changed", changed_d));
    CHECK(anew("c-to-d", to_d));
    CHECK(anew("d-to-c", to_c));
    for (const std::string& ended : {changed_c, changed_d, gone_c, gone_d, to_c, to_d})
        CHECK(eventually([&] { return !lives(ended); }));
    CHECK(is("c-same", "ready"));
    CHECK(pid_at_boot("c-same") == same_c);
    CHECK(pid_at_boot("d-same") == same_d);
    CHECK(of("boot", "c-stopped", "state") == "\"stopped\"");
    CHECK(of("boot", "d-stopped", "state") == "\"stopped\"");
    CHECK(of("boot", "c-gone", "state") == "");
    CHECK(written("once") == "run\n");
    CHECK(state("d-to-c") != "\"running\"");

    // Changed, what is at rest is started.
    boot.daemon("d-stopped", "environment = { A = \"1\" }\n");
    boot.process().kill(SIGHUP);
    CHECK(is("d-stopped", "ready"));
    CHECK(of("boot", "c-stopped", "state") == "\"stopped\"");
}

TEST_CASE("boot: what runs of a spec with which something is wrong by now is left alone; what could not start for "
          "another's sake can")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("web");
    boot.daemon("db");
    boot.daemon("bad", "command = [\"/bin/false\"]\n");
    boot.daemon("needy", "requires = [\"bad\"]\n");
    boot.start();
    CHECK(is("web", "ready"));
    CHECK(is("db", "ready"));
    CHECK(is("needy", "failed"));
    const std::string web = pid_at_boot("web"), db = pid_at_boot("db");
    for (const char* file : {"web.conf", "db.conf"})
        write_text(boot.path(file), read_text(boot.path(file)) + "wrong = wrong\n");
    boot.daemon("bad");
    (void)done({"reload", "boot"});
    CHECK(is("bad", "ready"));
    CHECK(is("needy", "ready"));
    CHECK(boot.says("web.conf:"));
    CHECK(lives(web));
    CHECK(lives(db));
    boot.container("web");
    boot.daemon("db");
    (void)done({"reload", "boot"});
    CHECK(is("web", "ready"));
    CHECK(is("db", "ready"));
    CHECK(pid_at_boot("web") == web);
    CHECK(pid_at_boot("db") == db);
    write_text(boot.path("web.conf"), "wrong");
    (void)done({"reload", "boot"});
    CHECK(eventually([] { return of("boot", "db", "state") == "\"ready\"" && of("boot", "web", "state") == ""; }));
    CHECK(boot.stop() == 0);
    CHECK_FALSE(lives(web));
}

TEST_CASE("boot: one who says what to do while it becomes another one is heard")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("db", at_once);
    boot.container("web", at_once);
    boot.start();
    CHECK(is("db", "ready"));
    CHECK(is("web", "ready"));
    for (int turn = 0; turn < 30; turn++) {
        boot.process().kill(SIGHUP);
        (void)done({turn % 2 == 0 ? "restart" : "start", "db"});
    }
    CHECK(is("db", "ready"));
    CHECK(is("web", "ready"));
}

TEST_CASE("boot: it is asked again and again to read its specs while all start, fail and stop")
{
    const NothingLeft nothing_left;
    Boot boot;
    for (int number = 0; number < 5; number++) {
        boot.container("c" + std::to_string(number));
        boot.container("flapping" + std::to_string(number),
                       "restart = \"always\"\nrestart_delay = \"1ms\"\ncommand = [\"/bin/false\"]\n");
        boot.daemon("d" + std::to_string(number));
    }
    boot.start();
    CHECK(is("d4", "ready"));
    for (int turn = 0; turn < 100; turn++) {
        boot.process().kill(SIGHUP);
        ::usleep(3000);
    }
    // That those flap does not keep it from it.
    boot.daemon("late");
    boot.process().kill(SIGHUP);
    CHECK(is("late", "ready"));
    for (int number = 0; number < 5; number++)
        for (const char* kind : {"c", "d"})
            CHECK(is(kind + std::to_string(number), "ready"));
    const std::string slow =
        "stop_timeout = \"20s\"\ncommand = " + shell("trap 'sleep 1; exit 0' TERM; while :; do sleep 0.05; done") +
        "\n";
    boot.daemon("slow", slow);
    boot.process().kill(SIGHUP);
    CHECK(is("slow", "ready"));
    const std::string pid = pid_at_boot("slow");
    Process stop(ctl_words({"stop", "slow"}));
    CHECK(is("slow", "stopping"));
    boot.daemon("later");
    boot.process().kill(SIGHUP);
    CHECK(is("later", "ready"));
    CHECK(stop.wait() == 0);
    CHECK_FALSE(lives(pid));
    CHECK(of("boot", "slow", "state") == "\"stopped\"");
    CHECK(boot.stop() == 0);
}

TEST_CASE("boot: a spec that is put back while what was started of it is being stopped is started again")
{
    const NothingLeft nothing_left;
    for (const bool contained : {true, false}) {
        CAPTURE(contained);
        Boot boot;
        const std::string place = contained ? "/data" : data();
        const std::string mounts = contained ? "mounts = [\"" + data() + ":/data\"]\n" : "";
        const std::string slow = mounts + "stop_timeout = \"20s\"\ncommand = " +
                                 shell("trap 'touch " + place +
                                       "/stopping; sleep 1; exit 0' TERM; "
                                       "touch " +
                                       place + "/up; while :; do sleep 0.05; done") +
                                 "\n";
        const auto put = [&] { contained ? boot.container("slow", slow) : boot.daemon("slow", slow); };
        put();
        boot.start();
        CHECK(is("slow", "ready"));
        CHECK(eventually([] { return exists(data() + "/up"); }));
        const std::string pid = pid_at_boot("slow");
        ::unlink(boot.path("slow.conf").c_str());
        (void)done({"reload", "boot"});
        CHECK(eventually([] { return exists(data() + "/stopping"); }));
        put();
        (void)done({"reload", "boot"});
        CHECK(anew("slow", pid));
        CHECK_FALSE(lives(pid));
        const std::string second = pid_at_boot("slow");
        ::usleep(300000);
        CHECK(is("slow", "ready"));
        CHECK(pid_at_boot("slow") == second);
        CHECK(boot.stop() == 0);
    }
}

TEST_CASE("boot: what a reload does not change keeps its restarts, and the delay of the next one")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("db", at_once);
    boot.container("web", at_once);
    boot.daemon("flapping", "restart = \"always\"\nrestart_delay = \"100ms\"\nrestart_backoff = \"1h\"\n"
                            "command = [\"/bin/false\"]\n");
    boot.daemon("changed", at_once);
    boot.start();
    for (const char* name : {"db", "web", "changed"}) {
        CHECK(is(name, "ready"));
        const std::string before = pid_at_boot(name);
        kill_at_boot(name);
        CHECK(anew(name, before));
        CHECK(of("boot", name, "restarts") == "1");
    }
    const auto restarts = [] { return std::atol(of("boot", "flapping", "restarts").c_str()); };
    CHECK(eventually([&] { return restarts() >= 5; }, 20000));  // the next comes after 3.2 seconds
    boot.daemon("changed", at_once + "environment = { A = \"1\" }\n");
    boot.daemon("late");
    const long before = restarts();
    (void)done({"reload", "boot"});
    CHECK(is("late", "ready"));
    CHECK(of("boot", "db", "restarts") == "1");
    CHECK(of("boot", "web", "restarts") == "1");
    CHECK(of("boot", "changed", "restarts") == "0");
    CHECK(of("boot", "db", "last_exit") != "null");
    CHECK(restarts() >= before);
    const std::int64_t began = os::boottime_ms();
    if (restarts() == before) {
        CHECK(is("flapping", "backoff"));
        CHECK(eventually([&] { return restarts() > before; }, 20000));
        CHECK(os::boottime_ms() - began > 500);
    }
    CHECK(boot.stop() == 0);
}

TEST_CASE("boot: a reload waits no longer than two seconds for containers that are being started")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("slow", "[service.main]\nready = \"notify\"\ncommand = [\"/bin/sleep\", \"1000\"]\n");
    boot.start();
    CHECK(is("slow", "starting"));
    CHECK(eventually([] { return state("slow") == "\"running\""; }));
    const int pid = init_pid("slow");
    boot.daemon("late");
    (void)done({"reload", "boot"});
    CHECK(is("late", "ready"));
    CHECK(is("slow", "starting"));
    CHECK(init_pid("slow") == pid);
    CHECK(boot.stop() == 0);
}
