// SPDX-License-Identifier: MIT

/// The main process of somebody else's container: started as init itself was, told every signal that init is told, and
/// followed into its end.

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/peers.h"
#include "init/pid1.h"
#include "kernel/payload.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace vial {

namespace {

// --- Becoming the command ---

/// Whether init was in the foreground of its terminal, which is then open in `terminal`. The number of the
/// foreground group will not do: seen from a PID namespace, every group outside is 0. But reading in the background is
/// refused while SIGTTIN is blocked, as it is here, even reading nothing.
bool in_foreground(Fd& terminal)
{
    Opened opened = os::open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY);
    if (opened.ok()) {
        terminal = opened.take();
        char nothing;
        return os::read(terminal.get(), &nothing, 0).number() != EIO;
    }
    // Without that file it may still be standard input.
    pid_t foreground = -1;
    if (!os::ioctl(STDIN_FILENO, TIOCGPGRP, &foreground, "look at the terminal"_p).ok() || foreground != ::getpgrp())
        return false;
    if (Opened copy = os::duplicate(STDIN_FILENO); copy.ok())
        terminal = copy.take();
    return true;
}

/// Whatever fails here, the command can do without. Signals are still blocked, SIGTTOU too, so nothing stops us.
void take_place(const Entry& entry)
{
    if (entry.standing == Standing::OwnSession) {
        const auto made = os::setsid();
        (void)os::ioctl(STDIN_FILENO, TIOCSCTTY, std::uint64_t{0}, "take the terminal"_p);
        tell(entry, Level::Debug, made.ok() ? "setsid complete."_p : "Unable to setsid."_p);
    } else if (entry.standing == Standing::OwnGroup) {
        Fd terminal;
        const bool foreground = in_foreground(terminal);
        ::setpgid(0, 0);
        pid_t own = ::getpid();
        if (foreground)
            (void)os::ioctl(terminal.get(), TIOCSPGRP, &own, "come to the foreground"_p);
    }
}

/// Sockets that were passed to init are passed on: see sd_listen_fds(3). `text` is put into the environment.
void become_listener(char (&text)[32])
{
    constexpr std::string_view name = "LISTEN_PID=";
    Writer ours(text, sizeof text - 1);
    ours.put(name).decimal(::getppid());
    for (char** variable = ::environ; *variable != nullptr; variable++) {
        if (ours.text() != *variable)
            continue;
        *variable = text;
        ours.clear();
        ours.put(name).decimal(::getpid());
        text[ours.text().size()] = '\0';
        return;
    }
}

/// A failure in the peer's words, into `to`.
int describe_failure(const Entry& entry, const Error& error, Writer& to)
{
    const int code = exec_exit_code(error);
    const Peer& peer = *entry.peer;
    if (peer.exec_failed == nullptr) {
        char buffer[description_capacity];
        to.put(describe(error, buffer, sizeof buffer));
        return code;
    }
    char scratch[64];
    for (const char* letter = peer.exec_failed; *letter != '\0'; letter++) {
        if (*letter == '$')
            to.put(entry.command[0]);
        else if (*letter == '%')
            to.put(error_words(error->number != 0 ? error->number : ENOENT, scratch));
        else
            to.put(*letter);
    }
    return code == 127 ? peer.missing : peer.refused;
}

}  // namespace

void restore_oom_score(const Entry& entry)
{
    if (entry.oom_score[0] != '\0')
        (void)os::write_file(AT_FDCWD, "/proc/self/oom_score_adj", entry.oom_score);
}

void Pid1::become_main(int report)
{
    restore_oom_score(*entry);
    take_place(*entry);
    for (int target = 1; target <= 2 && runtimes[0].output_write >= 0; target++)
        (void)os::duplicate_to(runtimes[0].output_write, target);
    char listener[32];
    become_listener(listener);
    // Init has changed no action but this one's.
    if (entry->ignores_children)
        os::set_ignored(SIGCHLD, true);
    if (entry->clean_signals)
        os::restore_signals();
    else
        os::set_blocked(entry->blocked);

    Payload payload;
    payload.arguments = entry->command;
    payload.environment = ::environ;
    payload.shell = entry->peer->shell;
    const Error error = find_and_execute(payload);
    char message[1 + description_capacity];
    Writer text(message + 1, sizeof message - 1);
    const int code = describe_failure(*entry, error, text);
    message[0] = static_cast<char>(code);
    (void)os::write(report, message, 1 + text.text().size());
    ::_exit(code);
}

Result<void> Pid1::open_entry(char* pages)
{
    log.open(entry->log, entry->log_size, scratch);
    TRY(open_events());
    TRY(control.open(epoll, entry->control, pages + Log::page));
    if (entry->requests >= 0)
        TRY(control.open_pair(entry->requests, entry->answers));
    if (entry->control >= 0 || entry->requests >= 0) {
        if (Opened file = os::open("/proc/self/net/dev", O_RDONLY); file.ok())
            interfaces = file.value().release();
    }
    if (!foreground()) {
        if (Opened null = os::open("/dev/null", O_RDWR); null.ok())
            null_ = null.value().release();
    }
    if (entry->command == nullptr)
        (void)os::chdir("/");
    many_pages_ = true;
    watches_signals_alone_ = entry->command != nullptr && foreground() && entry->control < 0 && entry->requests < 0;
    return open_outputs();
}

/// The main process has all that it shall have: what it inherited is none of ours.
void Pid1::let_go(pid_t pid)
{
    if (main_group_ == 0) {
        (void)os::close_inherited(
            std::max({epoll, signals_, timer_, null_, plan.control, entry->control, entry->requests, entry->answers,
                      entry->log[0], entry->log[1], runtimes[0].output_read, runtimes[0].output_write,
                      runtimes[0].exec_report, interfaces, proc_, entry->error, entry->control_directory}) +
            16);
        (void)os::chdir("/");
    }
    main_group_ = pid;
    tell(*entry, Level::Info, "Child spawned with PID %."_p, pid);
}

// --- Signals ---

namespace {

constexpr std::uint64_t set_of(std::initializer_list<int> numbers)
{
    std::uint64_t set = 0;
    for (const int number : numbers)
        set |= std::uint64_t{1} << (number - 1);
    return set;
}

constexpr std::uint64_t suspending = set_of({SIGTSTP, SIGTTIN, SIGTTOU});
/// Those that a terminal sends.
constexpr std::uint64_t from_terminal = suspending | set_of({SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGCONT});

constexpr bool in(std::uint64_t set, int number)
{
    if constexpr (last_signal > 64) {
        if (number > 64)
            return false;
    }
    return (set >> (number - 1) & 1) != 0;
}

}  // namespace

/// What somebody sent goes on to the main process. What the kernel made is about init, and is for nobody else: but for
/// what the terminal sends, which the main process has not seen where it is in another group.
void Pid1::pass_on(int number, int code, pid_t sender)
{
    // The main process has ended: its number may be somebody else's soon.
    if (ending_)
        return;
    const bool left_terminal = entry->standing == Standing::OwnSession && (number == SIGHUP || number == SIGCONT);
    if (left_terminal && code <= 0 && sender == ::getpid()) {
        tell(*entry, Level::Debug, "Ignoring tty hand-off signal %."_p, number);
        return;
    }
    const bool suspends = in(suspending, number);
    const bool shared = entry->standing == Standing::Shared;
    if (code <= 0 || (!shared && in(from_terminal, number)))
        pass_on(number);
    else if (!(shared && suspends))
        return;
    if (suspends) {
        tell(*entry, Level::Debug, "Suspending self due to TTY signal."_p);
        // CONT wakes us, and is passed on as well. As PID 1 we cannot be stopped, and to try would take back a CONT that is
        // on its way to us.
        if (::getpid() != 1)
            (void)os::kill(::getpid(), SIGSTOP);
    }
}

void Pid1::pass_on(int number)
{
    const int as = number ^ entry->rewritten[number];
    if (as != number)
        tell(*entry, Level::Debug, "Translating signal % to %."_p, number, as);
    if (as == 0) {
        tell(*entry, Level::Debug, "Not forwarding signal % to children (ignored)."_p, number);
        return;
    }
    // Nobody means anything by those beyond 64, which MIPS alone has.
    if (runtimes[0].exec_report >= 0 && (last_signal <= 64 || number <= 64)) {
        // As the kernel has it: to go on takes back to stop, and the other way round.
        if (number == SIGCONT)
            held_ &= ~suspending;
        else if (in(suspending, number))
            held_ &= ~set_of({SIGCONT});
        held_ |= set_of({number});
        return;
    }
    const pid_t pid = supervisor.service(0).pid;
    bool sent = false;
    if (entry->group && main_group_ > 0)
        sent = os::kill(-main_group_, as).ok();
    // It may have left its group, or never have had one of its own.
    if (pid > 0 && (!sent || ::getpgid(pid) != main_group_))
        sent |= os::kill(pid, as).ok();
    forwarded += sent;
    tell(*entry, Level::Debug, "Forwarded signal % to children."_p, as);
}

/// What comes before the exec would meet nobody who could heed it, and end the command before it has begun.
void Pid1::pass_on_held()
{
    for (std::uint64_t held = std::exchange(held_, 0); held != 0; held &= held - 1)
        pass_on(__builtin_ctzll(held) + 1);
}

// --- Ends ---

void Pid1::tell_reaped(const os::Exited& exited, bool main) const
{
    if (!main && entry->tell_reaped)
        tell(*entry, Level::Warning, "Reaped zombie process with pid=%"_p, exited.pid);
    else
        tell(*entry, Level::Debug,
             exited.code == CLD_EXITED ? "A child with PID % exited with exit status %."_p
                                       : "A child with PID % was terminated by signal %."_p,
             exited.pid, exited.status);
}

namespace {

/// Signals each of our children, as the kernel lists them (CONFIG_PROC_CHILDREN). Only that way are those found who
/// came to us as orphans where we are not PID 1.
void signal_children(int proc, int number)
{
    char path[64] = {};
    Writer(path, sizeof path - 1).compose("%/task/%/children", ::getpid(), ::getpid());
    if (const Opened list = os::open_within(proc, path, O_RDONLY | O_NONBLOCK); list.ok())
        (void)signal_listed(list.value().get(), number);
}

}  // namespace

/// The rest of what there is: all others as PID 1, the main process's group and our orphans else. True: nobody is left.
bool Pid1::signal_rest(int number)
{
    if (is_own() || entry->first)
        return os::kill(-1, number).number() == ESRCH;
    // A group's number is its own as long as anybody is in it, and not a moment longer.
    if (main_group_ > 0 && !os::kill(-main_group_, number).ok())
        main_group_ = 0;
    if (number != 0)
        signal_children(proc_, number);
    return main_group_ == 0 && os::wait(0, WNOHANG | WNOWAIT).number() == ECHILD;
}

/// Returns true where there is nobody, or nobody who is waited for.
bool Pid1::end_of_main()
{
    const auto status = static_cast<std::uint8_t>(end_code_);
    end_code_ = status ^ entry->remapped[status];
    if (entry->peer->term_at_end)
        pass_on(SIGTERM);
    tell(*entry, Level::Info, "Child exited with status %. Goodbye."_p, status);
    if (entry->grace == 0)
        return true;
    end_kill_ = now + entry->grace;
    return signal_rest(SIGTERM);
}

}  // namespace vial
