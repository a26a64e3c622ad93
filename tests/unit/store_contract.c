/* SPDX-License-Identifier: PostgreSQL */
#include "contract_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "cmocka_all.h"

const struct store_range whole = {.max_size = 64 * MIB};

struct store_limits
limits(void)
{
    return (struct store_limits){.deadline_ms = clock_boot_ms() + 60000, .retry_ms = 20000};
}

struct span
text_span(const char *text)
{
    return (struct span){.data = (const uint8_t *)text, .size = strlen(text)};
}

const char *
name_of(const struct bench *bench, const char *name)
{
    static char names[8][NAME_SIZE];
    static unsigned next;
    char *place = names[next++ % 8];

    (void)snprintf(place, NAME_SIZE, "%s%s", bench->base, name);
    return place;
}

struct store_task *
start_put(const struct bench *bench, const char *name, const char *text)
{
    struct store_task *task = NULL;
    struct err err = ERR_INIT;
    struct span span = text_span(text);
    struct store_limits within = limits();

    assert_int_equal(
        store_start_put(bench->store, name_of(bench, name), &span, 1, &within, &task, &err), 0);
    assert_non_null(task);
    return task;
}

struct store_task *
start_get(const struct bench *bench, const char *name, const struct store_range *range)
{
    struct store_task *task = NULL;
    struct err err = ERR_INIT;
    struct store_limits within = limits();

    assert_int_equal(
        store_start_get(bench->store, name_of(bench, name), range, &within, &task, &err), 0);
    assert_non_null(task);
    return task;
}

int
wait_for(const struct bench *bench, struct store_task *task, struct err *err)
{
    int rc = store_task_wait(bench->loop, task, err);

    assert_true(store_task_ended(task));
    if (rc < 0) {
        assert_int_not_equal(err->kind, ERR_NONE);
        assert_non_null(strstr(err->text, store_name(bench->store)));
    }
    return rc;
}

int
put(const struct bench *bench, const char *name, const char *text)
{
    AUTO(store_task) struct store_task *task = start_put(bench, name, text);
    struct err err = ERR_INIT;

    return wait_for(bench, task, &err);
}

int
delete_object(const struct bench *bench, const char *name)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct err err = ERR_INIT;
    struct store_limits within = limits();

    assert_int_equal(store_start_delete(bench->store, name_of(bench, name), &within, &task, &err),
                     0);
    return wait_for(bench, task, &err);
}

void
expect_bytes(const struct bench *bench, const char *name, const struct store_range *range,
             struct span expected)
{
    AUTO(store_task) struct store_task *task = start_get(bench, name, range);
    struct err err = ERR_INIT;

    assert_int_equal(wait_for(bench, task, &err), 0);
    struct span body = store_task_body(task);
    assert_int_equal(body.size, expected.size);
    if (body.size > 0)
        assert_int_equal(memcmp(body.data, expected.data, body.size), 0);
    assert_true(store_task_attempts(task) >= 1);
}

void
expect_text(const struct bench *bench, const char *name, const char *text)
{
    expect_bytes(bench, name, &whole, text_span(text));
}

int
get_outcome(const struct bench *bench, const char *name, const struct store_range *range,
            struct err *err)
{
    AUTO(store_task) struct store_task *task = start_get(bench, name, range);

    return wait_for(bench, task, err);
}

struct store_task *
start_list(const struct bench *bench, const char *prefix, const char *start_after, uint32_t max)
{
    struct store_task *task = NULL;
    struct err err = ERR_INIT;
    struct store_limits within = limits();

    assert_int_equal(store_start_list(bench->store, name_of(bench, prefix),
                                      start_after == NULL ? NULL : name_of(bench, start_after), max,
                                      &within, &task, &err),
                     0);
    return task;
}

/* ---- running ---- */

#define CHECKS_MAX 64

static int
bench_setup(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    assert_int_equal(store_loop_new(&bench->loop, &err), 0);
    if (store_open(bench->loop, &bench->place->config, &bench->store, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int
bench_teardown(void **state)
{
    struct bench *bench = *state;

    process_request_stop(0);
    store_close(bench->store);
    store_loop_free(bench->loop);
    return 0;
}

int
contract_run(const struct contract_place *places, size_t n_places)
{
    static struct bench benches[CONTRACT_PLACES_MAX * CHECKS_MAX];
    static struct CMUnitTest tests[ARRAY_SIZE(benches)];
    size_t n_checks = contract_n_object_checks + contract_n_list_checks;
    size_t n = 0;

    if (n_places > CONTRACT_PLACES_MAX || n_checks > CHECKS_MAX)
        return 1;
    for (size_t p = 0; p < n_places; p++) {
        for (size_t i = 0; i < n_checks; i++, n++) {
            const struct contract_check *check =
                i < contract_n_object_checks ? &contract_object_checks[i]
                                             : &contract_list_checks[i - contract_n_object_checks];
            char name[128];

            (void)snprintf(name, sizeof(name), "%s: %s", places[p].label, check->name);
            benches[n].place = &places[p];
            benches[n].test_name = strdup(name);
            (void)snprintf(benches[n].base, sizeof(benches[n].base), "check-%02zu/", i);
            tests[n] = (struct CMUnitTest){benches[n].test_name, check->function, bench_setup,
                                           bench_teardown, &benches[n]};
        }
    }
    int failures = _cmocka_run_group_tests("store_contract", tests, n, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        free(benches[i].test_name);
    return failures;
}
