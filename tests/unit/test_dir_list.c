/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "dir_bench.h"

#define MODEL_MAX 300

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

static void
random_name(uint32_t *seed, char *ret_name)
{
    static const char characters[] = "a0-._Z";
    size_t used = 0;

    for (uint32_t depth = 1 + next_random(seed) % 4; depth > 0; depth--) {
        size_t begin = used;

        for (uint32_t n = 1 + next_random(seed) % 3; n > 0; n--)
            ret_name[used++] = characters[next_random(seed) % (sizeof(characters) - 1)];
        ret_name[used] = '\0';
        if (strcmp(ret_name + begin, ".") == 0 || strcmp(ret_name + begin, "..") == 0)
            ret_name[begin] = 'b';
        if (depth > 1)
            ret_name[used++] = '/';
    }
    ret_name[used] = '\0';
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void
expect_model(struct store *store, char (*names)[32], size_t n, const char *prefix,
             const char *start_after, uint32_t max)
{
    AUTO(store_task) struct store_task *task = list(store, prefix, start_after, max);
    struct err err = ERR_INIT;
    size_t k = 0;
    bool more = false;

    int rc = store_task_result(task, &err);
    if (rc < 0) /* the prefix leads through a file */
        assert_int_equal(err.kind, ERR_CORRUPT);
    const struct store_page *page = store_task_page(task);
    for (size_t i = 0; i < n && !more; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) != 0 || strcmp(names[i], start_after) <= 0)
            continue;
        assert_int_equal(rc, 0);
        more = k == max;
        if (more)
            break;
        assert_true(k < page->n_entries);
        assert_string_equal(page->entries[k].name, names[i]);
        assert_int_equal(page->entries[k].size, strlen(names[i]));
        k++;
    }
    assert_int_equal(page->n_entries, k);
    assert_int_equal(page->more, more);
}

static void
every_list_agrees_with_a_sorted_array(void **state)
{
    static char names[MODEL_MAX][32];
    struct bench *bench = *state;
    uint32_t seed = 20261122;
    size_t n = 0;

    for (int i = 0; i < 2 * MODEL_MAX && n < MODEL_MAX; i++) {
        struct err err = ERR_INIT;

        random_name(&seed, names[n]);
        /* A name may be taken, or lead through a file or to a directory. */
        n += put(bench->store, names[n], &err) == 0;
    }
    assert_true(n > MODEL_MAX / 2);
    qsort(names, n, sizeof(names[0]), compare_names);
    for (int i = 0; i < 3000; i++) {
        char prefix[32];
        char start_after[32];

        random_name(&seed, prefix);
        random_name(&seed, start_after);
        if (i % 3 == 0)
            memcpy(prefix, names[next_random(&seed) % n], sizeof(prefix));
        if (i % 2 == 0)
            memcpy(start_after, names[next_random(&seed) % n], sizeof(start_after));
        prefix[next_random(&seed) % (strlen(prefix) + 1)] = '\0';
        if (i % 7 == 0)
            start_after[0] = '\0';
        if (strcmp(prefix, ".") == 0 || strcmp(prefix, "..") == 0)
            prefix[0] = '\0';
        expect_model(bench->store, names, n, prefix, start_after, 1 + next_random(&seed) % 20);
    }
    expect_model(bench->store, names, n, "", "", 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(every_list_agrees_with_a_sorted_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
