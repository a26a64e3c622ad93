/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_index_event.h"
#include "wal/wal_index_list.h"

static int
read_level(struct cursor *cursor)
{
    uint64_t level = wal_varint_read(cursor);

    /* The facts have one byte of it. */
    if (level > 256) {
        cursor->failed = true;
        return -1;
    }
    return (int)level - 1;
}

static unsigned
read_flags(struct cursor *cursor, unsigned known)
{
    unsigned flags = cursor_u8(cursor);

    if ((flags & ~known) != 0)
        cursor->failed = true;
    return flags;
}

static void
read_checkpoint(struct cursor *cursor, struct wal_index_event *ret)
{
    struct wal_fact_checkpoint *checkpoint = &ret->checkpoint;
    unsigned flags = read_flags(cursor, WAL_INDEX_FLAG_SHUTDOWN | WAL_INDEX_FLAG_FULL_PAGES);

    checkpoint->shutdown = (flags & WAL_INDEX_FLAG_SHUTDOWN) != 0;
    checkpoint->full_pages = (flags & WAL_INDEX_FLAG_FULL_PAGES) != 0;
    checkpoint->wal_level = read_level(cursor);
    checkpoint->redo = wal_varint_read(cursor);
    checkpoint->timeline = wal_varint_read_u32(cursor);
    checkpoint->prev_timeline = wal_varint_read_u32(cursor);
    checkpoint->next_xid = wal_varint_read(cursor);
    checkpoint->time = wal_varint_read_signed(cursor);
    ret->time = checkpoint->time;
    ret->wal_level = checkpoint->wal_level;
}

static void
read_parameters(struct cursor *cursor, struct wal_index_event *ret)
{
    struct wal_fact_parameters *parameters = &ret->parameters;

    parameters->max_connections = wal_varint_read_u32(cursor);
    parameters->max_worker_processes = wal_varint_read_u32(cursor);
    parameters->max_wal_senders = wal_varint_read_u32(cursor);
    parameters->max_prepared_transactions = wal_varint_read_u32(cursor);
    parameters->max_locks_per_transaction = wal_varint_read_u32(cursor);
    parameters->wal_level = read_level(cursor);
    unsigned flags = read_flags(cursor, WAL_INDEX_FLAG_LOG_HINTS | WAL_INDEX_FLAG_COMMIT_TIMES);
    parameters->wal_log_hints = (flags & WAL_INDEX_FLAG_LOG_HINTS) != 0;
    parameters->track_commit_timestamp = (flags & WAL_INDEX_FLAG_COMMIT_TIMES) != 0;
    ret->wal_level = parameters->wal_level;
}

static void
read_text(struct cursor *cursor, uint32_t max, struct wal_index_event *ret)
{
    uint32_t size = wal_varint_read_u32(cursor);
    const uint8_t *text = size > max ? NULL : cursor_bytes(cursor, size);

    if (text == NULL)
        cursor->failed = true;
    ret->text = (struct span){text, text == NULL ? 0 : size};
}

/* A list of tuples of `each` numbers. */
static void
read_numbers(struct cursor *cursor, unsigned each, struct wal_index_event *ret)
{
    uint32_t n = wal_varint_read_u32(cursor);

    if (n > WAL_INDEX_EVENT_LIST_MAX) {
        cursor->failed = true;
        return;
    }
    wal_index_list_read_u32(cursor, n * each, 0, &ret->list);
}

static void
read_row(struct cursor *cursor, struct wal_index_event *ret)
{
    uint8_t kind = cursor_u8(cursor);

    ret->row.number = wal_varint_read_u32(cursor);
    ret->row.block = wal_varint_read_u32(cursor);
    uint32_t offset = wal_varint_read_u32(cursor);
    if (kind > WAL_INDEX_ROW_INPLACE || offset > UINT16_MAX) {
        cursor->failed = true;
        return;
    }
    ret->row.kind = (enum wal_index_row_kind)kind;
    ret->row.offset = (uint16_t)offset;
}

static void
read_database(struct cursor *cursor, struct wal_index_event *ret)
{
    ret->database = wal_varint_read_u32(cursor);
    if (ret->kind != WAL_INDEX_DATABASE_DROP)
        ret->tablespace = wal_varint_read_u32(cursor);
    if (ret->kind == WAL_INDEX_DATABASE_CREATE) {
        ret->from_database = wal_varint_read_u32(cursor);
        ret->from_tablespace = wal_varint_read_u32(cursor);
    } else {
        read_numbers(cursor, ret->kind == WAL_INDEX_RELATION_MAP ? 2 : 1, ret);
    }
}

static void
read_time_first(struct cursor *cursor, struct wal_index_event *ret)
{
    ret->time = wal_varint_read_signed(cursor);
    if (ret->kind == WAL_INDEX_RESTORE_POINT) {
        read_text(cursor, WAL_RESTORE_POINT_SIZE, ret);
    } else if (ret->kind == WAL_INDEX_OVERWRITTEN) {
        ret->other_lsn = wal_varint_read(cursor);
    } else {
        ret->checkpoint.timeline = wal_varint_read_u32(cursor);
        ret->checkpoint.prev_timeline = wal_varint_read_u32(cursor);
        ret->checkpoint.wal_level = read_level(cursor);
        ret->wal_level = ret->checkpoint.wal_level;
    }
}

/* Kinds that begin with a transaction id. */
static void
read_xid_first(struct cursor *cursor, struct wal_index_event *ret)
{
    ret->xid = wal_varint_read_u32(cursor);
    if (ret->kind == WAL_INDEX_PREPARE) {
        ret->time = wal_varint_read_signed(cursor);
        ret->database = wal_varint_read_u32(cursor);
        read_text(cursor, WAL_INDEX_GID_MAX, ret);
    } else if (ret->kind == WAL_INDEX_DATABASE_ROW) {
        read_row(cursor, ret);
    } else if (ret->kind == WAL_INDEX_TABLESPACE_CREATE ||
               ret->kind == WAL_INDEX_TABLESPACE_DROP) {
        ret->tablespace = wal_varint_read_u32(cursor);
    } else {
        read_database(cursor, ret);
    }
}

static void
read_fields(struct cursor *cursor, struct wal_index_event *ret)
{
    switch (ret->kind) {
    case WAL_INDEX_RESTORE_POINT:
    case WAL_INDEX_END_OF_RECOVERY:
    case WAL_INDEX_OVERWRITTEN:
        read_time_first(cursor, ret);
        break;
    case WAL_INDEX_CHECKPOINT:
        read_checkpoint(cursor, ret);
        break;
    case WAL_INDEX_REDO:
        ret->wal_level = read_level(cursor);
        break;
    case WAL_INDEX_BACKUP_END:
        ret->other_lsn = wal_varint_read(cursor);
        break;
    case WAL_INDEX_PARAMETERS:
        read_parameters(cursor, ret);
        break;
    case WAL_INDEX_FULL_PAGES:
        ret->on = read_flags(cursor, 1) != 0;
        break;
    case WAL_INDEX_PREPARE:
    case WAL_INDEX_DATABASE_CREATE:
    case WAL_INDEX_DATABASE_DROP:
    case WAL_INDEX_DATABASE_ROW:
    case WAL_INDEX_TABLESPACE_CREATE:
    case WAL_INDEX_TABLESPACE_DROP:
    case WAL_INDEX_RELATION_MAP:
        read_xid_first(cursor, ret);
        break;
    }
}

bool
wal_index_event_read(struct cursor *cursor, struct wal_index_event *ret)
{
    uint8_t kind = cursor_u8(cursor);

    memset(ret, 0, sizeof(*ret));
    ret->wal_level = -1;
    if (kind == 0 || kind > WAL_INDEX_RELATION_MAP)
        return false;
    ret->kind = (enum wal_index_event_kind)kind;
    ret->lsn = wal_varint_read(cursor);
    read_fields(cursor, ret);
    return !cursor->failed;
}
