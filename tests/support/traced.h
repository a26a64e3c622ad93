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

/* How the command ended, as the end of the tracer's last line: "exit=N" or "signal=N". */
void traced_print_end(int status);

#endif
