/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmocka_all.h"
#include "restore/plan.h"
#include "scratch.h"

#define TEXT_SIZE 8192

static struct wal_name
name_of(const char *text)
{
    struct wal_name name;

    assert_true(wal_name_parse(text, strlen(text), &name));
    return name;
}

static struct plan
good_plan(void)
{
    struct plan plan = {
        .target = {.kind = TARGET_LSN, .lsn = 0x5000028},
        .cluster = "main",
        .system_id = UINT64_MAX,
        .label = "20261122T153600Z",
        .backup_start_lsn = 0x3000028,
        .backup_stop_lsn = 0x3000138,
        .backup_timeline = 1,
        .backup_start_time = 1795361760,
        .backup_stop_time = 1795361765,
        .segment_size = 1 << 24,
        .timeline = 11,
        .path = {{1, 0, 0x4000000}, {11, 0x4000000, UINT64_MAX}},
        .n_path = 2,
        .first_wal = name_of("000000010000000000000003"),
        .last_wal = name_of("0000000B0000000000000005"),
        .n_segments = 3,
        .gap_behind = true,
        .backup_bytes = UINT64_C(1) << 40,
        .fetch_bytes = 12345,
        .window_begin_lsn = 0x3000138,
        .window_end_lsn = 0x6000000,
        .window_begin_time = 1795361765,
        .window_end_time = 1795361999,
        .stores = {{.name = "west", .asked = true, .has_backup = true, .n_segments = 3},
                   {.name = "east"}},
        .n_stores = 2,
    };

    return plan;
}

/* The plan as text, ended by a NUL. */
static void
text_of(const struct plan *plan, char *text)
{
    struct err err = ERR_INIT;
    AUTO(json) struct json *json = json_new();
    AUTO(buf) struct buf buf = BUF_INIT(TEXT_SIZE - 1);

    plan_json(plan, json);
    assert_int_equal(json_write(json, &buf, &err), 0);
    memcpy(text, buf.data, buf.size);
    text[buf.size] = '\0';
}

static int
parse(const char *text, struct plan *ret, struct err *err)
{
    /* Exactly as large, so that a sanitizer sees every byte read past it. */
    size_t size = strlen(text);
    char *copy = malloc(size + 1);

    assert_non_null(copy);
    memcpy(copy, text, size);
    *err = ERR_INIT;
    int rc = plan_parse(copy, size, ret, err);
    free(copy);
    return rc;
}

static void
a_plan_of_every_target_comes_back_as_it_was(void **state UNUSED)
{
    static const struct recovery_target targets[] = {
        {.kind = TARGET_LATEST},
        {.kind = TARGET_BACKUP_END, .timeline_kind = TARGET_TIMELINE_CURRENT},
        {.kind = TARGET_TIME, .time_us = 1795361760123456},
        {.kind = TARGET_TIME, .time_us = -1},
        {.kind = TARGET_LSN, .lsn = UINT64_MAX},
        {.kind = TARGET_XID, .xid = UINT32_MAX},
        {.kind = TARGET_NAME,
         .name = "\"\\ \xff\xfe",
         .timeline_kind = TARGET_TIMELINE_NUMBER,
         .timeline = UINT32_MAX},
    };
    struct plan plan = good_plan();
    struct plan again;
    struct err err = ERR_INIT;
    char text[TEXT_SIZE];
    char text_again[TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        plan.target = targets[i];
        text_of(&plan, text);
        assert_int_equal(parse(text, &again, &err), 0);
        text_of(&again, text_again);
        assert_string_equal(text, text_again);
        assert_int_equal(again.target.kind, targets[i].kind);
        assert_true(again.target.time_us == targets[i].time_us);
        assert_true(again.target.lsn == targets[i].lsn);
        assert_true(again.target.xid == targets[i].xid);
        assert_string_equal(again.target.name, targets[i].name);
        assert_int_equal(again.target.timeline_kind, targets[i].timeline_kind);
        assert_true(again.target.timeline == targets[i].timeline);
    }
    assert_true(again.path[1].end_lsn == UINT64_MAX);
    assert_true(again.system_id == UINT64_MAX);
    assert_true(again.gap_behind);
    assert_string_equal(again.stores[1].name, "east");
    assert_string_equal(again.last_wal.text, plan.last_wal.text);
}

static const struct {
    const char *what;
    const char *with; /* instead of `what` */
    enum err_kind kind;
} bad[] = {
    {"\"seawall_plan\":1", "\"seawall_plan\":2", ERR_CONFIG},
    {"\"seawall_plan\":1", "\"seawall_plan\":0", ERR_CORRUPT},
    {"\"seawall_plan\":1", "\"seawall_plan\":\"1\"", ERR_CORRUPT},
    {"\"main\"", "\"\"", ERR_CORRUPT},
    {"\"main\"", "null", ERR_CORRUPT},
    {"\"main\"", "\"a-name-that-is-longer-than-the-sixty-four-bytes-a-cluster-s-name-has\"",
     ERR_CORRUPT},
    {"\"18446744073709551615\"", "\"18446744073709551616\"", ERR_CORRUPT},
    {"\"18446744073709551615\"", "\"0\"", ERR_CORRUPT},
    {"\"20261122T153600Z\"", "\"20261322T153600Z\"", ERR_CORRUPT},
    {"\"20261122T153600Z\"", "\"../../etc/passwd\"", ERR_CORRUPT},
    {"\"kind\":\"lsn\"", "\"kind\":\"xid\"", ERR_CORRUPT},
    {"\"kind\":\"lsn\"", "\"kind\":\"\"", ERR_CORRUPT},
    {"\"lsn\":\"0/5000028\"", "\"lsn\":\"0/500002X\"", ERR_CORRUPT},
    {"\"timeline\":\"latest\"", "\"timeline\":\"number\"", ERR_CORRUPT},
    {"\"timeline\":11,\"path\"", "\"timeline\":12,\"path\"", ERR_CORRUPT},
    {"\"end_lsn\":\"0/4000000\"", "\"end_lsn\":\"0/4000001\"", ERR_CORRUPT},
    {"\"begin_lsn\":\"0/0\"", "\"begin_lsn\":\"0/4000000\"", ERR_CORRUPT},
    {"\"segment_size\":16777216", "\"segment_size\":16777217", ERR_CORRUPT},
    {"\"segment_size\":16777216", "\"segment_size\":0", ERR_CORRUPT},
    {"\"segments\":3,\"gap", "\"segments\":4,\"gap", ERR_CORRUPT},
    {"\"000000010000000000000003\"", "\"00000001000000000000000G\"", ERR_CORRUPT},
    {"\"000000010000000000000003\"", "\"000000010000000000000006\"", ERR_CORRUPT},
    {"\"gap_behind\":true", "\"gap_behind\":1", ERR_CORRUPT},
    {"\"fetch_bytes\":12345", "\"fetch_bytes\":-1", ERR_CORRUPT},
    {"\"fetch_bytes\":12345", "\"fetch_bytes\":1.5", ERR_CORRUPT},
    {"\"asked\":false", "\"asked\":null", ERR_CORRUPT},
    {"\"east\"", "\"a-store-s-name-that-is-longer-than-32\"", ERR_CORRUPT},
};

static void
what_is_no_plan_is_refused(void **state UNUSED)
{
    struct plan plan = good_plan();
    struct plan again;
    struct err err = ERR_INIT;
    char text[TEXT_SIZE];
    char changed[TEXT_SIZE];

    text_of(&plan, text);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *at = strstr(text, bad[i].what);

        if (at == NULL)
            fail_msg("no %s in %s", bad[i].what, text);
        (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, bad[i].with,
                       at + strlen(bad[i].what));
        memset(&again, 0x5a, sizeof(again));
        if (parse(changed, &again, &err) != -1)
            fail_msg("accepted: %s", bad[i].with);
        assert_int_equal(err.kind, bad[i].kind);
        /* A plan that was not read changes nothing. */
        for (size_t k = 0; k < sizeof(again); k++)
            assert_int_equal(((const uint8_t *)&again)[k], 0x5a);
    }
    for (size_t size = 0; size < strlen(text); size++) {
        memcpy(changed, text, size);
        changed[size] = '\0';
        assert_int_equal(parse(changed, &again, &err), -1);
    }
}

static void
a_time_that_no_option_can_say_is_refused(void **state UNUSED)
{
    static const int64_t times[] = {INT64_MIN, TARGET_TIME_MIN - 1, TARGET_TIME_MAX + 1, INT64_MAX};
    struct plan plan = good_plan();
    struct plan again;
    struct err err = ERR_INIT;
    char text[TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        plan.target = (struct recovery_target){.kind = TARGET_TIME, .time_us = times[i]};
        text_of(&plan, text);
        assert_int_equal(parse(text, &again, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

static void
a_plan_goes_into_a_new_private_file_and_comes_back(void **state)
{
    const struct scratch *scratch = *state;
    struct plan plan = good_plan();
    struct plan again;
    struct err err = ERR_INIT;
    struct stat st;
    char path[SCRATCH_SIZE + 16];
    char text[TEXT_SIZE];
    char text_again[TEXT_SIZE];

    (void)snprintf(path, sizeof(path), "%s/plan", scratch->path);
    assert_int_equal(plan_read(path, &again, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    err_clear(&err);
    assert_int_equal(plan_write(&plan, path, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(plan_read(path, &again, &err), 0);
    text_of(&plan, text);
    text_of(&again, text_again);
    assert_string_equal(text, text_again);
    /* It never replaces anything. */
    assert_int_equal(plan_write(&plan, path, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(scratch_count(scratch), 1);
}

static void
an_empty_file_and_a_large_one_are_no_plans(void **state)
{
    const struct scratch *scratch = *state;
    struct plan plan;
    struct err err = ERR_INIT;
    char path[SCRATCH_SIZE + 16];
    char *large = calloc(1, PLAN_FILE_MAX + 1);

    assert_non_null(large);
    (void)snprintf(path, sizeof(path), "%s/plan", scratch->path);
    scratch_write(scratch, "plan", large, PLAN_FILE_MAX + 1);
    free(large);
    assert_int_equal(plan_read(path, &plan, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    err_clear(&err);
    scratch_text(scratch, "plan", "");
    assert_int_equal(plan_read(path, &plan, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_of_every_target_comes_back_as_it_was),
        cmocka_unit_test(what_is_no_plan_is_refused),
        cmocka_unit_test(a_time_that_no_option_can_say_is_refused),
        cmocka_unit_test_setup_teardown(a_plan_goes_into_a_new_private_file_and_comes_back,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_and_a_large_one_are_no_plans, scratch_setup,
                                        scratch_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
