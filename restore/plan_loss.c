/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/clock.h"
#include "restore/plan_parts.h"
#include "restore/wal_scan.h"

/*
 * What nobody has measured on this server is assumed: one process replays WAL, and where most pages
 * must be read first it is slower.
 */
#define REPLAY_RATE_ASSUMED (48 * MIB)

struct loss {
    struct plan_work *work;
    uint64_t stop_lsn;
    struct plan_loss found;
};

static void
count_record(void *context, const struct wal_record *record)
{
    struct loss *loss = context;
    struct wal_fact fact;

    if (record->rmgr != WAL_RMGR_XACT || wal_facts_read(record, &fact) != 0 ||
        (fact.kind != WAL_FACT_COMMIT && fact.kind != WAL_FACT_COMMIT_PREPARED))
        return;
    if (record->lsn < loss->stop_lsn) {
        loss->found.kept_us = fact.end.time;
        return;
    }
    loss->found.commits++;
    loss->found.last_us = fact.end.time;
}

static void
count_index(struct loss *loss, const struct wal_index *index)
{
    if (index->totals.commits == 0)
        return;
    loss->found.commits += index->totals.commits;
    loss->found.last_us = index->totals.last_commit.time;
}

static int
take_segment(void *context, const struct wal_scan_segment *segment, struct err *err UNUSED)
{
    struct loss *loss = context;

    if (segment->lost || segment->summary.damage.kind != WAL_DAMAGE_NONE)
        loss->found.more = true;
    if (segment->crossing != NULL)
        count_index(loss, segment->crossing);
    if (segment->index != NULL)
        count_index(loss, segment->index);
    return 0;
}

/* Which position divides what is kept from what is lost. */
static uint64_t
divide(const struct plan_work *work)
{
    uint64_t stop_lsn = 0;

    if (target_stops_at(&work->request->target, &stop_lsn))
        return stop_lsn;
    return work->request->target.kind == TARGET_BACKUP_END ? work->backup->complete.stop_lsn
                                                           : UINT64_MAX;
}

/* The last needed segment, record by record, and how long it took to come. 0 or -1. */
static int
read_last(struct loss *loss, const struct plan_wal *wal, struct err *err)
{
    struct plan *plan = &loss->work->plan;
    int64_t began_ms = clock_boot_ms();

    if (wal_scan_records(loss->work, wal->needed, count_record, loss, err) < 0)
        return -1;
    int64_t took_ms = MAX_OF(clock_boot_ms() - began_ms, (int64_t)1);
    plan->fetch_rate = MAX_OF(wal->last_payload * 1000 / (uint64_t)took_ms, (uint64_t)1);
    plan->fetch_s = (int64_t)(plan->fetch_bytes / plan->fetch_rate);
    plan->replay_rate = REPLAY_RATE_ASSUMED;
    plan->replay_s = (int64_t)(plan->n_segments * plan->segment_size / REPLAY_RATE_ASSUMED);
    return 0;
}

int
plan_loss_count(struct plan_work *work, const struct plan_wal *wal, struct err *err)
{
    struct loss loss = {
        .work = work,
        .stop_lsn = divide(work),
        .found.kept_us = wal->kept_us,
    };
    const struct wal_scan scan = {
        .work = work,
        .first = wal->needed + 1,
        .last = wal->archived,
        .progress = "WAL segments behind the target counted",
        .context = &loss,
        .segment = take_segment,
    };

    if (read_last(&loss, wal, err) < 0)
        return -1;
    if (scan.first <= scan.last && loss.stop_lsn != UINT64_MAX &&
        wal_scan_run(&scan, NULL, err) < 0)
        return -1;
    work->plan.loss = loss.found;
    return 0;
}
