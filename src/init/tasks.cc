// SPDX-License-Identifier: MIT

/// Hooks and probes: programs of a service beside its main process, as its user and in its cgroup leaf. What they write
/// goes where the service's output goes.

#include "base/os.h"
#include "base/text.h"
#include "init/pid1.h"
#include "init/spawn.h"
#include "kernel/payload.h"

#include <unistd.h>

namespace vial {

Result<pid_t> Pid1::start_task(ServiceIndex index, Task task)
{
    if (task == Task::Readiness && policy(index).ready == Ready::Tcp)
        return begin_connect(index);
    if (task == Task::Readiness && policy(index).ready == Ready::PidFile)
        return find_main(index);
    auto pid = os::clone({});
    if (pid.failed()) {
        char buffer[description_capacity];
        note(index, "", describe(pid.error(), buffer, sizeof buffer));
    } else if (pid.value() == 0) {
        const PlanCommand& command = plan.commands(plan.all_services()[index].tasks)[command_index(task)];
        const auto joined = join_leaf(plan, plan.all_services()[index]);
        const ServiceProgram program{command.arguments, command.argument_count};
        const Error error = joined.ok() ? execute(index, program, runtimes[index].output_write, true) : joined.error();
        char buffer[description_capacity];
        const std::string_view text = describe(error, buffer, sizeof buffer);
        (void)os::write(2, text.data(), text.size());
        (void)os::write(2, "\n", 1);
        ::_exit(exec_exit_code(error));
    }
    return pid;
}

void Pid1::kill_task(ServiceIndex index)
{
    const pid_t pid = supervisor.service(index).task_pid;
    if (pid == 0)
        return end_readiness(index);
    // The leader of a group, unless it is still on its way there.
    (void)os::kill(-pid, SIGKILL);
    (void)os::kill(pid, SIGKILL);
}

/// What became of a hook or a health probe, where that was not good. A readiness probe fails as a matter of course.
void Pid1::task_exited(ServiceIndex index, int code)
{
    constexpr std::string_view names[] = {"", "", "the health probe", "on_start", "on_stop", "on_failure", ""};
    const Service& service = supervisor.service(index);
    const std::string_view name = names[static_cast<unsigned>(service.task)];
    if (code != 0 && !name.empty()) {
        if (service.overdue)
            note(index, "% took too long, and was killed"_p, name);
        else
            note(index, "% exited with code %"_p, name, code);
    }
    supervisor.task_ended(index, code == 0, now);
}

}  // namespace vial
