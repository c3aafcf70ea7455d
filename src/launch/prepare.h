// SPDX-License-Identifier: MIT
#pragma once

/// The part of a start that opens and makes things on the host, before there is a process.

#include "base/result.h"
#include "kernel/cgroup.h"
#include "launch/handover.h"
#include "launch/launch.h"
#include "launch/setup.h"
#include "launch/state.h"

namespace vial {

/// Opens the root, every mount's source and the device nodes; makes nothing but an image's loop device, which goes when
/// its descriptor is closed.
Result<Prepared> open_host_paths(Spec& spec);

/// The profile that `seccomp` names, made into a filter; empty: there is none. The first thing that is wrong with it is told.
Result<List<sock_filter>> read_filter(const SecuritySpec& security);
/// Where the spec's overlay keeps its changes. They belong to the container's root, whose writes they hold.
Result<void> make_overlay_directories(const Spec& spec);

/// Bound and listening; for root alone, or whoever made it.
Result<Fd> make_control_socket(Text path);
/// One of the log's two files, all of it allocated. `flags`: O_EXCL, or 0 to go on with one that is there.
Result<Fd> open_log_segment(Text path, Bytes size, int flags);

/// What the launcher makes for PID 1; it must stay open until it was handed over.
struct Provision {
    ContainerCgroup cgroup;
    Fd control, exit_file;
    Fd log[2];
    Fd standard[3];
    List<sock_filter> filter;
    Fd terminal;  ///< keeps the number that the plan promises
    Fd plan;
};

/// Makes what lives in the container's state directory, and the plan. `provision.cgroup` is made already; `channel` is the number
/// of the container's end in the container. Everything PID 1 gets is noted in `handover`.
Result<void> make_plan_and_files(const Spec& spec, const LaunchOptions& options, int channel, Provision& provision,
                                 Handover& handover);

}  // namespace vial
