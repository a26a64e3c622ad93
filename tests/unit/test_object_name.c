/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/object_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define LONGEST_CLUSTER "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static const struct object_owner owner = {"main", 7413305566020948123};

static struct wal_name
wal_of(const char *text)
{
    struct wal_name wal;

    assert_true(wal_name_parse(text, strlen(text), &wal));
    return wal;
}

static const struct {
    const char *file;
    const char *object;
} names[] = {
    {"0000000100000000000000A7",
     "main/7413305566020948123/wal/00000001/00000000/0000000100000000000000A7"},
    {"0000000A0000000B000000FF.partial",
     "main/7413305566020948123/wal/0000000A/0000000B/0000000A0000000B000000FF.partial"},
    {"000000010000000000000002.00000028.backup",
     "main/7413305566020948123/wal/00000001/00000000/000000010000000000000002.00000028.backup"},
    {"FFFFFFFFFFFFFFFFFFFFFFFF",
     "main/7413305566020948123/wal/FFFFFFFF/FFFFFFFF/FFFFFFFFFFFFFFFFFFFFFFFF"},
    {"00000002.history", "main/7413305566020948123/history/00000002.history"},
};

static void
names_are_as_the_format_says(void **state UNUSED)
{
    char name[OBJECT_NAME_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct wal_name wal = wal_of(names[i].file);

        object_name_of_wal(&owner, &wal, name);
        assert_string_equal(name, names[i].object);
    }
    object_name_probe("main", name);
    assert_string_equal(name, "main/probe/conditional");
}

static void
prefixes_hold_what_they_are_for(void **state UNUSED)
{
    char name[OBJECT_NAME_SIZE];

    object_name_system_prefix(&owner, name);
    assert_string_equal(name, "main/7413305566020948123/");
    object_name_wal_prefix(&owner, name);
    assert_string_equal(name, "main/7413305566020948123/wal/");
    object_name_timeline_prefix(&owner, 0x1A, name);
    assert_string_equal(name, "main/7413305566020948123/wal/0000001A/");
    object_name_history_prefix(&owner, name);
    assert_string_equal(name, "main/7413305566020948123/history/");
}

static void
every_name_is_read_back(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct wal_name wal;

        assert_true(object_name_parse_wal(&owner, names[i].object, &wal));
        assert_string_equal(wal.text, names[i].file);
    }
}

static void
everything_else_is_foreign(void **state UNUSED)
{
    static const char *const foreign[] = {
        "",
        "/",
        "0000000100000000000000A7",
        "main/7413305566020948123/wal/00000001/00000000/",
        "main/7413305566020948123/wal/00000001/00000000/x",
        "main/7413305566020948123/wal/00000002/00000000/0000000100000000000000A7",
        "main/7413305566020948123/wal/00000001/00000001/0000000100000000000000A7",
        "main/7413305566020948123/wal/00000001/0000000100000000000000A7",
        "main/7413305566020948123/wal/00000001/00000000/x/0000000100000000000000A7",
        "main/7413305566020948123/wal/00000001/00000000/0000000100000000000000a7",
        "main/7413305566020948123/wal/00000001/00000000/0000000100000000000000A7.gz",
        "main/7413305566020948123/history/0000000100000000000000A7",
        "main/7413305566020948123/wal/00000002.history",
        "main/7413305566020948124/wal/00000001/00000000/0000000100000000000000A7",
        "main/07413305566020948123/wal/00000001/00000000/0000000100000000000000A7",
        "other/7413305566020948123/wal/00000001/00000000/0000000100000000000000A7",
        "x/main/7413305566020948123/wal/00000001/00000000/0000000100000000000000A7",
        "main/probe/conditional",
    };

    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        struct wal_name wal;

        memset(&wal, 0x5a, sizeof(wal));
        struct wal_name before = wal;
        if (object_name_parse_wal(&owner, foreign[i], &wal))
            fail_msg("taken for ours: %s", foreign[i]);
        assert_memory_equal(&wal, &before, sizeof(wal));
    }
}

/* What decides between "end of WAL" and "gap": where a listing begins. */
static void
what_sorts_behind_a_segment_is_later(void **state UNUSED)
{
    static const struct {
        const char *file;
        bool later;
    } others[] = {
        {"000000010000000100000006", false},
        {"000000010000000100000007", false},
        {"000000010000000100000007.partial", false},
        {"000000010000000100000007.00000028.backup", false},
        {"000000010000000100000007.FFFFFFFF.backup", false},
        {"0000000100000000000000FF", false},
        {"000000010000000100000008", true},
        {"000000010000000100000008.partial", true},
        {"0000000100000001000000FF", true},
        {"000000010000000200000000", true},
        {"00000001FFFFFFFF00000000", true},
    };
    struct wal_name asked = wal_of("000000010000000100000007");
    char after[OBJECT_NAME_SIZE];

    object_name_after_segment(&owner, &asked, after);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct wal_name wal = wal_of(others[i].file);
        char name[OBJECT_NAME_SIZE];

        object_name_of_wal(&owner, &wal, name);
        if ((strcmp(name, after) > 0) != others[i].later)
            fail_msg("\"%s\" against \"%s\"", name, after);
    }
}

static void
the_longest_name_fits(void **state UNUSED)
{
    static const struct object_owner longest = {LONGEST_CLUSTER, UINT64_MAX};
    struct wal_name wal = wal_of("FFFFFFFFFFFFFFFFFFFFFFFF.FFFFFFFF.backup");
    struct wal_name again;
    char name[OBJECT_NAME_SIZE];

    object_name_of_wal(&longest, &wal, name);
    assert_true(strlen(name) < OBJECT_NAME_SIZE - 1);
    assert_true(object_name_parse_wal(&longest, name, &again));
    assert_string_equal(again.text, wal.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_as_the_format_says),
        cmocka_unit_test(prefixes_hold_what_they_are_for),
        cmocka_unit_test(every_name_is_read_back),
        cmocka_unit_test(everything_else_is_foreign),
        cmocka_unit_test(what_sorts_behind_a_segment_is_later),
        cmocka_unit_test(the_longest_name_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
