/* SPDX-License-Identifier: MIT
 *
 * A service that says how it is: notify ACTION...
 *     =TEXT      one datagram to $NOTIFY_SOCKET
 *     +MILLIS    waits
 *     @PATH      waits until the file is there
 *     daemon     goes on in a child; the parent names it as the main process and ends
 *     background goes on in a grandchild, in a session of its own; everybody else ends well
 *     pid=PATH   writes its number into a file
 *     lend=PATH  names a child as the main process, which is gone, and waited for, when the file is there
 *     name=PATH  names the process whose number is in a file
 *     reload     waits for SIGHUP
 *     exit=CODE  ends; at the end of all actions it waits for a signal
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void tell(const char* text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char* path = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (path == NULL || fd < 0)
        exit(98);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (sendto(fd, text, strlen(text), 0, (struct sockaddr*)&address, sizeof address) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(99);
    }
    close(fd);
}

static void rest(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void name(pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "MAINPID=%d", (int)pid);
    tell(text);
}

int main(int count, char** words)
{
    sigset_t hup;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hup, NULL);
    for (int i = 1; i < count; i++) {
        const char* word = words[i];
        if (word[0] == '=') {
            tell(word + 1);
        } else if (word[0] == '+') {
            rest(atol(word + 1));
        } else if (word[0] == '@') {
            while (access(word + 1, F_OK) != 0)
                rest(10);
        } else if (strcmp(word, "daemon") == 0) {
            pid_t child = fork();
            if (child > 0) {
                name(child);
                return 0;
            }
            while (getppid() != 1)
                rest(5);
        } else if (strcmp(word, "background") == 0) {
            if (fork() > 0)
                return 0;
            setsid();
            if (fork() > 0)
                return 0;
        } else if (strncmp(word, "pid=", 4) == 0) {
            FILE* file = fopen(word + 4, "w");
            if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) != 0)
                exit(97);
        } else if (strncmp(word, "lend=", 5) == 0) {
            pid_t child = fork();
            if (child == 0) {
                while (access(word + 5, F_OK) != 0)
                    rest(10);
                return 0;
            }
            name(child);
            tell("READY=1");
            waitpid(child, NULL, 0);
        } else if (strncmp(word, "name=", 5) == 0) {
            FILE* file = fopen(word + 5, "r");
            int number = 0;
            if (file == NULL || fscanf(file, "%d", &number) != 1)
                exit(96);
            fclose(file);
            name(number);
        } else if (strcmp(word, "reload") == 0) {
            int number;
            sigwait(&hup, &number);
        } else if (strncmp(word, "exit=", 5) == 0) {
            return atoi(word + 5);
        }
    }
    for (;;)
        pause();
}
