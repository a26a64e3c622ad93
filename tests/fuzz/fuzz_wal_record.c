/* SPDX-License-Identifier: PostgreSQL */
/* The input is a version (one byte), how much of the record is there (two bytes), then the record;
 * its length is made to fit when the version's highest bit is set. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

static void
check(const struct wal_record *record, const uint8_t *bytes, size_t available)
{
    uint64_t sum = record->main_size;

    require(record->n_blocks <= WAL_BLOCKS_MAX && record->size >= WAL_RECORD_HEADER_SIZE);
    for (size_t i = 0; i < record->n_blocks; i++) {
        const struct wal_block *block = &record->blocks[i];

        require(block->id < WAL_BLOCKS_MAX && (i == 0 || block->id > block[-1].id));
        require(block->fork <= 3 && (block->has_image || block->image_size == 0));
        sum += (uint64_t)block->image_size + block->data_size;
    }
    require(sum + WAL_RECORD_HEADER_SIZE <= record->size);
    require(record->main_available <= record->main_size);
    if (record->main_available > 0)
        require(record->main_data >= bytes &&
                record->main_data + record->main_available <= bytes + available);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wal_record record;
    const char *why = NULL;

    if (size < 3)
        return 0;
    int version = 13 + (data[0] & 0x7f) % 6;
    size_t available = data[1] | (size_t)data[2] << 8;
    uint32_t length = (uint32_t)(size - 3);
    bool fits = (data[0] & 0x80) != 0;

    available = MIN_OF(available, size - 3);
    uint8_t *bytes = malloc(available == 0 ? 1 : available);
    require(bytes != NULL);
    memcpy(bytes, data + 3, available);
    if (fits && available >= sizeof(length))
        memcpy(bytes, &length, sizeof(length));
    if (wal_record_parse(bytes, available, version, &record, &why) == 0)
        check(&record, bytes, available);
    else
        require(why != NULL && why[0] != '\0');
    free(bytes);
    return 0;
}
