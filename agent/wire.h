/* SPDX-License-Identifier: PostgreSQL */
/*
 * wire.h: what hook and agent say to each other (docs/agent.md).
 *
 * A message is one packet of at most WIRE_MESSAGE_MAX bytes, lines of text. Reading is strict on
 * both sides: unknown words, missing or repeated lines, control bytes and overlong values are
 * ERR_INTERNAL, for both ends are ours. Nothing here waits.
 */
#ifndef AGENT_WIRE_H
#define AGENT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

#define WIRE_MESSAGE_MAX 8192
#define WIRE_VERSION_SIZE 32
#define WIRE_NAME_SIZE 256
#define WIRE_PATH_SIZE 4096
#define WIRE_DATA_MAX 4096           /* of one `data` message */
#define WIRE_TIME_MAX_MS 86400000

struct wire_message {
    size_t size;
    char text[WIRE_MESSAGE_MAX];
};

/* ---- a request ---- */

enum wire_verb {
    WIRE_PUSH,
    WIRE_FETCH,
    WIRE_STATUS,
    WIRE_STOP,
};

struct wire_request {
    enum wire_verb verb;
    char version[WIRE_VERSION_SIZE]; /* of the hook's program */
    int64_t elapsed_ms;              /* since the hook was started */
    int64_t timeout_ms;              /* it waits no longer than this since its start; 0: no say */
    char name[WIRE_NAME_SIZE];       /* fetch */
    char path[WIRE_PATH_SIZE];       /* push, fetch */
};

/* 0 or -1: ERR_CONFIG, a name or path that cannot be said. */
int wire_write_request(const struct wire_request *request, struct wire_message *ret,
                       struct err *err) MUST_USE;

enum wire_outcome {
    WIRE_NOTHING = 1, /* receive: no message has come yet */
    WIRE_ENDED = 2,   /* receive, send: the other side has closed or died */
    WIRE_FULL = 3,    /* send: the other side does not read */
    WIRE_FOREIGN = 4, /* read_request: another version of the protocol */
};

/* 0, WIRE_FOREIGN, or -1 (ERR_INTERNAL). */
int wire_read_request(const struct wire_message *message, struct wire_request *ret,
                      struct err *err) MUST_USE;

/* ---- an answer ---- */

enum wire_answer_kind {
    WIRE_ANSWER_WAIT,   /* wait_ms */
    WIRE_ANSWER_NOTE,   /* level, text */
    WIRE_ANSWER_DATA,   /* text: a piece of what was asked for */
    WIRE_ANSWER_OK,
    WIRE_ANSWER_ABSENT,
    WIRE_ANSWER_FAILED, /* err */
    WIRE_ANSWER_AGAIN,
    /* what a starting agent says on its pipe */
    WIRE_ANSWER_READY,
    WIRE_ANSWER_LOCKED, /* another agent has the lock */
    WIRE_ANSWER_OFF,    /* agent = false */
};

struct wire_answer {
    enum wire_answer_kind kind;
    int64_t wait_ms;
    enum log_level level;
    char text[WIRE_DATA_MAX + 1];
    struct err err;
};

void wire_write_answer(const struct wire_answer *answer, struct wire_message *ret);

/* 0 or -1 (ERR_INTERNAL). */
int wire_read_answer(const struct wire_message *message, struct wire_answer *ret,
                     struct err *err) MUST_USE;

/* ---- packets on a connected socket ---- */

/* `fd` goes along unless it is -1. 0, WIRE_ENDED, WIRE_FULL, or -1 (ERR_INTERNAL). */
int wire_send(int socket, const struct wire_message *message, int fd, struct err *err) MUST_USE;

/* *ret_fd: the descriptor that came along, or -1. 0, WIRE_NOTHING, WIRE_ENDED, -1. */
int wire_receive(int socket, struct wire_message *ret, int *ret_fd, struct err *err) MUST_USE;

#endif
