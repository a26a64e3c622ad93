/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event_bench.h"

static int
add_all(void *context, const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_work work;
    struct err err;

    wal_index_walk_work(index, &walk);
    while (wal_index_next_work(&walk, &work))
        assert_int_equal(wal_works_add(context, index, &work, &err), 0);
    return 0;
}

/* Work in two segments of transactions 700 to 709: rows of 700 is twice those of one segment. */
static struct wal_works
make(size_t transactions_max, size_t elements_max)
{
    struct wal_works works = {.transactions_max = transactions_max, .elements_max = elements_max};
    struct event_bench *bench = event_bench_new(2);

    for (int segment = 0; segment < 2; segment++) {
        for (uint32_t i = 0; i < 10; i++) {
            (void)event_bench_rows(bench, HEAP_DELETE, 709 - i, 16384, 3);
            (void)event_bench_rows(bench, HEAP_DELETE, 709 - i, 16390 + i, 1);
            (void)event_bench_lock(bench, 709 - i, 16400);
        }
        (void)bench_switch(&bench->wal);
    }
    event_bench_indexes(bench, -1, add_all, &works);
    event_bench_free(bench);
    return works;
}

static void
work_of_several_indexes_adds_up(void **state)
{
    (void)state;
    struct wal_works works = make(100, 1000);
    const struct wal_relation users = {1663, EVENT_BENCH_DATABASE, 16384};

    assert_int_equal(works.n, 10);
    assert_false(works.incomplete);
    for (uint32_t i = 0; i < 10; i++) {
        struct wal_work *work = wal_works_find(&works, 700 + i);

        assert_non_null(work);
        assert_int_equal(wal_work_rows(work, &users)->deleted, 6);
        assert_int_equal(work->n_rows, 2);
        assert_int_equal(work->n_locked, 2);
        wal_work_settle(work);
        assert_int_equal(work->n_locked, 1);
    }
    assert_null(wal_works_find(&works, 710));
    wal_works_clear(&works);
    assert_int_equal(works.n, 0);
    assert_null(wal_works_find(&works, 700));
}

static void
what_is_folded_is_forgotten(void **state)
{
    (void)state;
    struct wal_works works = make(100, 1000);
    const struct wal_relation users = {1663, EVENT_BENCH_DATABASE, 16384};
    struct wal_work into = {.xid = 0};
    struct err err;

    for (uint32_t xid = 700; xid < 710; xid++)
        assert_int_equal(wal_works_fold(&works, &into, xid, &err), 0);
    assert_int_equal(wal_works_fold(&works, &into, 700, &err), 0);
    assert_int_equal(works.n, 0);
    assert_int_equal(works.n_elements, 0);
    assert_int_equal(into.n_rows, 11);
    assert_int_equal(wal_work_rows(&into, &users)->deleted, 60);
    wal_work_done(&into);
    wal_works_clear(&works);
}

static void
ceilings_leave_out_and_say_so(void **state)
{
    (void)state;
    struct wal_works few = make(4, 1000);
    struct wal_works small = make(100, 7);

    assert_int_equal(few.n, 4);
    assert_true(few.incomplete);
    assert_true(small.incomplete);
    assert_true(small.n_elements <= 7);
    while (small.n > 0)
        wal_works_forget(&small, small.items[0]->xid);
    assert_int_equal(small.n_elements, 0);
    wal_works_clear(&few);
    wal_works_clear(&small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_of_several_indexes_adds_up),
        cmocka_unit_test(what_is_folded_is_forgotten),
        cmocka_unit_test(ceilings_leave_out_and_say_so),
    };

    return cmocka_run_group_tests_name("wal_work", tests, NULL, NULL);
}
