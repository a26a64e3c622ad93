/* SPDX-License-Identifier: PostgreSQL */
#include "restore/flights.h"

#include "cmocka_all.h"

#define SIZE 1000000

/* Let n objects arrive, one each `gap_ms`. */
static void
land(struct flights *flights, size_t n, int64_t gap_ms, bool waited, int64_t *now_ms)
{
    for (size_t i = 0; i < n; i++) {
        *now_ms += gap_ms;
        if (waited)
            flights_waited(flights);
        flights_landed(flights, SIZE, *now_ms);
    }
}

static void
cold_connections_are_no_measure(void **state)
{
    struct flights flights;
    int64_t now_ms = 1000;

    (void)state;
    flights_init(&flights);
    assert_int_equal(flights.n, FLIGHTS_FIRST);
    land(&flights, FLIGHTS_WARM, 100, true, &now_ms);
    assert_int_equal(flights.n, FLIGHTS_FIRST);
    assert_int_equal(flights.best_rate, 0);
}

static void
more_fly_while_that_is_faster(void **state)
{
    struct flights flights;
    int64_t now_ms = 1000;

    (void)state;
    flights_init(&flights);
    land(&flights, FLIGHTS_WARM, 100, true, &now_ms);
    for (size_t n = FLIGHTS_FIRST; n < FLIGHTS_MAX; n++) {
        assert_int_equal(flights.n, n);
        land(&flights, 2 * n, 1000000 / (int64_t)(n * n), true, &now_ms);
    }
    land(&flights, 1000, 1, true, &now_ms);
    assert_int_equal(flights.n, FLIGHTS_MAX);
}

static void
the_best_number_is_kept_for_a_while(void **state)
{
    struct flights flights;
    int64_t now_ms = 1000;

    (void)state;
    flights_init(&flights);
    land(&flights, FLIGHTS_WARM, 100, true, &now_ms);
    land(&flights, 6, 100, true, &now_ms);
    assert_int_equal(flights.n, 4);
    land(&flights, 16, 100, true, &now_ms); /* two periods, no gain */
    assert_int_equal(flights.n, 3);
    land(&flights, 60, 100, true, &now_ms);
    assert_int_equal(flights.n, 3);
    now_ms += 30000;
    land(&flights, 12, 100, true, &now_ms);
    assert_int_equal(flights.n, 4);
}

static void
who_need_not_wait_needs_no_more(void **state)
{
    struct flights flights;
    int64_t now_ms = 1000;

    (void)state;
    flights_init(&flights);
    land(&flights, 100, 100, false, &now_ms);
    assert_int_equal(flights.n, FLIGHTS_FIRST);
}

static void
a_clock_that_stands_still_is_no_rate(void **state)
{
    struct flights flights;
    int64_t now_ms = 1000;

    (void)state;
    flights_init(&flights);
    land(&flights, 100, 0, true, &now_ms);
    assert_int_equal(flights.n, FLIGHTS_FIRST);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_connections_are_no_measure),
        cmocka_unit_test(more_fly_while_that_is_faster),
        cmocka_unit_test(the_best_number_is_kept_for_a_while),
        cmocka_unit_test(who_need_not_wait_needs_no_more),
        cmocka_unit_test(a_clock_that_stands_still_is_no_rate),
    };

    return cmocka_run_group_tests_name("flights", tests, NULL, NULL);
}
