// SPDX-License-Identifier: MIT
#include "base/events.h"
#include "base/os_call.h"

#include <cstring>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace vial::os {

// The linker's names for where the program's code begins and ends.
extern "C" {
extern const char __executable_start[];  // NOLINT(bugprone-reserved-identifier)
extern const char etext[];
}

namespace {

Result<void> control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t token)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    return done(CALL("epoll_ctl", ::epoll_ctl(epoll, operation, fd, &event)), "watch a descriptor");
}

}  // namespace

Result<Fd> epoll()
{
    return opened(CALL("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)), "make an event queue");
}

Result<void> watch(int epoll, int fd, std::uint32_t events, std::uint64_t token)
{
    return control(epoll, EPOLL_CTL_ADD, fd, events, token);
}

Result<void> rewatch(int epoll, int fd, std::uint32_t events, std::uint64_t token)
{
    return control(epoll, EPOLL_CTL_MOD, fd, events, token);
}

Result<void> unwatch(int epoll, int fd)
{
    return control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
}

Result<std::size_t> wait_events(int epoll, std::span<epoll_event> events, bool block)
{
    return counted(uninterrupted([&] {
                       return CALL("epoll_wait",
                                   ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), block ? -1 : 0));
                   }),
                   "wait for events");
}

Result<Fd> signal_descriptor(const sigset_t& signals)
{
    return opened(CALL("signalfd", ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)), "receive signals");
}

sigset_t every_signal()
{
    sigset_t all;
    std::memset(&all, 0xff, sizeof all);
    return all;
}

void block_signals()
{
    const sigset_t all = every_signal();
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

void reset_signal_actions()
{
    // Not through sigaction(3): a libc keeps a few numbers for itself, and somebody else's libc may have left those ignored.
    // All zeros is SIG_DFL without flags or mask, whatever the architecture's layout.
    const unsigned long standard[8] = {};
    constexpr unsigned long mask_size = (_NSIG - 1) / 8;
    for (int number = 1; number < _NSIG; number++)
        ::syscall(SYS_rt_sigaction, number, standard, nullptr, mask_size);  // KILL and STOP refuse, rightly
}

void restore_signals()
{
    reset_signal_actions();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Result<Fd> timer()
{
    return opened(CALL("timerfd_create", ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)), "make a timer");
}

Result<void> arm(int timer, std::int64_t at)
{
    itimerspec when{};
    if (at != never) {
        // All zero would disarm: what is long due is due at the clock's first nanosecond.
        if (at > 0) {
            when.it_value.tv_sec = static_cast<time_t>(at / 1000);
            when.it_value.tv_nsec = static_cast<long>(at % 1000) * 1'000'000;
        } else {
            when.it_value.tv_nsec = 1;
        }
    }
    return done(CALL("timerfd_settime", ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr)), "set a timer");
}

Result<void*> map_memory(std::size_t size)
{
    void* start = refused("mmap") ? MAP_FAILED
                                  : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return Error(errno, "reserve memory");
    return start;
}

void discard_memory(void* start, std::size_t size)
{
    ::madvise(start, size, MADV_DONTNEED);
}

void forget_code()
{
    // Only whole pages of code: behind them there may be data, which is not in the file.
    constexpr std::uintptr_t page = 4096;
    const std::uintptr_t start = reinterpret_cast<std::uintptr_t>(__executable_start) & ~(page - 1);
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(etext) & ~(page - 1);
    ::madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED);
}

}  // namespace vial::os
