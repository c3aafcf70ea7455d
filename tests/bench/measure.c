// SPDX-License-Identifier: MIT
//
// measure [OPTIONS] MODE NUMBERS... -- COMMAND [ARGUMENTS...]
//
// Starts COMMAND, a PID 1 or supervisor whose services are payload.c, in namespaces of its own, takes one measure of it
// and ends it. Prints lines `KEY TAB VALUE`: times in microseconds, memory in kB. What each figure means is told in the
// head of tests/bench/pid1, which runs this many times.
//
//   supervise SERVICES PAIRS MILLISECONDS   up, memory, restart and again (PAIRS, or as many as fit the time), down
//   idle SECONDS                            memory and wakeups with one service
//   signals COUNT                           round trips of SIGUSR1 through PID 1 to its service
//   orphans COUNT                           processor time of PID 1 for each, and zombies
//
//   --board FILE     seen as /run/board inside
//   --root DIRECTORY COMMAND runs in this root, with network, host name and IPC of its own too
//   --launcher       COMMAND makes the namespaces itself, and leaves when its PID 1 runs
//   --stop SIGNAL    what tells this PID 1 to end everything (default TERM's number)
//   --settle MS      how long to wait once all is up (default 200)
//   --after COMMAND  a shell command to run then
//
// PID 1 is always our child: a launcher's becomes ours when the launcher leaves (we are a subreaper). All measures
// are taken from outside; only who kills services sits inside, since it learns their pids as they are there.

#include "board.h"
#include "cost.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const int64_t millisecond = 1000000, second = 1000000000;

static struct board* board;
static const char* board_file = NULL;
static const char* root = NULL;
static const char* after = NULL;
static int launcher = 0, stop_signal = SIGTERM;
static long settle = 200;
static volatile pid_t init = 0;

static _Noreturn void fail(const char* what)
{
    fprintf(stderr, "measure: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    if (init > 0)
        kill(init, SIGKILL);
    exit(1);
}

static void give_up(int number)
{
    if (init > 0)
        kill(init, SIGKILL);
    _exit(number == SIGALRM ? 124 : 128 + number);
}

static void pause_for(int64_t nanoseconds)
{
    struct timespec left = {nanoseconds / second, nanoseconds % second};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static void print(const char* key, int64_t nanoseconds)
{
    printf("%s\t%.1f\n", key, (double)nanoseconds / 1000);
}

// ---- Start ----------------------------------------------------------------------------------------------------------

// A belt for inits that were written for a machine of their own: they may use processes, files and reboot(2), which in
// a PID namespace ends just that; they may not mount, set clocks, load modules or make devices.
static void drop_capabilities(void)
{
    enum { kill_capability = 5, setgid = 6, setuid = 7, setpcap = 8, sys_boot = 22 };
    for (int capability = 0; capability <= 63; ++capability)
        if (capability > setpcap && capability != sys_boot && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            break;
}

static _Noreturn void become_init(char** command)
{
    char proc[256], target[256];
    snprintf(proc, sizeof proc, "%s/proc", root ? root : "");
    snprintf(target, sizeof target, "%s" BOARD_PATH, root ? root : "");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, SIG_DFL);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", proc, "proc", 0, NULL) < 0 ||
        mount(board_file, target, NULL, MS_BIND, NULL) < 0)
        _exit(125);
    if (root && (chroot(root) < 0 || chdir("/") < 0))
        _exit(125);
    drop_capabilities();
    dup2(STDERR_FILENO, STDOUT_FILENO);  // ours is for figures
    board->begin = now();
    execvp(command[0], command);
    _exit(127);
}

static pid_t first_child(void)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    return atoi(text);
}

static void launch(char** command)
{
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        board->begin = now();
        execvp(command[0], command);
        _exit(127);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        fail("the launcher failed");
    init = first_child();
    if (init <= 0)
        fail("the launcher left no PID 1");
}

// Starts the command and waits for its services.
static void start(char** command, uint32_t services)
{
    signal(SIGALRM, give_up);
    signal(SIGTERM, give_up);
    signal(SIGINT, give_up);
    alarm(90);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (launcher) {
        launch(command);
    } else {
        const unsigned long more = root ? CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC : 0;
        const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | more | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
            become_init(command);
        if (pid < 0)
            fail("clone");
        init = pid;
    }
    const int64_t deadline = now() + 30 * second;
    while (!await(&board->stamped, services, now() + 100 * millisecond)) {
        siginfo_t info = {0};
        waitid(P_PID, (id_t)init, &info, WEXITED | WNOHANG | WNOWAIT);
        errno = 0;
        if (info.si_pid == init)
            fail("PID 1 ended before its services were up");
        if (now() > deadline)
            fail("the services did not come up");
    }
}

static void come_to_rest(void)
{
    pause_for(settle * millisecond);
    if (!after)
        return;
    if (system(after) != 0)
        fail(after);
    pause_for(300 * millisecond);  // until it has seen the last client go
}

static void end(void)
{
    kill(init, SIGKILL);
    waitpid(init, NULL, 0);
}

// ---- The modes ------------------------------------------------------------------------------------------------------

static struct cost print_memory(void)
{
    struct cost cost = {0};
    add_cost(init, &cost);
    printf("processes\t%ld\ndirty\t%ld\nrss\t%ld\n", cost.processes, cost.dirty, cost.rss);
    return cost;
}

// Kills `*pid` and waits for who takes its place; returns the time from kill(2) to that one's stamp.
static int64_t restart(pid_t* pid)
{
    const uint32_t before = atomic_load(&board->stamped);
    const int64_t begin = now();
    // 0 and below would be groups of processes, not one.
    if (*pid <= 1 || kill(*pid, SIGKILL) < 0 || !await(&board->stamped, before + 1, begin + 5 * second))
        return -1;
    const struct stamp* stamp = &board->stamps[before % most_stamps];
    *pid = stamp->pid;
    return stamp->time - begin;
}

static void restarts(uint32_t services, int pairs, long milliseconds)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", init);
    const int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWPID) < 0)
        fail(path);
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int64_t until = now() + milliseconds * millisecond;
        static pid_t pids[most_stamps];
        for (uint32_t i = 0; i < services; ++i)
            pids[i] = board->stamps[i].pid;
        for (int i = 0; i < pairs && now() < until; ++i) {
            pid_t* pid = &pids[(uint32_t)i % services];
            const int64_t once = restart(pid);
            const int64_t again = once < 0 ? -1 : restart(pid);
            if (again < 0)
                _exit(1);
            print("restart", once);
            print("again", again);
            pause_for(10 * millisecond);
        }
        fflush(stdout);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0 || status != 0)
        fail("a killed service did not come back");
}

static void supervise(uint32_t services, int pairs, long milliseconds)
{
    int64_t last = 0;
    for (uint32_t i = 0; i < services; ++i)
        if (board->stamps[i].time > last)
            last = board->stamps[i].time;
    print("up", last - board->begin);
    come_to_rest();
    print_memory();
    if (pairs > 0)
        restarts(services, pairs, milliseconds);
    pause_for(20 * millisecond);
    const int64_t begin = now();
    kill(init, stop_signal);
    // With its PID 1 a PID namespace has lost all its processes.
    if (waitpid(init, NULL, 0) != init)
        fail("wait");
    print("down", now() - begin);
}

static void idle(unsigned seconds)
{
    alarm(seconds + 60);
    come_to_rest();
    const struct cost before = print_memory();
    pause_for(seconds * second);
    struct cost later = {0};
    add_cost(init, &later);
    printf("wakeups\t%ld\n", later.switches - before.switches);
    end();
}

static void signals(int count)
{
    come_to_rest();
    unsigned seed = 1;
    for (int i = 0; i < count; ++i) {
        pause_for((200 + rand_r(&seed) % 800) * 1000);  // uneven, so that no timer's beat is followed
        const uint32_t before = atomic_load(&board->answers);
        const int64_t begin = now();
        kill(init, SIGUSR1);
        if (!await(&board->answers, before + 1, begin + second))
            fail("a signal was not passed on");
        print("trip", board->answer - begin);
    }
    end();
}

static int64_t processor_time(pid_t pid)
{
    clockid_t clock;
    struct timespec time = {0};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        fail("processor time");
    return (int64_t)time.tv_sec * second + time.tv_nsec;
}

static void orphans(uint32_t count)
{
    come_to_rest();
    const long services = children_of(init);
    const int64_t before = processor_time(init), begin = now();
    long peak = 0, left = 0;
    atomic_store(&board->go, count);
    syscall(SYS_futex, &board->go, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    while (!await(&board->answers, 1, now() + 5 * millisecond)) {
        left = children_of(init) - services;
        if (left > peak)
            peak = left;
        if (now() > begin + 60 * second)
            fail("the orphans were never made");
    }
    print("made", (now() - begin) / count);
    pause_for(100 * millisecond);
    left = children_of(init) - services;
    // Who lets them pile up has not yet paid for them: give it the time.
    for (int64_t until = now() + 10 * second; children_of(init) > services && now() < until;)
        pause_for(20 * millisecond);
    printf("cpu\t%.3f\n", (double)(processor_time(init) - before) / 1000 / count);
    printf("zombies\t%ld\nleft\t%ld\n", peak, left);
    end();
}

int main(int argc, char** argv)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    long number[3] = {0};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; ++at) {
        if (strcmp(argv[at], "--launcher") == 0)
            launcher = 1;
        else if (at + 1 == argc)
            break;
        else if (strcmp(argv[at], "--board") == 0)
            board_file = argv[++at];
        else if (strcmp(argv[at], "--root") == 0)
            root = argv[++at];
        else if (strcmp(argv[at], "--stop") == 0)
            stop_signal = atoi(argv[++at]);
        else if (strcmp(argv[at], "--settle") == 0)
            settle = atol(argv[++at]);
        else if (strcmp(argv[at], "--after") == 0)
            after = argv[++at];
        else
            break;
    }
    const char* mode = at < argc ? argv[at++] : "";
    for (int i = 0; i < 3 && at < argc && strcmp(argv[at], "--") != 0; ++i)
        number[i] = atol(argv[at++]);
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0 || !board_file || number[0] < 1)
        fail("usage: measure [OPTIONS] MODE NUMBERS... -- COMMAND [ARGUMENTS...]");
    char** command = argv + at + 1;

    const int fd = open(board_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *board) < 0)
        fail(board_file);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED)
        fail(board_file);

    const int many = strcmp(mode, "supervise") == 0;
    atomic_store(&board->sleepers, (uint32_t)many);
    start(command, many ? (uint32_t)number[0] : 1);
    if (many)
        supervise((uint32_t)number[0], (int)number[1], number[2]);
    else if (strcmp(mode, "idle") == 0)
        idle((unsigned)number[0]);
    else if (strcmp(mode, "signals") == 0)
        signals((int)number[0]);
    else if (strcmp(mode, "orphans") == 0)
        orphans((uint32_t)number[0]);
    else
        fail("no such mode");
    return 0;
}
