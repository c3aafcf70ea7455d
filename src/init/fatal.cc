// SPDX-License-Identifier: MIT
#include "init/fatal.h"

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr std::int64_t time_to_read = 5000;  // milliseconds

/// On a stack of its own: ours may be what is wrong.
void end_here(int number)
{
    if (::getpid() != 1)
        ::_exit(128 + number);
    char buffer[96], scratch[16];
    Writer line(buffer, sizeof buffer);
    line.put("\nvial: the first process got SIG").put(signal_name(number, scratch));
    line.put("; the machine is started again in 5 s\n");
    Opened console = os::open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK);
    (void)os::write(console.ok() ? console.value().get() : STDERR_FILENO, buffer, line.text().size());
    os::sync();
    (void)os::poll({}, time_to_read);
    (void)os::reboot(LINUX_REBOOT_CMD_RESTART);
    ::_exit(128 + number);
}

}  // namespace

void survive_faults()
{
    constexpr std::size_t enough = 8192;
    static void* stack = os::map_memory(enough).value_or(nullptr);
    sigset_t all = os::every_signal();
    for (const int fault : faults) {
        os::on_fault(fault, end_here, {static_cast<char*>(stack), enough});
        ::sigdelset(&all, fault);
    }
    os::set_blocked(all);
}

}  // namespace vial
