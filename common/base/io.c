/* SPDX-License-Identifier: PostgreSQL */
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
cursor_init(struct cursor *cursor, const void *data, size_t size)
{
    /* NULL would make an empty read look like a failed one. */
    static const uint8_t nothing[1];

    *cursor = (struct cursor){.data = data != NULL ? data : nothing, .size = size};
}

size_t
cursor_left(const struct cursor *cursor)
{
    return cursor->failed ? 0 : cursor->size - cursor->offset;
}

const uint8_t *
cursor_bytes(struct cursor *cursor, size_t size)
{
    if (cursor->failed || cursor->size - cursor->offset < size) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *here = cursor->data + cursor->offset;
    cursor->offset += size;
    return here;
}

uint8_t
cursor_u8(struct cursor *cursor)
{
    const uint8_t *at = cursor_bytes(cursor, 1);

    return at == NULL ? 0 : at[0];
}

static uint64_t
read_be(struct cursor *cursor, size_t size)
{
    const uint8_t *at = cursor_bytes(cursor, size);
    uint64_t value = 0;

    for (size_t i = 0; at != NULL && i < size; i++)
        value = value << 8 | at[i];
    return value;
}

uint16_t
cursor_u16_be(struct cursor *cursor)
{
    return (uint16_t)read_be(cursor, 2);
}

uint32_t
cursor_u32_be(struct cursor *cursor)
{
    return (uint32_t)read_be(cursor, 4);
}

uint64_t
cursor_u64_be(struct cursor *cursor)
{
    return read_be(cursor, 8);
}

static uint64_t
read_le(struct cursor *cursor, size_t size)
{
    const uint8_t *at = cursor_bytes(cursor, size);
    uint64_t value = 0;

    for (size_t i = size; at != NULL && i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

uint32_t
cursor_u32_le(struct cursor *cursor)
{
    return (uint32_t)read_le(cursor, 4);
}

uint64_t
cursor_u64_le(struct cursor *cursor)
{
    return read_le(cursor, 8);
}

uint16_t
cursor_u16_host(struct cursor *cursor)
{
    uint16_t value = 0;
    const uint8_t *at = cursor_bytes(cursor, sizeof(value));

    if (at != NULL)
        memcpy(&value, at, sizeof(value));
    return value;
}

uint32_t
cursor_u32_host(struct cursor *cursor)
{
    uint32_t value = 0;
    const uint8_t *at = cursor_bytes(cursor, sizeof(value));

    if (at != NULL)
        memcpy(&value, at, sizeof(value));
    return value;
}

uint64_t
cursor_u64_host(struct cursor *cursor)
{
    uint64_t value = 0;
    const uint8_t *at = cursor_bytes(cursor, sizeof(value));

    if (at != NULL)
        memcpy(&value, at, sizeof(value));
    return value;
}

void
put_u16_be(uint8_t *place, uint16_t value)
{
    place[0] = (uint8_t)(value >> 8);
    place[1] = (uint8_t)value;
}

void
put_u32_be(uint8_t *place, uint32_t value)
{
    put_u16_be(place, (uint16_t)(value >> 16));
    put_u16_be(place + 2, (uint16_t)value);
}

void
put_u64_be(uint8_t *place, uint64_t value)
{
    put_u32_be(place, (uint32_t)(value >> 32));
    put_u32_be(place + 4, (uint32_t)value);
}

void
put_u32_le(uint8_t *place, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        place[i] = (uint8_t)(value >> (8 * i));
}

int
io_read_full(int fd, void *bytes, size_t size, size_t *ret_got, const char *name, struct err *err)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = read(fd, (uint8_t *)bytes + got, size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not read \"%s\"", name);
        if (n == 0) {
            *ret_got = got;
            return IO_SHORT;
        }
        got += (size_t)n;
    }
    *ret_got = got;
    return 0;
}

int
io_write_full(int fd, const void *bytes, size_t size, const char *name, struct err *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = write(fd, (const uint8_t *)bytes + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not write \"%s\"", name);
        if (n == 0)
            return err_sys(err, ENOSPC, "could not write \"%s\"", name);
        done += (size_t)n;
    }
    return 0;
}
