/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_facts_private.h"

#define PAGE_SIZE_ASSUMED 8192
#define SPECIAL_MAX 16 /* what index methods keep at the end of a page */

static int
read_level(struct cursor *cursor)
{
    return (int)(cursor_u32_host(cursor) & 0xFF);
}

static void
read_checkpoint(const struct wal_record *record, struct cursor *cursor, struct wal_fact *ret)
{
    struct wal_fact_checkpoint *checkpoint = &ret->checkpoint;

    ret->kind = WAL_FACT_CHECKPOINT;
    checkpoint->shutdown = (record->info & 0xF0) == 0x00;
    checkpoint->redo = cursor_u64_host(cursor);
    checkpoint->timeline = cursor_u32_host(cursor);
    checkpoint->prev_timeline = cursor_u32_host(cursor);
    checkpoint->full_pages = cursor_u8(cursor) != 0;
    (void)cursor_bytes(cursor, 3);
    checkpoint->wal_level = read_level(cursor);
    if (record->version < 17) /* padding */
        checkpoint->wal_level = -1;
    checkpoint->next_xid = cursor_u64_host(cursor);
    (void)cursor_bytes(cursor, 32);
    int64_t seconds = (int64_t)cursor_u64_host(cursor);
    if (seconds > INT64_MAX / 1000000)
        checkpoint->time = INT64_MAX;
    else if (seconds < INT64_MIN / 1000000)
        checkpoint->time = INT64_MIN;
    else
        checkpoint->time = seconds * 1000000;
    (void)cursor_bytes(cursor, 16);
}

static void
read_parameters(struct cursor *cursor, struct wal_fact *ret)
{
    struct wal_fact_parameters *parameters = &ret->parameters;

    ret->kind = WAL_FACT_PARAMETERS;
    parameters->max_connections = cursor_u32_host(cursor);
    parameters->max_worker_processes = cursor_u32_host(cursor);
    parameters->max_wal_senders = cursor_u32_host(cursor);
    parameters->max_prepared_transactions = cursor_u32_host(cursor);
    parameters->max_locks_per_transaction = cursor_u32_host(cursor);
    parameters->wal_level = read_level(cursor);
    parameters->wal_log_hints = cursor_u8(cursor) != 0;
    parameters->track_commit_timestamp = cursor_u8(cursor) != 0;
}

static void
read_restore_point(struct cursor *cursor, struct wal_fact *ret)
{
    ret->kind = WAL_FACT_RESTORE_POINT;
    ret->restore_point.time = wal_facts_time(cursor);
    const uint8_t *name = cursor_bytes(cursor, WAL_RESTORE_POINT_SIZE);
    if (name == NULL)
        return;
    ret->restore_point.name = (const char *)name;
    ret->restore_point.size = (uint32_t)strnlen((const char *)name, WAL_RESTORE_POINT_SIZE);
}

static void
read_end_of_recovery(const struct wal_record *record, struct cursor *cursor, struct wal_fact *ret)
{
    ret->kind = WAL_FACT_END_OF_RECOVERY;
    ret->end_of_recovery.time = wal_facts_time(cursor);
    ret->end_of_recovery.timeline = cursor_u32_host(cursor);
    ret->end_of_recovery.prev_timeline = cursor_u32_host(cursor);
    ret->end_of_recovery.wal_level = record->version < 17 ? -1 : read_level(cursor);
}

static void
read_overwritten(struct cursor *cursor, struct wal_fact *ret)
{
    ret->kind = WAL_FACT_OVERWRITTEN;
    ret->overwritten.lsn = cursor_u64_host(cursor);
    ret->overwritten.time = wal_facts_time(cursor);
}

/*
 * Is anything on this page but a header and a special area? The meta page of an empty index has
 * its content below the hole, rows lie above it.
 */
static bool
has_content(const struct wal_block *block)
{
    int hole = block->hole_size;

    /* An image that is not compressed lacks the hole and nothing else. */
    if (hole == 0 && block->hole_offset > 0)
        hole = PAGE_SIZE_ASSUMED - block->image_size;
    return block->hole_offset + hole + SPECIAL_MAX < PAGE_SIZE_ASSUMED;
}

/* Pages logged whole because they are new. All of one record belong to one relation. */
static void
count_pages(const struct wal_record *record, struct wal_fact *ret)
{
    for (uint8_t i = 0; i < record->n_blocks; i++) {
        const struct wal_block *block = &record->blocks[i];

        if (block->fork == 0 && block->has_image && has_content(block))
            ret->rows.n++;
    }
    if (ret->rows.n > 0)
        ret->kind = WAL_FACT_PAGES;
}

bool
wal_facts_xlog(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    switch (record->info & 0xF0) {
    case 0x00:
    case 0x10:
        read_checkpoint(record, &cursor, ret);
        break;
    case 0x40:
        ret->kind = WAL_FACT_SWITCH;
        break;
    case 0x50:
        ret->kind = WAL_FACT_BACKUP_END;
        ret->backup_end.lsn = cursor_u64_host(&cursor);
        break;
    case 0x60:
        read_parameters(&cursor, ret);
        break;
    case 0x70:
        read_restore_point(&cursor, ret);
        break;
    case 0x80:
        ret->kind = WAL_FACT_FULL_PAGES;
        ret->on = cursor_u8(&cursor) != 0;
        break;
    case 0x90:
        read_end_of_recovery(record, &cursor, ret);
        break;
    case 0xB0:
        count_pages(record, ret);
        break;
    case 0xD0:
        read_overwritten(&cursor, ret);
        break;
    case 0xE0:
        if (record->version < 17)
            break;
        ret->kind = WAL_FACT_REDO;
        ret->wal_level = read_level(&cursor);
        break;
    default:
        break;
    }
    return !cursor.failed;
}
