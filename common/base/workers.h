/* SPDX-License-Identifier: PostgreSQL */
/*
 * workers.h: a few threads for what costs processor time.
 *
 * One thread (the one with the loop) hands out work and takes it back; in between the work belongs
 * to a worker. Work is done in the order it was handed out, as threads become free.
 */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

#define WORKERS_MAX 64

/* One piece of work, a member of the maker's own struct. */
struct work {
    void (*run)(struct work *work); /* in a worker's thread */
    void *owner;                    /* whose it is: the maker's mark, not looked at */
    struct work *next;              /* the pool's while it is handed out */
};

struct workers; /* opaque */

/* Start n threads (all signals blocked in them). 0 or -1 (ERR_INTERNAL). */
int workers_new(size_t n, struct workers **ret_workers, struct err *err) MUST_USE;

/* Readable while finished work waits to be taken: for store_loop_watch(). */
int workers_fd(const struct workers *workers);

void workers_submit(struct workers *workers, struct work *work);

/* The oldest finished work of this owner, or NULL. */
struct work *workers_take(struct workers *workers, const void *owner);

/* Work of this owner that nobody began is dropped (and forgotten); what runs is waited for. */
void workers_cancel(struct workers *workers, const void *owner);

/* Ends the threads; every owner has cancelled before. NULL is fine. */
void workers_free(struct workers *workers);

DEFINE_POINTER_CLEANUP(workers, struct workers, workers_free);

#endif
