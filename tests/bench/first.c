// SPDX-License-Identifier: MIT
//
// The first process of the machine that tests/bench/device boots, /init: it notes the time and executes the init that is
// measured. A child of it looks on: it tells when as many services have come up as were asked for, and switches the machine
// off. Until then it sleeps, so it takes nothing from the init.
//
// From the kernel's command line, which the kernel makes our environment of:
//     bench=PROGRAM[,ARGUMENT]...   the init
//     services=COUNT                services that it is to start, each a payload
//     rest=SECONDS                  how long to count wakeups then; 0: not at all

#include "board.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>

static struct board* board;

static int number(const char* name)
{
    const char* value = getenv(name);
    return value ? atoi(value) : 0;
}

// What of /proc/PID/status stands behind `key`, or "".
static const char* field(const char* status, const char* key)
{
    const char* found = strstr(status, key);
    return found ? found + strlen(key) : "";
}

// How often the processes of the init and of its containers have given up the processor. Theirs are all but ours, the kernel's
// and the services, which have become `sleep`.
static long switches(int* processes)
{
    DIR* list = opendir("/proc");
    long sum = 0;
    *processes = 0;
    for (struct dirent* entry; list && (entry = readdir(list)) != NULL;) {
        char path[64], status[4096];
        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%.16s/status", entry->d_name);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t size = fd < 0 ? -1 : read(fd, status, sizeof status - 1);
        close(fd);
        if (size <= 0)
            continue;
        status[size] = 0;
        const int kernels = atoi(field(status, "\nPPid:")) == 2 || atoi(entry->d_name) == 2;
        if (kernels || strncmp(status, "Name:\tsleep\n", 12) == 0)
            continue;
        sum += atol(field(status, "\nvoluntary_ctxt_switches:"));
        ++*processes;
    }
    if (list)
        closedir(list);
    return sum;
}

static void look_on(uint32_t services, int idle)
{
    enum { patience = 60, settled = 5 };  // seconds
    if (!await(&board->stamped, services, now() + patience * INT64_C(1000000000))) {
        printf("measured %u of %u are up after %d s\n", atomic_load(&board->stamped), services, patience);
    } else {
        int64_t last = 0;
        for (uint32_t at = 0; at < services; ++at)
            last = board->stamps[at].time > last ? board->stamps[at].time : last;
        printf("measured up %.0f\n", (double)(last - board->begin) / 1000);
    }
    if (idle > 0) {
        int before = 0, after = 0;
        sleep(settled);
        const long from = switches(&before);
        sleep((unsigned)idle);
        const long to = switches(&after);
        if (before == after)
            printf("measured wakeups %ld of %d\n", to - from, after);
    }
    fflush(stdout);
    reboot(RB_POWER_OFF);
}

int main(void)
{
    char* words[8] = {strtok(getenv("bench"), ",")};
    for (size_t at = 1; at < 7 && (words[at] = strtok(NULL, ",")) != NULL; ++at) {
    }
    const int fd = open(BOARD_OF_MACHINE, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (words[0] == NULL || fd < 0 || ftruncate(fd, sizeof *board) != 0)
        return 1;
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED)
        return 1;
    atomic_store(&board->sleepers, 1);
    if (fork() == 0) {
        look_on((uint32_t)number("services"), number("rest"));
        return 1;
    }
    char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    board->begin = now();
    execve(words[0], words, environment);
    return 127;
}
