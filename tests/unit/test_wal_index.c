/* SPDX-License-Identifier: PostgreSQL */
/* Which ends and what work are kept stands in docs/format.md, 13.8 and 13.9. */
#include "wal/wal_index.h"

#include "index_bench.h"

static void
rows_of_what_goes_on_are_counted_however_few(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_index_end end;

    crowd(bench, 1000, 300);
    rows(bench, HEAP_DELETE, 2000, 16384, 3);
    finish(bench);
    assert_int_equal(deleted(bench, 2000, 16384), 3);
    assert_false(find_end(bench, 2000, &end));
    done(bench);
}

static void
small_transactions_that_lie_in_the_segment_are_in_the_totals_only(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_index_end end;
    struct wal_index_work work;

    crowd(bench, 1000, 300);
    rows(bench, HEAP_DELETE, 2000, 16384, 99);
    (void)end_xid(bench, 0x00, 2000, NULL, 0);
    rows(bench, HEAP_DELETE, 2001, 16384, 100);
    uint64_t lsn = end_xid(bench, 0x00, 2001, NULL, 0);
    finish(bench);
    assert_false(find_end(bench, 2000, &end));
    assert_false(find_work(bench, 2000, &work));
    assert_int_equal(deleted(bench, 2001, 16384), 100);
    assert_true(find_end(bench, 2001, &end));
    assert_true(end.commit && !end.prepared && !end.cut);
    assert_true(end.lsn == lsn);
    assert_true(end.time == EPOCH_US + 1000);
    assert_int_equal(bench->index.totals.deleted, 199);
    assert_int_equal(bench->index.totals.inserted, 300);
    assert_int_equal(bench->index.totals.commits, 302);
    assert_true(wal_index_has_commit(&bench->index, 2000));
    assert_false(wal_index_has_commit(&bench->index, 1999));
    assert_false(wal_index_has_abort(&bench->index, 2000));
    /* Of the crowd the oldest are here, and no others. */
    assert_true(find_end(bench, 1000, &end));
    assert_true(find_work(bench, 1255, &work));
    assert_false(find_end(bench, 1256, &end));
    done(bench);
}

static void
old_transactions_are_told_by_their_ids_around_the_end_of_numbers(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_index_end end;

    crowd(bench, 100, 300);
    (void)end_xid(bench, 0x00, UINT32_MAX - 5, NULL, 0); /* older than 100 */
    (void)end_xid(bench, 0x00, 1000, NULL, 0);
    finish(bench);
    assert_true(find_end(bench, UINT32_MAX - 5, &end));
    assert_false(find_end(bench, 1000, &end));
    assert_int_equal(bench->index.totals.xid_min, 100);
    assert_int_equal(bench->index.totals.xid_max, UINT32_MAX - 5);
    done(bench);
}

static void
subtransactions_that_commit_count_for_the_top_one(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    uint32_t subxids[150];
    struct wal_index_end end;
    struct wal_index_work work;
    uint32_t xid;

    crowd(bench, 1000, 300);
    for (uint32_t i = 0; i < 150; i++) {
        subxids[i] = 2001 + i;
        (void)row(bench, HEAP_DELETE, subxids[i], 16384, i);
    }
    (void)end_xid(bench, 0x00, 2000, subxids, 150);
    finish(bench);
    assert_int_equal(deleted(bench, 2000, 16384), 150);
    assert_false(find_work(bench, 2001, &work));
    assert_true(find_end(bench, 2000, &end));
    assert_int_equal(end.subxids.n, 150);
    for (uint32_t i = 0; i < 150; i++) {
        assert_true(wal_index_list_u32(&end.subxids, &xid));
        assert_int_equal(xid, 2001 + i);
    }
    assert_false(wal_index_list_u32(&end.subxids, &xid));
    done(bench);
}

static void
what_aborts_leaves_its_end_but_no_work(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    const uint32_t subxid = 2002;
    struct wal_index_end end;
    struct wal_index_work work;

    rows(bench, HEAP_DELETE, 2000, 16384, 500);
    rows(bench, HEAP_DELETE, 2001, 16384, 500);
    rows(bench, HEAP_DELETE, 2002, 16384, 500);
    (void)end_xid(bench, 0x20, 2001, &subxid, 1); /* a savepoint of 2000 */
    finish(bench);
    assert_int_equal(deleted(bench, 2000, 16384), 500);
    assert_false(find_work(bench, 2001, &work));
    assert_false(find_work(bench, 2002, &work));
    assert_true(find_end(bench, 2001, &end));
    assert_false(end.commit);
    assert_true(wal_index_has_abort(&bench->index, 2001));
    done(bench);
}

/* SMGR_CREATE or SMGR_TRUNCATE. */
static void
storage(struct bench *bench, uint32_t xid, bool create, uint32_t number, uint32_t value)
{
    bench->size = 0;
    if (!create)
        u32(bench, value);
    u32(bench, 1663);
    u32(bench, 5);
    u32(bench, number);
    u32(bench, create ? value : 7);
    (void)write_record(bench, WAL_RMGR_SMGR, create ? 0x10 : 0x20, xid, NULL);
}

/* A commit that drops relation 1663/5/number and statistics of an OID. */
static void
drop(struct bench *bench, uint32_t xid, uint32_t number, uint32_t oid)
{
    bench->size = 0;
    u64(bench, 0);
    u32(bench, 0x1 | 0x4 | 0x100);
    u32(bench, 5);
    u32(bench, 1663);
    u32(bench, 1);
    u32(bench, 1663);
    u32(bench, 5);
    u32(bench, number);
    u32(bench, 1);
    u32(bench, 2);
    u32(bench, 5);
    u32(bench, oid);
    (void)write_record(bench, WAL_RMGR_XACT, 0x80, xid, NULL);
}

static void
lock(struct bench *bench, uint32_t xid, uint32_t oid)
{
    bench->size = 0;
    u32(bench, 1);
    u32(bench, xid);
    u32(bench, 5);
    u32(bench, oid);
    (void)write_record(bench, WAL_RMGR_STANDBY, 0x00, 0, NULL);
}

static void
ddl_is_kept_whole(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_index_work work;
    struct wal_index_end end;
    struct wal_index_storage made;
    struct wal_index_object object;
    struct wal_relation relation;
    struct wal_dropped_stats stats;

    crowd(bench, 1000, 300);
    lock(bench, 2000, 16384);
    storage(bench, 2000, true, 20000, 0);
    storage(bench, 2000, false, 16390, 40000);
    (void)row(bench, HEAP_DELETE, 2000, 1259, 1);
    lock(bench, 2000, 16384);
    lock(bench, 2000, 16383);
    drop(bench, 2000, 16384, 16385);
    storage(bench, 0, true, 20001, 0);
    finish(bench);

    assert_true(find_work(bench, 2000, &work));
    assert_int_equal(deleted(bench, 2000, 1259), 1);
    assert_true(wal_index_list_object(&work.locks, &object));
    assert_int_equal(object.oid, 16383);
    assert_true(wal_index_list_object(&work.locks, &object));
    assert_int_equal(object.oid, 16384);
    assert_int_equal(object.database, 5);
    assert_false(wal_index_list_object(&work.locks, &object));
    assert_true(wal_index_list_storage(&bench->index, &work.creates, &made));
    assert_int_equal(made.relation.number, 20000);
    assert_true(made.lsn > work.first_lsn && made.lsn < work.last_lsn);
    assert_true(wal_index_list_storage(&bench->index, &work.truncates, &made));
    assert_int_equal(made.relation.number, 16390);
    assert_int_equal(made.block, 40000);
    assert_int_equal(made.fork, 7);
    assert_true(find_end(bench, 2000, &end));
    assert_int_equal(end.database, 5);
    assert_true(wal_index_list_relation(&bench->index, &end.relations, &relation));
    assert_int_equal(relation.number, 16384);
    assert_true(wal_index_list_stats(&end.stats, &stats));
    assert_int_equal(stats.object, 16385);
    assert_true(find_work(bench, 0, &work));
    assert_true(wal_index_list_storage(&bench->index, &work.creates, &made));
    assert_int_equal(made.relation.number, 20001);
    done(bench);
}

static void
assert_no_range(struct wal_index_fork *fork)
{
    struct wal_index_range range;

    assert_false(wal_index_next_range(&fork->ranges, &range));
}

static void
blocks_and_limits_are_those_of_the_records(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_index_fork fork;
    struct wal_block fsm = block_of(16384, 9);

    fsm.fork = 1;
    (void)row(bench, HEAP_DELETE, 2000, 16384, 70000);
    (void)row(bench, HEAP_DELETE, 2000, 16384, UINT32_MAX - 1);
    (void)row(bench, HEAP_DELETE, 2000, 16384, 7);
    (void)write_record(bench, WAL_RMGR_XLOG, 0xA0, 0, &fsm);
    for (uint32_t i = 0; i < 300; i++) /* runs */
        (void)row(bench, HEAP_DELETE, 2000, 16385, 65530 + i);
    for (uint32_t i = 0; i < 900; i += i % 3 == 0 ? 1 : 2) /* bits */
        (void)row(bench, HEAP_DELETE, 2000, 16386, i);
    storage(bench, 2000, false, 16387, 40000);
    storage(bench, 2000, false, 16387, 50000);
    storage(bench, 2000, true, 16388, 3);
    drop(bench, 2001, 16389, 16389);
    finish(bench);

    assert_true(find_fork(bench, 16384, 0, &fork));
    assert_true(fork.limit == WAL_INDEX_NO_LIMIT);
    assert_range(&fork, 7, 1);
    assert_range(&fork, 70000, 1);
    assert_range(&fork, UINT32_MAX - 1, 1);
    assert_no_range(&fork);
    assert_false(find_fork(bench, 16384, 1, &fork));
    assert_true(find_fork(bench, 16385, 0, &fork));
    assert_range(&fork, 65530, 6);
    assert_range(&fork, 65536, 294);
    assert_no_range(&fork);
    assert_true(find_fork(bench, 16386, 0, &fork));
    for (uint32_t i = 0; i < 900; i += 3)
        assert_range(&fork, i, 2);
    assert_no_range(&fork);
    assert_true(find_fork(bench, 16387, 0, &fork));
    assert_int_equal(fork.limit, 40000);
    assert_true(find_fork(bench, 16387, 2, &fork));
    assert_int_equal(fork.limit, 2);
    assert_range(&fork, 1, 1);
    assert_no_range(&fork);
    assert_false(find_fork(bench, 16388, 0, &fork));
    assert_true(find_fork(bench, 16388, 3, &fork));
    assert_int_equal(fork.limit, 0);
    for (uint8_t i = 0; i < 4; i++) {
        assert_int_equal(find_fork(bench, 16389, i, &fork), i != 1);
        assert_true(i == 1 || fork.limit == 0);
    }
    done(bench);
}

/* A visibility map's page that a delete changes without naming it. */
static void
unnamed_pages_of_visibility_maps_are_among_the_blocks(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_block block = block_of(16384, 3 * WAL_HEAP_BLOCKS_PER_VM_BLOCK + 1);
    struct wal_index_fork fork;

    u32(bench, 2000);
    u32(bench, 0x01000001);
    (void)write_record(bench, WAL_RMGR_HEAP, HEAP_DELETE, 2000, &block);
    finish(bench);
    assert_true(find_fork(bench, 16384, 2, &fork));
    assert_range(&fork, 3, 1);
    assert_no_range(&fork);
    done(bench);
}

static void
put_checkpoint(struct bench *bench)
{
    static const uint8_t rest[32] = {0};

    u64(bench, 0x700028);
    u32(bench, 2);
    u32(bench, 1);
    u64(bench, 1);
    u64(bench, 900);
    put(bench, rest, 32);
    u64(bench, 1795361760);
    put(bench, rest, 16);
}

static void
put_drop_database(struct bench *bench)
{
    struct wal_block database = {.relation = {1664, 0, 1262}, .block = 3};

    u64(bench, 8);
    (void)write_record(bench, WAL_RMGR_HEAP, HEAP_INPLACE, 0, &database);
    u64(bench, UINT64_C(8) << 32);
    (void)write_record(bench, WAL_RMGR_HEAP, HEAP_DELETE, 2000, &database);
    u32(bench, 16999);
    u32(bench, 2);
    u32(bench, 16400);
    u32(bench, 1663);
    (void)write_record(bench, WAL_RMGR_DATABASE, 0x20, 2000, NULL);
}

static void
events_come_back_in_order_with_what_they_say(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_index_walk walk;
    struct wal_index_event event;
    struct wal_index_end end;
    uint32_t number;

    restore_point(bench, "before");
    put_checkpoint(bench);
    uint64_t lsn = write_record(bench, WAL_RMGR_XLOG, 0x00, 0, NULL);
    put_drop_database(bench);
    crowd(bench, 3000, 1);
    (void)end_xid(bench, 0x00, 2000, NULL, 0);
    finish(bench);

    wal_index_walk_events(&bench->index, &walk);
    assert_true(wal_index_next_event(&walk, &event));
    assert_int_equal(event.kind, WAL_INDEX_RESTORE_POINT);
    assert_int_equal(event.text.size, 6);
    assert_memory_equal(event.text.data, "before", 6);
    assert_true(event.time == EPOCH_US + 5);
    assert_true(wal_index_next_event(&walk, &event));
    assert_int_equal(event.kind, WAL_INDEX_CHECKPOINT);
    assert_true(event.lsn == lsn);
    assert_true(event.checkpoint.shutdown && event.checkpoint.full_pages);
    assert_int_equal(event.checkpoint.timeline, 2);
    assert_int_equal(event.wal_level, -1);
    assert_true(wal_index_next_event(&walk, &event));
    assert_int_equal(event.kind, WAL_INDEX_DATABASE_ROW);
    assert_int_equal(event.row.kind, WAL_INDEX_ROW_INPLACE);
    assert_int_equal(event.xid, 0);
    assert_int_equal(event.row.offset, 8);
    assert_true(wal_index_next_event(&walk, &event));
    assert_int_equal(event.row.kind, WAL_INDEX_ROW_DELETE);
    assert_int_equal(event.row.block, 3);
    assert_int_equal(event.row.offset, 8);
    assert_true(wal_index_next_event(&walk, &event));
    assert_int_equal(event.kind, WAL_INDEX_DATABASE_DROP);
    assert_int_equal(event.database, 16999);
    assert_true(wal_index_list_u32(&event.list, &number));
    assert_int_equal(number, 16400);
    assert_true(wal_index_list_u32(&event.list, &number));
    assert_int_equal(number, 1663);
    assert_false(wal_index_list_u32(&event.list, &number));
    assert_false(wal_index_next_event(&walk, &event));
    assert_true(find_end(bench, 2000, &end));
    done(bench);
}

static void
commits_are_counted_by_the_minute(void **state)
{
    (void)state;
    static const int64_t times[] = {61, 60, 59, 61, 7200, -1};
    struct bench *bench = begin(SMALL);
    struct wal_index_walk walk;
    struct wal_index_minute minute;
    const int64_t first = EPOCH_US / MINUTE_US;

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        u64(bench, (uint64_t)(times[i] * 1000000));
        (void)write_record(bench, WAL_RMGR_XACT, 0x00, 1000 + (uint32_t)i, NULL);
    }
    finish(bench);
    static const struct wal_index_minute want[] = {{-1, 1}, {0, 1}, {1, 3}, {120, 1}};
    wal_index_walk_minutes(&bench->index, &walk);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(wal_index_next_minute(&walk, &minute));
        assert_true(minute.minute == first + want[i].minute);
        assert_int_equal(minute.commits, want[i].commits);
    }
    assert_false(wal_index_next_minute(&walk, &minute));
    assert_true(bench->index.totals.time_min == EPOCH_US - 1000000);
    assert_true(bench->index.totals.time_max == EPOCH_US + INT64_C(7200000000));
    assert_true(bench->index.totals.first_commit.time == EPOCH_US + 61000000);
    done(bench);
}

static void
the_summary_comes_back_with_its_edges(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    struct wal_summary *got = calloc(1, sizeof(*got));
    struct wal_reader *reader = NULL;
    struct bench_digest digest;
    struct err err;

    assert_non_null(got);
    (void)row(bench, HEAP_INSERT, 1000, 16384, 1);
    (void)bench_filler(&bench->wal, 40000);
    finish(bench);
    wal_index_summary(&bench->index, got);
    memset(&digest, 0, sizeof(digest));
    assert_int_equal(wal_reader_new(bench_sink, &digest, &reader, &err), 0);
    const struct wal_summary *want =
        bench_read(reader, &digest, bench->wal.bytes, SMALL, SMALL);
    assert_int_equal(got->version, 15);
    assert_int_equal(bench->index.magic, MAGIC_15);
    assert_true(got->system_id == BENCH_SYSTEM_ID);
    assert_true(got->start_lsn == want->start_lsn && got->end_lsn == want->end_lsn);
    assert_true(got->first_lsn == want->first_lsn && got->last_lsn == want->last_lsn);
    assert_true(got->last_end_lsn == want->last_end_lsn);
    assert_true(got->first_prev_known == want->first_prev_known);
    assert_true(got->first_prev_lsn == want->first_prev_lsn);
    assert_int_equal(got->n_records, want->n_records);
    assert_int_equal(got->switched, want->switched);
    assert_int_equal(got->tail.size, want->tail.size);
    wal_reader_free(reader);
    free(got);
    done(bench);
}

/* Everything an index can hold, small. */
static struct bench *
make_mixture(void)
{
    struct bench *bench = begin(SMALL);
    const uint32_t subxid = 2101;

    crowd(bench, 1000, 8);
    restore_point(bench, "before");
    put_checkpoint(bench);
    (void)write_record(bench, WAL_RMGR_XLOG, 0x00, 0, NULL);
    put_drop_database(bench);
    lock(bench, 2000, 16384);
    storage(bench, 2000, true, 20000, 0);
    storage(bench, 2000, false, 16390, 40000);
    drop(bench, 2000, 16384, 16385);
    rows(bench, HEAP_DELETE, 2100, 16386, 120);
    rows(bench, HEAP_DELETE, 2101, 16386, 3);
    (void)end_xid(bench, 0x00, 2100, &subxid, 1);
    (void)end_xid(bench, 0x20, 2200, NULL, 0);
    for (uint32_t i = 0; i < 90; i += i % 3 == 0 ? 1 : 2)
        (void)row(bench, HEAP_DELETE, 2300, 16391, i);
    finish(bench);
    return bench;
}

/* Walk through everything; whatever it says, it ends. */
static void
walk_all(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_fork fork;
    struct wal_index_range range;
    struct wal_index_work work;
    struct wal_index_rows counts;
    struct wal_index_storage made;
    struct wal_index_end end;
    struct wal_relation relation;
    uint64_t blocks = 0;

    wal_index_walk_forks(index, &walk);
    while (wal_index_next_fork(&walk, &fork)) {
        while (wal_index_next_range(&fork.ranges, &range))
            blocks += range.n;
    }
    wal_index_walk_work(index, &walk);
    while (wal_index_next_work(&walk, &work)) {
        while (wal_index_list_rows(index, &work.rows, &counts))
            blocks += counts.deleted;
        while (wal_index_list_storage(index, &work.creates, &made))
            blocks += made.block;
    }
    wal_index_walk_ends(index, &walk);
    while (wal_index_next_end(&walk, &end)) {
        while (wal_index_list_relation(index, &end.relations, &relation))
            blocks += relation.number;
    }
    (void)wal_index_has_commit(index, 5);
    assert_true(blocks < UINT64_MAX);
}

/* Open a copy that ends where its memory does. */
static int
open_copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;
    struct err err = ERR_INIT;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    int rc = wal_index_open(WAL_INDEX_VERSION, copy, size, &index, &err);
    if (rc == 0)
        walk_all(&index);
    else
        assert_int_equal(err.kind, ERR_CORRUPT);
    free(copy);
    return rc;
}

static void
an_index_that_is_cut_is_refused(void **state)
{
    (void)state;
    struct bench *bench = make_mixture();
    size_t accepted = 0;

    assert_int_equal(open_copy(bench->bytes.data, bench->bytes.size), 0);
    for (size_t size = 0; size < bench->bytes.size; size++)
        accepted += open_copy(bench->bytes.data, size) == 0 ? 1 : 0;
    /* Cut between two of its last sections it is one without them. Objects are authentic. */
    assert_true(accepted <= 8);
    done(bench);
}

static void
an_index_with_any_bit_turned_is_refused_or_can_be_walked(void **state)
{
    (void)state;
    struct bench *bench = make_mixture();
    size_t refused = 0;

    for (size_t i = 0; i < bench->bytes.size * 8; i++) {
        bench->bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
        refused += open_copy(bench->bytes.data, bench->bytes.size) < 0 ? 1 : 0;
        bench->bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(refused > bench->bytes.size);
    done(bench);
}

static void
unknown_versions_are_passed_over_and_unknown_sections_by_their_number(void **state)
{
    (void)state;
    struct bench *bench = make_mixture();
    struct wal_index index = WAL_INDEX_INIT;
    struct err err = ERR_INIT;
    const uint8_t later[] = {64, 2, 1, 2};

    assert_int_equal(wal_index_open(0, NULL, 0, &index, &err), WAL_INDEX_UNKNOWN);
    assert_int_equal(wal_index_open(2, bench->bytes.data, 1, &index, &err), WAL_INDEX_UNKNOWN);
    assert_int_equal(buf_append(&bench->bytes, later, sizeof(later), &err), 0);
    assert_int_equal(open_copy(bench->bytes.data, bench->bytes.size), 0);
    bench->bytes.data[bench->bytes.size - 4] = 63;
    assert_int_equal(open_copy(bench->bytes.data, bench->bytes.size), -1);
    bench->bytes.data[bench->bytes.size - 4] = 11;
    assert_int_equal(open_copy(bench->bytes.data, bench->bytes.size), -1);
    done(bench);
}

static void
one_joined_record_has_an_index_of_its_own(void **state)
{
    (void)state;
    struct bench *bench = begin(SMALL);
    const uint64_t time = 9;
    struct wal_record record;
    struct wal_index_end end;
    struct err err;

    memset(&record, 0, sizeof(record));
    record.version = 15;
    record.lsn = 0x7FFFF8;
    record.xid = 4711;
    record.rmgr = WAL_RMGR_XACT;
    record.main_data = (const uint8_t *)&time;
    record.main_size = record.main_available = sizeof(time);
    assert_int_equal(wal_index_of_record(&record, &bench->bytes, &err), 0);
    assert_int_equal(wal_index_open(WAL_INDEX_VERSION, bench->bytes.data, bench->bytes.size,
                                    &bench->index, &err),
                     0);
    assert_true(find_end(bench, 4711, &end));
    assert_true(end.lsn == record.lsn);
    done(bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_what_goes_on_are_counted_however_few),
        cmocka_unit_test(small_transactions_that_lie_in_the_segment_are_in_the_totals_only),
        cmocka_unit_test(old_transactions_are_told_by_their_ids_around_the_end_of_numbers),
        cmocka_unit_test(subtransactions_that_commit_count_for_the_top_one),
        cmocka_unit_test(what_aborts_leaves_its_end_but_no_work),
        cmocka_unit_test(ddl_is_kept_whole),
        cmocka_unit_test(blocks_and_limits_are_those_of_the_records),
        cmocka_unit_test(unnamed_pages_of_visibility_maps_are_among_the_blocks),
        cmocka_unit_test(events_come_back_in_order_with_what_they_say),
        cmocka_unit_test(commits_are_counted_by_the_minute),
        cmocka_unit_test(the_summary_comes_back_with_its_edges),
        cmocka_unit_test(an_index_that_is_cut_is_refused),
        cmocka_unit_test(an_index_with_any_bit_turned_is_refused_or_can_be_walked),
        cmocka_unit_test(unknown_versions_are_passed_over_and_unknown_sections_by_their_number),
        cmocka_unit_test(one_joined_record_has_an_index_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
