// SPDX-License-Identifier: MIT
//
// spawner [--group=DIRECTORY]... COUNT COMMAND [ARGUMENTS...]
//
// The least that supervising COUNT services can cost: one process that starts them, starts again what ended, and on
// SIGTERM ends them and then itself. No state, no output, no limits, no delay, no check that is not an error.
// With --group each service has a control group of its own in that directory, which stays.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most_services = 4096 };

static pid_t services[most_services];
static const char* groups[8];

// The child joins by writing 0: a pid written by another process waits for a grace period.
static void join(int index)
{
    for (const char* const* group = groups; *group; ++group) {
        char path[256];
        snprintf(path, sizeof path, "%s/s%d/cgroup.procs", *group, index);
        const int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
            _exit(125);
    }
}

// One is started soonest by vfork. Of many, each can execute its program while fork makes the next one.
static void start(int index, int of_many, char** command, const sigset_t* signals)
{
    const pid_t pid = of_many ? fork() : vfork();
    if (pid == 0) {
        sigprocmask(SIG_UNBLOCK, signals, NULL);
        join(index);
        execv(command[0], command);
        _exit(127);
    }
    services[index] = pid;
}

int main(int argc, char** argv)
{
    int group_count = 0;
    for (; argc > 1 && strncmp(argv[1], "--group=", 8) == 0 && group_count < 7; --argc, ++argv)
        groups[group_count++] = argv[1] + 8;
    const int count = argc > 2 ? atoi(argv[1]) : 0;
    if (count < 1 || count > most_services)
        return 2;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    for (int i = 0; i < group_count; ++i)
        mkdir(groups[i], 0755);
    for (int i = 0; i < count * group_count; ++i) {
        char path[256];
        snprintf(path, sizeof path, "%s/s%d", groups[i % group_count], i / group_count);
        mkdir(path, 0755);
    }
    for (int i = 0; i < count; ++i)
        start(i, 1, argv + 2, &signals);

    for (int left = count, stopping = 0; left > 0;) {
        if (sigwaitinfo(&signals, NULL) == SIGTERM) {
            stopping = 1;
            for (int i = 0; i < count; ++i)
                kill(services[i], SIGTERM);
        }
        for (pid_t gone; (gone = waitpid(-1, NULL, WNOHANG)) > 0;)
            for (int i = 0; i < count; ++i) {
                if (services[i] != gone)
                    continue;
                if (stopping)
                    --left;
                else
                    start(i, 0, argv + 2, &signals);
                break;
            }
    }
    return 0;
}
