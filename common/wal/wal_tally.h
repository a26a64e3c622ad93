/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_tally.h: the sums of a segment, and when its commits were.
 */
#ifndef WAL_WAL_TALLY_H
#define WAL_WAL_TALLY_H

#include "wal/wal_facts.h"
#include "wal/wal_index.h"
#include "wal/wal_pool.h"

struct wal_tally {
    struct wal_index_totals totals;
    struct wal_pool minutes; /* struct wal_index_minute, ascending */
    bool full;               /* a minute was left out */
};

void wal_tally_init(struct wal_tally *tally);
void wal_tally_done(struct wal_tally *tally);

/* A commit or an abort, at `lsn`. */
void wal_tally_end(struct wal_tally *tally, const struct wal_fact_end *end, bool commit,
                   uint64_t lsn);

/* Rows, whoever wrote them. */
void wal_tally_rows(struct wal_tally *tally, enum wal_fact_kind kind, uint32_t n);

/* A record whose content could not be read. */
void wal_tally_unread(struct wal_tally *tally, uint64_t lsn);

#endif
