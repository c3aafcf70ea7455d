// SPDX-License-Identifier: MIT
#pragma once

/// What PID 1 is made of, and the rules it lives by. For the files of this folder only.
///
/// One process, one wait. Everything that happens comes out of one epoll_wait; nothing else ever blocks, but for the sixth
/// of a millisecond in which a flood of orphans gathers; and while nothing happens nothing wakes it: there is one timer,
/// armed for the next deadline or not at all. Each event is served in bounded steps, so that neither a flood of orphans, of
/// output or of requests keeps the others waiting.
///
/// All memory is taken before the first service starts (`Pid1::open`), the tables sized by the plan. The heap is not
/// used at all.
///
/// Processes are known by plain pid. That is safe because only PID 1 reaps in here: a pid is free for another
/// only after `reap` has seen its end, and in the same step the service forgets it.

#include "base/fd.h"
#include "base/features.h"
#include "base/os.h"
#include "init/control.h"
#include "init/event_ring.h"
#include "init/log.h"
#include "init/stats.h"
#include "spec/plan.h"
#include "supervise/supervisor.h"

#include <string_view>
#include <sys/resource.h>
#include <sys/signalfd.h>

namespace vial {

struct Entry;

/// Runs the plan's services in this process, which is PID 1, to the end. `entry`: null in a container of vial's own.
Result<int> supervise(const Plan& plan, const Entry* entry);
/// Signals every process in an open list of pids, each with a space or newline behind it. True: there was one.
bool signal_listed(int list, int signal);
/// All in the process group of one that has not been reaped yet, whose number is nobody else's by that.
void kill_group(pid_t pid);
/// The command's is again as init's was.
void restore_oom_score(const Entry& entry);

/// Who waits for a process's end, and whose it is. Nobody's: there is no such process.
struct Kinship {
    std::int64_t parent = 0;
    std::int64_t start_time = 0;  ///< clock ticks since boot
    uid_t user = 0;
};
/// `proc`: an open /proc. Nobody may have put anything in its files' place that has to be waited for.
Kinship kinship_of(int proc, pid_t pid);

/// A service's descriptors, all -1 or owned by the table, which lives as long as the process.
struct ServiceRuntime {
    int output_read = -1;  ///< what the service writes; kept over restarts, so nothing said at the end is lost
    int output_write = -1;
    int exec_report = -1;         ///< while Starting: closed by the exec, or says why there was none
    int lent[3] = {-1, -1, -1};   ///< to the process that is being started: see `Pid1::start`
    int readiness = -1;           ///< see readiness.cc
    pid_t next_main = 0;          ///< who takes over when its main process ends; 0: nobody
    int refusal = 0;              ///< the errno with which the kernel refused its last start
    std::uint32_t oom_kills = 0;  ///< of its leaf, as far as they were seen
    std::uint32_t begun = 0;      ///< when its last start was; the lower 32 bits of milliseconds
    int process = -1;           ///< host: a pidfd of a main process that is no child of ours, where the kernel has them
    std::int64_t stranger = 0;  ///< host: when such a one began; see Kinship
    bool was_running = false;   ///< host: the main process that was there before us has been taken over
};

/// Who an event is from: the upper half of its token; the lower is a service or a client.
enum class Source : std::uint32_t {
    Signals,
    Timer,
    Channel,
    Listener,
    Client,
    ExecReport,
    Output,
    Readiness,
    Process,
    Limits
};

constexpr std::uint64_t event_token(Source source, std::uint32_t index = 0)
{
    return static_cast<std::uint64_t>(source) << 32 | index;
}

struct ServiceProgram;

class Pid1 final : public ServiceActions {
public:
    Pid1(const Plan& plan, const ServiceTables& tables, std::span<ServiceRuntime> runtimes);

    /// Takes all that is needed until the end: memory, descriptors, privileges. `pages`: one for the log, then
    /// those of the control clients.
    Result<void> open(char* pages);
    /// The exit code.
    int run();
    void listen(bool more);

    // spawn.cc: ServiceActions, and what becomes of a start.
    const ServicePolicy& policy(ServiceIndex index) const override;
    Result<pid_t> start(ServiceIndex index) override;
    void send_stop(ServiceIndex index) override;
    void send_reload(ServiceIndex index) override;
    void kill(ServiceIndex index) override;
    void changed(ServiceIndex index, ServiceState before) override;
    /// `gone`: its process has been reaped already.
    void hear_exec_report(ServiceIndex index, bool gone);

    // tasks.cc
    Result<pid_t> start_task(ServiceIndex index, Task task) override;
    void kill_task(ServiceIndex index) override;
    void task_exited(ServiceIndex index, int code);

    // readiness.cc
    /// Takes away what was made for services in the file system.
    void clear_away() const;
    void hear_readiness(ServiceIndex index);
    /// Its main process has ended; true: it has named another, which it has now.
    bool goes_on(ServiceIndex index);

    // reap.cc. True: there may be more to reap.
    bool reap();
    void hear_end(const os::Exited& exited);

    // limit_events.cc
    void watch_limits();
    void watch_limits_again();
    void hear_limits();
    /// Tells of those that were hit since the last look. True: there were such.
    bool look_at_limits();

    // pause.cc
    /// All but us is being frozen: nothing is started, and nobody's time passes, until `resume`.
    void pause();
    void resume();
    bool is_paused() const { return paused_ != 0; }

    // signals.cc
    void hear_signals();
    void wait_signal();
    /// All services have ended, and none will be started again.
    bool is_over() const;
    /// To every main process; true where there was one.
    bool forward(int signal) const;
    bool forward(int signal, ServiceIndex index) const;

    // adopt.cc: what runs already where a host's supervisor begins.
    void begin_host();
    Result<pid_t> take_over(ServiceIndex index);
    void taken_over(ServiceIndex index);
    void remember(ServiceIndex index, pid_t pid) const;
    void remember_first(ServiceIndex index, pid_t supervisor_pid) const;
    void remember_past() const;
    const ServicePast* past_of(ServiceIndex index) const;
    bool watch_stranger(ServiceIndex index, pid_t pid, std::int64_t started);
    void forget_stranger(ServiceIndex index);
    pid_t main_process(ServiceIndex index) const;
    void hear_stranger(ServiceIndex index);
    void stranger_ended(ServiceIndex index, pid_t pid);
    void look_at_strangers();
    void clear_container() const;
    void thaw_container(ServiceIndex index) const;
    /// Asks for another one of us, which begins with what the specs say by then.
    void ask_again();
    bool may_go_again() const;

    // notify.cc
    void report();

    // power.cc: the machine's first process.
    bool is_first() const;
    /// Stops everything, so that `run` returns `power`. The first that is asked for counts.
    void end_machine(int power);
    void feed_watchdog();
    /// True: its start is wished for.
    bool needs_emergency();

    // end.cc
    /// Somebody wishes it to end.
    void shut_down();
    /// Nothing runs any more: tells the world and the processes that are left. True: there are none.
    bool begin_end();
    bool end_is_over();

    // main_process.cc: what is different in somebody else's container.
    const Entry* entry = nullptr;  ///< null: it is one of vial's own
    void let_go(pid_t pid);

    // What control.cc and stats.cc tell about.
    const Plan& plan;
    const std::span<ServiceRuntime> runtimes;
    Supervisor supervisor;
    Log log;
    EventRing events;
    Control control;
    std::int64_t now = 0;  ///< of this turn of the loop; milliseconds of CLOCK_BOOTTIME
    std::int64_t started_at = 0;
    std::uint64_t reaped = 0;     ///< orphans
    std::uint64_t forwarded = 0;  ///< signals
    char* scratch = nullptr;      ///< a page for whoever needs one until it calls another; the log's, too
    bool shut = false;            ///< see `shut_down`
    int epoll = -1;
    int interfaces = -1;  ///< /proc/self/net/dev

    std::string_view service_name(ServiceIndex index) const { return plan.text(plan.all_services()[index].name); }
    /// Services' output is not kept.
    bool is_host() const { return built_with(Feature::Boot) && has_host(); }
    /// It is one of vial's own.
    bool is_own() const { return !(built_with(Feature::Init) || built_with(Feature::Boot)) || entry == nullptr; }
    bool foreground() const { return (plan.flags & PlanForeground) != 0; }
    /// Remarks on a service, for its log: what `compose` would make.
    template <typename... Values>
    [[gnu::always_inline]] void note(ServiceIndex index, Phrase pattern, const Values&... given)
    {
        note_values(index, pattern.kept(), values::kinds_of<Values...>(), values::pass(given)...);
    }

private:
    static constexpr Milliseconds most_patience = 20;

    bool has_host() const;
    Result<void> open_entry(char* pages);
    Result<void> open_events();
    Result<void> open_outputs();
    Result<void> open_output(ServiceIndex index);
    Result<os::Pipe> open_lasting(ServiceIndex index) const;
    void dispatch(std::uint64_t token);
    bool hear_output(ServiceIndex index);
    void drain_outputs();
    void take_back(ServiceIndex index);
    /// So many are on their way to their exec that the next ones wait for them; for a while, since one may hang there.
    bool is_crowded() const
    {
        return reports_ + launchers_ >= Supervisor::start_batch && now < last_start_ + most_patience;
    }
    void settle(ServiceIndex index, int code, std::string_view failure);
    void note_values(ServiceIndex index, const char* pattern, values::Kinds kinds, ...);
    void say(char letter, std::string_view text) const;
    void tell_launcher();
    [[noreturn]] void become(ServiceIndex index);
    Error execute(ServiceIndex index, const ServiceProgram& program, int output, bool is_task);
    Result<void> open_notify_socket(ServiceIndex index);
    Result<Fd> begin_readiness(ServiceIndex index);
    Result<std::size_t> take_message(ServiceIndex index, std::span<char> text);
    void end_readiness(ServiceIndex index);
    Result<pid_t> begin_connect(ServiceIndex index);
    Result<pid_t> find_main(ServiceIndex index);
    int is_connected(ServiceIndex index, int socket) const;
    void hear_word(ServiceIndex index, std::string_view key, std::string_view value);
    void hear_main(ServiceIndex index, std::int64_t number);
    void gather();
    [[noreturn]] void become_main(int report);
    void hear_signal(int number, int code, pid_t sender);
    void pass_on(int number, int code, pid_t sender);
    void pass_on(int number);
    void pass_on_held();
    void tell_reaped(const os::Exited& exited, bool main) const;
    bool signal_rest(int number);
    bool end_of_main();
    Ending ending_of(ServiceIndex index, int code, int signal);

    int signals_ = -1;
    int timer_ = -1;
    int null_ = -1;
    int proc_ = -1;             ///< /proc as it was before anything ran in here
    int own_descriptors_ = -1;  ///< /proc/self/fd
    int notify_parent_ = -1;    ///< /dev, where there are sockets of `notify`
    int notify_ = -1;           ///< their directory
    bool made_notify_ = false;  ///< it is ours
    int channel_;
    rlimit file_size_{}, descriptors_{};  ///< what services get back
    std::int64_t armed_ = os::never;
    std::int64_t last_start_ = 0;
    std::uint32_t reports_ = 0;           ///< execs that are still to be heard of
    std::uint32_t launchers_ = 0;         ///< host: containers that are being started
    std::int64_t next_look_ = os::never;  ///< at those
    int power_ = 0;                       ///< what the first process is to end in
    std::int64_t power_deadline_ = os::never;
    std::int64_t next_feed_ = 0;      ///< of the watchdog
    std::int64_t again_ = os::never;  ///< when it was asked for
    bool unreported_ = true;          ///< a service's state has changed since `report`
    bool may_share_ = false;          ///< a child of ours can get descriptors of its own
    bool told_ = false;               ///< the launcher knows that the services run
    std::int64_t seen_hits_[limit_kinds] = {}, quiet_until_[limit_kinds] = {};  ///< of each limit
    std::int64_t limits_again_ = os::never;                                     ///< when they are watched again
    std::int64_t limits_seen_ = 0;                                              ///< when they were looked at last
    std::int64_t paused_ = 0;                                                   ///< since when; 0: it is not
    std::uint64_t held_ = 0;  ///< signals that came before the main process's exec
    pid_t main_group_ = 0;    ///< whose leader the main process was; 0: it has not been started yet
    int quit_ = -1;           ///< the exit code, where PID 1 shall end at once and everything with it
    unsigned in_a_row_ = 0;   ///< looks that found nothing but orphans
    bool reap_again_ = true;
    bool watches_signals_alone_ = false;
    bool many_pages_ = false;  ///< of code that is not needed now have come in
    bool ending_ = false;
    int end_code_ = 0;
    std::int64_t end_deadline_ = os::never;  ///< the next look
    std::int64_t end_kill_ = os::never;      ///< when patience is over
};

}  // namespace vial
