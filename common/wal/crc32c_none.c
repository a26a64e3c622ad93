/* SPDX-License-Identifier: PostgreSQL */
#include "wal/crc32c.h"
#include "wal/crc32c_instruction.h"

bool
crc32c_has_instruction(void)
{
    return false;
}

uint32_t
crc32c_instruction(uint32_t crc, const void *bytes, size_t size)
{
    return crc32c_portable(crc, bytes, size);
}
