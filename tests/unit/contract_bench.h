/* SPDX-License-Identifier: PostgreSQL */
/*
 * contract_bench.h: what the checks of the store contract have in common. Whatever is not as
 * expected fails the test.
 */
#ifndef TESTS_CONTRACT_BENCH_H
#define TESTS_CONTRACT_BENCH_H

#include "store_contract.h"

#define NAME_SIZE 600

/* One check on one place: a loop and a store of its own, and names below a prefix of its own. */
struct bench {
    const struct contract_place *place;
    struct store_loop *loop;
    struct store *store;
    char base[32];
    char *test_name;
};

struct contract_check {
    const char *name;
    void (*function)(void **state);
};

/* clang-format off */
#define CHECK(function) {#function, function}
/* clang-format on */

/* The checks of the two halves. */
extern const struct contract_check contract_object_checks[];
extern const size_t contract_n_object_checks;
extern const struct contract_check contract_list_checks[];
extern const size_t contract_n_list_checks;

/* All of an object, up to 64 MiB. */
extern const struct store_range whole;

/* A minute. */
struct store_limits limits(void);

struct span text_span(const char *text);

/* The object's full name in memory that the next call but seven overwrites. */
const char *name_of(const struct bench *bench, const char *name);

struct store_task *start_put(const struct bench *bench, const char *name, const char *text);
struct store_task *start_get(const struct bench *bench, const char *name,
                             const struct store_range *range);
struct store_task *start_list(const struct bench *bench, const char *prefix,
                              const char *start_after, uint32_t max);
int wait_for(const struct bench *bench, struct store_task *task, struct err *err);

int put(const struct bench *bench, const char *name, const char *text);
int delete_object(const struct bench *bench, const char *name);
int get_outcome(const struct bench *bench, const char *name, const struct store_range *range,
                struct err *err);
void expect_bytes(const struct bench *bench, const char *name, const struct store_range *range,
                  struct span expected);
void expect_text(const struct bench *bench, const char *name, const char *text);

#endif
