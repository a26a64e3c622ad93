/* SPDX-License-Identifier: PostgreSQL */
#include "contract_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

/* ---- list ---- */

/* In byte order: '-' and '.' sort before '/', digits after it. */
static const char *const sorted_names[] = {
    "-",   "0",       "A/x",   "Z",     "_",       "a-b",  "a.x", "a..", "a...x/y",
    "a/-", "a/b-c",   "a/b.c", "a/b/c", "a/b/c.d", "a/b0", "a/c", "a0",  "aa/a",
    "a_",  "b.d/0/1", "b/0/1", "b/0/2", "b/00",    "b0/1", "c",
};

#define N_NAMES ARRAY_SIZE(sorted_names)

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
put_names(const struct bench *bench, const char **ret_sorted)
{
    memcpy(ret_sorted, sorted_names, sizeof(sorted_names));
    qsort(ret_sorted, N_NAMES, sizeof(*ret_sorted), compare_names);
    for (size_t i = 0; i < N_NAMES; i++)
        assert_int_equal(put(bench, sorted_names[i], sorted_names[i]), 0);
}

static void
expect_list(const struct bench *bench, const char *const *sorted, const char *prefix,
            const char *start_after, uint32_t max)
{
    AUTO(store_task) struct store_task *task = start_list(bench, prefix, start_after, max);
    struct err err = ERR_INIT;
    size_t n = 0;
    bool more = false;

    assert_int_equal(wait_for(bench, task, &err), 0);
    const struct store_page *page = store_task_page(task);
    for (size_t i = 0; i < N_NAMES; i++) {
        if (strncmp(sorted[i], prefix, strlen(prefix)) != 0 ||
            (start_after != NULL && strcmp(sorted[i], start_after) <= 0))
            continue;
        if (n == max) {
            more = true;
            break;
        }
        assert_true(n < page->n_entries);
        assert_string_equal(page->entries[n].name, name_of(bench, sorted[i]));
        assert_int_equal(page->entries[n].size, strlen(sorted[i]));
        n++;
    }
    assert_int_equal(page->n_entries, n);
    assert_int_equal(page->more, more);
}

static void
names_are_listed_in_the_order_of_their_bytes(void **state)
{
    const struct bench *bench = *state;
    const char *sorted[N_NAMES];

    put_names(bench, sorted);
    expect_list(bench, sorted, "", NULL, 1000);
    expect_list(bench, sorted, "", NULL, N_NAMES);
    expect_list(bench, sorted, "", NULL, N_NAMES - 1);
    expect_list(bench, sorted, "", NULL, 1);
    for (uint32_t max = 2; max < 6; max++)
        expect_list(bench, sorted, "a", "a/b", max);
}

static void
a_prefix_and_a_start_choose_among_the_names(void **state)
{
    static const char *const prefixes[] = {"",    "a", "a/",     "a/b",   "a/b/", "a.",
                                           "b/0", "c", "x/y/z/", "a/b/c", "B"};
    static const char *const starts[] = {"-",     "a",   "a/b", "a/b/c", "a/bb", "a0",
                                         "b/0/1", "zzz", "A",   "a.x",   "b/0"};
    const struct bench *bench = *state;
    const char *sorted[N_NAMES];

    put_names(bench, sorted);
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        expect_list(bench, sorted, prefixes[i], NULL, 1000);
        for (size_t k = 0; k < ARRAY_SIZE(starts); k++)
            expect_list(bench, sorted, prefixes[i], starts[k], 1 + (uint32_t)(i + k) % 4);
    }
}

static void
pages_follow_each_other_without_gap(void **state)
{
    const struct bench *bench = *state;
    unsigned n_names = bench->place->n_names;
    char expected[64];
    char after[64] = "";
    unsigned seen = 0;
    bool more = true;

    for (unsigned i = 0; i < n_names; i++) {
        /* Put in another order than listed; 7919 is prime. */
        unsigned number = (unsigned)((uint64_t)i * 7919 % n_names);

        (void)snprintf(expected, sizeof(expected), "log/%02u/%06u", number / 256, number);
        assert_int_equal(put(bench, expected, "x"), 0);
    }
    while (more) {
        AUTO(store_task)
        struct store_task *task =
            start_list(bench, "log/", after[0] == '\0' ? NULL : after, bench->place->page);
        struct err err = ERR_INIT;

        assert_int_equal(wait_for(bench, task, &err), 0);
        const struct store_page *page = store_task_page(task);
        for (size_t i = 0; i < page->n_entries; i++, seen++) {
            (void)snprintf(expected, sizeof(expected), "log/%02u/%06u", seen / 256, seen);
            assert_string_equal(page->entries[i].name, name_of(bench, expected));
        }
        (void)snprintf(after, sizeof(after), "%s", expected);
        more = page->more;
        assert_int_equal(page->n_entries,
                         more ? bench->place->page : (n_names - 1) % bench->place->page + 1);
    }
    assert_int_equal(seen, n_names);
}

static void
a_list_of_no_size_is_refused(void **state)
{
    static const uint32_t sizes[] = {0, 1001, UINT32_MAX};
    const struct bench *bench = *state;

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct store_task *task = NULL;
        struct store_limits within = limits();
        struct err err = ERR_INIT;

        assert_int_equal(store_start_list(bench->store, "", NULL, sizes[i], &within, &task, &err),
                         -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_null(task);
    }
}

/* ---- delete ---- */

static void
what_was_deleted_is_absent_and_may_be_put_again(void **state)
{
    const struct bench *bench = *state;
    struct err err = ERR_INIT;
    const char *sorted[N_NAMES];

    put_names(bench, sorted);
    assert_int_equal(delete_object(bench, "nothing"), 0);
    assert_int_equal(delete_object(bench, "no/such/way"), 0);
    for (size_t i = 0; i < N_NAMES; i++)
        assert_int_equal(delete_object(bench, sorted[i]), 0);
    assert_int_equal(delete_object(bench, sorted[0]), 0);
    int rc = get_outcome(bench, sorted[1], &whole, &err);
    /* A store that keeps versions has something to tell. */
    assert_true(rc == STORE_ABSENT || rc == STORE_DELETED);
    AUTO(store_task) struct store_task *task = start_list(bench, "", NULL, 10);
    assert_int_equal(wait_for(bench, task, &err), 0);
    assert_int_equal(store_task_page(task)->n_entries, 0);
    assert_false(store_task_page(task)->more);
    assert_int_equal(put(bench, sorted[1], "again"), 0);
    expect_text(bench, sorted[1], "again");
}

const struct contract_check contract_list_checks[] = {
    CHECK(names_are_listed_in_the_order_of_their_bytes),
    CHECK(a_prefix_and_a_start_choose_among_the_names),
    CHECK(pages_follow_each_other_without_gap),
    CHECK(a_list_of_no_size_is_refused),
    CHECK(what_was_deleted_is_absent_and_may_be_put_again),
};

const size_t contract_n_list_checks = ARRAY_SIZE(contract_list_checks);
