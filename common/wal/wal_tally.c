/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_tally.h"

#include <string.h>

#define MINUTES_MAX 16384
#define MINUTE_US INT64_C(60000000)

void
wal_tally_init(struct wal_tally *tally)
{
    memset(tally, 0, sizeof(*tally));
    tally->minutes = WAL_POOL_INIT(struct wal_index_minute, MINUTES_MAX);
}

void
wal_tally_done(struct wal_tally *tally)
{
    wal_pool_done(&tally->minutes);
}

static struct wal_index_minute *
at(const struct wal_tally *tally, uint32_t i)
{
    return wal_pool_at(&tally->minutes, i);
}

/* Times hardly ever go back, so the place is looked for from the end. */
static void
count_minute(struct wal_tally *tally, int64_t time)
{
    int64_t minute = time / MINUTE_US - (time % MINUTE_US < 0 ? 1 : 0);
    uint32_t place = tally->minutes.n;

    while (place > 0 && at(tally, place - 1)->minute > minute)
        place--;
    if (place > 0 && at(tally, place - 1)->minute == minute) {
        at(tally, place - 1)->commits++;
        return;
    }
    uint32_t last = wal_pool_add(&tally->minutes);
    if (last == UINT32_MAX) {
        tally->full = true;
        return;
    }
    memmove(at(tally, place + 1), at(tally, place),
            (last - place) * sizeof(struct wal_index_minute));
    *at(tally, place) = (struct wal_index_minute){.minute = minute, .commits = 1};
}

void
wal_tally_end(struct wal_tally *tally, const struct wal_fact_end *end, bool commit, uint64_t lsn)
{
    struct wal_index_totals *totals = &tally->totals;
    struct wal_index_point point = {.lsn = lsn, .time = end->time};

    if (totals->commits + totals->aborts == 0) {
        totals->time_min = totals->time_max = end->time;
        totals->xid_min = totals->xid_max = end->xid;
    }
    totals->time_min = MIN_OF(totals->time_min, end->time);
    totals->time_max = MAX_OF(totals->time_max, end->time);
    totals->xid_min = MIN_OF(totals->xid_min, end->xid);
    totals->xid_max = MAX_OF(totals->xid_max, end->xid);
    if (!commit) {
        totals->aborts++;
        return;
    }
    if (totals->commits == 0)
        totals->first_commit = point;
    totals->last_commit = point;
    totals->commits++;
    count_minute(tally, end->time);
}

void
wal_tally_rows(struct wal_tally *tally, enum wal_fact_kind kind, uint32_t n)
{
    if (kind == WAL_FACT_INSERT)
        tally->totals.inserted += n;
    else if (kind == WAL_FACT_LOAD)
        tally->totals.loaded += n;
    else if (kind == WAL_FACT_UPDATE)
        tally->totals.updated += n;
    else if (kind == WAL_FACT_DELETE)
        tally->totals.deleted += n;
}

void
wal_tally_unread(struct wal_tally *tally, uint64_t lsn)
{
    if (tally->totals.unread == 0)
        tally->totals.unread_lsn = lsn;
    tally->totals.unread++;
}
