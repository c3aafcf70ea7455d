// SPDX-License-Identifier: MIT
#pragma once

/// What the machine's first process does about a fault of its own: the kernel would panic, often with nobody looking.

namespace vial {

/// From now on a SEGV, BUS, ILL, FPE or ABRT of this process, unless it is a child by then, is told on the console; five
/// seconds later the machine is started again. Unblocks these five.
void survive_faults();

}  // namespace vial
