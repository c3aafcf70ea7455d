// SPDX-License-Identifier: MIT

/// What signals to PID 1 mean. TERM and INT: stop everything in order. CHLD: look for the dead. All others that
/// somebody sent go to the services' main processes; those that the kernel made are ours alone to survive.

#include "base/os.h"
#include "base/text.h"
#include "init/entry.h"
#include "init/peers.h"
#include "init/pid1.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace vial {

namespace {

/// What the first process is told by a signal, as those of sysvinit and BusyBox are: INT is Ctrl-Alt-Del, PWR a power button
/// or a battery that is running out.
constexpr int power_of(int signal)
{
    return signal == SIGTERM || signal == SIGINT   ? Reboot
           : signal == SIGUSR1                     ? Halt
           : signal == SIGUSR2 || signal == SIGPWR ? PowerOff
                                                   : NoPower;
}

}  // namespace

void Pid1::hear_signals()
{
    // A few at a time; epoll says so if there are more.
    signalfd_siginfo signals[4];
    const auto got = os::read(signals_, signals, sizeof signals);
    const std::size_t count = got.ok() ? got.value() / sizeof signals[0] : 0;
    for (std::size_t i = 0; i < count; i++)
        hear_signal(static_cast<int>(signals[i].ssi_signo), signals[i].ssi_code,
                    static_cast<pid_t>(signals[i].ssi_pid));
}

VIAL_AT_REST void Pid1::wait_signal()
{
    siginfo_t signal;
    const int number = os::wait_signal(os::every_signal(), signal);
    if (number > 0)
        hear_signal(number, signal.si_code, signal.si_pid);
    else
        watches_signals_alone_ = false;  // a filter refuses this call; the other way to wait was tried at the start
}

void Pid1::hear_signal(int number, int code, pid_t sender)
{
    // Nobody sent it: one of our pipes has no reader any more, or a file of ours is as large as it may be.
    // To say so there would make the next one.
    if ((number == SIGPIPE || number == SIGXFSZ) && sender == ::getpid())
        return;
    if (!is_own() && entry->level == Level::Debug)
        tell(*entry, Level::Debug, "Received %signal %."_p,
             number == SIGCHLD && !entry->peer->term_at_end ? "SIGCHLD, " : "", number);
    if (number == SIGCHLD) {
        reap_again_ = true;
        return;
    }
    now = os::boottime_ms();
    if (!is_own() && entry->command != nullptr)
        pass_on(number, code, sender);
    else if (is_first() && power_of(number) != NoPower)
        end_machine(power_of(number));
    else if ((number == SIGTERM || number == SIGINT) && plan.service_count == 0 && !is_host() && !is_own())
        quit_ = 0;
    else if (number == SIGTERM || number == SIGINT)
        shut_down();
    else if (number == SIGHUP && is_host())
        ask_again();
    else if (code <= 0 && !is_host() && forward(number))
        forwarded++;
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
    const pid_t pid = main_process(index);
    return pid > 0 && os::kill(pid, signal).ok();
}

}  // namespace vial
