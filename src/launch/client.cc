// SPDX-License-Identifier: MIT
#include "launch/client.h"

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "launch/state.h"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/un.h>

namespace vial {

namespace {

constexpr std::int64_t patience = 5000;         // milliseconds for a whole answer
constexpr std::int64_t retry_interval = 20;     // milliseconds
constexpr std::size_t answer_limit = 4U << 20;  // 1,000 services say some 300 kB
constexpr std::size_t line_limit = 16U << 10;

/// Connects and asks. PID 1 has a few places for clients, and the kernel a queue for more; where that is full too, the
/// crowd soon grows smaller.
Result<Fd> begin(Text name, std::string_view request)
{
    const Text path = state_path(name, "control");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Error(ENAMETOOLONG, "connect to"_p, path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    Fd socket = TRY(os::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    const std::int64_t deadline = os::boottime_ms() + patience;
    while (true) {
        auto connected = os::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, path);
        if (connected.number() != EAGAIN) {
            TRY(std::move(connected));
            break;
        }
        if (os::boottime_ms() >= deadline)
            return Error("too many are asking already"_p, "ask PID 1 of"_p, name).advise("try again"_p);
        (void)TRY(os::poll({}, retry_interval));
    }
    TRY(os::write_all(socket.get(), compose("%\n", request)).as("ask PID 1 of"_p, name));
    return socket;
}

/// Waits for more of the answer; at most `room` bytes of it.
Result<std::size_t> hear_more(const Fd& socket, Text name, char* to, std::size_t room, std::int64_t deadline)
{
    pollfd entry{socket.get(), POLLIN, 0};
    const std::int64_t left = deadline < 0 ? -1 : deadline - os::boottime_ms();
    if ((deadline >= 0 && left <= 0) || TRY(os::poll({&entry, 1}, left)) == 0)
        return Error("it does not answer"_p, "ask PID 1 of"_p, name).advise("`vial stop` ends it all the same"_p);
    const std::size_t got = TRY(os::read(socket.get(), to, room).as("hear PID 1 of"_p, name));
    if (got == 0)
        return Error(ECONNRESET, "ask PID 1 of"_p, name).because("it closed the connection"_p);
    return got;
}

/// True: the line is the last one of an answer, and all went well.
Result<bool> ends_answer(std::string_view line, Text name)
{
    if (!json::valid(line))
        return Error("its answer is not JSON"_p, "ask PID 1 of"_p, name);
    const json::Raw ok = json::member(line, "ok");
    if (ok.empty() || ok == "true")
        return !ok.empty();
    return Error("", "", json::string(json::member(line, "error")).value_or("it failed"));
}

}  // namespace

namespace {

Result<Text> ask_once(Text name, std::string_view request)
{
    const Fd socket = TRY(begin(name, request));
    Builder answer;
    std::size_t line_start = 0;
    const std::int64_t deadline = os::boottime_ms() + patience;
    while (true) {
        char block[4096];
        answer += std::string_view(block, TRY(hear_more(socket, name, block, sizeof block, deadline)));
        if (answer.size() > answer_limit)
            return Error("it talks without end"_p, "ask PID 1 of"_p, name);
        for (std::size_t end; (end = answer.view().find('\n', line_start)) != std::string_view::npos;
             line_start = end + 1) {
            if (TRY(ends_answer(slice(answer.view(), line_start, end - line_start), name))) {
                answer.cut(line_start);
                return Text(answer);
            }
        }
    }
}

}  // namespace

Result<Text> ask(Text name, std::string_view request)
{
    const std::int64_t deadline = os::boottime_ms() + patience;
    for (;;) {
        auto answer = ask_once(name, request);
        // The host's supervisor has nobody listening for a moment while it becomes another one.
        const int number = answer.number();
        const bool nobody = number == ENOENT || number == ECONNREFUSED || number == ECONNRESET || number == EPIPE;
        if (!nobody || name != boot_name || os::boottime_ms() >= deadline)
            return answer;
        if (const auto record = read_record(name); !record.ok() || record.value()->phase != Phase::Running)
            return answer;
        (void)TRY(os::poll({}, retry_interval));
    }
}

Result<void> ask_and_hear(Text name, std::string_view request, bool (*hear)(std::string_view line),
                          std::int64_t timeout)
{
    const std::int64_t deadline = timeout < 0 ? -1 : os::boottime_ms() + timeout;
    const Fd socket = TRY(begin(name, request));
    char block[line_limit];
    std::size_t used = 0;
    while (true) {
        used += TRY(hear_more(socket, name, block + used, sizeof block - used, deadline));
        std::string_view rest(block, used);
        for (std::size_t end; (end = position(rest, '\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
            const std::string_view line = slice(rest, 0, end);
            if (TRY(ends_answer(line, name)) || !hear(line))
                return {};
        }
        if (rest.size() == sizeof block)
            return Error("it talks without end"_p, "ask PID 1 of"_p, name);
        std::memmove(block, rest.data(), rest.size());
        used = rest.size();
    }
}

}  // namespace vial
