// SPDX-License-Identifier: MIT
#include "base/events.h"
#include "base/os_call.h"

#include <climits>
#include <cstring>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

constexpr std::size_t mask_size = _NSIG / 8;  ///< of the kernel's set of signals; the libcs' sets are longer

Result<void> control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t token)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    static constexpr Call call{"watch a descriptor"_p, SYS_epoll_ctl};
    return tell(call, epoll, operation, fd, &event);
}

/// Not by sigprocmask(3), which hides what a libc keeps for itself. Returns the mask before.
sigset_t set_mask(int how, const sigset_t& blocked)
{
    static constexpr Call call{nullptr, SYS_rt_sigprocmask};
    sigset_t before{};
    (void)tell(call, how, &blocked, &before, mask_size);
    return before;
}

}  // namespace

Result<Fd> epoll()
{
    static constexpr Call call{"make an event queue"_p, SYS_epoll_create1};
    return opened(call, EPOLL_CLOEXEC);
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

VIAL_AT_REST Result<std::size_t> wait_events(int epoll, std::span<epoll_event> events, int timeout)
{
    static constexpr Call call{"wait for events", SYS_epoll_pwait, 0, true};
    return ask(call, epoll, events.data(), static_cast<int>(events.size()), timeout, nullptr);
}

Result<Fd> signal_descriptor(const sigset_t& signals)
{
    static constexpr Call call{"receive signals"_p, SYS_signalfd4};
    return opened(call, -1, &signals, mask_size, SFD_CLOEXEC | SFD_NONBLOCK);
}

VIAL_AT_REST int wait_signal(const sigset_t& signals, siginfo_t& signal, long nanoseconds)
{
    static constexpr Call call{nullptr, SYS_rt_sigtimedwait, 0, true};
    const long time[] = {0, nanoseconds};
    const auto got = ask(call, &signals, &signal, nanoseconds < 0 ? nullptr : time, mask_size);
    return got.ok() ? static_cast<int>(got.value()) : 0;
}

unsigned long timer_slack()
{
    static constexpr Call call{nullptr, SYS_prctl};
    return ask(call, PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL).value_or(ULONG_MAX);
}

sigset_t every_signal()
{
    sigset_t all;
    std::memset(&all, 0xff, sizeof all);
    return all;
}

sigset_t block_signals(const sigset_t& signals)
{
    return set_mask(SIG_BLOCK, signals);
}

void set_blocked(const sigset_t& signals)
{
    set_mask(SIG_SETMASK, signals);
}

bool set_ignored(int signal, bool ignored)
{
    // Not through sigaction(3): a libc keeps a few numbers for itself, and somebody else's libc may have left those ignored.
    // In the kernel's own structure the handler stands first, or behind the flags; all other words are zero.
#ifdef __mips__
    constexpr int handler = 1;
#else
    constexpr int handler = 0;
#endif
    static_assert(SIG_DFL == nullptr);
    unsigned long action[8] = {}, before[8] = {};
    action[handler] = ignored ? reinterpret_cast<unsigned long>(SIG_IGN) : 0;
    static constexpr Call call{nullptr, SYS_rt_sigaction};
    (void)tell(call, signal, action, before, mask_size);
    return before[handler] == reinterpret_cast<unsigned long>(SIG_IGN);
}

void on_fault(int signal, void (*handler)(int), std::span<char> stack)
{
    // As above. One of the machines wants to be told where a handler returns to, even if it never does.
    constexpr unsigned long flags = SA_ONSTACK | static_cast<unsigned long>(SA_RESETHAND) |
#ifdef __x86_64__
                                    0x04000000;  // SA_RESTORER
#else
                                    0;
#endif
#ifdef __mips__
    const unsigned long action[8] = {flags, reinterpret_cast<unsigned long>(handler)};
#else
    const unsigned long action[8] = {reinterpret_cast<unsigned long>(handler), flags};
#endif
    stack_t aside{};
    aside.ss_sp = stack.data();
    aside.ss_size = stack.size();
    static constexpr Call set_stack{nullptr, SYS_sigaltstack}, call{nullptr, SYS_rt_sigaction};
    (void)tell(set_stack, &aside, nullptr);
    (void)tell(call, signal, action, nullptr, mask_size);
}

void reset_signal_actions()
{
    for (int number = 1; number < _NSIG; number++)
        set_ignored(number, false);  // KILL and STOP refuse, rightly
}

void restore_signals()
{
    reset_signal_actions();
    set_blocked({});
}

Result<Fd> timer()
{
    static constexpr Call call{"make a timer"_p, SYS_timerfd_create};
    return opened(call, CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
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
    static constexpr Call call{"set a timer"_p, SYS_timerfd_settime};
    if constexpr (kernel_words)
        return tell(call, timer, TFD_TIMER_ABSTIME, &when, nullptr);
    TRY(ask_library(call, "", [&] { return ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr); }));
    return {};
}

void sleep(long nanoseconds)
{
    static constexpr Call call{nullptr, SYS_nanosleep};
    const long time[] = {0, nanoseconds};
    (void)tell(call, time, nullptr);
}

Result<void*> map_memory(std::size_t size)
{
    void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return Error(errno, "reserve memory"_p);
    return start;
}

VIAL_AT_REST void discard_memory(void* start, std::size_t size)
{
    static constexpr Call call{nullptr, SYS_madvise};
    (void)tell(call, start, size, MADV_DONTNEED);
}

// Never a part of its caller, whose frame lies deeper than it begins.
VIAL_AT_REST [[gnu::noinline]] void forget_past()
{
    // Only whole pages of code: behind them there may be data, which is not in the file.
    constexpr std::uintptr_t page = 4096;
    const std::uintptr_t start = reinterpret_cast<std::uintptr_t>(__executable_start) & ~(page - 1);
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(etext) & ~(page - 1);
    discard_memory(reinterpret_cast<void*>(start), end - start);
    // Nothing lies so close below a stack but room for it to grow. This function and those that it calls need far less than
    // `ours` themselves.
    constexpr std::uintptr_t ours = 1024, depth = 128U << 10;
    const std::uintptr_t top = (reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - ours) & ~(page - 1);
    discard_memory(reinterpret_cast<void*>(top - depth), depth);
}

}  // namespace vial::os
