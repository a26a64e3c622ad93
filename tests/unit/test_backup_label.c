/* SPDX-License-Identifier: PostgreSQL */
#include "wal/backup_label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static void
labels_of_all_versions_are_read(void **state)
{
    struct backup_label label;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(backup_label_parse("START WAL LOCATION: 1/6B00028 (file 0000000A)\n"
                                        "CHECKPOINT LOCATION: 1/6B00060\n"
                                        "BACKUP METHOD: streamed\nBACKUP FROM: master\n"
                                        "START TIME: 2026-11-22 17:30:01 UTC\n"
                                        "LABEL: START TIMELINE: 9\nSTART TIMELINE: 3\n",
                                        &label, &err),
                     0);
    assert_int_equal(label.start_lsn, 0x106B00028);
    assert_int_equal(label.checkpoint_lsn, 0x106B00060);
    assert_int_equal(label.start_timeline, 3);
    assert_false(label.from_standby);
    assert_int_equal(backup_label_parse("START WAL LOCATION: 0/06B00028 (file 1)\n"
                                        "CHECKPOINT LOCATION: 0/06B00060\nBACKUP FROM: standby\n"
                                        "START TIMELINE: 1\n",
                                        &label, &err),
                     0);
    assert_true(label.from_standby);
}

static void
incomplete_labels_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "START WAL LOCATION: 0/28 (f)\nCHECKPOINT LOCATION: 0/60\nBACKUP FROM: primary\n",
        "START WAL LOCATION: 0/28 (f)\nBACKUP FROM: primary\nSTART TIMELINE: 1\n",
        "CHECKPOINT LOCATION: 0/60\nBACKUP FROM: primary\nSTART TIMELINE: 1\n",
        "START WAL LOCATION: 0/28 (f)\nCHECKPOINT LOCATION: 0/60\nSTART TIMELINE: 1\n",
        "START WAL LOCATION: x (f)\nCHECKPOINT LOCATION: 0/60\nBACKUP FROM: p\nSTART TIMELINE: 1\n",
        "START WAL LOCATION: 0/28\nCHECKPOINT LOCATION: 0/60\nBACKUP FROM: p\nSTART TIMELINE: 0\n",
    };
    struct backup_label label;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(backup_label_parse(texts[i], &label, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

static void
maps_of_tablespaces_are_read_line_by_line(void **state)
{
    const char *at = "16384 /srv/a b\n16385 /srv/x\\\ny\\\\z\n";
    struct tablespace_line line;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(tablespace_map_next(&at, &line, &err), 0);
    assert_int_equal(line.oid, 16384);
    assert_string_equal(line.path, "/srv/a b");
    assert_int_equal(tablespace_map_next(&at, &line, &err), 0);
    assert_int_equal(line.oid, 16385);
    assert_string_equal(line.path, "/srv/x\ny\\z");
    assert_int_equal(tablespace_map_next(&at, &line, &err), TABLESPACE_MAP_END);
}

static void
broken_maps_are_refused(void **state)
{
    static const char *const texts[] = {"x\n", "1\n", "1 \n", "1 /srv", " 1 /srv\n", "1 /srv\\"};
    struct tablespace_line line;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *at = texts[i];
        struct err err = ERR_INIT;

        assert_int_equal(tablespace_map_next(&at, &line, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_of_all_versions_are_read),
        cmocka_unit_test(incomplete_labels_are_refused),
        cmocka_unit_test(maps_of_tablespaces_are_read_line_by_line),
        cmocka_unit_test(broken_maps_are_refused),
    };

    return cmocka_run_group_tests_name("backup_label", tests, NULL, NULL);
}
