/* SPDX-License-Identifier: PostgreSQL */
/*
 * killat: run a command and send it a signal at its K-th system call stop.
 *
 *   killat --count -- COMMAND...                          count the stops of a whole run
 *   killat --at K [--signal N] [--resume] [--children] -- COMMAND...
 *
 * Every system call stops twice, at its entry and at its exit, in every thread; the first stop is
 * the exit of COMMAND's execve, before its first instruction. A signal sent at an entry comes
 * before the call does anything; SIGKILL there means that it never happens. Children are left
 * alone unless --children is given: then their stops count too and every traced process gets the
 * signal; those that outlive COMMAND are killed. With --resume a COMMAND that was stopped (SIGSTOP)
 * is sent SIGCONT as soon as it stands.
 *
 * The last line on stderr says how it ended:
 *   killat: stops=N sent=0|1 exit=CODE|signal=N
 * and the exit status says: 0 the signal was sent, 1 COMMAND ended by itself before stop K (always
 * so with --count), 2 killat failed. COMMAND never outlives killat.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traced.h"

enum { KILLAT_SENT = 0, KILLAT_ENDED = 1, KILLAT_FAILED = 2 };

#define PROCESSES_MAX 4096

struct killat {
    unsigned long at; /* 0: only count */
    int signal;
    bool children;
    bool resume;
    char **argv;

    pid_t command;
    pid_t processes[PROCESSES_MAX]; /* traced thread groups */
    size_t n_processes;
    bool counting; /* COMMAND's execve has happened */
    bool sent;
    unsigned long stops;
};

static bool
parse_arguments(struct killat *k, int argc, char **argv)
{
    bool count = false;
    unsigned long number;
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--count") == 0)
            count = true;
        else if (strcmp(argv[i], "--children") == 0)
            k->children = true;
        else if (strcmp(argv[i], "--resume") == 0)
            k->resume = true;
        else if (strcmp(argv[i], "--at") == 0 && i + 1 < argc
                 && traced_number(argv[i + 1], 1000000000, &number)) {
            k->at = number;
            i++;
        } else if (strcmp(argv[i], "--signal") == 0 && i + 1 < argc
                   && traced_number(argv[i + 1], 64, &number) && number > 0) {
            k->signal = (int)number;
            i++;
        } else
            return false;
    }
    k->argv = argv + i + 1;
    return i + 1 < argc && count == (k->at == 0);
}

static bool
start_command(struct killat *k)
{
    int options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE;

    if (k->children)
        options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
    if (!traced_start("killat", k->argv, options, &k->command))
        return false;
    k->processes[k->n_processes++] = k->command;
    return true;
}

static void
send_signal(struct killat *k)
{
    for (size_t i = 0; i < k->n_processes; i++)
        kill(k->processes[i], k->signal);
    k->sent = true;
}

static void
note_child(struct killat *k, pid_t parent)
{
    unsigned long child = 0;

    if (ptrace(PTRACE_GETEVENTMSG, parent, NULL, &child) < 0 || k->n_processes == PROCESSES_MAX)
        return;
    k->processes[k->n_processes++] = (pid_t)child;
    if (k->sent)
        kill((pid_t)child, k->signal);
}

static void
forget_process(void *context, pid_t pid)
{
    struct killat *k = context;

    for (size_t i = 0; i < k->n_processes; i++) {
        if (k->processes[i] == pid) {
            k->processes[i] = k->processes[--k->n_processes];
            return;
        }
    }
}

/* Look at one stop and let the thread go on. */
static void
handle_stop(void *context, pid_t tid, int status)
{
    struct killat *k = context;
    int event = status >> 16;
    int signal = WSTOPSIG(status);
    int deliver = 0;

    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        /* stopped by SIGSTOP and the like: stay so until SIGCONT, as without a tracer */
        ptrace(PTRACE_LISTEN, tid, NULL, NULL);
        if (k->resume)
            kill(k->command, SIGCONT);
        return;
    }
    if (event == PTRACE_EVENT_EXEC)
        k->counting = true;
    else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK)
        note_child(k, tid);
    else if (event == 0 && signal == (SIGTRAP | 0x80)) {
        if (!k->sent && ++k->stops == k->at)
            send_signal(k);
    } else if (event == 0)
        deliver = signal;
    /* ESRCH: it was killed meanwhile, and waitpid will say so */
    ptrace(k->counting && !k->sent ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL,
           (void *)(long)deliver);
}

int
main(int argc, char **argv)
{
    struct killat k = {.signal = SIGKILL};
    int status;

    if (!parse_arguments(&k, argc, argv)) {
        fprintf(stderr, "usage: killat --count | --at K [--signal N] [--resume] [--children] "
                        "-- COMMAND...\n");
        return KILLAT_FAILED;
    }
    if (!start_command(&k) || !traced_wait(k.command, handle_stop, forget_process, &k, &status)) {
        fprintf(stderr, "killat: could not trace \"%s\": %s\n", k.argv[0], strerror(errno));
        return KILLAT_FAILED;
    }
    if (!k.counting)
        return KILLAT_FAILED; /* the child has said why */
    fprintf(stderr, "killat: stops=%lu sent=%d ", k.stops, k.sent);
    traced_print_end(status);
    return k.sent ? KILLAT_SENT : KILLAT_ENDED;
}
