/* SPDX-License-Identifier: PostgreSQL */
/*
 * http_head.h: status line and header lines of one answer. Pure: lines in, facts out.
 *
 * Stricter than RFC 9112 asks of a client: a line that is folded, has no colon or has a blank in
 * the name is refused, and so is a second Content-Length even if it repeats the first. Lines
 * behind the head (trailers) are counted and ignored. What is unreadable or too long to be what
 * it should be counts as not sent.
 */
#ifndef STORE_HTTP_HEAD_H
#define STORE_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

#define HTTP_HEAD_MAX (64 * KIB) /* all lines of an answer together */
#define HTTP_INTERIM_MAX 8       /* 1xx answers before the one that counts */

struct http_head {
    int status;    /* 0: none yet */
    bool complete; /* the blank line behind the final status was seen */
    size_t size;
    unsigned n_interim;

    bool length_known;
    uint64_t length;
    bool chunked;
    bool coded;       /* a Content-Encoding, or a Transfer-Encoding other than chunked */
    bool range_known; /* Content-Range: bytes first-last/total */
    uint64_t range_first;
    uint64_t range_last;
    uint64_t range_total;
    bool date_known;
    int64_t date_s;         /* since 1970 */
    int64_t retry_after_ms; /* 0: not asked for; a date counts from the Date header */
    bool deleted;           /* x-amz-delete-marker, anything but "false" */
    char version_id[80];    /* x-amz-version-id */
    int64_t modified_s;     /* Last-Modified, since 1970; 0: not told */
    char etag[80];          /* as sent, with its quotes */
    char bucket_region[64];
    char encryption[64]; /* x-amz-server-side-encryption */
    char content_type[80];
};

/* Take the next line, with its line end. NULL, or what is wrong with the answer. */
const char *http_head_line(struct http_head *head, const char *line, size_t length) MUST_USE;

/* "Sun, 06 Nov 1994 08:49:37 GMT", the only form senders may use. */
bool http_head_date(const char *text, size_t length, int64_t *ret_date_s);

#endif
