/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_request.h: one question in S3's words, signed and on its way. Private to common/store.
 */
#ifndef STORE_S3_REQUEST_H
#define STORE_S3_REQUEST_H

#include "store/s3.h"

enum s3_verb {
    S3_GET,
    S3_PUT, /* only if the name is free */
    S3_DELETE,
    S3_LIST,
};

struct s3_ask {
    enum s3_verb verb;
    const char *name;         /* below the root; list: the prefix */
    const char *payload_hash; /* put: SHA-256 of the body in hex */
    struct store_range range; /* get; size 0: all of it */
    uint32_t max;             /* list */
    const char *start_after;  /* list: the whole key, root included; empty: from the first */
};

/*
 * Sign and start. `http` has what does not depend on the words: bodies, ceilings, connection,
 * done(). Loads the credentials if that was not done yet. 0 or -1.
 */
int s3_request_start(struct s3 *s3, const struct s3_ask *ask, const struct http_request *http,
                     struct http **ret_http, struct err *err) MUST_USE;

/* Read the credentials anew. 0 or -1: those there were are kept. */
int s3_request_load_credentials(struct s3 *s3, struct err *err) MUST_USE;

#endif
