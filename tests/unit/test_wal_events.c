/* SPDX-License-Identifier: PostgreSQL */
/*
 * Accidents are crafted record by record as PostgreSQL writes them, go through the indexer, and
 * what is told is compared.
 */
#include "wal/wal_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event_bench.h"

#define PG_CLASS 1259
#define PG_TYPE 1247
#define PG_NAMESPACE 2615
#define USERS 16384
#define TOLD_MAX 16
#define LISTED_MAX 4

/* One event, copied. */
struct told {
    struct wal_event event;
    uint32_t files[LISTED_MAX];
    uint32_t oids[LISTED_MAX];
    char text[65];
};

struct listener {
    struct wal_events *events;
    struct told told[TOLD_MAX];
    size_t n;
    bool incomplete;
    bool refuse; /* fail at an event */
    int rc;      /* of the last feeding */
};

static int
take(void *context, const struct wal_event *event, struct err *err)
{
    struct listener *listener = context;

    assert_true(listener->n < TOLD_MAX);
    struct told *told = &listener->told[listener->n++];
    told->event = *event;
    for (size_t i = 0; i < MIN_OF(event->n_relations, (size_t)LISTED_MAX); i++)
        told->files[i] = event->relations[i].number;
    for (size_t i = 0; i < MIN_OF(event->n_objects, (size_t)LISTED_MAX); i++)
        told->oids[i] = event->objects[i].oid;
    if (event->text.size > 0)
        memcpy(told->text, event->text.data, event->text.size);
    return listener->refuse ? err_set(err, ERR_LOCAL, "refused") : 0;
}

static int
feed(void *context, const struct wal_index *index)
{
    struct listener *listener = context;
    struct err err;

    if (index == NULL)
        wal_events_gap(listener->events);
    else
        listener->rc = wal_events_feed(listener->events, index, &err);
    return 0;
}

static void
listen_without(struct event_bench *bench, uint64_t rows_min, int lost, struct listener *listener)
{
    const struct wal_events_options options = {take, listener, rows_min};
    struct err err;

    assert_int_equal(wal_events_new(&options, &listener->events, &err), 0);
    if (bench->wal.at % EVENT_BENCH_SEGMENT != 0)
        (void)bench_switch(&bench->wal);
    event_bench_indexes(bench, lost, feed, listener);
    listener->incomplete = wal_events_incomplete(listener->events);
    wal_events_free(listener->events);
    event_bench_free(bench);
}

/* All that is told of this WAL, which is given away. */
static struct listener *
listen_to(struct event_bench *bench)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    assert_non_null(listener);
    listen_without(bench, 100, -1, listener);
    assert_int_equal(listener->rc, 0);
    assert_false(listener->incomplete);
    return listener;
}

static void
assert_one(const struct listener *listener, enum wal_event_kind kind, uint32_t xid, uint64_t lsn)
{
    assert_int_equal(listener->n, 1);
    assert_int_equal(listener->told[0].event.kind, kind);
    assert_int_equal(listener->told[0].event.xid, xid);
    assert_true(listener->told[0].event.lsn == lsn);
}

static void
drop_catalog_rows(struct event_bench *bench, uint32_t xid, uint32_t pg_class, bool type)
{
    (void)event_bench_rows(bench, HEAP_DELETE, xid, pg_class, 2);
    if (type)
        (void)event_bench_rows(bench, HEAP_DELETE, xid, PG_TYPE, 2);
}

/* ---- drops ---- */

static void
a_drop_table_is_told_at_its_commit(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(1);
    const struct event_bench_end end = {.xid = 700, .seconds = 9, .file = USERS, .oid = 16390};

    uint64_t first = event_bench_lock(bench, 700, 16390);
    drop_catalog_rows(bench, 700, PG_CLASS, true);
    uint64_t lsn = event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_one(listener, WAL_EVENT_DROP_TABLE, 700, lsn);
    const struct told *told = &listener->told[0];
    assert_true(told->event.stop_lsn == lsn && told->event.first_lsn == first);
    assert_true(told->event.has_time && told->event.time == EVENT_BENCH_EPOCH_US + 9000000);
    assert_int_equal(told->event.database, EVENT_BENCH_DATABASE);
    assert_int_equal(told->event.n_relations, 1);
    assert_int_equal(told->files[0], USERS);
    assert_int_equal(told->event.n_objects, 1);
    assert_int_equal(told->oids[0], 16390);
    free(listener);
}

static void
a_dropped_index_or_schema_is_told_by_the_catalogs(void **state)
{
    (void)state;
    for (int schema = 0; schema <= 1; schema++) {
        struct event_bench *bench = event_bench_new(1);
        const struct event_bench_end end = {.xid = 700, .file = USERS};

        drop_catalog_rows(bench, 700, PG_CLASS, schema != 0);
        if (schema != 0)
            (void)event_bench_rows(bench, HEAP_DELETE, 700, PG_NAMESPACE, 1);
        uint64_t lsn = event_bench_end(bench, &end);
        struct listener *listener = listen_to(bench);
        assert_one(listener, schema != 0 ? WAL_EVENT_DROP_SCHEMA : WAL_EVENT_DROP_INDEX, 700, lsn);
        free(listener);
    }
}

static void
rolled_back_and_own_files_are_no_event(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(2);
    const struct event_bench_end aborted = {.info = 0x20, .xid = 700, .subxid = 701};
    const struct event_bench_end own = {.xid = 800, .file = 20000};
    const struct event_bench_end undone = {.info = 0x20, .xid = 901};
    const struct event_bench_end rest = {.xid = 900};

    drop_catalog_rows(bench, 700, PG_CLASS, true);
    (void)event_bench_rows(bench, HEAP_DELETE, 701, USERS, 500);
    (void)event_bench_create(bench, 800, 20000);
    (void)event_bench_rows(bench, HEAP_DELETE, 901, USERS, 500);
    (void)event_bench_rows(bench, HEAP_DELETE, 900, USERS, 3);
    (void)bench_switch(&bench->wal);
    (void)event_bench_end(bench, &aborted);
    drop_catalog_rows(bench, 800, PG_CLASS, true);
    (void)event_bench_end(bench, &own);
    (void)event_bench_end(bench, &undone); /* a savepoint of 900 */
    (void)event_bench_end(bench, &rest);
    struct listener *listener = listen_to(bench);
    assert_int_equal(listener->n, 0);
    free(listener);
}

static void
a_prepared_drop_is_told_when_it_is_committed(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(3);
    const struct event_bench_end undone = {.info = 0x40, .xid = 701};
    const struct event_bench_end end = {.info = 0x30, .xid = 700, .file = USERS};

    drop_catalog_rows(bench, 700, PG_CLASS, true);
    drop_catalog_rows(bench, 701, PG_CLASS, true);
    (void)bench_switch(&bench->wal);
    (void)event_bench_rows(bench, HEAP_INSERT, 702, 30000, 1);
    (void)bench_switch(&bench->wal);
    (void)event_bench_end(bench, &undone);
    uint64_t lsn = event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_one(listener, WAL_EVENT_DROP_TABLE, 700, lsn);
    assert_true(listener->told[0].event.first_lsn < lsn - EVENT_BENCH_SEGMENT);
    free(listener);
}

static void
pg_class_is_known_under_its_new_number(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(2);
    const struct event_bench_end end = {.xid = 701, .file = USERS};

    event_bench_u32(bench, EVENT_BENCH_DATABASE);
    event_bench_u32(bench, 1663);
    event_bench_u32(bench, 512);
    event_bench_u32(bench, 0x592717);
    event_bench_u32(bench, 2);
    event_bench_u32(bench, PG_TYPE);
    event_bench_u32(bench, PG_TYPE);
    event_bench_u32(bench, PG_CLASS);
    event_bench_u32(bench, 40000);
    (void)event_bench_record(bench, WAL_RMGR_RELMAP, 0x00, 700, NULL, 0);
    (void)bench_switch(&bench->wal);
    drop_catalog_rows(bench, 701, 40000, true);
    uint64_t lsn = event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_one(listener, WAL_EVENT_DROP_TABLE, 701, lsn);
    free(listener);
}

/* ---- files that are exchanged ---- */

static void
a_truncate_gives_empty_files(void **state)
{
    (void)state;
    for (int filled = 0; filled <= 1; filled++) {
        struct event_bench *bench = event_bench_new(2);
        const struct event_bench_end end = {.xid = 700, .file = USERS};

        (void)event_bench_lock(bench, 700, 16390);
        (void)event_bench_create(bench, 700, 20000);
        (void)event_bench_rows(bench, HEAP_UPDATE, 700, PG_CLASS, 1);
        if (filled != 0)
            (void)event_bench_rows(bench, HEAP_INSERT, 700, 20000, 1);
        (void)bench_switch(&bench->wal);
        uint64_t lsn = event_bench_end(bench, &end);
        struct listener *listener = listen_to(bench);
        assert_one(listener, filled != 0 ? WAL_EVENT_REWRITE : WAL_EVENT_TRUNCATE, 700, lsn);
        assert_int_equal(listener->told[0].oids[0], 16390);
        assert_int_equal(listener->told[0].files[0], USERS);
        free(listener);
    }
}

static void
a_truncate_that_is_logged_names_its_tables(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(1);
    const struct event_bench_end end = {.xid = 700, .file = USERS};

    (void)event_bench_lock(bench, 700, 16390);
    (void)event_bench_lock(bench, 700, 16399);
    event_bench_u32(bench, EVENT_BENCH_DATABASE);
    event_bench_u32(bench, 1);
    event_bench_u32(bench, 0);
    event_bench_u32(bench, 16390);
    (void)event_bench_record(bench, WAL_RMGR_HEAP, 0x30, 700, NULL, 0);
    uint64_t lsn = event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_one(listener, WAL_EVENT_TRUNCATE, 700, lsn);
    assert_int_equal(listener->told[0].event.n_objects, 1);
    assert_int_equal(listener->told[0].oids[0], 16390);
    free(listener);
}

/* ---- rows ---- */

static void
rows_are_counted_over_segments_and_subtransactions(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(3);
    const struct event_bench_end end = {.xid = 700, .subxid = 701};

    uint64_t first = event_bench_rows(bench, HEAP_DELETE, 700, USERS, 60);
    (void)event_bench_rows(bench, HEAP_UPDATE, 700, 16385, 40);
    (void)bench_switch(&bench->wal);
    (void)event_bench_rows(bench, HEAP_DELETE, 701, USERS, 50);
    (void)event_bench_rows(bench, HEAP_HOT_UPDATE, 700, 16385, 70);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, 16386, 99); /* too few */
    (void)event_bench_rows(bench, HEAP_DELETE, 700, PG_CLASS, 200); /* a catalog */
    (void)bench_switch(&bench->wal);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, USERS, 5);
    uint64_t lsn = event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_int_equal(listener->n, 2);
    assert_int_equal(listener->told[0].event.kind, WAL_EVENT_DELETE);
    assert_int_equal(listener->told[0].event.rows, 115);
    assert_int_equal(listener->told[0].files[0], USERS);
    assert_true(listener->told[0].event.lsn == lsn);
    assert_true(listener->told[0].event.first_lsn == first);
    assert_int_equal(listener->told[1].event.kind, WAL_EVENT_UPDATE);
    assert_int_equal(listener->told[1].event.rows, 110);
    free(listener);
}

static void
rows_of_a_file_the_transaction_made_are_no_event(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(1);
    const struct event_bench_end end = {.xid = 700};

    (void)event_bench_create(bench, 700, 20000);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, 20000, 500);
    (void)event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_int_equal(listener->n, 0);
    free(listener);
}

static void
a_commit_that_crosses_a_border_is_told(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(2);
    const struct event_bench_end end = {.xid = 700, .file = USERS};

    drop_catalog_rows(bench, 700, PG_CLASS, true);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, USERS, 200);
    bench_fill_to(&bench->wal, EVENT_BENCH_SEGMENT - 32);
    uint64_t lsn = event_bench_end(bench, &end);
    assert_true(bench->wal.at > EVENT_BENCH_SEGMENT);
    struct listener *listener = listen_to(bench);
    assert_int_equal(listener->n, 2);
    assert_int_equal(listener->told[0].event.kind, WAL_EVENT_DROP_TABLE);
    assert_true(listener->told[0].event.lsn == lsn);
    assert_int_equal(listener->told[1].event.kind, WAL_EVENT_DELETE);
    assert_int_equal(listener->told[1].event.rows, 200);
    free(listener);
}

static void
a_lost_segment_is_counted_as_lost(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(3);
    struct listener *listener = calloc(1, sizeof(*listener));
    const struct event_bench_end end = {.xid = 700};

    assert_non_null(listener);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, USERS, 150);
    (void)bench_switch(&bench->wal);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, USERS, 150);
    (void)bench_switch(&bench->wal);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, USERS, 120);
    uint64_t lsn = event_bench_end(bench, &end);
    listen_without(bench, 100, 1, listener);
    assert_true(listener->incomplete);
    assert_one(listener, WAL_EVENT_DELETE, 700, lsn);
    assert_int_equal(listener->told[0].event.rows, 120);
    free(listener);
}

/* ---- databases ---- */

static uint64_t
drop_database(struct event_bench *bench, uint32_t xid, uint32_t oid)
{
    event_bench_u32(bench, oid);
    event_bench_u32(bench, 1);
    event_bench_u32(bench, 1663);
    return event_bench_record(bench, WAL_RMGR_DATABASE, 0x20, xid, NULL, 0);
}

static void
recovery_stops_before_the_mark_of_a_dropped_database(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(2);
    const struct event_bench_end end = {.xid = 700, .seconds = 5};

    (void)event_bench_database_row(bench, HEAP_INPLACE, 0, 8); /* of an earlier attempt */
    uint64_t mark = event_bench_database_row(bench, HEAP_INPLACE, 0, 8);
    (void)event_bench_database_row(bench, HEAP_INPLACE, 0, 9); /* of another database */
    (void)bench_switch(&bench->wal);
    (void)event_bench_database_row(bench, HEAP_DELETE, 700, 8);
    uint64_t lsn = drop_database(bench, 700, 16999);
    (void)event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_one(listener, WAL_EVENT_DROP_DATABASE, 700, lsn);
    assert_true(listener->told[0].event.stop_lsn == mark);
    assert_int_equal(listener->told[0].event.database, 16999);
    assert_true(listener->told[0].event.time == EVENT_BENCH_EPOCH_US + 5000000);
    free(listener);
}

static void
a_database_is_gone_even_if_its_drop_aborts_or_was_never_marked(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(1);
    const struct event_bench_end end = {.info = 0x20, .xid = 700};

    (void)drop_database(bench, 0, 16998); /* the end of a move */
    uint64_t lsn = drop_database(bench, 700, 16999);
    (void)event_bench_end(bench, &end);
    struct listener *listener = listen_to(bench);
    assert_one(listener, WAL_EVENT_DROP_DATABASE, 700, lsn);
    assert_true(listener->told[0].event.stop_lsn == lsn);
    free(listener);
}

/* ---- what belongs to no transaction ---- */

static void
checkpoint(struct event_bench *bench, uint8_t info, uint32_t timeline, uint32_t before)
{
    event_bench_u64(bench, 0x700028);
    event_bench_u32(bench, timeline);
    event_bench_u32(bench, before);
    for (int i = 0; i < 6; i++)
        event_bench_u64(bench, i == 0 ? 1 : 900);
    event_bench_u64(bench, 1795361760);
    event_bench_u64(bench, 0);
    event_bench_u64(bench, 0);
    (void)event_bench_record(bench, WAL_RMGR_XLOG, info, 0, NULL, 0);
}

static void
points_promotions_and_shutdowns_are_told(void **state)
{
    (void)state;
    static const enum wal_event_kind want[] = {
        WAL_EVENT_RESTORE_POINT, WAL_EVENT_SHUTDOWN,        WAL_EVENT_PROMOTION,
        WAL_EVENT_PROMOTION,     WAL_EVENT_CREATE_DATABASE, WAL_EVENT_DROP_TABLESPACE};
    static const char name[64] = "before lunch";
    struct event_bench *bench = event_bench_new(1);

    event_bench_u64(bench, 7000000);
    for (size_t i = 0; i < sizeof(name); i++)
        event_bench_u8(bench, (uint8_t)name[i]);
    (void)event_bench_record(bench, WAL_RMGR_XLOG, 0x70, 0, NULL, 0);
    checkpoint(bench, 0x10, 1, 1); /* online: nothing to tell */
    checkpoint(bench, 0x00, 1, 1);
    checkpoint(bench, 0x00, 2, 1);
    event_bench_u64(bench, 8000000);
    event_bench_u32(bench, 3);
    event_bench_u32(bench, 2);
    (void)event_bench_record(bench, WAL_RMGR_XLOG, 0x90, 0, NULL, 0);
    event_bench_u32(bench, 17000);
    event_bench_u32(bench, 1663);
    event_bench_u32(bench, 1);
    event_bench_u32(bench, 1663);
    (void)event_bench_record(bench, WAL_RMGR_DATABASE, 0x00, 700, NULL, 0);
    event_bench_u32(bench, 17001);
    (void)event_bench_record(bench, WAL_RMGR_TABLESPACE, 0x10, 701, NULL, 0);
    struct listener *listener = listen_to(bench);
    assert_int_equal(listener->n, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        assert_int_equal(listener->told[i].event.kind, want[i]);
    assert_string_equal(listener->told[0].text, "before lunch");
    assert_true(listener->told[0].event.time == EVENT_BENCH_EPOCH_US + 7000000);
    assert_int_equal(listener->told[2].event.timeline, 2);
    assert_int_equal(listener->told[2].event.prev_timeline, 1);
    assert_int_equal(listener->told[3].event.timeline, 3);
    assert_int_equal(listener->told[4].event.database, 17000);
    assert_int_equal(listener->told[5].event.tablespace, 17001);
    free(listener);
}

static void
a_sink_that_fails_ends_it(void **state)
{
    (void)state;
    struct event_bench *bench = event_bench_new(1);
    struct listener *listener = calloc(1, sizeof(*listener));
    const struct event_bench_end end = {.xid = 700};

    assert_non_null(listener);
    listener->refuse = true;
    (void)event_bench_rows(bench, HEAP_DELETE, 700, USERS, 200);
    (void)event_bench_rows(bench, HEAP_DELETE, 700, 16390, 200);
    (void)event_bench_end(bench, &end);
    listen_without(bench, 100, -1, listener);
    assert_int_equal(listener->rc, -1);
    assert_int_equal(listener->n, 1);
    free(listener);
}

static void
kinds_have_names_that_are_read_again(void **state)
{
    (void)state;
    enum wal_event_kind kind = WAL_EVENT_SHUTDOWN;

    for (size_t i = 0; i < WAL_EVENT_KINDS; i++) {
        assert_true(wal_event_kind_parse(wal_event_kind_name((enum wal_event_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_string_equal(wal_event_kind_name(WAL_EVENT_DROP_TABLE), "drop_table");
    assert_false(wal_event_kind_parse("drop", &kind));
    assert_false(wal_event_kind_parse("", &kind));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drop_table_is_told_at_its_commit),
        cmocka_unit_test(a_dropped_index_or_schema_is_told_by_the_catalogs),
        cmocka_unit_test(rolled_back_and_own_files_are_no_event),
        cmocka_unit_test(a_prepared_drop_is_told_when_it_is_committed),
        cmocka_unit_test(pg_class_is_known_under_its_new_number),
        cmocka_unit_test(a_truncate_gives_empty_files),
        cmocka_unit_test(a_truncate_that_is_logged_names_its_tables),
        cmocka_unit_test(rows_are_counted_over_segments_and_subtransactions),
        cmocka_unit_test(rows_of_a_file_the_transaction_made_are_no_event),
        cmocka_unit_test(a_commit_that_crosses_a_border_is_told),
        cmocka_unit_test(a_lost_segment_is_counted_as_lost),
        cmocka_unit_test(recovery_stops_before_the_mark_of_a_dropped_database),
        cmocka_unit_test(a_database_is_gone_even_if_its_drop_aborts_or_was_never_marked),
        cmocka_unit_test(points_promotions_and_shutdowns_are_told),
        cmocka_unit_test(a_sink_that_fails_ends_it),
        cmocka_unit_test(kinds_have_names_that_are_read_again),
    };

    return cmocka_run_group_tests_name("wal_events", tests, NULL, NULL);
}
