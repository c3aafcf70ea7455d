// SPDX-License-Identifier: MIT
//
// `vial boot` as a service of another init: what it says of itself on the socket of that one, see sd_notify(3).

#include "boot.h"
#include "pid1.h"

#include "base/os.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

/// Another init, as far as it listens. `name`: as NOTIFY_SOCKET has it.
class Manager {
public:
    explicit Manager(const std::string& name = work() + "/manager") : name_(name)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        ::unlink(name.c_str());
        if (name[0] == '@')
            address.sun_path[0] = '\0';
        socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        CHECK(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
    }
    ~Manager() { ::unlink(name_.c_str()); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    /// How who listens to it begins, with `more` variables.
    Birth birth(std::vector<std::pair<std::string, std::string>> more = {}) const
    {
        more.emplace_back("NOTIFY_SOCKET", name_);
        Birth birth;
        birth.prepare = [more] {
            for (const auto& [name, value] : more)
                ::setenv(name.c_str(), value.c_str(), 1);
        };
        return birth;
    }

    /// All that was said and not heard yet, a line for each variable.
    std::string hear()
    {
        char text[4096];
        for (ssize_t size; (size = ::recv(socket_.get(), text, sizeof text, 0)) > 0;)
            heard_ += std::string(text, static_cast<std::size_t>(size)) + "\n";
        return heard_;
    }
    /// It is said, in what comes after what was found before. Once something was not, nobody is as patient any more.
    bool hears(const std::string& text)
    {
        static long limit = 20000;
        const bool found = eventually([&] { return hear().find(text, found_) != std::string::npos; }, limit);
        if (found) {
            found_ = heard_.find(text, found_) + text.size();
        } else {
            MESSAGE(text, " is not in: ", heard_.substr(found_));
            limit = 1000;
        }
        return found;
    }
    void forget() { (void)hear(), heard_.clear(), found_ = 0; }

private:
    std::string name_, heard_;
    std::size_t found_ = 0;
    Fd socket_;
};

std::string waits_for(const std::string& go)
{
    return "ready = \"fd\"\ncommand = " +
           shell("while ! [ -e " + go + " ]; do sleep 0.02; done; echo >&3; exec 3>&-; exec sleep 1000") + "\n";
}

void container_that_waits(const Boot& boot, const std::string& name, const std::string& go)
{
    boot.container(name, "mounts = [\"" + data() + ":/data\"]\n[service.main]\n" + waits_for("/data/" + go));
}

}  // namespace

TEST_CASE("under another init: READY comes when the last container is ready, by a socket with a path or without one")
{
    const NothingLeft nothing_left;
    for (const std::string& name : {work() + "/manager", "@vial-test-" + std::to_string(::getpid())}) {
        CAPTURE(name);
        Manager manager(name);
        Boot boot;
        container_that_waits(boot, "slow", "go");
        boot.daemon("quick");
        boot.daemon("later", "requires = [\"slow\"]\n");
        boot.start(manager.birth());
        CHECK(is("quick", "ready"));
        CHECK(is("slow", "starting"));
        CHECK(manager.hear() == "");
        write_text(data() + "/go", "");
        CHECK(manager.hears("READY=1\nSTATUS=3 ready\n"));
        CHECK(of("boot", "later", "state") == "\"ready\"");
        CHECK(boot.stop() == 0);
    }
}

TEST_CASE("under another init: what fails, and what waits for it, does not keep it from being ready, and is named")
{
    const NothingLeft nothing_left;
    Manager manager;
    Boot boot;
    boot.container("bad", "command = [\"/nowhere\"]\n");
    // It never becomes ready: what is ready once it runs is so for a moment, in which the other may begin.
    boot.daemon("again", "ready = \"fd\"\ncommand = [\"/bin/false\"]\nrestart = \"always\"\nrestart_delay = \"1h\"\n");
    boot.daemon("waiting", "requires = [\"again\"]\n");
    boot.daemon("good");
    boot.put("broken.conf", "command = 3\n");
    boot.start(manager.birth());
    CHECK(manager.hears("READY=1\nSTATUS=1 ready; failed: again bad\n"));
    CHECK(of("boot", "waiting", "state") == "\"waiting\"");
}

TEST_CASE("under another init: services do not see its socket, nor what it wants of the watchdog")
{
    const NothingLeft nothing_left;
    Manager manager;
    Boot boot;
    const std::string out = data() + "/said";
    boot.daemon("prints", "oneshot = true\ncommand = " + shell("env >" + out) + "\n");
    boot.start(manager.birth({{"WATCHDOG_USEC", "60000000"}, {"OTHER", "kept"}}));
    CHECK(manager.hears("READY=1\nSTATUS=1 ready\n"));
    CHECK(contains(written("said"), "OTHER=kept\n"));
    CHECK_FALSE(contains(written("said"), "NOTIFY_SOCKET"));
    CHECK_FALSE(contains(written("said"), "WATCHDOG"));
}

TEST_CASE("under another init: a reload begins with the time and ends with READY, in the same process")
{
    const NothingLeft nothing_left;
    for (const bool reexec : {false, true}) {
        CAPTURE(reexec);
        Manager manager;
        Boot boot;
        boot.daemon("first");
        boot.start(manager.birth());
        CHECK(manager.hears("READY=1\n"));
        const std::string pid = field(listed("boot"), {"pid"});
        boot.daemon("second", waits_for(data() + "/go"));
        const std::int64_t before = os::monotonic_us();
        (void)done(reexec ? Words{"boot", "--reexec"} : Words{"reload", "boot"});
        CHECK(manager.hears("RELOADING=1\nMONOTONIC_USEC="));
        const std::string heard = manager.hear();
        const std::int64_t said = std::atoll(heard.c_str() + heard.rfind('=') + 1);
        CHECK(said >= before);
        CHECK(said <= os::monotonic_us());
        CHECK(is("second", "starting"));
        CHECK(manager.hear() == heard);
        write_text(data() + "/go", "");
        CHECK(manager.hears("READY=1\nSTATUS=2 ready\n"));
        CHECK(field(listed("boot"), {"pid"}) == pid);
        CHECK(boot.stop() == 0);
    }
}

TEST_CASE("under another init: STATUS follows what becomes of the services")
{
    const NothingLeft nothing_left;
    Manager manager;
    Boot boot;
    boot.daemon("one");
    boot.daemon("two");
    boot.start(manager.birth());
    CHECK(manager.hears("STATUS=2 ready\n"));
    kill_at_boot("two");
    CHECK(manager.hears("STATUS=1 ready; failed: two\n"));
    (void)done({"start", "two"});
    CHECK(manager.hears("STATUS=2 ready\n"));
}

TEST_CASE("under another init: STOPPING is said before anything has stopped")
{
    const NothingLeft nothing_left;
    Manager manager;
    Boot boot;
    const std::string go = data() + "/go";
    boot.daemon("lasts", "command = " +
                             shell("trap 'while ! [ -e " + go +
                                   " ]; do sleep 0.02; done; exit 0' TERM; "
                                   "while :; do sleep 0.05; done") +
                             "\n");
    boot.start(manager.birth());
    CHECK(manager.hears("READY=1\n"));
    boot.process().kill(SIGTERM);
    CHECK(manager.hears("STOPPING=1\n"));
    CHECK(of("boot", "lasts", "state") == "\"stopping\"");
    write_text(go, "");
    CHECK(boot.stop() == 0);
    CHECK_FALSE(contains(manager.hear().substr(manager.hear().find("STOPPING=1")), "READY"));
}

TEST_CASE("under another init: its watchdog is fed by the loop, also by the next one, and not by one that hangs")
{
    const NothingLeft nothing_left;
    Manager manager;
    Boot boot;
    boot.daemon("one");
    boot.start(manager.birth({{"WATCHDOG_USEC", "200000"}}));
    CHECK(manager.hears("READY=1\n"));
    for (int times = 0; times < 3; times++)
        CHECK(manager.hears("WATCHDOG=1\n"));
    (void)done({"boot", "--reexec"});
    CHECK(manager.hears("RELOADING=1\n"));
    CHECK(manager.hears("READY=1\n"));
    for (int times = 0; times < 3; times++)
        CHECK(manager.hears("WATCHDOG=1\n"));
    boot.process().kill(SIGSTOP);
    CHECK(eventually([&] { return state_of(boot.process().pid()) == 'T'; }));
    manager.forget();
    ::usleep(500000);
    CHECK(manager.hear() == "");
    boot.process().kill(SIGCONT);
    CHECK(manager.hears("WATCHDOG=1\n"));
}

TEST_CASE("under another init: without a watchdog, or with another process's, nothing wakes it")
{
    const NothingLeft nothing_left;
    const std::vector<std::pair<std::string, std::string>> none,
        others = {{"WATCHDOG_USEC", "200000"}, {"WATCHDOG_PID", "1"}};
    for (const auto& variables : {none, others}) {
        CAPTURE(variables.size());
        Manager manager;
        Boot boot;
        boot.daemon("one");
        boot.start(manager.birth(variables));
        CHECK(manager.hears("READY=1\n"));
        ::usleep(200000);
        const std::string sleeps = status_of(boot.process().pid(), "voluntary_ctxt_switches");
        ::usleep(1000000);
        CHECK(status_of(boot.process().pid(), "voluntary_ctxt_switches") == sleeps);
        CHECK_FALSE(contains(manager.hear(), "WATCHDOG"));
        CHECK(boot.stop() == 0);
    }
}

TEST_CASE("under another init: one that hears nothing for a while stalls nobody, and is told when it listens again")
{
    const NothingLeft nothing_left;
    Manager manager;
    Boot boot;
    boot.daemon("one");
    // The queue of its socket is full.
    const std::string fill = "import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                             "s.setblocking(False)\ntry:\n    while True: s.sendto(b'X=1', sys.argv[1])\n"
                             "except BlockingIOError: pass\n";
    CHECK(run({"python3", "-c", fill, work() + "/manager"}).code == 0);
    boot.start(manager.birth());
    CHECK(is("one", "ready"));
    kill_at_boot("one");
    CHECK(is("one", "failed"));
    CHECK(manager.hears("READY=1\nSTATUS=0 ready; failed: one\n"));
}

TEST_CASE("under another init: one that is not there any more is no reason to stop")
{
    const NothingLeft nothing_left;
    Boot boot;
    boot.daemon("one");
    {
        const Manager manager;
        boot.start(manager.birth({{"WATCHDOG_USEC", "200000"}}));
        CHECK(is("one", "ready"));
    }
    kill_at_boot("one");
    CHECK(is("one", "failed"));
    (void)done({"start", "one"});
    CHECK(is("one", "ready"));
}
