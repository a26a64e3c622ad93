/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rows are most of what a server writes, so these read the few bytes they need without a cursor,
 * each behind a check of the size.
 */
#include <string.h>

#include "wal/wal_facts_private.h"

#define HEAP_INSERT 0x00
#define HEAP_DELETE 0x10
#define HEAP_UPDATE 0x20
#define HEAP_TRUNCATE 0x30
#define HEAP_HOT_UPDATE 0x40
#define HEAP_LOCK 0x60
#define HEAP_INPLACE 0x70
#define HEAP2_MULTI_INSERT 0x50
#define HEAP2_LOCK_UPDATED 0x60

/* xl_heap_delete, xl_heap_update and xl_heap_lock begin alike: xid, line pointer, bits, flags. */
#define OFFSET_PLACE 4
#define FLAGS_PLACE 7
#define INSERT_SIZE 3
#define MULTI_INSERT_SIZE 4
#define TRUNCATE_OIDS_PLACE 12

#define DELETE_IS_SUPER 0x08
#define DELETE_IS_MOVE 0x10
#define OLD_VISIBLE_CLEARED 0x01
#define NEW_VISIBLE_CLEARED 0x02

static uint16_t
read_u16(const uint8_t *place)
{
    uint16_t value;

    memcpy(&value, place, sizeof(value));
    return value;
}

static bool
set_rows(const struct wal_record *record, enum wal_fact_kind kind, size_t offset_place,
         struct wal_fact *ret)
{
    if (record->main_available < offset_place + 2 || record->n_blocks == 0)
        return false;
    ret->kind = kind;
    ret->rows.n = 1;
    ret->rows.offset = read_u16(record->main_data + offset_place);
    return true;
}

static bool
read_delete(const struct wal_record *record, struct wal_fact *ret)
{
    if (record->main_available <= FLAGS_PLACE)
        return false;
    uint8_t flags = record->main_data[FLAGS_PLACE];

    if ((flags & DELETE_IS_SUPER) != 0)
        return true; /* takes back a speculative insertion */
    return set_rows(record, (flags & DELETE_IS_MOVE) != 0 ? WAL_FACT_MOVE : WAL_FACT_DELETE,
                    OFFSET_PLACE, ret);
}

static bool
read_truncate(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    ret->kind = WAL_FACT_HEAP_TRUNCATE;
    ret->heap_truncate.database = cursor_u32_host(&cursor);
    struct wal_list *oids = &ret->heap_truncate.oids;
    oids->stated = cursor_u32_host(&cursor);
    ret->heap_truncate.flags = cursor_u8(&cursor);
    /* The three bytes behind the flags are whatever was in memory. */
    (void)cursor_bytes(&cursor, 3);
    if (cursor.failed)
        return false;
    oids->bytes = record->main_data + TRUNCATE_OIDS_PLACE;
    oids->size = 4;
    oids->n = (uint32_t)MIN_OF((size_t)oids->stated, cursor_left(&cursor) / 4);
    return oids->n == oids->stated || record->main_available < record->main_size;
}

bool
wal_facts_heap(const struct wal_record *record, struct wal_fact *ret)
{
    switch (record->info & 0x70) {
    case HEAP_INSERT:
        return set_rows(record, WAL_FACT_INSERT, 0, ret);
    case HEAP_DELETE:
        return read_delete(record, ret);
    case HEAP_UPDATE:
    case HEAP_HOT_UPDATE:
        return set_rows(record, WAL_FACT_UPDATE, OFFSET_PLACE, ret);
    case HEAP_TRUNCATE:
        return read_truncate(record, ret);
    case HEAP_INPLACE:
        return set_rows(record, WAL_FACT_INPLACE, 0, ret);
    default:
        return true;
    }
}

bool
wal_facts_heap2(const struct wal_record *record, struct wal_fact *ret)
{
    if ((record->info & 0x70) != HEAP2_MULTI_INSERT)
        return true;
    if (record->main_available < MULTI_INSERT_SIZE || record->n_blocks == 0)
        return false;
    ret->kind = WAL_FACT_LOAD;
    ret->rows.n = read_u16(record->main_data + 2);
    return true;
}

/* Where the flags of this record are, if it is one that clears bits; else SIZE_MAX. */
static size_t
flags_place(const struct wal_record *record)
{
    uint8_t operation = record->info & 0x70;

    if (record->rmgr == WAL_RMGR_HEAP2) {
        if (operation == HEAP2_MULTI_INSERT)
            return 0;
        return operation == HEAP2_LOCK_UPDATED ? FLAGS_PLACE : SIZE_MAX;
    }
    if (record->rmgr != WAL_RMGR_HEAP)
        return SIZE_MAX;
    switch (operation) {
    case HEAP_INSERT:
        return INSERT_SIZE - 1;
    case HEAP_DELETE:
    case HEAP_UPDATE:
    case HEAP_HOT_UPDATE:
    case HEAP_LOCK:
        return FLAGS_PLACE;
    default:
        return SIZE_MAX;
    }
}

/* The page of the row's old version: block 1 of an update that went to another page. */
static uint32_t
old_heap_block(const struct wal_record *record)
{
    for (uint8_t i = 1; i < record->n_blocks; i++) {
        if (record->blocks[i].id == 1 && record->blocks[i].fork == 0)
            return record->blocks[i].block;
    }
    return record->blocks[0].block;
}

size_t
wal_facts_map_blocks(const struct wal_record *record, uint32_t ret_blocks[2])
{
    size_t place = flags_place(record);
    size_t n = 0;

    if (place == SIZE_MAX || record->main_available <= place || record->n_blocks == 0)
        return 0;
    uint8_t flags = record->main_data[place];
    uint8_t operation = record->info & 0x70;
    bool update = record->rmgr == WAL_RMGR_HEAP &&
                  (operation == HEAP_UPDATE || operation == HEAP_HOT_UPDATE);
    if ((flags & OLD_VISIBLE_CLEARED) != 0)
        ret_blocks[n++] = old_heap_block(record) / WAL_HEAP_BLOCKS_PER_VM_BLOCK;
    if (update && (flags & NEW_VISIBLE_CLEARED) != 0)
        ret_blocks[n++] = record->blocks[0].block / WAL_HEAP_BLOCKS_PER_VM_BLOCK;
    return n;
}
