/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_xid_runs.h"

#include <string.h>

void
wal_xid_runs_init(struct wal_xid_runs *set, uint32_t max)
{
    *set = (struct wal_xid_runs){.runs = WAL_POOL_INIT(struct wal_xid_run, max)};
}

void
wal_xid_runs_done(struct wal_xid_runs *set)
{
    wal_pool_done(&set->runs);
}

static struct wal_xid_run *
at(const struct wal_xid_runs *set, uint32_t i)
{
    return wal_pool_at(&set->runs, i);
}

/* How many runs begin at or below xid: found from the end, where new ones belong. */
static uint32_t
count_below(const struct wal_xid_runs *set, uint32_t xid)
{
    uint32_t low = 0;
    uint32_t high = set->runs.n;

    if (high > 0 && at(set, high - 1)->first <= xid)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (at(set, middle)->first <= xid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
remove_run(struct wal_xid_runs *set, uint32_t i)
{
    memmove(at(set, i), at(set, i + 1), (set->runs.n - i - 1) * sizeof(struct wal_xid_run));
    set->runs.n--;
}

static void
insert_run(struct wal_xid_runs *set, uint32_t i, uint32_t xid)
{
    uint32_t last = wal_pool_add(&set->runs);

    if (last == UINT32_MAX) {
        set->full = true;
        return;
    }
    memmove(at(set, i + 1), at(set, i), (last - i) * sizeof(struct wal_xid_run));
    *at(set, i) = (struct wal_xid_run){xid, xid};
}

void
wal_xid_runs_add(struct wal_xid_runs *set, uint32_t xid)
{
    uint32_t i = count_below(set, xid);
    bool joins_left = i > 0 && xid > 0 && at(set, i - 1)->last >= xid - 1;
    bool joins_right = i < set->runs.n && xid < UINT32_MAX && at(set, i)->first == xid + 1;

    if (i > 0 && at(set, i - 1)->last >= xid)
        return;
    if (joins_left && joins_right) {
        at(set, i - 1)->last = at(set, i)->last;
        remove_run(set, i);
    } else if (joins_left) {
        at(set, i - 1)->last = xid;
    } else if (joins_right) {
        at(set, i)->first = xid;
    } else {
        insert_run(set, i, xid);
    }
}
