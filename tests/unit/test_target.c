/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmocka_all.h"
#include "restore/target.h"

#define US INT64_C(1000000)

static int
parse_as_time(const char *text, struct recovery_target *ret, struct err *err)
{
    return target_parse(&(struct target_options){.time = text}, ret, err);
}

static void
times_are_read_with_their_zone(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t us;
        const char *said;
    } cases[] = {
        {"2026-11-22 15:36:00Z", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22T15:36:00Z", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 15:36:00 Z", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 15:36:00 UTC", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 15:36:00UTC", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 15:36:00+00", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 15:36:00-00", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 16:36:00+01", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 16:36:00 +01:00", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 10:06:00-05:30", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-23 07:35:00+15:59", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        /* The clock goes back in Paris on 2026-10-25; a numeric zone says which 02:30 it is. */
        {"2026-10-25 02:30:00+02", 1792888200 * US, "time 2026-10-25 00:30:00+00"},
        {"2026-10-25 02:30:00+01", 1792891800 * US, "time 2026-10-25 01:30:00+00"},
        {"2026-11-22 15:36:00.5Z", 1795361760 * US + 500000, "time 2026-11-22 15:36:00.5+00"},
        {"2026-11-22 15:36:00.000001Z", 1795361760 * US + 1, "time 2026-11-22 15:36:00.000001+00"},
        {"2026-11-22 15:36:00.100Z", 1795361760 * US + 100000, "time 2026-11-22 15:36:00.1+00"},
        {"2026-11-22 15:36:00.000Z", 1795361760 * US, "time 2026-11-22 15:36:00+00"},
        {"2026-11-22 15:36:59.999999Z", 1795361819 * US + 999999,
         "time 2026-11-22 15:36:59.999999+00"},
        {"1970-01-01 00:00:00Z", 0, "time 1970-01-01 00:00:00+00"},
        {"1970-01-01 00:00:00.25+01", -3600 * US + 250000, "time 1969-12-31 23:00:00.25+00"},
        {"2000-02-29 00:00:00Z", 951782400 * US, "time 2000-02-29 00:00:00+00"},
        {"2024-02-29 23:59:59Z", 1709251199 * US, "time 2024-02-29 23:59:59+00"},
        {"9999-12-31 23:59:59.999999Z", 253402300799 * US + 999999,
         "time 9999-12-31 23:59:59.999999+00"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;
        char text[TARGET_TEXT_SIZE];

        if (parse_as_time(cases[i].text, &target, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(target.kind, TARGET_TIME);
        assert_int_equal(target.time_us, cases[i].us);
        assert_string_equal(target_text(&target, text, sizeof(text)), cases[i].said);
    }
}

static void
times_that_cannot_be_are_refused(void **state UNUSED)
{
    static const char *const cases[] = {
        "now",
        "2026-11-22",
        "2026-11-22Z",
        "2026-11-22 15:36Z",
        "2026-11-22  15:36:00Z",
        "2026-11-22t15:36:00Z",
        "2026-11-22 15:36:00z",
        "2026-11-22 15:36:00  Z",
        "2026-11-22 15:36:00Z ",
        " 2026-11-22 15:36:00Z",
        "2026-11-22 15:36:00ZZ",
        "2026-11-22 15:36:00 Europe/Paris",
        "2026-11-22 15:36:00 CET",
        "2026-11-22 15:36:00GMT",
        "2026-11-22 15:36:00+1",
        "2026-11-22 15:36:00+0100",
        "2026-11-22 15:36:00+01:0",
        "2026-11-22 15:36:00+01:60",
        "2026-11-22 15:36:00+16",
        "2026-11-22 15:36:00+01:00:00",
        "2026-11-22 15:36:00 + 01",
        "2026-11-22 15:36:00.Z",
        "2026-11-22 15:36:00.",
        "2026-11-22 15:36:00.1234567Z",
        "2026-11-22 15:36:00,5Z",
        "2026-11-22 15:36:60Z",
        "2026-11-22 15:60:00Z",
        "2026-11-22 24:00:00Z",
        "2026-11-31 15:36:00Z",
        "2026-11-00 15:36:00Z",
        "2026-13-22 15:36:00Z",
        "2026-00-22 15:36:00Z",
        "2026-02-29 15:36:00Z",
        "2100-02-29 15:36:00Z",
        "1969-12-31 23:59:59Z",
        "12026-11-22 15:36:00Z",
        "26-11-22 15:36:00Z",
        "+026-11-22 15:36:00Z",
        "22.11.2026 15:36:00Z",
        "11/22/2026 15:36:00Z",
        "1795361760",
        "",
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;

        if (parse_as_time(cases[i], &target, &err) != -1)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.text, "--time"));
        assert_true(err.hint[0] != '\0');
    }
}

static void
a_time_without_zone_is_refused_with_both_readings(void **state UNUSED)
{
    static const struct {
        const char *zone;
        const char *text;
        const char *utc;
        const char *local;
    } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-22 15:36:00", "\"2026-11-22 15:36:00Z\"",
         "\"2026-11-22 15:36:00+01:00\""},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-22T15:36:00.5", "\"2026-07-22T15:36:00.5Z\"",
         "\"2026-07-22T15:36:00.5+02:00\""},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-11-22 15:36:00", "\"2026-11-22 15:36:00Z\"",
         "\"2026-11-22 15:36:00-05:00\""},
        {"IST-5:30", "2026-11-22 15:36:00", "\"2026-11-22 15:36:00Z\"",
         "\"2026-11-22 15:36:00+05:30\""},
        {"UTC0", "2026-11-22 15:36:00", "\"2026-11-22 15:36:00Z\"",
         "\"2026-11-22 15:36:00+00:00\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;

        assert_int_equal(setenv("TZ", cases[i].zone, 1), 0);
        tzset();
        assert_int_equal(parse_as_time(cases[i].text, &target, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.hint, cases[i].utc));
        assert_non_null(strstr(err.hint, cases[i].local));
    }
    assert_int_equal(unsetenv("TZ"), 0);
}

static void
the_zone_of_this_machine_does_not_matter(void **state UNUSED)
{
    struct recovery_target target;
    struct err err = ERR_INIT;

    assert_int_equal(setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1), 0);
    tzset();
    assert_int_equal(parse_as_time("2026-11-22 15:36:00Z", &target, &err), 0);
    assert_int_equal(target.time_us, 1795361760 * US);
    assert_int_equal(unsetenv("TZ"), 0);
}

static void
positions_are_read_strictly(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint64_t lsn; /* 0: refused */
    } cases[] = {
        {"0/5000028", 0x5000028},
        {"16/B374D848", 0x16B374D848},
        {"16/b374d848", 0x16B374D848},
        {"FFFFFFFF/FFFFFFFF", UINT64_MAX},
        {"0/05000028", 0x5000028},
        {"0/0", 0},
        {"0/", 0},
        {"/5000028", 0},
        {"5000028", 0},
        {"0x5/28", 0},
        {"0/123456789", 0},
        {"0/5000028 ", 0},
        {"-1/1", 0},
        {"000000010000000000000005", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;
        const struct target_options options = {.lsn = cases[i].text};

        int rc = target_parse(&options, &target, &err);
        assert_int_equal(rc, cases[i].lsn == 0 ? -1 : 0);
        if (rc == 0) {
            assert_int_equal(target.kind, TARGET_LSN);
            assert_int_equal(target.lsn, cases[i].lsn);
        } else {
            assert_int_equal(err.kind, ERR_CONFIG);
            assert_non_null(strstr(err.text, "--lsn"));
        }
    }
}

static void
transaction_ids_may_have_an_epoch(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t xid;
    } cases[] = {
        {"740", true, 740},
        {"3", true, 3},
        {"4294967295", true, UINT32_MAX},
        {"4294968036", true, 740},
        {"18446744073709551615", true, UINT32_MAX},
        {"0", false, 0},
        {"2", false, 0},
        {"4294967296", false, 0},
        {"4294967298", false, 0},
        {"18446744073709551616", false, 0},
        {"-1", false, 0},
        {"+740", false, 0},
        {"0740", false, 0},
        {"0x2E4", false, 0},
        {"abc", false, 0},
        {" 740", false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;
        const struct target_options options = {.xid = cases[i].text};

        int rc = target_parse(&options, &target, &err);
        assert_int_equal(rc, cases[i].good ? 0 : -1);
        if (rc == 0) {
            assert_int_equal(target.kind, TARGET_XID);
            assert_int_equal(target.xid, cases[i].xid);
        } else {
            assert_non_null(strstr(err.text, "--xid"));
        }
    }
}

static void
restore_points_have_at_most_63_bytes(void **state UNUSED)
{
    char longest[TARGET_NAME_SIZE + 1];
    struct recovery_target target;
    struct err err = ERR_INIT;

    memset(longest, 'x', sizeof(longest));
    longest[TARGET_NAME_SIZE - 1] = '\0';
    assert_int_equal(target_parse(&(struct target_options){.name = longest}, &target, &err), 0);
    assert_int_equal(target.kind, TARGET_NAME);
    assert_string_equal(target.name, longest);
    longest[TARGET_NAME_SIZE - 1] = 'x';
    longest[TARGET_NAME_SIZE] = '\0';
    assert_int_equal(target_parse(&(struct target_options){.name = longest}, &target, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "--name"));
}

static void
restore_points_have_no_control_characters(void **state UNUSED)
{
    static const char *const cases[] = {"", "a\nb", "\t", "x\x7f", "\x1b[0m", "a\rb"};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;

        assert_int_equal(target_parse(&(struct target_options){.name = cases[i]}, &target, &err),
                         -1);
        assert_non_null(strstr(err.text, "--name"));
    }
}

static void
exactly_one_target_is_given(void **state UNUSED)
{
    static const struct {
        struct target_options options;
        bool good;
    } cases[] = {
        {{.latest = true}, true},
        {{.backup_end = true}, true},
        {{.time = NULL}, false},
        {{.timeline = "2"}, false},
        {{.latest = true, .backup_end = true}, false},
        {{.latest = true, .lsn = "0/5000028"}, false},
        {{.lsn = "0/5000028", .xid = "740"}, false},
        {{.time = "2026-11-22 15:36:00Z", .name = "x"}, false},
        {{.time = "2026-11-22 15:36:00Z", .lsn = "0/5000028", .xid = "740", .name = "x"}, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target = {.lsn = 77};
        struct err err = ERR_INIT;

        assert_int_equal(target_parse(&cases[i].options, &target, &err), cases[i].good ? 0 : -1);
        if (cases[i].good)
            continue;
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.hint, "--latest"));
        assert_int_equal(target.lsn, 77);
    }
}

static void
timelines_are_decimal_or_words(void **state UNUSED)
{
    static const struct {
        const char *text;
        int kind; /* -1: refused */
        uint32_t timeline;
    } cases[] = {
        {NULL, TARGET_TIMELINE_LATEST, 0},
        {"latest", TARGET_TIMELINE_LATEST, 0},
        {"current", TARGET_TIMELINE_CURRENT, 0},
        {"1", TARGET_TIMELINE_NUMBER, 1},
        {"10", TARGET_TIMELINE_NUMBER, 10},
        {"4294967295", TARGET_TIMELINE_NUMBER, UINT32_MAX},
        {"4294967296", -1, 0},
        {"0", -1, 0},
        {"010", -1, 0},
        {"0x10", -1, 0},
        {"A", -1, 0},
        {"0000000A", -1, 0},
        {"-1", -1, 0},
        {" 1", -1, 0},
        {"1 ", -1, 0},
        {"Latest", -1, 0},
        {"", -1, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recovery_target target;
        struct err err = ERR_INIT;
        const struct target_options options = {.latest = true, .timeline = cases[i].text};

        int rc = target_parse(&options, &target, &err);
        assert_int_equal(rc, cases[i].kind < 0 ? -1 : 0);
        if (rc == 0) {
            assert_int_equal((int)target.timeline_kind, cases[i].kind);
            assert_int_equal(target.timeline, cases[i].timeline);
        } else {
            assert_int_equal(err.kind, ERR_CONFIG);
            assert_non_null(strstr(err.text, "--timeline"));
        }
    }
}

static void
settings_and_options_are_what_server_and_shell_read(void **state UNUSED)
{
    static const struct {
        struct recovery_target target;
        const char *text;
        const char *setting;
        const char *option;
    } cases[] = {
        {{.kind = TARGET_LATEST}, "the end of the archived WAL", "", "--latest"},
        {{.kind = TARGET_BACKUP_END}, "the end of the backup", "recovery_target = 'immediate'\n",
         "--backup-end"},
        {{.kind = TARGET_TIME, .time_us = 1795361760 * US + 250000},
         "time 2026-11-22 15:36:00.25+00", "recovery_target_time = '2026-11-22 15:36:00.25+00'\n",
         "--time '2026-11-22 15:36:00.25+00'"},
        {{.kind = TARGET_LSN, .lsn = 0x16B374D848}, "LSN 16/B374D848",
         "recovery_target_lsn = '16/B374D848'\n", "--lsn 16/B374D848"},
        {{.kind = TARGET_XID, .xid = UINT32_MAX}, "transaction 4294967295",
         "recovery_target_xid = '4294967295'\n", "--xid 4294967295"},
        {{.kind = TARGET_NAME, .name = "before it"}, "restore point \"before it\"",
         "recovery_target_name = 'before it'\n", "--name 'before it'"},
        {{.kind = TARGET_NAME, .name = "o'hara\\n"}, "restore point \"o'hara\\x5cn\"",
         "recovery_target_name = 'o''hara\\\\n'\n", "--name 'o'\\''hara\\n'"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[TARGET_TEXT_SIZE];

        assert_string_equal(target_setting(&cases[i].target, text, TARGET_SETTING_SIZE),
                            cases[i].setting);
        assert_string_equal(target_option(&cases[i].target, text, sizeof(text)), cases[i].option);
        (void)target_text(&cases[i].target, text, sizeof(text));
        if (cases[i].target.kind != TARGET_NAME)
            assert_string_equal(text, cases[i].text);
    }
}

static void
the_longest_names_fit(void **state UNUSED)
{
    struct recovery_target target = {.kind = TARGET_NAME};
    char text[TARGET_TEXT_SIZE];
    char setting[TARGET_SETTING_SIZE];

    memset(target.name, '\'', TARGET_NAME_SIZE - 1);
    (void)target_setting(&target, setting, sizeof(setting));
    assert_string_equal(setting + strlen(setting) - 2, "'\n");
    (void)target_option(&target, text, sizeof(text));
    assert_int_equal(strlen(text), strlen("--name ''") + 4 * (size_t)(TARGET_NAME_SIZE - 1));
    memset(target.name, 0xff, TARGET_NAME_SIZE - 1);
    (void)target_text(&target, text, sizeof(text));
    assert_int_equal(text[strlen(text) - 1], '"');
    assert_null(strstr(text, "..."));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_with_their_zone),
        cmocka_unit_test(times_that_cannot_be_are_refused),
        cmocka_unit_test(a_time_without_zone_is_refused_with_both_readings),
        cmocka_unit_test(the_zone_of_this_machine_does_not_matter),
        cmocka_unit_test(positions_are_read_strictly),
        cmocka_unit_test(transaction_ids_may_have_an_epoch),
        cmocka_unit_test(restore_points_have_at_most_63_bytes),
        cmocka_unit_test(restore_points_have_no_control_characters),
        cmocka_unit_test(exactly_one_target_is_given),
        cmocka_unit_test(timelines_are_decimal_or_words),
        cmocka_unit_test(settings_and_options_are_what_server_and_shell_read),
        cmocka_unit_test(the_longest_names_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
