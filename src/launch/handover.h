// SPDX-License-Identifier: MIT
#pragma once

/// What the launcher hands to the container it has given birth to: descriptors, over the channel.
///
/// While the container's first process mounts, the launcher makes the control groups, the state files and the plan; both meet
/// here. The plan names descriptors by the numbers that PID 1 will find them under, `first_passed` and up, which
/// are settled when a descriptor is added and come true in `receive_handover`.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"

#include <cstdint>

namespace vial {

/// Above everything that a launcher and its child have open themselves (they begin with 0-2 alone).
inline constexpr int first_passed = 64;

class Handover {
public:
    /// Passes `fd` on, which must stay open until `send`; -1 for an empty one. The number it will have.
    std::int32_t pass(const Fd& fd);
    /// To be written "0" to by the setup process, and closed: the control groups that PID 1 starts in.
    void join(const Fd& fd) { join_.push_back(fd.get()); }
    void set_plan(const Fd& fd) { plan_ = pass(fd); }
    /// A number that the setup process fills with the terminal it makes.
    std::int32_t promise_terminal(const Fd& placeholder) { return terminal_ = pass(placeholder); }

    /// Goes as the launcher's word that all is in place.
    Result<void> send(const Fd& channel) const;

private:
    List<int> join_, passed_;
    std::int32_t plan_ = -1, terminal_ = -1;
};

/// The exit code of a process on the container's side that has told the launcher why.
inline constexpr int has_reported = 125;
/// On the container's side: tells the launcher what went wrong, and ends the process.
[[noreturn]] void report_and_exit(const Fd& channel, const Error& error);

struct ReceivedHandover {
    List<Fd> join;
    int plan = -1, terminal = -1;  ///< numbers, as passed; what was passed on is marked to survive the exec
};
Result<ReceivedHandover> receive_handover(const Fd& channel);

}  // namespace vial
