// SPDX-License-Identifier: MIT
#pragma once

/// The control socket: one request a line, answered with lines of JSON (DESIGN: "Control and stats").
///
///     status | stats | ping | shutdown | events | ready | logs [SERVICE]
///     start SERVICE | restart SERVICE | stop [SERVICE] | reload [SERVICE] | signal SIGNAL [SERVICE]
///     pause | resume (what is told to PID 1 alone: see init/pause.cc)
///
/// The last line of an answer is `{"ok":true}` or `{"ok":false,"error":"..."}`; then the next request may follow.
/// `events` tells what is remembered and then what comes, until the container ends or the client sends another line.
/// `ready` is answered when every service is, or has done its work; with an error as soon as one has failed, when the
/// container is being stopped, or when the client sends another line before that.
///
/// The same is spoken over a pair of descriptors that whoever started us has left open (`--control-fd`). It is one
/// client like any other, but for two things: it may take its time, and its end is for good.
///
/// A client can hurt nobody but itself. There are a few places; who comes when they are taken waits in the
/// kernel's backlog. A request is at most a page; an answer is made a page at a time as the client takes it,
/// line by line, never whole, and others get their turn in between. Who does neither ask nor take for a while is put
/// out, and sooner where somebody else waits for the place.

#include "base/events.h"
#include "init/log.h"

#include <cstdint>
#include <string_view>

namespace vial {

class Pid1;
class Writer;

class Control {
public:
    static constexpr std::size_t places = 8;          ///< for the socket's clients
    static constexpr std::size_t pages = places + 1;  ///< and one for the pair
    static constexpr std::size_t followers_most = 4;  ///< of the places, how many may be taken by `events` and `ready`
    static constexpr std::size_t page = 4096;
    static constexpr std::int64_t patience = 10000;      ///< milliseconds a client may be idle
    static constexpr std::int64_t short_patience = 500;  ///< the same while somebody waits for a place
    static constexpr std::int64_t accept_pause = 1000;   ///< after the kernel refused a connection

    /// `memory`: `pages` pages. `listener`: bound, listening and non-blocking; -1: there is no control socket.
    Result<void> open(int epoll, int listener, char* memory);
    /// Takes over a pair of descriptors: pipes, or twice the same socket. They need not be non-blocking.
    Result<void> open_pair(int requests, int answers);

    void hear_listener(Pid1& init);
    void hear_client(Pid1& init, std::uint32_t place);
    /// Once a turn: tells what is new to those who follow, and puts out who was idle for too long.
    void attend(Pid1& init);
    /// The container ends: the last events, and the end of the answer.
    void take_leave(Pid1& init);
    std::int64_t deadline() const;

private:
    enum class Phase : std::uint8_t {
        Free,
        Reading,
        Answering,
        Following,  ///< all that there is for now has been told
    };
    enum class Answer : std::uint8_t { Plain, Status, Stats, Logs, Events, Ready };
    /// It may be long until there is more of it.
    static constexpr bool follows(Answer answer) { return answer >= Answer::Events; }

    struct Client {
        int in = -1;
        int out = -1;  ///< the same as `in`, but for the pair
        Phase phase = Phase::Free;
        Answer answer = Answer::Plain;
        bool complete = false;      ///< Answering: its last line is in the page
        bool half_closed = false;   ///< Following: it will ask nothing more
        bool skipping = false;      ///< the rest of a line that was too long is thrown away
        std::uint16_t used = 0;     ///< bytes in the page
        std::uint16_t sent = 0;     ///< of those, Answering
        std::uint32_t service = 0;  ///< Logs: of which; or all
        std::uint64_t next = 0;     ///< Status, Stats: 0 the container, then one a service; Events: its number
        LogCursor cursor;           ///< Logs
        std::int64_t since = 0;     ///< when it last asked, or took something
        bool is_pair() const { return in != out; }
    };

    char* page_of(std::uint32_t place) const { return memory_ + place * page; }
    std::int64_t deadline_of(const Client& client) const;
    void listen(bool wanted);
    bool read_line(std::uint32_t place);
    void hear_follower(std::uint32_t place);
    /// Not part of who calls it: its buffer would lie beneath all else that PID 1 does, and cost a page of stack.
    [[gnu::noinline]] void begin_answer(Pid1& init, std::uint32_t place);
    void carry_on(Pid1& init, std::uint32_t place);
    void await(std::uint32_t place);
    static bool send_page(Client& client, const char* start);
    void put_out(std::uint32_t place);

    // requests.cc
    static constexpr std::string_view agreed = "{\"ok\":true}\n";
    /// The last line of an answer that says no. `what` may be anything a client wrote.
    struct Wanted;
    /// False: the line makes no sense, and is answered.
    static bool understand(const Pid1& init, Writer& reply, std::string_view line, Wanted& wanted);
    static void put_refusal(Writer& reply, Phrase why, std::string_view what = {});
    void obey(Pid1& init, Client& client, Writer& reply, std::string_view line);
    bool may_follow() const;
    void fill(Pid1& init, Client& client, Writer& reply) const;
    static bool put_readiness(const Pid1& init, Writer& reply);
    static void put_next_line(Pid1& init, Client& client, Writer& reply);
    void put_next_event(const Pid1& init, Client& client, Writer& reply) const;
    static void put_next_record(const Pid1& init, Client& client, Writer& reply);

    Client clients_[pages];
    char* memory_ = nullptr;
    int epoll_ = -1;
    int listener_ = -1;
    bool listening_ = false;
    bool pressed_ = false;    ///< somebody waits for a place
    bool leaving_ = false;    ///< there will be no more events
    std::uint64_t told_ = 0;  ///< events that were told to those who follow
    std::int64_t listen_again_ = os::never;
};

}  // namespace vial
