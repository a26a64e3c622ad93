/* SPDX-License-Identifier: PostgreSQL */
#include <immintrin.h>
#include <string.h>

#include "wal/crc32c.h"
#include "wal/crc32c_instruction.h"

#define INSTRUCTIONS __attribute__((target("sse4.2,pclmul")))

/*
 * The instruction takes one cycle but its result three: three pieces are summed up side by side and
 * put together. x^(8n - 33) modulo the polynomial moves a CRC over n bytes: the carry-less product
 * of two reflected values is one power of x too high, and the instruction that reduces it
 * brings 32. Longer strides are no faster in the cache, and half as fast from memory.
 */
struct stride {
    size_t size; /* of one of the three pieces */
    uint64_t over_one;
    uint64_t over_two;
};

static const struct stride long_stride = {256, 0xb9e02b86, 0xdd7e3b0c};
static const struct stride short_stride = {128, 0x0d3b6092, 0xb9e02b86};

bool
crc32c_has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

INSTRUCTIONS static inline uint64_t
word_at(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

INSTRUCTIONS static inline uint64_t
moved(uint64_t crc, uint64_t power)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
                                           _mm_cvtsi64_si128((long long)power), 0);

    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

INSTRUCTIONS static inline uint64_t
three_pieces(uint64_t crc, const uint8_t *at, const struct stride *stride)
{
    uint64_t second = 0;
    uint64_t third = 0;

    for (const uint8_t *end = at + stride->size; at < end; at += 8) {
        crc = _mm_crc32_u64(crc, word_at(at));
        second = _mm_crc32_u64(second, word_at(at + stride->size));
        third = _mm_crc32_u64(third, word_at(at + 2 * stride->size));
    }
    return moved(crc, stride->over_two) ^ moved(second, stride->over_one) ^ third;
}

INSTRUCTIONS uint32_t
crc32c_instruction(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = (uint32_t)~crc;

    for (; size >= 3 * long_stride.size; size -= 3 * long_stride.size) {
        wide = three_pieces(wide, at, &long_stride);
        at += 3 * long_stride.size;
    }
    for (; size >= 3 * short_stride.size; size -= 3 * short_stride.size) {
        wide = three_pieces(wide, at, &short_stride);
        at += 3 * short_stride.size;
    }
    for (; size >= 8; size -= 8, at += 8)
        wide = _mm_crc32_u64(wide, word_at(at));
    uint32_t narrow = (uint32_t)wide;
    for (; size > 0; size--, at++)
        narrow = _mm_crc32_u8(narrow, *at);
    return ~narrow;
}
