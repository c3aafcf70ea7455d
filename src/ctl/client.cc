// SPDX-License-Identifier: MIT
#include "ctl/client.h"

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "launch/state.h"

#include <cstring>
#include <poll.h>
#include <sys/un.h>

namespace vial {

namespace {

constexpr std::int64_t patience = 5000;         // milliseconds for a whole answer
constexpr std::size_t answer_limit = 4U << 20;  // 1,000 services say some 200 kB

Result<Fd> connect_to(Text name)
{
    const Text path = state_path(name, "control");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(ENAMETOOLONG, "connect to", path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    Fd socket = TRY(os::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    auto connected = os::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, path);
    if (connected.number() == EAGAIN)
        connected.error().because("too many are asking already").advise("try again");
    TRY(std::move(connected));
    return socket;
}

}  // namespace

Result<Text> ask(Text name, std::string_view request)
{
    const Fd socket = TRY(connect_to(name));
    TRY(os::write_all(socket.get(), compose("%\n", request)).as("ask PID 1 of", name));
    Builder answer;
    std::size_t line_start = 0;
    const std::int64_t deadline = os::boottime_ms() + patience;
    while (true) {
        const std::int64_t left = deadline - os::boottime_ms();
        pollfd entry{socket.get(), POLLIN, 0};
        if (left <= 0 || TRY(os::poll({&entry, 1}, left)) == 0)
            return Error("it does not answer", "ask PID 1 of", name).advise("`vial stop` ends it all the same");
        char block[4096];
        const std::size_t got = TRY(os::read(socket.get(), block, sizeof block).as("hear PID 1 of", name));
        if (got == 0)
            return Error("it closed the connection", "ask PID 1 of", name);
        answer += std::string_view(block, got);
        if (answer.size() > answer_limit)
            return Error("it talks without end", "ask PID 1 of", name);
        for (std::size_t end; (end = answer.view().find('\n', line_start)) != std::string_view::npos;
             line_start = end + 1) {
            const std::string_view line = answer.view().substr(line_start, end - line_start);
            if (!json::valid(line))
                return Error("its answer is not JSON", "ask PID 1 of", name);
            const json::Raw ok = json::member(line, "ok");
            if (!ok.empty()) {
                if (ok == "true") {
                    answer.cut(line_start);
                    return Text(answer);
                }
                return Error("", "", json::string(json::member(line, "error")).value_or("it failed"));
            }
        }
    }
}

}  // namespace vial
