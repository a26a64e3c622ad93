/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EPOCH_US INT64_C(946684800000000)
#define BODY_MAX 4096

/* A record's main data, written value by value in host order. */
struct body {
    uint8_t bytes[BODY_MAX];
    uint32_t size;
};

static void
put(struct body *body, const void *value, uint32_t size)
{
    assert_true(body->size + size <= BODY_MAX);
    memcpy(body->bytes + body->size, value, size);
    body->size += size;
}

static void
u8(struct body *body, uint8_t value)
{
    put(body, &value, 1);
}

static void
u16(struct body *body, uint16_t value)
{
    put(body, &value, 2);
}

static void
u32(struct body *body, uint32_t value)
{
    put(body, &value, 4);
}

static void
u64(struct body *body, uint64_t value)
{
    put(body, &value, 8);
}

static void
zeros(struct body *body, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        u8(body, 0);
}

static struct wal_record
record_of(int version, uint8_t rmgr, uint8_t info, const struct body *body)
{
    struct wal_record record;

    memset(&record, 0, sizeof(record));
    record.version = version;
    record.rmgr = rmgr;
    record.info = info;
    record.xid = 77;
    record.lsn = 0x1000028;
    record.main_data = body->bytes;
    record.main_size = body->size;
    record.main_available = body->size;
    return record;
}

/* A record with one block of a heap. */
static struct wal_record
heap_record(uint8_t rmgr, uint8_t info, uint32_t block, const struct body *body)
{
    struct wal_record record = record_of(15, rmgr, info, body);

    record.n_blocks = 1;
    record.blocks[0].relation = (struct wal_relation){1663, 5, 16384};
    record.blocks[0].block = block;
    return record;
}

/* Read; and see that no shorter one is read, from memory that ends where it does. */
static void
read_strictly(const struct wal_record *record, struct wal_fact *ret)
{
    assert_int_equal(wal_facts_read(record, ret), 0);
    for (uint32_t size = 0; size < record->main_size; size++) {
        struct wal_record shorter = *record;
        uint8_t *copy = malloc(size == 0 ? 1 : size);
        struct wal_fact fact;

        assert_non_null(copy);
        memcpy(copy, record->main_data, size);
        shorter.main_data = copy;
        shorter.main_size = shorter.main_available = size;
        if (wal_facts_read(&shorter, &fact) == WAL_FACTS_UNREAD)
            assert_int_equal(fact.kind, WAL_FACT_NONE);
        free(copy);
    }
}

static void
assert_unread(const struct wal_record *record)
{
    struct wal_fact fact;

    assert_int_equal(wal_facts_read(record, &fact), WAL_FACTS_UNREAD);
}

#define XINFO_ALL (0x1U | 0x2U | 0x4U | 0x8U | 0x10U)

/* A commit with everything, in the layout of this version. */
static void
put_end(struct body *body, int version)
{
    u64(body, 5000000);
    u32(body, XINFO_ALL | (version >= 15 ? 0x100U : 0));
    u32(body, 5);
    u32(body, 1663);
    u32(body, 2);
    u32(body, 78);
    u32(body, 79);
    u32(body, 1);
    u32(body, 1663);
    u32(body, 5);
    u32(body, 16400);
    if (version >= 15) {
        u32(body, 2);
        for (uint32_t i = 0; i < 2; i++) {
            u32(body, 2);
            u32(body, 5);
            u32(body, 16401 + i);
            if (version >= 18)
                u32(body, i);
        }
    }
    u32(body, 1);
    zeros(body, 16);
    u32(body, 4242);
}

static void
commits_and_aborts_are_read_in_the_layout_of_every_version(void **state)
{
    (void)state;
    static const struct {
        uint8_t info;
        enum wal_fact_kind kind;
    } cases[] = {
        {0x80, WAL_FACT_COMMIT},
        {0xA0, WAL_FACT_ABORT},
        {0xB0, WAL_FACT_COMMIT_PREPARED},
        {0xC0, WAL_FACT_ABORT_PREPARED},
    };

    for (int version = 13; version <= 18; version++) {
        struct body body = {.size = 0};

        put_end(&body, version);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            struct wal_record record = record_of(version, WAL_RMGR_XACT, cases[i].info, &body);
            struct wal_fact fact;

            read_strictly(&record, &fact);
            assert_int_equal(fact.kind, cases[i].kind);
            assert_int_equal(fact.end.xid, 4242);
            assert_int_equal(fact.end.database, 5);
            assert_true(fact.end.time == EPOCH_US + 5000000);
            assert_int_equal(fact.end.subxids.n, 2);
            assert_int_equal(wal_fact_u32(&fact.end.subxids, 1), 79);
            assert_int_equal(fact.end.relations.n, 1);
            assert_int_equal(wal_fact_relation(&fact.end.relations, 0).number, 16400);
            assert_int_equal(fact.end.stats.n, version >= 15 ? 2 : 0);
            if (version < 15)
                continue;
            struct wal_dropped_stats stats = wal_fact_stats(&fact.end.stats, 1);
            assert_int_equal(stats.kind, 2);
            assert_int_equal(stats.database, 5);
            assert_true(stats.object == 16402 + (version >= 18 ? UINT64_C(1) << 32 : 0));
        }
    }
}

static void
a_plain_commit_has_its_time_and_nothing_else(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u64(&body, (uint64_t)INT64_MAX);
    struct wal_record record = record_of(15, WAL_RMGR_XACT, 0x00, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_COMMIT);
    assert_int_equal(fact.end.xid, 77);
    assert_true(fact.end.time == INT64_MAX);
    record.main_size = record.main_available = 7;
    assert_unread(&record);
}

static void
lists_longer_than_the_record_are_refused_unless_it_is_not_all_at_hand(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u64(&body, 1);
    u32(&body, 0x2U | 0x4U);
    u32(&body, 3);
    u32(&body, 78);
    struct wal_record record = record_of(15, WAL_RMGR_XACT, 0x80, &body);
    assert_unread(&record);
    record.main_size = 1000000;
    assert_int_equal(wal_facts_read(&record, &fact), 0);
    assert_int_equal(fact.kind, WAL_FACT_COMMIT);
    assert_int_equal(fact.end.subxids.n, 1);
    assert_int_equal(fact.end.subxids.stated, 3);
    body.bytes[15] = 0xFF; /* a negative number of them */
    record.main_size = body.size;
    assert_unread(&record);
}

static void
prepares_have_their_gid_behind_the_header_of_the_version(void **state)
{
    (void)state;
    for (int version = 13; version <= 18; version++) {
        struct body body = {.size = 0};
        struct wal_fact fact;

        u32(&body, 0x57F94534);
        u32(&body, 200);
        u32(&body, 4242);
        u32(&body, 5);
        u64(&body, 1000);
        zeros(&body, version < 15 ? 22 : 30);
        u16(&body, 6);
        zeros(&body, 16);
        assert_int_equal(body.size, version < 15 ? 64 : 72);
        put(&body, "gid 1", 6);
        struct wal_record record = record_of(version, WAL_RMGR_XACT, 0x10, &body);
        read_strictly(&record, &fact);
        assert_int_equal(fact.kind, WAL_FACT_PREPARE);
        assert_int_equal(fact.prepare.xid, 4242);
        assert_int_equal(fact.prepare.database, 5);
        assert_true(fact.prepare.time == EPOCH_US + 1000);
        assert_int_equal(fact.prepare.gid_size, 5);
        assert_memory_equal(fact.prepare.gid, "gid 1", 5);
        record.main_size = record.main_available = body.size - 1;
        assert_unread(&record);
    }
}

static void
assignments_name_the_top_transaction(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u32(&body, 4000);
    u32(&body, 2);
    u32(&body, 4001);
    u32(&body, 4002);
    struct wal_record record = record_of(14, WAL_RMGR_XACT, 0x50, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_ASSIGNMENT);
    assert_int_equal(fact.assignment.top_xid, 4000);
    assert_int_equal(wal_fact_u32(&fact.assignment.subxids, 1), 4002);
    record.info = 0x60; /* invalidations */
    assert_int_equal(wal_facts_read(&record, &fact), 0);
    assert_int_equal(fact.kind, WAL_FACT_NONE);
}

static void
checkpoints_say_wal_level_from_17_on(void **state)
{
    (void)state;
    for (int version = 13; version <= 18; version++) {
        struct body body = {.size = 0};
        struct wal_fact fact;

        u64(&body, 0x1000000);
        u32(&body, 3);
        u32(&body, 2);
        u8(&body, 1);
        zeros(&body, 3);
        u32(&body, version >= 17 ? 1 : 0xABABABAB);
        u64(&body, (UINT64_C(1) << 32) | 900);
        zeros(&body, 32);
        u64(&body, 1795361760);
        zeros(&body, 16);
        assert_int_equal(body.size, 88);
        struct wal_record record = record_of(version, WAL_RMGR_XLOG, 0x10, &body);
        read_strictly(&record, &fact);
        assert_int_equal(fact.kind, WAL_FACT_CHECKPOINT);
        assert_false(fact.checkpoint.shutdown);
        assert_true(fact.checkpoint.full_pages);
        assert_int_equal(fact.checkpoint.wal_level, version >= 17 ? 1 : -1);
        assert_int_equal(fact.checkpoint.timeline, 3);
        assert_int_equal(fact.checkpoint.prev_timeline, 2);
        assert_true(fact.checkpoint.redo == 0x1000000);
        assert_true(fact.checkpoint.next_xid == ((UINT64_C(1) << 32) | 900));
        assert_true(fact.checkpoint.time == INT64_C(1795361760000000));
        record.info = 0x00;
        assert_int_equal(wal_facts_read(&record, &fact), 0);
        assert_true(fact.checkpoint.shutdown);
        record.main_size = record.main_available = 87;
        assert_unread(&record);
    }
}

static void
restore_points_have_names_of_any_bytes(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u64(&body, 7);
    put(&body, "\xc3\xa9t\xc3\xa9", 5);
    zeros(&body, 59);
    struct wal_record record = record_of(15, WAL_RMGR_XLOG, 0x70, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_RESTORE_POINT);
    assert_int_equal(fact.restore_point.size, 5);
    assert_true(fact.restore_point.time == EPOCH_US + 7);
    memset(body.bytes + 8, 'x', 64); /* no NUL */
    assert_int_equal(wal_facts_read(&record, &fact), 0);
    assert_int_equal(fact.restore_point.size, 64);
    record.main_size = record.main_available = 71;
    assert_unread(&record);
}

static void
the_other_xlog_records_are_read(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u64(&body, 0x2000028);
    u32(&body, 4);
    u32(&body, 3);
    u32(&body, 2);
    struct wal_record record = record_of(15, WAL_RMGR_XLOG, 0x50, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_BACKUP_END);
    assert_true(fact.backup_end.lsn == 0x2000028);
    record.info = 0x90;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_END_OF_RECOVERY);
    assert_int_equal(fact.end_of_recovery.timeline, 4);
    assert_int_equal(fact.end_of_recovery.prev_timeline, 3);
    assert_int_equal(fact.end_of_recovery.wal_level, -1);
    record.version = 17;
    read_strictly(&record, &fact);
    assert_int_equal(fact.end_of_recovery.wal_level, 2);
    record.info = 0xD0;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_OVERWRITTEN);
    assert_true(fact.overwritten.lsn == 0x2000028);
    record.info = 0x80;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_FULL_PAGES);
    assert_true(fact.on);
    record.info = 0x40;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_SWITCH);
    record.info = 0xE0;
    record.version = 16;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_NONE);
    record.version = 17;
    body.bytes[0] = 1;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_REDO);
    assert_int_equal(fact.wal_level, 1);
    record.info = 0x30; /* NEXTOID */
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_NONE);
}

static void
parameters_are_read(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    for (uint32_t i = 1; i <= 5; i++)
        u32(&body, 100 * i);
    u32(&body, 2);
    u8(&body, 0);
    u8(&body, 1);
    zeros(&body, 2);
    struct wal_record record = record_of(13, WAL_RMGR_XLOG, 0x60, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_PARAMETERS);
    assert_int_equal(fact.parameters.max_connections, 100);
    assert_int_equal(fact.parameters.max_worker_processes, 200);
    assert_int_equal(fact.parameters.max_wal_senders, 300);
    assert_int_equal(fact.parameters.max_prepared_transactions, 400);
    assert_int_equal(fact.parameters.max_locks_per_transaction, 500);
    assert_int_equal(fact.parameters.wal_level, 2);
    assert_false(fact.parameters.wal_log_hints);
    assert_true(fact.parameters.track_commit_timestamp);
}

static void
pages_with_nothing_on_them_do_not_count(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;
    struct wal_record record = heap_record(WAL_RMGR_XLOG, 0xB0, 0, &body);

    record.blocks[0].has_image = true;
    record.blocks[0].image_size = 88; /* the meta page of a btree: 72 bytes, and 16 at the end */
    record.blocks[0].hole_offset = 72;
    assert_int_equal(wal_facts_read(&record, &fact), 0);
    assert_int_equal(fact.kind, WAL_FACT_NONE);
    record.n_blocks = 3;
    record.blocks[1] = record.blocks[2] = record.blocks[0];
    record.blocks[1].image_size = 8192;
    record.blocks[1].hole_offset = 0;
    record.blocks[2].image_size = 60; /* compressed: the hole is said */
    record.blocks[2].hole_offset = 28;
    record.blocks[2].hole_size = 8100;
    assert_int_equal(wal_facts_read(&record, &fact), 0);
    assert_int_equal(fact.kind, WAL_FACT_PAGES);
    assert_int_equal(fact.rows.n, 2);
}

static void
storage_databases_and_tablespaces_are_read(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    for (uint32_t i = 1; i <= 5; i++)
        u32(&body, i);
    struct wal_record record = record_of(15, WAL_RMGR_SMGR, 0x10, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_CREATE);
    assert_int_equal(fact.storage.relation.tablespace, 1);
    assert_int_equal(fact.storage.relation.number, 3);
    assert_int_equal(fact.storage.fork, 4);
    record.info = 0x21; /* and a flag of the record's own */
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_TRUNCATE);
    assert_int_equal(fact.storage.block, 1);
    assert_int_equal(fact.storage.relation.number, 4);
    assert_int_equal(fact.storage.flags, 5);
    record.rmgr = WAL_RMGR_TABLESPACE;
    record.info = 0x00;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_TABLESPACE_CREATE);
    assert_int_equal(fact.oid, 1);
    record.info = 0x10;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_TABLESPACE_DROP);
}

static void
the_database_records_changed_their_meaning_with_15(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct body drop = {.size = 0};
    struct wal_fact fact;

    for (uint32_t i = 1; i <= 4; i++)
        u32(&body, 10 * i);
    u32(&drop, 10);
    u32(&drop, 2);
    u32(&drop, 1663);
    u32(&drop, 16500);
    for (int version = 13; version <= 18; version++) {
        struct wal_record record = record_of(version, WAL_RMGR_DATABASE, 0x01, &body);

        read_strictly(&record, &fact);
        assert_int_equal(fact.kind, WAL_FACT_DATABASE_CREATE);
        assert_int_equal(fact.database.from_database, 30);
        assert_false(fact.database.logged);
        record = record_of(version, WAL_RMGR_DATABASE, version < 15 ? 0x11 : 0x21, &drop);
        read_strictly(&record, &fact);
        assert_int_equal(fact.kind, WAL_FACT_DATABASE_DROP);
        assert_int_equal(fact.database.database, 10);
        assert_int_equal(wal_fact_u32(&fact.database.tablespaces, 1), 16500);
        if (version < 15)
            continue;
        record = record_of(version, WAL_RMGR_DATABASE, 0x10, &body);
        read_strictly(&record, &fact);
        assert_int_equal(fact.kind, WAL_FACT_DATABASE_CREATE);
        assert_true(fact.database.logged);
        assert_int_equal(fact.database.from_database, 0);
    }
}

static void
relation_maps_are_read_if_they_have_the_magic(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;
    uint32_t oid;
    uint32_t number;

    u32(&body, 5);
    u32(&body, 1663);
    u32(&body, 512);
    u32(&body, 0x592717);
    u32(&body, 2);
    u32(&body, 1259);
    u32(&body, 1259);
    u32(&body, 1247);
    u32(&body, 20000);
    zeros(&body, 488);
    struct wal_record record = record_of(15, WAL_RMGR_RELMAP, 0x00, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_RELATION_MAP);
    assert_int_equal(fact.map.database, 5);
    assert_int_equal(fact.map.entries.n, 2);
    wal_fact_map_entry(&fact.map.entries, 1, &oid, &number);
    assert_int_equal(oid, 1247);
    assert_int_equal(number, 20000);
    body.bytes[16] = 65; /* slots */
    assert_unread(&record);
    body.bytes[16] = 2;
    body.bytes[12]++;
    assert_unread(&record);
}

static void
locks_and_running_transactions_are_read(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u32(&body, 2);
    for (uint32_t i = 0; i < 6; i++)
        u32(&body, 100 + i);
    struct wal_record record = record_of(15, WAL_RMGR_STANDBY, 0x00, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_LOCKS);
    assert_int_equal(fact.locks.n, 2);
    struct wal_lock lock = wal_fact_lock(&fact.locks, 1);
    assert_int_equal(lock.xid, 103);
    assert_int_equal(lock.database, 104);
    assert_int_equal(lock.oid, 105);
    record.info = 0x10;
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_RUNNING);
    assert_int_equal(fact.running.next_xid, 102);
    assert_int_equal(fact.running.oldest_running, 103);
}

static void
rows_are_counted_by_what_happens_to_them(void **state)
{
    (void)state;
    static const struct {
        uint8_t rmgr;
        uint8_t info;
        uint8_t flags; /* at offset 7 */
        enum wal_fact_kind kind;
        uint32_t n;
        uint16_t offset;
    } cases[] = {
        {WAL_RMGR_HEAP, 0x00, 0, WAL_FACT_INSERT, 1, 0x0201},
        {WAL_RMGR_HEAP, 0x80, 0, WAL_FACT_INSERT, 1, 0x0201},
        {WAL_RMGR_HEAP, 0x10, 0, WAL_FACT_DELETE, 1, 0x0605},
        {WAL_RMGR_HEAP, 0x10, 0x10, WAL_FACT_MOVE, 1, 0x0605},
        {WAL_RMGR_HEAP, 0x10, 0x08, WAL_FACT_NONE, 0, 0},
        {WAL_RMGR_HEAP, 0x20, 0, WAL_FACT_UPDATE, 1, 0x0605},
        {WAL_RMGR_HEAP, 0x40, 0, WAL_FACT_UPDATE, 1, 0x0605},
        {WAL_RMGR_HEAP, 0x50, 0, WAL_FACT_NONE, 0, 0},
        {WAL_RMGR_HEAP, 0x60, 0, WAL_FACT_NONE, 0, 0},
        {WAL_RMGR_HEAP, 0x70, 0, WAL_FACT_INPLACE, 1, 0x0201},
        {WAL_RMGR_HEAP2, 0x50, 0, WAL_FACT_LOAD, 0x0403, 0},
        {WAL_RMGR_HEAP2, 0xD0, 0, WAL_FACT_LOAD, 0x0403, 0},
        {WAL_RMGR_HEAP2, 0x10, 0, WAL_FACT_NONE, 0, 0},
        {WAL_RMGR_HEAP2, 0x60, 0, WAL_FACT_NONE, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct body body = {.size = 0};
        struct wal_fact fact;

        for (uint8_t byte = 1; byte <= 14; byte++)
            u8(&body, byte);
        body.bytes[7] = cases[i].flags;
        struct wal_record record = heap_record(cases[i].rmgr, cases[i].info, 0, &body);
        read_strictly(&record, &fact);
        assert_int_equal(fact.kind, cases[i].kind);
        assert_int_equal(fact.rows.n, cases[i].n);
        assert_int_equal(fact.rows.offset, cases[i].offset);
        record.n_blocks = 0;
        if (fact.kind != WAL_FACT_NONE)
            assert_unread(&record);
    }
}

static void
truncates_of_logical_wal_name_oids(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    u32(&body, 5);
    u32(&body, 2);
    u8(&body, 3);
    put(&body, "\xaa\xbb\xcc", 3);
    u32(&body, 16384);
    u32(&body, 16390);
    struct wal_record record = record_of(15, WAL_RMGR_HEAP, 0x30, &body);
    read_strictly(&record, &fact);
    assert_int_equal(fact.kind, WAL_FACT_HEAP_TRUNCATE);
    assert_int_equal(fact.heap_truncate.database, 5);
    assert_int_equal(fact.heap_truncate.flags, 3);
    assert_int_equal(wal_fact_u32(&fact.heap_truncate.oids, 1), 16390);
    record.main_size = record.main_available = 19;
    assert_unread(&record);
}

static void
pages_of_the_visibility_map_that_nobody_names_are_found(void **state)
{
    (void)state;
    static const struct {
        uint8_t rmgr;
        uint8_t info;
        uint8_t place; /* of the flags */
        uint8_t flags;
        size_t n;
    } cases[] = {
        {WAL_RMGR_HEAP, 0x00, 2, 1, 1},  {WAL_RMGR_HEAP, 0x00, 2, 2, 0},
        {WAL_RMGR_HEAP, 0x10, 7, 1, 1},  {WAL_RMGR_HEAP, 0x10, 7, 0x10, 0},
        {WAL_RMGR_HEAP, 0x20, 7, 1, 1},  {WAL_RMGR_HEAP, 0x20, 7, 2, 1},
        {WAL_RMGR_HEAP, 0x40, 7, 3, 2},  {WAL_RMGR_HEAP, 0x60, 7, 1, 1},
        {WAL_RMGR_HEAP2, 0x50, 0, 1, 1}, {WAL_RMGR_HEAP2, 0x60, 7, 1, 1},
        {WAL_RMGR_HEAP2, 0x40, 7, 1, 0}, {WAL_RMGR_HEAP, 0x70, 7, 1, 0},
        {WAL_RMGR_XLOG, 0x00, 7, 1, 0},
    };
    struct body body = {.size = 0};
    uint32_t blocks[2];

    zeros(&body, 14);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wal_record record =
            heap_record(cases[i].rmgr, cases[i].info, 2 * WAL_HEAP_BLOCKS_PER_VM_BLOCK, &body);

        memset(body.bytes, 0, body.size);
        body.bytes[cases[i].place] = cases[i].flags;
        assert_int_equal(wal_facts_map_blocks(&record, blocks), cases[i].n);
        for (size_t j = 0; j < cases[i].n; j++)
            assert_int_equal(blocks[j], 2);
        record.main_size = record.main_available = cases[i].place;
        assert_int_equal(wal_facts_map_blocks(&record, blocks), 0);
    }
    /* The row came from another page, and that one's map is another. */
    struct wal_record record = heap_record(WAL_RMGR_HEAP, 0x20, 5, &body);
    memset(body.bytes, 0, body.size);
    body.bytes[7] = 3;
    record.n_blocks = 2;
    record.blocks[1] = record.blocks[0];
    record.blocks[1].id = 1;
    record.blocks[1].block = WAL_HEAP_BLOCKS_PER_VM_BLOCK;
    assert_int_equal(wal_facts_map_blocks(&record, blocks), 2);
    assert_int_equal(blocks[0], 1);
    assert_int_equal(blocks[1], 0);
}

static void
other_resource_managers_have_no_facts(void **state)
{
    (void)state;
    struct body body = {.size = 0};
    struct wal_fact fact;

    for (unsigned rmgr = 0; rmgr < 256; rmgr++) {
        struct wal_record record = record_of(15, (uint8_t)rmgr, 0xF0, &body);

        if (rmgr == WAL_RMGR_HEAP)
            continue;
        if (wal_facts_read(&record, &fact) == 0)
            assert_int_equal(fact.kind, WAL_FACT_NONE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_and_aborts_are_read_in_the_layout_of_every_version),
        cmocka_unit_test(a_plain_commit_has_its_time_and_nothing_else),
        cmocka_unit_test(lists_longer_than_the_record_are_refused_unless_it_is_not_all_at_hand),
        cmocka_unit_test(prepares_have_their_gid_behind_the_header_of_the_version),
        cmocka_unit_test(assignments_name_the_top_transaction),
        cmocka_unit_test(checkpoints_say_wal_level_from_17_on),
        cmocka_unit_test(restore_points_have_names_of_any_bytes),
        cmocka_unit_test(the_other_xlog_records_are_read),
        cmocka_unit_test(parameters_are_read),
        cmocka_unit_test(pages_with_nothing_on_them_do_not_count),
        cmocka_unit_test(storage_databases_and_tablespaces_are_read),
        cmocka_unit_test(the_database_records_changed_their_meaning_with_15),
        cmocka_unit_test(relation_maps_are_read_if_they_have_the_magic),
        cmocka_unit_test(locks_and_running_transactions_are_read),
        cmocka_unit_test(rows_are_counted_by_what_happens_to_them),
        cmocka_unit_test(truncates_of_logical_wal_name_oids),
        cmocka_unit_test(pages_of_the_visibility_map_that_nobody_names_are_found),
        cmocka_unit_test(other_resource_managers_have_no_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
