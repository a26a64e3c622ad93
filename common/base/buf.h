/* SPDX-License-Identifier: PostgreSQL */
/*
 * buf.h: bytes that grow, up to a ceiling stated when the buffer is made.
 *
 * data[0..size) is the content; data is NULL or has `capacity` bytes. No
 * append ever lets size pass `limit`: what comes from outside can be refused,
 * never swallowed. A failed append leaves the buffer unchanged.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;
};

/* A piece of memory somebody else owns. */
struct span {
    const uint8_t *data;
    size_t size;
};

#define BUF_INIT(ceiling) ((struct buf){.limit = (ceiling)})
#define BUF_LIMIT_DEFAULT (64 * KIB)

enum buf_outcome {
    BUF_FULL = 1, /* the ceiling would be passed; nothing was appended */
};

/* Make room for `more` bytes behind size. 0, BUF_FULL, or -1 (out of memory). */
int buf_reserve(struct buf *buf, size_t more, struct err *err) MUST_USE;

/* 0, BUF_FULL, or -1 (out of memory). */
int buf_append(struct buf *buf, const void *bytes, size_t size, struct err *err) MUST_USE;
int buf_append_text(struct buf *buf, const char *text, struct err *err) MUST_USE;

/* Formatted text, without its NUL. 0, BUF_FULL, or -1. */
int buf_printf(struct buf *buf, struct err *err, const char *format, ...) PRINTF_LIKE(3, 4)
    MUST_USE;

/* The content as a NUL-terminated string (the NUL is not counted). NULL if memory is out. */
const char *buf_text(struct buf *buf, struct err *err) MUST_USE;

/* Forget the content, keep the memory. */
void buf_clear(struct buf *buf);

/* Release the memory; the buffer is empty afterwards and may be used again. */
void buf_done(struct buf *buf);

DEFINE_CLEANUP(buf, struct buf, buf_done);

#endif
