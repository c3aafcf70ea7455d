// SPDX-License-Identifier: MIT

/// `vial check` and `vial show`: a spec, looked at without root and without starting anything; or what a device boots with.

#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "boot/host_conf.h"
#include "boot/specs.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "spec/show.h"

#include <fcntl.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr SpecKind widest_kind = built_with(Feature::Boot) ? SpecKind::Host : SpecKind::Container;

/// True: nothing is.
bool say_wrong(const List<Text>& complaints)
{
    for (Text line : complaints)
        (void)os::write_all(STDERR_FILENO, compose("%\n", line));
    return complaints.empty();
}

Result<bool> check_host_conf(Text path)
{
    List<Text> complaints;
    (void)read_host_conf(TRY(load_spec_file(path.c_str())), path, complaints);
    return say_wrong(complaints);
}

/// Each spec of a directory, what they depend on, and host.conf where there is one.
Result<bool> check_directory(Text path)
{
    const bool good = say_wrong(TRY(read_host_specs(path, -1)).complaints);
    const Text conf = compose("%/%", path, host_conf_name);
    return os::lstat(AT_FDCWD, conf.c_str()).ok() ? TRY(check_host_conf(conf)) && good : good;
}

}  // namespace

Result<int> check(const Arguments& arguments)
{
    int code = 0;
    for (const char* word : arguments.words) {
        const Text path = spec_path(word);
        const Opened directory = os::open(path.c_str(), O_PATH | O_DIRECTORY);
        const bool is_directory = directory.ok();
        if (built_with(Feature::Boot) && (is_directory || slice(path, path.rfind('/') + 1) == host_conf_name)) {
            auto good = is_directory ? check_directory(path) : check_host_conf(path);
            if (!good.ok())
                print_error({}, good.error());
            if (!good.value_or(false))
                code = static_cast<int>(ExitCode::Usage);
            continue;
        }
        const Spec* const spec = load_spec(word, arguments, {}, widest_kind);
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
        spec = load_spec(word, arguments, {}, widest_kind);
    }
    if (!spec)
        return static_cast<int>(ExitCode::Usage);
    print(arguments.has(Option::Json) ? compose("%\n", show_spec_json(*spec)) : show_spec(*spec));
    return 0;
}

}  // namespace vial
