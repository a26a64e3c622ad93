/* SPDX-License-Identifier: PostgreSQL */
/*
 * hedge.h: file key, nonce and ephemeral secrets that stay secret and distinct
 * when the random generator repeats itself or is predictable (docs/format.md
 * section 5).
 */
#ifndef CODEC_HEDGE_H
#define CODEC_HEDGE_H

#include "codec/digest.h"
#include "codec/keys.h"

#define HEDGE_RANDOM_SIZE 32
#define HEDGE_KEY_SIZE 16 /* of the file key and of the nonce */

/* Everything the payload's bytes depend on. */
struct hedge_context {
    struct span name;
    const uint8_t *file_digest;
    uint8_t compression;
    uint32_t level;
    uint32_t library_version;
    uint32_t index_version;
    struct span index;
};

/* `random` has HEDGE_RANDOM_SIZE bytes. 0 or -1 (ERR_INTERNAL), as the others. */
int hedge_begin(const struct writer_key *key, const uint8_t *random,
                const struct hedge_context *context, struct digest_secret *ret_base,
                struct err *err) MUST_USE;

/* HEDGE_KEY_SIZE bytes. */
int hedge_file_key(const struct digest_secret *base, uint8_t *ret_key, struct err *err) MUST_USE;
int hedge_nonce(const struct digest_secret *base, uint8_t *ret_nonce, struct err *err) MUST_USE;

/* The X25519 secret for the recipient that stands at `position`. */
int hedge_ephemeral(const struct digest_secret *base, uint16_t position,
                    const struct age_recipient *recipient, uint8_t *ret_secret,
                    struct err *err) MUST_USE;

#endif
