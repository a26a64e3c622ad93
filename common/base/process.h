/* SPDX-License-Identifier: PostgreSQL */
/*
 * process.h: the manners of a process that PostgreSQL or a person starts.
 *
 * process_init() makes the surroundings known, whatever they were: descriptors
 * 0 to 2 open, all others closed, no core dumps, not dumpable, umask 077,
 * SIGPIPE and SIGXFSZ ignored, handlers for INT, TERM, HUP and QUIT that only
 * set a flag, proxies and other foreign settings removed from the environment.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

int process_init(struct err *err) MUST_USE;

/* A signal asked us to stop; its number, or 0. Async-signal-safe state, cheap to ask. */
int process_stop_requested(void);

/* Pretend signal `number` arrived (tests, and the agent's own shutdown); 0 clears. */
void process_request_stop(int number);

/* Restore the default action of the signal that asked us to stop and die by it. */
void process_die_by(int signal_number) NORETURN;

/*
 * The backstop behind every deadline: when `after_ms` have passed the process ends with
 * `exit_code`, saying so on stderr, from wherever it hangs. after_ms 0 disarms.
 */
int process_watchdog(int64_t after_ms, int exit_code, struct err *err) MUST_USE;

/*
 * Does the server that started us still live? PostgreSQL's children are session leaders, and a
 * session's number is not given away while we are in it. Our session's leader being gone means
 * we are the orphan of a killed server. If the leader is in another process namespace nothing
 * can be said, and the answer is true.
 */
bool process_session_alive(void);

/* The directory the running program was loaded from ("/usr/bin"), for finding its siblings. */
int process_directory(char *ret_path, size_t size, struct err *err) MUST_USE;

#endif
