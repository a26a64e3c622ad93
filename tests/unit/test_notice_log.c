/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/notice_log.h"
#include "cmocka_all.h"

#define LINES_MAX 64

static char lines[LINES_MAX][NOTICE_TEXT_SIZE + 32];
static enum log_level levels[LINES_MAX];
static size_t n_lines;

static void
record(struct notices *notices UNUSED, enum log_level level, const char *text)
{
    assert_true(n_lines < LINES_MAX);
    (void)snprintf(lines[n_lines], sizeof(lines[0]), "%s", text);
    levels[n_lines++] = level;
}

static struct notices recorder = {.notice = record};

static void
what_was_said_comes_out_in_order_and_once(void **state UNUSED)
{
    AUTO(notice_log) struct notice_log log;

    n_lines = 0;
    notice_log_init(&log);
    notice(&log.notices, LOG_WARNING, "first %d", 1);
    notice(&log.notices, LOG_INFO, "second");
    notice_log_flush(&log, &recorder);
    assert_int_equal(n_lines, 2);
    assert_string_equal(lines[0], "first 1");
    assert_int_equal(levels[0], LOG_WARNING);
    assert_string_equal(lines[1], "second");
    assert_int_equal(levels[1], LOG_INFO);
    notice_log_flush(&log, &recorder);
    assert_int_equal(n_lines, 2);
}

static void
repetitions_are_counted(void **state UNUSED)
{
    AUTO(notice_log) struct notice_log log;

    n_lines = 0;
    notice_log_init(&log);
    for (int i = 0; i < 5; i++)
        notice(&log.notices, LOG_WARNING, "again");
    notice(&log.notices, LOG_ERROR, "again");
    notice_log_flush(&log, &recorder);
    assert_int_equal(n_lines, 2);
    assert_string_equal(lines[0], "again (5 times)");
    assert_string_equal(lines[1], "again");
}

static void
what_is_too_much_is_counted(void **state UNUSED)
{
    AUTO(notice_log) struct notice_log log;

    n_lines = 0;
    notice_log_init(&log);
    for (int i = 0; i < NOTICE_LOG_MAX + 3; i++)
        notice(&log.notices, LOG_INFO, "line %d", i);
    notice_log_flush(&log, &recorder);
    assert_int_equal(n_lines, NOTICE_LOG_MAX + 1);
    assert_string_equal(lines[NOTICE_LOG_MAX], "3 further messages were dropped");
}

static void
a_long_text_is_cut_and_still_recognised(void **state UNUSED)
{
    AUTO(notice_log) struct notice_log log;
    char text[NOTICE_TEXT_SIZE + 100];

    n_lines = 0;
    notice_log_init(&log);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log.notices.notice(&log.notices, LOG_INFO, text);
    log.notices.notice(&log.notices, LOG_INFO, text);
    assert_int_equal(strlen(log.kept[0].text), NOTICE_TEXT_SIZE - 1);
    assert_int_equal(log.kept[0].times, 2);
    notice_log_flush(&log, &recorder);
    assert_int_equal(n_lines, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_comes_out_in_order_and_once),
        cmocka_unit_test(repetitions_are_counted),
        cmocka_unit_test(what_is_too_much_is_counted),
        cmocka_unit_test(a_long_text_is_cut_and_still_recognised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
