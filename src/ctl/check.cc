// SPDX-License-Identifier: MIT

/// `vial check` and `vial show`: a spec, looked at without root and without starting anything; or what a device boots with.

#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "kernel/seccomp_profile.h"
#include "launch/stop.h"
#include "spec/show.h"

#include <fcntl.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr SpecKind widest_kind = built_with(Feature::Boot) ? SpecKind::Host : SpecKind::Container;

}  // namespace

Result<int> check(const Arguments& arguments)
{
    int code = 0;
    for (const char* word : arguments.words) {
        const Text path = spec_path(word);
        List<Text> complaints;
        auto booted = arguments.host != nullptr ? arguments.host->check(path, complaints) : Result<bool>(false);
        for (Text line : complaints)
            (void)os::write_all(STDERR_FILENO, compose("%\n", line));
        if (!booted.ok())
            print_error({}, booted.error());
        if (!booted.ok() || !complaints.empty())
            code = static_cast<int>(ExitCode::Usage);
        if (booted.value_or(true))
            continue;
        const Spec* const spec = load_spec(word, arguments, {}, widest_kind);
        if (!spec) {
            code = static_cast<int>(ExitCode::Usage);
            continue;
        }
        complaints = seccomp_complaints(spec->security);
        for (Text line : complaints)
            (void)os::write_all(STDERR_FILENO, compose("%\n", line));
        for (Text key : spec->not_yet)
            print_error(compose("%: not supported yet: %"_p, word, key));
        if (!spec->not_yet.empty() || !complaints.empty())
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
        spec = load_spec(word, arguments, {}, widest_kind);
    }
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    print(arguments.has(Option::Json) ? compose("%\n", show_spec_json(*spec)) : show_spec(*spec));
    return 0;
}

}  // namespace vial
