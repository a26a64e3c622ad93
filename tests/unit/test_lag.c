/* SPDX-License-Identifier: PostgreSQL */
#include "archive/lag.h"

#include "cmocka_all.h"

#include <string.h>

#define SIZE (16U << 20)

static struct lag_file
segment(uint64_t number)
{
    struct lag_file file = {.marked = true, .size = SIZE, .since_ms = (int64_t)number};

    wal_name_of_segment(1, number, SIZE, &file.wal);
    return file;
}

static void
files_come_back_in_the_order_they_went_in(void **state)
{
    struct lag lag = {0};
    struct lag_file file;

    (void)state;
    assert_false(lag_take(&lag, &file));
    assert_null(lag_oldest(&lag));
    for (uint64_t i = 250; i < 260; i++) {
        struct lag_file in = segment(i);

        lag_add(&lag, &in);
    }
    assert_int_equal(lag.files, 10);
    assert_string_equal(lag_oldest(&lag)->wal.text, segment(250).wal.text);
    for (uint64_t i = 250; i < 260; i++) {
        assert_true(lag_take(&lag, &file));
        assert_string_equal(file.wal.text, segment(i).wal.text);
        assert_true(file.marked);
    }
    assert_int_equal(lag.files, 0);
    lag_done(&lag);
}

static void
many_become_ranges(void **state)
{
    struct lag lag = {0};
    struct lag_file file;
    uint64_t n = 100000;

    (void)state;
    for (uint64_t i = 0; i < n; i++) {
        struct lag_file in = segment(i + 1);

        lag_add(&lag, &in);
    }
    assert_int_equal(lag.files, n);
    assert_int_equal(lag.forgotten, 0);
    for (uint64_t i = 0; i < n; i++) {
        assert_true(lag_take(&lag, &file));
        assert_string_equal(file.wal.text, segment(i + 1).wal.text);
    }
    assert_false(lag_take(&lag, &file));
    lag_done(&lag);
}

static void
what_finds_no_place_is_counted(void **state)
{
    struct lag lag = {0};

    (void)state;
    for (uint64_t i = 0; i < LAG_ENTRIES_MAX + 7; i++) {
        struct lag_file in = segment(2 * i + 1);

        lag_add(&lag, &in);
    }
    assert_int_equal(lag.files, LAG_ENTRIES_MAX);
    assert_int_equal(lag.forgotten, 7);
    lag_done(&lag);
}

static void
other_files_are_never_joined(void **state)
{
    struct lag lag = {0};
    struct lag_file file = {.size = 42};

    (void)state;
    for (uint32_t i = 0; i < LAG_ENTRIES_MAX + 1; i++) {
        wal_name_of_history(i + 2, &file.wal);
        lag_add(&lag, &file);
    }
    assert_int_equal(lag.forgotten, 1);
    assert_true(lag_take(&lag, &file));
    assert_string_equal(file.wal.text, "00000002.history");
    lag_done(&lag);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_back_in_the_order_they_went_in),
        cmocka_unit_test(many_become_ranges),
        cmocka_unit_test(what_finds_no_place_is_counted),
        cmocka_unit_test(other_files_are_never_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
