// SPDX-License-Identifier: MIT
#pragma once

/// Standing between a person's terminal and a process in a container, in the foreground.
///
/// The container never gets a descriptor of the person's own terminal: a process that holds one can type into it
/// (TIOCSTI, CVE-2017-5226) or be told to. It gets a terminal of its own, or, where it shall have none, pipes in
/// the place of those of 0, 1 and 2 that are terminals. Files and pipes are handed through as they are.

#include "base/fd.h"
#include "base/os.h"
#include "base/result.h"

#include <termios.h>

namespace vial {

/// Blocks the signals that a foreground command passes on, and collects them. Make it before the process is started, so
/// that none is lost.
class SignalWatch {
public:
    static Result<SignalWatch> open();
    /// The next signal that has come, 0 if there is none.
    int next() const;
    int descriptor() const { return fd_.get(); }

private:
    explicit SignalWatch(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

/// The process's side of 0, 1 and 2, and ours where it is not the same.
struct Standard {
    int number[3] = {0, 1, 2};  ///< what the process gets; ours or one of `theirs`
    Fd theirs[3], ours[3];      ///< the ends of the pipes
};
Result<Standard> make_standard();

struct RelayTarget {
    pid_t child = 0;  ///< our child; its end ends the relay
    Fd terminal;      ///< the master of its terminal; empty: see `standard`
    Standard* standard = nullptr;
    bool keep_input = true;  ///< pass our standard input on to the terminal
    int channel = -1;        ///< PID 1's, see supervise/channel.h; -1: none
    int told = -1;           ///< the exit code, once PID 1 has said it
    /// Called then: PID 1 has a while to go itself.
    void (*ending)(void* context) = nullptr;
    void* context = nullptr;
};

/// Passes bytes, signals (to `child`) and window sizes until `child` has ended. A third INT or TERM becomes KILL. Our own
/// terminal is raw in between and restored after.
Result<os::Exited> relay(RelayTarget& target, const SignalWatch& signals);

}  // namespace vial
