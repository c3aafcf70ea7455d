// SPDX-License-Identifier: MIT
#pragma once

/// The supervision engine: decides when each service is started, stopped, killed and started again, and when its
/// probes and hooks run. service.h tells by which rules.
///
/// It holds no process, descriptor or clock of its own, and knows no plan. Wishes and events go in, each with the time
/// at which it happened; what shall be done comes out through `ServiceActions`. So the same engine supervises
/// processes inside a container and containers at the host's boot, and a test drives it through every transition
/// with a clock that it moves by hand. Nothing here allocates or waits, and nothing but `outcome` looks at all services
/// where it is about one.
///
/// Actions are called from within the engine's own functions and must not call back into it.

#include "base/result.h"
#include "supervise/service.h"
#include "supervise/tables.h"

#include <span>

namespace vial {

/// What the engine cannot do itself.
class ServiceActions {
public:
    virtual const ServicePolicy& policy(ServiceIndex service) const = 0;
    /// Makes the main process, which is then on its way to its exec. An error: the kernel refused, try later.
    virtual Result<pid_t> start(ServiceIndex service) = 0;
    /// Sends the stop signal to the main process.
    virtual void send_stop(ServiceIndex service) = 0;
    /// Asks the main process to read its configuration again.
    virtual void send_reload(ServiceIndex service) = 0;
    /// Kills whatever there is of the service: main process, task, descendants, all its cgroup holds.
    virtual void kill(ServiceIndex service) = 0;
    /// Starts a probe or a hook, whose end is told by `task_ended`. 0: it needs no process. An error: not possible now.
    /// For the readiness of `Ready::PidFile` it returns the main process instead, or why that is not known yet.
    virtual Result<pid_t> start_task(ServiceIndex service, Task task) = 0;
    /// Kills the task's process. Of a task without one nothing is to be told afterwards.
    virtual void kill_task(ServiceIndex service) = 0;
    /// Its state is no longer `before`.
    virtual void changed(ServiceIndex service, ServiceState before) = 0;

protected:
    ~ServiceActions() = default;
};

/// The memory of an engine, the caller's, for as long as the engine lives.
struct ServiceTables {
    std::span<Service> services;
    std::span<std::uint32_t> heap, buckets;  ///< each as many as services, zeroed
    Dependencies needs;                      ///< what each service depends on; without a cycle
    Dependencies dependents;                 ///< the same, seen from the other end
};

class Supervisor {
public:
    /// How many processes one `advance` makes at most.
    static constexpr unsigned start_batch = 8;
    static constexpr Milliseconds kill_interval = 1000;

    Supervisor(const ServiceTables& tables, ServiceActions& actions);

    // Wishes. They never wait; `advance` carries them out. False: not possible, because everything is being stopped.
    bool start(ServiceIndex index, std::int64_t now);
    /// Starts one at once that runs already, whatever it depends on. It must never have been started.
    void resume(ServiceIndex index, std::int64_t now);
    /// What it was before: its restarts, and the delay of the next one. To be called for one that was started or resumed just now,
    /// and again where that was found to be ready.
    void recall(ServiceIndex index, const ServicePast& past, std::int64_t now);
    bool restart(ServiceIndex index, std::int64_t now);
    void stop(ServiceIndex index, std::int64_t now);
    /// False: it is not ready, so there is nobody to tell.
    bool reload(ServiceIndex index, std::int64_t now);
    void start_all(std::int64_t now);
    /// For good: nothing is started after this. In reverse order.
    void stop_all(std::int64_t now);
    /// Nothing could happen for so long: whatever is to happen does so that much later.
    void postpone(Milliseconds time);

    // Events.
    /// The exec of its main process went through.
    void started(ServiceIndex index, std::int64_t now);
    /// It says that it is ready, or that it will be again.
    void ready(ServiceIndex index, std::int64_t now);
    void reloading(ServiceIndex index, std::int64_t now);
    /// It says that its main process is another one from now on, which the caller has found to be its own.
    void adopt(ServiceIndex index, pid_t pid);
    /// Whether it may: a service that has been killed is not to go on in another process.
    bool may_hand_on(ServiceIndex index) const
    {
        return services_[index].state != ServiceState::Stopping || services_[index].step < StopStep::Killed;
    }
    /// Its main process has ended with code 0. True: it may go on in another, which its pid file will name.
    bool left(ServiceIndex index);
    /// Its main process has ended and was reaped; this is so also where its exec failed.
    void exited(ServiceIndex index, const Ending& ending, std::int64_t now);
    /// Its hook or probe has ended; `good`: with code 0.
    void task_ended(ServiceIndex index, bool good, std::int64_t now);

    /// Does what is due, and makes some of the processes whose turn it is. True: there are more; call again soon.
    bool advance(std::int64_t now);
    /// When `advance` has to be called at the latest; os::never: only after a wish or an event.
    std::int64_t deadline() const { return deadlines_.earliest(); }

    /// Nothing runs and nothing will.
    bool finished() const { return active_ == 0; }
    /// Everything is being stopped, for good.
    bool closing() const { return closing_; }

    /// The service that decides what the whole came to, once `finished`: the essential one that ended; the
    /// only one; among several the first that failed. Its `last` says how. Null: several, and none of them failed.
    const Service* outcome() const;

    std::span<const Service> services() const { return services_; }
    const Service& service(ServiceIndex index) const { return services_[index]; }
    /// What a failed service names as its reason: the one it requires, that has failed. Itself where there is none.
    ServiceIndex failed_requirement(ServiceIndex index) const;
    /// Whose process this is.
    PidTable::Owner find(pid_t pid) const { return pids_.find(pid); }
    ServiceIndex index_of(const Service& service) const
    {
        return static_cast<ServiceIndex>(&service - services_.data());
    }

private:
    static constexpr ServiceIndex none = UINT32_MAX;

    // wishes.cc
    void stop_one(ServiceIndex index, Afterwards then, std::int64_t now);

    // supervisor.cc: the life of a service.
    void begin_stop(ServiceIndex index, Afterwards then, Reason reason, std::int64_t now);
    void consider_start(ServiceIndex index, std::int64_t now);
    void launch(ServiceIndex index, std::int64_t now);
    void become_ready(ServiceIndex index, std::int64_t now);
    void judge(ServiceIndex index, Reason reason, std::int64_t now);
    void fail(ServiceIndex index, Reason reason, std::int64_t now);
    void decide(ServiceIndex index, std::int64_t now);
    static bool too_often(Service& service, const ServicePolicy& policy, std::int64_t now);
    void note_stability(ServiceIndex index, std::int64_t now);
    void conclude(ServiceIndex index, std::int64_t now);
    void signal(ServiceIndex index, std::int64_t now);
    void kill_rest(ServiceIndex index);
    void enter(ServiceIndex index, ServiceState state, std::int64_t now, std::int64_t deadline = os::never);

    // turns.cc: the queue, the neighbours, and what is due.
    void push(ServiceIndex index);
    void push_neighbours(ServiceIndex index, ServiceState before);
    void settle(ServiceIndex index, std::int64_t now);
    void spread_stop(ServiceIndex index, std::int64_t now);
    bool is_held(ServiceIndex index) const;
    void expire(ServiceIndex index, std::int64_t now);
    void expire_state(ServiceIndex index, std::int64_t now);
    void expire_task(ServiceIndex index, std::int64_t now);

    // turns.cc: tasks.
    enum class TaskResult : std::uint8_t { Good, Bad, NotTried };
    void want(ServiceIndex index, Task task);
    void cancel(ServiceIndex index, std::int64_t now);
    void begin_task(ServiceIndex index, std::int64_t now);
    void after_task(ServiceIndex index, Task task, TaskResult result, std::int64_t now);
    void schedule_probe(ServiceIndex index, std::int64_t now);

    /// To be called when anything has changed that decides over `is_active` or the deadlines.
    void touch(ServiceIndex index);

    std::span<Service> services_;
    ServiceActions& actions_;
    Dependencies needs_, dependents_;
    Deadlines deadlines_;
    PidTable pids_;
    std::uint32_t active_ = 0;  ///< services of which something runs or will
    std::uint32_t head_ = 0;    ///< of the queue, one too large: 0 is none
    std::uint32_t tail_ = 0;
    unsigned made_ = 0;  ///< processes in this `advance`
    ServiceIndex first_failed_ = none;
    ServiceIndex decisive_ = none;  ///< the essential service that ended
    bool closing_ = false;
};

}  // namespace vial
