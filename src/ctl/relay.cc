// SPDX-License-Identifier: MIT
#include "ctl/relay.h"

#include "base/events.h"
#include "base/text.h"
#include "supervise/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};
constexpr Phrase step = "set up a terminal"_p;
constexpr int patience = 3;  // requests to end before there is no more asking

/// Our terminal while it carries somebody else's session.
class RawTerminal {
public:
    explicit RawTerminal(int fd) : fd_(fd)
    {
        if (!os::ioctl(fd, TCGETS, &before_, step).ok())
            return;
        termios raw = before_;
        ::cfmakeraw(&raw);
        changed_ = os::ioctl(fd, TCSETSW, &raw, step).ok();
    }
    ~RawTerminal()
    {
        if (changed_)
            (void)os::ioctl(fd_, TCSETSW, &before_, step);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

private:
    int fd_;
    termios before_{};
    bool changed_ = false;
};

/// Bytes on their way in one direction. `from` is closed for us when it ends; `to` is closed when all has arrived.
struct Stream {
    int from = -1, to = -1;
    Fd* close_at_end = nullptr;
    std::size_t start = 0, end = 0;
    bool ended = false;
    char buffer[4096];

    bool wants_input() const { return from >= 0 && !ended && start == end; }
    bool wants_output() const { return to >= 0 && start != end; }

    void take()
    {
        const auto got = os::read(from, buffer, sizeof buffer);
        if (got.number() == EAGAIN)
            return;
        start = 0;
        end = got.ok() ? got.value() : 0;
        ended = end == 0;  // a terminal whose other side has gone answers EIO
        if (ended && close_at_end != nullptr)
            close_at_end->reset();
    }
    void give()
    {
        const auto put = os::write(to, buffer + start, end - start);
        if (put.ok())
            start += put.value();
        else if (put.number() != EAGAIN)
            start = end = 0, ended = true;  // nobody reads any more
    }
    /// What is there now, and no waiting for more.
    void drain()
    {
        for (int rounds = 0; rounds < 64 && from >= 0; ++rounds) {
            while (start != end && !ended)
                give();
            pollfd entry{from, POLLIN, 0};
            if (ended || os::poll({&entry, 1}, 0).value_or(0) == 0)
                return;
            take();
        }
    }
};

void copy_window_size(const Fd& terminal)
{
    winsize size{};
    if (os::ioctl(STDIN_FILENO, TIOCGWINSZ, &size, step).ok())
        (void)os::ioctl(terminal.get(), TIOCSWINSZ, &size, step);
}

constexpr std::size_t stream_count = 3;

Result<void> connect_terminal(const RelayTarget& target, Stream* streams)
{
    TRY(os::set_nonblocking(target.terminal.get()));
    copy_window_size(target.terminal);
    if (target.keep_input) {
        streams[0].from = STDIN_FILENO;
        streams[0].to = target.terminal.get();
    }
    streams[1].from = target.terminal.get();
    streams[1].to = STDOUT_FILENO;
    return {};
}

void connect_pipes(Standard& standard, Stream* streams)
{
    for (int number = 0; number < 3; ++number) {
        Fd& ours = standard.ours[number];
        standard.theirs[number].reset();
        if (!ours)
            continue;
        streams[number].from = number == 0 ? STDIN_FILENO : ours.get();
        streams[number].to = number == 0 ? ours.get() : number;
        streams[number].close_at_end = number == 0 ? &ours : nullptr;
    }
}

void hear_channel(RelayTarget& target)
{
    char message[channel_message];
    const auto got = os::receive(target.channel, message, sizeof message, nullptr, MSG_DONTWAIT);
    if (!got.ok() || got.value() == 0) {
        target.channel = -1;  // it has gone, or executed the only service
        return;
    }
    if (static_cast<ChannelLetter>(message[0]) != ChannelLetter::Ended)
        return;
    if (const auto code = parse_number({message + 1, got.value() - 1}); code && *code >= 0 && *code <= 255)
        target.told = static_cast<int>(*code);
    if (target.ending != nullptr)
        target.ending(target.context);
}

/// Waits until something can be passed on, or a signal has come, and passes on what there is.
Result<void> pass_bytes(RelayTarget& target, Stream* streams, const SignalWatch& signals)
{
    pollfd entries[2 + 2 * stream_count];
    entries[0] = {signals.descriptor(), POLLIN, 0};
    entries[1 + 2 * stream_count] = {target.channel, POLLIN, 0};
    for (std::size_t at = 0; at < stream_count; ++at) {
        const Stream& stream = streams[at];
        entries[1 + 2 * at] = {stream.wants_input() ? stream.from : -1, POLLIN, 0};
        entries[2 + 2 * at] = {stream.wants_output() ? stream.to : -1, POLLOUT, 0};
    }
    (void)TRY(os::poll(entries, -1));
    if (entries[1 + 2 * stream_count].revents != 0)
        hear_channel(target);
    for (std::size_t at = 0; at < stream_count; ++at) {
        if (entries[1 + 2 * at].revents != 0)
            streams[at].take();
        if (entries[2 + 2 * at].revents != 0)
            streams[at].give();
    }
    return {};
}

void pass_signals(const RelayTarget& target, const SignalWatch& signals, int& asked)
{
    for (int signal = signals.next(); signal != 0; signal = signals.next()) {
        if (signal == SIGCHLD)
            continue;
        if (signal == SIGWINCH && target.terminal) {
            copy_window_size(target.terminal);
            continue;
        }
        asked += signal == SIGINT || signal == SIGTERM ? 1 : 0;
        (void)os::kill(target.child, asked >= patience ? SIGKILL : signal);
    }
}

}  // namespace

Result<SignalWatch> SignalWatch::open()
{
    sigset_t set{};
    for (const int signal : passed_on)
        sigaddset(&set, signal);
    os::block_signals(set);
    // A pipe that nobody reads any more is an error of write(2), not our end.
    os::set_ignored(SIGPIPE, true);
    os::set_ignored(SIGCHLD, false);
    return SignalWatch(TRY(os::signal_descriptor(set)));
}

int SignalWatch::next() const
{
    signalfd_siginfo came{};
    const auto got = os::read(fd_.get(), &came, sizeof came);
    return got.ok() && got.value() == sizeof came ? static_cast<int>(came.ssi_signo) : 0;
}

Result<Standard> make_standard()
{
    Standard standard;
    for (int number = 0; number < 3; ++number) {
        if (!os::is_terminal(number))
            continue;
        os::Pipe pipe = TRY(os::pipe());
        standard.theirs[number] = std::move(number == 0 ? pipe.read : pipe.write);
        standard.ours[number] = std::move(number == 0 ? pipe.write : pipe.read);
        standard.number[number] = standard.theirs[number].get();
    }
    return standard;
}

Result<os::Exited> relay(RelayTarget& target, const SignalWatch& signals)
{
    Stream streams[stream_count];
    const bool terminal = static_cast<bool>(target.terminal);
    if (terminal)
        TRY(connect_terminal(target, streams));
    else if (target.standard != nullptr)
        connect_pipes(*target.standard, streams);
    const RawTerminal raw(terminal && target.keep_input ? STDIN_FILENO : -1);

    int asked = 0;
    while (true) {
        TRY(pass_bytes(target, streams, signals));
        pass_signals(target, signals, asked);
        os::Exited exited = TRY(os::wait(target.child, WEXITED | WNOHANG));
        if (exited.pid != 0) {
            // What comes after its services' end, like somebody's KILL, is not how they ended.
            if (exited.code != CLD_EXITED && target.told >= 0) {
                exited.code = CLD_EXITED;
                exited.status = target.told;
            }
            streams[1].drain();
            streams[2].drain();
            return exited;
        }
    }
}

}  // namespace vial
