// SPDX-License-Identifier: MIT
#pragma once

/// /etc/vial/host.conf, which tells the machine's first process about the machine; see vial-host.conf(5).
///
/// It is read as a spec is, by the same rules and with the same words for what is wrong. But a device has to come up: a key
/// that is wrong is told and left out, and the others count.

#include "base/list.h"
#include "base/text.h"
#include "spec/spec.h"

#include <string_view>

namespace vial {

inline constexpr const char* host_conf_name = "host.conf";

struct HostConf {
    Text hostname;              ///< empty: as it is
    List<Text> modules;         ///< `FILE [PARAMETERS]`
    List<Text> mounts;          ///< `SOURCE TARGET TYPE [OPTIONS]`
    List<Text> console;         ///< the command on the console; empty: none
    List<Text> emergency;       ///< the one that is run there where nothing else runs
    Milliseconds watchdog = 0;  ///< after so long without us it bites; 0: there is none
    Text watchdog_device = "/dev/watchdog";
    Milliseconds stop_timeout = 60000;
    List<Text> sysctls;          ///< `PATH=VALUE`, the path below /proc/sys
    List<NetworkSpec> networks;  ///< their names, addresses and gateways
};

/// `file` is for messages; `complaints` gets a line for each that is wrong.
HostConf read_host_conf(std::string_view text, std::string_view file, List<Text>& complaints);

}  // namespace vial
