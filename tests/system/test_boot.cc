// SPDX-License-Identifier: MIT
//
// `vial boot`: what is started, in which order, what is said of what is wrong, and how it ends. That it goes on where another
// one was is in test_boot_again.cc.

#include "boot.h"

using namespace vial;
using namespace vial::test;

namespace {

/// A service of the host's that writes a line as it begins and another as it ends.
std::string witness(const std::string& name)
{
    const std::string file = data() + "/order";
    return "command = " +
           shell("trap 'echo -" + name + " >>" + file + "; exit 0' TERM; echo +" + name + " >>" + file +
                 "; while :; do sleep 0.05; done") +
           "\n";
}

}  // namespace

TEST_CASE(
    "boot: who requires another waits until that one is ready; the end comes in the reverse order, and leaves nothing")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("a-last", "after = [\"b-container\"]\n" + witness("last"));
    boot.container("b-container",
                   "requires = [\"c-daemon\"]\nmounts = [\"" + data() +
                       ":/data\"]\n"
                       "[service.main]\nready = \"fd\"\ncommand = " +
                       shell("echo +container >>/data/order; while ! [ -e /data/go2 ]; do sleep 0.02; done; "
                             "echo >&3; exec 3>&-; trap 'echo -container >>/data/order; exit 0' TERM; "
                             "while :; do sleep 0.05; done") +
                       "\n");
    boot.daemon("c-daemon", "ready = \"notify\"\ncommand = [\"" + payload("notify") + "\", \"@" + data() +
                                "/go1\", \"=READY=1\"]\n");
    boot.put("d-manual.conf", "command = [\"/bin/sleep\", \"1000\"]\n");
    boot.start();
    CHECK(is("c-daemon", "starting"));
    CHECK(of("boot", "b-container", "state") == "\"waiting\"");
    CHECK(of("boot", "d-manual", "state") == "\"stopped\"");
    CHECK_FALSE(exists(data() + "/order"));
    write_text(data() + "/go1", "");
    CHECK(wrote("order", "+container\n"));
    CHECK(is("b-container", "starting"));
    CHECK(of("boot", "a-last", "state") == "\"waiting\"");
    write_text(data() + "/go2", "");
    CHECK(is("a-last", "ready"));
    CHECK(boot.says("[ ok ] a-last "));
    CHECK(contains(boot.said(), "[ ok ] c-daemon "));
    CHECK(wrote("order", "+container\n+last\n"));
    const std::string daemon = pid_at_boot("c-daemon"), container = pid_at_boot("b-container");
    CHECK(std::to_string(init_pid("b-container")) == container);
    CHECK(boot.stop() == 0);
    CHECK(written("order") == "+container\n+last\n-last\n-container\n");
    CHECK_FALSE(lives(daemon));
    CHECK_FALSE(lives(container));
}

TEST_CASE("boot: drop-ins override and add, and are named with the place of what is wrong in them")
{
    const NothingLeft nothing_left;
    Boot boot;
    const std::string out = data() + "/said";
    boot.daemon("web", "environment = { A = \"1\", B = \"2\" }\ncommand = " +
                           shell("echo $A $B $C >" + out + "; exec sleep 1000") + "\n");
    boot.put("web.conf.d/10-one.conf", "environment.B = \"3\"\n");
    boot.put("web.conf.d/20-two.conf", "[environment]\nB = \"4\"\nC = \"5\"\n");
    boot.put("web.conf.d/30-three.txt", "no spec");
    boot.put("web.conf.d/.hidden.conf", "no spec");
    boot.container("bad");
    boot.put("bad.conf.d/more.conf", "\n  command = 3\n");
    boot.container("worse");
    boot.put("worse.conf.d/more.conf", "a b\n");
    boot.container("folder");
    boot.put("folder.conf.d", "a file");
    boot.container("deep");
    boot.put("deep.conf.d/x.conf", "");
    CHECK(run({"sh", "-c", "rm " + boot.path("deep.conf.d/x.conf") + "; mkdir " + boot.path("deep.conf.d/x.conf")})
              .code == 0);
    boot.start();
    CHECK(wrote("said", "1 4 5\n"));
    CHECK(is("folder", "ready"));
    CHECK(boot.says("vial: " + boot.path("bad.conf.d/more.conf") + ":2:3: command: expected an array of strings"));
    CHECK(boot.says("vial: " + boot.path("worse.conf.d/more.conf") + ":1:3: expected '='"));
    CHECK(boot.says(boot.path("deep.conf.d/x.conf")));
    CHECK(contains(refused(2, {"start", boot.path("bad.conf")}), boot.path("bad.conf.d/more.conf") + ":2:3: "));
}

TEST_CASE("boot: what is wrong with the specs is said, and the others are started")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.put("broken.conf", "command = 3\n");
    boot.put("empty.conf", "");
    boot.daemon("good");
    boot.daemon("loop-a", "requires = [\"loop-b\"]\n");
    boot.daemon("loop-b", "after = [\"loop-c\"]\n");
    boot.daemon("loop-c", "after = [\"loop-a\"]\n");
    boot.daemon("on-loop", "requires = [\"loop-a\"]\n");
    boot.daemon("after-loop", "after = [\"loop-a\"]\n");
    boot.daemon("itself", "after = [\"itself\"]\n");
    boot.daemon("lonely", "requires = [\"nobody\"]\n");
    boot.daemon("on-lonely", "requires = [\"lonely\"]\n");
    boot.daemon("after-nobody", "after = [\"nobody\"]\n");
    boot.daemon("stranger", "user = \"nobody-knows\"\n");
    boot.daemon("friend", "user = \"nobody\"\n");
    boot.daemon("twin");
    boot.put("twin2.conf", "name = \"twin\"\nautostart = true\ncommand = [\"/bin/false\"]\n");
    boot.daemon("boot");
    boot.put("x.conf", "autostart = true\n[service.y]\ncommand = [\"/bin/sleep\", \"1000\"]\n"
                       "[service.z]\ncommand = [\"/bin/sleep\", \"1000\"]\n");
    boot.daemon("x.y");
    ::mkdir(boot.path("directory.conf").c_str(), 0755);
    ::symlink("nowhere", boot.path("dangling.conf").c_str());
    boot.put("noise.conf", std::string("\x7f\x45\x4c\x46\0\0\xff", 7));
    boot.start();
    for (const char* name : {"good", "friend", "after-loop", "after-nobody", "twin", "x.y", "x.z"})
        CHECK(is(name, "ready"));
    for (const char* name :
         {"broken", "loop-a", "loop-b", "loop-c", "on-loop", "itself", "lonely", "on-lonely", "stranger", "boot"})
        CHECK_MESSAGE(of("boot", name, "state") == "", name);
    CHECK(boot.says("vial: " + boot.path("broken.conf") + ":1:1: command: expected"));
    for (const std::string& words :
         {boot.path("empty.conf") + ": ", std::string("they wait for each other: not started"),
          std::string("on-loop: requires 'loop-a', which is not there: not started"),
          boot.path("itself.conf") + ": it waits for itself: not started",
          std::string("lonely: requires 'nobody', which is not there: not started"),
          std::string("on-lonely: requires 'lonely', which is not there: not started"),
          boot.path("twin2.conf") + ": there is another spec named 'twin'",
          boot.path("boot.conf") + ": 'boot' is the name of what starts it; choose another",
          boot.path("x.y.conf") + ": there is another spec", boot.path("directory.conf"), boot.path("dangling.conf"),
          boot.path("noise.conf"), boot.path("stranger.conf") + ": cannot look up nobody-knows: no such user in its"})
        CHECK(boot.says(words));
    CHECK(lines(boot.said()).size() == 14 + 7);  // each once, and the seven that are ready

    // There is one at a time.
    CHECK(contains(refused(1, {"boot", boot.directory()}), "it is running already"));
}

TEST_CASE("check: services of the host, host.conf, and all that a device boots with")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("good");
    boot.container("web", "requires = [\"good\"]\n");
    boot.put("host.conf", "hostname = \"gateway\"\n");
    CHECK(done({"check", boot.path("good.conf"), boot.path("host.conf"), boot.directory()}) == "");

    boot.put("host.conf", "hostname = \"gateway\"\nwatchdog = true\n");
    const std::string watchdog = boot.path("host.conf") + ":2:1: watchdog: expected";
    CHECK(contains(refused(2, {"check", boot.path("host.conf")}), watchdog));
    boot.put("broken.conf", "command = 3\n");
    boot.daemon("loop-a", "requires = [\"loop-b\"]\n");
    boot.daemon("loop-b", "after = [\"loop-a\"]\n");
    boot.daemon("lonely", "requires = [\"nobody\"]\n");
    const Finished finished = ctl({"check", boot.directory()});
    const std::string& all = finished.err;
    CHECK(finished.code == 2);
    for (const std::string& wanted : {watchdog, boot.path("broken.conf") + ":1:1: command: expected",
                                      std::string("loop-a -> loop-b -> loop-a: they wait for each other"),
                                      std::string("lonely: requires 'nobody', which is not there")})
        CHECK_MESSAGE(contains(all, wanted), wanted, " is not in: ", all);
    CHECK(lines(all).size() == 4);

    // What only a container has wants a root.
    boot.put("rootless.conf", "command = [\"/bin/true\"]\nhostname = \"x\"\n");
    CHECK(contains(refused(2, {"check", boot.path("rootless.conf")}), "'root' is missing"));
    CHECK(contains(refused(2, {"check", boot.path("none")}), "No such file"));
}

TEST_CASE("boot: a directory that is none, or has nothing in it, is waited with")
{
    const NothingLeft nothing_left;
    Boot boot;
    for (const char* kind : {"empty", "missing", "a file"}) {
        CAPTURE(kind);
        (void)run({"rm", "-rf", boot.directory()});
        if (*kind == 'e')
            ::mkdir(boot.directory().c_str(), 0755);
        else if (*kind == 'a')
            write_text(boot.directory(), "text");
        boot.start();
        CHECK(eventually([] { return ctl({"status", "boot"}).code == 0; }));
        CHECK((boot.said() == "") == (*kind == 'e'));
        if (*kind != 'e')
            CHECK(boot.says(boot.directory()));
        (void)run({"rm", "-rf", boot.directory()});
        ::mkdir(boot.directory().c_str(), 0755);
        boot.daemon("late");
        (void)done({"reload", "boot"});
        CHECK(is("late", "ready"));
        CHECK(boot.stop() == 0);
    }
}

TEST_CASE("boot: only root; one directory; nobody to tell")
{
    const NothingLeft nothing_left;
    CHECK(contains(refused(2, {"boot", "/a", "/b"}), "one directory"));
    CHECK(contains(refused(3, {"boot", "--reexec"}), "no such container"));
}

TEST_CASE("boot: a container that is killed is cleared away and started again, later each time")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("web", "restart = \"always\"\nrestart_delay = \"100ms\"\n");
    boot.container("once");
    boot.daemon("other");
    boot.start();
    CHECK(is("web", "ready"));
    CHECK(is("once", "ready"));
    std::string last = pid_at_boot("web");
    for (int turn = 0; turn < 3; turn++) {
        kill_at_boot("web");
        CHECK(anew("web", last));
        CHECK(state("web") == "\"running\"");
        CHECK(std::to_string(init_pid("web")) == pid_at_boot("web"));
        last = pid_at_boot("web");
    }
    CHECK(of("boot", "web", "restarts") == "3");
    CHECK(boot.says("[fail] web"));
    const std::string group = cgroup("pids", "once");
    CHECK(exists(group));
    kill_at_boot("once");
    CHECK(is("once", "failed"));
    CHECK(eventually([&] { return !exists(group); }));  // though nobody asks for it
    CHECK(of("boot", "other", "restarts") == "0");
}

TEST_CASE("boot: one that can never start fails alone, and it is said why")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.put("rootless.conf", "root = \"/no/such/root\"\nautostart = true\ncommand = [\"/bin/true\"]\n");
    boot.container("commandless", "command = [\"/no/such/command\"]\n");
    boot.daemon("daemonless", "command = [\"/no/such/daemon\"]\n");
    boot.daemon("needy", "requires = [\"rootless\"]\n");
    boot.daemon("good", "after = [\"rootless\", \"commandless\", \"daemonless\"]\n");
    boot.start();
    CHECK(is("good", "ready"));
    for (const char* name : {"rootless", "commandless", "daemonless", "needy"})
        CHECK(is(name, "failed"));
    CHECK(boot.says("/no/such/root"));
    CHECK(boot.says("[fail] rootless: "));
    CHECK(boot.says("[fail] needy: "));
    CHECK(contains(boot.said(), "/no/such/command"));
    CHECK(contains(ctl({"status", "boot"}).out, "rootless"));
    CHECK(contains(of("boot", "needy", "reason"), "rootless"));
    CHECK(contains(ctl({"logs", "boot"}).out, "/no/such/root"));
    CHECK(contains(refused(1, {"start", "rootless"}), "failed"));
    CHECK(boot.stop() == 0);
}

TEST_CASE(
    "boot: stop, start and restart by name, of containers and of the host's services, and what follows for others")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.container("web", "restart = \"always\"\nrestart_delay = \"0s\"\n");
    boot.daemon("db", "restart = \"always\"\nrestart_delay = \"0s\"\n");
    boot.daemon("app", "requires = [\"web\", \"db\"]\n");
    boot.container("loose", "after = [\"web\"]\n");
    boot.start();
    CHECK(is("app", "ready"));
    CHECK(is("loose", "ready"));
    const std::string loose = pid_at_boot("loose");

    for (const char* name : {"web", "db"}) {
        CAPTURE(name);
        const std::string before = pid_at_boot(name), app = pid_at_boot("app");
        (void)done({"restart", name});
        CHECK(pid_at_boot(name) != before);
        CHECK(anew("app", app));
        (void)done({"stop", name});
        CHECK(of("boot", name, "state") == "\"stopped\"");
        CHECK(is("app", "stopped"));
        (void)done({"start", "app"});
        CHECK(of("boot", name, "state") == "\"ready\"");
        CHECK(of("boot", "app", "state") == "\"ready\"");
    }
    (void)done({"stop", "loose"});
    CHECK(of("boot", "loose", "state") == "\"stopped\"");
    CHECK_FALSE(lives(loose));
    (void)done({"restart", "loose"});
    CHECK(of("boot", "loose", "state") == "\"ready\"");
    CHECK(of("boot", "app", "state") == "\"ready\"");
    CHECK(contains(refused(3, {"stop", "nobody"}), "no such container"));
}

TEST_CASE("boot: the host's services have its environment, their hooks and their health")
{
    const NothingLeft nothing_left;
    Boot boot;
    const std::string out = data();
    boot.daemon("plain", "command = [\"sh\", \"-c\", \"echo $PATH $OURS >" + out +
                             "/env; exec sleep 1000\"]\n"
                             "environment = { OURS = \"yes\" }\non_start = " +
                             shell("echo started >" + out + "/hook") +
                             "\non_stop = " + shell("echo stopped >" + out + "/hook") + "\n");
    boot.daemon("ill", "restart_delay = \"0s\"\nhealth = { command = " + shell("! [ -e " + out + "/ill ]") +
                           ", interval = \"50ms\", retries = 1 }\n");
    boot.put("bare.conf", "root = \"ROOT\"\nautostart = true\ninit = false\n"
                          "command = [\"/bin/sleep\", \"1000\"]\n");
    boot.start();
    CHECK(is("plain", "ready"));
    CHECK(wrote("env", std::string(::getenv("PATH")) + " yes\n"));
    CHECK(wrote("hook", "started\n"));
    CHECK(is("ill", "ready"));
    CHECK(is("bare", "ready"));

    const std::string bare = pid_at_boot("bare");
    CHECK(std::to_string(init_pid("bare")) == bare);
    kill_at_boot("bare");
    CHECK(is("bare", "failed"));

    const std::string ill = pid_at_boot("ill");
    write_text(out + "/ill", "");
    CHECK(eventually([&] { return of("boot", "ill", "restarts") != "0"; }));
    ::unlink((out + "/ill").c_str());
    CHECK(anew("ill", ill));

    // What is sent to it is for it alone, and orphans are its to reap.
    const std::string plain = pid_at_boot("plain");
    boot.process().kill(SIGUSR1);
    (void)run({"sh", "-c", "true"});
    CHECK(ctl({"status", "boot"}).code == 0);
    CHECK(pid_at_boot("plain") == plain);
    CHECK(is("plain", "ready"));
    CHECK(of("boot", "plain", "restarts") == "0");
    CHECK(boot.stop() == 0);
    CHECK(written("hook") == "stopped\n");
}

TEST_CASE("boot: orphans of the host's services are reaped, and are gone at the end")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("mother", "command = " +
                              shell("(sleep 0.1; exit 3) & (setsid sleep 1000 & echo $! >" + data() +
                                    "/orphan); exec sleep 1000") +
                              "\n");
    boot.start();
    CHECK(is("mother", "ready"));
    CHECK(eventually([] { return exists(data() + "/orphan") && !written("orphan").empty(); }));
    const std::string orphan = written("orphan").substr(0, written("orphan").find('\n'));
    const std::string pid = std::to_string(boot.process().pid());
    CHECK(eventually([&] { return contains(read_text("/proc/" + orphan + "/status"), "PPid:\t" + pid + "\n"); }));
    ::kill(static_cast<pid_t>(std::stol(orphan)), SIGKILL);
    CHECK(eventually([&] { return !exists("/proc/" + orphan); }));
    CHECK(boot.stop() == 0);
}

TEST_CASE("boot: a hundred containers come and go")
{
    const NothingLeft nothing_left;
    Boot boot;
    for (int number = 0; number < 100; number++)
        boot.container("c" + std::to_string(number),
                       number % 10 != 0 ? "after = [\"c" + std::to_string(number / 10 * 10) + "\"]\n" : "");
    boot.start();
    CHECK(eventually([] { return lines(ctl({"list"}).out).size() == 102; }, 60000));
    CHECK(eventually([&] {
        std::size_t ready = 0;
        for (const std::string& line : lines(boot.said()))
            ready += line.starts_with("[ ok ] c");
        return ready == 100;
    }));
    CHECK(lines(boot.said()).size() == 100);
    CHECK(descriptors_of(boot.process().pid()) < 120);
    CHECK(boot.stop() == 0);
    CHECK_FALSE(contains(ctl({"list"}).out, "running"));
}
