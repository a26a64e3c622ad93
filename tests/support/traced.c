/* SPDX-License-Identifier: PostgreSQL */
#include "traced.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

bool
traced_number(const char *text, unsigned long max, unsigned long *ret)
{
    unsigned long value = 0;

    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || value > max / 10)
            return false;
        value = value * 10 + (unsigned long)(*c - '0');
    }
    *ret = value;
    return *text && value <= max;
}

/* The child waits until it is traced, so that the tracer needs no stop of its own in it. */
static void
run_command(const char *tracer, char **argv, const int *gate)
{
    char byte;

    close(gate[1]);
    if (read(gate[0], &byte, 1) == 1)
        execvp(argv[0], argv);
    fprintf(stderr, "%s: could not run \"%s\": %s\n", tracer, argv[0], strerror(errno));
    _exit(127);
}

bool
traced_start(const char *tracer, char **argv, int options, pid_t *ret_pid)
{
    int gate[2];

    if (pipe(gate) < 0)
        return false;
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0)
        run_command(tracer, argv, gate);
    close(gate[0]);
    if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)(options | PTRACE_O_EXITKILL)) < 0) {
        int saved = errno;

        kill(pid, SIGKILL);
        errno = saved;
        return false;
    }
    if (write(gate[1], "", 1) != 1)
        return false;
    close(gate[1]);
    *ret_pid = pid;
    return true;
}

bool
traced_wait(pid_t command, traced_stop stopped, traced_end ended, void *context, int *ret_status)
{
    for (;;) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);

        if (tid < 0 && errno == EINTR)
            continue;
        if (tid < 0)
            return false;
        if (WIFSTOPPED(status)) {
            stopped(context, tid, status);
            continue;
        }
        ended(context, tid);
        if (tid == command) {
            *ret_status = status;
            return true;
        }
    }
}

void
traced_print_end(int status)
{
    fprintf(stderr, "%s=%d\n", WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
