// SPDX-License-Identifier: MIT
#include "boot/boot.h"

#include "base/complain.h"
#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "boot/console.h"
#include "boot/first.h"
#include "boot/power.h"
#include "boot/specs.h"
#include "init/entry.h"
#include "init/fatal.h"
#include "init/peers.h"
#include "launch/condemned.h"
#include "launch/pause.h"
#include "launch/prepare.h"
#include "launch/services_plan.h"
#include "launch/state.h"
#include "spec/read.h"

#include <fcntl.h>
#include <iterator>
#include <linux/reboot.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <utility>

namespace vial {

namespace {

/// Who held the place before may have crashed: what its directory knows is still good.
Result<void> take_place(bool first)
{
    const StateLock lock = TRY(StateLock::take());
    const auto before = read_record(boot_name);
    const bool running = before.ok() && before.value()->phase == Phase::Running;
    if (running && before.value()->init.pid == ::getpid())
        return {};  // nobody who looks while we become another one may take us for ended
    if (running)
        return Error("it is running already", "start", boot_name).advise("`vial status boot`; `vial reload boot`");
    const auto made = os::mkdirat(AT_FDCWD, state_path(boot_name).c_str(), 0700);
    if (!made.ok() && made.number() != EEXIST)
        return made.error();
    const ProcessId own = TRY(identify(::getpid()));
    const Fd journal =
        TRY(os::open(state_path(boot_name, "journal").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    return os::write_all(journal.get(),
                         compose("started %\nstarted-boot %\ninit % %\nrunning now\n%", os::realtime_ms(),
                                 os::boottime_ms(), own.pid, own.start_time, first ? "first now\n" : ""));
}

Result<void> open_state(Entry& entry, HostDuties& duties)
{
    duties.state = TRY(os::open(state_path(boot_name).c_str(), O_PATH | O_DIRECTORY)).release();
    for (int at = 0; at < 2; ++at)
        entry.log[at] =
            TRY(open_log_segment(state_path(boot_name, at == 0 ? "log.0" : "log.1"), entry.log_size, 0)).release();
    // What is there is of the one before us.
    const Text control = state_path(boot_name, "control");
    (void)os::unlinkat(AT_FDCWD, control.c_str());
    entry.control = TRY(make_control_socket(control)).release();
    return {};
}

/// In a process of its own.
void stop_condemned_aside(const List<const Record*>& containers)
{
    const auto child = os::clone({});
    if (!child.ok() || child.value() != 0)
        return;
    os::restore_signals();
    stop_condemned(containers);
    ::_exit(0);
}

/// By which the init that started us lets us tell how we are, see sd_notify(3) and sd_watchdog_enabled(3).
constexpr std::string_view for_us_alone[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

/// Half of the time after which that init takes us for hung, in milliseconds; 0: it does not watch us.
std::int64_t feed_interval()
{
    const auto number = [](std::string_view variable) {
        const char* value = find_variable(::environ, variable);
        return parse_number(value != nullptr ? value : "");
    };
    const auto pid = number("WATCHDOG_PID");
    return pid && *pid != ::getpid() ? 0 : number("WATCHDOG_USEC").value_or(0) / 2000;
}

Text host_conf_path(Text directory)
{
    return compose("%/%", directory, host_conf_name);
}

Fd plan_of_host(Text directory, const HostDuties& duties)
{
    auto found = read_host_specs(directory, duties.state);
    const bool known = found.ok();
    if (!known) {
        // Who boots from here needs a supervisor even so: the directory may be mended, and read again.
        print_error(boot_name, found.error());
        found = HostSpecs();
        found.value().spec.name = boot_name;
    }
    if (duties.first)
        add_console_services(host_conf_path(directory), duties.state, found.value().spec);
    if (known)
        stop_condemned_aside(condemn(found.value().spec, found.value().kept));
    for (Text line : found.value().complaints)
        print_error(line);
    Opened plan = plan_services(found.value().spec, false, for_us_alone);
    if (!plan.ok())
        print_error(boot_name, plan.error());
    return plan.ok() ? plan.take() : Fd();
}

/// Puts the program that lies where ours came from in our place. Returns only where there is none that can be executed.
Error go_again(Text directory, bool first)
{
    constexpr const char* own_program = "/proc/self/exe";
    constexpr std::string_view replaced = " (deleted)";
    Text path = os::readlinkat(AT_FDCWD, own_program).value_or(Text());
    if (path.ends_with(replaced))
        path = path.substr(0, path.size() - replaced.size());
    char* const words[] = {const_cast<char*>(first ? "init" : "vial"), first ? nullptr : const_cast<char*>("boot"),
                           const_cast<char*>(directory.c_str()), nullptr};
    (void)os::execute(path.c_str(), words, ::environ);
    return os::execute(own_program, words, ::environ);
}

/// It was told to stop, and hears of that when it is thawed.
void resume_paused(std::string_view name)
{
    if (const auto record = read_record(name); record.ok() && record.value()->phase == Phase::Running)
        (void)resume_container(*record.value());
}

/// Containers that have ended.
void clear_ended()
{
    (void)look_around();
}

/// The exit code, or a Power. `duties`: what is known of them, to be filled in.
Result<int> keep_host(Text directory, HostDuties& duties)
{
    static Entry entry;
    duties.changed = tell_console;
    duties.resume = resume_paused;
    duties.ended = clear_ended;
    os::occupy_standard();
    (void)os::block_signals();  // what comes while the specs are read waits for the loop
    entry.peer = &own_name;
    entry.subreaper = ::getpid() != 1;
    entry.host = &duties;
    TRY(take_place(duties.first));
    TRY(open_state(entry, duties));
    // Before anything is made that has to find its way to us.
    if (entry.subreaper)
        (void)os::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, "become a subreaper"_p);
    const auto read = [&] { return plan_of_host(directory, duties); };
    Fd plan = TRY(make_plan_aside(directory, read));
    if (!plan)
        return static_cast<int>(ExitCode::Failed);
    entry.plan = plan.release();
    const int code = run_entry(entry);
    if (code == to_go_again)
        return go_again(directory, duties.first);
    if (!duties.first)
        stop_what_boot_started();
    return code;
}

/// The kernel gives its first process none, and services get what we have.
void set_search_path()
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char* variables[64];
    std::size_t count = 0;
    if (find_variable(::environ, "PATH") != nullptr)
        return;
    for (; ::environ[count] != nullptr && count < std::size(variables) - 2; ++count)
        variables[count] = ::environ[count];
    variables[count] = path;
    ::environ = variables;
}

}  // namespace

Result<int> boot(Text directory)
{
    static HostDuties duties;
    duties.feed_interval = feed_interval();
    const int code = TRY(keep_host(directory, duties));
    const StateLock lock = TRY(StateLock::take());
    TRY(remove(*TRY(read_record(boot_name)), lock));
    return code;
}

void run_first()
{
    (void)os::block_signals();
    survive_faults();
    mount_essentials();
    set_search_path();
    static HostDuties duties;
    duties.first = true;
    Duties found =
        set_up_machine(host_conf_path(spec_directory), os::lstat(AT_FDCWD, state_path(boot_name).c_str()).ok());
    duties.watchdog = found.watchdog.release();
    duties.feed_interval = found.feed_interval;
    duties.stop_timeout = found.stop_timeout;
    (void)os::reboot(LINUX_REBOOT_CMD_CAD_OFF);  // Ctrl-Alt-Del is a signal from now on
    for (;;) {
        const auto ended = keep_host(spec_directory, duties);
        if (ended.ok() && ended.value() >= Reboot)
            power_down(ended.value(), duties.watchdog);
        if (!ended.ok())
            print_error(boot_name, ended.error());
        // Nobody feeds it from here on.
        duties.feed_interval = 0;
        if (Fd watchdog(std::exchange(duties.watchdog, -1)); watchdog)
            (void)os::write(watchdog.get(), "V", 1);
        run_emergency_shell();
    }
}

}  // namespace vial
