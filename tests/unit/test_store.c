/* SPDX-License-Identifier: PostgreSQL */
/*
 * What store.c and the loop do for every kind of store, shown with one that does what it is told.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "cmocka_all.h"
#include "store/backend.h"
#include "store/loop.h"

/* What the backend does with the next task. */
enum plan {
    PLAN_END,     /* end it at once */
    PLAN_KEEP,    /* leave it under way */
    PLAN_WAKE,    /* ask to be woken, then end it */
    PLAN_NOTHING, /* fail to begin */
};

struct toy {
    struct store store;
    enum plan plan;
    unsigned n_started;
    unsigned n_abandoned;
};

static struct store_loop *loop;
static struct toy *toy;

static int
toy_start(struct store_task *task, struct err *err)
{
    toy->n_started++;
    task->attempts = 1;
    switch (toy->plan) {
    case PLAN_END:
        task_end(task, STORE_EXISTS);
        return 0;
    case PLAN_WAKE:
        task->wake_ms = clock_boot_ms() + 20;
        return 0;
    case PLAN_NOTHING:
        return err_set(err, ERR_INTERNAL, "no");
    case PLAN_KEEP:
        break;
    }
    return 0;
}

static void
toy_wake(struct store_task *task)
{
    assert_int_equal(task->wake_ms, 0);
    task_end(task, 0);
}

static void
toy_abandon(struct store_task *task UNUSED)
{
    toy->n_abandoned++;
}

static void
toy_close(struct store *store)
{
    free(store->place);
    free(store);
}

static int
setup(void **state UNUSED)
{
    static const struct store_ops ops = {
        .start = toy_start, .abandon = toy_abandon, .wake = toy_wake, .close = toy_close};
    struct err err = ERR_INIT;

    toy = calloc(1, sizeof(*toy));
    assert_non_null(toy);
    assert_int_equal(store_loop_new(&loop, &err), 0);
    toy->store.ops = &ops;
    toy->store.loop = loop;
    toy->store.name = strdup("toy");
    toy->store.place = strdup("toy://");
    assert_non_null(toy->store.name);
    assert_non_null(toy->store.place);
    return 0;
}

static int
teardown(void **state UNUSED)
{
    process_request_stop(0);
    store_close(&toy->store);
    store_loop_free(loop);
    return 0;
}

static struct store_limits
limits_of(int64_t time_ms)
{
    return (struct store_limits){.deadline_ms = clock_boot_ms() + time_ms};
}

static struct store_task *
begin(enum plan plan, int64_t time_ms)
{
    struct store_limits limits = limits_of(time_ms);
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    toy->plan = plan;
    assert_int_equal(store_start_delete(&toy->store, "wal/x", &limits, &task, &err), 0);
    assert_non_null(task);
    return task;
}

/* ---- names ---- */

static void
bad_names_are_refused_and_nothing_begins(void **state UNUSED)
{
    static const char *const names[] = {
        "",     "/",     "/a",  "a/",   "a//b", ".",   "..",    "a/.",    "a/..", "./a",
        "../a", "a/./b", "a b", "a\nb", "a\\b", "a%b", "a\x80", "a/../b", "a:b",  "a?",
    };
    struct store_limits limits = limits_of(1000);
    struct store_range range = {.max_size = 1};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct store_task *task = NULL;

        assert_int_equal(store_start_delete(&toy->store, names[i], &limits, &task, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(store_start_get(&toy->store, names[i], &range, &limits, &task, &err), -1);
        assert_int_equal(store_start_put(&toy->store, names[i], NULL, 0, &limits, &task, &err), -1);
        assert_null(task);
    }
    assert_int_equal(toy->n_started, 0);
}

static void
good_names_are_taken_up_to_the_longest(void **state UNUSED)
{
    char longest[STORE_NAME_MAX + 2];
    const char *const names[] = {"a", "A-Z_a.z/09", "...", "a/..b", ".a/b.", longest};
    struct store_limits limits = limits_of(1000);
    struct err err = ERR_INIT;

    memset(longest, 'x', sizeof(longest));
    longest[STORE_NAME_MAX] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct store_task *task = NULL;

        assert_int_equal(store_start_delete(&toy->store, names[i], &limits, &task, &err), 0);
        assert_string_equal(task->name, names[i]);
        store_task_free(task);
    }
    longest[STORE_NAME_MAX] = 'x';
    longest[STORE_NAME_MAX + 1] = '\0';
    struct store_task *task = NULL;
    assert_int_equal(store_start_delete(&toy->store, longest, &limits, &task, &err), -1);
}

static void
a_prefix_is_the_beginning_of_a_name(void **state UNUSED)
{
    static const struct {
        const char *prefix;
        int rc;
    } rows[] = {
        {"", 0},    {"a", 0},    {"a/", 0},    {"a/.", 0},  {"a/..", 0}, {"/", -1},
        {"/a", -1}, {"a//", -1}, {"a/./", -1}, {"../", -1}, {"a*", -1},
    };
    struct store_limits limits = limits_of(1000);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *text = rows[i].prefix;
        struct store_task *task = NULL;

        assert_int_equal(store_start_list(&toy->store, text, NULL, 1, &limits, &task, &err),
                         rows[i].rc);
        store_task_free(TAKE_PTR(task));
        assert_int_equal(store_start_list(&toy->store, "", text, 1, &limits, &task, &err),
                         rows[i].rc);
        store_task_free(task);
    }
}

static void
impossible_requests_are_refused(void **state UNUSED)
{
    static const struct store_range ranges[] = {
        {.offset = 1}, {.offset = UINT64_MAX, .size = 1}, {.offset = 1, .size = UINT64_MAX}};
    struct span spans[STORE_SPANS_MAX + 1] = {{NULL, 0}};
    struct store_limits limits = limits_of(1000);
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        assert_int_equal(store_start_get(&toy->store, "x", &ranges[i], &limits, &task, &err), -1);
    assert_int_equal(
        store_start_put(&toy->store, "x", spans, ARRAY_SIZE(spans), &limits, &task, &err), -1);
    assert_int_equal(store_start_list(&toy->store, "", NULL, 0, &limits, &task, &err), -1);
    assert_int_equal(store_start_list(&toy->store, "", NULL, 1001, &limits, &task, &err), -1);
    assert_int_equal(toy->n_started, 0);
}

/* ---- the life of a task ---- */

static void
a_task_may_end_at_once(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin(PLAN_END, 1000);

    assert_true(store_task_ended(task));
    assert_int_equal(store_task_wait(loop, task, &err), STORE_EXISTS);
    assert_ptr_equal(store_task_store(task), &toy->store);
    assert_int_equal(store_task_attempts(task), 1);
    assert_int_equal(store_loop_run(loop, clock_boot_ms() + 60000, &err), 0);
}

static void
a_task_that_cannot_begin_is_none(void **state UNUSED)
{
    struct store_limits limits = limits_of(1000);
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    toy->plan = PLAN_NOTHING;
    assert_int_equal(store_start_delete(&toy->store, "x", &limits, &task, &err), -1);
    assert_null(task);
    assert_string_equal(err.text, "store \"toy\": no");
    assert_int_equal(store_loop_run(loop, clock_boot_ms() + 60000, &err), 0);
    assert_int_equal(toy->n_abandoned, 0);
}

static void
the_loop_wakes_a_task(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin(PLAN_WAKE, 60000);
    AUTO(store_task) struct store_task *other = begin(PLAN_KEEP, 60000);

    assert_false(store_task_ended(task));
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
    assert_true(store_task_ended(task));
    assert_false(store_task_ended(other));
    assert_int_equal(store_task_result(task, &err), 0);
    assert_int_equal(store_task_result(other, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
}

static void
the_loop_keeps_deadlines(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin(PLAN_KEEP, 20);

    assert_int_equal(store_task_wait(loop, task, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_string_equal(err.text,
                        "store \"toy\": could not delete \"wal/x\": no answer before the deadline");
    assert_int_equal(toy->n_abandoned, 1);
}

static void
what_is_late_before_it_begins_is_not_begun(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin(PLAN_END, 0);

    assert_true(store_task_ended(task));
    assert_int_equal(store_task_result(task, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(toy->n_started, 0);
}

static void
the_loop_returns_when_its_time_has_come(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin(PLAN_KEEP, 60000);

    assert_int_equal(store_loop_run(loop, clock_boot_ms() + 20, &err), 0);
    assert_false(store_task_ended(task));
}

static void
a_stop_request_fails_every_task(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *first = begin(PLAN_KEEP, 60000);
    AUTO(store_task) struct store_task *second = begin(PLAN_KEEP, 60000);

    process_request_stop(SIGTERM);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(store_task_result(first, &err), -1);
    assert_int_equal(store_task_result(second, &err), -1);
    assert_string_equal(err.text, "store \"toy\": stopped by signal 15");
    assert_int_equal(toy->n_abandoned, 2);
}

static void
a_task_freed_under_way_is_abandoned(void **state UNUSED)
{
    struct err err = ERR_INIT;

    store_task_free(begin(PLAN_KEEP, 60000));
    assert_int_equal(toy->n_abandoned, 1);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
}

static void
a_failure_names_the_store_and_keeps_its_hint(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin(PLAN_KEEP, 60000);

    (void)err_set(&err, ERR_DENIED, "no");
    (void)err_hint(&err, "Ask nicely.");
    task_fail(task, &err);
    assert_int_equal(store_task_wait(loop, task, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_string_equal(err.text, "store \"toy\": no");
    assert_string_equal(err.hint, "Ask nicely.");
}

/* ---- pages ---- */

static struct store_task *
begin_list(const char *prefix, const char *start_after, uint32_t max)
{
    struct store_limits limits = limits_of(60000);
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    toy->plan = PLAN_KEEP;
    assert_int_equal(store_start_list(&toy->store, prefix, start_after, max, &limits, &task, &err),
                     0);
    return task;
}

static void
a_page_keeps_names_in_order(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin_list("a/", NULL, 1000);

    for (int round = 0; round < 2; round++) {
        task_page_reset(task);
        for (unsigned i = 0; i < 1000; i++) {
            char name[32];

            (void)snprintf(name, sizeof(name), "a/%06u", i);
            assert_int_equal(task_page_add(task, name, strlen(name), i, &err), 0);
            assert_int_equal(task_page_add(task, "a/not ours", 10, i, &err), 0);
        }
        assert_int_equal(task_page_add(task, "a/x", 3, 0, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(task_page_finish(task, true, &err), 0);

        const struct store_page *page = store_task_page(task);
        assert_true(page->more);
        assert_int_equal(page->n_entries, 1000);
        assert_string_equal(page->entries[0].name, "a/000000");
        assert_string_equal(page->entries[999].name, "a/000999");
        assert_int_equal(page->entries[999].size, 999);
    }
}

static void
an_empty_page_is_one(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = begin_list("", NULL, 1);

    assert_int_equal(task_page_finish(task, false, &err), 0);
    assert_int_equal(store_task_page(task)->n_entries, 0);
    assert_false(store_task_page(task)->more);
}

static void
disorder_and_strangers_are_corrupt(void **state UNUSED)
{
    static const struct {
        const char *first;
        const char *second;
    } rows[] = {
        {"a/c", "a/c"}, {"a/c", "a/b"}, {"a/c", "a/"}, {"a/c", "b"},    {"a/b", NULL},
        {"a/a", NULL},  {"b/c", NULL},  {"a", NULL},   {"a/cc", "a/c"},
    };
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO(store_task) struct store_task *task = begin_list("a/", "a/b", 10);
        int rc = task_page_add(task, rows[i].first, strlen(rows[i].first), 1, &err);

        if (rows[i].second == NULL) {
            assert_int_equal(rc, -1);
            assert_int_equal(err.kind, ERR_CORRUPT);
            continue;
        }
        assert_int_equal(rc, 0);
        rc = task_page_add(task, rows[i].second, strlen(rows[i].second), 1, &err);
        /* "a/" is no name: a folder's marker, left out. */
        assert_int_equal(rc, strcmp(rows[i].second, "a/") == 0 ? 0 : -1);
    }
}

/* A pipe that can be read, and the loop told to watch it. */
static void
watch_pipe(struct pollfd *watched, int *ends)
{
    assert_int_equal(pipe(ends), 0);
    *watched = (struct pollfd){.fd = ends[0], .events = POLLIN};
    store_loop_watch(loop, watched, 1);
}

static void
unwatch_pipe(const int *ends)
{
    store_loop_watch(loop, NULL, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
check_watching(void)
{
    struct err err = ERR_INIT;
    struct pollfd watched;
    int ends[2];

    watch_pipe(&watched, ends);
    assert_int_equal(store_loop_run(loop, clock_boot_ms() + 20, &err), 0);
    assert_int_equal(watched.revents, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
    assert_int_equal(watched.revents, POLLIN);

    struct store_task *task = begin(PLAN_KEEP, 60000);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
    assert_int_equal(watched.revents, POLLIN);
    assert_false(store_task_ended(task));
    store_task_free(task);

    /* A hang-up is no input, and must not be waited out either. */
    char byte = 0;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[1]);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
    assert_int_equal(watched.revents, POLLHUP);
    ends[1] = -1;
    unwatch_pipe(ends);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
}

static void
the_loop_watches_descriptors_without_libcurl(void **state UNUSED)
{
    check_watching();
}

static void
the_loop_watches_descriptors_with_libcurl(void **state UNUSED)
{
    struct err err = ERR_INIT;
    struct loop_transfer transfer = {.easy = NULL};

    assert_int_equal(loop_transfer_init(loop, &transfer, &err), 0);
    check_watching();
    curl_easy_cleanup(transfer.easy);
}

static void
a_task_that_ends_is_no_reason_to_wait_for_what_is_watched(void **state UNUSED)
{
    struct err err = ERR_INIT;
    struct pollfd watched;
    int ends[2];

    watch_pipe(&watched, ends);
    struct store_task *task = begin(PLAN_WAKE, 60000);
    assert_int_equal(store_loop_run(loop, INT64_MAX, &err), 0);
    assert_true(store_task_ended(task));
    assert_int_equal(watched.revents, 0);
    store_task_free(task);
    unwatch_pipe(ends);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bad_names_are_refused_and_nothing_begins),
        TEST(good_names_are_taken_up_to_the_longest),
        TEST(a_prefix_is_the_beginning_of_a_name),
        TEST(impossible_requests_are_refused),
        TEST(a_task_may_end_at_once),
        TEST(a_task_that_cannot_begin_is_none),
        TEST(the_loop_wakes_a_task),
        TEST(the_loop_keeps_deadlines),
        TEST(what_is_late_before_it_begins_is_not_begun),
        TEST(the_loop_returns_when_its_time_has_come),
        TEST(the_loop_watches_descriptors_without_libcurl),
        TEST(the_loop_watches_descriptors_with_libcurl),
        TEST(a_task_that_ends_is_no_reason_to_wait_for_what_is_watched),
        TEST(a_stop_request_fails_every_task),
        TEST(a_task_freed_under_way_is_abandoned),
        TEST(a_failure_names_the_store_and_keeps_its_hint),
        TEST(a_page_keeps_names_in_order),
        TEST(an_empty_page_is_one),
        TEST(disorder_and_strangers_are_corrupt),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
