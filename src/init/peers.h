// SPDX-License-Identifier: MIT
#pragma once

/// The programs in whose place vial can stand: tini (docker-init), dumb-init, catatonit and the pause of Kubernetes.
///
/// Called by one of their names it reads that program's command line and environment variables, and turns them into an
/// Entry. What can be seen from outside is as with the original: exit codes, what is said where, which signals reach
/// whom, no grace period. Its faults are not kept: nothing but what was asked for goes to standard output, and
/// what is wrong on a command line is wrong before anything has started.

#include "base/result.h"
#include "init/entry.h"

#include <span>

namespace vial {

struct Peer {
    const char* name;
    const char* prefix;             ///< of a line it says; `%`: first the level, then its pid
    const char* levels[4];          ///< the levels' names
    const char* exec_failed;        ///< `$`: the command, `%`: the reason; null: vial's own words
    Phrase not_first;               ///< what it says where it is not PID 1, nor a subreaper; null: nothing
    std::uint8_t missing, refused;  ///< exit codes of such a failure: there is no such program; it cannot be executed
    bool shell;                     ///< what has no #! line is a shell's script, as with execvp(3)
    bool term_at_end;               ///< when the main process has ended, its group gets TERM
};

/// vial itself.
extern const Peer own_name;

/// Whether a program that is called so is one of them.
bool is_peer_name(std::string_view program);

/// Which one; null: none of them.
const Peer* find_peer(std::string_view program);

/// Becomes the peer. `words` begin with the program's name and end with a null. Returns the exit code.
int run_peer(const Peer& peer, char** words);

}  // namespace vial
