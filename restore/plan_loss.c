/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "restore/plan_parts.h"
#include "restore/wal_scan.h"

/*
 * What nobody has measured on this server is assumed: one process replays WAL, and where most pages
 * must be read first it is slower.
 */
#define REPLAY_RATE_ASSUMED (48 * MIB)
#define MEASURED_MIN MIB /* fewer bytes are no measurement */

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

/*
 * Both are what the link has carried at least: one segment alone says little if the way is long,
 * many small reads say little if they are short of processors.
 */
static void
rate_fetching(struct plan *plan, const struct plan_wal *wal, const struct wal_scan_rate *segment)
{
    const struct wal_scan_cost *indexes = &wal->proof_cost;
    uint64_t together = indexes->bytes * 1000 / (uint64_t)MAX_OF(indexes->took_ms, (int64_t)1);
    const struct plan_store *only = NULL;
    size_t n = 0;

    plan->fetch_rate = MAX_OF(segment->bytes * 1000 / (uint64_t)segment->took_ms, (uint64_t)1);
    plan->fetch_source = PLAN_RATE_SEGMENT;
    only = &plan->stores[segment->store];
    if (indexes->bytes >= MEASURED_MIN && together > plan->fetch_rate) {
        plan->fetch_rate = together;
        plan->fetch_source = PLAN_RATE_INDEXES;
        for (size_t i = 0; i < plan->n_stores; i++)
            if (plan->stores[i].asked && n++ == 0)
                only = &plan->stores[i];
    }
    if (n <= 1)
        memcpy(plan->fetch_store, only->name, sizeof(plan->fetch_store));
    plan->fetch_s = (int64_t)(plan->fetch_bytes / plan->fetch_rate);
}

static void
rate_replaying(struct plan *plan, const struct settings *settings)
{
    bool configured = settings->replay_rate != 0;

    plan->replay_rate = configured ? (uint64_t)settings->replay_rate : REPLAY_RATE_ASSUMED;
    plan->replay_source = configured ? PLAN_RATE_CONFIGURED : PLAN_RATE_ASSUMED;
    plan->replay_s = (int64_t)(plan->n_segments * plan->segment_size / plan->replay_rate);
}

/* The last needed segment, record by record, and how long it took to come. 0 or -1. */
static int
read_last(struct loss *loss, const struct plan_wal *wal, struct err *err)
{
    struct plan *plan = &loss->work->plan;
    struct wal_scan_rate rate;

    if (wal_scan_records_timed(loss->work, wal->needed, count_record, loss, &rate, err) < 0)
        return -1;
    rate_fetching(plan, wal, &rate);
    rate_replaying(plan, loss->work->archive->settings);
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
