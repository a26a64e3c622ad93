/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_varint.h: the numbers of the segment index (docs/format.md, section 13.1).
 */
#ifndef WAL_WAL_VARINT_H
#define WAL_WAL_VARINT_H

#include "base/buf.h"
#include "base/io.h"

/* A number in its shortest form and no other; else the cursor has failed. */
uint64_t wal_varint_read(struct cursor *cursor);
int64_t wal_varint_read_signed(struct cursor *cursor);

/* The same, failing above UINT32_MAX. */
uint32_t wal_varint_read_u32(struct cursor *cursor);

/*
 * Bytes being written. Once something did not fit (its ceiling, or memory) `full` is set and
 * everything later is left out, so a writer asks once at the end.
 */
struct wal_output {
    struct buf buf;
    bool full;
};

#define WAL_OUTPUT_INIT(ceiling) ((struct wal_output){.buf = BUF_INIT(ceiling)})

void wal_output_bytes(struct wal_output *output, const void *bytes, size_t size);
void wal_output_u8(struct wal_output *output, uint8_t value);
void wal_output_number(struct wal_output *output, uint64_t value);
void wal_output_signed(struct wal_output *output, int64_t value);

/* value - before, whatever the two are: differences wrap around and back again. */
void wal_output_difference(struct wal_output *output, uint64_t value, uint64_t before);

/* Take back what was written behind `size`; more may follow. */
void wal_output_cut(struct wal_output *output, size_t size);

void wal_output_done(struct wal_output *output);

DEFINE_CLEANUP(wal_output, struct wal_output, wal_output_done);

#endif
