// SPDX-License-Identifier: MIT
#pragma once

/// The control socket: one request a line, answered with lines of JSON (DESIGN: "Control and stats").
///
///     status | stats | ping | shutdown | stop [SERVICE] | start SERVICE | restart SERVICE | reload SERVICE |
///     signal SIGNAL [SERVICE]
///
/// The last line of an answer is `{"ok":true}` or `{"ok":false,"error":"..."}`; then the next request may follow.
///
/// A client can hurt nobody but itself. There are a few places; who comes when they are taken waits in the
/// kernel's backlog. A request is at most a page; an answer is made a page at a time as the client takes it,
/// service by service, never whole. Who does neither ask nor take for a while is put out.

#include "base/events.h"

#include <cstdint>
#include <string_view>

namespace vial {

class Pid1;
class Writer;

class Control {
public:
    static constexpr std::size_t places = 8;
    static constexpr std::size_t page = 4096;
    static constexpr std::int64_t patience = 10000;     ///< milliseconds a client may be idle
    static constexpr std::int64_t accept_pause = 1000;  ///< after the kernel refused a connection

    /// `pages`: one a place. `listener`: bound, listening and non-blocking; -1: there is no control socket.
    Result<void> open(int epoll, int listener, char* pages);

    void hear_listener(Pid1& init);
    void hear_client(Pid1& init, std::uint32_t place);
    /// Puts out who was idle for too long.
    void expire(Pid1& init);
    std::int64_t deadline() const;

private:
    enum class Phase : std::uint8_t { Free, Reading, Answering };
    enum class Answer : std::uint8_t { Plain, Status, Stats };

    struct Client {
        int fd = -1;
        Phase phase = Phase::Free;
        Answer answer = Answer::Plain;
        bool complete = false;        ///< Answering: its last line is in the page
        std::uint16_t used = 0;       ///< bytes in the page
        std::uint16_t sent = 0;       ///< of those, Answering
        std::uint32_t next_line = 0;  ///< 0: the container; then one a service
        std::int64_t deadline = os::never;
    };

    char* page_of(std::uint32_t place) const { return pages_ + place * page; }
    void listen(bool wanted);
    bool read_line(std::uint32_t place);
    static void obey(Pid1& init, Client& client, Writer& reply, std::string_view line);
    static void fill(Pid1& init, Client& client, Writer& reply);
    static bool send_page(Client& client, const char* start);
    void put_out(std::uint32_t place);

    Client clients_[places];
    char* pages_ = nullptr;
    int epoll_ = -1;
    int listener_ = -1;
    bool listening_ = false;
    std::int64_t listen_again_ = os::never;
};

}  // namespace vial
