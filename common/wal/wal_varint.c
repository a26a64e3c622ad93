/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_varint.h"

#include <string.h>

#define LENGTH_MAX 10 /* 64 bits in groups of seven */

uint64_t
wal_varint_read(struct cursor *cursor)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < LENGTH_MAX; i++) {
        uint8_t byte = cursor_u8(cursor);

        /* The tenth has room for one bit, and a last one of zero says nothing. */
        if (cursor->failed || (i == LENGTH_MAX - 1 && byte > 1) || (i > 0 && byte == 0))
            break;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if ((byte & 0x80) == 0)
            return value;
    }
    cursor->failed = true;
    return 0;
}

int64_t
wal_varint_read_signed(struct cursor *cursor)
{
    uint64_t value = wal_varint_read(cursor);

    return (int64_t)((value >> 1) ^ (~(value & 1) + 1));
}

uint32_t
wal_varint_read_u32(struct cursor *cursor)
{
    uint64_t value = wal_varint_read(cursor);

    if (value > UINT32_MAX) {
        cursor->failed = true;
        return 0;
    }
    return (uint32_t)value;
}

void
wal_output_bytes(struct wal_output *output, const void *bytes, size_t size)
{
    struct buf *buf = &output->buf;

    if (output->full)
        return;
    if (buf->limit - buf->size < size) {
        output->full = true;
        return;
    }
    if (buf->capacity - buf->size < size) {
        struct err ignored;

        if (buf_reserve(buf, size, &ignored) != 0) {
            output->full = true;
            return;
        }
    }
    if (size > 0)
        memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
}

void
wal_output_u8(struct wal_output *output, uint8_t value)
{
    wal_output_bytes(output, &value, 1);
}

void
wal_output_number(struct wal_output *output, uint64_t value)
{
    uint8_t bytes[LENGTH_MAX];
    size_t n = 0;

    while (value >= 0x80) {
        bytes[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (uint8_t)value;
    wal_output_bytes(output, bytes, n);
}

void
wal_output_signed(struct wal_output *output, int64_t value)
{
    uint64_t doubled = (uint64_t)value << 1;

    wal_output_number(output, value < 0 ? ~doubled : doubled);
}

void
wal_output_difference(struct wal_output *output, uint64_t value, uint64_t before)
{
    wal_output_signed(output, (int64_t)(value - before));
}

void
wal_output_cut(struct wal_output *output, size_t size)
{
    if (size < output->buf.size)
        output->buf.size = size;
    output->full = false;
}

void
wal_output_done(struct wal_output *output)
{
    buf_done(&output->buf);
}
