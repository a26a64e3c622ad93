/* SPDX-License-Identifier: PostgreSQL */
/*
 * event_bench.h: records that do what accidents do, crafted into segments, and the indexes of
 * these.
 */
#ifndef TESTS_EVENT_BENCH_H
#define TESTS_EVENT_BENCH_H

#include "wal/wal_index.h"
#include "wal_bench.h"

#define EVENT_BENCH_SEGMENT ((uint32_t)1 << 20)
#define EVENT_BENCH_BODY 4096
#define EVENT_BENCH_DATABASE 5
#define EVENT_BENCH_EPOCH_US INT64_C(946684800000000)

#define HEAP_INSERT 0x00
#define HEAP_DELETE 0x10
#define HEAP_UPDATE 0x20
#define HEAP_HOT_UPDATE 0x40
#define HEAP_INPLACE 0x70

struct event_bench {
    struct wal_bench wal;
    uint8_t body[EVENT_BENCH_BODY];
    size_t size;
};

/* Of PostgreSQL 15, in segments of EVENT_BENCH_SEGMENT. */
struct event_bench *event_bench_new(size_t n_segments);
void event_bench_free(struct event_bench *bench);

/* Main data of the record to come. */
void event_bench_u8(struct event_bench *bench, uint8_t value);
void event_bench_u32(struct event_bench *bench, uint32_t value);
void event_bench_u64(struct event_bench *bench, uint64_t value);

/* A record with what was put, behind the block if there is one. Returns its LSN. */
uint64_t event_bench_record(struct event_bench *bench, uint8_t rmgr, uint8_t info, uint32_t xid,
                            const struct wal_relation *relation, uint32_t block);

/* n rows of a relation of EVENT_BENCH_DATABASE. Returns the LSN of the first. */
uint64_t event_bench_rows(struct event_bench *bench, uint8_t info, uint32_t xid, uint32_t number,
                          uint32_t n);

/* The same of one row of pg_database, at this line pointer. */
uint64_t event_bench_database_row(struct event_bench *bench, uint8_t info, uint32_t xid,
                                  uint16_t offset);

uint64_t event_bench_lock(struct event_bench *bench, uint32_t xid, uint32_t oid);
uint64_t event_bench_create(struct event_bench *bench, uint32_t xid, uint32_t number);

/* The end of a transaction. */
struct event_bench_end {
    uint8_t info; /* 0x00 commit, 0x20 abort, 0x30 and 0x40 of a prepared one */
    uint32_t xid;
    int64_t seconds; /* since 2000 */
    uint32_t file;   /* that goes away; 0: none */
    uint32_t oid;    /* whose statistics go away */
    uint32_t subxid;
};

uint64_t event_bench_end(struct event_bench *bench, const struct event_bench_end *end);

/*
 * Each segment's index in order, that of a record crossing into it before; NULL for a segment that
 * is `lost` (a number from 0; or -1). Ends at the first segment without a page.
 */
typedef int (*event_bench_sink)(void *context, const struct wal_index *index);
void event_bench_indexes(struct event_bench *bench, int lost, event_bench_sink sink, void *context);

#endif
