// SPDX-License-Identifier: MIT

/// What is asked of PID 1, and the answers, line by line.

#include "base/features.h"
#include "base/text.h"
#include "init/control.h"
#include "init/entry.h"
#include "init/object.h"
#include "init/pid1.h"
#include "init/stats.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vial {

namespace {

static_assert(longest_line + 64 < Control::page);
/// So many bytes of output go into one line of `logs`, each written as six at most.
constexpr std::size_t log_piece = (longest_line - log_head_bytes - 128) / 6;

enum class Verb : std::uint8_t {
    Status,
    Stats,
    Ping,
    Shutdown,
    Stop,
    Start,
    Restart,
    Reload,
    Signal,
    Events,
    Ready,
    Logs,
    Pause,
    Resume,
    Reboot,
    Halt,
    PowerOff
};
enum class Named : std::uint8_t { None, Maybe, One };

struct Request {
    const char* word;
    Verb verb;
    Named service;
    Feature feature = Feature::Always;
};

constexpr Request requests[] = {
    {"status", Verb::Status, Named::None},
    {"stats", Verb::Stats, Named::None, Feature::Stats},
    {"ping", Verb::Ping, Named::None},
    {"shutdown", Verb::Shutdown, Named::None},
    {"stop", Verb::Stop, Named::Maybe},
    {"start", Verb::Start, Named::One},
    {"restart", Verb::Restart, Named::One},
    {"signal", Verb::Signal, Named::Maybe},
    {"events", Verb::Events, Named::None},
    {"reload", Verb::Reload, Named::Maybe},
    {"logs", Verb::Logs, Named::Maybe, Feature::Logs},
    {"ready", Verb::Ready, Named::None},
    {"pause", Verb::Pause, Named::None},
    {"resume", Verb::Resume, Named::None},
    {"reboot", Verb::Reboot, Named::None},
    {"halt", Verb::Halt, Named::None},
    {"poweroff", Verb::PowerOff, Named::None},
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

/// One, or without it all that can. False: nobody could be told. The host's supervisor itself has its specs to read.
bool reload(Pid1& init, ServiceIndex index)
{
    if (index == none && init.is_host()) {
        init.ask_again();
        return true;
    }
    bool any = false;
    const ServiceIndex end = index == none ? init.plan.service_count : index + 1;
    for (ServiceIndex each = index == none ? 0 : index; each < end; each++)
        any |= init.supervisor.reload(each, init.now);
    return any;
}

}  // namespace

void Control::put_refusal(Writer& reply, Phrase why, std::string_view what)
{
    char text[160];
    Writer words(text, sizeof text);
    words.compose(why, what);
    reply.put("{\"ok\":false,\"error\":").quoted(words.text()).put("}\n");
}

/// As many lines as a page surely holds; nothing: there is no more for now.
void Control::fill(Pid1& init, Client& client, Writer& reply) const
{
    if (client.answer == Answer::Ready) {
        client.complete = client.complete || put_readiness(init, reply);
        return;
    }
    while (!client.complete && page - reply.text().size() > longest_line) {
        const std::size_t before = reply.text().size();
        if (client.answer == Answer::Events)
            put_next_event(init, client, reply);
        else if (built_with(Feature::Logs) && client.answer == Answer::Logs)
            put_next_record(init, client, reply);
        else if (client.next <= init.plan.service_count)
            put_next_line(init, client, reply);
        else
            client.complete = true;
        if (client.complete)
            reply.put(agreed);
        if (reply.text().size() == before)
            return;
    }
}

/// Of status and stats: the container's line, then the services'.
void Control::put_next_line(Pid1& init, Client& client, Writer& reply)
{
    const bool status = !built_with(Feature::Stats) || client.answer == Answer::Status;
    const auto index = static_cast<ServiceIndex>(client.next++) - 1;
    if (index == none && !status)
        (void)init.look_at_limits();  // what is read for this does not wake us any more
    if (index == none)
        (status ? put_container_status : put_container_stats)(init, reply);
    else
        (status ? put_service_status : put_service_stats)(init, index, reply);
}

void Control::put_next_event(const Pid1& init, Client& client, Writer& reply) const
{
    if (client.next == init.events.next()) {
        client.complete = leaving_;
        return;
    }
    ObjectWriter object(reply);
    if (const std::uint64_t first = init.events.first(); client.next < first) {
        object.text("event", "lost");
        object.number("count", static_cast<std::int64_t>(first - client.next));
        client.next = first;
    } else {
        const Event& event = init.events[client.next++];
        if (event.kind < EventKind::Paused)
            object.text("service", init.service_name(event.service));
        put_event(object, event);
    }
    object.end();
}

void Control::put_next_record(const Pid1& init, Client& client, Writer& reply)
{
    LogRecord record;
    bool wanted = false;
    for (int looked_at = 0; looked_at < 64 && !wanted; looked_at++) {
        client.complete = !init.log.next(client.cursor, record, log_piece);
        if (client.complete)
            return;
        wanted = client.service == none || record.service == init.service_name(client.service);
    }
    if (!wanted)
        return;
    ObjectWriter object(reply);
    object.text("service", record.service);
    object.number("at", record.at);
    object.text("stream", record.stream == LogStream::Note ? "note" : "output");
    object.flag("gap", std::exchange(client.cursor.overtaken, false));
    object.text("data", record.data);
    object.end();
}

/// Nothing where it is not known yet.
bool Control::put_readiness(const Pid1& init, Writer& reply)
{
    // Had it been ready before, that would have been told before.
    if (init.shut) {
        put_refusal(reply, "the container is stopping"_p);
        return true;
    }
    bool pending = init.supervisor.closing();
    for (ServiceIndex index = 0; index < init.plan.service_count; index++) {
        const Service& service = init.supervisor.service(index);
        if (service.state == ServiceState::Failed) {
            char text[160];  // of names as long as they may be, it is 153
            Writer why(text, sizeof text);
            if (init.plan.service_count > 1)
                why.put(init.service_name(index)).put(": ");
            const std::size_t before = why.text().size();
            put_reason(init, index, why);
            if (why.text().size() == before)
                why.put("it exited with code ").decimal(service.last.code);
            put_refusal(reply, "", why.text());
            return true;
        }
        pending |= service.state != ServiceState::Ready && service.state != ServiceState::Reloading &&
                   service.state != ServiceState::Stopped;
    }
    if (!pending)
        reply.put(agreed);
    return !pending;
}

bool Control::may_follow() const
{
    const auto count = std::count_if(clients_, clients_ + places, [](const Client& client) {
        return client.phase > Phase::Reading && follows(client.answer);
    });
    return static_cast<std::size_t>(count) < followers_most;
}

/// Whether it asks for something of the services themselves.
static bool asks_services(Verb verb, bool named)
{
    return verb == Verb::Start || verb == Verb::Restart || verb == Verb::Reload || verb == Verb::Signal ||
           (verb == Verb::Stop && named);
}

/// What a request line says.
struct Control::Wanted {
    const Request* request;
    ServiceIndex index;     ///< `none`: no service is named
    std::string_view name;  ///< of the service
    int signal;
};

bool Control::understand(const Pid1& init, Writer& reply, std::string_view line, Wanted& wanted)
{
    const auto refuse = [&](Phrase why, std::string_view what) {
        put_refusal(reply, why, what);
        return false;
    };
    const std::string_view word = take_word(line);
    const Request* const request =
        std::find_if(std::begin(requests), std::end(requests), [&](const Request& each) { return word == each.word; });
    if (request == std::end(requests))
        return refuse("unknown request: "_p, word);
    if (!built_with(request->feature))
        return refuse("this vial was built without it (meson option): "_p, word);

    int signal = 0;
    if (request->verb == Verb::Signal) {
        const std::string_view text = take_word(line);
        const auto number = parse_signal(text);
        if (!number)
            return refuse("not a signal: "_p, text);
        signal = *number;
    }
    const std::string_view name = take_word(line);
    if (!take_word(line).empty() || (request->service == Named::None && !name.empty()))
        return refuse("too many words after "_p, word);
    if (name.empty() && request->service == Named::One)
        return refuse("no service was named after "_p, word);
    const ServiceIndex index = name.empty() ? none : find_service(init, name);
    if (!name.empty() && index == none)
        return refuse("no such service: "_p, name);
    wanted = {request, index, name, signal};
    return true;
}

void Control::obey(Pid1& init, Client& client, Writer& reply, std::string_view line)
{
    Wanted wanted{};
    if (!understand(init, reply, line, wanted))
        return;
    const auto& [request, index, name, signal] = wanted;
    if (init.is_paused() && asks_services(request->verb, index != none))
        return put_refusal(reply, "it is paused (try: `vial resume`)"_p);

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
        if (!init.is_first()) {
            init.shut_down();
            break;
        }
        [[fallthrough]];
    case Verb::PowerOff:
    case Verb::Halt:
    case Verb::Reboot:
        if (!init.is_first())
            return put_refusal(reply, "this is not the machine's first process"_p);
        init.end_machine(request->verb == Verb::Reboot ? Reboot : request->verb == Verb::Halt ? Halt : PowerOff);
        break;
    case Verb::Start:
        possible = init.supervisor.start(index, init.now);
        break;
    case Verb::Restart:
        possible = init.supervisor.restart(index, init.now);
        break;
    case Verb::Signal:
        if (!(index == none ? init.forward(signal) : init.forward(signal, index)))
            return put_refusal(reply, "nothing is running"_p);
        break;
    case Verb::Reload:
        if (!reload(init, index))
            return put_refusal(reply, "it is not ready: "_p, name);
        break;
    case Verb::Events:
    case Verb::Ready:
        if (&client != &clients_[places] && !may_follow())
            return put_refusal(reply, "too many follow already"_p);
        client.answer = request->verb == Verb::Ready ? Answer::Ready : Answer::Events;
        client.next = init.events.first();
        return;
    case Verb::Logs:
        if (!init.log.kept())
            return put_refusal(reply, "no log is kept"_p);
        client.answer = Answer::Logs;
        client.service = index;
        return;
    case Verb::Pause:
        if (!init.is_own())
            return put_refusal(reply, "it is none of vial's containers"_p);
        possible = !init.supervisor.closing();
        if (possible)
            init.pause();
        break;
    case Verb::Resume:
        init.resume();
        break;
    case Verb::Ping:
        break;
    }
    if (!possible)
        return put_refusal(reply, "the container is stopping"_p);
    reply.put(agreed);
}

}  // namespace vial
