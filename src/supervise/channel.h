// SPDX-License-Identifier: MIT
#pragma once

/// What a container that is being started says to the one who starts it.
///
/// One SOCK_SEQPACKET pair; the launcher holds one end, first the setup process and then PID 1 the other.
/// Each message is one packet: a letter and its payload, at most `channel_message` bytes.
///
///     setup → launcher   E text      it failed; `text` is the line for people, `E2...` carries the exit code's digit first
///     setup → launcher   I text      who a service is that was given by name, see launch/identity.h
///     setup → launcher   T (+ fd)    the master of the terminal that the container got
///     launcher → setup   M           the maps of its user namespace are written
///     launcher → setup   N fd        the network namespace to join, see launch/network_beside.h; the launcher may get one too
///     launcher → setup   G (+ fds)   go: network and control groups are in place, see launch/handover.h
///     PID 1 → launcher   R           every service that waits for no other has been started (its exec went through)
///     PID 1 → launcher   F text      a service could not be started the first time; PID 1 ends after this
///     PID 1 → launcher   X code      Foreground: the services have ended, with this exit code in digits; orphans may be left
///
/// PID 1 closes its end after R unless it runs in the foreground; the launcher closing its end tells a
/// foreground PID 1 that nobody waits for it any more.

#include <cstddef>

namespace vial {

inline constexpr std::size_t channel_message = 1024;

enum class ChannelLetter : char {
    Failed = 'E',
    Identity = 'I',
    Terminal = 'T',
    Mapped = 'M',
    Network = 'N',
    Go = 'G',
    Running = 'R',
    ServiceFailed = 'F',
    Ended = 'X',
};

}  // namespace vial
