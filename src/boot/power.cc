// SPDX-License-Identifier: MIT
#include "boot/power.h"

#include "base/directory.h"
#include "base/os.h"
#include "boot/console.h"
#include "kernel/mounts.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/reboot.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vial {

namespace {

constexpr std::int64_t term_patience = 3000;  // milliseconds
constexpr std::int64_t kill_patience = 2000;
constexpr std::int64_t unmount_patience = 30000;
constexpr int most_descriptors = 4096;
/// How a program answers that is asked whether it is one of ours.
constexpr int it_is_vial = 86;

/// Reaps until there is nobody left, for so many milliseconds at most.
bool await_children(std::int64_t patience, int watchdog)
{
    const std::int64_t deadline = os::boottime_ms() + patience;
    for (;;) {
        const auto ended = os::wait(0, WNOHANG);
        if (!ended.ok())
            return true;
        if (ended.value().pid != 0)
            continue;
        if (os::boottime_ms() >= deadline)
            return false;
        if (watchdog >= 0)
            (void)os::ioctl(watchdog, WDIOC_KEEPALIVE, std::uint64_t{0}, "feed the watchdog");
        (void)os::poll({}, 10);
    }
}

bool stays_mounted(std::string_view path)
{
    return path == "/" || path == "/proc" || path == "/sys" || path == "/dev";
}

bool is_in_memory(std::string_view type)
{
    for (const std::string_view each :
         {"proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "rootfs", "ramfs", "cgroup", "cgroup2"})
        if (type == each)
            return true;
    return false;
}

bool detach_loops()
{
    bool any = false;
    for (Text name : list_directory("/sys/block").value_or({})) {
        if (!name.starts_with("loop"))
            continue;
        const Opened device = os::open(compose("/dev/%", name).c_str(), O_RDONLY);
        if (device.ok() && os::ioctl(device.value().get(), LOOP_CLR_FD, std::uint64_t{0}, "detach").ok())
            any = true;
    }
    return any;
}

/// What lies on a loop device keeps the file system of its image busy, so there may be several turns; not without end, for of a
/// loop device that is in use the kernel says that it is detached, too.
void unmount_all(bool all_is_ours)
{
    constexpr int most_turns = 8;
    bool more = true;
    for (int turn = 0; more && turn < most_turns; ++turn) {
        more = false;
        const List<MountPoint> mounts = list_mounts().value_or({});
        for (std::size_t at = mounts.size(); at-- > 0;)
            if (!stays_mounted(mounts[at].path) && os::unmount(mounts[at].path.c_str(), 0).ok())
                more = true;
        if (all_is_ours && detach_loops())
            more = true;
    }
    const List<MountPoint> mounts = list_mounts().value_or({});
    for (std::size_t at = mounts.size(); all_is_ours && at-- > 0;) {
        if (is_in_memory(mounts[at].type))
            continue;
        const char* path = mounts[at].path.c_str();
        const auto done = os::mount(nullptr, path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
        if (!done.ok())
            say(Error(done.number(), "make read-only"_p, path));
    }
}

[[noreturn]] void finish(int power, int watchdog)
{
    const bool all_is_ours = owns_machine();
    // In a child, for it may hang in the kernel.
    const auto child = os::clone({});
    if (!child.ok() || child.value() == 0) {
        os::sync();
        unmount_all(all_is_ours);
        os::sync();
        if (child.ok())
            ::_exit(0);
    }
    if (!await_children(unmount_patience, watchdog))
        say("unmounting takes too long: going on without"_p);
    if (watchdog >= 0 && power != Reboot)
        (void)os::write(watchdog, "V", 1);
    constexpr unsigned commands[] = {LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF};
    const auto done = os::reboot(commands[power - Reboot]);
    if (!done.ok())
        say(done.error());
    ::_exit(1);
}

/// Executes the program that has taken the place of ours, if it is one of us. Comes back where there is no need, or it fails.
void hand_over(int power, int watchdog)
{
    constexpr std::string_view replaced = " (deleted)";
    const Text own = os::readlinkat(AT_FDCWD, "/proc/self/exe").value_or({});
    if (!own.ends_with(replaced))
        return;
    const Text path = own.substr(0, own.size() - replaced.size());
    const auto execute = [&](Text first, Text second) {
        char* const words[] = {const_cast<char*>(power_name), const_cast<char*>(first.c_str()),
                               const_cast<char*>(second.c_str()), nullptr};
        return os::execute(path.c_str(), words, ::environ);
    };
    const auto child = os::clone({});
    if (!child.ok())
        return;
    if (child.value() == 0) {
        (void)execute("0", "-1");
        ::_exit(1);
    }
    for (int turn = 0; turn < 100; ++turn) {
        const auto ended = os::wait(child.value(), WNOHANG);
        if (!ended.ok() || (ended.value().pid != 0 && ended.value().exit_code() != it_is_vial))
            return;
        if (ended.value().pid != 0) {
            if (watchdog >= 0)
                (void)os::keep_across_exec(watchdog);
            (void)execute(decimal(power), decimal(watchdog));
            return;
        }
        (void)os::poll({}, 10);
    }
    (void)os::kill(child.value(), SIGKILL);
}

}  // namespace

bool owns_machine()
{
    const auto space = os::readlinkat(AT_FDCWD, "/proc/self/ns/pid");
    if (space.ok())
        return space.value() == "pid:[4026531836]";  // PROC_PID_INIT_INO
    // Without /proc: there are threads of the kernel.
    constexpr pid_t kernel_threads = 2;
    return os::kill(kernel_threads, 0).ok();
}

void power_down(int power, int watchdog)
{
    say(power == Reboot ? "starting the machine again"_p : power == Halt ? "halting" : "switching off");
    (void)os::chdir("/");
    (void)os::kill(-1, SIGTERM);
    if (!await_children(term_patience, watchdog)) {
        say("some processes do not end: they are killed"_p);
        (void)os::kill(-1, SIGKILL);
        (void)await_children(kill_patience, watchdog);
    }
    for (int fd = 3; fd < most_descriptors; ++fd)
        if (fd != watchdog)
            Fd(fd).reset();
    hand_over(power, watchdog);
    finish(power, watchdog);
}

int go_on_powering_down(char** words)
{
    const auto number = [](const char* word) { return static_cast<int>(parse_number(word).value_or(-1)); };
    const int power = words[1] != nullptr && words[2] != nullptr ? number(words[1]) : -1;
    if (::getpid() != 1 || power < Reboot || power > PowerOff)
        return it_is_vial;
    finish(power, number(words[2]));
}

}  // namespace vial
