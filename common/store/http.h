/* SPDX-License-Identifier: PostgreSQL */
/*
 * http.h: one attempt of one HTTP request on the loop. Private to common/store.
 *
 * HTTP/1.1 over verified TLS 1.2 or later (plain HTTP only where allowed); nothing from the
 * environment, no proxy, no redirect, no cookie, no decompression. Connections are kept and
 * shared by all requests of the loop. The deadline is the task's and kept by the loop.
 *
 * An answer counts as received only if it is whole. With status 200 or 206 and need_length that
 * takes exactly one Content-Length that equals the body; libcurl alone is content with a body cut
 * at the close of the connection or with the last of several lengths. What the server sends
 * behind that length belongs to no answer. If it comes late, libcurl takes it for the answer to the
 * next request on that connection: whoever believes an answer that does not prove itself asks for
 * a fresh connection, or on one of which it is known what was asked there (http_lane.h).
 */
#ifndef STORE_HTTP_H
#define STORE_HTTP_H

#include "base/buf.h"
#include "store/backend.h"
#include "store/http_head.h"

struct http_lane;

#define HTTP_REASON_SIZE 320
#define HTTP_ERROR_BODY_MAX (64 * KIB) /* of an answer that is not 2xx; a longer one is dropped */

struct http_settings {
    const char *ca_file; /* NULL: the system's */
    bool allow_http;
    uint32_t connect_timeout_ms; /* 0: 5 seconds */
    uint32_t stall_timeout_ms;   /* 0: 20 seconds */
};

struct http_request {
    const char *method; /* "GET", "PUT", "DELETE" */
    const char *url;
    const char *headers;      /* lines "name: value\n"; copied */
    const struct span *spans; /* PUT: the body; borrowed until the end */
    size_t n_spans;
    struct store_sending *sending; /* PUT: kept up to date until the end; NULL: nobody looks */
    const struct span *expect; /* a 2xx body is compared with this instead of being kept */
    size_t n_expect;
    size_t max_body; /* of a 2xx answer */
    bool need_length;
    bool fresh; /* on a new connection, where no answer to anything else can be on its way */
    struct http_lane *lane; /* on this connection apart; borrowed until http_free(). Or NULL */
    void (*done)(void *context); /* the end, from within the loop; may call http_free() */
    void *context;
};

enum http_failure {
    HTTP_WHOLE = 0, /* an answer was received: see its status */
    HTTP_NETWORK,   /* name lookup, connection, time, cut answer */
    HTTP_PROTOCOL,  /* an answer that cannot be relied on */
    HTTP_TOO_LARGE, /* a 2xx answer of more than max_body bytes */
    HTTP_UNTRUSTED, /* TLS: the server is not who it should be, or cannot prove it */
    HTTP_INTERNAL,  /* memory, libcurl */
};

struct http_response {
    enum http_failure failure;
    char reason[HTTP_REASON_SIZE]; /* of the failure, fit for a log line */
    struct http_head head;
    struct buf body;
    uint64_t received; /* body bytes, kept, compared or dropped */
    bool differs;      /* the body is not what was expected */
    bool reused;       /* on a connection that had answered before */
};

struct http;

/* 0: under way, done() will be called once, unless http_free() comes first. -1: ERR_INTERNAL. */
int http_start(struct store_loop *loop, const struct http_settings *settings,
               const struct http_request *request, struct http **ret_http, struct err *err)
    MUST_USE;

/* Valid from done() until http_free(). */
struct http_response *http_response(struct http *http);

/* Also gives up a request under way. NULL is fine. */
void http_free(struct http *http);

#endif
