// SPDX-License-Identifier: MIT
#pragma once

/// The container's network namespace, made beside everything else.
///
/// It is the dearest thing of a start: the kernel takes as long for it as for all other namespaces, the mounts and the
/// control groups together. So nobody waits for it: a process of its own makes it and brings its `lo` up, while the launcher
/// opens, notes and makes what is to be made, and sends it to the setup process, which joins it before it mounts sysfs.
///
/// Not where there is a user namespace, whose own the network namespace must be: there it is born with the container.

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

#include <sys/types.h>

namespace vial {

/// Whether the network namespace of such a container is made beside it.
bool is_network_beside(const NamespacesSpec& wanted);

class NetworkBeside {
public:
    NetworkBeside() = default;
    NetworkBeside(const NetworkBeside&) = delete;
    NetworkBeside& operator=(const NetworkBeside&) = delete;
    ~NetworkBeside() { (void)finish({}); }

    /// Begins to make it. When it is there, it is sent as an N to the container over `channel.first`, and to the launcher, where it
    /// has a use for it (`wanted_outside`), over `channel.second`; if it cannot be made, an E goes to the launcher.
    Result<void> begin(const Fd& to_container, const Fd& to_launcher, bool wanted_outside);

    /// Waits until all of that has been sent, for the container `name`; fails where that will never be. What an E says is still to
    /// be heard.
    Result<void> finish(Text name);

private:
    pid_t maker_ = 0;
};

/// In the setup process: joins the network namespace when it comes.
Result<void> join_network_beside(const Fd& channel);

}  // namespace vial
