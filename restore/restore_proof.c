/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_proof.h"

#include <inttypes.h>
#include <string.h>

#include "codec/digest.h"

int
restore_proof_init(struct restore_proof *proof, const struct backup_complete *complete,
                   struct err *err)
{
    *proof = (struct restore_proof){
        .complete = complete,
        .digests = calloc((size_t)complete->n_parts + 1, DIGEST_SIZE),
        .seen = calloc((size_t)complete->n_parts + 1, sizeof(bool)),
    };
    return proof->digests == NULL || proof->seen == NULL ? err_memory(err, "digests of parts") : 0;
}

void
restore_proof_done(struct restore_proof *proof)
{
    free(proof->digests);
    free(proof->seen);
    *proof = (struct restore_proof){.complete = NULL};
}

int
restore_proof_note(struct restore_proof *proof, const char *label, uint32_t part,
                   const uint8_t *digest, struct err *err)
{
    if (strcmp(label, proof->complete->label) != 0)
        return 0;
    if (part < 1 || part > proof->complete->n_parts)
        return err_set(err, ERR_CORRUPT, "the backup has %" PRIu32 " parts",
                       proof->complete->n_parts);
    uint8_t *at = proof->digests + (size_t)(part - 1) * DIGEST_SIZE;
    if (proof->seen[part - 1] && !digest_equal(at, digest))
        return err_set(err, ERR_CORRUPT, "the stores hold different files under its name");
    memcpy(at, digest, DIGEST_SIZE);
    proof->seen[part - 1] = true;
    return 0;
}

uint32_t
restore_proof_next(const struct restore_proof *proof, uint32_t from)
{
    for (uint32_t part = from; part <= proof->complete->n_parts; part++)
        if (!proof->seen[part - 1])
            return part;
    return 0;
}

int
restore_proof_check(const struct restore_proof *proof, struct err *err)
{
    const struct backup_complete *complete = proof->complete;
    const struct span all = {proof->digests, (size_t)complete->n_parts * DIGEST_SIZE};
    uint8_t digest[DIGEST_SIZE];

    if (restore_proof_next(proof, 1) != 0)
        return err_set(err, ERR_INTERNAL, "not every part of the backup was looked at");
    if (digest_sha256(&all, 1, digest, err) < 0)
        return -1;
    if (!digest_equal(digest, complete->parts_digest))
        return err_set(err, ERR_CORRUPT,
                       "the parts are not those that backup %s was completed with",
                       complete->label);
    return 0;
}
