/* SPDX-License-Identifier: PostgreSQL */
/*
 * dir_bench.h: a directory store in a scratch directory, and one-line requests. They end at once.
 */
#ifndef TESTS_DIR_BENCH_H
#define TESTS_DIR_BENCH_H

#include "scratch.h"
#include "store/store.h"

struct bench {
    struct scratch scratch;
    struct store_loop *loop;
    struct store *store;
};

/* cmocka's setup and teardown: *state is a struct bench. */
int setup(void **state);
int teardown(void **state);

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int open_at(struct bench *bench, const char *url, struct store **ret_store, struct err *err);

/* A minute. */
struct store_limits limits(void);

/* The outcome of the request, or -1. put() makes the name the content. */
int put(struct store *store, const char *name, struct err *err);
int put_bytes(struct store *store, const char *name, const void *bytes, size_t size,
              struct err *err);
int get(struct store *store, const char *name, struct err *err);
int delete_object(struct store *store, const char *name, struct err *err);
int list_outcome(struct store *store, const char *prefix, struct err *err);

/* The ended task. */
struct store_task *list(struct store *store, const char *prefix, const char *start_after,
                        uint32_t max);

/* The names of the whole store, with a blank behind each. Returns ret_text. */
const char *list_text(struct store *store, char *ret_text, size_t size);

#endif
