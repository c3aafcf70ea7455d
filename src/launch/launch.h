// SPDX-License-Identifier: MIT
#pragma once

/// Starting a container: the whole sequence, seen from the host.
///
/// Everything on the host is opened before anything is made, and noted in the container's journal before it is made. Then
/// one process is born into the new namespaces and the control group; it sets the container up from the inside
/// (launch/setup.h), executes PID 1, and PID 1 says when its services run. Whichever step fails, on either
/// side: the process is killed, the journal undone, and one line says what could not be done.

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"
#include "launch/state.h"
#include "spec/spec.h"

#include <sys/types.h>

namespace vial {

struct LaunchOptions {
    bool by_boot = false;            ///< the host's supervisor has it started
    bool foreground = false;         ///< the container dies with the caller, and what its services write is not logged
    bool terminal = false;           ///< the first service gets a terminal, whose master the caller gets
    int standard[3] = {-1, -1, -1};  ///< Foreground without a terminal: what the services get as 0-2
};

/// A container that has just been started.
struct Launched {
    pid_t pid = 0;
    Fd process;   ///< pidfd of PID 1; empty before Linux 5.3
    Fd channel;   ///< Foreground: PID 1's messages, see supervise/channel.h
    Fd terminal;  ///< the master, where there is a terminal
    Journal journal;
};

/// Returns when every service's program has been executed. On failure nothing is left behind. Who was given by name in `spec` gets
/// a number there.
Result<Launched> launch(Spec& spec, const LaunchOptions& options);

}  // namespace vial
