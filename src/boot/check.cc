// SPDX-License-Identifier: MIT

/// `vial check` of what a device boots with, without starting anything.

#include "base/os.h"
#include "base/text.h"
#include "boot/boot.h"
#include "boot/host_conf.h"
#include "boot/specs.h"
#include "spec/read.h"

#include <fcntl.h>

namespace vial {

namespace {

Result<void> check_host_conf(Text path, List<Text>& complaints)
{
    (void)read_host_conf(TRY(load_spec_file(path.c_str())), path, complaints);
    return {};
}

}  // namespace

Result<bool> check_boot(Text path, List<Text>& complaints)
{
    const Opened directory = os::open(path.c_str(), O_PATH | O_DIRECTORY);
    if (!directory.ok()) {
        if (slice(path, path.rfind('/') + 1) != host_conf_name)
            return false;
        TRY(check_host_conf(path, complaints));
        return true;
    }
    complaints = TRY(read_host_specs(path, -1)).complaints;
    const Text conf = compose("%/%", path, host_conf_name);
    if (os::lstat(AT_FDCWD, conf.c_str()).ok())
        TRY(check_host_conf(conf, complaints));
    return true;
}

}  // namespace vial
