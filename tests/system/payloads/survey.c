// SPDX-License-Identifier: MIT
//
// survey DIRECTORY...: every file and directory below, without following links, with what this process may do there: a line
// `rw PATH`, with `-` for what it may not. `mask PATH` is what has been covered: a file by the null device, a directory
// by an empty tmpfs. Processes are left out, and files that only a moment knows.

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { tmpfs_magic = 0x01021994 };

static int is_process(const char* name)
{
    return (*name >= '0' && *name <= '9') || strcmp(name, "self") == 0 || strcmp(name, "thread-self") == 0;
}

static void survey(char* path, size_t length)
{
    struct stat found;
    if (lstat(path, &found) != 0 || S_ISLNK(found.st_mode))
        return;
    struct statfs filesystem;
    const int covered = statfs(path, &filesystem) == 0 && filesystem.f_type == tmpfs_magic;
    if ((S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3)) ||
        (S_ISDIR(found.st_mode) && covered && length > 5)) {
        printf("mask %s\n", path);
        return;
    }
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    const int may_write = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
    printf("%c%c %s\n", fd >= 0 ? 'r' : '-', may_write ? 'w' : '-', path);
    if (fd < 0)
        return;
    DIR* directory = S_ISDIR(found.st_mode) ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        close(fd);
        return;
    }
    for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
        const size_t size = strlen(entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || length + size + 2 > 4096)
            continue;
        if (strcmp(path, "/proc") == 0 && is_process(entry->d_name))
            continue;
        path[length] = '/';
        memcpy(path + length + 1, entry->d_name, size + 1);
        survey(path, length + 1 + size);
        path[length] = '\0';
    }
    closedir(directory);
}

int main(int count, char** words)
{
    char path[4097];
    for (int at = 1; at < count; ++at) {
        const size_t length = strlen(words[at]);
        memcpy(path, words[at], length + 1);
        survey(path, length);
    }
    return 0;
}
