// SPDX-License-Identifier: MIT
#include "boot/console.h"

#include "base/events.h"
#include "base/os.h"
#include "base/text.h"
#include "kernel/payload.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace vial {

namespace {

void write_line(std::string_view line)
{
    // A console that nobody reads must not stop the machine.
    pollfd console{STDERR_FILENO, POLLOUT, 0};
    const auto ready = os::poll({&console, 1}, 0);
    if (ready.ok() && (console.revents & POLLOUT) != 0)
        (void)os::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void tell_console(std::string_view name, const Service& service, ServiceState before, Milliseconds took,
                  std::string_view why)
{
    char buffer[256];
    Writer line(buffer, sizeof buffer - 1);
    if (service.state == ServiceState::Ready && before == ServiceState::Starting)
        line.put("[ ok ] ").put(name).put(' ').decimal(took).put(" ms");
    else if (service.state == ServiceState::Failed || service.state == ServiceState::Backoff)
        line.put("[fail] ")
            .put(name)
            .put(why.empty() ? "" : ": ")
            .put(why)
            .put(service.state == ServiceState::Backoff ? "; it will be started again" : "");
    else if (service.state == ServiceState::Stopped)
        line.put("[stop] ").put(name);
    else
        return;
    buffer[line.text().size()] = '\n';
    write_line({buffer, line.text().size() + 1});
}

void say(std::string_view line)
{
    char buffer[description_capacity + 16];
    Writer whole(buffer, sizeof buffer - 1);
    whole.put("vial: ").put(line);
    buffer[whole.text().size()] = '\n';
    write_line({buffer, whole.text().size() + 1});
}

void say(const Error& error)
{
    char buffer[description_capacity];
    say(describe(error, buffer, sizeof buffer));
}

int become_console(char** words)
{
    // /dev/console itself cannot be the terminal of a session: the last of those that it stands for can.
    Text name = "/dev/console";
    const Text active = os::read_file(AT_FDCWD, "/sys/class/tty/console/active").value_or({});
    std::string_view rest = active;
    for (std::string_view word; !(word = take_word(rest)).empty();)
        name = compose("/dev/%", word);
    (void)os::setsid();
    Opened terminal = os::open(name.c_str(), O_RDWR);
    if (!terminal.ok())
        terminal = os::open("/dev/console", O_RDWR);
    if (terminal.ok()) {
        for (int target = 0; target < 3; ++target)
            (void)os::duplicate_to(terminal.value().get(), target);
        (void)os::ioctl(STDIN_FILENO, TIOCSCTTY, std::uint64_t{1}, "make it the controlling terminal"_p);
    }
    os::set_blocked({});
    Payload payload{};
    payload.arguments = words;
    payload.environment = ::environ;
    const Error error = find_and_execute(payload);
    say(error);
    return static_cast<int>(error->exit);
}

}  // namespace vial
