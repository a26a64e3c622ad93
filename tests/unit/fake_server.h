/* SPDX-License-Identifier: PostgreSQL */
/*
 * fake_server.h: an HTTP server on 127.0.0.1 that answers as a script says, right or wrong.
 *
 * It runs in a child process and takes one request after the other, whatever the connection.
 * Step i answers request i; the last step also answers all that follow.
 */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAKE_STEPS_MAX 8
#define FAKE_SEEN_MAX 32
#define FAKE_HEAD_MAX 4096

enum fake_way {
    FAKE_WHOLE,   /* send the answer, keep the connection */
    FAKE_CLOSE,   /* send it and close */
    FAKE_RESET,   /* send it and reset the connection */
    FAKE_HANG,    /* send it, then nothing more until the client closes */
    FAKE_TRICKLE, /* a byte now and then */
    FAKE_BLIND,   /* send it before anything was asked, then close */
};

struct fake_step {
    int status;          /* 0: `raw` is the answer, 0 without raw: there is none */
    const char *headers; /* lines with \r\n behind a Content-Length that fits the body */
    const char *body;
    const char *raw;
    size_t padding; /* this many further bytes 'x' behind it */
    enum fake_way way;
};

/* Shared with the child. */
struct fake_seen {
    volatile unsigned n;
    struct {
        char head[FAKE_HEAD_MAX]; /* request line and headers */
        size_t body_size;
    } requests[FAKE_SEEN_MAX];
};

struct fake_server {
    pid_t pid;
    unsigned port;
    struct fake_seen *seen;
};

void fake_server_start(struct fake_server *server, const struct fake_step *steps, size_t n_steps);
void fake_server_stop(struct fake_server *server);

#endif
