// SPDX-License-Identifier: MIT
#include "init/control.h"

#include "base/os.h"
#include "base/text.h"
#include "init/pid1.h"
#include "init/stats.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace vial {

namespace {

constexpr std::string_view agreed = "{\"ok\":true}\n";
static_assert(longest_line + 64 < Control::page);

/// The last line of an answer that says no. `what` may be anything a client wrote.
void put_refusal(Writer& reply, std::string_view why, std::string_view what = {})
{
    char text[160];
    Writer words(text, sizeof text);
    words.put(why).put(what.substr(0, 64));
    reply.put("{\"ok\":false,\"error\":").quoted(words.text()).put("}\n");
}

enum class Verb : std::uint8_t { Status, Stats, Ping, Shutdown, Stop, Start, Restart, Reload, Signal, Later };
enum class Named : std::uint8_t { None, Maybe, One };

struct Request {
    std::string_view word;
    Verb verb;
    Named service;
};

constexpr Request requests[] = {
    {"status", Verb::Status, Named::None},  {"stats", Verb::Stats, Named::None},
    {"ping", Verb::Ping, Named::None},      {"shutdown", Verb::Shutdown, Named::None},
    {"stop", Verb::Stop, Named::Maybe},     {"start", Verb::Start, Named::One},
    {"restart", Verb::Restart, Named::One}, {"signal", Verb::Signal, Named::Maybe},
    {"events", Verb::Later, Named::Maybe},  {"reload", Verb::Reload, Named::One},
    {"logs", Verb::Later, Named::Maybe},
};

constexpr ServiceIndex none = UINT32_MAX;

ServiceIndex find_service(const Pid1& init, std::string_view name)
{
    for (ServiceIndex index = 0; index < init.plan.service_count; index++) {
        if (init.service_name(index) == name)
            return index;
    }
    return none;
}

}  // namespace

Result<void> Control::open(int epoll, int listener, char* pages)
{
    epoll_ = epoll;
    listener_ = listener;
    pages_ = pages;
    if (listener_ >= 0)
        TRY(os::watch(epoll_, listener_, EPOLLIN, event_token(Source::Listener)));
    listening_ = listener_ >= 0;
    return {};
}

/// With all places taken, a waiting connection would wake us without end.
void Control::listen(bool wanted)
{
    if (listener_ < 0 || wanted == listening_)
        return;
    const std::uint32_t events = wanted ? std::uint32_t{EPOLLIN} : 0;
    if (os::rewatch(epoll_, listener_, events, event_token(Source::Listener)).ok())
        listening_ = wanted;
}

void Control::hear_listener(Pid1& init)
{
    auto* const free =
        std::find_if(clients_, clients_ + places, [](const Client& c) { return c.phase == Phase::Free; });
    if (free == clients_ + places) {
        listen(false);
        return;
    }
    Opened accepted = os::accept(listener_);
    if (!accepted.ok()) {
        const int number = accepted.number();
        if (number != EAGAIN && number != ECONNABORTED) {
            listen(false);
            listen_again_ = init.now + accept_pause;
        }
        return;
    }
    const auto place = static_cast<std::uint32_t>(free - clients_);
    // All calls on it say MSG_DONTWAIT.
    if (!os::watch(epoll_, accepted.value().get(), EPOLLIN, event_token(Source::Client, place)).ok())
        return;
    *free = Client{};
    free->fd = accepted.value().release();
    free->phase = Phase::Reading;
    free->deadline = init.now + patience;
}

void Control::put_out(std::uint32_t place)
{
    Client& client = clients_[place];
    (void)os::unwatch(epoll_, client.fd);  // a service on its way to its exec may hold a copy
    Fd(client.fd).reset();
    client = Client{};
    os::discard_memory(page_of(place), page);
    listen(true);
}

void Control::expire(Pid1& init)
{
    for (std::uint32_t place = 0; place < places; place++) {
        if (clients_[place].phase != Phase::Free && clients_[place].deadline <= init.now)
            put_out(place);
    }
    if (listen_again_ <= init.now) {
        listen_again_ = os::never;
        listen(true);
    }
}

std::int64_t Control::deadline() const
{
    std::int64_t earliest = listen_again_;
    for (const Client& client : clients_)
        earliest = std::min(earliest, client.deadline);
    return earliest;
}

/// Takes in what has come, up to the end of one line; what follows stays in the kernel. True: the page
/// holds a whole line, or as much of one as a request may have.
bool Control::read_line(std::uint32_t place)
{
    Client& client = clients_[place];
    char* const start = page_of(place);
    while (client.used < page) {
        char* const to = start + client.used;
        const std::size_t room = page - client.used;
        const auto peeked = os::receive(client.fd, to, room, nullptr, MSG_PEEK | MSG_DONTWAIT);
        if (peeked.number() == EAGAIN)
            return false;
        if (!peeked.ok() || peeked.value() == 0) {
            put_out(place);
            return false;
        }
        const char* const end = static_cast<const char*>(std::memchr(to, '\n', peeked.value()));
        const std::size_t taken = end != nullptr ? static_cast<std::size_t>(end - to) + 1 : peeked.value();
        if (!os::receive(client.fd, to, taken, nullptr, MSG_DONTWAIT).ok()) {
            put_out(place);
            return false;
        }
        client.used = static_cast<std::uint16_t>(client.used + taken);
        if (end != nullptr)
            return true;
    }
    return true;
}

void Control::hear_client(Pid1& init, std::uint32_t place)
{
    Client& client = clients_[place];
    char* const start = page_of(place);

    if (client.phase == Phase::Reading) {
        if (!read_line(place))
            return;
        const std::string_view line(start, client.used);
        client.phase = Phase::Answering;
        client.answer = Answer::Plain;
        client.next_line = 0;
        client.sent = 0;
        // The request lies where the answer will.
        char text[256];
        Writer reply(text, sizeof text);
        const bool whole = line.ends_with('\n');
        if (whole)
            obey(init, client, reply, line.substr(0, line.size() - 1));
        else
            put_refusal(reply, "the request is longer than 4096 bytes");
        client.complete = client.answer == Answer::Plain;
        client.used = static_cast<std::uint16_t>(reply.text().size());
        std::memcpy(start, text, client.used);
        if (!whole) {
            (void)send_page(client, start);
            put_out(place);
            return;
        }
    }

    while (client.phase == Phase::Answering) {
        if (client.sent == client.used && !client.complete) {
            Writer reply(start, page);
            fill(init, client, reply);
            client.used = static_cast<std::uint16_t>(reply.text().size());
            client.sent = 0;
        }
        const std::uint16_t sent_before = client.sent;
        if (!send_page(client, start)) {
            put_out(place);
            return;
        }
        if (client.sent != sent_before)
            client.deadline = init.now + patience;
        if (client.sent != client.used) {
            (void)os::rewatch(epoll_, client.fd, EPOLLOUT, event_token(Source::Client, place));
            return;
        }
        if (client.complete) {
            client.phase = Phase::Reading;
            client.used = client.sent = 0;
            client.deadline = init.now + patience;
            (void)os::rewatch(epoll_, client.fd, EPOLLIN, event_token(Source::Client, place));
        }
    }
}

bool Control::send_page(Client& client, const char* start)
{
    while (client.sent < client.used) {
        const auto sent = os::send(client.fd, start + client.sent, static_cast<std::size_t>(client.used - client.sent),
                                   -1, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent.number() == EAGAIN)
            return true;
        if (!sent.ok())
            return false;
        client.sent = static_cast<std::uint16_t>(client.sent + sent.value());
    }
    return true;
}

/// As many lines as a page surely holds.
void Control::fill(Pid1& init, Client& client, Writer& reply)
{
    while (!client.complete && page - reply.text().size() > longest_line) {
        if (client.next_line > init.plan.service_count) {
            reply.put(agreed);
            client.complete = true;
            return;
        }
        const ServiceIndex index = client.next_line - 1;
        if (client.next_line == 0 && client.answer == Answer::Status)
            put_container_status(init, reply);
        else if (client.next_line == 0)
            put_container_stats(init, reply);
        else if (client.answer == Answer::Status)
            put_service_status(init, index, reply);
        else
            put_service_stats(init, index, reply);
        client.next_line++;
    }
}

void Control::obey(Pid1& init, Client& client, Writer& reply, std::string_view line)
{
    const std::string_view word = take_word(line);
    const Request* const end = std::end(requests);
    const Request* const request = std::find_if(requests, end, [&](const Request& each) { return each.word == word; });
    if (request == end)
        return put_refusal(reply, "unknown request: ", word);
    if (request->verb == Verb::Later)
        return put_refusal(reply, "not supported yet: ", word);

    int signal = 0;
    if (request->verb == Verb::Signal) {
        const std::string_view text = take_word(line);
        const auto number = parse_signal(text);
        if (!number)
            return put_refusal(reply, "not a signal: ", text);
        signal = *number;
    }
    const std::string_view name = take_word(line);
    if (!take_word(line).empty() || (request->service == Named::None && !name.empty()))
        return put_refusal(reply, "too many words after ", word);
    if (name.empty() && request->service == Named::One)
        return put_refusal(reply, "no service was named after ", word);
    const ServiceIndex index = name.empty() ? none : find_service(init, name);
    if (!name.empty() && index == none)
        return put_refusal(reply, "no such service: ", name);

    bool possible = true;
    switch (request->verb) {
    case Verb::Status:
        client.answer = Answer::Status;
        return;
    case Verb::Stats:
        client.answer = Answer::Stats;
        return;
    case Verb::Stop:
        if (index != none) {
            init.supervisor.stop(index, init.now);
            break;
        }
        [[fallthrough]];
    case Verb::Shutdown:
        init.supervisor.stop_all(init.now);
        break;
    case Verb::Start:
        possible = init.supervisor.start(index, init.now);
        break;
    case Verb::Restart:
        possible = init.supervisor.restart(index, init.now);
        break;
    case Verb::Reload:
        if (!init.supervisor.reload(index, init.now))
            return put_refusal(reply, "it is not ready: ", name);
        break;
    case Verb::Signal:
        if (!(index == none ? init.forward(signal) : init.forward(signal, index)))
            return put_refusal(reply, "nothing is running");
        break;
    case Verb::Ping:
    case Verb::Later:
        break;
    }
    if (!possible)
        return put_refusal(reply, "the container is stopping");
    reply.put(agreed);
}

}  // namespace vial
