// SPDX-License-Identifier: MIT
#pragma once

/// The part of a start that opens and makes things on the host, before there is a process.

#include "base/result.h"
#include "launch/launch.h"
#include "launch/setup.h"
#include "launch/state.h"

namespace vial {

/// Opens the root, every mount's source and the device nodes; makes nothing but an image's loop device, which goes when
/// its descriptor is closed.
Result<Prepared> open_host_paths(const Spec& spec);

/// The descriptors of the launcher's own that PID 1 is to get; they must stay open until the clone.
struct Handover {
    Fd control, exit_file;
    Fd log[2];
    Fd standard[3];
    Fd launcher_channel;
};

/// Makes what lives in the container's state directory, and the plan, which names every descriptor passed on.
Result<Handover> make_plan_and_files(Prepared& prepared, const LaunchOptions& options);

}  // namespace vial
