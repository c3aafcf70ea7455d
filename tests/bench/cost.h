// SPDX-License-Identifier: MIT
//
// What processes cost, as /proc tells it from outside the container. For measure.c alone.

#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct cost {
    long processes, dirty, rss, switches;
};

// Of its first thread: none of the programs has more.
static FILE* open_children(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    return fopen(path, "re");
}

static long field(pid_t pid, const char* file_name, const char* key)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file_name);
    FILE* file = fopen(path, "re");
    long value = 0;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtol(line + strlen(key), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static int is_service(pid_t pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, name, sizeof name - 1) < 0)
        name[0] = '\0';
    close(fd);
    // s6 and runit start what is called `run`.
    return strcmp(name, "sleep\n") == 0 || strcmp(name, "payload\n") == 0 || strcmp(name, "run\n") == 0;
}

// Adds up what `pid` and its descendants cost, services left out.
static void add_cost(pid_t pid, struct cost* cost)
{
    if (is_service(pid))
        return;
    ++cost->processes;
    cost->dirty += field(pid, "smaps_rollup", "Private_Dirty:");
    cost->rss += field(pid, "smaps_rollup", "Rss:");
    cost->switches += field(pid, "status", "voluntary_ctxt_switches:");
    FILE* file = open_children(pid);
    int child;
    while (file && fscanf(file, "%d", &child) == 1)
        add_cost(child, cost);
    if (file)
        fclose(file);
}

static long children_of(pid_t pid)
{
    FILE* file = open_children(pid);
    static char buffer[1 << 16];
    long count = 0;
    size_t length;
    while (file && (length = fread(buffer, 1, sizeof buffer, file)) > 0)
        for (size_t i = 0; i < length; ++i)
            count += buffer[i] == ' ';
    if (file)
        fclose(file);
    return count;
}

#endif
