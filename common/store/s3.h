/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3.h: an open S3 store. Private to common/store.
 */
#ifndef STORE_S3_H
#define STORE_S3_H

#include "store/http.h"
#include "store/s3_credentials.h"
#include "store/s3_xml.h"

#define S3_BUCKET_MAX 63
#define S3_ROOT_MAX 400
#define S3_HOST_MAX 255
#define S3_OWNED_MAX 8
#define S3_SPARES 3

/* A connection that is kept for one question (s3_spare.h). */
struct s3_spare {
    struct s3 *s3;
    struct http_lane *lane;    /* NULL: none */
    struct http *http;         /* its first request, while that is under way */
    bool ready;
    char mark[S3_KEY_MAX + 1]; /* of that request */
};

struct s3 {
    struct store store;
    /* Points into `owned`. */
    struct store_config config;
    struct http_settings http;

    char bucket[S3_BUCKET_MAX + 1];
    char root[S3_ROOT_MAX + 2];      /* empty, or "a/b/" */
    char scheme[8];                  /* "https" */
    char authority[S3_HOST_MAX + 8]; /* of the endpoint: "host" or "host:port" */
    char
        host[S3_BUCKET_MAX + S3_HOST_MAX + 10]; /* of requests: with the bucket if not path_style */
    char endpoint[S3_HOST_MAX + 24];            /* for messages: "https://host" */

    struct s3_credentials credentials;
    bool credentials_loaded;
    int64_t clock_offset_us; /* what to add to our clock so that the store accepts it */
    bool at_the_end; /* the last object that somebody needed was not there */
    bool unmarked;   /* lists do not tell what they answer, as far as is known */
    bool spares_wanted;
    struct s3_spare spares[S3_SPARES];

    char *owned[S3_OWNED_MAX];
    size_t n_owned;
};

/* The operations on tasks, in s3_task.c. */
int s3_task_start(struct store_task *task, struct err *err) MUST_USE;
void s3_task_abandon(struct store_task *task);
void s3_task_wake(struct store_task *task);

#endif
