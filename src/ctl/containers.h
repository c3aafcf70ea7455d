// SPDX-License-Identifier: MIT
#pragma once

/// What several commands need to know and do about containers.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "launch/state.h"
#include "spec/read.h"
#include "spec/spec.h"

#include <span>
#include <string_view>

namespace vial {

struct Arguments;

/// For commands that touch the machine's things.
Result<void> require_root(const Arguments& arguments);
/// For those that touch containers: everybody has his own.
Result<void> require_state(const Arguments& arguments);
/// From the root on.
Text absolute_path(std::string_view path);
/// Has the host's supervisor do `verb` (start, stop, restart) to a container. False: there is none, or it is none of its.
Result<bool> tell_boot(std::string_view verb, Text name);
/// Until what the host's supervisor was told to start or stop is ready, or at rest. An Error where it is not going to be, or
/// is not after `timeout` milliseconds; -1 waits for ever. `interrupts`: see `nap`.
enum class Awaited : std::uint8_t { Ready, Rest };
Result<void> await_boot(Text name, Awaited awaited, std::int64_t timeout, int interrupts = -1);
/// Lets `time` milliseconds pass. An Error once there is a signal to be read from `interrupts`, a signalfd; -1: there is none.
Result<void> nap(std::int64_t time, int interrupts);
/// What --timeout says, in ms; -1 where it was not given.
Result<std::int64_t> timeout_of(const Arguments& arguments);

/// Where a spec is: a file, or the name of one in the spec directory.
Text spec_path(std::string_view file_or_name);
/// A spec, with the --set options and `more` settings on top. Prints all that is wrong with it; nothing is returned then, and the exit
/// code is Usage. `kind`: Container, or Host, which takes one without a root for services of the host unless that makes more mistakes.
/// `trial`: also what `vial upgrade` has on trial.
Spec* load_spec(std::string_view file_or_name, const Arguments& arguments, std::span<const Text> more = {},
                SpecKind kind = SpecKind::Container, bool trial = false);

/// Looks around, clearing what has ended, and finds `name`. ExitCode::NotFound where there is none.
Result<Record*> find_container(std::string_view name);
/// The same, and it must be running.
Result<Record*> find_running(std::string_view name);
/// The same, and a PID 1 of vial's must be there to be asked.
Result<Record*> find_answering(std::string_view name);

/// Asks the PID 1 of each container that is named to do what the command says with one of its services, or, where none is
/// named, with all that it makes sense for.
Result<int> ask_service(const Arguments& arguments);

/// How a container ended, as far as anybody knows.
struct Outcome {
    bool known = false;  ///< false: PID 1 was killed from outside, or never was
    int code = 0;
    Text signal;  ///< `KILL`, where one ended it
    bool oom = false;
    std::int64_t at = 0;  ///< CLOCK_REALTIME, ms
    Text words() const;   ///< `exited with 3`, `killed by the OOM killer (137)`, `killed, code unknown`
};
Outcome read_outcome(Text name);

}  // namespace vial
