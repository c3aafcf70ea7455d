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

namespace {

constexpr Option check_options[] = {set_option};
constexpr Option show_options[] = {json_option, set_option};

int check(const Arguments& arguments)
{
    if (arguments.words.empty()) {
        print_error("check: which spec? `vial check FILE...`");
        return static_cast<int>(ExitCode::Usage);
    }
    int code = 0;
    for (const char* word : arguments.words) {
        const auto spec = load_spec(word, arguments);
        if (!spec) {
            code = static_cast<int>(ExitCode::Usage);
            continue;
        }
        for (Text key : spec->not_yet)
            print_error(compose("%: not supported yet: %", word, key));
        if (!spec->not_yet.empty())
            code = static_cast<int>(ExitCode::Usage);
    }
    return code;
}

int show(const Arguments& arguments)
{
    if (arguments.words.size() != 1) {
        print_error("show: which spec? `vial show FILE`, or the name of a container");
        return static_cast<int>(ExitCode::Usage);
    }
    const Text word = arguments.words.front();
    std::optional<Spec> spec;
    // A running container's spec is shown as it was started.
    if (word.find('/') == std::string_view::npos && os::lstat(AT_FDCWD, state_path(word, "spec").c_str()).ok()) {
        auto started = load_started_spec(word);
        if (!started.ok())
            return print_error({}, started.error());
        spec = started.take();
    } else {
        spec = load_spec(word, arguments);
    }
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    print(arguments.has("json") ? compose("%\n", show_spec_json(*spec)) : show_spec(*spec));
    return output_failed() ? static_cast<int>(ExitCode::Failed) : 0;
}

}  // namespace

constexpr Command check_command{
    "check", "[OPTIONS] SPEC...", "say everything that is wrong with a spec", check_options, false, check};
constexpr Command show_command{
    "show", "[OPTIONS] SPEC|NAME", "print a spec with every default filled in", show_options, false, show};

}  // namespace vial
