/* SPDX-License-Identifier: PostgreSQL */
/*
 * verify.h: is everything in the archive what it should be, in every store?
 *
 * Every object is read whole: seal, payload hash, decoding, digest; WAL page by page; history files
 * and completions parsed; parts and manifests of a backup held against each other and against its
 * completion; and what one store has is compared with what the stores before it have. Memory: a few
 * objects in flight, 1 MiB, and 36 bytes for each part of one backup.
 */
#ifndef RESTORE_VERIFY_H
#define RESTORE_VERIFY_H

#include "base/log.h"
#include "catalog/archive.h"

enum verify_kind {
    VERIFY_DAMAGED, /* ours, and not what it should be */
    VERIFY_MISSING, /* not in this store, but it belongs there: another one has it */
    VERIFY_FOREIGN, /* a name or a seal that is not ours */
    VERIFY_UNREAD,  /* the store did not answer */
    VERIFY_DISAGREEING, /* another store has other content under this name, as well sealed */
};

#define VERIFY_KINDS 5

/* What one store was found to hold. */
struct verify_totals {
    uint64_t n_objects; /* read */
    uint64_t n_bytes;
    uint64_t n_found[VERIFY_KINDS]; /* by kind */
    bool away;           /* it could not be listed, or stopped answering */
};

struct verify_request {
    const char *label; /* only this backup; NULL: everything */
    bool wal_since;    /* only WAL and histories, segments from the one with `since` on */
    uint64_t since;
    int64_t deadline_ms;
    /* Called for every finding, as it is made; `context` is the caller's. */
    void (*finding)(void *context, enum verify_kind kind, const char *store, const char *name,
                    const char *why);
    void *context;
};

/* "damaged", "missing", "foreign", "unread", "disagreeing". */
const char *verify_kind_name(enum verify_kind kind);

/* Can it decrypt what is there? Without, only seals and payload hashes are verified. */
bool verify_is_deep(const struct archive *archive);

/*
 * Verify. ret_totals has one entry a store. 0: nothing was found; -1: ERR_CORRUPT (damage),
 * ERR_CONFLICT (missing, foreign or disagreeing), ERR_TRANSIENT (a store is away), ERR_CONFIG (no
 * such backup), in this order of gravity, or what kept it from working. The totals are filled in
 * any case.
 */
int verify_archive(struct archive *archive, const struct verify_request *request,
                   struct notices *notices, struct verify_totals *ret_totals,
                   struct err *err) MUST_USE;

#endif
