/* SPDX-License-Identifier: PostgreSQL */
#include "archive/window.h"

#include "cmocka_all.h"

/* A period in which `size` objects of a million bytes come at this rate (objects a second). */
static int64_t
period(struct window *window, double rate, int64_t now_ms)
{
    size_t n = window->size;

    for (size_t i = 0; i < n; i++) {
        now_ms += (int64_t)(1000.0 / rate);
        window_archived(window, 1000000, true, now_ms);
    }
    return now_ms;
}

static void
it_grows_while_throughput_does_and_then_rests(void **state)
{
    struct window window;
    int64_t now = 1000;

    (void)state;
    window_init(&window, now);
    assert_int_equal(window.size, WINDOW_START);
    /* A link that takes ten at once. */
    for (int i = 0; i < 20; i++)
        now = period(&window, window.size < 10 ? (double)window.size : 10.0, now);
    assert_in_range(window.size, 8, 16);
}

static void
one_that_gains_nothing_stays_where_it_is(void **state)
{
    struct window window;
    int64_t now = 1000;

    (void)state;
    window_init(&window, now);
    for (int i = 0; i < 4; i++)
        now = period(&window, 50.0, now);
    assert_int_equal(window.size, WINDOW_START);
}

static void
after_a_rest_it_tries_again(void **state)
{
    struct window window;
    int64_t now = 1000;
    size_t widest = 0;

    (void)state;
    window_init(&window, now);
    for (int i = 0; i < 4; i++)
        now = period(&window, 1.0, now);
    for (int i = 0; i < 20; i++) {
        now = period(&window, (double)window.size, now + 4000);
        widest = window.size > widest ? window.size : widest;
    }
    assert_true(widest > WINDOW_START + 2);
}

static void
trouble_halves_it_but_not_at_every_request(void **state)
{
    struct window window;

    (void)state;
    window_init(&window, 1000);
    window.size = 16;
    window_trouble(&window, 5000);
    assert_int_equal(window.size, 8);
    window_trouble(&window, 5100);
    assert_int_equal(window.size, 8);
    for (int i = 1; i < 10; i++)
        window_trouble(&window, 5000 + i * 3000);
    assert_int_equal(window.size, 1);
}

static void
what_is_not_limited_by_it_says_nothing(void **state)
{
    struct window window;

    (void)state;
    window_init(&window, 1000);
    for (int i = 0; i < 100; i++)
        window_archived(&window, 1000000, false, 1000 + i);
    assert_int_equal(window.size, WINDOW_START);
    assert_int_equal(window.best_rate, 0);
}

static void
it_has_an_end(void **state)
{
    struct window window;
    int64_t now = 1000;

    (void)state;
    window_init(&window, now);
    for (int i = 0; i < 60; i++)
        now = period(&window, (double)(i + 1) * 2, now);
    assert_int_equal(window.size, WINDOW_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_while_throughput_does_and_then_rests),
        cmocka_unit_test(one_that_gains_nothing_stays_where_it_is),
        cmocka_unit_test(after_a_rest_it_tries_again),
        cmocka_unit_test(trouble_halves_it_but_not_at_every_request),
        cmocka_unit_test(what_is_not_limited_by_it_says_nothing),
        cmocka_unit_test(it_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
