// SPDX-License-Identifier: MIT
#pragma once

/// The calls of a program that waits in one place: epoll(7), signalfd(2), timerfd_create(2), and the memory such a
/// program takes once, before it starts to wait.
///
/// Like os.h, of which this is the part only PID 1 and the host's supervisor need. Timers are absolute and
/// count CLOCK_BOOTTIME in milliseconds, so that one that came due while the device slept fires on resume.

#include "base/fd.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <signal.h>
#include <span>
#include <sys/epoll.h>

namespace vial::os {

/// No deadline: a timer that never fires.
inline constexpr std::int64_t never = INT64_MAX;

Result<Fd> epoll();
/// Watches `fd` for `events` (level-triggered); `token` comes back with each of them.
Result<void> watch(int epoll, int fd, std::uint32_t events, std::uint64_t token);
/// Changes what an already watched `fd` is watched for; 0: only errors and hang-ups.
Result<void> rewatch(int epoll, int fd, std::uint32_t events, std::uint64_t token);
/// Needed where other processes hold the same open file: closing `fd` alone would not end the watch.
Result<void> unwatch(int epoll, int fd);
/// The number of events filled in. `timeout`: milliseconds, -1 waits for ever.
Result<std::size_t> wait_events(int epoll, std::span<epoll_event> events, int timeout);

/// Non-blocking. The signals should be blocked before (`block_signals`).
Result<Fd> signal_descriptor(const sigset_t& signals);
/// Waits for a blocked signal. Its number, or 0: none came, or a filter refuses this call. `nanoseconds`: below a second, or -1
/// for ever; it may take longer by `timer_slack`.
int wait_signal(const sigset_t& signals, siginfo_t& signal, long nanoseconds = -1);
/// By how many nanoseconds the kernel may let any wait with a time of its own be late; timers are not meant. It is inherited.
unsigned long timer_slack();
/// All 64, also those that a libc keeps for itself and leaves out of sigfillset(3): a real-time signal of
/// somebody else's libc may be among them.
sigset_t every_signal();
/// Blocks these besides those that are blocked already, every signal that can be if none is named; those that are pending
/// stay so. Returns those that were blocked before.
sigset_t block_signals(const sigset_t& signals = every_signal());
/// Blocks these and no others.
void set_blocked(const sigset_t& signals);
/// The signal is thrown away (of SIGCHLD: children's ends are not reported), or has its default action. True: it was thrown
/// away before.
bool set_ignored(int signal, bool ignored);
/// Calls `handler`, which does not return, once for the signal, on this other stack.
void on_fault(int signal, void (*handler)(int), std::span<char> stack);
/// Every signal at its default action, whatever was inherited.
void reset_signal_actions();
/// Back to the state a program expects to start in: default actions, and none blocked.
void restore_signals();

/// Non-blocking; not armed.
Result<Fd> timer();
/// `at`: milliseconds of CLOCK_BOOTTIME; `never` disarms. Forgets an expiry that nobody has read.
Result<void> arm(int timer, std::int64_t at);

/// Anonymous zeroed memory that stays for ever; pages cost nothing until they are written to.
Result<void*> map_memory(std::size_t size);
/// Gives whole pages back to the kernel: they read as zeros again.
void discard_memory(void* start, std::size_t size);
/// Lets go of what a process has needed for all that it has done, and will hardly need for the little it will do from now on:
/// the pages of the program's code, of which those that run again come back from the page cache, and those of the stack that
/// deeper calls have left behind.
void forget_past();

}  // namespace vial::os
