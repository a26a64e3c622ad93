/* SPDX-License-Identifier: PostgreSQL */
/*
 * crc32c_instruction.h: CRC-32C by the processor's own instruction, for crc32c.c alone. One of
 * crc32c_x86.c and crc32c_none.c is built, as the machine is.
 */
#ifndef WAL_CRC32C_INSTRUCTION_H
#define WAL_CRC32C_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does this processor have it? Cheap enough to be asked every time. */
bool crc32c_has_instruction(void);

/* As crc32c(). Only where it is there. */
uint32_t crc32c_instruction(uint32_t crc, const void *bytes, size_t size);

#endif
