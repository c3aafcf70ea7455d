// SPDX-License-Identifier: MIT

/// `vial check` and `vial show`: a spec, looked at without root and without starting anything.

#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "spec/show.h"

#include <fcntl.h>

namespace vial {

Result<int> check(const Arguments& arguments)
{
    int code = 0;
    for (const char* word : arguments.words) {
        const Spec* const spec = load_spec(word, arguments);
        if (!spec) {
            code = static_cast<int>(ExitCode::Usage);
            continue;
        }
        for (Text key : spec->not_yet)
            print_error(compose("%: not supported yet: %"_p, word, key));
        if (!spec->not_yet.empty())
            code = static_cast<int>(ExitCode::Usage);
    }
    return code;
}

Result<int> show(const Arguments& arguments)
{
    const Text word = arguments.words.front();
    const Spec* spec = nullptr;
    // A running container's spec is shown as it was started.
    if (!contains(word, '/') && os::lstat(AT_FDCWD, state_path(word, "spec").c_str()).ok()) {
        spec = TRY(load_started_spec(word));
    } else {
        spec = load_spec(word, arguments);
    }
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    print(arguments.has(Option::Json) ? compose("%\n", show_spec_json(*spec)) : show_spec(*spec));
    return 0;
}

}  // namespace vial
