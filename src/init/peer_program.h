// SPDX-License-Identifier: MIT
#pragma once

/// A peer's command line as data: peers.cc has the tables and texts of each, peer_flags.cc reads by them.

#include "init/peers.h"

namespace vial {

enum class PeerAct : std::uint8_t {
    Group,
    Subreaper,
    ParentDeath,  ///< SIGNAL
    Remap,        ///< CODE, to 0
    Verbose,
    Debug,
    TellReaped,
    Rewrite,  ///< NUMBER:NUMBER
    Single,   ///< dumb-init: no session, no group
    Pause,
    Help,
    License,
    Version,
};

struct PeerFlag {
    const char* name;  ///< the long one; null: none
    char letter;       ///< 0: none
    PeerAct act;
};

/// A peer with its command line.
struct PeerProgram {
    Peer peer;
    std::span<const PeerFlag> flags;
    bool speaks_on_error;  ///< help and version go to standard error
    Phrase version;
    Phrase help;        ///< `%`: the program's name
    Phrase no_command;  ///< null: the help
    Phrase after_wrong_flag;
};

enum WhichPeer : std::uint8_t { Tini, DumbInit, Catatonit, Pause };

extern const PeerProgram peer_programs[Pause + 1];

}  // namespace vial
