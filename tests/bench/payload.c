// SPDX-License-Identifier: MIT
//
// payload [NAME]
//
// The service that the supervisors of tests/bench/pid1 keep: it writes onto the board that it is up, and executes
// BusyBox's sleep. Without that, if the board says so, it answers every SIGUSR1 with the time at which the handler
// ran, and leaves as many orphans as it is told, as fast as it can.
//
// The name tells services apart, for supervisors that take equal commands for one service.
//
// An orphan costs two vfork: the middle process waits until the last one has ended, then ends itself, and PID 1
// inherits a process to reap. None of them copies an address space.

#include "board.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct board* board;

static void answer(int number)
{
    (void)number;
    board->answer = now();
    post(&board->answers);
}

static void make_orphans(uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        const pid_t middle = vfork();
        if (middle == 0) {
            if (vfork() >= 0)  // in the last process, and then in the middle one
                _exit(0);
            _exit(1);
        }
        if (middle < 0)
            _exit(1);
        waitpid(middle, NULL, 0);
    }
}

int main(void)
{
    int fd = open(BOARD_PATH, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fd = open(BOARD_OF_MACHINE, O_RDWR | O_CLOEXEC);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || board == MAP_FAILED)
        return 1;
    close(fd);
    const struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);

    struct stamp* stamp = &board->stamps[atomic_fetch_add(&board->claimed, 1) % most_stamps];
    stamp->pid = getpid();
    stamp->time = now();
    post(&board->stamped);

    if (atomic_load(&board->sleepers))
        execl("/bin/sleep", "sleep", "1000000", (char*)NULL);
    if (await(&board->go, 1, INT64_MAX)) {
        make_orphans(atomic_load(&board->go));
        post(&board->answers);
    }
    for (;;)
        pause();
}
