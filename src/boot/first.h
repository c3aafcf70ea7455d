// SPDX-License-Identifier: MIT
#pragma once

/// What the machine's first process makes of a kernel that has just begun: the file systems that every program expects, and
/// what /etc/vial/host.conf says. Whatever of it fails is said in one line, and the rest is done.

#include "base/fd.h"
#include "base/result.h"
#include "boot/host_conf.h"
#include "spec/spec.h"

namespace vial {

/// Mounts what is not mounted yet, and opens the console as the standard streams. Must be the first that is done.
void mount_essentials();

/// What the first process keeps of host.conf.
struct Duties {
    Fd watchdog;                     ///< armed, and to be fed
    Milliseconds feed_interval = 0;  ///< half the time that it takes to bite
    Milliseconds stop_timeout = HostConf{}.stop_timeout;
};

/// Reads host.conf and does what it says, in a child: what that takes of memory goes with it. `again`: a first process before
/// us has done so already, and only what it kept is wanted.
Duties set_up_machine(Text file, bool again);

/// The services that host.conf adds to those of the specs: `boot.console`, and last, only started in need, `boot.emergency`.
/// `state`: see HostDuties.
void add_console_services(Text file, int state, Spec& spec);

/// Runs the emergency shell where there is not even a supervisor, to its end.
void run_emergency_shell();

}  // namespace vial
