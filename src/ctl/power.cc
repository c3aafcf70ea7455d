// SPDX-License-Identifier: MIT

/// `vial poweroff`, `vial reboot` and `vial halt`: the end of the machine, where vial is its first process.

#include "ctl/command.h"
#include "ctl/containers.h"
#include "launch/client.h"

namespace vial {

Result<int> power(const Arguments& arguments)
{
    TRY(require_root(arguments));
    TRY(find_answering(boot_name));
    (void)TRY(ask(boot_name, arguments.command));
    return 0;
}

}  // namespace vial
