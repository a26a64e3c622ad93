/* SPDX-License-Identifier: PostgreSQL */
/*
 * placement.h: an object becomes an open file, verified to its end.
 *
 * The file gets its name apart from this (landing.h): decoding may be a worker's, and the name may
 * be given in another process, for the agent hands the open file to its hook.
 */
#ifndef RESTORE_PLACEMENT_H
#define RESTORE_PLACEMENT_H

#include "catalog/archive.h"
#include "catalog/pgdata.h"
#include "restore/landing.h"
#include "wal/wal_history.h"

struct placement {
    const struct archive *archive; /* its keys and settings; borrowed */
    const struct pgdata *pgdata;   /* borrowed */
    const struct wal_name *wal;    /* borrowed */
    const char *object_name;       /* borrowed */
    struct landing *landing;       /* borrowed */

    /* What came of it. */
    struct newfile file; /* after 0: complete, written, at offset 0 */
    uint64_t file_size;
    struct seal seal;             /* of the object */
    uint8_t digest[DIGEST_SIZE];  /* SHA-256 of the file */
    struct wal_history *history; /* of a history file */
    struct err odd;              /* if its kind is set: what is wrong, and was accepted */
};

/*
 * Decode the object in `bytes` into a new file and verify it to the end. Touches nothing but the
 * placement and what the landing makes. 0 or -1: ERR_CORRUPT, ERR_CONFIG (no key opens it),
 * ERR_LOCAL (disk), ERR_TRANSIENT (a stop request), ERR_INTERNAL.
 */
int placement_decode(struct placement *placement, struct span bytes, struct err *err) MUST_USE;

/* Drop the file, if it was not taken. */
void placement_done(struct placement *placement);

DEFINE_CLEANUP(placement, struct placement, placement_done);

#endif
