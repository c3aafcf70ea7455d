// SPDX-License-Identifier: MIT

/// A container that is paused, seen by its PID 1. Whoever asks for it freezes the others from outside (launch/pause.h).

#include "init/pid1.h"

namespace vial {

void Pid1::pause()
{
    if (is_paused())
        return;
    paused_ = now;
    events.add(EventKind::Paused);
}

void Pid1::resume()
{
    if (!is_paused())
        return;
    supervisor.postpone(now - paused_);
    paused_ = 0;
    events.add(EventKind::Resumed);
}

}  // namespace vial
