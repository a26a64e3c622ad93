/* SPDX-License-Identifier: PostgreSQL */
#include "event_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wal/wal_indexer.h"
#include "wal/wal_seam.h"

#define MAGIC_15 0xD110
#define PAGE 8192

#define HAS_INFO 0x80
#define INFO_DATABASE UINT32_C(0x1)
#define INFO_SUBXIDS UINT32_C(0x2)
#define INFO_RELATIONS UINT32_C(0x4)
#define INFO_TWO_PHASE UINT32_C(0x10)
#define INFO_STATS UINT32_C(0x100)

struct event_bench *
event_bench_new(size_t n_segments)
{
    struct event_bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench_init(&bench->wal, MAGIC_15, EVENT_BENCH_SEGMENT, PAGE, n_segments);
    return bench;
}

void
event_bench_free(struct event_bench *bench)
{
    bench_done(&bench->wal);
    free(bench);
}

static void
put(struct event_bench *bench, const void *value, size_t size)
{
    assert_true(bench->size + size <= sizeof(bench->body));
    memcpy(bench->body + bench->size, value, size);
    bench->size += size;
}

void
event_bench_u8(struct event_bench *bench, uint8_t value)
{
    put(bench, &value, 1);
}

void
event_bench_u32(struct event_bench *bench, uint32_t value)
{
    put(bench, &value, 4);
}

void
event_bench_u64(struct event_bench *bench, uint64_t value)
{
    put(bench, &value, 8);
}

uint64_t
event_bench_record(struct event_bench *bench, uint8_t rmgr, uint8_t info, uint32_t xid,
                   const struct wal_relation *relation, uint32_t block)
{
    struct event_bench *head = calloc(1, sizeof(*head));

    assert_non_null(head);
    if (relation != NULL) {
        static const uint8_t reference[4] = {0};

        put(head, reference, sizeof(reference));
        event_bench_u32(head, relation->tablespace);
        event_bench_u32(head, relation->database);
        event_bench_u32(head, relation->number);
        event_bench_u32(head, block);
    }
    event_bench_u8(head, 254);
    event_bench_u32(head, (uint32_t)bench->size);
    put(head, bench->body, bench->size);
    uint64_t lsn = bench_record(&bench->wal, rmgr, info, xid, head->body, head->size);
    bench->size = 0;
    free(head);
    return lsn;
}

uint64_t
event_bench_rows(struct event_bench *bench, uint8_t info, uint32_t xid, uint32_t number, uint32_t n)
{
    const struct wal_relation relation = {1663, EVENT_BENCH_DATABASE, number};
    uint64_t first = 0;

    for (uint32_t i = 0; i < n; i++) {
        event_bench_u64(bench, 0);
        event_bench_u64(bench, 0);
        uint64_t lsn = event_bench_record(bench, WAL_RMGR_HEAP, info, xid, &relation, i);
        if (i == 0)
            first = lsn;
    }
    return first;
}

uint64_t
event_bench_database_row(struct event_bench *bench, uint8_t info, uint32_t xid, uint16_t offset)
{
    const struct wal_relation relation = {1664, 0, 1262};

    event_bench_u64(bench, info == HEAP_INPLACE ? offset : (uint64_t)offset << 32);
    return event_bench_record(bench, WAL_RMGR_HEAP, info, xid, &relation, 3);
}

uint64_t
event_bench_lock(struct event_bench *bench, uint32_t xid, uint32_t oid)
{
    event_bench_u32(bench, 1);
    event_bench_u32(bench, xid);
    event_bench_u32(bench, EVENT_BENCH_DATABASE);
    event_bench_u32(bench, oid);
    return event_bench_record(bench, WAL_RMGR_STANDBY, 0x00, 0, NULL, 0);
}

uint64_t
event_bench_create(struct event_bench *bench, uint32_t xid, uint32_t number)
{
    event_bench_u32(bench, 1663);
    event_bench_u32(bench, EVENT_BENCH_DATABASE);
    event_bench_u32(bench, number);
    event_bench_u32(bench, 0);
    return event_bench_record(bench, WAL_RMGR_SMGR, 0x10, xid, NULL, 0);
}

uint64_t
event_bench_end(struct event_bench *bench, const struct event_bench_end *end)
{
    bool prepared = end->info >= 0x30;

    event_bench_u64(bench, (uint64_t)(end->seconds * 1000000));
    event_bench_u32(bench, INFO_DATABASE | (end->subxid != 0 ? INFO_SUBXIDS : 0) |
                               (end->file != 0 ? INFO_RELATIONS : 0) |
                               (end->oid != 0 ? INFO_STATS : 0) | (prepared ? INFO_TWO_PHASE : 0));
    event_bench_u32(bench, EVENT_BENCH_DATABASE);
    event_bench_u32(bench, 1663);
    if (end->subxid != 0) {
        event_bench_u32(bench, 1);
        event_bench_u32(bench, end->subxid);
    }
    if (end->file != 0) {
        event_bench_u32(bench, 1);
        event_bench_u32(bench, 1663);
        event_bench_u32(bench, EVENT_BENCH_DATABASE);
        event_bench_u32(bench, end->file);
    }
    if (end->oid != 0) {
        event_bench_u32(bench, 1);
        event_bench_u32(bench, 2);
        event_bench_u32(bench, EVENT_BENCH_DATABASE);
        event_bench_u32(bench, end->oid);
    }
    if (prepared)
        event_bench_u32(bench, end->xid);
    return event_bench_record(bench, WAL_RMGR_XACT, end->info | HAS_INFO, prepared ? 0 : end->xid,
                              NULL, 0);
}

/* ---- indexes ---- */

struct chain {
    struct wal_seam seam;
    bool begun;
};

static void
index_segment(const uint8_t *bytes, struct buf *ret, struct wal_index *ret_index)
{
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    struct wal_damage damage;
    struct err err;

    assert_int_equal(wal_indexer_new(&indexer, &err), 0);
    wal_indexer_feed(indexer, bytes, EVENT_BENCH_SEGMENT);
    assert_int_equal(wal_indexer_finish(indexer, ret, &damage, &err), 0);
    assert_int_equal(damage.kind, WAL_DAMAGE_NONE);
    assert_int_equal(wal_index_open(WAL_INDEX_VERSION, ret->data, ret->size, ret_index, &err), 0);
}

static void
hand_out(struct chain *chain, const struct wal_index *index, event_bench_sink sink, void *context)
{
    struct wal_summary *summary = calloc(1, sizeof(*summary));
    AUTO(wal_index) struct wal_index crossing = WAL_INDEX_INIT;
    struct buf bytes = BUF_INIT(WAL_INDEX_MAX);
    struct wal_record record;
    const char *why = NULL;
    struct err err;

    assert_non_null(summary);
    wal_index_summary(index, summary);
    if (!chain->begun) {
        wal_seam_begin(&chain->seam, summary);
        chain->begun = true;
    } else {
        int rc = wal_seam_next(&chain->seam, summary, &record, &why);

        assert_int_not_equal(rc, WAL_SEAM_BROKEN);
        if (rc == 0) {
            assert_int_equal(wal_index_of_record(&record, &bytes, &err), 0);
            assert_int_equal(wal_index_open(WAL_INDEX_VERSION, bytes.data, bytes.size, &crossing,
                                            &err), 0);
            (void)sink(context, &crossing);
        }
    }
    (void)sink(context, index);
    buf_done(&bytes);
    free(summary);
}

void
event_bench_indexes(struct event_bench *bench, int lost, event_bench_sink sink, void *context)
{
    struct chain *chain = calloc(1, sizeof(*chain));

    assert_non_null(chain);
    for (size_t i = 0; i * EVENT_BENCH_SEGMENT < bench->wal.at; i++) {
        AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;
        struct buf bytes = BUF_INIT(WAL_INDEX_MAX);

        if ((int)i == lost) {
            (void)sink(context, NULL);
            chain->begun = false;
            continue;
        }
        index_segment(bench->wal.bytes + i * EVENT_BENCH_SEGMENT, &bytes, &index);
        hand_out(chain, &index, sink, context);
        buf_done(&bytes);
    }
    free(chain);
}
