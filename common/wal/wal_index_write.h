/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_index_write.h: what was collected of a segment becomes the bytes of its index
 * (docs/format.md, section 13).
 */
#ifndef WAL_WAL_INDEX_WRITE_H
#define WAL_WAL_INDEX_WRITE_H

#include "wal/wal_block_set.h"
#include "wal/wal_index.h"
#include "wal/wal_relation_table.h"
#include "wal/wal_tally.h"
#include "wal/wal_transactions.h"
#include "wal/wal_varint.h"
#include "wal/wal_xid_runs.h"

#define WAL_INDEX_CHUNK_BLOCKS 65536
#define WAL_INDEX_CHUNKS 65536
#define WAL_INDEX_FORM_LIST 0
#define WAL_INDEX_FORM_RUNS 1
#define WAL_INDEX_FORM_BITS 2

#define WAL_INDEX_EVENTS_SIZE_MAX ((size_t)262144)
#define WAL_INDEX_ENDS_SIZE_MAX ((size_t)786432)
#define WAL_INDEX_XIDS_SIZE_MAX ((size_t)262144) /* of each of the two sets */

enum wal_index_section {
    WAL_INDEX_SECTION_SUMMARY = 1,
    WAL_INDEX_SECTION_EDGES = 2,
    WAL_INDEX_SECTION_TOTALS = 3,
    WAL_INDEX_SECTION_RELATIONS = 4,
    WAL_INDEX_SECTION_MINUTES = 5,
    WAL_INDEX_SECTION_EVENTS = 6,
    WAL_INDEX_SECTION_ENDS = 7,
    WAL_INDEX_SECTION_WORK = 8,
    WAL_INDEX_SECTION_COMMITTED = 9,
    WAL_INDEX_SECTION_ABORTED = 10,
    WAL_INDEX_SECTION_BLOCKS = 11,
    WAL_INDEX_SECTION_OPTIONAL = 64, /* from here on, a reader passes over what it does not know */
};

enum wal_index_summary_flag {
    WAL_INDEX_SUMMARY_SWITCHED = 1,
    WAL_INDEX_SUMMARY_ZERO_END = 2,
    WAL_INDEX_SUMMARY_OVERWRITTEN = 4,
    WAL_INDEX_SUMMARY_FIRST = 8,
    WAL_INDEX_SUMMARY_LAST = 16,
    WAL_INDEX_SUMMARY_OPEN = 32,
    WAL_INDEX_SUMMARY_PREV = 64,
    WAL_INDEX_SUMMARY_KNOWN = 127,
};

enum wal_index_end_flag {
    WAL_INDEX_END_COMMIT = 1,
    WAL_INDEX_END_PREPARED = 2,
    WAL_INDEX_END_CUT = 4,
    WAL_INDEX_END_SUBXIDS = 8,
    WAL_INDEX_END_RELATIONS = 16,
    WAL_INDEX_END_STATS = 32,
    WAL_INDEX_END_DATABASE = 64,
    WAL_INDEX_END_KNOWN = 127,
};

enum wal_index_work_flag {
    WAL_INDEX_WORK_TOP = 1,
    WAL_INDEX_WORK_ROWS = 2,
    WAL_INDEX_WORK_CREATES = 4,
    WAL_INDEX_WORK_TRUNCATES = 8,
    WAL_INDEX_WORK_LOCKS = 16,
    WAL_INDEX_WORK_EMPTIED = 32,
    WAL_INDEX_WORK_KNOWN = 63,
};

/* Forks are bits by their number. */
#define WAL_INDEX_FORKS_STORED 13
#define WAL_INDEX_FORKS_WHOLE 16

/* All there is to be written. */
struct wal_index_parts {
    uint16_t magic;
    const struct wal_summary *summary;
    const struct wal_tally *tally;
    const struct wal_relation_table *relations;
    const struct wal_output *events;
    const struct wal_output *ends;
    const struct wal_transactions *transactions;
    const struct wal_xid_runs *committed;
    const struct wal_xid_runs *aborted;
    const struct wal_block_set *blocks; /* sorted */
    unsigned missing;                   /* so far */
};

/* Write the index, leaving out what format.md says until it fits. 0 or -1 (ERR_INTERNAL). */
int wal_index_write(const struct wal_index_parts *parts, struct buf *ret_index,
                    struct err *err) MUST_USE;

/* Its larger sections. */
void wal_index_write_work(const struct wal_transactions *transactions, struct wal_output *output);
void wal_index_write_blocks(const struct wal_index_parts *parts, struct wal_output *output);

#endif
