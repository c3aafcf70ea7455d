/* SPDX-License-Identifier: MIT */

/* fault PROCESS INDEX ERRNO COMMAND...: runs COMMAND and makes one system call fail: the INDEX-th (from 1) of the
 * PROCESS-th process (0 is COMMAND itself, 1 the first it makes, and so on), which is then not made at all and answers ERRNO.
 * Calls that cannot fail in truth, or whose failure means nothing, are not counted (see `counts`), nor is what another program
 * than COMMAND's does, that a process executes in the end.
 *
 * Exits as COMMAND does (128+n for a signal). On descriptor 3, if there is one, it writes the number of the call that failed;
 * nothing where there was no such call. What COMMAND leaves running goes on untraced. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__x86_64__)
int main(void)
{
    fprintf(stderr, "fault: not on this architecture yet\n");
    return 77;
}
#else

enum { most = 256 };

static struct tracee {
    pid_t pid;
    int ordinal, calls;
    int entered;  /* between the entry and the exit of a call */
    int striking; /* this call is the one */
    int strange;  /* it has executed some other program */
} tracees[most];
static int tracee_count;

static struct tracee* find(pid_t pid)
{
    for (int index = 0; index < tracee_count; ++index)
        if (tracees[index].pid == pid)
            return &tracees[index];
    if (tracee_count == most)
        return NULL;
    struct tracee* made = &tracees[tracee_count];
    memset(made, 0, sizeof *made);
    made->pid = pid;
    made->ordinal = tracee_count++;
    return made;
}

/* A close that fails has closed all the same, and the rest says what cannot be otherwise. */
static int counts(long call)
{
    static const int skipped[] = {
        SYS_close,   SYS_exit,    SYS_exit_group,      SYS_rt_sigreturn, SYS_rt_sigprocmask,  SYS_rt_sigaction,
        SYS_getpid,  SYS_getppid, SYS_gettid,          SYS_getuid,       SYS_geteuid,         SYS_getgid,
        SYS_getegid, SYS_umask,   SYS_set_tid_address, SYS_arch_prctl,   SYS_clock_gettime,   SYS_munmap,
        SYS_madvise, SYS_alarm,   SYS_gettimeofday,    SYS_futex,        SYS_restart_syscall, SYS_execve,
        SYS_waitid,  SYS_wait4,
    };
    for (size_t index = 0; index < sizeof skipped / sizeof *skipped; ++index)
        if (call == skipped[index])
            return 0;
    return 1;
}

static int executes(pid_t pid, const char* program)
{
    char path[64];
    struct stat its, wanted;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat(path, &its) == 0 && stat(program, &wanted) == 0 && its.st_ino == wanted.st_ino &&
           its.st_dev == wanted.st_dev;
}

int main(int count, char** words)
{
    if (count < 5) {
        fprintf(stderr, "usage: fault PROCESS INDEX ERRNO COMMAND...\n");
        return 2;
    }
    const int process = atoi(words[1]), index = atoi(words[2]), error = atoi(words[3]);
    const pid_t command = fork();
    if (command == 0) {
        close(3);
        raise(SIGSTOP);
        execv(words[4], words + 4);
        _exit(127);
    }
    int status = 0, result = -1, done = 0, executed = 0;
    if (waitpid(command, &status, WUNTRACED) != command || !WIFSTOPPED(status))
        return 2;
    (void)find(command);
    /* Seized, not attached: should we end before a new process was let go of, no SIGSTOP is left to it. */
    if (ptrace(PTRACE_SEIZE, command, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC) != 0) {
        perror("fault: ptrace");
        kill(command, SIGKILL);
        return 2;
    }
    kill(command, SIGCONT);
    while (result < 0) {
        const pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0)
            break;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == command)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        struct tracee* tracee = find(pid);
        if (tracee == NULL)
            return 2;
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) {
            struct user_regs_struct registers;
            ptrace(PTRACE_GETREGS, pid, 0, &registers);
            signal = 0;
            tracee->entered = !tracee->entered;
            if (tracee->entered && executed && !done && !tracee->strange && counts((long)registers.orig_rax) &&
                tracee->ordinal == process && ++tracee->calls == index) {
                dprintf(3, "%lld\n", (long long)registers.orig_rax);
                done = tracee->striking = 1;
                registers.orig_rax = SYS_getpid; /* a number that no filter minds */
                ptrace(PTRACE_SETREGS, pid, 0, &registers);
            } else if (!tracee->entered && tracee->striking) {
                tracee->striking = 0;
                registers.rax = 0ULL - (unsigned)error;
                ptrace(PTRACE_SETREGS, pid, 0, &registers);
            }
        } else if (status >> 16 != 0) {
            if (status >> 16 == PTRACE_EVENT_EXEC) {
                executed = 1;
                tracee->strange = !executes(pid, words[4]);
            }
            /* In the order of their births, not of their first stops: its parent cannot go on to the next before this. */
            unsigned long born;
            const int event = status >> 16;
            if ((event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) &&
                ptrace(PTRACE_GETEVENTMSG, pid, 0, &born) == 0)
                (void)find((pid_t)born);
            signal = 0;
        }
        /* The harm is done: let go of everybody. Not of the command, whose end we wait for. */
        const int let_go = done && !tracee->striking;
        if (let_go && pid != command)
            ptrace(PTRACE_DETACH, pid, 0, signal);
        else
            ptrace(let_go ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0, signal);
    }
    return result < 0 ? 2 : result;
}
#endif
