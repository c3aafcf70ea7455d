// SPDX-License-Identifier: MIT

/// `vial upgrade`: another image for a container that runs.
///
/// All that can be looked at while the old one runs is looked at then: the new image is copied beside the old one, has the
/// hash that it should, can be mounted, and the spec is good with it. Then the container is stopped, since two of
/// one name and address cannot run at once, and started from the new image on trial. If every service of it is well in time,
/// the new image becomes the choice (ctl/choice.h); if not, the container is started from the old one again. `vial boot`
/// does the stopping and starting of what it keeps. Whoever interrupts that, or loses the terminal on which it was begun, has it
/// go back at once; only SIGKILL leaves what stands there.

#include "base/events.h"
#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "ctl/choice.h"
#include "ctl/command.h"
#include "ctl/containers.h"
#include "ctl/output.h"
#include "kernel/image.h"
#include "launch/client.h"
#include "launch/launch.h"
#include "launch/stop.h"
#include "spec/grammar.h"
#include "spec/read.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>

namespace vial {

namespace {

constexpr std::int64_t patience = 120000;  // milliseconds
constexpr std::int64_t look_interval = 200;
constexpr std::int64_t ending_time = 1000;

/// Copies the image and puts it on trial. Returns the spec with it.
Result<const Spec*> put_beside(const Fd& from, Text hash, const Spec& chosen, Text running, const Arguments& arguments)
{
    TRY(copy_image(from, chosen, running));
    const Text copy = place_of_next(chosen, running);
    (void)TRY(open_image(copy, hash, true, MountNoDev));
    TRY(propose(chosen, compose("# By `vial upgrade`.\nroot = %\n%%%", toml_string(copy),
                                hash.empty() ? "" : "root_hash = \"", hash, hash.empty() ? "" : "\"\n")));
    const Spec* const next = load_spec(chosen.file, arguments, {}, SpecKind::Container, true);
    if (next == nullptr)
        return Error("its spec is not good with that image"_p, "upgrade", chosen.name);
    return next;
}

/// Does all that needs no stop. Returns the spec with the new image, which is on trial then.
Result<const Spec*> make_ready(const Spec& chosen, Text running, const Arguments& arguments)
{
    const Text image = arguments.words[1];
    const std::string_view expected = arguments.value(Option::Hash);
    const Fd from = TRY(os::open(image.c_str(), O_RDONLY | O_NONBLOCK));
    (void)TRY(image_type(from, image));
    // Where the old one is looked at before each start, so will be the new one.
    Text hash;
    if (!expected.empty() || !chosen.root_hash.empty())
        hash = TRY(hash_image(from, image, expected));
    // Nothing was removed up to here: what is refused may be the copy before the present one.
    auto next = put_beside(from, hash, chosen, running, arguments);
    if (!next.ok())
        withdraw(chosen, running);
    return next;
}

/// Stops the container, if it runs, and starts it: `vial boot` from what is chosen or on trial, else from `spec`. `by_boot`:
/// it has done so before. Then nobody else does: where it has ended, so should the container, and if it comes again, so will that.
Result<void> begin_again(Spec& spec, std::int64_t timeout, int interrupts, bool& by_boot)
{
    if (TRY(tell_boot("restart", spec.name))) {
        by_boot = true;
        return await_boot(spec.name, Awaited::Ready, timeout, interrupts);
    }
    if (by_boot)
        return Error("`vial boot` does not keep it any more"_p, "start", spec.name);
    if (const auto record = read_record(spec.name); record.ok())
        TRY(stop_container(*record.value(), -1));
    (void)TRY(launch(spec, {}));
    return {};
}

/// Whether each service is ready and its health probe has found it well; one without has been ready for its `stable_after`.
Result<bool> is_well(const Spec& spec)
{
    const Record& record = *TRY(read_record(spec.name));
    const auto ended = [&] { return Error("", "", compose("it ended: %"_p, read_outcome(spec.name).words())); };
    if (record.phase != Phase::Running)
        return ended();
    if (!record.has_init)
        return os::boottime_ms() - record.started_boot >= spec.services.front().policy.stable_after;
    const auto answer = ask(spec.name, "status");
    // Its socket closes a moment before PID 1 has gone.
    if (!answer.ok())
        return TRY(wait_for_end(record, ending_time)) ? ended() : answer.error();
    std::string_view rest = answer.value();
    (void)take_until(rest, '\n');
    bool well = true;
    for (const ServiceSpec& service : spec.services) {
        const json::Raw line = take_until(rest, '\n');
        const json::Raw state = json::member(line, "state"), probed = json::member(line, "healthy");
        if (state == "\"failed\"")
            return Error("", "", compose("% has failed"_p, service.name));
        const bool stable = json::member(line, "pid") == "null" ||
                            parse_number(json::member(line, "uptime_ms")).value_or(0) >= service.policy.stable_after;
        const bool healthy = probed.empty() ? stable : probed == "true";
        well = well && (state == "\"stopped\"" || (state == "\"ready\"" && healthy));
    }
    return well;
}

/// Starts the container from what is on trial, and makes that the choice.
Result<void> try_out(Spec& spec, const Spec& chosen, std::int64_t timeout, int interrupts, bool& by_boot)
{
    const std::int64_t deadline = os::boottime_ms() + timeout;
    TRY(begin_again(spec, timeout, interrupts, by_boot));
    while (!TRY(is_well(spec))) {
        if (os::boottime_ms() >= deadline)
            return Error("", "", "it was not ready and healthy in time (--timeout)");
        TRY(nap(look_interval, interrupts));
    }
    return choose(chosen);
}

}  // namespace

Result<int> upgrade(const Arguments& arguments)
{
    TRY(require_root(arguments));
    if (arguments.has(Option::Hash) && !is_hash(arguments.value(Option::Hash)))
        return misused(arguments, "--hash is sha256: and 64 hexadecimal digits in lower case"_p);
    const std::int64_t given = TRY(timeout_of(arguments)), timeout = given < 0 ? patience : given;
    const Text name = arguments.words.front();
    const Record& record = *TRY(find_running(name));
    if (record.file.empty() || record.foreground)
        return Error("it was not started from a spec by `vial start`"_p, "upgrade", name);
    const Fd lock = TRY(lock_choice(record.file));
    const Spec* const chosen = load_spec(record.file, arguments);
    if (chosen == nullptr)
        return static_cast<int>(ExitCode::Usage);
    if (const Opened directory = os::open(chosen->root.c_str(), O_PATH | O_DIRECTORY); directory.ok())
        return Error("its root is a directory"_p, "upgrade", name);
    // What an upgrade that was cut off has left may be the disk's choice even now, but for this.
    TRY(sync_choice(*chosen));
    Spec& started = *TRY(load_started_spec(name));
    const Text old_root = started.root, old_hash = started.root_hash;
    sigset_t ends_of_session{};
    for (const int signal : {SIGHUP, SIGINT, SIGTERM})
        sigaddset(&ends_of_session, signal);
    const Fd interrupts = TRY(os::signal_descriptor(ends_of_session));

    const auto next = make_ready(*chosen, old_root, arguments);
    if (!next.ok())
        return print_error(name, next.error());
    started.root = next.value()->root;
    started.root_hash = next.value()->root_hash;
    // Who has stopped the old one has to start the one or the other.
    os::block_signals(ends_of_session);
    bool by_boot = false;
    const auto tried = try_out(started, *chosen, timeout, interrupts.get(), by_boot);
    if (tried.ok()) {
        TRY(sync_choice(*chosen));
        return 0;
    }
    // Put into words now: going back may meet more errors than are kept.
    char words[description_capacity];
    (void)describe(tried.error(), words, sizeof words);
    withdraw(*chosen, old_root);
    started.root = old_root;
    started.root_hash = old_hash;
    signalfd_siginfo heard[3];
    (void)os::read(interrupts.get(), heard, sizeof heard);
    const auto back = begin_again(started, timeout, interrupts.get(), by_boot);
    const int code = print_error(name, Error("", "", concat(words, back.ok() ? "; the old image runs again" : "")));
    return back.ok() ? code : print_error(name, back.error());
}

}  // namespace vial
