// SPDX-License-Identifier: MIT
//
// spaced ROUNDS GAP < TOOLS
//
// Times programs against each other, fairly: each round starts every tool once, in turn, GAP milliseconds
// apart, so that whatever else the machine does meets all of them. A GAP of 0 starts them back to back, each tool
// ROUNDS times in a row in blocks of ten: kernel work that one start leaves for later (RCU) then meets its successor.
//
// TOOLS has one line a tool, fields separated by tabs: a label, a mount namespace to start it in (a path, `-`
// for ours), the program's path and its arguments. Time runs from posix_spawn until the exit has been reaped.
//
// Prints one line a tool: label, median, 10th and 90th percentile in microseconds, and the number of
// runs that did not exit with 0, separated by tabs.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_tools = 64, max_arguments = 64 };

extern char** environ;

struct tool {
    char* label;
    char* arguments[max_arguments];
    int namespace;  // descriptor of a mount namespace, or -1
    double* times;  // microseconds
    int count, failures;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void pause_for(long milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static void enter(int namespace)
{
    if (setns(namespace, CLONE_NEWNS) < 0 || chdir("/") < 0) {
        perror("setns");
        exit(1);
    }
}

static posix_spawn_file_actions_t silence;  // stdin is our list of tools, stdout our report

static void start(struct tool* tool, int home, int counts)
{
    if (tool->namespace >= 0)
        enter(tool->namespace);
    const double begin = now();
    pid_t child;
    int status = -1;
    const int error = posix_spawn(&child, tool->arguments[0], &silence, NULL, tool->arguments, environ);
    if (error == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    const double end = now();
    if (tool->namespace >= 0)
        enter(home);
    if (!counts)
        return;
    if (error != 0 || status != 0)
        ++tool->failures;
    tool->times[tool->count++] = end - begin;
}

static int compare(const void* left, const void* right)
{
    const double a = *(const double*)left, b = *(const double*)right;
    return (a > b) - (a < b);
}

static int read_tools(struct tool* tools, int rounds)
{
    int count = 0;
    char* line = NULL;
    size_t size = 0;
    while (count < max_tools && getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char* rest = strdup(line);
        struct tool* tool = &tools[count];
        tool->label = strsep(&rest, "\t");
        const char* namespace = strsep(&rest, "\t");
        if (!namespace || !rest)
            continue;
        tool->namespace = strcmp(namespace, "-") == 0 ? -1 : open(namespace, O_RDONLY | O_CLOEXEC);
        if (tool->namespace < 0 && strcmp(namespace, "-") != 0) {
            perror(namespace);
            exit(1);
        }
        for (int i = 0; rest && i < max_arguments - 1; ++i)
            tool->arguments[i] = strsep(&rest, "\t");
        tool->times = calloc((size_t)rounds, sizeof *tool->times);
        ++count;
    }
    free(line);
    return count;
}

int main(int argc, char** argv)
{
    const int rounds = argc == 3 ? atoi(argv[1]) : 0;
    const long gap = argc == 3 ? atol(argv[2]) : 0;
    if (rounds < 1 || gap < 0) {
        fputs("usage: spaced ROUNDS GAP < TOOLS\n", stderr);
        return 2;
    }
    static struct tool tools[max_tools];
    const int count = read_tools(tools, rounds);
    const int home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

    posix_spawn_file_actions_init(&silence);
    posix_spawn_file_actions_addopen(&silence, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&silence, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (int i = 0; i < count; ++i)
        start(&tools[i], home, 0);  // warms the page cache
    if (gap > 0) {
        for (int round = 0; round < rounds; ++round)
            for (int i = 0; i < count; ++i) {
                pause_for(gap);
                start(&tools[i], home, 1);
            }
    } else {
        for (int done = 0; done < rounds; done += 10)
            for (int i = 0; i < count; ++i) {
                start(&tools[i], home, 0);
                for (int n = done; n < done + 10 && n < rounds; ++n)
                    start(&tools[i], home, 1);
            }
    }
    for (int i = 0; i < count; ++i) {
        struct tool* tool = &tools[i];
        qsort(tool->times, (size_t)tool->count, sizeof *tool->times, compare);
        printf("%s\t%.0f\t%.0f\t%.0f\t%d\n", tool->label, tool->times[tool->count / 2], tool->times[tool->count / 10],
               tool->times[tool->count * 9 / 10], tool->failures);
    }
    return 0;
}
