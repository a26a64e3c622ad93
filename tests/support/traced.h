/* SPDX-License-Identifier: PostgreSQL */
/* traced.c: a command under ptrace from its first instruction on, for killat and failat. */
#ifndef TESTS_TRACED_H
#define TESTS_TRACED_H

#include <stdbool.h>
#include <sys/types.h>

/* A number in decimal, from 0 to max. */
bool traced_number(const char *text, unsigned long max, unsigned long *ret);

/*
 * Run argv as a child that is seized with these options (PTRACE_O_*; EXITKILL is added). Its exec
 * is the first event to come. false with errno set.
 */
bool traced_start(const char *tracer, char **argv, int options, pid_t *ret_pid);

/* A thread stands: look at it, and let it go on. */
typedef void (*traced_stop)(void *context, pid_t tid, int status);
/* A thread is no more. */
typedef void (*traced_end)(void *context, pid_t tid);

/* Until the command has ended, with this wait status. false with errno set. */
bool traced_wait(pid_t command, traced_stop stopped, traced_end ended, void *context,
                 int *ret_status);

/* How the command ended, as the end of the tracer's last line: "exit=N" or "signal=N". */
void traced_print_end(int status);

#endif
