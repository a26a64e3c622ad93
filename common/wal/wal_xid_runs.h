/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_xid_runs.h: a set of transaction ids that lie close together, as ascending runs.
 */
#ifndef WAL_WAL_XID_RUNS_H
#define WAL_WAL_XID_RUNS_H

#include <stdbool.h>

#include "wal/wal_pool.h"

struct wal_xid_run {
    uint32_t first;
    uint32_t last;
};

struct wal_xid_runs {
    struct wal_pool runs; /* struct wal_xid_run, with a gap between any two */
    bool full;            /* one was left out */
};

void wal_xid_runs_init(struct wal_xid_runs *set, uint32_t max);
void wal_xid_runs_done(struct wal_xid_runs *set);

/* Cheap where ids come roughly in order. */
void wal_xid_runs_add(struct wal_xid_runs *set, uint32_t xid);

static inline const struct wal_xid_run *
wal_xid_runs_at(const struct wal_xid_runs *set, uint32_t i)
{
    return wal_pool_at(&set->runs, i);
}

#endif
