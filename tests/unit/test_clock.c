/* SPDX-License-Identifier: PostgreSQL */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/process.h"
#include "cmocka_all.h"

static void
times_are_written_in_utc_whatever_the_zone(void **state UNUSED)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {999999, "1970-01-01T00:00:00Z"},
        {1000000, "1970-01-01T00:00:01Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {-1000000, "1969-12-31T23:59:59Z"},
        {-1000001, "1969-12-31T23:59:58Z"},
        {-86400LL * 1000000, "1969-12-31T00:00:00Z"},
        {951782400LL * 1000000, "2000-02-29T00:00:00Z"},
        {1763825760LL * 1000000, "2025-11-22T15:36:00Z"},
        {2147483648LL * 1000000, "2038-01-19T03:14:08Z"},
        {4107542399LL * 1000000, "2100-02-28T23:59:59Z"},
        {4107542400LL * 1000000, "2100-03-01T00:00:00Z"},
        {253402300799LL * 1000000, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "294247-01-10T04:00:54Z"},
        {INT64_MIN, "-290308-12-21T19:59:05Z"},
    };

    assert_int_equal(setenv("TZ", "Asia/Kathmandu", 1), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[CLOCK_TEXT_SIZE];

        assert_string_equal(clock_text(cases[i].us, text), cases[i].text);
    }
}

/* Against a count day by day, which shares nothing with the formula. */
static void
every_day_of_six_centuries_has_its_number(void **state UNUSED)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = -135140; /* 1600-01-01 */

    for (int64_t year = 1600; year < 2200; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (unsigned month = 1; month <= 12; month++) {
            unsigned length = lengths[month - 1] + (month == 2 && leap ? 1U : 0U);

            for (unsigned day = 1; day <= length; day++, expected++) {
                int64_t y = 0;
                unsigned m = 0;
                unsigned d = 0;

                assert_int_equal(clock_days_from_civil(year, month, day), expected);
                clock_civil_from_days(expected, &y, &m, &d);
                assert_true(y == year && m == month && d == day);
            }
        }
    }
    assert_int_equal(clock_days_from_civil(1970, 1, 1), 0);
}

static void
the_clocks_run_forward(void **state UNUSED)
{
    int64_t boot = clock_boot_ms();
    int64_t real = clock_real_us();

    clock_sleep_until(boot + 5);
    assert_true(clock_boot_ms() >= boot + 5);
    assert_true(real / 1000000 >= 1700000000);
    clock_sleep_until(0);
}

static void
sleep_ends_when_a_stop_is_requested(void **state UNUSED)
{
    process_request_stop(SIGTERM);
    clock_sleep_until(INT64_MAX);
    process_request_stop(0);
}

static void
raise_stop(int number)
{
    process_request_stop(number);
}

static void
sleep_ends_when_a_stop_comes_in_its_middle(void **state UNUSED)
{
    struct sigaction action = {.sa_handler = raise_stop};
    struct itimerspec soon = {.it_value = {.tv_nsec = 30000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;

    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
    clock_sleep_until(INT64_MAX);
    assert_int_equal(process_stop_requested(), SIGUSR1);
    process_request_stop(0);
    assert_int_equal(timer_delete(timer), 0);
}

static void
a_moment_keeps_its_age_and_never_precedes_1970(void **state UNUSED)
{
    int64_t hour_ago_us = clock_real_of(clock_boot_ms() - 3600000);
    int64_t age_us = clock_real_us() - hour_ago_us;

    assert_int_equal(clock_real_of(0), 0);
    assert_int_equal(clock_real_of(INT64_MIN / 4000), 1);
    assert_in_range(age_us, (3600 - 60) * 1000000LL, (3600 + 60) * 1000000LL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_utc_whatever_the_zone),
        cmocka_unit_test(every_day_of_six_centuries_has_its_number),
        cmocka_unit_test(the_clocks_run_forward),
        cmocka_unit_test(a_moment_keeps_its_age_and_never_precedes_1970),
        cmocka_unit_test(sleep_ends_when_a_stop_is_requested),
        cmocka_unit_test(sleep_ends_when_a_stop_comes_in_its_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
