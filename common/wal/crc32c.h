/* SPDX-License-Identifier: PostgreSQL */
/*
 * crc32c.h: CRC-32C (Castagnoli: reflected polynomial 0x82F63B78, initial and final
 * xor 0xFFFFFFFF), the checksum of WAL records and pg_control.
 */
#ifndef WAL_CRC32C_H
#define WAL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0 and feed the pieces in order; every result is the finished CRC so far. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

/* The same without the processor's own instruction, which crc32c() uses where there is one. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

/*
 * The CRC of two pieces, one behind the other, from the CRC of each: pieces can be summed up in any
 * order and by several threads. `size` is the length of the second one.
 */
uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t size);

#endif
