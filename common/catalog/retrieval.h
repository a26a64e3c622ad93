/* SPDX-License-Identifier: PostgreSQL */
/*
 * retrieval.h: any object out of the archive, verified, from the first store that has a good copy.
 *
 * The general reader behind plan, restore, verify and list (a fetch of WAL has its own rules about
 * absence and stays in restore/fetch.c). Several retrievals can be under way on the archive's one
 * loop; each holds one object in memory.
 */
#ifndef CATALOG_RETRIEVAL_H
#define CATALOG_RETRIEVAL_H

#include "base/log.h"
#include "catalog/archive.h"

enum retrieval_outcome {
    RETRIEVAL_ABSENT = 1, /* every store that may be asked has proven it */
};

struct retrieval; /* opaque: one object on its way */

struct retrieval_request {
    const char *name;
    uint64_t system_id;
    uint64_t max_file_size;
    uint32_t stores; /* bit i: store i may be asked; 0: all */
    int64_t deadline_ms;
};

/*
 * Begin. The first store in order is asked; the next one on failure, damage, absence, and when it
 * takes 3 seconds. Stores that failed in a way that may pass are asked again, after a growing wait,
 * until the deadline; so "absent" while a store is away takes until then. A store that was away is
 * opened again. When all were asked in vain, those that are away are told by a LOG_WARNING, each
 * once a minute at most. Every damaged copy is a LOG_WARNING that names store and object. 0 or -1
 * (ERR_INTERNAL). The request is copied.
 */
int retrieval_start(struct archive *archive, const struct retrieval_request *request,
                    struct notices *notices, struct retrieval **ret, struct err *err) MUST_USE;

/* Take up what the loop has brought and ask whom it is time to ask. True when it has ended. */
bool retrieval_advance(struct retrieval *retrieval);

/*
 * Run the archive's loop until retrieval_advance() may have something to do for one of these, until
 * some other task on the loop has ended, or until_ms. The loop alone does not know when it is time
 * to ask another store. NULL and ended ones are passed over; if there are no others it returns at
 * once. 0 or -1 (as store_loop_run()).
 */
int retrieval_wait(struct archive *archive, struct retrieval *const *retrievals, size_t n,
                   int64_t until_ms, struct err *err) MUST_USE;

/*
 * The result of one that has ended: 0 and the object (seal, name, system id and payload hash
 * verified, file at most max_file_size; borrowed from the retrieval), RETRIEVAL_ABSENT, or -1 (the
 * gravest store's error).
 */
int retrieval_result(const struct retrieval *retrieval, struct object *ret_object, struct err *err)
    MUST_USE;

/* Which store it came from. */
size_t retrieval_store(const struct retrieval *retrieval);

/*
 * The object did not decode after all (object_unpack() failed with this error): note it as damaged
 * in that store and ask the next one. 0: under way again; -1: no other store, and it has ended.
 */
int retrieval_reject(struct retrieval *retrieval, const struct err *err) MUST_USE;

void retrieval_free(struct retrieval *retrieval);

DEFINE_POINTER_CLEANUP(retrieval, struct retrieval, retrieval_free);

/*
 * All in one: retrieve, decode, verify, append to `file`, whose limit must leave room for
 * max_file_size. 0, RETRIEVAL_ABSENT or -1; unless it is 0, `file` holds what it held.
 */
int retrieve_file(struct archive *archive, const struct retrieval_request *request,
                  struct notices *notices, struct buf *file, struct err *err) MUST_USE;

/* The same; ret_from is what it came from and how large the stored object's payload was. */
struct retrieval_source {
    size_t store;
    uint64_t payload_size;
};

int retrieve_file_from(struct archive *archive, const struct retrieval_request *request,
                       struct notices *notices, struct buf *file,
                       struct retrieval_source *ret_from, struct err *err) MUST_USE;

#endif
