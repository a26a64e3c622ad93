/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_facts_private.h"

#define HAS_INFO 0x80

/* Parts of a commit or abort, in the order in which they stand. */
#define INFO_DATABASE UINT32_C(0x1)
#define INFO_SUBXIDS UINT32_C(0x2)
#define INFO_RELATIONS UINT32_C(0x4)
#define INFO_STATS UINT32_C(0x100)
#define INFO_INVALIDATIONS UINT32_C(0x8)
#define INFO_TWO_PHASE UINT32_C(0x10)

static bool
read_parts(const struct wal_record *record, struct cursor *cursor, struct wal_fact_end *end)
{
    uint32_t info = cursor_u32_host(cursor);
    uint32_t stats_size = record->version < 18 ? 12 : 16;
    struct wal_list invalidations;

    if ((info & INFO_DATABASE) != 0) {
        end->database = cursor_u32_host(cursor);
        (void)cursor_u32_host(cursor);
    }
    if (((info & INFO_SUBXIDS) != 0 && !wal_facts_list(cursor, 4, &end->subxids)) ||
        ((info & INFO_RELATIONS) != 0 && !wal_facts_list(cursor, 12, &end->relations)))
        return false;
    if (record->version >= 15 && (info & INFO_STATS) != 0 &&
        !wal_facts_list(cursor, stats_size, &end->stats))
        return false;
    if ((info & INFO_INVALIDATIONS) != 0 && !wal_facts_list(cursor, 16, &invalidations))
        return false;
    if ((info & INFO_TWO_PHASE) != 0)
        end->xid = cursor_u32_host(cursor);
    return !cursor->failed;
}

static bool
has_whole_lists(const struct wal_fact_end *end)
{
    return end->subxids.n == end->subxids.stated && end->relations.n == end->relations.stated &&
           end->stats.n == end->stats.stated;
}

static bool
read_end(const struct wal_record *record, enum wal_fact_kind kind, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    ret->kind = kind;
    ret->end.xid = record->xid;
    ret->end.time = wal_facts_time(&cursor);
    if (cursor.failed)
        return false;
    if ((record->info & HAS_INFO) == 0 || read_parts(record, &cursor, &ret->end))
        return record->main_available < record->main_size || has_whole_lists(&ret->end);
    /* A huge record shows its beginning, and that much of it is true. */
    return record->main_available < record->main_size;
}

static bool
read_prepare(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);
    struct wal_fact_prepare *prepare = &ret->prepare;
    size_t header_size = record->version < 15 ? 64 : 72;

    ret->kind = WAL_FACT_PREPARE;
    (void)cursor_bytes(&cursor, 8);
    prepare->xid = cursor_u32_host(&cursor);
    prepare->database = cursor_u32_host(&cursor);
    prepare->time = wal_facts_time(&cursor);
    (void)cursor_bytes(&cursor, record->version < 15 ? 22 : 30);
    uint16_t gid_size = cursor_u16_host(&cursor);
    if (cursor.failed || record->main_available < header_size)
        return false;
    cursor.offset = header_size;
    const uint8_t *gid = cursor_bytes(&cursor, gid_size);
    if (gid == NULL)
        return false;
    prepare->gid = (const char *)gid;
    prepare->gid_size = (uint32_t)strnlen((const char *)gid, gid_size);
    return true;
}

static bool
read_assignment(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    ret->kind = WAL_FACT_ASSIGNMENT;
    ret->assignment.top_xid = cursor_u32_host(&cursor);
    return wal_facts_list(&cursor, 4, &ret->assignment.subxids) &&
           ret->assignment.subxids.n == ret->assignment.subxids.stated;
}

bool
wal_facts_xact(const struct wal_record *record, struct wal_fact *ret)
{
    switch (record->info & 0x70) {
    case 0x00:
        return read_end(record, WAL_FACT_COMMIT, ret);
    case 0x10:
        return read_prepare(record, ret);
    case 0x20:
        return read_end(record, WAL_FACT_ABORT, ret);
    case 0x30:
        return read_end(record, WAL_FACT_COMMIT_PREPARED, ret);
    case 0x40:
        return read_end(record, WAL_FACT_ABORT_PREPARED, ret);
    case 0x50:
        return read_assignment(record, ret);
    default:
        return true;
    }
}
