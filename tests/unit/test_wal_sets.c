/* SPDX-License-Identifier: PostgreSQL */
/*
 * The containers an index is collected in, held against the simplest ones: wal_block_set.h,
 * wal_xid_runs.h, wal_sort.h, wal_relation_table.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "wal/wal_block_set.h"
#include "wal/wal_relation_table.h"
#include "wal/wal_sort.h"
#include "wal/wal_xid_runs.h"

#define MANY 20000

/* The same ones every time. */
static uint64_t
next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int
compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void
numbers_are_sorted_as_by_qsort(void **state)
{
    (void)state;
    static uint64_t values[MANY];
    static uint64_t want[MANY];
    uint64_t seed = 1;

    for (unsigned bits = 1; bits <= 64; bits += 21) {
        for (size_t n = 0; n < MANY; n = n * 3 + 1) {
            for (size_t i = 0; i < n; i++)
                values[i] = want[i] = next_random(&seed) >> (64 - bits);
            qsort(want, n, sizeof(want[0]), compare);
            assert_true(wal_sort_u64(values, n));
            assert_memory_equal(values, want, n * sizeof(values[0]));
        }
    }
}

static void
a_block_set_has_each_block_once_and_says_when_it_is_full(void **state)
{
    (void)state;
    struct wal_block_set set;
    uint64_t seed = 1;

    wal_block_set_init(&set, MANY);
    for (uint32_t i = 0; i < 3 * MANY; i++)
        wal_block_set_add(&set, wal_block_key(i % 7, i % 3, (uint32_t)next_random(&seed) % 500));
    assert_false(set.full);
    size_t n = set.n;
    assert_true(wal_block_set_sort(&set));
    for (size_t i = 1; i < n; i++)
        assert_true(set.keys[i - 1] < set.keys[i]);
    wal_block_set_done(&set);

    wal_block_set_init(&set, 10);
    for (uint32_t i = 0; i < 10; i++)
        wal_block_set_add(&set, i);
    wal_block_set_add(&set, 3);
    assert_false(set.full);
    wal_block_set_add(&set, 10);
    assert_true(set.full);
    assert_int_equal(set.n, 10);
    wal_block_set_done(&set);
}

static void
runs_of_ids_are_the_ids_that_were_added(void **state)
{
    (void)state;
    static bool present[2000];
    struct wal_xid_runs set;
    uint64_t seed = 1;

    memset(present, 0, sizeof(present));
    wal_xid_runs_init(&set, 2000);
    for (size_t i = 0; i < 1500; i++) {
        uint32_t xid = (uint32_t)(next_random(&seed) % ARRAY_SIZE(present));

        present[xid] = true;
        wal_xid_runs_add(&set, UINT32_MAX - xid);
        wal_xid_runs_add(&set, UINT32_MAX - xid);
    }
    bool got[ARRAY_SIZE(present)] = {false};
    for (uint32_t i = 0; i < set.runs.n; i++) {
        const struct wal_xid_run *run = wal_xid_runs_at(&set, i);

        assert_true(run->first <= run->last);
        assert_true(i == 0 || run->first > (uint64_t)wal_xid_runs_at(&set, i - 1)->last + 1);
        for (uint64_t xid = run->first; xid <= run->last; xid++)
            got[UINT32_MAX - xid] = true;
    }
    assert_memory_equal(got, present, sizeof(present));
    wal_xid_runs_done(&set);

    wal_xid_runs_init(&set, 2);
    wal_xid_runs_add(&set, 0);
    wal_xid_runs_add(&set, UINT32_MAX);
    wal_xid_runs_add(&set, 1);
    assert_false(set.full);
    wal_xid_runs_add(&set, 5);
    assert_true(set.full);
    wal_xid_runs_done(&set);
}

static void
relations_keep_their_numbers_and_lowest_limits(void **state)
{
    (void)state;
    struct wal_relation_table table;

    wal_relation_table_init(&table, 5000);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            struct wal_relation relation = {1663 + i % 2, i % 7, i / 3};

            assert_int_equal(wal_relation_table_number(&table, &relation), i);
        }
    }
    struct wal_relation another = {1, 2, 3};
    assert_true(wal_relation_table_number(&table, &another) == WAL_RELATION_NONE);
    wal_relation_table_limit(&table, 7, 0, 100);
    wal_relation_table_limit(&table, 7, 0, 200);
    wal_relation_table_limit(&table, 7, 4, 1);
    assert_int_equal(wal_relation_table_at(&table, 7)->limits[0], 100);
    wal_relation_table_done(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_sorted_as_by_qsort),
        cmocka_unit_test(a_block_set_has_each_block_once_and_says_when_it_is_full),
        cmocka_unit_test(runs_of_ids_are_the_ids_that_were_added),
        cmocka_unit_test(relations_keep_their_numbers_and_lowest_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
