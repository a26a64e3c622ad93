/* SPDX-License-Identifier: PostgreSQL */
/* What is left out when there is too much of it: docs/format.md, 13.11. */
#include "wal/wal_indexer.h"

#include "index_bench.h"

static void
blocks_go_first_when_the_index_grows_too_large(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);
    struct wal_index_fork fork;

    /* Each in a chunk of its own: six bytes. */
    for (uint32_t i = 0; i < 220000; i++)
        (void)row(bench, HEAP_INSERT, 1000, 16384 + i / 60000, i % 60000 << 16 | 40000);
    finish(bench);
    assert_int_equal(bench->index.missing, WAL_INDEX_NO_BLOCKS);
    assert_false(find_fork(bench, 16384, 0, &fork));
    assert_int_equal(bench->index.totals.inserted, 220000);
    done(bench);
}

/* Rows in three relations for each of n transactions that go on. */
static void
scatter_work(struct bench *bench, uint32_t n, uint32_t gap)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t relation = 0; relation < 3; relation++)
            (void)row(bench, HEAP_DELETE, 1000 + gap * i, 16384 + relation, i);
    }
}

static void
then_work_goes(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);
    struct wal_index_work work;

    for (uint32_t i = 0; i < 1000; i++)
        restore_point(bench, "a name that is about as long as the name of any point ever is");
    scatter_work(bench, 60000, 300);
    finish(bench);
    assert_int_equal(bench->index.missing, WAL_INDEX_NO_BLOCKS | WAL_INDEX_NO_WORK);
    assert_false(find_work(bench, 1000, &work));
    assert_int_equal(bench->index.totals.deleted, 180000);
    done(bench);
}

static void
work_that_is_too_large_by_itself_goes_alone(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);
    struct wal_index_fork fork;

    scatter_work(bench, 64000, 20000);
    finish(bench);
    assert_int_equal(bench->index.missing, WAL_INDEX_NO_WORK);
    assert_true(find_fork(bench, 16384, 0, &fork));
    assert_range(&fork, 0, 64000);
    done(bench);
}

static void
too_many_transactions_at_a_time_are_said_to_be_missing(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);

    for (uint32_t i = 0; i < 65536 + 1; i++)
        (void)row(bench, HEAP_DELETE, 1000 + i, 16384, 0);
    finish(bench);
    assert_int_equal(bench->index.missing, WAL_INDEX_NO_WORK);
    assert_int_equal(deleted(bench, 1000, 16384), 1);
    assert_int_equal(deleted(bench, 1000 + 65535, 16384), 1);
    done(bench);
}

static void
ends_with_endless_lists_go_too(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);
    struct wal_index_end end;

    for (uint32_t i = 0; i < 40; i++) {
        u64(bench, 0);
        u32(bench, 0x100);
        u32(bench, 4000);
        for (uint32_t j = 0; j < 4000; j++) {
            u32(bench, 2);
            u32(bench, j * 2654435761);
            u32(bench, j * 40503);
        }
        (void)write_record(bench, WAL_RMGR_XACT, 0x80, 1000 + i, NULL);
    }
    finish(bench);
    assert_int_equal(bench->index.missing, WAL_INDEX_NO_ENDS);
    assert_true(find_end(bench, 1000, &end));
    assert_int_equal(end.stats.n, 4000);
    assert_false(find_end(bench, 1039, &end));
    assert_true(wal_index_has_commit(&bench->index, 1039));
    done(bench);
}

static void
scattered_ids_leave_only_their_span(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);

    for (uint32_t i = 0; i < 131073; i++) {
        u64(bench, 0);
        (void)write_record(bench, WAL_RMGR_XACT, 0x00, 1000 + 2 * i, NULL);
    }
    finish(bench);
    assert_int_equal(bench->index.missing, WAL_INDEX_NO_XIDS);
    assert_true(wal_index_has_commit(&bench->index, 1001));
    assert_false(wal_index_has_commit(&bench->index, 999));
    assert_int_equal(bench->index.totals.commits, 131073);
    done(bench);
}

static void
too_many_events_and_minutes_are_said_to_be_missing(void **state)
{
    (void)state;
    struct bench *bench = begin(LARGE);
    struct wal_index_walk walk;
    struct wal_index_event event;
    uint32_t n = 0;

    for (uint32_t i = 0; i < 5000; i++)
        restore_point(bench, "a name that is about as long as the name of any point ever is");
    for (uint32_t i = 0; i < 16385; i++) {
        u64(bench, (uint64_t)i * 60000000);
        (void)write_record(bench, WAL_RMGR_XACT, 0x00, 1000 + i, NULL);
    }
    finish(bench);
    assert_int_equal(bench->index.missing,
                     WAL_INDEX_NO_EVENTS | WAL_INDEX_NO_BLOCKS | WAL_INDEX_NO_MINUTES);
    wal_index_walk_events(&bench->index, &walk);
    while (wal_index_next_event(&walk, &event))
        n++;
    assert_true(n > 3000 && n < 5000);
    done(bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_go_first_when_the_index_grows_too_large),
        cmocka_unit_test(then_work_goes),
        cmocka_unit_test(work_that_is_too_large_by_itself_goes_alone),
        cmocka_unit_test(too_many_transactions_at_a_time_are_said_to_be_missing),
        cmocka_unit_test(ends_with_endless_lists_go_too),
        cmocka_unit_test(scattered_ids_leave_only_their_span),
        cmocka_unit_test(too_many_events_and_minutes_are_said_to_be_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
