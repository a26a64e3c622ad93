/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/backup_name.h"

#include "cmocka_all.h"

#include <string.h>

#include "base/macros.h"

#define LABEL "20261122T153600Z"
#define PREFIX "main/7413305566020948123/backup/"

static const struct object_owner owner = {"main", 7413305566020948123};

static void
a_label_is_the_time_the_backup_began(void **state)
{
    static const struct {
        int64_t real_us;
        const char *label;
    } samples[] = {
        {0, "19700101T000000Z"},
        {-1, "19700101T000000Z"},
        {INT64_MIN, "19700101T000000Z"},
        {1795361760999999, LABEL},
        {1709251199000000, "20240229T235959Z"},
        {253402300799999999, "99991231T235959Z"},
        {INT64_MAX, "99991231T235959Z"},
    };
    char label[BACKUP_LABEL_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        memset(label, 'x', sizeof(label));
        backup_label_of_time(samples[i].real_us, label);
        assert_string_equal(label, samples[i].label);
        assert_true(backup_label_valid(label, strlen(label)));
    }
}

static void
what_is_no_time_is_no_label(void **state)
{
    static const char *const bad[] = {
        "",
        "20261122T153600",
        "20261122T153600Z0",
        "20261122T153600z",
        "20261122t153600Z",
        "20261122 153600Z",
        "20261322T153600Z",
        "20260022T153600Z",
        "20261100T153600Z",
        "20261131T153600Z",
        "20230229T153600Z",
        "21000229T153600Z",
        "20261122T243600Z",
        "20261122T156000Z",
        "20261122T153660Z",
        "19691231T235959Z",
        "00000101T000000Z",
        "2026112/T153600Z",
        "2026112:T153600Z",
        "+0261122T153600Z",
        "20261122T-53600Z",
        "20261122T1536 0Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (backup_label_valid(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

static void
names_are_made_and_taken_apart(void **state)
{
    static const struct {
        enum backup_object_kind kind;
        uint32_t number;
        const char *name;
    } samples[] = {
        {BACKUP_PART, 1, PREFIX LABEL "/part-00000001"},
        {BACKUP_PART, BACKUP_NUMBER_MAX, PREFIX LABEL "/part-99999999"},
        {BACKUP_MANIFEST, 20, PREFIX LABEL "/manifest-00000020"},
        {BACKUP_COMPLETE, 0, PREFIX LABEL "/complete"},
    };
    char name[OBJECT_NAME_SIZE];
    char label[BACKUP_LABEL_SIZE];

    (void)state;
    backup_name_prefix(&owner, name);
    assert_string_equal(name, PREFIX);
    backup_name_label_prefix(&owner, LABEL, name);
    assert_string_equal(name, PREFIX LABEL "/");
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        enum backup_object_kind kind = BACKUP_COMPLETE;
        uint32_t number = 12345;

        backup_name_of(&owner, LABEL, samples[i].kind, samples[i].number, name);
        assert_string_equal(name, samples[i].name);
        assert_true(backup_name_parse(&owner, name, label, &kind, &number));
        assert_string_equal(label, LABEL);
        assert_int_equal(kind, samples[i].kind);
        assert_int_equal(number, samples[i].number);
    }
}

static void
other_names_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        PREFIX,
        PREFIX LABEL,
        PREFIX LABEL "/",
        PREFIX LABEL "/part-",
        PREFIX LABEL "/part-00000000",
        PREFIX LABEL "/part-1",
        PREFIX LABEL "/part-0000001",
        PREFIX LABEL "/part-000000001",
        PREFIX LABEL "/part-0000000a",
        PREFIX LABEL "/part-00000001/",
        PREFIX LABEL "/manifest-00000000",
        PREFIX LABEL "/manifest_00000001",
        PREFIX LABEL "/complete2",
        PREFIX LABEL "/Complete",
        PREFIX LABEL "//complete",
        PREFIX "20261131T153600Z/complete",
        PREFIX "/complete",
        "main/7413305566020948124/backup/" LABEL "/complete",
        "mainx/7413305566020948123/backup/" LABEL "/complete",
        "main/7413305566020948123/wal/" LABEL "/complete",
    };
    char label[BACKUP_LABEL_SIZE] = "untouched";
    enum backup_object_kind kind = BACKUP_PART;
    uint32_t number = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (backup_name_parse(&owner, bad[i], label, &kind, &number))
            fail_msg("accepted: %s", bad[i]);
    assert_string_equal(label, "untouched");
    assert_int_equal(number, 77);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_is_the_time_the_backup_began),
        cmocka_unit_test(what_is_no_time_is_no_label),
        cmocka_unit_test(names_are_made_and_taken_apart),
        cmocka_unit_test(other_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
