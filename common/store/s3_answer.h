/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_answer.h: what an answer of an S3 store means. Pure: the whole table of statuses and codes,
 * apart from the machinery that acts on it.
 *
 * The rule behind the table: what is not understood is a failure, and absence is believed only
 * when the store itself says NoSuchKey.
 */
#ifndef STORE_S3_ANSWER_H
#define STORE_S3_ANSWER_H

#include "store/http.h"

/* What was asked, as far as the meaning of the answer depends on it. */
struct s3_question {
    enum task_kind kind;
    bool reading_back;        /* a get that checks the put of the same task */
    struct store_range range; /* get */
    const char *etag;         /* put: the one that proves our bytes; empty: none can */
    const char *bucket;
    const char *region;
    const char *endpoint;
    const char *ca_file;            /* NULL: the system's */
    const char *credentials_source; /* for hints */
};

enum s3_next {
    S3_NEXT_END,       /* ended with `outcome`; a list is still to be read */
    S3_NEXT_READ_BACK, /* stored, but nothing proves the bytes: read them */
    S3_NEXT_RETRY,     /* later */
    S3_NEXT_PUT_AGAIN, /* later, and from the put on: what was acknowledged is not there */
    S3_NEXT_RELOAD,    /* once with credentials loaded anew, then failed */
    S3_NEXT_FIX_CLOCK, /* once with the store's time, then failed */
    S3_NEXT_FAIL,
};

struct s3_verdict {
    enum s3_next next;
    int outcome;    /* END */
    struct err err; /* all but END: why, without the name of the object */
};

void s3_answer_judge(const struct s3_question *question, const struct http_response *response,
                     struct s3_verdict *ret_verdict);

#endif
