/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_digest.h: the digests an S3 store compares bodies by.
 */
#ifndef STORE_S3_DIGEST_H
#define STORE_S3_DIGEST_H

#include "base/buf.h"

#define S3_DIGEST_HEX_SIZE 65

enum s3_digest_outcome {
    S3_DIGEST_UNAVAILABLE = 1, /* this OpenSSL does not offer it (MD5 under FIPS) */
};

/*
 * The digest ("SHA256", "MD5") of the spans one after the other, in lower-case hexadecimal;
 * ret_hex has S3_DIGEST_HEX_SIZE bytes. 0, S3_DIGEST_UNAVAILABLE, or -1 (ERR_INTERNAL).
 */
int s3_digest(const char *algorithm, const struct span *spans, size_t n_spans, char *ret_hex,
              struct err *err) MUST_USE;

#endif
