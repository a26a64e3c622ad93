/* SPDX-License-Identifier: PostgreSQL */
/*
 * delivery.h: one packed object into the stores, all at once.
 *
 * Per store: prove that it creates conditionally (a directory does by construction; an
 * S3 store is asked with the probe object), put, and where the name is taken read what is there
 * and compare. A store holds the object when it acknowledged our bytes, or when what it has is
 * whole, signed by a writer of ours and of the same content.
 *
 * The delivery is done when `acknowledge` stores hold the object and the others do too, have
 * failed, or have been waited for `lag_wait` seconds. Other content under the name in any store
 * is a conflict, whatever the others say: nobody may find two contents under one name and be
 * told that all is well.
 */
#ifndef ARCHIVE_DELIVERY_H
#define ARCHIVE_DELIVERY_H

#include "base/log.h"
#include "catalog/archive.h"

struct delivery; /* opaque */

struct delivery_object {
    const char *name;
    const char *file; /* for messages: "000000010000000000000007" */
    uint64_t system_id;
    const struct span *spans; /* two; must live until delivery_free() */
    const struct seal *seal;
    const uint8_t *file_digest;
};

/*
 * Begin to reach the stores (connect, probe) while the caller still packs. `deadline_ms` is for
 * the whole delivery. 0 or -1 (ERR_INTERNAL).
 */
int delivery_new(struct archive *archive, int64_t deadline_ms, struct notices *notices,
                 struct delivery **ret_delivery, struct err *err) MUST_USE;

/*
 * 0: enough stores hold it; stores that do not are told in notices. -1: ERR_CONFLICT (other
 * content under the name), or the gravest of what kept too many stores from holding it.
 */
int delivery_run(struct delivery *delivery, const struct delivery_object *object,
                 struct err *err) MUST_USE;

void delivery_free(struct delivery *delivery);

DEFINE_POINTER_CLEANUP(delivery, struct delivery, delivery_free);

#endif
