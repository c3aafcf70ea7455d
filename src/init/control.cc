// SPDX-License-Identifier: MIT
#include "init/control.h"

#include "base/os.h"
#include "base/text.h"
#include "init/pid1.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>

namespace vial {

namespace {

/// A place in /proc where a pipe can be opened anew: then being non-blocking is ours alone, and not shared with
/// whoever else has the descriptor.
Result<Fd> take_over(int fd, int mode)
{
    Fd own(fd);
    if (S_ISFIFO(TRY(os::fstat(fd)).st_mode)) {
        char path[32] = {};
        Writer(path, sizeof path - 1).put("/proc/self/fd/").decimal(fd);
        if (Opened anew = os::open(path, mode | O_NONBLOCK); anew.ok())
            return anew.take();
    }
    // Everybody else's calls on it do not block any more, either: it was left to us for this.
    TRY(os::set_nonblocking(fd));
    return os::duplicate(fd);
}

}  // namespace

Result<void> Control::open(int epoll, int listener, char* memory)
{
    epoll_ = epoll;
    listener_ = listener;
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
    // Nobody asked for descriptors, and to close one may take as long as its sender likes (6.16).
    constexpr int refused = 0;
    (void)::setsockopt(listener, SOL_SOCKET, SO_PASSRIGHTS, &refused, sizeof refused);
    memory_ = memory;
    if (listener_ >= 0)
        TRY(os::watch(epoll_, listener_, EPOLLIN, event_token(Source::Listener)));
    listening_ = listener_ >= 0;
    return {};
}

Result<void> Control::open_pair(int requests, int answers)
{
    const bool same = requests == answers;
    Fd out = TRY(take_over(same ? TRY(os::duplicate(answers)).release() : answers, O_WRONLY));
    Fd in = TRY(take_over(requests, O_RDONLY));
    const std::uint64_t token = event_token(Source::Client, places);
    // Each is armed when something is wanted of it: a hang-up of the one that is not would wake us without end.
    TRY(os::watch(epoll_, in.get(), EPOLLIN | EPOLLONESHOT, token));
    TRY(os::watch(epoll_, out.get(), EPOLLONESHOT, token));
    Client& client = clients_[places];
    client.in = in.release();
    client.out = out.release();
    client.phase = Phase::Reading;
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
    Client* free = clients_;
    while (free != clients_ + places && free->phase != Phase::Free)
        ++free;
    pressed_ = free == clients_ + places;
    if (pressed_) {
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
    free->in = free->out = accepted.value().release();
    free->phase = Phase::Reading;
    free->since = init.now;
}

void Control::put_out(std::uint32_t place)
{
    Client& client = clients_[place];
    for (const int fd : {client.is_pair() ? client.in : -1, client.out}) {
        (void)os::unwatch(epoll_, fd);  // a service on its way to its exec may hold a copy
        Fd(fd).reset();
    }
    client = Client{};
    os::discard_memory(page_of(place), page);
    listen(true);
}

std::int64_t Control::deadline_of(const Client& client) const
{
    if (client.is_pair() || (client.phase != Phase::Reading && client.phase != Phase::Answering))
        return os::never;
    // `vial events web | less` stands still for as long as somebody reads, which costs us nothing.
    if (client.phase == Phase::Answering && follows(client.answer) && !pressed_)
        return os::never;
    return client.since + (pressed_ ? short_patience : patience);
}

void Control::attend(Pid1& init)
{
    const bool news = told_ != init.events.next() || init.shut || leaving_;
    told_ = init.events.next();
    for (std::uint32_t place = 0; place < pages; place++) {
        if (news && clients_[place].phase == Phase::Following) {
            clients_[place].since = init.now;
            carry_on(init, place);
        }
        if (deadline_of(clients_[place]) <= init.now)
            put_out(place);
    }
    if (listen_again_ <= init.now) {
        listen_again_ = os::never;
        listen(true);
    }
}

void Control::take_leave(Pid1& init)
{
    leaving_ = true;
    attend(init);
}

std::int64_t Control::deadline() const
{
    std::int64_t earliest = listen_again_;
    for (const Client& client : clients_)
        earliest = std::min(earliest, deadline_of(client));
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
        std::size_t wanted = 1;  // nobody can look into a pipe without taking out what is there
        if (!client.is_pair()) {
            const auto peeked = os::receive(client.in, to, page - client.used, nullptr, MSG_PEEK | MSG_DONTWAIT);
            const void* const end = peeked.ok() ? std::memchr(to, '\n', peeked.value()) : nullptr;
            if (peeked.ok())
                wanted =
                    end != nullptr ? static_cast<std::size_t>(static_cast<const char*>(end) - to) + 1 : peeked.value();
        }
        const auto taken = client.is_pair() ? os::read(client.in, to, wanted)
                                            : os::receive(client.in, to, wanted, nullptr, MSG_DONTWAIT);
        if (taken.number() == EAGAIN)
            return false;
        if (!taken.ok() || taken.value() == 0) {
            put_out(place);
            return false;
        }
        client.used = static_cast<std::uint16_t>(client.used + taken.value());
        if (start[client.used - 1] == '\n')
            return true;
    }
    return true;
}

void Control::hear_client(Pid1& init, std::uint32_t place)
{
    Client& client = clients_[place];
    if (client.phase == Phase::Following)
        hear_follower(place);
    if (client.phase == Phase::Reading && read_line(place))
        begin_answer(init, place);
    if (client.phase == Phase::Answering)
        carry_on(init, place);
    else
        await(place);
}

/// Somebody who follows has sent something, or will send nothing more, or has gone.
void Control::hear_follower(std::uint32_t place)
{
    Client& client = clients_[place];
    pollfd entry{client.in, POLLIN, 0};
    int waiting = 0;
    if (const auto ready = os::poll({&entry, 1}, 0); !ready.ok() || ready.value() == 0)
        return;
    (void)os::ioctl(client.in, FIONREAD, &waiting, "look at a client"_p);
    if (waiting > 0) {
        client.phase = Phase::Answering;
        client.complete = true;
        client.sent = 0;
        Writer reply(page_of(place), page);
        client.answer == Answer::Ready ? put_refusal(reply, "it is not ready yet"_p) : void(reply.put(agreed));
        client.used = static_cast<std::uint16_t>(reply.text().size());
    } else if (!client.is_pair() && !client.half_closed) {
        // `echo events | nc -U control` has said all it has to say, and listens. When it leaves, we are woken again.
        client.half_closed = true;
    } else {
        put_out(place);
    }
}

/// The page holds a request; it lies where the answer will.
void Control::begin_answer(Pid1& init, std::uint32_t place)
{
    Client& client = clients_[place];
    char* const start = page_of(place);
    const std::string_view line(start, client.used);
    const bool whole = line.ends_with('\n');
    const bool skipped = client.skipping;
    client.skipping = !whole;
    if (skipped) {
        client.used = 0;
        return;
    }
    client.phase = Phase::Answering;
    client.answer = Answer::Plain;
    client.next = 0;
    client.cursor = {};
    client.sent = 0;
    char text[1024];  // 160 letters of a refusal, each six as JSON may have it
    Writer reply(text, sizeof text);
    if (whole)
        obey(init, client, reply, slice(line, 0, line.size() - 1));
    else
        put_refusal(reply, "the request is longer than 4096 bytes"_p);
    client.complete = client.answer == Answer::Plain;
    client.used = static_cast<std::uint16_t>(reply.text().size());
    std::memcpy(start, text, client.used);
}

/// Goes on with an answer for as long as it is taken, but not for longer than one turn.
void Control::carry_on(Pid1& init, std::uint32_t place)
{
    Client& client = clients_[place];
    char* const start = page_of(place);
    for (int pages_sent = 0; pages_sent < 16; pages_sent++) {
        if (client.sent == client.used && client.complete) {
            // Of one that sends more than a request the rest is not worth reading, unless it cannot come back.
            if (client.skipping && !client.is_pair())
                return put_out(place);
            client.phase = Phase::Reading;
            client.used = client.sent = 0;
            client.since = init.now;
            break;
        }
        if (client.sent == client.used) {
            Writer reply(start, page);
            fill(init, client, reply);
            client.used = static_cast<std::uint16_t>(reply.text().size());
            client.sent = 0;
            client.phase = client.used == 0 && follows(client.answer) ? Phase::Following : Phase::Answering;
            if (client.phase == Phase::Following) {
                os::discard_memory(start, page);  // it may be long until there is more
                break;
            }
        }
        const std::uint16_t sent_before = client.sent;
        if (!send_page(client, start))
            return put_out(place);
        if (client.sent != sent_before)
            client.since = init.now;
        if (client.sent != client.used)
            break;
    }
    await(place);
}

/// Has us woken when it goes on.
void Control::await(std::uint32_t place)
{
    const Client& client = clients_[place];
    const std::uint64_t token = event_token(Source::Client, place);
    std::uint32_t events = client.phase == Phase::Answering ? EPOLLOUT : EPOLLIN;
    if (client.half_closed && client.phase == Phase::Following)
        events = 0;
    if (client.phase == Phase::Free)
        return;
    if (client.is_pair())
        (void)os::rewatch(epoll_, events == EPOLLIN ? client.in : client.out, events | EPOLLONESHOT, token);
    else
        (void)os::rewatch(epoll_, client.in, events, token);
}

bool Control::send_page(Client& client, const char* start)
{
    while (client.sent < client.used) {
        const char* const from = start + client.sent;
        const auto size = static_cast<std::size_t>(client.used - client.sent);
        const auto sent = client.is_pair() ? os::write(client.out, from, size)
                                           : os::send(client.out, from, size, -1, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent.number() == EAGAIN)
            return true;
        if (!sent.ok())
            return false;
        client.sent = static_cast<std::uint16_t>(client.sent + sent.value());
    }
    return true;
}

}  // namespace vial
