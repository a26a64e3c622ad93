/* SPDX-License-Identifier: PostgreSQL */
/*
 * loop.h: what drives tasks. Private to common/store.
 *
 * One curl multi handle carries the transfers of all stores, so connections are shared and kept.
 * It is made with the first transfer: a process with directory stores only never starts libcurl.
 */
#ifndef STORE_LOOP_H
#define STORE_LOOP_H

#include <curl/curl.h>

#include "store/backend.h"

/* One request of libcurl. `done` may start another transfer, and may release this one. */
struct loop_transfer {
    CURL *easy;
    void (*done)(struct loop_transfer *transfer, CURLcode code);
};

/* Make transfer->easy, which the caller cleans up; starts libcurl. 0 or -1 (ERR_INTERNAL). */
int loop_transfer_init(struct store_loop *loop, struct loop_transfer *transfer, struct err *err)
    MUST_USE;

/* Hand the transfer to libcurl; done() comes from store_loop_run(). 0 or -1 (ERR_INTERNAL). */
int loop_transfer_start(struct store_loop *loop, struct loop_transfer *transfer, struct err *err)
    MUST_USE;

/* Take it back before its end. */
void loop_transfer_stop(struct store_loop *loop, struct loop_transfer *transfer);

/* The tasks under way. task_end() and task_fail() remove. */
void loop_add(struct store_loop *loop, struct store_task *task);
void loop_remove(struct store_loop *loop, struct store_task *task);

/*
 * Another put under way, to a store of the same kind, whose bytes are the very same memory: they
 * live until that task has ended, so they are the same. NULL: none.
 */
const struct store_task *loop_same_put(const struct store_loop *loop,
                                       const struct store_task *task);

/* A number that this loop has not given before. */
uint64_t loop_number(struct store_loop *loop);

/* Abandon every task under way, of this store or (NULL) of all, and fail it with *err. */
void loop_fail(struct store_loop *loop, const struct store *store, const struct err *err);

#endif
