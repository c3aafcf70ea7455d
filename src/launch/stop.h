// SPDX-License-Identifier: MIT
#pragma once

/// The end of a container that runs: it is asked, waited for, killed if it must be, and nothing of it is left.

#include "base/result.h"
#include "base/text.h"
#include "launch/state.h"
#include "spec/spec.h"

namespace vial {

/// The spec that a container was started with.
Result<Spec*> load_started_spec(Text name);

/// Waits until PID 1 has gone; false after `timeout` ms (-1: no limit).
Result<bool> wait_for_end(const Record& record, std::int64_t timeout);

/// Sends a signal to PID 1, and to no other process that might have its number by now.
Result<void> signal_init(const Record& record, int signal);

/// An Error for the machine's first process, whose end is the machine's.
Result<void> may_end(const Record& record);

/// Clears an ended container, whose PID 1 was `init`, and removes its record. Another that has taken the name since is left alone.
Result<void> put_away(Text name, pid_t init);

/// Stops an ordinary container in an orderly way, kills it if it does not end, and puts it away. `timeout`: ms, or -1
/// for what its spec says.
Result<void> stop_container(const Record& record, std::int64_t timeout);

}  // namespace vial
