/* SPDX-License-Identifier: PostgreSQL */
#include "restore/wal_route.h"

#include "cmocka_all.h"

#define SIZE ((uint32_t)1 << 20)
#define AT(number) ((uint64_t)(number)*SIZE + 100)

/* A history by pairs of timeline and the segment in which it was left. */
static struct wal_history
history(uint32_t timeline, size_t n, const uint64_t (*entries)[2])
{
    struct wal_history history = {.timeline = timeline, .n_entries = n};

    for (size_t i = 0; i < n; i++)
        history.entries[i] = (struct wal_history_entry){(uint32_t)entries[i][0], AT(entries[i][1])};
    return history;
}

/* The candidates as one number: timelines as decimal digits, newest first. */
static uint32_t
candidates(const struct wal_route *route, uint64_t number)
{
    uint32_t timelines[WAL_ROUTE_CANDIDATES];
    size_t n = wal_route_candidates(route, number, timelines);
    uint32_t digits = 0;

    for (size_t i = 0; i < n; i++)
        digits = digits * 10 + timelines[i];
    return digits;
}

static void
learn_three(struct wal_route *route)
{
    static const uint64_t entries[][2] = {{1, 5}, {2, 8}};
    struct wal_history two = history(2, 1, entries);
    struct wal_history three = history(3, 2, entries);

    wal_route_learn(route, &three);
    wal_route_learn(route, &two);
}

static void
before_anything_is_asked_nothing_is_foretold(void **state)
{
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    assert_int_equal(candidates(&route, 5), 0);
    learn_three(&route);
    assert_int_equal(candidates(&route, 5), 0);
    wal_route_done(&route);
    wal_route_init(&route, 0);
    assert_false(wal_route_asked(&route, 1, 3));
    assert_int_equal(candidates(&route, 4), 0);
}

static void
without_histories_the_timeline_goes_on(void **state)
{
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    assert_false(wal_route_asked(&route, 1, 3));
    wal_route_served(&route, 1);
    assert_int_equal(candidates(&route, 4), 1);
    /* a newer one is tried, and may have nothing */
    assert_false(wal_route_asked(&route, 2, 4));
    assert_int_equal(candidates(&route, 4), 21);
    wal_route_served(&route, 2);
    assert_int_equal(candidates(&route, 5), 2);
}

static void
the_newest_timeline_that_had_begun_comes_first(void **state)
{
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    learn_three(&route);
    assert_false(wal_route_asked(&route, 1, 3));
    wal_route_served(&route, 1);
    assert_int_equal(candidates(&route, 4), 1);
    assert_int_equal(candidates(&route, 5), 21);
    assert_int_equal(candidates(&route, 7), 21);
    assert_int_equal(candidates(&route, 8), 321);
    assert_int_equal(candidates(&route, 100), 321);
    assert_false(wal_route_asked(&route, 2, 5));
    wal_route_served(&route, 2);
    assert_int_equal(candidates(&route, 7), 2);
    assert_int_equal(candidates(&route, 8), 32);
}

static void
a_target_is_given_up_when_its_timeline_is_not_asked_for(void **state)
{
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    learn_three(&route);
    assert_false(wal_route_asked(&route, 2, 7));
    wal_route_served(&route, 2);
    assert_true(wal_route_asked(&route, 2, 8));
    assert_int_equal(candidates(&route, 9), 2);
    assert_false(wal_route_asked(&route, 2, 9));
    /* the next rescan finds it again */
    learn_three(&route);
    assert_int_equal(candidates(&route, 10), 32);
}

static void
a_timeline_that_was_asked_for_in_vain_stays(void **state)
{
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    learn_three(&route);
    assert_false(wal_route_asked(&route, 2, 7));
    wal_route_served(&route, 2);
    assert_false(wal_route_asked(&route, 3, 8));
    assert_false(wal_route_asked(&route, 2, 8));
    wal_route_served(&route, 2);
    assert_int_equal(candidates(&route, 9), 32);
}

static void
a_server_that_begins_anew_is_followed(void **state)
{
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    learn_three(&route);
    assert_false(wal_route_asked(&route, 3, 9));
    wal_route_served(&route, 3);
    assert_int_equal(candidates(&route, 10), 3);
    assert_false(wal_route_asked(&route, 1, 2));
    wal_route_served(&route, 1);
    assert_int_equal(candidates(&route, 3), 1);
    assert_int_equal(candidates(&route, 6), 21);
}

/* A history whose positions go back, as recovery to a target before a switch writes it. */
static void
a_timeline_without_a_segment_of_its_own_is_passed(void **state)
{
    static const uint64_t entries[][2] = {{1, 8}, {2, 6}};
    AUTO(wal_route) struct wal_route route;
    struct wal_history three = history(3, 2, entries);

    (void)state;
    wal_route_init(&route, SIZE);
    wal_route_learn(&route, &three);
    assert_false(wal_route_asked(&route, 1, 4));
    wal_route_served(&route, 1);
    assert_int_equal(candidates(&route, 5), 1);
    assert_int_equal(candidates(&route, 6), 31);
    assert_int_equal(candidates(&route, 8), 321);
}

static void
only_so_many_histories_are_kept(void **state)
{
    static const uint64_t entries[][2] = {{1, 5}};
    AUTO(wal_route) struct wal_route route;

    (void)state;
    wal_route_init(&route, SIZE);
    for (uint32_t timeline = 40; timeline >= 2; timeline--) {
        struct wal_history one = history(timeline, 1, entries);

        wal_route_learn(&route, &one);
    }
    assert_int_equal(route.n, WAL_ROUTE_HISTORIES);
    for (uint32_t timeline = 41; timeline <= 60; timeline++) {
        struct wal_history one = history(timeline, 1, entries);

        wal_route_learn(&route, &one);
        wal_route_learn(&route, &one);
    }
    assert_int_equal(route.n, WAL_ROUTE_HISTORIES);
    assert_int_equal(route.histories[0]->timeline, 45);
    assert_int_equal(route.histories[WAL_ROUTE_HISTORIES - 1]->timeline, 60);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_anything_is_asked_nothing_is_foretold),
        cmocka_unit_test(without_histories_the_timeline_goes_on),
        cmocka_unit_test(the_newest_timeline_that_had_begun_comes_first),
        cmocka_unit_test(a_target_is_given_up_when_its_timeline_is_not_asked_for),
        cmocka_unit_test(a_timeline_that_was_asked_for_in_vain_stays),
        cmocka_unit_test(a_server_that_begins_anew_is_followed),
        cmocka_unit_test(a_timeline_without_a_segment_of_its_own_is_passed),
        cmocka_unit_test(only_so_many_histories_are_kept),
    };

    return cmocka_run_group_tests_name("wal_route", tests, NULL, NULL);
}
