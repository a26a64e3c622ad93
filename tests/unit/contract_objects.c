/* SPDX-License-Identifier: PostgreSQL */
#include "contract_bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "cmocka_all.h"

#define LARGE (17 * MIB)

/* ---- put and get ---- */

static void
what_was_put_is_got(void **state)
{
    const struct bench *bench = *state;

    assert_int_equal(put(bench, "wal/00000001/x.lz4", "content"), 0);
    expect_text(bench, "wal/00000001/x.lz4", "content");
    assert_int_equal(put(bench, "top", "other"), 0);
    expect_text(bench, "top", "other");
    expect_text(bench, "wal/00000001/x.lz4", "content");
}

static void
the_body_can_be_taken_away(void **state)
{
    const struct bench *bench = *state;
    struct err err = ERR_INIT;

    assert_int_equal(put(bench, "x", "content"), 0);
    struct store_task *task = start_get(bench, "x", &whole);
    assert_int_equal(wait_for(bench, task, &err), 0);
    assert_ptr_equal(store_task_store(task), bench->store);
    AUTO(buf) struct buf body = store_task_take_body(task);
    assert_int_equal(store_task_body(task).size, 0);
    store_task_free(task);
    assert_int_equal(body.size, 7);
    assert_memory_equal(body.data, "content", 7);
}

static void
a_second_put_finds_the_name_taken_and_changes_nothing(void **state)
{
    const struct bench *bench = *state;

    assert_int_equal(put(bench, "d/x", "first"), 0);
    assert_int_equal(put(bench, "d/x", "second"), STORE_EXISTS);
    assert_int_equal(put(bench, "d/x", "first"), STORE_EXISTS);
    assert_int_equal(put(bench, "d/x", ""), STORE_EXISTS);
    expect_text(bench, "d/x", "first");
}

static void
one_of_many_parallel_puts_wins(void **state)
{
    static const char *const contents[] = {"content one", "content two"};
    const struct bench *bench = *state;

    for (size_t n = 2; n <= 20; n += 6) {
        struct store_task *tasks[20];
        char name[32];
        int winner = -1;

        (void)snprintf(name, sizeof(name), "race/%zu", n);
        for (size_t i = 0; i < n; i++)
            tasks[i] = start_put(bench, name, contents[i % 2]);
        for (size_t i = 0; i < n; i++) {
            struct err err = ERR_INIT;
            int rc = wait_for(bench, tasks[i], &err);

            assert_true(rc == 0 || rc == STORE_EXISTS);
            if (rc == 0) {
                assert_int_equal(winner, -1);
                winner = (int)i;
            }
            store_task_free(tasks[i]);
        }
        assert_true(winner >= 0);
        expect_text(bench, name, contents[winner % 2]);
    }
}

static void
what_is_not_there_is_absent(void **state)
{
    const struct bench *bench = *state;
    struct err err = ERR_INIT;
    const struct store_range part = {.offset = 5, .size = 5, .max_size = 100};

    assert_int_equal(get_outcome(bench, "nothing", &whole, &err), STORE_ABSENT);
    assert_int_equal(get_outcome(bench, "no/such/way", &whole, &err), STORE_ABSENT);
    assert_int_equal(get_outcome(bench, "nothing", &part, &err), STORE_ABSENT);
    assert_int_equal(put(bench, "d/x", "y"), 0);
    assert_int_equal(get_outcome(bench, "d/y", &whole, &err), STORE_ABSENT);
    assert_int_equal(get_outcome(bench, "d/x.", &whole, &err), STORE_ABSENT);
}

static void
a_range_gives_what_is_there(void **state)
{
    static const struct {
        uint64_t offset;
        uint64_t size;
        const char *expected;
    } cases[] = {
        {0, 0, "0123456789"}, {0, 4, "0123"},   {3, 4, "3456"},        {9, 1, "9"},
        {6, 4, "6789"},       {6, 100, "6789"}, {0, 10, "0123456789"}, {0, 11, "0123456789"},
        {10, 1, ""},          {11, 5, ""},      {1000000, 1, ""},      {INT64_MAX - 1, 1, ""},
    };
    const struct bench *bench = *state;

    assert_int_equal(put(bench, "x", "0123456789"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct store_range range = {
            .offset = cases[i].offset, .size = cases[i].size, .max_size = 1000};

        expect_bytes(bench, "x", &range, text_span(cases[i].expected));
    }
}

static void
more_than_was_allowed_is_refused(void **state)
{
    static const struct {
        uint64_t offset, size, max_size;
        int expected;
    } cases[] = {
        {0, 0, 10, 0}, {0, 0, 9, -1}, {0, 0, 0, -1}, {2, 4, 4, 0},
        {2, 4, 3, -1}, {8, 9, 2, 0},  {8, 2, 1, -1}, {20, 5, 5, 0},
    };
    const struct bench *bench = *state;

    assert_int_equal(put(bench, "x", "0123456789"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct store_range range = {.offset = cases[i].offset,
                                    .size = cases[i].size,
                                    .max_size = cases[i].max_size};
        struct err err = ERR_INIT;

        assert_int_equal(get_outcome(bench, "x", &range, &err), cases[i].expected);
        assert_int_equal(err.kind, cases[i].expected < 0 ? ERR_CORRUPT : ERR_NONE);
    }
}

static void
an_object_may_be_empty(void **state)
{
    const struct bench *bench = *state;
    const struct store_range none = {.max_size = 0};
    const struct store_range part = {.size = 5, .max_size = 5};
    struct store_limits within = limits();
    struct err err = ERR_INIT;

    assert_int_equal(put(bench, "empty", ""), 0);
    expect_bytes(bench, "empty", &none, text_span(""));
    expect_bytes(bench, "empty", &part, text_span(""));
    assert_int_equal(put(bench, "empty", "x"), STORE_EXISTS);
    AUTO(store_task) struct store_task *task = NULL;
    assert_int_equal(
        store_start_put(bench->store, name_of(bench, "none"), NULL, 0, &within, &task, &err), 0);
    assert_int_equal(wait_for(bench, task, &err), 0);
    expect_bytes(bench, "none", &none, text_span(""));
}

static void
the_spans_are_put_one_after_the_other(void **state)
{
    const struct bench *bench = *state;
    const struct span spans[] = {text_span("one"), text_span(""), text_span("two"),
                                 text_span("three"), text_span("five")};
    struct store_limits within = limits();
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = NULL;
    AUTO(store_task) struct store_task *refused = NULL;

    assert_int_equal(
        store_start_put(bench->store, name_of(bench, "x"), spans, 4, &within, &task, &err), 0);
    assert_int_equal(wait_for(bench, task, &err), 0);
    expect_text(bench, "x", "onetwothree");
    assert_int_equal(
        store_start_put(bench->store, name_of(bench, "y"), spans, 5, &within, &refused, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_null(refused);
}

static void
a_large_object_comes_back_whole_and_in_parts(void **state)
{
    const struct bench *bench = *state;
    AUTO(ptr) uint8_t *bytes = malloc(LARGE);
    struct store_limits within = limits();
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *task = NULL;
    uint32_t random = 1;

    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++) {
        random = random * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(random >> 24);
    }
    const struct span spans[] = {{bytes, 1000}, {bytes + 1000, LARGE - 1000}};
    assert_int_equal(
        store_start_put(bench->store, name_of(bench, "large"), spans, 2, &within, &task, &err), 0);
    assert_int_equal(wait_for(bench, task, &err), 0);
    expect_bytes(bench, "large", &whole, (struct span){bytes, LARGE});
    const struct store_range part = {
        .offset = 3 * MIB + 1, .size = 2 * MIB + 3, .max_size = 2 * MIB + 3};
    expect_bytes(bench, "large", &part, (struct span){bytes + 3 * MIB + 1, 2 * MIB + 3});
    const struct store_range tail = {.offset = LARGE - 5, .size = 100, .max_size = 100};
    expect_bytes(bench, "large", &tail, (struct span){bytes + LARGE - 5, 5});
}

/* ---- names ---- */

static void
expect_refused(const struct bench *bench, const char *name)
{
    struct store_limits within = limits();
    struct span span = text_span("x");
    struct store_task *task = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(store_start_put(bench->store, name, &span, 1, &within, &task, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    err_clear(&err);
    assert_int_equal(store_start_get(bench->store, name, &whole, &within, &task, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    err_clear(&err);
    assert_int_equal(store_start_delete(bench->store, name, &within, &task, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_null(task);
}

static void
other_names_are_refused(void **state)
{
    static const char *const bad[] = {
        "",    ".",    "..",     "/",        "/a",  "a/", "a//b", "a/./b", "./a",
        "a/.", "../a", "a/../b", "a/..",     "a b", " ",  "a\nb", "a%2fb", "a\\b",
        "a:b", "a+b",  "a\x7f",  "\xc3\xa4", "a*",  "~a", "a?b",  "a#b",   "a&b",
    };
    const struct bench *bench = *state;
    struct err err = ERR_INIT;
    char name[NAME_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        expect_refused(bench, bad[i]);
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 100 == 99 ? '/' : 'n';
    memcpy(name, bench->base, strlen(bench->base));
    name[513] = '\0';
    expect_refused(bench, name);

    /* The longest there is. */
    name[512] = '\0';
    assert_int_equal(put(bench, name + strlen(bench->base), "long"), 0);
    expect_text(bench, name + strlen(bench->base), "long");
    AUTO(store_task) struct store_task *task = start_list(bench, "n", NULL, 10);
    assert_int_equal(wait_for(bench, task, &err), 0);
    assert_int_equal(store_task_page(task)->n_entries, 1);
    assert_string_equal(store_task_page(task)->entries[0].name, name);
}

/* ---- life cycle ---- */

static void
tasks_may_be_given_up(void **state)
{
    const struct bench *bench = *state;

    assert_int_equal(put(bench, "x", "content"), 0);
    for (int i = 0; i < 5; i++) {
        struct store_task *reading = start_get(bench, "x", &whole);
        struct store_task *listing = start_list(bench, "", NULL, 10);
        struct store_task *writing = start_put(bench, i % 2 == 0 ? "y" : "x", "other");

        if (i > 0) {
            struct err err = ERR_INIT;

            assert_int_equal(store_loop_run(bench->loop, clock_boot_ms() + i, &err), 0);
        }
        store_task_free(writing);
        store_task_free(reading);
        store_task_free(listing);
    }
    store_task_free(NULL);
    expect_text(bench, "x", "content");
}

static void
a_store_may_be_closed_under_its_tasks(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    assert_int_equal(put(bench, "x", "content"), 0);
    AUTO(store_task) struct store_task *task = start_get(bench, "x", &whole);
    store_close(TAKE_PTR(bench->store));
    assert_true(store_task_ended(task));
    int rc = store_task_result(task, &err);
    assert_true(rc == 0 || (rc == -1 && err.kind == ERR_INTERNAL));
}

static void
a_deadline_that_has_passed_is_transient(void **state)
{
    const struct bench *bench = *state;
    struct store_limits late = {.deadline_ms = clock_boot_ms() - 1, .retry_ms = 1000};
    struct span span = text_span("x");
    struct err err = ERR_INIT;
    AUTO(store_task) struct store_task *writing = NULL;
    AUTO(store_task) struct store_task *reading = NULL;

    assert_int_equal(
        store_start_put(bench->store, name_of(bench, "x"), &span, 1, &late, &writing, &err), 0);
    assert_int_equal(wait_for(bench, writing, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(
        store_start_get(bench->store, name_of(bench, "x"), &whole, &late, &reading, &err), 0);
    assert_int_equal(wait_for(bench, reading, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(get_outcome(bench, "x", &whole, &err), STORE_ABSENT);
}

static void
a_stop_request_ends_every_task(void **state)
{
    const struct bench *bench = *state;
    struct err err = ERR_INIT;

    process_request_stop(SIGTERM);
    AUTO(store_task) struct store_task *reading = start_get(bench, "x", &whole);
    AUTO(store_task) struct store_task *writing = start_put(bench, "x", "content");
    assert_int_equal(wait_for(bench, reading, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    err_clear(&err);
    assert_int_equal(wait_for(bench, writing, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    process_request_stop(0);
}

static void
a_store_that_is_not_there_proves_no_absence(void **state)
{
    const struct bench *bench = *state;
    AUTO(store) struct store *store = NULL;
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();
    struct err err = ERR_INIT;

    if (store_open(bench->loop, &bench->place->missing, &store, &err) < 0) {
        assert_true(err.kind == ERR_LOCAL || err.kind == ERR_CONFIG);
        assert_non_null(strstr(err.text, bench->place->missing.name));
        assert_string_not_equal(err.hint, "");
        return;
    }
    assert_int_equal(store_start_get(store, "x", &whole, &within, &task, &err), 0);
    assert_int_equal(store_task_wait(bench->loop, task, &err), -1);
    assert_true(err.kind == ERR_DENIED || err.kind == ERR_TRANSIENT);
}

static void
a_store_says_what_it_is(void **state)
{
    const struct bench *bench = *state;

    assert_string_equal(store_name(bench->store), bench->place->config.name);
    assert_int_equal(strncmp(store_place(bench->store), bench->place->config.url, 5), 0);
}

const struct contract_check contract_object_checks[] = {
    CHECK(what_was_put_is_got),
    CHECK(the_body_can_be_taken_away),
    CHECK(a_second_put_finds_the_name_taken_and_changes_nothing),
    CHECK(one_of_many_parallel_puts_wins),
    CHECK(what_is_not_there_is_absent),
    CHECK(a_range_gives_what_is_there),
    CHECK(more_than_was_allowed_is_refused),
    CHECK(an_object_may_be_empty),
    CHECK(the_spans_are_put_one_after_the_other),
    CHECK(a_large_object_comes_back_whole_and_in_parts),
    CHECK(other_names_are_refused),
    CHECK(tasks_may_be_given_up),
    CHECK(a_store_may_be_closed_under_its_tasks),
    CHECK(a_deadline_that_has_passed_is_transient),
    CHECK(a_stop_request_ends_every_task),
    CHECK(a_store_that_is_not_there_proves_no_absence),
    CHECK(a_store_says_what_it_is),
};

const size_t contract_n_object_checks = ARRAY_SIZE(contract_object_checks);
