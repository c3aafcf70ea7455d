// SPDX-License-Identifier: MIT
#include "init/spawn.h"

#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/pid1.h"
#include "init/stats.h"
#include "kernel/payload.h"
#include "supervise/channel.h"
#include "supervise/delays.h"

#include <algorithm>
#include <fcntl.h>
#include <linux/sched.h>
#include <unistd.h>

namespace vial {

namespace {

/// Fills `pointers` with what `list` refers to, and the null that ends it.
char** collect(const Plan& plan, std::span<const PlanOffset> list, char** pointers)
{
    for (const PlanOffset offset : list)
        *pointers++ = const_cast<char*>(plan.text(offset));
    *pointers = nullptr;
    return pointers + 1;
}

}  // namespace

Result<void> join_leaf(const Plan& plan, const PlanService& service)
{
    for (const int leaf : service.join) {
        if (leaf < 0)
            continue;
        if (auto written = os::write(leaf, "0", 1); !written.ok())
            return written.error().as("join the cgroup of service"_p, plan.text(service.name));
    }
    return {};
}

Error become_service(const Plan& plan, const PlanService& service, const ServiceProgram& program,
                     StandardDescriptors standard)
{
    // The kernel's own limit on arguments and environment is lower than this for any pointers worth having.
    constexpr std::uint32_t most_pointers = 256 * 1024;
    if (program.argument_count > most_pointers || service.environment_count > most_pointers)
        return Error(E2BIG, "execute", plan.text(service.name));
    const std::size_t count = std::size_t{program.argument_count} + service.environment_count + plan.rule_count + 3;
    char** pointers = static_cast<char**>(__builtin_alloca(count * sizeof(char*)));
    char** environment = collect(plan, plan.list(program.arguments, program.argument_count), pointers);
    char** rules = collect(plan, plan.list(service.environment, service.environment_count), environment);
    collect(plan, plan.list(plan.landlock, plan.rule_count), rules);

    Payload payload{};
    payload.arguments = pointers;
    payload.environment = environment;
    payload.directory = plan.text(service.directory);
    payload.identity.user = service.user;
    payload.identity.group = service.group;
    payload.identity.groups = plan.list(service.groups, service.group_count);
    payload.identity.capabilities = plan.capabilities;
    payload.identity.ambient = plan.ambient;
    payload.umask = service.umask;
    payload.limits = plan.all_limits();
    payload.identity.no_new_privileges = (plan.flags & PlanNoNewPrivileges) != 0;
    payload.identity.seccomp = (plan.flags & PlanSeccomp) != 0;
    payload.identity.filter = plan.all_of_filter();
    payload.identity.landlock = {rules, plan.rule_count};
    // Of an ordinary user, who cannot become anybody else, `user = 0` is nothing but the default.
    const std::uint32_t own = ::geteuid();
    payload.keep_identity = (plan.flags & PlanInside) != 0 && (service.user == own || service.user == 0) &&
                            (own != 0 || service.group == 0);
    payload.terminal = program.terminal;
    payload.passed = program.passed;
    payload.passed_as = program.passed_as;
    for (std::size_t i = 0; i < 3; i++)
        payload.standard[i] = standard[i];

    // It also unblocks the signals: a stop signal that came since the fork ends us as it would end the program.
    return execute_payload(payload);
}

int become_only_service(const Plan& plan)
{
    const PlanService& service = plan.all_services()[0];
    const auto joined = join_leaf(plan, service);
    const Error error =
        joined.ok() ? become_service(plan, service, main_program(service), plan.standard) : joined.error();
    char message[channel_message];
    message[0] = static_cast<char>(ChannelLetter::ServiceFailed);
    const std::string_view text = describe(error, message + 1, sizeof message - 1);
    (void)os::send(plan.channel, message, 1 + text.size(), -1, MSG_DONTWAIT | MSG_NOSIGNAL);
    return exec_exit_code(error);
}

const ServicePolicy& Pid1::policy(ServiceIndex index) const
{
    return plan.policy(plan.all_services()[index]);
}

/// Forks. Whether the exec goes through is heard on a pipe that only the child can write to: the exec closes it,
/// a failure writes one message to it, the exit code and why.
///
/// A thousand services whose output is kept have ten thousand descriptors, which fork would copy for each child and the exec
/// would close, at ten times the cost of everything else. So the child shares ours until it has joined its leaf, and then
/// takes along only the lowest. What it needs of them is lent to it there, and taken back when it writes that it has its
/// own: an empty message, a NUL.
Result<pid_t> Pid1::start(ServiceIndex index)
{
    const bool main = !is_own() && entry->command != nullptr;
    ServiceRuntime& runtime = runtimes[index];
    if (is_host()) {
        if (auto opened = open_output(index); opened.failed()) {
            char buffer[description_capacity];
            note(index, "%; trying again"_p, describe(opened.error(), buffer, sizeof buffer));
            return opened.error();
        }
    }
    if (plan.all_services()[index].running != 0 && !runtime.was_running)
        return take_over(index);
    const bool shared = runtime.output_write >= 0 && !main && may_share_;
    last_start_ = now;
    runtime.begun = static_cast<std::uint32_t>(now);
    auto attempt = [&]() -> Result<pid_t> {
        os::Pipe report = TRY(os::pipe());
        TRY(os::set_nonblocking(report.read.get()));
        TRY(os::watch(epoll, report.read.get(), EPOLLIN, event_token(Source::ExecReport, index)));
        Fd said = TRY(begin_readiness(index));
        Fd output;
        os::CloneArguments arguments;
        if (shared) {
            output = TRY(os::duplicate(runtime.output_write));
            arguments.flags = CLONE_FILES;
        }
        // If the fork fails, closing the only copy of the descriptor ends the watch.
        const pid_t own = ::getpid();
        const pid_t pid = TRY(os::clone(arguments));
        runtime.lent[0] = report.write.release();
        runtime.lent[1] = output.release();
        runtime.lent[2] = said.release();
        if (pid == 0 && is_host())
            remember_first(index, own);
        if (pid == 0)
            main ? become_main(runtime.lent[0]) : become(index);
        runtime.exec_report = report.read.release();
        reports_++;
        if (!shared)
            take_back(index);
        if (main)
            let_go(pid);
        return pid;
    };
    auto pid = attempt();
    if (!pid.ok()) {
        char buffer[description_capacity];
        const std::string_view why = describe(pid.error(), buffer, sizeof buffer);
        note(index, "%; trying again"_p, why);
        if (!is_own() && (main || tells_refusal(supervisor.service(index).refusals) || pid.number() != runtime.refusal))
            tell(*entry, Level::Warning, "%%%; trying again"_p, main ? "" : service_name(index), main ? "" : ": ", why);
    }
    runtime.refusal = pid.number();
    return pid;
}

void Pid1::take_back(ServiceIndex index)
{
    for (int& lent : runtimes[index].lent) {
        Fd(lent).reset();
        lent = -1;
    }
}

/// `output`: where the service writes to, unless that is the launcher's.
Error Pid1::execute(ServiceIndex index, const ServiceProgram& program, int output, bool is_task)
{
    if (!is_own())
        restore_oom_score(*entry);
    else
        (void)os::setrlimit(RLIMIT_FSIZE, file_size_);
    (void)os::setrlimit(RLIMIT_NOFILE, descriptors_);
    const PlanService& service = plan.all_services()[index];
    std::int32_t standard[3] = {null_, output, output};
    for (std::size_t i = is_task ? 1 : 0; i < 3 && (foreground() || service.is_container); i++)
        standard[i] = service.terminal >= 0 ? service.terminal : plan.standard[i];
    return become_service(plan, service, program, standard);
}

void Pid1::become(ServiceIndex index)
{
    const PlanService& service = plan.all_services()[index];
    auto [report, output, said] = runtimes[index].lent;
    ServiceProgram program = main_program(service);
    auto prepared = join_leaf(plan, service);
    if (output < 0)
        output = runtimes[index].output_write;
    else {
        if (prepared.ok())
            prepared = os::own_descriptors(std::max({report, output, said, null_}) + 1);
        // What is lent to others that are starting, too: they would not be heard of before our exec.
        for (int fd = 3; fd < std::max({report, output, said, null_}) && prepared.ok(); fd++)
            if (fd != report && fd != output && fd != said && fd != null_)
                Fd(fd).reset();
        // Where that cannot be said, PID 1 keeps its copy of the report, and would never hear of the exec.
        const char parted = '\0';
        if (prepared.ok())
            prepared = os::write_all(report, {&parted, 1});
    }
    if (said >= 0 && prepared.ok()) {
        // Both must be out of the way of the number that the program will find the one under.
        program.passed_as = policy(index).ready_number;
        Opened moved = os::duplicate(report, program.passed_as + 1);
        if (moved.ok())
            report = moved.value().release();
        if (moved.ok())
            moved = os::duplicate(said, program.passed_as + 1);
        // The service may have fewer than we have.
        if (moved.ok() && static_cast<rlim_t>(program.passed_as) < descriptors_.rlim_cur)
            program.passed = moved.value().release();
        else
            prepared = Error(EMFILE, "make room for the descriptor that ready = \"fd\" takes"_p);
    }
    const Error error = prepared.ok() ? execute(index, program, output, false) : prepared.error();
    // Words, not the Error itself: its pointers would be believed by a process that trusts nobody.
    char message[1 + description_capacity];
    const int code = exec_exit_code(error);
    message[0] = static_cast<char>(code);
    const std::string_view text = describe(error, message + 1, sizeof message - 1);
    (void)os::write(report, message, 1 + text.size());
    ::_exit(code);
}

void Pid1::hear_exec_report(ServiceIndex index, bool gone)
{
    ServiceRuntime& runtime = runtimes[index];
    if (runtime.exec_report < 0)
        return;
    char message[1 + description_capacity];
    const auto got = os::read(runtime.exec_report, message, sizeof message);
    if (got.number() == EAGAIN && !gone)
        return;
    take_back(index);
    std::string_view said(message, got.ok() ? got.value() : 0);
    if (said.starts_with('\0')) {
        said.remove_prefix(1);
        if (said.empty() && !gone)
            return;
    }
    // A child that failed still holds a copy until it has ended: closing ours would not end the watch.
    (void)os::unwatch(epoll, runtime.exec_report);
    Fd(runtime.exec_report).reset();
    runtime.exec_report = -1;
    reports_--;

    if (said.size() < 2) {
        // Of one that has ended already, its end says all; its pid may be another's by now.
        if (!gone) {
            supervisor.started(index, now);
            taken_over(index);
        }
        settle(index, 0, {});
        if (gone)
            held_ = 0;
        else
            pass_on_held();
        return;
    }
    const std::string_view failure = slice(said, 1);
    note(index, "", failure);
    settle(index, static_cast<unsigned char>(said[0]), failure);
}

/// How a start went. While the launcher waits, a first start that fails is its to hear of: there is no container then.
void Pid1::settle(ServiceIndex index, int code, std::string_view failure)
{
    if (told_ || code == 0 || quit_ >= 0)
        return;
    char buffer[channel_message];
    Writer text(buffer, sizeof buffer);
    if (plan.service_count > 1)
        text.compose("%: ", service_name(index));
    text.put(failure);
    if (!is_own())
        tell(*entry, Level::Fatal, "", text.text());
    else
        say(static_cast<char>(ChannelLetter::ServiceFailed), text.text());
    quit_ = code;
}

/// Whether a service has not got any process yet, for the kernel refused.
bool was_refused(const Service& service)
{
    return service.refusals > 0 && service.last.at == 0;
}

/// Tells the launcher, once, that all services run that can: the others wait for what they depend on.
void Pid1::tell_launcher()
{
    const std::span<const Service> services = supervisor.services();
    if (quit_ >= 0)
        return;
    for (const Service& service : services) {
        if (was_refused(service))
            return;
    }
    told_ = true;
    many_pages_ = true;
    if (!is_own())
        return;
    if (!foreground())
        follow_launcher(false);
    say(static_cast<char>(ChannelLetter::Running), {});
    if (!foreground()) {
        (void)os::unwatch(epoll, channel_);
        Fd(channel_).reset();
        channel_ = -1;
    }
}

void Pid1::send_reload(ServiceIndex index)
{
    (void)forward(policy(index).reload_signal, index);
}

void Pid1::send_stop(ServiceIndex index)
{
    (void)forward(policy(index).stop_signal, index);
    if (is_host() && plan.all_services()[index].is_container)
        thaw_container(index);
}

bool signal_listed(int list, int signal)
{
    bool found = false;
    char buffer[512];
    pid_t pid = 0;
    for (;;) {
        const auto got = os::read(list, buffer, sizeof buffer);
        if (!got.ok() || got.value() == 0)
            return found;
        for (const char letter : std::string_view(buffer, got.value())) {
            if (letter >= '0' && letter <= '9') {
                pid = pid * 10 + (letter - '0');
                continue;
            }
            // 0 stands for a process of another PID namespace, 1 for us.
            if (pid > 1 && os::kill(pid, signal).ok())
                found = true;
            pid = 0;
        }
    }
}

void kill_group(pid_t pid)
{
    // Each service is the leader of a session and so of a group; one that was adopted is in the group of those before it.
    // Who is still on the way there is in ours.
    if (const pid_t group = ::getpgid(pid); group > 1 && group != ::getpgrp())
        (void)os::kill(-group, SIGKILL);
}

void Pid1::kill(ServiceIndex index)
{
    const PlanService& service = plan.all_services()[index];
    if (const pid_t pid = main_process(index); pid > 0) {
        kill_group(pid);
        (void)os::kill(pid, SIGKILL);
    }
    if (service.kill_file >= 0 && os::pwrite(service.kill_file, "1", 1, 0).ok())
        return;
    if (service.join[0] < 0)
        return;

    // What is written to to join a leaf lists who is in it. Who forks faster than we read is met again in the next round;
    // who wins eight of them is met by the next kill, or by the end of PID 1. Version 1 keeps the list it once made for as
    // long as an open file is used again and again: so it is opened anew for each round.
    char number[16] = {};
    Writer(number, sizeof number - 1).decimal(service.join[0]);
    for (int round = 0; round < 8; round++) {
        const Opened list = os::openat(own_descriptors_, number, O_RDONLY | O_NONBLOCK);
        if (!list.ok() || !signal_listed(list.value().get(), SIGKILL))
            return;
    }
}

void Pid1::changed(ServiceIndex index, ServiceState before)
{
    const Service& service = supervisor.service(index);
    events.changed(index, service, before);
    unreported_ = true;
    if (is_host() && plan.all_services()[index].is_container) {
        launchers_ += service.state == ServiceState::Starting ? 1U : 0U;
        launchers_ -= before == ServiceState::Starting ? 1U : 0U;
    }
    const bool failed = service.state == ServiceState::Failed;
    const bool again = service.state == ServiceState::Backoff || service.state == ServiceState::Waiting;
    const bool ran = before == ServiceState::Starting || before == ServiceState::Ready ||
                     before == ServiceState::Reloading ||
                     (before == ServiceState::Stopping && service.reason != Reason::None);
    char text[128];
    Writer why(text, sizeof text);
    put_reason(*this, index, why);
    // Who could not start for another's sake may when that one can.
    if ((service.state == ServiceState::Stopped || failed) && service.reason != Reason::Requirement)
        remember(index, 0);
    else if (service.state == ServiceState::Ready && before == ServiceState::Starting && service.pid == 0)
        remember(index, done_before);
    else if (service.state == ServiceState::Ready && plan.all_services()[index].pid_file != 0)
        remember(index, service.pid);
    if (is_host())
        entry->host->changed(service_name(index), service, before,
                             static_cast<std::uint32_t>(now) - runtimes[index].begun, why.text());
    if (!ran || service.pid != 0 || (!again && !failed)) {
        if (failed)
            note(index, "", why.text());
        return;
    }
    if (service.reason > Reason::Ended)
        note(index, "", why.text());
    const Ending& last = service.last;
    const char* const outlook = again ? "; it will be started again" : "";
    char digits[16];
    if (last.signal != 0)
        note(index, "killed by SIG%%%", signal_name(last.signal, digits), last.oom ? ", out of memory" : "", outlook);
    else
        note(index, "exited with code %%", last.code, outlook);
}

}  // namespace vial
