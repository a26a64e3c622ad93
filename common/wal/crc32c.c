/* SPDX-License-Identifier: PostgreSQL */
#include "wal/crc32c.h"

#include "wal/crc32c_instruction.h"
#include "wal/crc32c_table.h"

uint32_t
crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = crc32c_table[7][crc & 0xff] ^ crc32c_table[6][crc >> 8 & 0xff] ^
              crc32c_table[5][crc >> 16 & 0xff] ^ crc32c_table[4][crc >> 24] ^
              crc32c_table[3][at[4]] ^ crc32c_table[2][at[5]] ^ crc32c_table[1][at[6]] ^
              crc32c_table[0][at[7]];
    }
    for (; size > 0; size--, at++)
        crc = crc32c_table[0][(crc ^ *at) & 0xff] ^ crc >> 8;
    return ~crc;
}

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return crc32c_has_instruction() ? crc32c_instruction(crc, bytes, size)
                                    : crc32c_portable(crc, bytes, size);
}

/* ---- pieces put together ---- */

#define POLYNOMIAL 0x82f63b78
#define ONE 0x80000000
#define X_TO_THE_8 0x00800000

/* The product of two polynomials modulo the CRC's. The highest bit is the coefficient of x^0. */
static uint32_t
multiply(uint32_t left, uint32_t right)
{
    uint32_t product = 0;

    for (uint32_t bit = ONE; bit != 0; bit >>= 1) {
        if ((left & bit) != 0)
            product ^= right;
        right = (right & 1) != 0 ? right >> 1 ^ POLYNOMIAL : right >> 1;
    }
    return product;
}

uint32_t
crc32c_combine(uint32_t first, uint32_t second, uint64_t size)
{
    uint32_t power = X_TO_THE_8;
    uint32_t shift = ONE;

    /* Each byte behind the first piece multiplies its CRC by x^8; the inversions cancel out. */
    for (; size != 0; size >>= 1) {
        if ((size & 1) != 0)
            shift = multiply(shift, power);
        power = multiply(power, power);
    }
    return multiply(shift, first) ^ second;
}
