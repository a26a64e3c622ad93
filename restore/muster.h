/* SPDX-License-Identifier: PostgreSQL */
/*
 * muster.h: many objects called up and judged, many requests at a time.
 *
 * For each object the stores it may be in are asked in turn until one gives bytes that the caller's
 * judge accepts. Judging costs processor time and can be spread over threads; everything else
 * happens in the caller's. The number of requests at a time grows with those that are answered.
 * Memory: MUSTER_MEMORY, or one object if that is larger.
 */
#ifndef RESTORE_MUSTER_H
#define RESTORE_MUSTER_H

#include "catalog/archive.h"

#define MUSTER_MEMORY (64 * MIB) /* for objects that are on their way or judged */
#define MUSTER_SEAL_BYTES 1024   /* enough for object_peek() */

enum muster_outcome {
    MUSTER_END = 1,     /* next: there are no more; taken, lost: it is enough */
    MUSTER_WAIT = 2,    /* next: not before something that is under way has been taken or lost */
    MUSTER_REJECT = 10, /* judge: not good; *err says why */
};

struct muster_item {
    char name[OBJECT_NAME_SIZE];
    uint32_t stores;      /* bit i: store i may be asked */
    uint64_t number;      /* the caller's */
    uint64_t first_bytes; /* read only so many; 0: all of it */
};

struct muster {
    struct archive *archive;
    int64_t deadline_ms;
    uint64_t max_bytes; /* a larger object is damage */
    bool parallel;      /* judge is called in threads and keeps to what belongs to its item */
    void *context;
    /* The next object, into an item that is all zero. 0, MUSTER_END, MUSTER_WAIT or -1. */
    int (*next)(void *context, struct muster_item *ret, struct err *err);
    /* Is this a good copy? 0, MUSTER_REJECT or -1 (give everything up). */
    int (*judge)(void *context, const struct muster_item *item, size_t store, struct span bytes,
                 struct err *err);
    /* It was good. 0, MUSTER_END or -1. May be NULL. */
    int (*taken)(void *context, const struct muster_item *item, struct err *err);
    /* A store has no good copy: outcome is store_task_result()'s (absent, deleted, -1) or
     * MUSTER_REJECT; `why` says it in words in any case. 0 or -1. May be NULL. */
    int (*failed)(void *context, const struct muster_item *item, size_t store, int outcome,
                  const struct err *why, struct err *err);
    /* No store has one; `why` is the gravest reason. 0, MUSTER_END or -1. */
    int (*lost)(void *context, const struct muster_item *item, const struct err *why,
                struct err *err);
};

/* What it cost: copies that were asked for, and what came of objects. */
struct muster_cost {
    uint64_t requests;
    uint64_t bytes;
};

/* Judge them all, in any order; ret_cost may be NULL. 0 or -1 (a callback's; ERR_TRANSIENT: the
 * deadline or a signal). */
int muster_run(const struct muster *muster, struct muster_cost *ret_cost,
               struct err *err) MUST_USE;

#endif
