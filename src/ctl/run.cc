// SPDX-License-Identifier: MIT

/// `vial run`: a container in the foreground, with or without a spec file.

#include "base/os.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "ctl/relay.h"
#include "kernel/cgroup.h"
#include "launch/launch.h"
#include "spec/read.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

Text command_setting(std::span<const char* const> words)
{
    Builder setting("command=[");
    for (const char* word : words)
        setting.compose("%%", setting.back() == '[' ? "" : ", ", toml_string(word));
    setting += ']';
    return setting;
}

/// What the command line says beside the spec file, which `file` becomes.
Result<List<Text>> settings_of(const Arguments& arguments, std::string_view& file)
{
    std::span<const char* const> words = arguments.words;
    List<Text> settings;
    if (arguments.has(Option::Root)) {
        if (words.empty())
            return misused(arguments, "--root needs a command: `vial run --root DIR -- COMMAND`"_p);
        settings.push_back(compose("root=%", toml_string(absolute_path(arguments.value(Option::Root)))));
        if (!arguments.has(Option::Name))
            settings.push_back(compose("name=\"run-%\""_p, ::getpid()));
    } else {
        if (words.empty() || arguments.before_dashes == 0)
            return misused(arguments, "what? `vial run SPEC`, or `vial run --root DIR -- COMMAND`"_p);
        if (words.size() > 1 && (!arguments.dashes || arguments.before_dashes > 1))
            return misused(arguments,
                           "options go before the spec, a command behind `--`: `vial run [OPTIONS] SPEC -- COMMAND`"_p);
        file = words.front();
        words = words.subspan(1);
    }
    if (arguments.has(Option::Name))
        settings.push_back(compose("name=%", toml_string(arguments.value(Option::Name))));
    if (!words.empty())
        settings.push_back(command_setting(words));
    return settings;
}

struct Begun {
    const Spec& spec;
    Launched launched;
};

/// Nothing but PID 1 is left in the container: what it does not need can go while the kernel takes it apart.
void tidy(void* context)
{
    const Begun& begun = *static_cast<const Begun*>(context);
    remove_service_leaves(begun.launched.journal.record().cgroups, begun.spec);
    (void)os::unlinkat(AT_FDCWD, state_path(begun.spec.name, "spec").c_str());
}

}  // namespace

Result<int> run(const Arguments& arguments)
{
    std::string_view file;
    const List<Text> settings = TRY(settings_of(arguments, file));
    Spec* const spec = load_spec(file, arguments, settings);
    if (!spec)
        return payload_not_reached;
    TRY(require_state(arguments));
    Begun begun{*spec, {}};
    const auto ended = [&]() -> Result<os::Exited> {
        const SignalWatch signals = TRY(SignalWatch::open());
        LaunchOptions how;
        how.foreground = true;
        how.terminal = !spec->services.empty() && !arguments.has(Option::NoTty) && os::is_terminal(STDIN_FILENO) &&
                       os::is_terminal(STDOUT_FILENO);
        Standard standard;
        if (!how.terminal)
            standard = TRY(make_standard());
        for (int number = 0; number < 3; ++number)
            how.standard[number] = standard.number[number];
        begun.launched = TRY(launch(*spec, how));
        RelayTarget target;
        target.child = begun.launched.pid;
        target.terminal = std::move(begun.launched.terminal);
        target.standard = &standard;
        target.channel = begun.launched.channel.get();
        target.ending = tidy;
        target.context = &begun;
        auto relayed = relay(target, signals);
        if (!relayed.ok()) {
            (void)os::kill(target.child, SIGKILL);
            (void)os::wait(target.child, WEXITED);
            (void)begun.launched.journal.remove_container();
        }
        return relayed;
    }();
    if (!ended.ok()) {
        // A command that could not be executed is the payload's failure, as a shell sees it.
        const int code = print_error(spec->name, ended.error());
        return code >= payload_not_reached ? code : payload_not_reached;
    }
    if (const auto away = begun.launched.journal.remove_container(); !away.ok())
        print_error(spec->name, away.error());
    // PID 1 blocks all signals, so these two are the kernel's: what becomes of reboot(2) in a PID namespace.
    const os::Exited& how = ended.value();
    if (how.code != CLD_EXITED && (how.status == SIGHUP || how.status == SIGINT))
        print_error(spec->name, Error(how.status == SIGHUP ? "rebooted" : "powered off", "", ""));
    return how.exit_code();
}

}  // namespace vial
