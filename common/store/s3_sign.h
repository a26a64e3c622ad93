/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_sign.h: AWS Signature Version 4 in the Authorization header.
 *
 * Pure: the time is an argument, nothing is sent. The request described by
 *
 *      method PUT, host "bucket.s3.eu-west-3.amazonaws.com", path "/pg/main/a b",
 *      headers {"x-amz-date", ...}, ...
 *
 * goes over the wire as
 *
 *      PUT /pg/main/a%20b HTTP/1.1
 *      host: bucket.s3.eu-west-3.amazonaws.com
 *      x-amz-content-sha256: <payload_hash>
 *      x-amz-date: 20261122T153600Z
 *      authorization: AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...
 *
 * Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference.
 */
#ifndef STORE_S3_SIGN_H
#define STORE_S3_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define S3_SIGN_PAIRS_MAX 16
#define S3_SIGN_DATE_SIZE 17 /* "20261122T153600Z" and a NUL */

struct s3_pair {
    const char *name;  /* header: lower case; query: as it is */
    const char *value; /* not encoded */
};

struct s3_request {
    const char *method;
    const char *host; /* with ":port" if it is not the scheme's own */
    const char *path; /* absolute, not encoded */
    struct s3_pair query[S3_SIGN_PAIRS_MAX];
    size_t n_query;
    struct s3_pair headers[S3_SIGN_PAIRS_MAX]; /* further headers to send and sign */
    size_t n_headers;
    const char *payload_hash; /* hex SHA-256 of the body */
};

struct s3_identity {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* NULL or empty: none */
    const char *region;
    const char *service; /* "s3" */
};

/* "20261122T153600Z"; the nearest such date if the year does not have four digits. */
void s3_sign_date(int64_t real_us, char *ret_date);

/*
 * All functions below append to a buffer of the caller and leave it as it was when they fail.
 * They fail with ERR_INTERNAL: out of memory, the buffer's ceiling, or a request nobody should
 * have built. No message contains a value.
 */

/* Append `text` percent-encoded once: unreserved characters stay, and '/' if keep_slash. */
int s3_encode(struct buf *ret, const char *text, bool keep_slash, struct err *err) MUST_USE;

/* Append "?a=b&c=d", sorted and encoded as the signature wants it; nothing if there is no query. */
int s3_encode_query(struct buf *ret, const struct s3_request *request, struct err *err) MUST_USE;

/*
 * Append the header lines to send, each "name: value\n": x-amz-content-sha256, x-amz-date,
 * x-amz-security-token if there is one, the request's own, and authorization (which signs them
 * all and host). Values are sent as they are signed: trimmed, with runs of blanks made one.
 * Refused are a header of the request's own that is not lower case, is given twice, is one of
 * those made here, is empty (libcurl would not send it) or contains a control character; a host,
 * region or access key id that could be read as more than that; a date or payload hash of
 * another form. The lines contain the session token: the caller wipes them.
 */
int s3_sign(const struct s3_request *request, const struct s3_identity *identity,
            const char *date, struct buf *ret_headers, struct err *err) MUST_USE;

/* The intermediate strings, for the published test vectors. */
int s3_canonical_request(const struct s3_request *request, const struct s3_identity *identity,
                         const char *date, struct buf *ret, struct err *err) MUST_USE;

#endif
