// SPDX-License-Identifier: MIT
#include "init/init.h"

#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/pid1.h"
#include "init/spawn.h"
#include "kernel/capabilities.h"
#include "supervise/channel.h"

#include <algorithm>
#include <fcntl.h>
#include <limits.h>
#include <memory>
#include <poll.h>
#include <sys/prctl.h>

namespace vial {

namespace {

constexpr int own_failure = 125;
/// What is kept for each service begins here, as what the launcher has handed over does.
constexpr int first_kept = 64;

constexpr std::uint64_t capability(unsigned number)
{
    return std::uint64_t{1} << number;
}

/// What PID 1 needs beside what the services get: KILL (5), SETGID (6), SETUID (7), SETPCAP (8).
constexpr std::uint64_t own_capabilities = capability(5) | capability(6) | capability(7) | capability(8);

/// Whether the other end of the channel is closed: its owner has died, maybe before we asked to be told.
bool is_abandoned(int channel)
{
    pollfd entry{channel, POLLIN, 0};
    const auto ready = os::poll({&entry, 1}, 0);
    return ready.ok() && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

int refuse(const Plan& plan, const Error& error)
{
    char message[1 + description_capacity];
    message[0] = static_cast<char>(ChannelLetter::ServiceFailed);
    const std::string_view text = describe(error, message + 1, sizeof message - 1);
    (void)os::send(plan.channel, message, 1 + text.size(), -1, MSG_DONTWAIT | MSG_NOSIGNAL);
    return own_failure;
}

/// The largest file PID 1 writes: a segment, or the exit record.
rlim_t file_size_bound(const Plan& plan)
{
    return static_cast<rlim_t>(std::max<std::int64_t>(plan.log_size, 4096));
}

std::size_t round_to_pages(std::size_t size)
{
    return (size + Control::page - 1) & ~(Control::page - 1);
}

}  // namespace

Result<int> supervise(const Plan& plan, const Entry* entry)
{
    // One piece: the events, the services' tables, then the log's page and the clients'.
    const std::size_t count = plan.service_count;
    constexpr std::size_t events = EventRing::size * sizeof(Event);
    const std::size_t size =
        round_to_pages(events + count * (sizeof(Service) + sizeof(ServiceRuntime) + 2 * sizeof(std::uint32_t)) +
                       sizeof(std::uint32_t));  // the buckets are never none
    char* memory = static_cast<char*>(TRY(os::map_memory(size + Log::page + Control::pages * Control::page)));
    auto* services = reinterpret_cast<Service*>(memory + events);
    auto* runtimes = reinterpret_cast<ServiceRuntime*>(services + count);
    auto* numbers = reinterpret_cast<std::uint32_t*>(runtimes + count);
    std::uninitialized_default_construct_n(services, count);
    std::uninitialized_default_construct_n(runtimes, count);

    ServiceTables tables;
    tables.services = {services, count};
    tables.heap = {numbers, count};
    tables.buckets = {numbers + count, count + 1};
    if (plan.edge_count > 0) {
        tables.needs = {plan.list(plan.needs.starts, plan.service_count + 1), plan.edges(plan.needs)};
        tables.dependents = {plan.list(plan.dependents.starts, plan.service_count + 1), plan.edges(plan.dependents)};
    }
    Pid1 init(plan, tables, {runtimes, count});
    init.events.open(reinterpret_cast<Event*>(memory));
    init.entry = entry;
    auto opened = init.open(memory + size);
    auto code = opened.ok() ? Result<int>(init.run()) : opened.error();
    init.clear_away();
    return code;
}

int run_init(int plan_fd)
{
    // exec made us dumpable: until this is undone, a root payload could open /proc/1/mem.
    const auto hidden = make_undumpable();
    os::block_signals();         // what came since the clone is pending, and is heard once there is a loop
    os::reset_signal_actions();  // SIGCHLD inherited as ignored would lose every exit code

    auto mapped = map_plan(plan_fd);
    if (!mapped.ok())
        return own_failure;
    const Plan& plan = *mapped.value();
    if (plan_fd > 2)
        Fd(plan_fd).reset();

    os::occupy_standard();
    (void)os::chdir("/");
    // A start whose launcher is gone is undone by nobody else. A detached container outlives it, once it runs.
    const bool stays = (plan.flags & PlanNoInit) != 0 && (plan.flags & PlanForeground) == 0;
    follow_launcher(!stays);
    if (is_abandoned(plan.channel))
        return own_failure;
    if (!hidden.ok())
        return refuse(plan, hidden.error());
    if ((plan.flags & PlanNoInit) != 0)
        return become_only_service(plan);

    auto code = supervise(plan, nullptr);
    return code.ok() ? code.value() : refuse(plan, code.error());
}

Pid1::Pid1(const Plan& plan_, const ServiceTables& tables, std::span<ServiceRuntime> runtimes_)
    : plan(plan_), runtimes(runtimes_), supervisor(tables, *this), channel_(plan_.channel)
{
}

Result<void> Pid1::open(char* pages)
{
    now = started_at = os::boottime_ms();
    scratch = pages;
    if (is_own() || entry->command == nullptr) {
        // A thousand services have more than the thousand descriptors that a process usually has.
        descriptors_ = TRY(os::getrlimit(RLIMIT_NOFILE));
        (void)os::setrlimit(RLIMIT_NOFILE, {descriptors_.rlim_max, descriptors_.rlim_max});
    }
    if (!is_own())
        return open_entry(pages);
    log.open(plan.log, plan.log_size, scratch);
    // A bug or a bad block number may never make a file of the host's grow; services get their own limit back.
    file_size_ = TRY(os::getrlimit(RLIMIT_FSIZE));
    TRY(os::setrlimit(RLIMIT_FSIZE,
                      {std::min<rlim_t>(file_size_.rlim_max, file_size_bound(plan)), file_size_.rlim_max}));

    TRY(open_events());
    if (channel_ >= 0)
        TRY(os::watch(epoll, channel_, EPOLLRDHUP, event_token(Source::Channel)));
    TRY(control.open(epoll, plan.control, pages + Log::page));
    if (plan.requests >= 0 && plan.answers >= 0)
        TRY(control.open_pair(plan.requests, plan.answers));

    if (Opened null = os::open("/dev/null", O_RDWR); null.ok())
        null_ = null.value().release();
    // Opened while /proc is still what the launcher made it.
    if (Opened directory = os::open("/proc/self/fd", O_PATH | O_DIRECTORY); directory.ok())
        own_descriptors_ = directory.value().release();
    if (Opened file = os::open("/proc/self/net/dev", O_RDONLY); file.ok())
        interfaces = file.value().release();

    watch_limits();
    TRY(open_outputs());
    // Who has all of a process's ids may set its limits, see prlimit(2): root in here could leave us no descriptor, or a
    // second to live. Nobody has this one; where it is not mapped, there is no other root than ours.
    constexpr gid_t nobody = 65534;
    (void)os::set_saved_group(nobody);
    TRY(limit_capabilities(plan.capabilities | own_capabilities));
    return {};
}

Result<void> Pid1::open_events()
{
    epoll = TRY(os::epoll()).release();
    signals_ = TRY(os::signal_descriptor(os::every_signal())).release();
    TRY(os::watch(epoll, signals_, EPOLLIN, event_token(Source::Signals)));
    if (Opened directory = os::open("/proc", O_PATH | O_DIRECTORY); directory.ok())
        proc_ = directory.value().release();
    timer_ = TRY(os::timer()).release();
    TRY(os::watch(epoll, timer_, EPOLLIN, event_token(Source::Timer)));
    // Without these two it would wait for ever, or not at all: a filter that refuses them is told before anything has begun.
    TRY(os::arm(timer_, os::never));
    epoll_event none;
    TRY(os::wait_events(epoll, {&none, 1}, 0));
    return {};
}

namespace {

/// Out of the way of what is lent to services that start; where there are too few descriptors for that, just kept.
Result<Fd> keep(int fd)
{
    Opened high = os::duplicate(fd, first_kept);
    if (high.ok())
        return high;
    return os::duplicate(fd);
}

}  // namespace

Result<void> Pid1::open_outputs()
{
    // Of us nobody shares them yet, and none is that high: this does nothing.
    may_share_ = os::own_descriptors(INT_MAX).ok();
    // A host has more specs than it starts: of each its own are opened when it is.
    for (ServiceIndex index = 0; index < plan.service_count && !is_host(); index++)
        TRY(open_output(index));
    return {};
}

/// Does nothing where that was done before.
Result<void> Pid1::open_output(ServiceIndex index)
{
    ServiceRuntime& runtime = runtimes[index];
    if (policy(index).ready == Ready::Notify && runtime.readiness < 0)
        TRY(open_notify_socket(index));
    const PlanService& service = plan.all_services()[index];
    if (foreground() || service.terminal >= 0 || service.is_container || runtime.output_read >= 0)
        return {};
    os::Pipe output = TRY(is_host() ? open_lasting(index) : os::pipe());
    TRY(os::set_nonblocking(output.read.get()));
    // Opening /dev/stdout opens the pipe anew, which takes the right to it. Without CAP_CHOWN that stays root's.
    if (service.user != 0 || service.group != 0)
        (void)os::fchown(output.write.get(), service.user, service.group);
    // The lowest numbers are for what is lent to a service that is being started.
    Fd read = TRY(keep(output.read.get()));
    Fd write = TRY(keep(output.write.get()));
    TRY(os::watch(epoll, read.get(), EPOLLIN, event_token(Source::Output, index)));
    runtime.output_read = read.release();
    runtime.output_write = write.release();
    return {};
}

VIAL_AT_REST bool Pid1::is_over() const
{
    return supervisor.finished() && !is_paused() && (supervisor.closing() || (!is_host() && plan.service_count != 0));
}

VIAL_AT_REST int Pid1::run()
{
    if (is_host())
        begin_host();
    else
        supervisor.start_all(now);
    for (;;) {
        // First what has ended, then what follows from that: so no signal goes to a pid that is no longer its
        // service's, and a service that crashed is started again in the same turn.
        if (reap_again_)
            reap_again_ = reap();
        bool more = reap_again_;
        if (!ending_ && !is_paused()) {
            // A oneshot that is done may have an on_stop to run.
            if (supervisor.finished() && !supervisor.closing() && !is_host() && plan.service_count != 0)
                supervisor.stop_all(now);
            const bool waiting = is_crowded() || supervisor.advance(now);
            if (!told_ && !waiting && reports_ == 0)
                tell_launcher();
            if (is_host() && !waiting)
                report();
            more |= waiting;
        }
        if (limits_again_ <= now)
            hear_limits();
        control.attend(*this);
        if (next_look_ <= now)
            look_at_strangers();
        feed_watchdog();
        more |= needs_emergency();
        if (power_ != NoPower && (supervisor.finished() || power_deadline_ <= now)) {
            log.commit();
            control.take_leave(*this);
            return power_;
        }
        if (quit_ >= 0)
            return quit_;
        if (again_ != os::never && may_go_again()) {
            remember_past();
            return to_go_again;
        }
        if (is_over() && (ending_ ? end_is_over() : begin_end())) {
            drain_outputs();
            log.commit();
            control.take_leave(*this);
            return end_code_;
        }
        log.commit();

        listen(more);
    }
}

/// Waits for what comes next, and deals with it. `more`: there is something to do already.
VIAL_AT_REST void Pid1::listen(bool more)
{
    const std::int64_t deadline = std::min({is_paused() ? os::never : supervisor.deadline(), control.deadline(),
                                            end_deadline_, next_look_, limits_again_, next_feed_, power_deadline_});
    if (deadline != armed_) {
        (void)os::arm(timer_, deadline);
        armed_ = deadline;
    }
    if (many_pages_ && !more) {
        os::forget_past();
        // Of a plan in a memfd only what is looked at again comes back, from there; one of our own would not.
        if (is_own() || entry->plan_is_mapped)
            os::discard_memory(const_cast<Plan*>(&plan), plan.size);
        many_pages_ = false;
    }
    // Beside its signals a PID 1 for one command has nothing to wait for, once that runs: by a call less for each.
    if (watches_signals_alone_ && deadline == os::never && reports_ == 0 && !more) {
        wait_signal();
        return;
    }
    epoll_event heard[16];
    const auto count = os::wait_events(epoll, heard, more ? (is_crowded() ? most_patience : 0) : -1);
    if (!count.ok())
        return;
    // Orphans are nothing that the time is asked for, unless somebody waits for it.
    if (more || count.value() != 1 || heard[0].data.u64 != event_token(Source::Signals))
        now = os::boottime_ms();
    for (std::size_t i = 0; i < count.value(); i++)
        dispatch(heard[i].data.u64);
}

void Pid1::dispatch(std::uint64_t token)
{
    const auto index = static_cast<std::uint32_t>(token);
    switch (static_cast<Source>(token >> 32)) {
    case Source::Signals:
        hear_signals();
        break;
    case Source::Timer: {
        std::uint64_t times;
        (void)os::read(timer_, &times, sizeof times);
        armed_ = os::never;
        break;
    }
    case Source::Channel:
        // Nobody waits for this container any more, and nobody is there to clear it away but the kernel.
        if (is_abandoned(channel_))
            quit_ = own_failure;
        break;
    case Source::Listener:
        control.hear_listener(*this);
        break;
    case Source::Client:
        control.hear_client(*this, index);
        many_pages_ = true;
        break;
    case Source::ExecReport:
        hear_exec_report(index, false);
        break;
    case Source::Readiness:
        hear_readiness(index);
        break;
    case Source::Process:
        hear_stranger(index);
        break;
    case Source::Limits:
        hear_limits();
        break;
    case Source::Output:
        (void)hear_output(index);
        break;
    }
}

/// False: it has been read to its end.
bool Pid1::hear_output(ServiceIndex index)
{
    // A service that writes without end gets a turn like everybody else.
    for (int records = 0; records < 8; records++) {
        const std::size_t room = log.room();
        const auto got = os::read(runtimes[index].output_read, log.data(), room);
        if (!got.ok() || got.value() == 0)
            return false;
        log.write_prepared(got.value(), os::realtime_ms(), service_name(index), LogStream::Output);
        if (got.value() < room)
            return false;
    }
    return true;
}

void Pid1::drain_outputs()
{
    for (ServiceIndex index = 0; index < runtimes.size(); index++) {
        // A full pipe is 64 KiB unless the service made it larger.
        for (int turn = 0; turn < 4 && runtimes[index].output_read >= 0 && hear_output(index); turn++)
            ;
    }
}

// NOLINTNEXTLINE(cert-dcl50-cpp)
void Pid1::note_values(ServiceIndex index, const char* pattern, values::Kinds kinds, ...)
{
    char buffer[1024];
    Writer text(buffer, sizeof buffer);
    std::va_list given;
    va_start(given, kinds);
    text.put_all(pattern, kinds, given);
    va_end(given);
    log.note(os::realtime_ms(), service_name(index), text.text());
    if (!is_own() && entry->command == nullptr)
        tell(*entry, Level::Info, "%: %", service_name(index), text.text());
}

void follow_launcher(bool follow)
{
    (void)os::prctl(PR_SET_PDEATHSIG, follow ? SIGKILL : 0, 0, "follow the launcher"_p);
}

void Pid1::say(char letter, std::string_view text) const
{
    if (channel_ < 0)
        return;
    Writer writer(scratch, channel_message);
    writer.put(letter).put(text);
    (void)os::send(channel_, scratch, writer.text().size(), -1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace vial
