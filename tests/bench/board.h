// SPDX-License-Identifier: MIT
//
// What the measuring program (measure.c) and the services it measures (payload.c) share: one file on tmpfs, mapped by
// both. A time is written by the process it is about, so neither its reader's wakeup nor a scan of /proc is part of it.
// Times are nanoseconds of CLOCK_MONOTONIC, the same in every container.

#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BOARD_PATH "/run/board"    // in every container
#define BOARD_OF_MACHINE "/board"  // where there is a first process, which may mount its own /run

enum { most_stamps = 8192 };

struct stamp {
    int64_t time;
    int32_t pid;  // in the PID namespace of the container
};

struct board {
    int64_t begin;                     // when the supervisor was executed
    int64_t answer;                    // when the signal handler ran
    _Atomic(uint32_t) claimed;         // stamps begun ...
    _Atomic(uint32_t) stamped;         // ... and finished; a futex, like the two below
    _Atomic(uint32_t) sleepers;        // services are to become BusyBox's sleep once they are up
    _Atomic(uint32_t) go;              // how many orphans to make: 0 until they are wanted
    _Atomic(uint32_t) answers;         // signals handled, or bursts of orphans done
    struct stamp stamps[most_stamps];  // one for each time a service came up
};

static inline int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// From <linux/futex.h>, which musl-gcc does not see. The board is shared between processes: not the private kind.
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1 };

static inline void post(_Atomic(uint32_t)* word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

// Waits until the word is at least `value`; `deadline` is on the clock of now(). Returns 0 when that passed first.
static inline int await(_Atomic(uint32_t)* word, uint32_t value, int64_t deadline)
{
    for (;;) {
        const uint32_t seen = atomic_load(word);
        if (seen >= value)
            return 1;
        const int64_t left = deadline - now();
        if (left <= 0)
            return 0;
        const struct timespec timeout = {left / 1000000000, left % 1000000000};
        syscall(SYS_futex, word, FUTEX_WAIT, seen, &timeout, NULL, 0);
    }
}

#endif
