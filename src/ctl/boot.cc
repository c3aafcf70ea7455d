// SPDX-License-Identifier: MIT

/// `vial boot`, as a command.

#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "launch/state.h"
#include "launch/stop.h"

#include <signal.h>

namespace vial {

Result<int> boot(const Arguments& arguments)
{
    TRY(require_root(arguments));
    if (!arguments.has(Option::Reexec))
        return arguments.host->boot(absolute_path(arguments.words.empty() ? spec_directory : arguments.words.front()));
    TRY(signal_init(*TRY(find_running(boot_name)), SIGHUP));
    return 0;
}

}  // namespace vial
