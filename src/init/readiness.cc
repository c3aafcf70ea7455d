// SPDX-License-Identifier: MIT

/// How services tell that they are ready, and what else they say of themselves.
///
/// * `notify`: datagrams of sd_notify(3), on a socket of the service's own: who may write to it is the service's user and
///   root. READY, RELOADING, STATUS and MAINPID are understood, the rest is passed over. Descriptors that come along
///   (BARRIER=1) are closed: that is what their sender waits for.
/// * `fd`: a newline on a pipe, as s6 has it.
/// * `tcp`: a connection to the port is possible, tried without waiting for it.
/// * a pid file: the process that it names is our child by now.
///
/// Each but the last has one descriptor while it is needed, in `ServiceRuntime::readiness`; the sockets of `notify` stay.

#include "base/os.h"
#include "base/text.h"
#include "init/pid1.h"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr const char* notify_name = notify_directory.data() + std::string_view("/dev/").size();

}  // namespace

Kinship kinship_of(int proc, pid_t pid)
{
    Kinship found;
    char path[16] = {};
    Writer(path, sizeof path - 1).decimal(pid);
    const Opened process = os::open_within(proc, path, O_PATH | O_DIRECTORY);
    if (!process.ok())
        return found;
    const Opened file = os::open_within(process.value().get(), "stat", O_RDONLY | O_NONBLOCK);
    const auto status = os::fstat(process.value().get());
    if (!file.ok() || !status.ok())
        return found;
    char buffer[512];
    const auto got = os::read(file.value().get(), buffer, sizeof buffer);
    // `12 (any name) S 1 ...`: the name may hold everything.
    std::string_view rest(buffer, got.ok() ? got.value() : 0);
    rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
    (void)take_word(rest);
    found.parent = parse_number(take_word(rest)).value_or(0);
    for (int field = 5; field < 22; field++)
        (void)take_word(rest);
    found.start_time = parse_number(take_word(rest)).value_or(0);
    found.user = status.value().st_uid;
    return found;
}

/// Before anything of the container runs: so nobody is there to put something else in its place.
Result<void> Pid1::open_notify_socket(ServiceIndex index)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Writer path(address.sun_path, sizeof address.sun_path - 1);
    if (notify_parent_ < 0) {
        notify_parent_ = TRY(os::open("/dev", O_PATH | O_DIRECTORY)).release();
        auto made = os::mkdirat(notify_parent_, notify_name, 0755);
        if (!made.ok() && made.number() != EEXIST)
            return made.error().as("make the socket that ready = \"notify\" takes, in"_p, notify_directory);
        made_notify_ = made.ok();
        notify_ = TRY(os::openat(notify_parent_, notify_name, O_PATH | O_DIRECTORY)).release();
    }
    path.compose("%/%", notify_directory, service_name(index));
    Fd socket = TRY(os::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    TRY(os::fchmod(socket.get(), 0600));  // becomes the mode of the file
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    auto bound = os::bind(socket.get(), name, sizeof address, path.text());
    // One that an init has left that was killed is nobody's.
    if (bound.number() == EADDRINUSE &&
        os::connect(socket.get(), name, sizeof address, path.text()).number() == ECONNREFUSED) {
        (void)os::unlinkat(notify_, plan.text(plan.all_services()[index].name));
        bound = os::bind(socket.get(), name, sizeof address, path.text());
    }
    TRY(bound);
    const PlanService& service = plan.all_services()[index];
    if (service.user != 0) {
        const Fd file = TRY(os::open(address.sun_path, O_PATH | O_NOFOLLOW));
        TRY(os::fchown(file.get(), service.user, service.group));
    }
    // Told of what comes, not of what is there: one that cannot be taken now would wake us without end.
    TRY(os::watch(epoll, socket.get(), EPOLLIN | EPOLLET, event_token(Source::Readiness, index)));
    runtimes[index].readiness = socket.release();
    return {};
}

/// /dev may go on without us. Not by path: what is mounted there by now is none of ours, and could keep us waiting.
void Pid1::clear_away() const
{
    if (notify_ < 0)
        return;
    for (ServiceIndex index = 0; index < plan.service_count; index++) {
        // A host's may be of a life before.
        if ((runtimes[index].readiness >= 0 || is_host()) && policy(index).ready == Ready::Notify)
            (void)os::unlinkat(notify_, plan.text(plan.all_services()[index].name));
    }
    if (made_notify_)
        (void)os::unlinkat(notify_parent_, notify_name, AT_REMOVEDIR);
}

/// What a new life begins with. Returns the end that the service gets, where it gets one.
Result<Fd> Pid1::begin_readiness(ServiceIndex index)
{
    ServiceRuntime& runtime = runtimes[index];
    runtime.next_main = 0;
    const Ready ready = policy(index).ready;
    if (ready == Ready::Notify) {
        // What the former life said last does not count for this one.
        char passed_over[1];
        for (int turn = 0; turn < 64 && take_message(index, passed_over).ok(); turn++) {
        }
    }
    if (ready != Ready::Fd)
        return Fd();
    end_readiness(index);
    os::Pipe pipe = TRY(os::pipe());
    TRY(os::set_nonblocking(pipe.read.get()));
    TRY(os::watch(epoll, pipe.read.get(), EPOLLIN, event_token(Source::Readiness, index)));
    runtime.readiness = pipe.read.release();
    return std::move(pipe.write);
}

void Pid1::end_readiness(ServiceIndex index)
{
    int& readiness = runtimes[index].readiness;
    if (readiness < 0 || policy(index).ready == Ready::Notify)
        return;
    (void)os::unwatch(epoll, readiness);
    Fd(readiness).reset();
    readiness = -1;
}

/// 0: whether there is somebody will be heard. The port is the service's own, in here.
Result<pid_t> Pid1::begin_connect(ServiceIndex index)
{
    end_readiness(index);
    Fd socket = TRY(os::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)is_connected(index, socket.get());
    TRY(os::watch(epoll, socket.get(), EPOLLOUT, event_token(Source::Readiness, index)));
    runtimes[index].readiness = socket.release();
    return 0;
}

/// EINPROGRESS or EALREADY: not known yet; 0 or EISCONN: yes.
int Pid1::is_connected(ServiceIndex index, int socket) const
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(policy(index).ready_number);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return os::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address, "127.0.0.1").number();
}

/// One datagram of `notify`, without the descriptors that may come with it. Who is the last to close one may have to wait
/// for as long as its sender likes (SO_LINGER; one that ends does not wait): so that is another process, which keeps
/// copies until we are done with ours. Where the kernel refuses it us, the datagram stays where it is.
Result<std::size_t> Pid1::take_message(ServiceIndex index, std::span<char> text)
{
    const int socket = runtimes[index].readiness;
    const std::span<int> passed(reinterpret_cast<int*>(scratch), 256);
    const std::size_t count = TRY(os::peek_descriptors(socket, passed));
    const pid_t keeper = count == 0 ? -1 : os::clone({}).value_or(-1);
    if (keeper == 0)
        for (;;)
            (void)os::poll({}, -1);
    auto got = Result<std::size_t>(Error(EAGAIN, "receive a message"));
    if (count == 0 || keeper > 0)
        got = os::receive(socket, text.data(), text.size(), nullptr, MSG_DONTWAIT);
    for (const int each : passed.first(count))
        Fd(each).reset();
    if (keeper > 0)
        (void)os::kill(keeper, SIGKILL);
    return got;
}

void Pid1::hear_readiness(ServiceIndex index)
{
    const int readiness = runtimes[index].readiness;
    char text[1024];
    if (readiness < 0)
        return;
    switch (policy(index).ready) {
    case Ready::Tcp: {
        const int number = is_connected(index, readiness);
        if (number == EALREADY || number == EINPROGRESS)
            return;
        end_readiness(index);
        supervisor.task_ended(index, number == 0 || number == EISCONN, now);
        break;
    }
    case Ready::Fd: {
        const auto got = os::read(readiness, text, sizeof text);
        if (got.number() == EAGAIN)
            return;
        const bool ended = !got.ok() || got.value() == 0;
        const bool ready = !ended && std::memchr(text, '\n', got.value()) != nullptr;
        if (ended || ready)
            end_readiness(index);
        if (ready)
            supervisor.ready(index, now);
        break;
    }
    default:
        // A few at a time, then others have their turn.
        for (int count = 0; count < 4; count++) {
            const auto got = take_message(index, text);
            if (!got.ok())
                return;
            std::string_view message(text, got.value());
            while (!message.empty()) {
                std::string_view value = take_until(message, '\n');
                const std::string_view key = take_until(value, '=');
                hear_word(index, key, value);
            }
        }
        (void)os::rewatch(epoll, readiness, EPOLLIN | EPOLLET, event_token(Source::Readiness, index));
        break;
    }
}

void Pid1::hear_word(ServiceIndex index, std::string_view key, std::string_view value)
{
    if (key == "READY" && value == "1")
        supervisor.ready(index, now);
    else if (key == "RELOADING" && value == "1")
        supervisor.reloading(index, now);
    else if (key == "STATUS")
        note(index, "status: ", slice(value, 0, 200));
    else if (key == "MAINPID")
        hear_main(index, parse_number(value).value_or(0));
}

/// Its main process is another one from now on. It must be a process that we hear of when it ends, so a child of ours; or
/// it will be, when its parent has gone, which is the main process so far.
void Pid1::hear_main(ServiceIndex index, std::int64_t number)
{
    const auto pid = static_cast<pid_t>(number);
    const Service& service = supervisor.service(index);
    const std::uint32_t user = plan.all_services()[index].user;
    if (number < 2 || pid != number || service.pid == 0 || !supervisor.may_hand_on(index) || supervisor.find(pid).found)
        return;
    const Kinship kinship = kinship_of(proc_, pid);
    if (user != 0 && kinship.user != user)
        return;
    const bool ours = kinship.parent == ::getpid();
    if (kinship.parent == service.pid) {
        runtimes[index].next_main = pid;
        return;
    }
    if (ours)
        forget_stranger(index);
    // Its launcher, which is ours, may have found it running.
    else if (kinship.parent == 0 || !plan.all_services()[index].is_container || !watch_stranger(index, pid, 0))
        return;
    supervisor.adopt(index, pid);
    remember(index, pid);
}

/// Its main process has ended; but it had named another, which has become our child by that.
bool Pid1::goes_on(ServiceIndex index)
{
    const pid_t pid = std::exchange(runtimes[index].next_main, 0);
    if (pid == 0 || !supervisor.may_hand_on(index) || supervisor.find(pid).found)
        return false;
    // The number may be another's by now.
    const Kinship kinship = kinship_of(proc_, pid);
    const std::uint32_t user = plan.all_services()[index].user;
    if (kinship.parent != ::getpid() || (user != 0 && kinship.user != user))
        return false;
    supervisor.adopt(index, pid);
    remember(index, pid);
    return true;
}

/// The process that a service goes on in which has put itself into the background: the one that its pid file names. The
/// file must be of this life, since its number may be anybody's else; and of the service's user or root.
Result<pid_t> Pid1::find_main(ServiceIndex index)
{
    const PlanService& service = plan.all_services()[index];
    auto look = [&]() -> Result<pid_t> {
        const char* path = plan.text(service.pid_file);
        const auto refuse = [&](Phrase why) { return Error(why, "follow the pid file", path); };
        const Fd file = TRY(os::open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY));
        const auto status = TRY(os::fstat(file.get()));
        if (!S_ISREG(status.st_mode))
            return refuse("it is not a regular file"_p);
        if (status.st_uid != 0 && status.st_uid != service.user)
            return refuse("it is not of root or the service's user"_p);
        // The kernel's clock for files is behind by up to a tick.
        constexpr Milliseconds tick = 20;
        const std::int64_t written = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
        if (os::realtime_ms() - written > now - supervisor.service(index).since + tick)
            return refuse("it is older than the service"_p);
        char text[16];
        std::string_view rest(text, TRY(os::read(file.get(), text, sizeof text)));
        const std::int64_t number = parse_number(take_until(rest, '\n')).value_or(0);
        const auto pid = static_cast<pid_t>(number);
        if (number < 2 || pid != number)
            return refuse("it holds no process's number"_p);
        const Kinship kinship = kinship_of(proc_, pid);
        if (kinship.parent != ::getpid() || supervisor.find(pid).found ||
            (service.user != 0 && kinship.user != service.user))
            return refuse("it names no process of the service that goes on alone"_p);
        return pid;
    };
    auto pid = look();
    // Who writes it a moment later is in time; from then on somebody may wonder what is the matter.
    if (pid.failed() && supervisor.service(index).misses == 5) {
        char buffer[description_capacity];
        note(index, "%; still trying"_p, describe(pid.error(), buffer, sizeof buffer));
    }
    return pid;
}

}  // namespace vial
