// SPDX-License-Identifier: MIT
//
// loop COMMAND [ARGUMENTS...]
//
// The least a PID 1 can be: it starts one child, passes signals on to it and reaps whatever comes. What vial's PID 1
// needs beyond this memory is the price of supervision.

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv)
{
    if (argc < 2)
        return 2;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    const pid_t child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        execv(argv[1], argv + 1);
        _exit(127);
    }
    for (;;) {
        const int number = sigwaitinfo(&all, NULL);
        if (number != SIGCHLD) {
            if (number > 0)
                kill(child, number);
            continue;
        }
        for (int status;;) {
            const pid_t gone = waitpid(-1, &status, WNOHANG);
            if (gone <= 0)
                break;
            if (gone == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}
