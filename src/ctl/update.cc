// SPDX-License-Identifier: MIT

/// `vial update`: other limits for a container that runs.

#include "launch/update.h"
#include "base/os.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"

#include <unistd.h>

namespace vial {

Result<int> update(const Arguments& arguments)
{
    TRY(require_root(arguments));
    List<std::string_view> settings;
    for (std::size_t at = 1; at < arguments.words.size(); ++at) {
        settings.push_back(arguments.words[at]);
        if (const Phrase fault = update_fault(settings.back()))
            return misused(arguments, compose("'%': %", settings.back(), fault));
    }
    const Record& record = *TRY(find_running(arguments.words.front()));
    auto updated = update_container(record, settings);
    if (!updated.ok())
        return print_error(record.name, updated.error());
    for (const Diagnostic& problem : updated.value())
        (void)os::write_all(STDERR_FILENO, compose("%\n", format(problem, "vial")));
    return updated.value().empty() ? 0 : static_cast<int>(ExitCode::Usage);
}

}  // namespace vial
