/* SPDX-License-Identifier: PostgreSQL */
#include "restore/events_text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/macros.h"

#define TEXT_SIZE 65536
#define MINUTE INT64_C(60000000)
#define NOON INT64_C(29922696) /* 2026-11-22 15:36 UTC, in minutes */

static struct events_marks marks;

/* What the picture prints. */
static void
draw(struct events_minute *minutes, size_t n, int width, char *ret_text)
{
    const struct events_summary summary = {.minutes = minutes, .n_minutes = n};
    struct err err = ERR_INIT;
    size_t size = 0;
    int file = memfd_create("picture", MFD_CLOEXEC);
    int saved = dup(STDOUT_FILENO);

    assert_true(file >= 0 && saved >= 0);
    (void)fflush(stdout);
    assert_true(dup2(file, STDOUT_FILENO) >= 0);
    events_print_picture(&summary, &marks, width);
    (void)fflush(stdout);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    assert_true(lseek(file, 0, SEEK_SET) == 0);
    assert_true(io_read_full(file, ret_text, TEXT_SIZE - 1, &size, "picture", &err) >= 0);
    ret_text[size] = '\0';
    (void)close(file);
}

static void
mark(int64_t minute, enum wal_event_kind kind)
{
    marks.items[marks.n].time_us = minute * MINUTE;
    marks.items[marks.n++].kind = kind;
}

static int
no_marks(void **state UNUSED)
{
    marks.n = 0;
    return 0;
}

static void
bars_are_as_high_as_minutes_have_commits(void **state UNUSED)
{
    static char text[TEXT_SIZE];
    struct events_minute minutes[] = {{NOON, 6}, {NOON + 1, 3}, {NOON + 4, 1}};

    mark(NOON + 1, WAL_EVENT_DROP_TABLE);
    mark(NOON + 1, WAL_EVENT_RESTORE_POINT);
    mark(NOON + 4, WAL_EVENT_TRUNCATE);
    mark(NOON + 400, WAL_EVENT_DELETE); /* outside of the picture */
    draw(minutes, ARRAY_SIZE(minutes), 80, text);
    assert_non_null(strstr(text, "\ncommits a minute, a column is 1 min\n"));
    assert_non_null(strstr(text, "       6 |#    "));
    assert_non_null(strstr(text, "\n         |##   "));
    assert_non_null(strstr(text, "\n         |##  # "));
    assert_non_null(strstr(text, "\n         + X  T "));
    assert_non_null(strstr(text, "2026-11-22T15:36 to 2026-11-22T15:41 UTC\n"));
}

static void
a_long_time_has_wider_columns(void **state UNUSED)
{
    static char text[TEXT_SIZE];
    static struct events_minute minutes[10000];

    for (size_t i = 0; i < ARRAY_SIZE(minutes); i++)
        minutes[i] = (struct events_minute){NOON + (int64_t)i, 2};
    mark(NOON + 9999, WAL_EVENT_PROMOTION);
    draw(minutes, ARRAY_SIZE(minutes), 1000, text);
    assert_non_null(strstr(text, "a column is 50 min\n"));
    assert_non_null(strstr(text, "       2 |####"));
    for (const char *line = text; line != NULL; line = strchr(line + 1, '\n'))
        assert_true(strcspn(line + 1, "\n") <= 210);
}

static void
nothing_to_draw_draws_nothing(void **state UNUSED)
{
    static char text[TEXT_SIZE];
    struct events_minute minutes[] = {{NOON, 1}};

    draw(minutes, 0, 80, text);
    assert_string_equal(text, "");
    draw(minutes, 1, 25, text);
    assert_string_equal(text, "");
}

/* Minutes in which all transactions were rolled back. */
static void
minutes_without_commits_have_no_bars(void **state UNUSED)
{
    static char text[TEXT_SIZE];
    struct events_minute minutes[] = {{NOON, 0}, {NOON + 2, 0}};

    draw(minutes, ARRAY_SIZE(minutes), 80, text);
    assert_null(strchr(text, '#'));
    assert_non_null(strstr(text, "       0 |"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bars_are_as_high_as_minutes_have_commits, no_marks),
        cmocka_unit_test_setup(a_long_time_has_wider_columns, no_marks),
        cmocka_unit_test_setup(nothing_to_draw_draws_nothing, no_marks),
        cmocka_unit_test_setup(minutes_without_commits_have_no_bars, no_marks),
    };

    return cmocka_run_group_tests_name("events_text", tests, NULL, NULL);
}
