/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "cmocka_all.h"
#include "restore/report.h"

static void
sizes_have_one_digit_behind_the_point(void **state UNUSED)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1023.9 KiB"},
        {1048576, "1.0 MiB"},
        {UINT64_C(3) << 40, "3.0 TiB"},
        {UINT64_MAX, "16383.9 PiB"},
    };
    char text[REPORT_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(report_size(cases[i].bytes, text), cases[i].text);
}

static void
durations_have_two_units_at_most(void **state UNUSED)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "0 s"},
        {0, "0 s"},
        {119, "119 s"},
        {120, "2 min"},
        {7199, "119 min"},
        {7200, "2 h 0 min"},
        {12000, "3 h 20 min"},
        {2 * 86400 - 1, "47 h 59 min"},
        {2 * 86400, "2 days"},
        {INT64_MAX, "106751991167300 days"},
    };
    char text[REPORT_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(report_duration(cases[i].seconds, text), cases[i].text);
}

static void
times_are_utc(void **state UNUSED)
{
    char text[REPORT_TEXT_SIZE];

    assert_string_equal(report_time(1795361760, text), "2026-11-22 15:36:00+00");
    assert_string_equal(report_time(0, text), "1970-01-01 00:00:00+00");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_one_digit_behind_the_point),
        cmocka_unit_test(durations_have_two_units_at_most),
        cmocka_unit_test(times_are_utc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
