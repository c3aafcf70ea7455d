// SPDX-License-Identifier: MIT
#pragma once

/// Which devices the processes of a control group may open or make, whatever nodes they come by.
///
/// Version 1 has the controller `devices`: everything is denied, then what is allowed is written line by line. Version 2 has no
/// files for it: a program for the kernel's BPF machine is attached to the group, and the kernel asks it at each open(2) and
/// mknod(2) of a device (Linux 4.15, CONFIG_CGROUP_BPF). It is written by hand, rule by rule, and goes with the group.
///
/// A rule holds for the groups below as well: what is made later inherits it.

#include "base/fd.h"
#include "base/list.h"
#include "base/result.h"

#include <cstdint>
#include <string_view>

namespace vial {

/// The values are BPF_DEVCG_ACC_*.
enum DeviceAccess : std::uint8_t { DeviceMake = 1, DeviceRead = 2, DeviceWrite = 4 };

struct DeviceRule {
    static constexpr std::uint32_t any = ~0U;

    bool block = false;
    std::uint32_t major = 0;
    std::uint32_t minor = any;
    std::uint8_t access = 0;  ///< DeviceAccess
};

/// The devices that every container has in its /dev, terminals included.
List<DeviceRule> rules_of_everybody();
/// Adds a rule; access to the same device adds up.
void allow_device(List<DeviceRule>& rules, const DeviceRule& rule);

/// From now on `group`, a directory of version 1 or 2 that has no children yet, allows what `rules` say, and nothing else. `name` is the
/// container's, for messages.
Result<void> limit_devices(const Fd& group, bool unified, const List<DeviceRule>& rules, std::string_view name);

}  // namespace vial
