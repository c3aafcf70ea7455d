// SPDX-License-Identifier: MIT
//
// floor [--limits] [--no-network] ROOT COMMAND [ARGUMENTS...]
//
// The least that starting a container can cost: the kernel calls the job needs, in one go, with no checks that are
// not errors, no state, no PID 1 and no choice. What vial takes longer than this is vial's own doing.
//
// Namespaces: mount, PID, network, UTS, IPC, cgroup. With --limits a cgroup with a memory and a tasks limit
// is made and removed; on cgroup v1 the child joins by writing 0 into `tasks` (a pid written into cgroup.procs
// waits 9 ms for a grace period), on v2 clone3 puts it there.

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

// What vial's services keep, see spec.h: the work of dropping the rest is the same.
static const uint64_t kept_capabilities = 0x4eb;

// From <linux/sched.h> and <linux/capability.h>, which musl-gcc does not see.
#define CLONE_INTO_CGROUP 0x200000000ULL
struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
struct capability_header {
    uint32_t version;
    int pid;
};
struct capability_data {
    uint32_t effective, permitted, inheritable;
};

static void require(int result, const char* step)
{
    if (result < 0) {
        perror(step);
        _exit(125);
    }
}

static void write_file(const char* directory, const char* name, const char* text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    require(fd, path);
    require((int)write(fd, text, strlen(text)), path);
    close(fd);
}

static int open_file(const char* directory, const char* name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    require(fd, path);
    return fd;
}

struct limits {
    int count;  // directories: two on v1, one on v2, none without limits
    char directory[2][128];
    int join[2];  // v1: opened `tasks`
    int unified;  // v2: the opened directory, or -1
};

static void make_limits(struct limits* limits)
{
    const int unified = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    if (unified) {
        char* directory = limits->directory[limits->count++];
        write_file("/sys/fs/cgroup", "cgroup.subtree_control", "+memory +pids");
        snprintf(directory, sizeof limits->directory[0], "/sys/fs/cgroup/floor-%d", getpid());
        require(mkdir(directory, 0755), directory);
        write_file(directory, "memory.max", "67108864");
        write_file(directory, "pids.max", "64");
        limits->unified = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        require(limits->unified, directory);
        return;
    }
    static const char* const controllers[2][3] = {
        {"memory", "memory.limit_in_bytes", "67108864"},
        {"pids", "pids.max", "64"},
    };
    for (int i = 0; i < 2; ++i) {
        char* directory = limits->directory[limits->count++];
        snprintf(directory, sizeof limits->directory[0], "/sys/fs/cgroup/%s/floor-%d", controllers[i][0], getpid());
        require(mkdir(directory, 0755), directory);
        write_file(directory, controllers[i][1], controllers[i][2]);
        limits->join[i] = open_file(directory, "tasks");
    }
}

static void loopback_up(void)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    require(fd, "socket");
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    require(ioctl(fd, SIOCSIFFLAGS, &request), "lo up");
    close(fd);
}

static void make_devices(void)
{
    static const struct {
        const char* path;
        unsigned minor, major;
    } nodes[] = {
        {"dev/null", 3, 1},   {"dev/zero", 5, 1},    {"dev/full", 7, 1},
        {"dev/random", 8, 1}, {"dev/urandom", 9, 1}, {"dev/tty", 0, 5},
    };
    require(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755"), "dev");
    umask(0);
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; ++i)
        require(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
    umask(022);
}

static void drop_capabilities(void)
{
    for (int capability = 0; capability <= 63; ++capability) {
        if (kept_capabilities >> capability & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            break;  // past the last one this kernel knows
    }
    struct capability_header header = {0x20080522, 0};
    struct capability_data data[2] = {{0}};
    data[0].effective = data[0].permitted = (uint32_t)kept_capabilities;
    require((int)syscall(SYS_capset, &header, data), "capset");
}

static _Noreturn void contain(const struct limits* limits, const char* root, int network, char** command)
{
    if (limits->unified < 0)
        for (int i = 0; i < limits->count; ++i)
            require((int)write(limits->join[i], "0", 1), "join");
    require(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    require(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "bind");
    require(chdir(root), root);
    require((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    require(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
    require(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL), "sysfs");
    make_devices();
    require(umount2(".", MNT_DETACH), "old root");
    require(sethostname("floor", 5), "sethostname");
    if (network)
        loopback_up();
    drop_capabilities();
    execv(command[0], command);
    perror(command[0]);
    _exit(127);
}

int main(int argc, char** argv)
{
    struct limits limits = {.unified = -1};
    int network = 1, at = 1;
    for (; at < argc && argv[at][0] == '-'; ++at) {
        if (strcmp(argv[at], "--limits") == 0)
            make_limits(&limits);
        else if (strcmp(argv[at], "--no-network") == 0)
            network = 0;
        else
            argc = 0;
    }
    if (argc - at < 2) {
        fputs("usage: floor [--limits] [--no-network] ROOT COMMAND [ARGUMENTS...]\n", stderr);
        return 2;
    }
    const unsigned long flags =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | (network ? CLONE_NEWNET : 0);
    pid_t child;
    if (limits.unified >= 0) {
        struct clone_arguments arguments = {
            .flags = flags | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)limits.unified};
        child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    } else {
        child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    }
    require(child, "clone");
    if (child == 0)
        contain(&limits, argv[at], network, argv + at + 1);
    int status;
    require(waitpid(child, &status, 0), "wait");
    for (int i = 0; i < limits.count; ++i)
        require(rmdir(limits.directory[i]), limits.directory[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
