// SPDX-License-Identifier: MIT
#pragma once

/// `vial boot`: the host's supervisor. It starts the specs of a directory and keeps them, and is itself found among the
/// containers under the name `boot`: its control socket, its log and its record lie where theirs do.
///
/// Being started again, after a crash, for a new program (`--reexec`) or to read the specs anew (SIGHUP, `vial reload
/// boot`), is one and the same: what runs is taken over (init/adopt.cc), what is not as its spec says is started anew, and
/// what has no spec any more is stopped.

#include "base/result.h"
#include "base/text.h"

namespace vial {

/// Keeps the specs of `directory`, an absolute path, until it is told to end. Returns the exit code.
Result<int> boot(Text directory);

/// The machine's first process: the same with all that is needed before and after it. Does not return.
[[noreturn]] void run_first();

/// What would go wrong if a device booted with `path`: a directory of specs with its host.conf, or a host.conf alone. A line
/// for each goes to `complaints`. False: it is neither.
Result<bool> check_boot(Text path, List<Text>& complaints);

}  // namespace vial
