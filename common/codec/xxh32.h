/* SPDX-License-Identifier: PostgreSQL */
/*
 * xxh32.h: the checksum of lz4 frames, xxHash of 32 bits with seed 0 (the specification is
 * doc/xxhash_spec.md of xxHash).
 *
 * liblz4 has it as well, but not for callers, and as Debian builds it, vectorized for processors
 * without a vector multiplication, it takes three times as long as lz4 itself.
 */
#ifndef CODEC_XXH32_H
#define CODEC_XXH32_H

#include <stddef.h>
#include <stdint.h>

#define XXH32_STRIPE 16

struct xxh32 {
    uint32_t lanes[4];
    uint64_t size; /* so far */
    uint8_t rest[XXH32_STRIPE];
};

void xxh32_begin(struct xxh32 *hash);

/* The next piece, of any size. */
void xxh32_add(struct xxh32 *hash, const uint8_t *bytes, size_t size);

/* The hash of all so far; more may follow. */
uint32_t xxh32_end(const struct xxh32 *hash);

#endif
