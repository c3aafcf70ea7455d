// SPDX-License-Identifier: MIT

/// What signals to PID 1 mean. TERM and INT: stop everything in order. CHLD: look for the dead. All others that
/// somebody sent go to the services' main processes; those that the kernel made are ours alone to survive.

#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/pid1.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace vial {

void Pid1::hear_signals()
{
    // A few at a time; epoll says so if there are more.
    signalfd_siginfo signals[4];
    const auto got = os::read(signals_, signals, sizeof signals);
    const std::size_t count = got.ok() ? got.value() / sizeof signals[0] : 0;
    for (std::size_t i = 0; i < count; i++) {
        const int number = static_cast<int>(signals[i].ssi_signo);
        if (entry != nullptr && entry->level == Level::Debug)
            tell(*entry, Level::Debug, {"Received signal ", Decimal(number), "."});
        if (number == SIGCHLD)
            reap_again_ = true;
        else if (number == SIGPIPE && signals[i].ssi_pid == static_cast<std::uint32_t>(::getpid()))
            continue;  // nobody sent it: one of our pipes has no reader any more
        else if (entry != nullptr && entry->command != nullptr)
            pass_on(signals[i]);
        else if ((number == SIGTERM || number == SIGINT) && plan.service_count == 0)
            quit_ = 0;
        else if (number == SIGTERM || number == SIGINT)
            supervisor.stop_all(now);
        else if (signals[i].ssi_code <= 0 && forward(number))
            forwarded++;
    }
}

bool Pid1::forward(int signal) const
{
    bool any = false;
    for (ServiceIndex index = 0; index < runtimes.size(); index++)
        any |= forward(signal, index);
    return any;
}

bool Pid1::forward(int signal, ServiceIndex index) const
{
    const pid_t pid = supervisor.service(index).pid;
    return pid > 0 && os::kill(pid, signal).ok();
}

}  // namespace vial
