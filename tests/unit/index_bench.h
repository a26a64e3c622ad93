/* SPDX-License-Identifier: PostgreSQL */
/*
 * index_bench.h: records go into a crafted segment, that through the indexer, and what comes out is
 * opened: a segment index is tested from WAL to walk.
 */
#ifndef TESTS_INDEX_BENCH_H
#define TESTS_INDEX_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wal/wal_indexer.h"
#include "wal_bench.h"

#define MAGIC_15 0xD110
#define BODY_MAX 65000
#define SMALL ((uint32_t)1 << 20)
#define LARGE ((uint32_t)1 << 24)
#define EPOCH_US INT64_C(946684800000000)
#define MINUTE_US INT64_C(60000000)

#define HEAP_INSERT 0x00
#define HEAP_DELETE 0x10
#define HEAP_INPLACE 0x70

/* What one test needs. */
struct bench {
    struct wal_bench wal;
    struct buf bytes;
    struct wal_index index;
    uint8_t body[BODY_MAX];
    size_t size;
};

static inline void
put(struct bench *bench, const void *value, size_t size)
{
    assert_true(bench->size + size <= BODY_MAX);
    memcpy(bench->body + bench->size, value, size);
    bench->size += size;
}

static inline void
u8(struct bench *bench, uint8_t value)
{
    put(bench, &value, 1);
}

static inline void
u16(struct bench *bench, uint16_t value)
{
    put(bench, &value, 2);
}

static inline void
u32(struct bench *bench, uint32_t value)
{
    put(bench, &value, 4);
}

static inline void
u64(struct bench *bench, uint64_t value)
{
    put(bench, &value, 8);
}

static inline struct bench *
begin(uint32_t segment_size)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench_init(&bench->wal, MAGIC_15, segment_size, 8192, 1);
    bench->bytes = BUF_INIT(WAL_INDEX_MAX);
    return bench;
}

static inline void
done(struct bench *bench)
{
    wal_index_done(&bench->index);
    buf_done(&bench->bytes);
    bench_done(&bench->wal);
    free(bench);
}

/* The segment as it is becomes an index, and that is opened. */
static inline void
finish(struct bench *bench)
{
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    struct wal_damage damage;
    struct err err;

    if (bench->wal.at < bench->wal.capacity)
        (void)bench_switch(&bench->wal);
    assert_int_equal(wal_indexer_new(&indexer, &err), 0);
    for (size_t at = 0; at < bench->wal.segment_size; at += 100000)
        wal_indexer_feed(indexer, bench->wal.bytes + at,
                         MIN_OF((size_t)100000, bench->wal.segment_size - at));
    assert_int_equal(wal_indexer_finish(indexer, &bench->bytes, &damage, &err), 0);
    assert_int_equal(damage.kind, WAL_DAMAGE_NONE);
    assert_true(bench->bytes.size <= WAL_INDEX_MAX);
    int rc = wal_index_open(WAL_INDEX_VERSION, bench->bytes.data, bench->bytes.size,
                            &bench->index, &err);
    if (rc != 0)
        fail_msg("%s", err.text);
}

/* Main data of what was put so far, behind the block reference if there is one. */
static inline uint64_t
write_record(struct bench *bench, uint8_t rmgr, uint8_t info, uint32_t xid,
             const struct wal_block *block)
{
    struct bench *head = calloc(1, sizeof(*head));
    uint64_t lsn;

    assert_non_null(head);
    if (block != NULL) {
        u8(head, 0);
        u8(head, block->fork);
        u16(head, 0);
        u32(head, block->relation.tablespace);
        u32(head, block->relation.database);
        u32(head, block->relation.number);
        u32(head, block->block);
    }
    u8(head, 254);
    u32(head, (uint32_t)bench->size);
    put(head, bench->body, bench->size);
    lsn = bench_record(&bench->wal, rmgr, info, xid, head->body, head->size);
    bench->size = 0;
    free(head);
    return lsn;
}

static inline struct wal_block
block_of(uint32_t number, uint32_t block)
{
    return (struct wal_block){.relation = {1663, 5, number}, .block = block};
}

/* One row of relation 1663/5/number. */
static inline uint64_t
row(struct bench *bench, uint8_t info, uint32_t xid, uint32_t number, uint32_t block_number)
{
    struct wal_block block = block_of(number, block_number);

    bench->size = 0;
    u64(bench, 0);
    u64(bench, 0);
    return write_record(bench, WAL_RMGR_HEAP, info, xid, &block);
}

static inline void
rows(struct bench *bench, uint8_t info, uint32_t xid, uint32_t number, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        (void)row(bench, info, xid, number, i);
}

/* n transactions that only wrote a row each, so that later ones are not among the oldest. */
static inline void
crowd(struct bench *bench, uint32_t first_xid, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)row(bench, HEAP_INSERT, first_xid + i, 30000, i);
        u64(bench, 0);
        (void)write_record(bench, WAL_RMGR_XACT, 0x00, first_xid + i, NULL);
    }
}

/* A commit (0x00) or abort (0x20) with subtransactions. */
static inline uint64_t
end_xid(struct bench *bench, uint8_t info, uint32_t xid, const uint32_t *subxids, uint32_t n)
{
    bench->size = 0;
    u64(bench, 1000);
    if (n > 0) {
        u32(bench, 0x2);
        u32(bench, n);
        put(bench, subxids, n * sizeof(*subxids));
        info |= 0x80;
    }
    return write_record(bench, WAL_RMGR_XACT, info, xid, NULL);
}

static inline bool
find_end(const struct bench *bench, uint32_t xid, struct wal_index_end *ret)
{
    struct wal_index_walk walk;

    wal_index_walk_ends(&bench->index, &walk);
    while (wal_index_next_end(&walk, ret)) {
        if (ret->xid == xid)
            return true;
    }
    return false;
}

static inline bool
find_work(const struct bench *bench, uint32_t xid, struct wal_index_work *ret)
{
    struct wal_index_walk walk;

    wal_index_walk_work(&bench->index, &walk);
    while (wal_index_next_work(&walk, ret)) {
        if (ret->xid == xid)
            return true;
    }
    return false;
}

/* Rows this xid is said to have deleted in the relation. */
static inline uint64_t
deleted(const struct bench *bench, uint32_t xid, uint32_t number)
{
    struct wal_index_work work;
    struct wal_index_rows counts;

    if (!find_work(bench, xid, &work))
        return 0;
    while (wal_index_list_rows(&bench->index, &work.rows, &counts)) {
        if (counts.relation.number == number)
            return counts.deleted;
    }
    return 0;
}

/* The fork of relation 1663/5/number. */
static inline bool
find_fork(const struct bench *bench, uint32_t number, uint8_t fork, struct wal_index_fork *ret)
{
    struct wal_index_walk walk;

    wal_index_walk_forks(&bench->index, &walk);
    while (wal_index_next_fork(&walk, ret)) {
        if (ret->relation.number == number && ret->fork == fork)
            return true;
    }
    return false;
}

static inline void
assert_range(struct wal_index_fork *fork, uint32_t block, uint32_t n)
{
    struct wal_index_range range;

    assert_true(wal_index_next_range(&fork->ranges, &range));
    assert_int_equal(range.block, block);
    assert_int_equal(range.n, n);
}

static inline void
restore_point(struct bench *bench, const char *name)
{
    uint8_t padded[64] = {0};

    memcpy(padded, name, strlen(name));
    bench->size = 0;
    u64(bench, 5);
    put(bench, padded, sizeof(padded));
    (void)write_record(bench, WAL_RMGR_XLOG, 0x70, 0, NULL);
}

#endif
