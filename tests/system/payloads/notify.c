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
 *     chain      the same for ever, and without listening to SIGTERM; `escape`: each in a session of its own
 *     barrier    asks to be told when all that it said has been heard, and waits for that; see sd_notify_barrier(3)
 *     linger     sends along the last descriptor of a connection that takes an hour to close
 *     reload     waits for SIGHUP
 *     exit=CODE  ends; at the end of all actions it waits for a signal
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
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

static void pass(const char* text, int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fd)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("NOTIFY_SOCKET"));
    struct iovec part = {(char*)text, strlen(text)};
    const struct msghdr message = {.msg_name = &address,
                                   .msg_namelen = sizeof address,
                                   .msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof control};
    int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendmsg(to, &message, 0) < 0)
        exit(97);
    close(to);
}

static void barrier(void)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(96);
    pass("BARRIER=1", ends[1]);
    close(ends[1]);
    struct pollfd closed = {ends[0], 0, 0};
    if (poll(&closed, 1, 20000) != 1)
        exit(95);
}

/* The other end stays with us. Ours has been let go by the end of a process, which does not wait for anybody. */
static void linger(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr*)&address, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr*)&address, &length) != 0)
        exit(94);
    if (fork() == 0) {
        const struct linger hour = {1, 3600};
        char some[4096] = {0};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr*)&address, length) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof hour) != 0)
            _exit(93);
        while (send(fd, some, sizeof some, MSG_DONTWAIT) > 0) {
        }
        pass("STATUS=lingers", fd);
        _exit(0);
    }
    int status = 0;
    if (accept(listener, NULL, NULL) < 0 || wait(&status) < 0 || status != 0)
        exit(92);
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
            const pid_t parent = getpid();
            pid_t child = fork();
            if (child > 0) {
                name(child);
                return 0;
            }
            while (getppid() == parent)
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
        } else if (strcmp(word, "chain") == 0 || strcmp(word, "escape") == 0) {
            signal(SIGTERM, SIG_IGN);
            for (;;) {
                const pid_t parent = getpid();
                const pid_t child = fork();
                if (child > 0) {
                    char text[32];
                    snprintf(text, sizeof text, "MAINPID=%d", (int)child);
                    tell(text);
                    rest(20);
                    return 0;
                }
                if (word[0] == 'e')
                    setsid();
                while (getppid() == parent)
                    usleep(100);
            }
        } else if (strcmp(word, "barrier") == 0) {
            barrier();
        } else if (strcmp(word, "linger") == 0) {
            linger();
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
