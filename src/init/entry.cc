// SPDX-License-Identifier: MIT
#include "init/entry.h"

#include "base/events.h"
#include "base/features.h"
#include "base/os.h"
#include "base/text.h"
#include "init/fatal.h"
#include "init/init.h"
#include "init/peers.h"
#include "init/pid1.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr int own_failure = 125;
constexpr const char* oom_score_path = "/proc/self/oom_score_adj";

/// The plan of one service, or of none: made by hand, for the command is not told to anybody but to exec.
struct SmallPlan {
    Plan plan;
    PlanService service;
    ServicePolicy policy;
    char name[5];
};

SmallPlan small_plan(const Entry& entry)
{
    SmallPlan small{};
    Plan& plan = small.plan;
    plan.magic = Plan::expected_magic;
    plan.size = sizeof small;
    plan.container = offsetof(SmallPlan, name);
    plan.services = offsetof(SmallPlan, service);
    plan.service_count = entry.paused() ? 0 : 1;
    plan.channel = plan.control = plan.requests = plan.answers = plan.exit_file = -1;
    plan.flags = entry.log[0] < 0 ? std::uint32_t{PlanForeground} : 0U;
    std::memset(plan.stat, 0xff, sizeof plan.stat);
    PlanService& service = small.service;
    service.name = plan.container;
    service.policy = offsetof(SmallPlan, policy);
    std::memset(service.join, 0xff, sizeof service.join);
    service.kill_file = service.leaf_memory = service.leaf_cpu = service.leaf_events = service.leaf_tasks =
        service.terminal = -1;
    std::memcpy(small.name, "main", sizeof small.name);
    return small;
}

/// As PID 1 we are what is not to be chosen where memory runs out; our children are as they would have been. Only
/// with CAP_SYS_RESOURCE and a writable /proc.
void lower_oom_score(Entry& entry)
{
    Opened file = os::open(oom_score_path, O_RDWR);
    char before[sizeof entry.oom_score] = {};
    if (!file.ok() || !os::read(file.value().get(), before, sizeof before - 1).ok())
        return;
    if (os::write_all(file.value().get(), "-1000").ok())
        std::memcpy(entry.oom_score, before, sizeof before);
}

void ask_for_orphans(Entry& entry)
{
    if (entry.first)
        return;
    if (entry.subreaper) {
        auto asked = os::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, "become a subreaper"_p);
        if (asked.ok())
            return;
        char buffer[description_capacity];
        tell(entry, Level::Warning, "", describe(asked.error(), buffer, sizeof buffer));
        entry.subreaper = false;
    }
    // Whoever executed us may have been one, which the exec keeps.
    int is_subreaper = 0;
    (void)os::prctl(PR_GET_CHILD_SUBREAPER, reinterpret_cast<unsigned long>(&is_subreaper), 0, "look at ourselves"_p);
    if (is_subreaper == 0 && entry.peer->not_first)
        tell(entry, Level::Warning, entry.peer->not_first);
}

/// False: the parent is gone already. One in another PID namespace is 0 before and after, and tells us nothing.
bool follow_parent(const Entry& entry)
{
    if (entry.parent_death == 0)
        return true;
    const pid_t parent = ::getppid();
    const auto armed =
        os::prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(entry.parent_death), 0, "set the parent-death signal"_p);
    if (!armed.ok()) {
        char buffer[description_capacity];
        tell(entry, Level::Warning, "", describe(armed.error(), buffer, sizeof buffer));
    }
    return ::getppid() == parent;
}

/// The session that the command will make gets our terminal, so we let go of it. As a session's leader we are told with
/// HUP and CONT, sent by ourselves, which is how they are known (main_process.cc).
void leave_terminal(const Entry& entry)
{
    const auto left = os::ioctl(STDIN_FILENO, TIOCNOTTY, std::uint64_t{0}, "leave the terminal"_p);
    if (!left.ok())
        tell(entry, Level::Debug, "Unable to detach from controlling tty (errno=%)."_p, left.number());
}

/// Standard error is the command's as well, and so is whether writing to it blocks. Opened anew, where it is a pipe or a
/// terminal, that is for us alone to say. A file has to be left alone: opened anew it would be written from its beginning.
void open_error(Entry& entry)
{
    const auto status = os::fstat(STDERR_FILENO);
    if (!status.ok() || !(S_ISFIFO(status.value().st_mode) || os::is_terminal(STDERR_FILENO)))
        return;
    if (Opened anew = os::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY); anew.ok())
        entry.error = anew.value().release();
}

/// Writes a line of less than a page, if nobody has to be waited for: whoever reads it may have gone to sleep, and who
/// else writes to it may fill it at any moment.
void write_error(const Entry& entry, std::string_view line)
{
    if (entry.error >= 0) {
        (void)os::write(entry.error, line.data(), line.size());
        return;
    }
    if (os::send(STDERR_FILENO, line.data(), line.size(), -1, MSG_DONTWAIT).number() != ENOTSOCK)
        return;
    // A pipe that may not be opened anew: there is one call that can be told not to wait.
    if (const auto pipe = os::pipe(); pipe.ok() && os::write(pipe.value().write.get(), line.data(), line.size()).ok()) {
        const auto done = os::tee(pipe.value().read.get(), STDERR_FILENO, line.size());
        if (done.ok() || done.number() == EAGAIN || done.number() == EPIPE)
            return;
    }
    pollfd standard_error{STDERR_FILENO, POLLOUT, 0};
    const auto ready = os::poll({&standard_error, 1}, 0);
    if (ready.ok() && (standard_error.revents & POLLOUT) != 0)
        (void)os::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

int run_entry(Entry& entry)
{
    entry.blocked = os::block_signals();  // what came before is pending, and is heard once there is a loop
    entry.ignores_children = os::set_ignored(SIGCHLD, false);
    entry.first = ::getpid() == 1;
    os::occupy_standard();
    if (entry.command == nullptr)
        (void)os::close_inherited(std::max({entry.plan, entry.control, entry.control_directory, entry.requests,
                                            entry.answers, entry.log[0], entry.log[1], 2}));
    open_error(entry);

    ask_for_orphans(entry);
    const bool followed = follow_parent(entry);
    if (entry.first)
        lower_oom_score(entry);
    if (entry.command != nullptr && entry.standing == Standing::OwnSession)
        leave_terminal(entry);
    // What is sent to oneself is not passed on, so this one is sent by nobody.
    if (!followed)
        return 128 + entry.parent_death;

    // What init ignores, a service would: the command's alone is as it was.
    if (entry.command == nullptr)
        os::reset_signal_actions();
    if (built_with(Feature::Boot) && entry.host != nullptr && entry.host->first)
        survive_faults();
    const SmallPlan small = small_plan(entry);
    const Plan* plan = &small.plan;
    if (entry.plan >= 0) {
        auto mapped = map_plan(entry.plan);
        Fd(entry.plan).reset();
        if (!mapped.ok()) {
            char buffer[description_capacity];
            tell(entry, Level::Fatal, "", describe(mapped.error(), buffer, sizeof buffer));
            return own_failure;
        }
        plan = mapped.value();
        entry.plan_is_mapped = true;
    }
    auto code = supervise(*plan, &entry);
    if (code.ok())
        return code.value();
    char buffer[description_capacity];
    tell(entry, Level::Fatal, "", describe(code.error(), buffer, sizeof buffer));
    return own_failure;
}

// NOLINTNEXTLINE(cert-dcl50-cpp)
void tell_values(const Entry& entry, Level level, const char* pattern, values::Kinds kinds, ...)
{
    if (level > entry.level)
        return;
    char buffer[1024];
    Writer line(buffer, sizeof buffer - 1);
    bool named = false;
    for (const char* letter = entry.peer->prefix; *letter != '\0'; letter++) {
        if (*letter != '%')
            line.put(*letter);
        else if (named)
            line.decimal(::getpid());
        else
            line.put(entry.peer->levels[static_cast<unsigned>(level)]);
        named = named || *letter == '%';
    }
    std::va_list given;
    va_start(given, kinds);
    line.put_all(pattern, kinds, given);
    va_end(given);
    const std::size_t size = line.text().size();
    buffer[size] = '\n';
    write_error(entry, {buffer, size + 1});
}

}  // namespace vial
