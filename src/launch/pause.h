// SPDX-License-Identifier: MIT
#pragma once

/// Pausing a container: its PID 1 is told, so that it starts nothing and waits for nobody meanwhile, and all others in there
/// are frozen from outside. The journal has it before either is done: whoever comes next can thaw them.

#include "base/result.h"
#include "launch/state.h"

namespace vial {

/// Freezes a container that runs. One that is paused already stays so. On failure it goes on as before.
Result<void> pause_container(Record& record);

/// Thaws it again; does nothing where it is not paused. Its PID 1 need not answer.
Result<void> resume_container(const Record& record);

/// An Error where it is paused.
Result<void> may_work(const Record& record);

}  // namespace vial
