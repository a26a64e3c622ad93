/* SPDX-License-Identifier: PostgreSQL */
#include "base/threads.h"

#include <signal.h>

int
threads_start(pthread_t *threads, size_t *n_threads, size_t n, void *(*run)(void *),
              void *context, struct err *err)
{
    sigset_t all;
    sigset_t before;
    int rc = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (rc == 0 && *n_threads < n) {
        rc = pthread_create(&threads[*n_threads], NULL, run, context);
        if (rc == 0)
            ++*n_threads;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return 0;
    (void)err_sys(err, rc, "could not start a thread");
    err->kind = ERR_INTERNAL;
    return -1;
}
