/* SPDX-License-Identifier: PostgreSQL */
/*
 * fetch_bench.h: two directory stores with made-up WAL of a server with segments of 1 MiB, and a
 * data directory that has no more than pg_wal.
 */
#ifndef TESTS_FETCH_BENCH_H
#define TESTS_FETCH_BENCH_H

#include "base/notice_log.h"
#include "base/workers.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"
#include "scratch.h"

#define BENCH_SEGMENT MIB
#define BENCH_SYSTEM_ID 7413305566020948123
#define BENCH_LATER_MS 60000

struct fetch_bench {
    struct scratch scratch; /* with the directories a, b and pgdata */
    struct settings *settings;
    struct archive *archive;
    struct workers *workers;
    struct pgdata pgdata;
    struct notice_log notices;
    uint8_t *segment; /* room for one */
};

/* cmocka's setup and teardown: *state is a struct fetch_bench. */
int fetch_bench_setup(void **state);
int fetch_bench_teardown(void **state);

#define FETCH_BENCH_TEST(name) \
    cmocka_unit_test_setup_teardown(name, fetch_bench_setup, fetch_bench_teardown)

/* The name of segment `number`; ret_name has WAL_NAME_SIZE bytes. Returns it. */
const char *fetch_bench_name(uint32_t timeline, uint64_t number, char *ret_name);

/* Archive segments first..last of the timeline in store 0 (a) or 1 (b). */
void fetch_bench_put(struct fetch_bench *bench, size_t store, uint32_t timeline, uint64_t first,
                     uint64_t last);

/* Archive a file of any name with this text. */
void fetch_bench_put_text(struct fetch_bench *bench, size_t store, const char *name,
                          const char *text);

/* Remove an archived file, or change its last byte. */
void fetch_bench_remove(struct fetch_bench *bench, size_t store, const char *name);
void fetch_bench_damage(struct fetch_bench *bench, size_t store, const char *name);

/* Is this open file, from its beginning, that very segment? */
bool fetch_bench_is(struct fetch_bench *bench, int fd, uint32_t timeline, uint64_t number);

#endif
