/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_proof.h: are the parts that were restored the ones that the backup was completed with?
 *
 * A seal says that a writer of ours made a part under this name, the completion's parts_digest
 * which content all parts had. Memory: 33 bytes for each part of the backup.
 */
#ifndef RESTORE_RESTORE_PROOF_H
#define RESTORE_RESTORE_PROOF_H

#include "catalog/backup_complete.h"

struct restore_proof {
    const struct backup_complete *complete; /* borrowed */
    uint8_t *digests;                       /* DIGEST_SIZE for each part, the first is number 1 */
    bool *seen;
};

/* 0 or -1 (ERR_INTERNAL). */
int restore_proof_init(struct restore_proof *proof, const struct backup_complete *complete,
                       struct err *err) MUST_USE;

void restore_proof_done(struct restore_proof *proof);

/*
 * This part's file has this SHA-256. Parts of other backups, which a manifest may point to, are
 * proven by the sums of the files alone. 0, or -1 (ERR_CORRUPT): the backup has no such part, or
 * it was another file before. Calls for the same part may not overlap.
 */
int restore_proof_note(struct restore_proof *proof, const char *label, uint32_t part,
                       const uint8_t *digest, struct err *err) MUST_USE;

/* The first part from this number on that was not noted; 0: none. */
uint32_t restore_proof_next(const struct restore_proof *proof, uint32_t from);

/* All were noted. 0, or -1 (ERR_CORRUPT): they are others. */
int restore_proof_check(const struct restore_proof *proof, struct err *err) MUST_USE;

DEFINE_CLEANUP(restore_proof, struct restore_proof, restore_proof_done);

#endif
