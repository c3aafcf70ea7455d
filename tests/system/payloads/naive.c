// SPDX-License-Identifier: MIT
//
// naive [OPTIONS] -- COMMAND...
//
// A PID 1 to test the tests with: it takes the options of `vial init`, and does everything right but one thing, the
// one whose number in the project's list is in the environment as FAULT. A test of that number that does not fail
// with it tests nothing (pid1_can_fail.sh). Some faults have letters after the number: other ways to get the same
// thing wrong.
//
// Everything here is as simple as can be; it is no model for anything.

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const char* fault = "";
static int group, no_grace, verbose, subreaper, pause_mode, parent_death, clean;
static long grace = 10000;
static int rewritten[65], remapped[256];
static pid_t child;
static int child_status, child_ended;
static uint64_t given_mask, start_mask = ~0ULL;

static int wrong(const char* which)
{
    return !strcmp(fault, which);
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void mask(uint64_t which, uint64_t* before)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &which, before, 8);
}

static _Noreturn void usage(void)
{
    dprintf(wrong("13") ? 1 : 2, "usage: naive [OPTIONS] -- COMMAND\n");
    exit(wrong("13") ? 0 : 125);
}

static int signal_number(const char* word)
{
    return isdigit((unsigned char)*word) ? atoi(word) : !strcmp(word, "KILL") ? SIGKILL : SIGTERM;
}

static char** read_options(char** word)
{
    for (; *word && !strncmp(*word, "--", 2); word++) {
        if (!strcmp(*word, "--"))
            return word + 1;
        char* value = word[1] ? word[1] : "";
        if (!strcmp(*word, "--group")) {
            group = 1;
        } else if (!strcmp(*word, "--no-grace")) {
            no_grace = 1;
        } else if (!strcmp(*word, "--verbose")) {
            verbose = 1;
        } else if (!strcmp(*word, "--clean-signals")) {
            clean = 1;
        } else if (!strcmp(*word, "--subreaper")) {
            subreaper = 1;
        } else if (!strcmp(*word, "--pause")) {
            pause_mode = 1;
        } else if (!strcmp(*word, "--rewrite")) {
            const int from = atoi(value);
            rewritten[from] = atoi(strchr(value, ':') + 1);
            word++;
        } else if (!strcmp(*word, "--remap")) {
            const char* dash = strchr(value, '-');
            const int to = atoi(strchr(value, ':') + 1);
            for (int code = atoi(value); code <= (dash ? atoi(dash + 1) : atoi(value)); code++)
                remapped[code] = to;
            word++;
        } else if (!strcmp(*word, "--parent-death")) {
            parent_death = signal_number(value);
            word++;
        } else if (!strcmp(*word, "--grace")) {
            grace = strstr(value, "ms") ? atoi(value) : atoi(value) * 1000;
            word++;
        } else {
            usage();
        }
    }
    if (wrong("14"))
        for (char** option = word; *option; option++)
            if (!strcmp(*option, "--verbose"))
                usage();
    return word;
}

static void note(const char* what, long number)
{
    if (verbose)
        dprintf(wrong("12") ? 1 : 2, "naive: %s %ld\n", what, number);
}

static _Noreturn void run_child(char** command, int foreground, int chld_ignored)
{
    if (!wrong("25"))
        setpgid(0, 0);
    if (foreground && !wrong("26"))
        if (tcsetpgrp(0, getpid()) && wrong("7"))
            _exit(1);
    char number[16];
    const char* listen = getenv("LISTEN_PID");
    snprintf(number, sizeof number, "%d", getppid());
    if (listen && !strcmp(listen, number) && !wrong("10")) {
        snprintf(number, sizeof number, "%d", getpid());
        setenv("LISTEN_PID", number, 1);
    }
    if (chld_ignored)
        signal(SIGCHLD, SIG_IGN);
    if (wrong("2b") || clean)
        for (int i = 1; i < 32; i++)
            signal(i, SIG_DFL);
    mask(wrong("2")                               ? given_mask | 1U << (SIGTSTP - 1)
         : wrong("2a") || (clean && !wrong("2c")) ? 0
         : wrong("3")                             ? ~0ULL
                                                  : given_mask,
         NULL);
    if (wrong("8b"))
        for (int fd = 3; fd < 64; fd++)
            close(fd);
    execvp(command[0], command);
    const int code = errno == ENOENT ? 127 : 126;
    dprintf(2, "naive: %s: %s\n", command[0], strerror(errno));
    if (wrong("11b"))
        dprintf(2, "naive: giving up\n");
    _exit(wrong("11") ? 1 : code);
}

static void start(char** command)
{
    const struct timespec later = {0, 20000000};
    struct sigaction old;
    sigaction(SIGCHLD, NULL, &old);
    const int chld_ignored = old.sa_handler == SIG_IGN;
    if (!wrong("1"))
        signal(SIGCHLD, SIG_DFL);
    if (!wrong("29"))
        signal(SIGTTOU, SIG_IGN);
    const pid_t front = tcgetpgrp(0);
    const int foreground = wrong("30") ? front >= 0 : front == getpgrp();
    if (wrong("7") && front < 0)
        exit(1);
    if (wrong("6") && fcntl(0, F_GETFD) < 0)
        exit(1);
    if (wrong("5") || wrong("4"))
        mask(0, NULL);
    while ((child = fork()) < 0) {
        if (wrong("60"))
            exit(1);
        if (!wrong("60b"))
            dprintf(2, "naive: fork: %s\n", strerror(errno));
        nanosleep(&later, NULL);
    }
    if (child == 0) {
        signal(SIGTTOU, SIG_DFL);
        run_child(command, foreground, chld_ignored);
    }
    if (!wrong("25"))
        setpgid(child, child);
    if (!wrong("9"))
        if (chdir("/")) {
        }
    if (!wrong("8"))
        for (int fd = 3; fd < 64; fd++)
            close(fd);
    if (wrong("27") && foreground)
        ioctl(0, TIOCNOTTY);
    if (wrong("4"))
        nanosleep(&later, NULL);
    mask(start_mask, NULL);
}

static void reap(void)
{
    for (;;) {
        int status;
        const pid_t ended = waitpid(-1, &status, WNOHANG | (wrong("37") ? WUNTRACED : 0));
        if (ended <= 0)
            return;
        if (ended == child) {
            child_status = WIFSIGNALED(status) ? (wrong("34") ? 1 : 128 + WTERMSIG(status)) : WEXITSTATUS(status);
            if (wrong("33") && child_status >= 127)
                child_status = 1;
            child_ended = 1;
        }
        if (wrong("32") || (wrong("31") && ended % 2 == 0))
            return;
    }
}

static void forward(int number)
{
    int wanted = number;
    if (rewritten[number] >= 0) {
        wanted = rewritten[number];
        if (wrong("21") && wanted && rewritten[wanted] >= 0)
            wanted = rewritten[wanted];
        if (!wanted && wrong("21b"))
            wanted = number;
    }
    if (!wanted || (child_ended && !wrong("42")) || !child)
        return;
    if (wrong("15") && (wanted == SIGABRT || wanted == SIGFPE))
        return;
    if (wrong("16") && wanted > 32)
        return;
    note("forwards", wanted);
    const int stops = wanted == SIGTSTP || wanted == SIGTTIN || wanted == SIGTTOU;
    if (stops && wrong("28"))
        return;
    if (stops)
        wanted = SIGSTOP;
    if (group) {
        const int gone = kill(-child, wanted);
        if (gone && errno == ESRCH && wrong("18"))
            exit(1);
        // The main process may have left.
        if (!wrong("19") && getpgid(child) != child)
            kill(child, wanted);
        else if (wrong("19b"))
            kill(child, wanted);
    } else if (kill(child, wanted) && errno == EPERM && wrong("17")) {
        exit(1);
    }
    if (stops && getpid() != 1 && !wrong("28b"))
        raise(SIGSTOP);
}

static void kill_children(int number)
{
    if (getpid() == 1) {
        kill(-1, number);
        return;
    }
    char text[65536], path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    const int file = open(path, O_RDONLY);
    const ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    close(file);
    text[got > 0 ? got : 0] = 0;
    for (char* word = strtok(text, " "); word; word = strtok(NULL, " "))
        kill(atoi(word), number);
}

static int anybody(void)
{
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0) {
    }
    return getpid() == 1 ? kill(-1, 0) == 0 : waitpid(-1, &status, WNOHANG) == 0;
}

static void end_others(void)
{
    if (no_grace && !wrong("35c"))
        return;
    if (wrong("20") || wrong("35"))
        return;
    kill_children(SIGTERM);
    if (getpid() != 1)
        kill_children(SIGCONT);
    const long until = now() + grace;
    while (anybody() || wrong("36")) {
        siginfo_t information;
        struct timespec wait = {0, 5000000};
        sigset_t all;
        memset(&all, 0xff, sizeof all);
        if (now() >= until) {
            if (wrong("35b") || wrong("40"))
                for (;;)
                    pause();
            kill_children(SIGKILL);
            if (!wrong("36"))
                continue;
            return;
        }
        const int number = sigtimedwait(&all, &information, &wait);
        if (number > 0 && number != SIGCHLD)
            forward(number);
    }
}

static void fault_handler(int number)
{
    mask(0, NULL);
    kill(child, number);
    struct timespec wait = {0, 200000000};
    nanosleep(&wait, NULL);
    signal(number, SIG_DFL);
}

int main(int count, char** word)
{
    const pid_t parent = getppid();
    if (getenv("FAULT"))
        fault = getenv("FAULT");
    unsetenv("FAULT");
    (void)count;
    for (int i = 0; i < 65; i++)
        rewritten[i] = -1;
    for (int i = 0; i < 256; i++)
        remapped[i] = i;
    char** command = read_options(word + 1);
    if (!*command && !pause_mode)
        usage();
    mask(~0ULL, &given_mask);
    if (wrong("24b")) {
        signal(SIGSEGV, fault_handler);
        start_mask &= ~(1ULL << (SIGSEGV - 1));
    }
    if (wrong("29"))
        start_mask &= ~(1ULL << (SIGTTOU - 1));
    if (parent_death && !wrong("23a")) {
        prctl(PR_SET_PDEATHSIG, parent_death);
        if ((wrong("23b") ? getppid() == 0 : getppid() != parent) && !wrong("23c"))
            return 128 + parent_death;
    }
    if (subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1)) {
        if (!wrong("46b"))
            dprintf(2, "naive: cannot become a subreaper: %s\n", strerror(errno));
        if (wrong("46"))
            return 1;
    }
    if (!subreaper && getpid() != 1 && !wrong("46c"))
        dprintf(2, "naive: not PID 1 and no subreaper: orphans are not reaped\n");
    if (pause_mode)
        signal(SIGCHLD, SIG_DFL);
    else
        start(command);
    for (;;) {
        sigset_t all;
        memset(&all, 0xff, sizeof all);
        siginfo_t information;
        const struct timespec second = {1, 0};
        const int number = sigtimedwait(&all, &information, wrong("59") ? &second : NULL);
        if (number < 0)
            continue;
        if (number == SIGCHLD) {
            if (wrong("38") && information.si_code <= 0)
                return 1;
            if (wrong("24") && information.si_code <= 0)
                kill(child, SIGCHLD);
            if (pause_mode && wrong("39"))
                continue;
            if (wrong("37") && information.si_code == CLD_STOPPED)
                return 1;
            reap();
            if (child_ended)
                break;
        } else if (pause_mode) {
            if (number == SIGTERM || number == SIGINT)
                return wrong("39b") ? 128 + number : 0;
        } else if (information.si_code <= 0 || wrong("27")) {
            forward(number);
        }
    }
    end_others();
    return wrong("22") && child_status > 127 ? child_status : remapped[child_status];
}
