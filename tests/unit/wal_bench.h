/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_bench.h: WAL as a server writes it, crafted for tests: consecutive segments in one piece of
 * memory.
 */
#ifndef TESTS_WAL_BENCH_H
#define TESTS_WAL_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/wal_reader.h"

#define BENCH_SYSTEM_ID UINT64_C(0x7123456789abcdef)

struct wal_bench {
    uint8_t *bytes;
    uint8_t *loose; /* for every byte: does nobody look at it? (padding) */
    size_t capacity;
    size_t at;
    uint64_t address; /* of the first byte */
    uint32_t segment_size;
    uint32_t page_size;
    uint16_t magic;
    uint32_t timeline;
    uint64_t last; /* the last complete record */
};

/* Zeros as yet. Its first segment is the seventh. */
void bench_init(struct wal_bench *bench, uint16_t magic, uint32_t segment_size, uint32_t page_size,
                size_t n_segments);
void bench_done(struct wal_bench *bench);

/* A record with this body; returns its LSN. */
uint64_t bench_record(struct wal_bench *bench, uint8_t rmgr, uint8_t info, uint32_t xid,
                      const void *body, size_t size);

/* A record of `size` bytes in all (26 to 279, or 29 and more) that is nothing but main data. */
uint64_t bench_filler(struct wal_bench *bench, size_t size);

/*
 * Fillers, so that the next record begins at this offset: a multiple of 8, in no page header, and
 * far enough for one.
 */
void bench_fill_to(struct wal_bench *bench, size_t offset);

/* A segment switch; goes on with the next segment. Returns its LSN. */
uint64_t bench_switch(struct wal_bench *bench);

/*
 * A record of `size` bytes of which the crash left those before offset `page`, where a page begins;
 * that page abandons it. Returns the LSN of the abandoned one.
 */
uint64_t bench_abandoned(struct wal_bench *bench, size_t size, size_t page);

/* Everything a reader says, as one number, and how often the sink was called. */
struct bench_digest {
    uint32_t crc;
    uint64_t n_records;
    uint64_t end_lsn;  /* of the last */
    uint64_t last_lsn; /* its beginning */
    uint32_t last_main;
    uint32_t last_main_available;
    uint32_t last_timeline;
    uint32_t last_xid;
    uint8_t last_first_byte; /* of its main data */
};

void bench_sink(void *context, const struct wal_record *record);

/* Read this with pieces of `piece` bytes; the summary's contents go into the digest. */
const struct wal_summary *bench_read(struct wal_reader *reader, struct bench_digest *digest,
                                     const uint8_t *bytes, size_t size, size_t piece);

#endif
