// SPDX-License-Identifier: MIT
//
// witness WORD...
//
// A main process (or an orphan) that says what happens to it. It does what the words say, one after the other:
//   name TEXT     puts `TEXT: ` before all that it says
//   uid N         becomes that user, and no other
//   session       begins a session of its own; the group it was in is left
//   regroup       goes into another process group of the session
//   orphans N     makes N orphans that end as fast as they can be made, and says `made`
//   uninterruptible   is in uninterruptible sleep from now on, until it is killed
//   recycle PID   waits until the process PID is gone, and goes on as the next process of that number
//   left          says how many other processes there are, zombies not counted
//   death         says its parent-death signal
//   signals       says `set`, and then `got N` for each signal that comes. Does what the lines of its input say:
//                 `exit N` ends it, `raise N` lets it die of a signal, and anything else is said again
//   reboot N      reboots the machine, or what it takes for that; with 1 switches it off
//   exit N        ends
//
// witness outer COMMAND...
//
// The first process of a namespace in which the program under test is another: runs COMMAND and ends with its code.
// Says `stray` when an orphan comes to it, and at the end `left behind` when there still is any process but itself.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* name = "";

static void say(const char* what, long number)
{
    char line[256];
    const int length = number < 0 ? snprintf(line, sizeof line, "%s%s\n", name, what)
                                  : snprintf(line, sizeof line, "%s%s %ld\n", name, what, number);
    if (write(1, line, (size_t)length) != length)
        _exit(99);
}

static _Noreturn void fail(const char* what)
{
    dprintf(2, "witness: %s: %s\n", what, strerror(errno));
    exit(98);
}

static void pause_ms(long milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int state_of(const char* pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    const int file = open(path, O_RDONLY);
    const ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    close(file);
    if (got <= 0)
        return 0;
    text[got] = 0;
    const char* end = strrchr(text, ')');
    return end ? end[2] : 0;
}

static int others(void)
{
    int count = 0;
    DIR* all = opendir("/proc");
    for (struct dirent* one; all && (one = readdir(all));) {
        if (one->d_name[0] < '1' || one->d_name[0] > '9' || atoi(one->d_name) == getpid())
            continue;
        const int state = state_of(one->d_name);
        count += state && state != 'Z' && state != 'X';
    }
    closedir(all);
    return count;
}

static void regroup(void)
{
    int done[2];
    if (pipe(done))
        fail("pipe");
    const pid_t leader = fork();
    if (leader == 0) {
        char byte;
        close(done[1]);
        if (read(done[0], &byte, 1)) {
        }
        _exit(0);
    }
    close(done[0]);
    if (setpgid(leader, leader) || setpgid(0, leader))
        fail("setpgid");
    close(done[1]);
    waitpid(leader, NULL, 0);
}

static void session(void)
{
    if (getpgrp() == getpid())
        regroup();
    if (setsid() < 0)
        fail("setsid");
}

// Each of the parents leaves a crowd of zombies at once.
static void orphans(long count)
{
    for (volatile long made = 0; made < count;) {
        const pid_t parent = fork();
        if (parent < 0)
            fail("fork");
        if (parent == 0) {
            for (long i = 0; i < 500 && made + i < count; i++) {
                const pid_t child = vfork();
                if (child == 0)
                    _exit(0);
                if (child < 0)
                    _exit(1);
            }
            _exit(0);
        }
        int status;
        if (waitpid(parent, &status, 0) != parent || status)
            fail("cannot make orphans");
        made += 500;
    }
    say("made", -1);
}

// Who called vfork sleeps like that as long as the child neither ends nor executes anything.
static _Noreturn void uninterruptible(void)
{
    say("asleep", -1);
    const pid_t child = vfork();
    if (child == 0) {
        uint64_t all = ~UINT64_C(0);
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
        for (;;)
            pause();
    }
    fail("vfork");
}

static void recycle(pid_t pid)
{
    while (kill(pid, 0) == 0 || errno != ESRCH)
        pause_ms(1);
    for (;;) {
        const int file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
        if (file < 0 || dprintf(file, "%d", pid - 1) < 0)
            fail("ns_last_pid");
        close(file);
        const pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0 && getpid() == pid)
            return;
        if (child == 0)
            _exit(0);
        int status = 0;
        waitpid(child, &status, 0);
        if (child == pid)
            exit(WEXITSTATUS(status));
    }
}

static void obey(char* line)
{
    if (!strncmp(line, "exit ", 5))
        exit(atoi(line + 5));
    if (!strncmp(line, "raise ", 6)) {
        const int number = atoi(line + 6);
        const uint64_t none = 0;
        // Not the C library's: it refuses the signals that it uses itself.
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
        signal(number, SIG_DFL);
        kill(getpid(), number);
        pause();
    }
    say(line, -1);
}

static _Noreturn void signals(void)
{
    // signalfd(2) would do; but a plain call needs no headers of the kernel's, and takes the signals in the same order.
    const uint64_t all = ~UINT64_C(0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
    const int file = (int)syscall(SYS_signalfd4, -1, &all, 8, O_CLOEXEC);
    if (file < 0)
        fail("signalfd");
    say("set", -1);
    char input[256];
    size_t length = 0;
    struct pollfd sources[2] = {{file, POLLIN, 0}, {0, POLLIN, 0}};
    for (;;) {
        if (poll(sources, 2, -1) < 0)
            fail("poll");
        if (sources[0].revents) {
            struct {
                uint32_t number;
                char rest[124];
            } information;
            if (read(file, &information, sizeof information) != sizeof information)
                fail("signalfd");
            say("got", information.number);
        }
        if (sources[1].revents) {
            const ssize_t got = read(0, input + length, sizeof input - 1 - length);
            if (got <= 0) {
                sources[1].fd = -1;
                continue;
            }
            input[length += (size_t)got] = 0;
            for (char* end; (end = strchr(input, '\n'));) {
                *end = 0;
                obey(input);
                length -= (size_t)(end + 1 - input);
                memmove(input, end + 1, length + 1);
            }
        }
    }
}

static _Noreturn void outer(char** command)
{
    sigset_t all;
    sigfillset(&all);
    sigset_t before;
    sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t child = fork();
    if (child == 0) {
        // A job as a shell makes it: a group of its own, in the foreground. Only such a group can be stopped by
        // the terminal; an orphaned one, as the session's first, is not.
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        sigprocmask(SIG_SETMASK, &before, NULL);
        execvp(command[0], command);
        fail(command[0]);
    }
    // What the program under test was given and closed counts as closed.
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    int status, code = 97;
    for (pid_t ended; (ended = wait(&status)) != child;) {
        if (ended < 0)
            fail("wait");
        say("stray", -1);
    }
    code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (others())
        say("left behind", -1);
    exit(code);
}

int main(int count, char** word)
{
    static char prefix[64];
    if (count > 2 && !strcmp(word[1], "outer"))
        outer(word + 2);
    for (int at = 1; at < count; at++) {
        char* argument = at + 1 < count ? word[at + 1] : "";
        if (!strcmp(word[at], "name")) {
            snprintf(prefix, sizeof prefix, "%s: ", argument);
            name = prefix;
            at++;
        } else if (!strcmp(word[at], "uid")) {
            const int uid = atoi(argument);
            if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid))
                fail("setresuid");
            at++;
        } else if (!strcmp(word[at], "session")) {
            session();
        } else if (!strcmp(word[at], "regroup")) {
            regroup();
        } else if (!strcmp(word[at], "orphans")) {
            orphans(atol(argument));
            at++;
        } else if (!strcmp(word[at], "uninterruptible")) {
            uninterruptible();
        } else if (!strcmp(word[at], "recycle")) {
            recycle(atoi(argument));
            at++;
        } else if (!strcmp(word[at], "left")) {
            say("left", others());
        } else if (!strcmp(word[at], "death")) {
            int number = 0;
            prctl(PR_GET_PDEATHSIG, &number);
            say("death", number);
        } else if (!strcmp(word[at], "signals")) {
            signals();
        } else if (!strcmp(word[at], "reboot")) {
            reboot(atoi(argument) ? RB_POWER_OFF : RB_AUTOBOOT);
            fail("reboot");
        } else if (!strcmp(word[at], "exit")) {
            return atoi(argument);
        } else {
            fail(word[at]);
        }
    }
    return 0;
}
