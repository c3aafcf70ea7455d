// SPDX-License-Identifier: MIT
//
// spawner COUNT COMMAND [ARGUMENTS...]
//
// The least that supervising COUNT services can cost: one process that starts them, starts again what ended, and on
// SIGTERM ends them and then itself. No state, no output, no limits, no delay, no check that is not an error.

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most_services = 4096 };

static pid_t services[most_services];

// One is started soonest by vfork. Of many, each can execute its program while fork makes the next one.
static void start(int index, int of_many, char** command, const sigset_t* signals)
{
    const pid_t pid = of_many ? fork() : vfork();
    if (pid == 0) {
        sigprocmask(SIG_UNBLOCK, signals, NULL);
        execv(command[0], command);
        _exit(127);
    }
    services[index] = pid;
}

int main(int argc, char** argv)
{
    const int count = argc > 2 ? atoi(argv[1]) : 0;
    if (count < 1 || count > most_services)
        return 2;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
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
