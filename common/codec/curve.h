/* SPDX-License-Identifier: PostgreSQL */
/*
 * curve.h: X25519 (RFC 7748) and pure Ed25519 (RFC 8032). Every key is 32 bytes.
 */
#ifndef CODEC_CURVE_H
#define CODEC_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define CURVE_KEY_SIZE 32
#define CURVE_SIGNATURE_SIZE 64

enum curve_outcome {
    CURVE_LOW_ORDER = 1, /* the other side's point has low order: the result would be zero */
};

/* 0 or -1 (ERR_INTERNAL). */
int curve_x25519_public(const uint8_t *secret, uint8_t *ret_public, struct err *err) MUST_USE;

/*
 * public_key is the secret's own; without it (NULL) it is computed, which doubles the work.
 * 0, CURVE_LOW_ORDER, or -1 (ERR_INTERNAL).
 */
int curve_x25519(const uint8_t *secret, const uint8_t *public_key, const uint8_t *other_public,
                 uint8_t *ret_shared, struct err *err) MUST_USE;

/* 0 or -1 (ERR_INTERNAL). */
int curve_ed25519_public(const uint8_t *seed, uint8_t *ret_public, struct err *err) MUST_USE;
int curve_ed25519_sign(const uint8_t *seed, struct span message, uint8_t *ret_signature,
                       struct err *err) MUST_USE;

/* *ret_good says whether the signature verifies. 0 or -1 (ERR_INTERNAL). */
int curve_ed25519_verify(const uint8_t *public_key, struct span message, const uint8_t *signature,
                         bool *ret_good, struct err *err) MUST_USE;

/* Is it the encoding of a point of low order, under which anybody could sign? */
bool curve_ed25519_low_order(const uint8_t *public_key);

#endif
