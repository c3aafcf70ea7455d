// SPDX-License-Identifier: MIT
#pragma once

/// The last steps of a process that becomes somebody else's program: a service of PID 1, the command of `vial exec`, the
/// only process of a container with `init = false`.
///
/// They run after fork in a PID 1 without a heap: nothing here allocates, and all memory is the caller's or the stack.

#include "base/result.h"
#include "spec/plan.h"

#include <cstdint>
#include <linux/filter.h>
#include <span>

namespace vial {

/// Who the program is and what it may do.
struct Identity {
    std::uint32_t user = 0, group = 0;
    std::span<const std::uint32_t> groups;  ///< supplementary; nothing is inherited
    std::uint64_t capabilities = 0;         ///< what root keeps, and what the bounding set is cut to for everybody
    std::uint64_t ambient = 0;              ///< of these, what any other user keeps, over each exec
    bool no_new_privileges = true;
    bool seccomp = true;                         ///< the default filter, see kernel/seccomp.h, or
    std::span<const sock_filter> filter = {};    ///< where it is not empty, this one
    std::span<const char* const> landlock = {};  ///< its rules, see kernel/landlock.h; none: no limits
};

/// Takes on the identity. There is no way back, and none from a failure in the middle either: give up then.
///
/// A filter is installed here only where `no_new_privileges` is off, while there still is the privilege for it.
/// Root keeps `capabilities` in its permitted and effective sets, with nothing inheritable or ambient; any other user keeps
/// `ambient` in all sets.
Result<void> assume(const Identity& identity);

struct Payload {
    char* const* arguments = nullptr;    ///< ends with a null; the first one names the program
    char* const* environment = nullptr;  ///< ends with a null; its PATH is where the program is looked for
    const char* directory = "/";         ///< entered as the new identity
    std::uint32_t umask = no_umask;      ///< `no_umask`: it stays as it is
    std::span<const PlanLimit> limits;   ///< none of them is above what this process may have
    Identity identity;
    int terminal = -1;  ///< becomes 0-2 and the controlling terminal
    int passed = -1;    ///< another descriptor that it gets, -1: none; not the number it gets it under
    int passed_as = 3;
    int standard[3] = {-1, -1, -1};  ///< without a terminal: become 0-2; -1 leaves one as it is
    bool keep_identity = false;      ///< it stays who init is
    bool shell = false;              ///< what is no program is run by /bin/sh, as execvp(3) does it
};

/// Becomes the payload, in a session of its own, with no signal blocked. What is ignored stays so: a PID 1 with a thousand
/// services sees to that once (`os::reset_signal_actions`). Returns only to fail.
/// All descriptors from 3 on are then still open, but marked: the exec closes them.
///
/// The error names the program or the step, and why; `exec_exit_code` knows which it was.
Error execute_payload(const Payload& payload);

/// The last of these steps alone: looks for the program and executes it, with everything else as it is.
Error find_and_execute(const Payload& payload);

/// As a shell says it: 127 the program is not there, 126 it is but cannot be executed; 125 it did not come to that.
int exec_exit_code(const Error& error);

}  // namespace vial
