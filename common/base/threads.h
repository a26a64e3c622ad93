/* SPDX-License-Identifier: PostgreSQL */
/*
 * threads.h: how threads are started here. Signals are for the thread that waits for stores and
 * asks process_stop_requested(): in all others every signal is blocked.
 */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include <pthread.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Start threads until there are n: threads[0..*n_threads) run already. *n_threads says how many
 * do, whatever is returned; whoever calls joins them. 0 or -1 (ERR_INTERNAL).
 */
int threads_start(pthread_t *threads, size_t *n_threads, size_t n, void *(*run)(void *),
                  void *context, struct err *err) MUST_USE;

#endif
