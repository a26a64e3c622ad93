/* SPDX-License-Identifier: PostgreSQL */
#include "codec/xxh32.h"

#include <string.h>

#include "base/io.h"
#include "base/macros.h"

#define PRIME_1 2654435761U
#define PRIME_2 2246822519U
#define PRIME_3 3266489917U
#define PRIME_4 668265263U
#define PRIME_5 374761393U

static uint32_t
rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t
read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint32_t
mix(uint32_t lane, const uint8_t *bytes)
{
    return rotate(lane + read_u32(bytes) * PRIME_2, 13) * PRIME_1;
}

void
xxh32_begin(struct xxh32 *hash)
{
    *hash = (struct xxh32){.lanes = {PRIME_1 + PRIME_2, PRIME_2, 0, 0U - PRIME_1}};
}

/* Whole stripes only. */
static void
add_stripes(struct xxh32 *hash, const uint8_t *bytes, size_t size)
{
    uint32_t one = hash->lanes[0];
    uint32_t two = hash->lanes[1];
    uint32_t three = hash->lanes[2];
    uint32_t four = hash->lanes[3];

    for (const uint8_t *end = bytes + size; bytes < end; bytes += XXH32_STRIPE) {
        one = mix(one, bytes);
        two = mix(two, bytes + 4);
        three = mix(three, bytes + 8);
        four = mix(four, bytes + 12);
        /* Compilers would put the lanes into one vector, and be several times slower. */
        __asm__("" : "+r"(one), "+r"(two), "+r"(three), "+r"(four));
    }
    hash->lanes[0] = one;
    hash->lanes[1] = two;
    hash->lanes[2] = three;
    hash->lanes[3] = four;
}

void
xxh32_add(struct xxh32 *hash, const uint8_t *bytes, size_t size)
{
    size_t kept = hash->size % XXH32_STRIPE;

    if (size == 0)
        return;
    hash->size += size;
    if (kept > 0) {
        size_t part = MIN_OF(size, XXH32_STRIPE - kept);

        memcpy(hash->rest + kept, bytes, part);
        if (kept + part < XXH32_STRIPE)
            return;
        add_stripes(hash, hash->rest, XXH32_STRIPE);
        bytes += part;
        size -= part;
    }
    size_t whole = size - size % XXH32_STRIPE;
    add_stripes(hash, bytes, whole);
    memcpy(hash->rest, bytes + whole, size - whole);
}

uint32_t
xxh32_end(const struct xxh32 *hash)
{
    uint32_t value = PRIME_5;
    struct cursor cursor;

    if (hash->size >= XXH32_STRIPE)
        value = rotate(hash->lanes[0], 1) + rotate(hash->lanes[1], 7) +
                rotate(hash->lanes[2], 12) + rotate(hash->lanes[3], 18);
    value += (uint32_t)hash->size;
    cursor_init(&cursor, hash->rest, hash->size % XXH32_STRIPE);
    while (cursor_left(&cursor) >= 4)
        value = rotate(value + cursor_u32_le(&cursor) * PRIME_3, 17) * PRIME_4;
    while (cursor_left(&cursor) > 0)
        value = rotate(value + cursor_u8(&cursor) * PRIME_5, 11) * PRIME_1;
    value = (value ^ value >> 15) * PRIME_2;
    value = (value ^ value >> 13) * PRIME_3;
    return value ^ value >> 16;
}
