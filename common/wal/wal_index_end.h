/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_index_end.h: one end of a transaction in the bytes of the segment index (docs/format.md,
 * 13.8).
 */
#ifndef WAL_WAL_INDEX_END_H
#define WAL_WAL_INDEX_END_H

#include "wal/wal_facts.h"
#include "wal/wal_relation_table.h"
#include "wal/wal_varint.h"

/* What the next end's differences count from. */
struct wal_index_end_before {
    uint64_t lsn;
    uint32_t xid;
    int64_t time;
};

/* Append this commit or abort. Relations without a number in the table are left out. */
void wal_index_end_write(struct wal_output *output, const struct wal_record *record,
                         const struct wal_fact *fact, struct wal_relation_table *relations,
                         struct wal_index_end_before *before);

#endif
