/* SPDX-License-Identifier: PostgreSQL */
/*
 * delivery.h: one packed object into the stores, all at once.
 *
 * Per store: wait until its gate is open (it has proven that it creates conditionally), put, and
 * where the name is taken read what is there and compare. A store holds the object when it
 * acknowledged our bytes, or when what it has is whole, signed by a writer of ours and of the same
 * content.
 *
 * Nothing here waits: delivery_advance() takes up what the loop has brought. Only delivery_run(),
 * for a process that does nothing else, drives the loop until there is a verdict.
 *
 * Other content under the name in any store is a conflict, whatever the others say: nobody may find
 * two contents under one name and be told that all is well.
 */
#ifndef ARCHIVE_DELIVERY_H
#define ARCHIVE_DELIVERY_H

#include "archive/gate.h"
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
 * A delivery of `object`, which is borrowed until delivery_free(), to the stores whose bit is set
 * in `stores` (bit i for store i). Requests begin at once where gates are open. 0 or -1
 * (ERR_INTERNAL).
 */
#define DELIVERY_ALL UINT32_MAX

int delivery_new(struct archive *archive, struct gates *gates, uint32_t stores,
                 const struct delivery_object *object, struct delivery **ret_delivery,
                 struct err *err) MUST_USE;

/* Each request that begins from now on has these limits, counted from its beginning. */
void delivery_set_limits(struct delivery *delivery, int64_t limit_ms, int64_t retry_ms);

/* Notices of what was found in stores go there; before, they go nowhere. */
void delivery_set_notices(struct delivery *delivery, struct notices *notices);

/* Take up every answer that is there. True: something changed. */
bool delivery_advance(struct delivery *delivery);

enum delivery_place {
    DELIVERY_LEFT_OUT, /* not asked for, or given up */
    DELIVERY_UNDER_WAY,
    DELIVERY_HOLDS,
    DELIVERY_FAILED,
};

/* How it stands with store i; DELIVERY_FAILED: *ret_why (may be NULL) says why. */
enum delivery_place delivery_place(const struct delivery *delivery, size_t i, struct err *ret_why);

size_t delivery_count(const struct delivery *delivery, enum delivery_place place);

/* How many stores failed for a reason that may pass. */
size_t delivery_count_passing(const struct delivery *delivery);

/* How many attempts were vain. */
unsigned delivery_vain(const struct delivery *delivery);

/* How the bytes went, or go, to store i; empty before that. */
const struct store_sending *delivery_sending(const struct delivery *delivery, size_t i);

/* Try a store again that has failed; one that waits for its gate is begun when that opens. */
void delivery_again(struct delivery *delivery, size_t i);

/* Give up the request to store i, if it is under way. */
void delivery_leave_out(struct delivery *delivery, size_t i);

/*
 * As things stand: 0 when enough stores hold it and none has other content. -1: ERR_CONFLICT, or
 * the gravest of what keeps too many stores from holding it; ERR_TRANSIENT if they are just not
 * done. The stores that do not hold it are told in `notices` (NULL: they are not).
 */
int delivery_verdict(const struct delivery *delivery, struct notices *notices,
                     struct err *err) MUST_USE;

/*
 * Drive the loop until every store holds the object or has failed, `deadline_ms` has come, or
 * enough hold it and the others were waited for `lag_wait` seconds. Then the verdict.
 */
int delivery_run(struct delivery *delivery, int64_t deadline_ms, struct notices *notices,
                 struct err *err) MUST_USE;

void delivery_free(struct delivery *delivery);

DEFINE_POINTER_CLEANUP(delivery, struct delivery, delivery_free);

#endif
