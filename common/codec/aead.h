/* SPDX-License-Identifier: PostgreSQL */
/*
 * aead.h: ChaCha20-Poly1305 (RFC 8439) without associated data. One context
 * serves any number of messages under one key.
 */
#ifndef CODEC_AEAD_H
#define CODEC_AEAD_H

#include "base/buf.h"

#define AEAD_KEY_SIZE 32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE ((size_t)16)

struct aead {
    struct evp_cipher_ctx_st *context;
};

#define AEAD_INIT ((struct aead){.context = NULL})

enum aead_direction {
    AEAD_OPEN = 0,
    AEAD_SEAL = 1,
};

enum aead_outcome {
    AEAD_FORGED = 1, /* the tag does not match; the output must not be used */
};

/* 0 or -1 (ERR_INTERNAL). */
int aead_begin(struct aead *aead, enum aead_direction direction, const uint8_t *key,
               struct err *err) MUST_USE;

/* Encrypt bytes[0..size) where they stand; the tag goes behind them. 0 or -1 (ERR_INTERNAL). */
int aead_seal(struct aead *aead, const uint8_t *nonce, uint8_t *bytes, size_t size,
              struct err *err) MUST_USE;

/* Decrypt a message (its last 16 bytes are the tag, at least 17 in all) into `text`, which does
 * not overlap it. 0, AEAD_FORGED, or -1 (ERR_INTERNAL). */
int aead_open(struct aead *aead, const uint8_t *nonce, struct span message, uint8_t *text,
              struct err *err) MUST_USE;

/* Wipes the key. */
void aead_done(struct aead *aead);

DEFINE_CLEANUP(aead, struct aead, aead_done);

#endif
