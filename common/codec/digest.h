/* SPDX-License-Identifier: PostgreSQL */
/*
 * digest.h: SHA-256, HMAC-SHA-256 and HKDF-SHA-256 (RFC 5869, 32 bytes of output).
 *
 * Every function returns 0 or -1 (ERR_INTERNAL: libcrypto failed).
 */
#ifndef CODEC_DIGEST_H
#define CODEC_DIGEST_H

#include <stdbool.h>

#include "base/buf.h"

#define DIGEST_SIZE 32

/* 32 secret bytes that are wiped when their scope ends. */
struct digest_secret {
    uint8_t bytes[DIGEST_SIZE];
};

/* SHA-256 of bytes that arrive in pieces. Starts zeroed. */
struct digest {
    struct evp_md_ctx_st *context;
};

int digest_begin(struct digest *digest, struct err *err) MUST_USE;
int digest_add(struct digest *digest, const void *bytes, size_t size, struct err *err) MUST_USE;

/* digest_begin() starts the next one. */
int digest_end(struct digest *digest, uint8_t *ret_digest, struct err *err) MUST_USE;
void digest_done(struct digest *digest);

/* SHA-256 of the spans, one behind the other. */
int digest_sha256(const struct span *spans, size_t n_spans, uint8_t *ret_digest,
                  struct err *err) MUST_USE;

/* HMAC-SHA-256 of the spans, one behind the other. The key is 1 to 64 bytes. */
int digest_hmac(struct span key, const struct span *spans, size_t n_spans, uint8_t *ret_mac,
                struct err *err) MUST_USE;

/* HKDF; an empty salt is the 32 zero bytes RFC 5869 says. */
int digest_hkdf(struct span input_key, struct span salt, const char *info, uint8_t *ret_key,
                struct err *err) MUST_USE;

/* Constant-time comparison of two digests. */
bool digest_equal(const uint8_t *left, const uint8_t *right);

void digest_secret_done(struct digest_secret *secret);

DEFINE_CLEANUP(digest, struct digest, digest_done);
DEFINE_CLEANUP(digest_secret, struct digest_secret, digest_secret_done);

#endif
