// SPDX-License-Identifier: MIT
#pragma once

/// PID 1 of somebody else's container: what `vial init` and the programs whose names it answers to have in common.
///
/// Nothing is set up here and nothing is taken away: the command gets the environment, directory, descriptors, signal
/// mask, ignored signals, privileges and limits that init itself was given. What init needs beside that is little enough
/// for the poorest of containers: no /proc, no writable file system, no privilege.
///
/// Whoever reads a command line (ctl/init.cc, peer_flags.cc) fills in an `Entry` and calls `run_entry`.

#include "spec/spec.h"

#include <initializer_list>
#include <signal.h>
#include <string_view>

namespace vial {

/// How the main process stands to its terminal.
enum class Standing : std::uint8_t {
    OwnGroup,    ///< a process group of its own, in the foreground if init was
    OwnSession,  ///< a session of its own, with init's terminal
    Shared,      ///< init's own group
};

/// From which level of --verbose on something is said; `Fatal` always is.
enum class Level : std::uint8_t { Fatal, Warning, Info, Debug };

struct Peer;
struct Service;
enum class ServiceState : std::uint8_t;

/// What the machine's first process is to end in; also what `run_entry` returns for it.
enum Power : int { NoPower = 0, Reboot = 257, Halt, PowerOff };

/// What the host's supervisor (`vial boot`) does beside supervising.
struct HostDuties {
    int state = -1;  ///< the directory where it is kept which of its services run, for whoever comes after it
    /// A service's state is no longer `before`. `took`: ms since its start began; `why` is not empty where it is bad.
    void (*changed)(std::string_view name, const Service& service, ServiceState before, Milliseconds took,
                    std::string_view why);
    /// The container `name`, which is about to be stopped, is paused. Called as the next.
    void (*resume)(std::string_view name);
    /// A container has ended. Called in a process of its own, which may take memory and time.
    void (*ended)();

    bool first = false;  ///< this is the machine's first process; the last service is then the emergency shell
    int watchdog = -1;   ///< the open device; -1: who shall hear of it is the init that started us
    std::int64_t feed_interval = 0;  ///< milliseconds between two feedings of the watchdog; 0: there is none
    std::int64_t stop_timeout = -1;  ///< milliseconds for all services to stop at the end; negative: their own
};

struct Entry {
    const Peer* peer;                 ///< whose habits; see peers.h
    char* const* command = nullptr;   ///< ends with a null
    int plan = -1;                    ///< without a command: the plan of several services; -1: --pause
    int control = -1;                 ///< a listening socket
    int control_directory = -1;       ///< where its file is
    int error = -1;                   ///< standard error as ours alone, non-blocking; -1: it cannot be had
    int requests = -1, answers = -1;  ///< --control-fd
    int log[2] = {-1, -1};            ///< segments of `log_size` bytes; -1: output is not ours to keep
    Bytes log_size = LogSpec{}.size;
    Milliseconds grace = 2000;  ///< for what the main process leaves behind; 0: none
    int parent_death = 0;       ///< the signal init gets when its parent dies; 0: none
    Level level = Level::Warning;
    Standing standing = Standing::OwnGroup;
    const HostDuties* host = nullptr;
    bool group = false;  ///< signals go to the main process's group
    bool subreaper = false;
    bool clean_signals = false;  ///< the command starts with no signal blocked or ignored
    bool tell_reaped = false;    ///< each orphan's end is a Warning
    /// What a signal is passed on as, and what a code becomes: each XORed with itself, so that all zeros change nothing.
    std::uint8_t rewritten[_NSIG | 1] = {};  ///< 0 drops it; MIPS has 128, an even _NSIG
    std::uint8_t remapped[256] = {};

    // Found when init starts, for the command.
    sigset_t blocked{};
    bool ignores_children = false;  ///< SIGCHLD was ignored
    char oom_score[8] = {};         ///< what init's own was before it was lowered; empty: it was not
    bool first = false;             ///< this is PID 1
    bool plan_is_mapped = false;    ///< it is not this process's own memory

    bool paused() const { return command == nullptr && plan < 0; }
};

/// What `run_entry` returns where a host's supervisor was asked to read its specs anew, and has left all running for that.
inline constexpr int to_go_again = 256;

/// Runs until the command, or the services, have ended. Returns the exit code, or of the first process a Power. Descriptors from 3 on that are open and not
/// close-on-exec are the command's.
int run_entry(Entry& entry);

void tell_values(const Entry& entry, Level level, const char* pattern, values::Kinds kinds, ...);
/// Says a line on standard error in the peer's way, if it is to be said at this level, and only if nobody has to be waited for.
/// What is said is what `compose` would make of the rest.
template <typename... Values>
[[gnu::always_inline]] inline void tell(const Entry& entry, Level level, Phrase pattern, const Values&... given)
{
    tell_values(entry, level, pattern.kept(), values::kinds_of<Values...>(), values::pass(given)...);
}

}  // namespace vial
