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
    RETRIEVAL_ABSENT = 1, /* every store that is asked says so, and all could be asked */
};

struct retrieval; /* opaque: one object on its way */

struct retrieval_request {
    const char *name;
    uint64_t system_id;
    uint64_t max_file_size;
    uint32_t stores;     /* bit i: store i may be asked; 0: all */
    int64_t deadline_ms;
};

/* Begin. The first store in order is asked; the next ones on failure, damage, absence, slowness. */
int retrieval_start(struct archive *archive, const struct retrieval_request *request,
                    struct notices *notices, struct retrieval **ret, struct err *err) MUST_USE;

/* Take up what the loop has brought. True when it has ended. Call it after store_loop_run(). */
bool retrieval_advance(struct retrieval *retrieval);

/*
 * The result of one that has ended: 0 and the object (seal, name, system id and payload hash
 * verified; borrowed from the retrieval), RETRIEVAL_ABSENT, or -1 (the gravest store's error).
 */
int retrieval_result(const struct retrieval *retrieval, struct object *ret_object,
                     struct err *err) MUST_USE;

/* Which store it came from. */
size_t retrieval_store(const struct retrieval *retrieval);

/*
 * The object did not decode after all (object_unpack() failed): note it as damaged in that store
 * and ask the next one. 0: under way again; -1: no other store (*err stays as it is).
 */
int retrieval_reject(struct retrieval *retrieval, struct err *err) MUST_USE;

void retrieval_free(struct retrieval *retrieval);

DEFINE_POINTER_CLEANUP(retrieval, struct retrieval, retrieval_free);

/* All in one: retrieve, decode, verify, append to `ret_file`. 0, RETRIEVAL_ABSENT or -1. */
int retrieve_file(struct archive *archive, const struct retrieval_request *request,
                  struct notices *notices, struct buf *ret_file, struct err *err) MUST_USE;

#endif
