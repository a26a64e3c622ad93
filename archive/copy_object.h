/* SPDX-License-Identifier: PostgreSQL */
/*
 * copy_object.h: one object from one store into another, byte for byte as it is.
 *
 * It is read, verified as far as public keys allow (seal, name, system identifier, payload hash)
 * and created in the target if the name is free there; if it is not, what the target has is read
 * and compared. No identity is needed, nothing is replaced, what does not verify is not spread.
 *
 * A step machine on the archive's one loop, so that many can be under way. One holds the object,
 * and while it compares a second one.
 *
 * A target that does not create exclusively by construction must have proven that it honours the
 * condition (probe.h) before anything is copied into it.
 */
#ifndef ARCHIVE_COPY_OBJECT_H
#define ARCHIVE_COPY_OBJECT_H

#include "catalog/archive.h"

enum copy_object_outcome {
    COPY_OBJECT_SAME = 1,      /* the target had it already, with the same content */
    COPY_OBJECT_DIFFERENT = 2, /* the target has something else; ERR_CORRUPT: a damaged copy,
                                * ERR_CONFLICT: other content, or a deleted name it does not free,
                                * ERR_CONFIG: signed by nobody we know */
    COPY_OBJECT_UNFIT = 3,     /* the source has nothing to spread; ERR_CORRUPT: a damaged copy,
                                * ERR_CONFIG: signed by nobody we know, ERR_CONFLICT: gone */
};

struct copy_object_request {
    const struct keyring *keyring; /* public writer keys; with identities, or unencrypted, objects
                                    * of different writers can be compared too */
    const char *name;
    uint64_t system_id;
    struct store *from;
    struct store *to;
    uint64_t max_size;          /* of the source's object; a larger one is damage */
    bool compare_only;          /* create nothing, only compare what both have */
    struct store_limits limits; /* the deadline of all, the retries of each request */
};

struct copy_object; /* opaque */

/* Begin. 0 or -1 (ERR_INTERNAL). The request and its name are copied; the rest is borrowed. */
int copy_object_start(const struct copy_object_request *request, struct copy_object **ret_copy,
                      struct err *err) MUST_USE;

/* Take up what the loop has brought and ask what is next. True when it has ended. Never waits. */
bool copy_object_advance(struct copy_object *copy);

/*
 * The result of one that has ended: 0 (created in the target), an outcome (*err is filled unless
 * it is COPY_OBJECT_SAME; what it says of a copy that does not verify names neither object nor
 * store), or -1: a store failed, see copy_object_failed().
 */
int copy_object_result(const struct copy_object *copy, struct err *err) MUST_USE;

/* Which store failed, if the result is -1: the source or the target. NULL: neither. */
struct store *copy_object_failed(const struct copy_object *copy);

/* Bytes of the source's object, once it has been read; else 0. */
uint64_t copy_object_size(const struct copy_object *copy);

/* Abandons what is under way. NULL is fine. */
void copy_object_free(struct copy_object *copy);

DEFINE_POINTER_CLEANUP(copy_object, struct copy_object, copy_object_free);

#endif
