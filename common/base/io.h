/* SPDX-License-Identifier: PostgreSQL */
/*
 * io.h: a bounds-checked cursor over foreign bytes, and whole reads and writes
 * on descriptors.
 *
 * A cursor never reads past its end: a read that would sets `failed`, returns
 * zero, and so does every later one. A parser reads like a schema and asks
 * once at the end whether all of it was there.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct cursor {
    const uint8_t *data;
    size_t size;
    size_t offset;
    bool failed;
};

void cursor_init(struct cursor *cursor, const void *data, size_t size);
size_t cursor_left(const struct cursor *cursor);

/* Big-endian, the order of everything Seawall writes itself. */
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16_be(struct cursor *cursor);
uint32_t cursor_u32_be(struct cursor *cursor);
uint64_t cursor_u64_be(struct cursor *cursor);

/* Little-endian: lz4 and zstd frame headers. */
uint32_t cursor_u32_le(struct cursor *cursor);
uint64_t cursor_u64_le(struct cursor *cursor);

/* Host order: WAL and pg_control are written so. */
uint16_t cursor_u16_host(struct cursor *cursor);
uint32_t cursor_u32_host(struct cursor *cursor);
uint64_t cursor_u64_host(struct cursor *cursor);

/* The next `size` bytes where they stand, or NULL (failed). */
const uint8_t *cursor_bytes(struct cursor *cursor, size_t size);

void put_u16_be(uint8_t *place, uint16_t value);
void put_u32_be(uint8_t *place, uint32_t value);
void put_u64_be(uint8_t *place, uint64_t value);
void put_u32_le(uint8_t *place, uint32_t value);

enum io_outcome {
    IO_SHORT = 1, /* the file ended before `size` bytes */
};

/*
 * Read exactly `size` bytes, going on after short reads and EINTR.
 * `name` is for the message. Returns 0, IO_SHORT (*ret_got says how many), or -1.
 */
int io_read_full(int fd, void *bytes, size_t size, size_t *ret_got, const char *name,
                 struct err *err) MUST_USE;

/* Write all of it. 0 or -1; a signal sent to us does not cut it short. */
int io_write_full(int fd, const void *bytes, size_t size, const char *name,
                  struct err *err) MUST_USE;

#endif
