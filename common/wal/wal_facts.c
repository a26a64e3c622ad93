/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_facts.h"

#include <string.h>

#include "wal/wal_facts_private.h"

#define RELMAP_MAGIC 0x592717

struct cursor
wal_facts_cursor(const struct wal_record *record)
{
    struct cursor cursor;

    cursor_init(&cursor, record->main_data, record->main_available);
    return cursor;
}

bool
wal_facts_list(struct cursor *cursor, uint32_t size, struct wal_list *ret)
{
    uint32_t stated = cursor_u32_host(cursor);

    if (cursor->failed || stated > INT32_MAX)
        return false;
    *ret = (struct wal_list){
        .bytes = cursor->data + cursor->offset,
        .n = (uint32_t)MIN_OF((size_t)stated, cursor_left(cursor) / size),
        .stated = stated,
        .size = size,
    };
    /* Of a list that is cut off, nothing can be read behind it. */
    if (ret->n < stated)
        cursor->offset = cursor->size;
    else
        (void)cursor_bytes(cursor, (size_t)stated * size);
    return true;
}

int64_t
wal_facts_time(struct cursor *cursor)
{
    int64_t since_2000 = (int64_t)cursor_u64_host(cursor);
    int64_t between = WAL_FACTS_EPOCH * 1000000;

    return since_2000 > INT64_MAX - between ? INT64_MAX : since_2000 + between;
}

static struct wal_relation
read_relation(struct cursor *cursor)
{
    struct wal_relation relation;

    relation.tablespace = cursor_u32_host(cursor);
    relation.database = cursor_u32_host(cursor);
    relation.number = cursor_u32_host(cursor);
    return relation;
}

static bool
read_storage(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    switch (record->info & 0xF0) {
    case 0x10:
        ret->kind = WAL_FACT_CREATE;
        ret->storage.relation = read_relation(&cursor);
        ret->storage.fork = cursor_u32_host(&cursor);
        break;
    case 0x20:
        ret->kind = WAL_FACT_TRUNCATE;
        ret->storage.block = cursor_u32_host(&cursor);
        ret->storage.relation = read_relation(&cursor);
        ret->storage.flags = cursor_u32_host(&cursor);
        break;
    default:
        break;
    }
    return !cursor.failed;
}

static bool
read_database_drop(struct cursor *cursor, struct wal_fact *ret)
{
    ret->kind = WAL_FACT_DATABASE_DROP;
    ret->database.database = cursor_u32_host(cursor);
    return wal_facts_list(cursor, 4, &ret->database.tablespaces);
}

static void
read_database_create(struct cursor *cursor, bool logged, struct wal_fact *ret)
{
    ret->kind = WAL_FACT_DATABASE_CREATE;
    ret->database.logged = logged;
    ret->database.database = cursor_u32_host(cursor);
    ret->database.tablespace = cursor_u32_host(cursor);
    if (logged)
        return;
    ret->database.from_database = cursor_u32_host(cursor);
    ret->database.from_tablespace = cursor_u32_host(cursor);
}

static bool
read_database(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);
    uint8_t info = record->info & 0xF0;
    uint8_t drop = record->version < 15 ? 0x10 : 0x20;

    if (info == drop)
        return read_database_drop(&cursor, ret);
    if (info == 0x00 || info == 0x10)
        read_database_create(&cursor, info == 0x10, ret);
    return !cursor.failed;
}

static bool
read_tablespace(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);
    uint8_t info = record->info & 0xF0;

    if (info != 0x00 && info != 0x10)
        return true;
    ret->kind = info == 0x00 ? WAL_FACT_TABLESPACE_CREATE : WAL_FACT_TABLESPACE_DROP;
    ret->oid = cursor_u32_host(&cursor);
    return !cursor.failed;
}

static bool
read_relation_map(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    if ((record->info & 0xF0) != 0x00)
        return true;
    ret->kind = WAL_FACT_RELATION_MAP;
    ret->map.database = cursor_u32_host(&cursor);
    ret->map.tablespace = cursor_u32_host(&cursor);
    (void)cursor_u32_host(&cursor);
    if (cursor_u32_host(&cursor) != RELMAP_MAGIC ||
        !wal_facts_list(&cursor, 8, &ret->map.entries))
        return false;
    return !cursor.failed && ret->map.entries.stated <= WAL_RELMAP_SLOTS;
}

static bool
read_running(struct cursor *cursor, struct wal_fact *ret)
{
    ret->kind = WAL_FACT_RUNNING;
    (void)cursor_bytes(cursor, 12);
    ret->running.next_xid = cursor_u32_host(cursor);
    ret->running.oldest_running = cursor_u32_host(cursor);
    return !cursor->failed;
}

static bool
read_standby(const struct wal_record *record, struct wal_fact *ret)
{
    struct cursor cursor = wal_facts_cursor(record);

    switch (record->info & 0xF0) {
    case 0x00:
        ret->kind = WAL_FACT_LOCKS;
        return wal_facts_list(&cursor, 12, &ret->locks);
    case 0x10:
        return read_running(&cursor, ret);
    default:
        return true;
    }
}

static bool
read_by_manager(const struct wal_record *record, struct wal_fact *ret)
{
    switch (record->rmgr) {
    case WAL_RMGR_XLOG:
        return wal_facts_xlog(record, ret);
    case WAL_RMGR_XACT:
        return wal_facts_xact(record, ret);
    case WAL_RMGR_SMGR:
        return read_storage(record, ret);
    case WAL_RMGR_DATABASE:
        return read_database(record, ret);
    case WAL_RMGR_TABLESPACE:
        return read_tablespace(record, ret);
    case WAL_RMGR_RELMAP:
        return read_relation_map(record, ret);
    case WAL_RMGR_STANDBY:
        return read_standby(record, ret);
    case WAL_RMGR_HEAP2:
        return wal_facts_heap2(record, ret);
    case WAL_RMGR_HEAP:
        return wal_facts_heap(record, ret);
    default:
        return true;
    }
}

int
wal_facts_read(const struct wal_record *record, struct wal_fact *ret)
{
    struct wal_fact fact;

    memset(&fact, 0, sizeof(fact));
    if (!read_by_manager(record, &fact)) {
        memset(ret, 0, sizeof(*ret));
        return WAL_FACTS_UNREAD;
    }
    *ret = fact;
    return 0;
}

/* Element `i` as a cursor over it. */
static struct cursor
element(const struct wal_list *list, uint32_t i)
{
    struct cursor cursor;

    cursor_init(&cursor, list->bytes + (size_t)i * list->size, list->size);
    return cursor;
}

uint32_t
wal_fact_u32(const struct wal_list *list, uint32_t i)
{
    struct cursor cursor = element(list, i);

    return cursor_u32_host(&cursor);
}

struct wal_relation
wal_fact_relation(const struct wal_list *list, uint32_t i)
{
    struct cursor cursor = element(list, i);

    return read_relation(&cursor);
}

struct wal_dropped_stats
wal_fact_stats(const struct wal_list *list, uint32_t i)
{
    struct cursor cursor = element(list, i);
    struct wal_dropped_stats stats;

    stats.kind = cursor_u32_host(&cursor);
    stats.database = cursor_u32_host(&cursor);
    stats.object = cursor_u32_host(&cursor);
    if (list->size == 16) /* from 18 on, 64 bits in two halves, the lower one first */
        stats.object |= (uint64_t)cursor_u32_host(&cursor) << 32;
    return stats;
}

struct wal_lock
wal_fact_lock(const struct wal_list *list, uint32_t i)
{
    struct cursor cursor = element(list, i);
    struct wal_lock lock;

    lock.xid = cursor_u32_host(&cursor);
    lock.database = cursor_u32_host(&cursor);
    lock.oid = cursor_u32_host(&cursor);
    return lock;
}

void
wal_fact_map_entry(const struct wal_list *list, uint32_t i, uint32_t *ret_oid, uint32_t *ret_number)
{
    struct cursor cursor = element(list, i);

    *ret_oid = cursor_u32_host(&cursor);
    *ret_number = cursor_u32_host(&cursor);
}
