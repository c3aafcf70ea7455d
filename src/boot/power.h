// SPDX-License-Identifier: MIT
#pragma once

/// The end of a machine's run, when its services have stopped: whatever still runs is ended, everything is written and
/// unmounted, and the kernel is told. It takes some ten seconds at most, and half a minute where an unmount hangs.

#include "base/text.h"
#include "init/entry.h"

namespace vial {

/// Whether this is the machine's own PID namespace. Of another's first process not all file systems and devices are its own.
bool owns_machine();

/// `watchdog`: it is fed meanwhile, and switched off at the end unless the machine starts again; -1: there is none.
[[noreturn]] void power_down(int power, int watchdog);

/// A program that was replaced while it ran keeps its file system busy. So the new one is executed for the second half of the
/// end, under this name, with a Power and the watchdog as its words.
inline constexpr const char* power_name = "vial-power";
int go_on_powering_down(char** words);

}  // namespace vial
