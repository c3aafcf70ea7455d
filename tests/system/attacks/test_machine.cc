// SPDX-License-Identifier: MIT
//
// A container that takes what it can get, and a PID 1 that has been taken over: the machine, the other containers and the commands on
// the host go on.

#include "ground.h"

#include "base/os.h"

#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vial;
using namespace vial::test;

namespace {

std::string service(const std::string& name, const std::string& where, const std::string& command,
                    const std::string& more = "")
{
    return spec(name, "root = \"" + where + "\"\ncommand = [" + command + "]\nstop_timeout = \"500ms\"\n" + more);
}

/// In the place of a PID 1: takes connections at its control socket and gives each the same answer.
class Impostor {
public:
    enum class Manner { Says, SaysForEver, Silent, HangsUp };
    Impostor(const std::string& name, Manner manner, const std::string& answer)
    {
        const std::string path = "/run/vial/" + name + "/control";
        (void)::unlink(path.c_str());
        const Fd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener.get(), 8) == 0);
        pid_ = ::fork();
        if (pid_ == 0)
            serve(listener.get(), manner, answer);
    }
    ~Impostor()
    {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Impostor(const Impostor&) = delete;
    Impostor& operator=(const Impostor&) = delete;

private:
    [[noreturn]] static void serve(int listener, Manner manner, const std::string& answer)
    {
        ::signal(SIGPIPE, SIG_IGN);
        for (;;) {
            const int client = ::accept(listener, nullptr, nullptr);
            char request[256];
            if (manner != Manner::HangsUp)
                (void)!::read(client, request, sizeof request);
            if (manner == Manner::Says)
                (void)!::write(client, answer.data(), answer.size());
            while (manner == Manner::SaysForEver && ::write(client, answer.data(), answer.size()) > 0) {
            }
            if (manner != Manner::Silent)
                ::close(client);
        }
    }

    pid_t pid_ = -1;
};

struct Lie {
    const char* what;
    Impostor::Manner manner;
    std::string answer;
};

}  // namespace

TEST_CASE("a fork bomb stops at the default limit, and so does the container when it is told to")
{
    const NothingLeft nothing_left;
    const std::string where = image("machine");
    done({"start", service("bomb", where, "\"/attacker\", \"fork-bomb\"")});
    done({"start", service("neighbour", where, "\"/bin/sleep\", \"1000\"")});
    CHECK(eventually([] { return ctl({"logs", "bomb"}).out.find("forked") != std::string::npos; }));
    const std::string log = ctl({"logs", "bomb"}).out;
    const long forked = std::atol(log.substr(log.find("forked ") + 7).c_str());
    CHECK(forked > 100);
    CHECK(forked < 512);
    CHECK(done({"exec", "neighbour", "--", "/bin/echo", "here"}) == "here\n");
    CHECK(attack(where, {"descriptors"}).code == Refused);
    CHECK(ctl({"status", "bomb"}).code == 0);
    CHECK(ctl({"list"}).code == 0);
    done({"stop", "bomb"});
    done({"stop", "neighbour"});
}

TEST_CASE("a service that writes as fast as it can, and is deaf to TERM, can be watched and stopped")
{
    const NothingLeft nothing_left;
    const std::string where = image("machine");
    done({"start", service("flood", where, "\"/attacker\", \"flood\", \"deaf\"", "[log]\nsize = \"64K\"\n")});
    for (int turn = 0; turn < 10; turn++) {
        CHECK(ctl({"status", "flood"}).code == 0);
        CHECK(ctl({"stats", "flood"}).code == 0);
        const Finished log = ctl({"logs", "flood"});
        CHECK(log.code == 0);
        CHECK(log.out.size() < 200 * 1024);
    }
    Process follower(ctl_words({"logs", "-f", "flood"}));
    CHECK(follower.expect("xxx"));
    done({"stop", "flood"});
    CHECK(follower.wait() >= 0);
}

TEST_CASE("a flood that nobody reads does not keep `run` from being stopped")
{
    const NothingLeft nothing_left;
    const std::string where = image("machine");
    for (const auto streams : {Process::Streams::Pipes, Process::Streams::Terminal}) {
        Process flooding(ctl_words({"run", service("flood", where, "\"/attacker\", \"flood\", \"deaf\"")}), streams);
        CHECK(flooding.expect("xxx"));
        CHECK(eventually([] { return init_pid("flood") > 0; }));
        done({"stop", "flood"});
        CHECK(flooding.wait() >= 0);
        CHECK(eventually([] { return ctl({"list", "--json"}).out.find("flood") == std::string::npos; }));
    }
}

TEST_CASE("connections to the control socket that say nothing, too much, or nonsense")
{
    const NothingLeft nothing_left;
    const std::string where = image("machine");
    done({"start", service("asked", where, "\"/bin/sleep\", \"1000\"")});
    const std::string path = "/run/vial/asked/control";
    const auto connected = [&] {
        Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        (void)::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
        return fd;
    };
    SUBCASE("garbage")
    {
        std::string garbage(1 << 20, '\0');
        for (std::size_t at = 0; at < garbage.size(); at++)
            garbage[at] = static_cast<char>(at * 2654435761U >> 13);
        for (int turn = 0; turn < 20; turn++) {
            const Fd fd = connected();
            (void)::send(fd.get(), garbage.data() + turn, garbage.size() - 20, MSG_NOSIGNAL);
            const Fd long_line = connected();
            (void)::send(long_line.get(), std::string(200000, 'x').data(), 200000, MSG_NOSIGNAL);
        }
        CHECK(ctl({"status", "asked"}).code == 0);
    }
    SUBCASE("requests whose answers nobody reads")
    {
        std::vector<Fd> deaf;
        for (int turn = 0; turn < 4; turn++) {
            deaf.push_back(connected());
            std::string requests;
            for (int times = 0; times < 5000; times++)
                requests += "stats\n";
            (void)::send(deaf.back().get(), requests.data(), requests.size(), MSG_NOSIGNAL);
        }
        CHECK(eventually([] { return ctl({"status", "asked"}).code == 0; }));
    }
    SUBCASE("all places taken")
    {
        std::vector<Fd> silent;
        for (int turn = 0; turn < 200; turn++)
            silent.push_back(connected());
        // There is no place for us, or there will be one when the silent are put out; a stop works in any case.
        const Finished asked = ctl({"status", "asked"});
        CAPTURE(asked.err);
        CHECK((asked.code == 0 || lines(asked.err).size() == 1));
        done({"stop", "asked"});
        return;
    }
    done({"stop", "asked"});
}

TEST_CASE("a PID 1 that lies: the commands end, say so, and stop ends it all the same")
{
    const NothingLeft nothing_left;
    const std::string where = image("machine");
    std::string nested(200000, '[');
    const Lie lies[] = {
        {"garbage", Impostor::Manner::Says, std::string("\x00\xff\xfe{{{\n\n\n", 9)},
        {"no JSON", Impostor::Manner::Says, "hello\n"},
        {"half a line", Impostor::Manner::Says, "{\"ok\":tr"},
        {"nothing but agreement", Impostor::Manner::Says, "{\"ok\":true}\n"},
        {"empty objects", Impostor::Manner::Says, "{}\n{}\n{\"ok\":true}\n"},
        {"numbers out of all range", Impostor::Manner::Says,
         "{\"container\":\"x\",\"tasks\":99999999999999999999999999,\"memory\":-1,\"uptime_ms\":1e999}\n{\"ok\":true}"
         "\n"},
        {"other types", Impostor::Manner::Says,
         "{\"state\":[1],\"pid\":\"a\",\"name\":{},\"uptime_ms\":null,\"memory\":[[]]}\n{\"ok\":true}\n"},
        {"deep nesting", Impostor::Manner::Says, nested + "\n"},
        {"a refusal that draws on the terminal", Impostor::Manner::Says,
         "{\"ok\":false,\"error\":\"\\u001b[2J\\u001b]0;x\\u0007\"}\n"},
        {"names that draw on the terminal", Impostor::Manner::Says,
         "{\"state\":\"running\"}\n{\"service\":\"\\u001b[2J\",\"name\":\"\\u001b[2J\",\"state\":\"\\u001b[2J\\n\\n\"}"
         "\n{\"ok\":true}\n"},
        {"for ever", Impostor::Manner::SaysForEver, "{\"a\":1}\n"},
        {"a line for ever", Impostor::Manner::SaysForEver,
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
        {"it hangs up", Impostor::Manner::HangsUp, ""},
        {"silence", Impostor::Manner::Silent, ""},
    };
    for (const Lie& lie : lies) {
        CAPTURE(lie.what);
        done({"start", service("liar", where, "\"/bin/sleep\", \"1000\"")});
        {
            const Impostor impostor("liar", lie.manner, lie.answer);
            for (const Words& words :
                 {Words{"status", "liar"}, Words{"stats", "--json", "liar"}, Words{"kill", "-s", "HUP", "liar"}}) {
                const Finished finished = ctl(words, {}, 15000);
                CAPTURE(words.front());
                CAPTURE(finished.out);
                CAPTURE(finished.err);
                CHECK(finished.code >= 0);
                CHECK(finished.code < 126);
                CHECK((finished.out + finished.err).find('\x1b') == std::string::npos);
                CHECK(lines(finished.err).size() <= 1);
                if (lie.manner == Impostor::Manner::Silent)
                    break;  // one patience is enough
            }
            done({"stop", "--timeout", "500ms", "liar"});
        }
    }
}

TEST_CASE("an exit record that was forged")
{
    const NothingLeft nothing_left;
    const std::string where = image("machine");
    for (const char* record : {"{\"code\":-99999999999,\"signal\":\"\\u001b[2J\",\"at\":-1}\n", "{\"code\":\"a\"}",
                               "\xff\xff", "", "{\"code\":7,\"at\":9223372036854775807,\"signal\":\"\"}\n"}) {
        done({"start", service("forged", where, "\"/bin/true\"")});
        done({"wait", "forged"});
        write_text("/run/vial/forged/exit", record);
        for (const Words& words :
             {Words{"list"}, Words{"list", "--json"}, Words{"status", "forged"}, Words{"wait", "forged"}}) {
            const Finished finished = ctl(words);
            CAPTURE(record);
            CAPTURE(words.front());
            CAPTURE(finished.out);
            CAPTURE(finished.err);
            CHECK(finished.code >= 0);
            CHECK(finished.code < 126);
            CHECK(finished.out.find('\x1b') == std::string::npos);
        }
        done({"stop", "forged"});
    }
}
