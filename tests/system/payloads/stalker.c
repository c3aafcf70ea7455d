// SPDX-License-Identifier: MIT
//
// stalker COUNT
//
// Looks at every process that comes into its PID namespace from outside (`vial exec`), as early and as often as it
// can, until COUNT of them were met before they had executed anything. Prints the capabilities that any of those
// had, and how many descriptors beyond 0-2 could be looked into: `seen COUNT permitted HEX leads NUMBER`.

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long long field(const char* text, const char* name, int base)
{
    const char* found = strstr(text, name);
    return found == NULL ? ~0ULL : strtoull(found + strlen(name), NULL, base);
}

static int read_file(long pid, const char* file, char* buffer, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
    FILE* stream = fopen(path, "r");
    if (stream == NULL)
        return 0;
    const size_t got = fread(buffer, 1, size - 1, stream);
    buffer[got] = '\0';
    fclose(stream);
    return got > 0;
}

// Directories and files of the host that a descriptor of the visitor's leads to.
static int count_leads(long pid)
{
    int leads = 0;
    for (int fd = 3; fd < 32; ++fd) {
        char path[64], target[512];
        snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, fd);
        const ssize_t length = readlink(path, target, sizeof target - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        // What it joins the control group with is the container's own.
        if (target[0] == '/' && strcmp(target, "/dev/null") != 0 && strstr(target, "/tasks") == NULL &&
            strstr(target, "/cgroup.procs") == NULL)
            ++leads, printf("%s leads to %s\n", path, target);
    }
    return leads;
}

int main(int argc, char** argv)
{
    const long wanted = argc > 1 ? atol(argv[1]) : 1;
    unsigned long long permitted = 0;
    long seen = 0, last = 0, most_leads = 0;
    while (seen < wanted) {
        DIR* processes = opendir("/proc");
        if (processes == NULL)
            return 1;
        for (struct dirent* entry; (entry = readdir(processes)) != NULL;) {
            const long pid = atol(entry->d_name);
            if (pid <= 2 || pid == getpid())
                continue;
            char status[4096], link[64], program[256];
            snprintf(link, sizeof link, "/proc/%ld/exe", pid);
            const ssize_t length = readlink(link, program, sizeof program - 1);
            if (length >= 0) {
                program[length] = '\0';
                if (strcmp(program, "/bin/busybox") == 0)
                    continue;  // it is what it wants to be
            }
            if (!read_file(pid, "status", status, sizeof status) || field(status, "PPid:", 10) != 0)
                continue;
            permitted |= field(status, "CapPrm:", 16);
            const long leads = count_leads(pid);
            most_leads = leads > most_leads ? leads : most_leads;
            if (pid != last)
                ++seen;
            last = pid;
        }
        closedir(processes);
    }
    printf("seen %ld permitted %llx leads %ld\n", seen, permitted, most_leads);
    return 0;
}
