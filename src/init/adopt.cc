// SPDX-License-Identifier: MIT

/// What runs already where a host's supervisor begins: it took the place of one that crashed, or of itself, to read its
/// specs anew or because its program was replaced. Nothing is started again for that.
///
/// * Of each service a file of the state directory says how it is: `PID START-TIME FINGERPRINT`, with `rest` for the PID
///   where it was stopped or has failed, and `done` where it has done all it had to. Who reads the specs (boot/specs.h)
///   compares, and the plan says what is taken over. Another file holds what an orderly change keeps beside: ServicePast.
/// * Of a container that runs its launcher finds out: it names a PID 1 that is there already.
///
/// Children of ours are reaped as ever. Others are the machine's init's, and a pidfd tells of their end; only before
/// Linux 5.3, which has none, we look each second. Their numbers may be anybody's once they have ended: so a stranger is known by
/// its number and the hundredth of a second in which it began, as whoever noted it saw it. Within that time no number comes round.

#include "base/json.h"
#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/notify.h"
#include "init/pid1.h"
#include "init/spawn.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr Milliseconds look_interval = 1000;
constexpr Milliseconds most_waited_for = 2000;

}  // namespace

bool Pid1::has_host() const
{
    return entry != nullptr && entry->host != nullptr;
}

void Pid1::begin_host()
{
    for (ServiceIndex index = 0; index < plan.service_count; index++) {
        const PlanService& service = plan.all_services()[index];
        if (service.running > 0)
            supervisor.resume(index, now);
        else if (!service.on_demand || service.running != 0)
            supervisor.start(index, now);
        if (const ServicePast* past = past_of(index))
            supervisor.recall(index, *past, now);
    }
    told_ = true;
}

/// In place of a start. The exec that is reported is long past.
Result<pid_t> Pid1::take_over(ServiceIndex index)
{
    ServiceRuntime& runtime = runtimes[index];
    const pid_t pid = plan.all_services()[index].running;
    runtime.was_running = true;
    runtime.begun = static_cast<std::uint32_t>(now);
    if (pid == done_before) {
        // One that has nothing to do any more ends well at once.
        const pid_t child = TRY(os::clone({}));
        if (child == 0)
            ::_exit(0);
        return child;
    }
    os::Pipe report = TRY(os::pipe());
    TRY(os::set_nonblocking(report.read.get()));
    if (kinship_of(proc_, pid).parent != ::getpid() && !watch_stranger(index, pid, plan.all_services()[index].started))
        return Error(ESRCH, "take over", service_name(index));
    TRY(os::watch(epoll, report.read.get(), EPOLLIN, event_token(Source::ExecReport, index)));
    runtime.exec_report = report.read.release();
    reports_++;
    return pid;
}

/// It said long ago, to somebody else, that it is ready.
void Pid1::taken_over(ServiceIndex index)
{
    const PlanService& service = plan.all_services()[index];
    if (service.running == 0 || supervisor.service(index).pid != service.running)
        return;
    supervisor.ready(index, now);
    if (const ServicePast* past = past_of(index))
        supervisor.recall(index, *past, now);
    if (service.renewed)
        (void)supervisor.restart(index, now);
}

/// Notes how it is for whoever comes after us.
void Pid1::remember(ServiceIndex index, pid_t pid) const
{
    if (!is_host() || supervisor.closing())
        return;
    const PlanService& service = plan.all_services()[index];
    // What is known of it stays true: that it is not what its spec says.
    if (service.renewed && pid == service.running)
        return;
    char path[128] = {}, line[64];
    Writer(path, sizeof path - 1).put("run.").put(service_name(index));
    Writer text(line, sizeof line);
    if (pid > 0 && service.is_container) {
        (void)os::unlinkat(entry->host->state, path);
        return;
    }
    if (pid > 0)
        text.decimal(pid).put(' ').decimal(kinship_of(proc_, pid).start_time);
    else
        text.put(pid == done_before ? "done 0" : "rest 0");
    text.put(' ').decimal(service.fingerprint);
    // Not truncated, but written over in one go: whenever we are killed, one of both stands there, and only the first line counts.
    if (const Opened file = os::openat(entry->host->state, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600); file.ok())
        (void)os::write_all(file.value().get(), text.put('\n').text());
}

/// Called by the process that is to become the service: nothing of it runs that is not written down. Until it is, our end is
/// its own.
void Pid1::remember_first(ServiceIndex index, pid_t supervisor_pid) const
{
    follow_launcher(true);
    if (::getppid() != supervisor_pid)
        ::_exit(1);
    remember(index, ::getpid());
    follow_launcher(false);
}

const ServicePast* Pid1::past_of(ServiceIndex index) const
{
    const PlanOffset past = plan.all_services()[index].past;
    return past == 0 ? nullptr : reinterpret_cast<const ServicePast*>(plan.text(past));
}

void Pid1::remember_past() const
{
    for (ServiceIndex index = 0; index < plan.service_count; index++) {
        const Service& service = supervisor.service(index);
        if (service.restarts == 0 && service.last.at == 0 && service.state != ServiceState::Ready)
            continue;
        const ServicePast past = past_now(service, plan.all_services()[index].fingerprint);
        char path[128] = {};
        Writer(path, sizeof path - 1).put("past.").put(service_name(index));
        if (const Opened file = os::openat(entry->host->state, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600); file.ok())
            (void)os::write_all(file.value().get(), {reinterpret_cast<const char*>(&past), sizeof past});
    }
}

/// A pipe with a name: who comes after us reads on. Until then the service is its own reader, so that it only waits where
/// the pipe is full.
Result<os::Pipe> Pid1::open_lasting(ServiceIndex index) const
{
    char path[128] = {};
    Writer(path, sizeof path - 1).put("out.").put(service_name(index));
    const int state = entry->host->state;
    if (auto made = os::mknodat(state, path, S_IFIFO | 0600, 0); !made.ok() && made.number() != EEXIST)
        return made.error();
    os::Pipe pipe;
    pipe.read = TRY(os::openat(state, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
    pipe.write = TRY(os::openat(state, path, O_RDWR | O_NOFOLLOW));
    return pipe;
}

/// `started`: see Kinship; 0: whoever it is by now. False: it has gone.
bool Pid1::watch_stranger(ServiceIndex index, pid_t pid, std::int64_t started)
{
    ServiceRuntime& runtime = runtimes[index];
    forget_stranger(index);
    Opened opened = os::pidfd_open(pid);
    // What is seen of it once the descriptor is open is true of whom that is for.
    runtime.stranger = kinship_of(proc_, pid).start_time;
    if (runtime.stranger == 0 || (started != 0 && started != runtime.stranger))
        return false;
    if (opened.ok() && os::watch(epoll, opened.value().get(), EPOLLIN, event_token(Source::Process, index)).ok())
        runtime.process = opened.value().release();
    else
        next_look_ = std::min(next_look_, now + look_interval);
    return true;
}

void Pid1::forget_stranger(ServiceIndex index)
{
    Fd(runtimes[index].process).reset();
    runtimes[index].process = -1;
    runtimes[index].stranger = 0;
}

/// Its main process; 0 where that was a stranger whose number is somebody else's by now.
pid_t Pid1::main_process(ServiceIndex index) const
{
    const pid_t pid = supervisor.service(index).pid;
    const std::int64_t stranger = runtimes[index].stranger;
    return stranger == 0 || kinship_of(proc_, pid).start_time == stranger ? pid : 0;
}

/// How it ended nobody tells us; but a container's PID 1 has written it down.
void Pid1::stranger_ended(ServiceIndex index, pid_t pid)
{
    int code = 1;
    char path[128] = {}, text[512];
    Writer(path, sizeof path - 1).put("../").put(service_name(index)).put("/exit");
    if (const auto record = os::read_small(entry->host->state, path, text);
        record.ok() && plan.all_services()[index].is_container && json::valid(record.value()))
        code = static_cast<int>(json::number(json::member(record.value(), "code")).value_or(code) & 0xff);
    hear_end({pid, CLD_EXITED, code});
}

void Pid1::hear_stranger(ServiceIndex index)
{
    const pid_t pid = supervisor.service(index).pid;
    if (pid > 0 && runtimes[index].process >= 0)
        stranger_ended(index, pid);
}

void Pid1::look_at_strangers()
{
    next_look_ = os::never;
    for (ServiceIndex index = 0; index < plan.service_count; index++) {
        const pid_t pid = supervisor.service(index).pid;
        const ServiceRuntime& runtime = runtimes[index];
        if (pid > 0 && runtime.stranger != 0 && runtime.process < 0 && !watch_stranger(index, pid, runtime.stranger))
            stranger_ended(index, pid);
    }
}

/// What a container leaves behind is cleared by a process of its own: it may take memory, and time.
void Pid1::clear_container() const
{
    const auto child = os::clone({});
    if (child.ok() && child.value() == 0) {
        os::restore_signals();
        entry->host->ended();
        ::_exit(0);
    }
}

/// One that is paused hears of its stop when it is thawed. Its journal tells whether it ever was.
void Pid1::thaw_container(ServiceIndex index) const
{
    char path[128] = {};
    Writer(path, sizeof path - 1).put("../").put(service_name(index)).put("/journal");
    const auto journal = os::read_small(entry->host->state, path, {scratch, Log::page});
    if (!journal.ok() || journal.value().find("\npaused ") == std::string_view::npos)
        return;
    const auto child = os::clone({});
    if (child.ok() && child.value() == 0) {
        os::restore_signals();
        entry->host->resume(service_name(index));
        ::_exit(0);
    }
}

void Pid1::ask_again()
{
    if (again_ == os::never) {
        char text[64];
        Writer message(text, sizeof text);
        (void)notify(message.compose("RELOADING=1\nMONOTONIC_USEC=%", os::monotonic_us()).text());
    }
    again_ = std::min(again_, now);
    next_look_ = std::min(next_look_, again_ + most_waited_for + 1);
}

/// Nothing is on its way that we alone know of. A container that is being started will be found by another launcher, but
/// not so well: it is waited for, unless there is always one.
bool Pid1::may_go_again() const
{
    const bool patient = now < again_ + most_waited_for;
    for (ServiceIndex index = 0; index < plan.service_count; index++) {
        const Service& service = supervisor.service(index);
        const bool starting =
            service.state == ServiceState::Starting && (patient || !plan.all_services()[index].is_container);
        if (starting || service.state == ServiceState::Stopping || service.task != Task::None)
            return false;
    }
    return !supervisor.closing();
}

}  // namespace vial
