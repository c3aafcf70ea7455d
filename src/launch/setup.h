// SPDX-License-Identifier: MIT
#pragma once

/// The container from the inside: what happens between the birth of its first process and the exec of PID 1.
///
/// The launcher has opened everything that lies on the host; from here on no path of the host is used that the
/// image or the container could have a say in. The order is the point:
///
///  1. ids, where there is a user namespace; namespaces of others
///  2. no mount travels out any more
///  3. the root goes on top of `/`, with its overlay
///  4. proc and sysfs while the host's are still visible (a user namespace gets none without), our own /dev, /run
///     and /tmp, the spec's mounts in the order written, then the masks and the read-only paths, so that no later
///     mount uncovers them; every target is opened beneath the new root
///  5. a terminal out of the container's devpts
///  6. the new root is entered, the old one goes
///  7. host name, loopback interface; the others are the launcher's work, done meanwhile
///  8. the launcher's word that its part is done, with the descriptors that PID 1 gets; the control groups (v1), and
///     only then their namespace, whose root is where one is when it is made
///  9. the ceiling of capabilities, exec
///
/// Nothing of the container's own runs before 9.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"
#include "kernel/device_rules.h"
#include "kernel/devices.h"
#include "kernel/image.h"
#include "kernel/mounts.h"
#include "launch/join.h"
#include "spec/spec.h"

#include <linux/filter.h>
#include <sys/resource.h>

namespace vial {

/// What the launcher opened. The setup process has a copy of all of it (it is a fork of the launcher).
struct Prepared {
    explicit Prepared(Spec& wanted) : spec(wanted) {}

    Spec& spec;
    List<sock_filter> filter;  ///< of a profile for system calls
    Tree root;
    Fd loop;                      ///< keeps an image's device attached until it is mounted
    List<Tree> mounts;            ///< by spec.mounts; Kind::None for a tmpfs or an optional one that is missing
    List<Tree> device_nodes;      ///< in a user namespace
    List<HostDevice> devices;     ///< by spec.devices
    List<DeviceRule> rules;       ///< empty: none are needed
    List<Joined> joined;          ///< namespaces of others
    bool born_in_cgroup = false;  ///< CLONE_INTO_CGROUP did it, and made the cgroup namespace
    bool terminal = false;        ///< the first service gets one
    rlimit descriptors{};         ///< RLIMIT_NOFILE as the caller had it, for the container
    Fd self;     ///< vial's binary; empty: the setup process makes its own (before 5.12, or of an ordinary user)
    Fd channel;  ///< the container's end
};

/// The first argument under which PID 1 is executed; the second is the number of the plan's descriptor.
inline constexpr const char* init_name = "vial-init";

/// Runs in the child of the launcher's clone. Never returns.
[[noreturn]] void set_up_container(Prepared& prepared);

}  // namespace vial
