/* SPDX-License-Identifier: PostgreSQL */
#include "dir_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmocka_all.h"

int
open_at(struct bench *bench, const char *url, struct store **ret_store, struct err *err)
{
    struct store_config config = {.name = "cellar", .url = url};

    return store_open(bench->loop, &config, ret_store, err);
}

int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct err err = ERR_INIT;
    char url[SCRATCH_SIZE + 8];

    assert_non_null(bench);
    scratch_new(&bench->scratch);
    assert_int_equal(store_loop_new(&bench->loop, &err), 0);
    (void)snprintf(url, sizeof(url), "file://%s", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &bench->store, &err), 0);
    *state = bench;
    return 0;
}

int
teardown(void **state)
{
    struct bench *bench = *state;

    store_close(bench->store);
    store_loop_free(bench->loop);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

struct store_limits
limits(void)
{
    return (struct store_limits){.deadline_ms = clock_boot_ms() + 60000};
}

int
put_bytes(struct store *store, const char *name, const void *bytes, size_t size, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();
    struct span span = {bytes, size};

    if (store_start_put(store, name, &span, 1, &within, &task, err) < 0)
        return -1;
    assert_true(store_task_ended(task));
    return store_task_result(task, err);
}

int
put(struct store *store, const char *name, struct err *err)
{
    return put_bytes(store, name, name, strlen(name), err);
}

int
get(struct store *store, const char *name, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();
    struct store_range range = {.max_size = 10000};

    if (store_start_get(store, name, &range, &within, &task, err) < 0)
        return -1;
    assert_true(store_task_ended(task));
    return store_task_result(task, err);
}

int
delete_object(struct store *store, const char *name, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();

    if (store_start_delete(store, name, &within, &task, err) < 0)
        return -1;
    assert_true(store_task_ended(task));
    return store_task_result(task, err);
}

struct store_task *
list(struct store *store, const char *prefix, const char *start_after, uint32_t max)
{
    struct store_task *task = NULL;
    struct store_limits within = limits();
    struct err err = ERR_INIT;

    assert_int_equal(store_start_list(store, prefix, start_after, max, &within, &task, &err), 0);
    assert_true(store_task_ended(task));
    return task;
}

int
list_outcome(struct store *store, const char *prefix, struct err *err)
{
    AUTO(store_task) struct store_task *task = list(store, prefix, NULL, 100);

    return store_task_result(task, err);
}

const char *
list_text(struct store *store, char *ret_text, size_t size)
{
    AUTO(store_task) struct store_task *task = list(store, "", NULL, 1000);
    struct err err = ERR_INIT;
    size_t used = 0;

    assert_int_equal(store_task_result(task, &err), 0);
    const struct store_page *page = store_task_page(task);
    ret_text[0] = '\0';
    for (size_t i = 0; i < page->n_entries; i++)
        used += (size_t)snprintf(ret_text + used, size - used, "%s ", page->entries[i].name);
    return ret_text;
}
