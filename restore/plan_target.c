/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restore/events.h"
#include "restore/plan_parts.h"
#include "restore/wal_scan.h"

#define RECORD_ALIGNMENT 8

/* ---- one segment, record by record ---- */

struct record_search {
    plan_record_test test;
    const void *context;
    bool found;
    uint64_t lsn;
};

static void
test_record(void *context, const struct wal_record *record)
{
    struct record_search *search = context;

    if (!search->found && search->test(search->context, record)) {
        search->found = true;
        search->lsn = record->lsn;
    }
}

int
plan_target_search(struct plan_work *work, uint64_t number, plan_record_test test,
                   const void *context, uint64_t *ret_lsn, struct err *err)
{
    struct record_search search = {.test = test, .context = context};

    if (wal_scan_records(work, number, test_record, &search, err) < 0)
        return -1;
    *ret_lsn = search.found ? search.lsn : 0;
    return 0;
}

bool
plan_target_is_end(const struct wal_record *record, struct wal_fact *ret)
{
    if (record->rmgr != WAL_RMGR_XACT || wal_facts_read(record, ret) != 0)
        return false;
    return ret->kind == WAL_FACT_COMMIT || ret->kind == WAL_FACT_ABORT ||
           ret->kind == WAL_FACT_COMMIT_PREPARED || ret->kind == WAL_FACT_ABORT_PREPARED;
}

/* ---- where a target may lie ---- */

struct range {
    uint64_t first;
    uint64_t last;
};

/* From the chosen backup, or the oldest one that could be chosen, to the end of the WAL. */
static struct range
whole_range(const struct plan_work *work)
{
    uint64_t size = work->segment_size;
    struct range range = {
        .first = wal_name_segment_number(&work->backup->complete.first_wal, work->segment_size)};

    for (size_t i = 0; work->request->label == NULL && i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (found->readable && plan_path_holds(&work->path, &found->complete) &&
            found->complete.segment_size == size)
            range.first = MIN_OF(range.first, wal_name_segment_number(&found->complete.first_wal,
                                                                      work->segment_size));
    }
    range.last = plan_wal_archived(work, range.first);
    return range;
}

/* The record behind this one, whatever it is. */
static uint64_t
behind(uint64_t lsn)
{
    return lsn + RECORD_ALIGNMENT;
}

/* Is there a record at or behind this position? PostgreSQL needs one to stop at. */
static int
is_reached(struct plan_work *work, const struct range *range, uint64_t stop_lsn, bool *ret,
           struct err *err)
{
    const struct plan_wal wal = {.first = range->first};
    uint64_t last_record = 0;

    (void)err;
    *ret = range->last > stop_lsn / work->segment_size;
    if (!*ret && plan_limit_lsn(work, &wal, range->last + 1, &last_record))
        *ret = last_record >= stop_lsn;
    return 0;
}

static int
refuse_nowhere(const struct plan_work *work, const struct recovery_target *target, uint64_t n_lost,
               struct err *err)
{
    bool all = survey_all_asked(work->archive);
    char text[TARGET_TEXT_SIZE];
    char lost[80] = "";

    if (n_lost > 0)
        (void)snprintf(lost, sizeof(lost), "; %" PRIu64 " segments of it are in no store", n_lost);
    return err_set(err, !all ? ERR_TRANSIENT : n_lost > 0 ? ERR_CONFLICT : ERR_CONFIG,
                   "%s is nowhere in the archived WAL of timeline %" PRIu32 "%s%s",
                   target_text(target, text, sizeof(text)),
                   work->path.stretches[work->path.n - 1].timeline, lost,
                   all ? "" : " (not all stores could be asked)");
}

/* ---- transactions ---- */

struct xid_search {
    struct plan_work *work;
    uint64_t n_lost;
    uint32_t xid;
    uint64_t lsn;
};

static bool
ends_xid(const void *context, const struct wal_record *record)
{
    const struct xid_search *search = context;
    struct wal_fact fact;

    return plan_target_is_end(record, &fact) && fact.end.xid == search->xid;
}

static bool
has_xid(const struct xid_search *search, const struct wal_index *index)
{
    const struct wal_index_totals *totals = &index->totals;

    return totals->commits + totals->aborts > 0 && search->xid >= totals->xid_min &&
           search->xid <= totals->xid_max &&
           (wal_index_has_commit(index, search->xid) || wal_index_has_abort(index, search->xid));
}

static int
take_xid(void *context, const struct wal_scan_segment *segment, struct err *err)
{
    struct xid_search *search = context;

    search->n_lost += segment->lost;
    if (segment->lost)
        return 0;
    if (segment->crossing != NULL && has_xid(search, segment->crossing))
        search->lsn = segment->crossing_lsn;
    else if (has_xid(search, segment->index) &&
             plan_target_search(search->work, segment->number, ends_xid, search, &search->lsn,
                                err) < 0)
        return -1;
    return search->lsn != 0;
}

static int
resolve_xid(struct plan_work *work, struct recovery_target *target, struct err *err)
{
    const struct range range = whole_range(work);
    struct xid_search search = {.work = work, .xid = target->xid};
    const struct wal_scan scan = {
        .work = work,
        .first = range.first,
        .last = range.last,
        .progress = "WAL segments looked at",
        .context = &search,
        .segment = take_xid,
    };
    bool reached = false;

    if (wal_scan_run(&scan, NULL, err) < 0)
        return -1;
    if (search.lsn == 0) {
        (void)refuse_nowhere(work, target, search.n_lost, err);
        return err_hint(err, "A subtransaction cannot be a target, only the transaction it is "
                             "part of. \"seawall events\" shows transactions that did damage.");
    }
    target->found_lsn = search.lsn;
    if (is_reached(work, &range, behind(search.lsn), &reached, err) < 0)
        return -1;
    target->stop_lsn = reached ? behind(search.lsn) : 0;
    return 0;
}

/* ---- restore points ---- */

struct name_search {
    const char *name;
    uint64_t n_lost;
    uint64_t lsn[PLAN_CHOICES_MAX];
    int64_t time_us[PLAN_CHOICES_MAX];
    size_t n;
};

static void
search_points(struct name_search *search, const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_event event;

    wal_index_walk_events(index, &walk);
    while (wal_index_next_event(&walk, &event)) {
        if (event.kind != WAL_INDEX_RESTORE_POINT || event.text.size != strlen(search->name) ||
            memcmp(event.text.data, search->name, event.text.size) != 0)
            continue;
        if (search->n < PLAN_CHOICES_MAX) {
            search->lsn[search->n] = event.lsn;
            search->time_us[search->n] = event.time;
        }
        search->n++;
    }
}

static int
take_points(void *context, const struct wal_scan_segment *segment, struct err *err UNUSED)
{
    struct name_search *search = context;

    search->n_lost += segment->lost;
    if (segment->crossing != NULL)
        search_points(context, segment->crossing);
    if (segment->index != NULL)
        search_points(context, segment->index);
    return 0;
}

/* " 0/5A3B128 (2026-11-22 15:36:00+00), ..." */
void
plan_target_choices(const uint64_t *lsn, const int64_t *time_us, size_t n, char *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < MIN_OF(n, (size_t)PLAN_CHOICES_MAX) && at < size; i++) {
        char position[WAL_LSN_TEXT_SIZE];
        char time[CLOCK_TEXT_SIZE + 16];

        at += (size_t)snprintf(text + at, size - at, "%s %s (%s)", i == 0 ? "" : ",",
                               wal_lsn_text(lsn[i], position),
                               target_time_text(time_us[i], time, sizeof(time)));
    }
    if (n > PLAN_CHOICES_MAX && at < size)
        (void)snprintf(text + at, size - at, " and %zu more", n - PLAN_CHOICES_MAX);
}

static int
resolve_name(struct plan_work *work, struct recovery_target *target, struct err *err)
{
    const struct range range = whole_range(work);
    struct name_search search = {.name = target->name};
    const struct wal_scan scan = {
        .work = work,
        .first = range.first,
        .last = range.last,
        .progress = "WAL segments looked at",
        .context = &search,
        .segment = take_points,
    };
    char text[TARGET_TEXT_SIZE];
    char choices[400] = "";
    bool reached = false;

    if (wal_scan_run(&scan, NULL, err) < 0)
        return -1;
    if (search.n == 0) {
        (void)refuse_nowhere(work, target, search.n_lost, err);
        return err_hint(err, "\"seawall events --kind restore_point\" lists them.");
    }
    if (search.n > 1) {
        plan_target_choices(search.lsn, search.time_us, search.n, choices, sizeof(choices));
        (void)err_set(err, ERR_CONFIG, "there are %zu of that name, %s:%s", search.n,
                      target_text(target, text, sizeof(text)), choices);
        return err_hint(err, "Choose one by its position, --lsn, or by a backup between them, "
                             "--backup.");
    }
    target->found_lsn = search.lsn[0];
    if (is_reached(work, &range, behind(search.lsn[0]), &reached, err) < 0)
        return -1;
    target->stop_lsn = reached ? behind(search.lsn[0]) : 0;
    return 0;
}

int
plan_target_resolve(struct plan_work *work, struct recovery_target *target, struct err *err)
{
    work->segment_size = work->backup->complete.segment_size;
    if (target->stop_lsn != 0)
        return 0; /* a plan that was made before */
    switch (target->kind) {
    case TARGET_TIME:
        return plan_target_time(work, target, err);
    case TARGET_XID:
        return resolve_xid(work, target, err);
    case TARGET_NAME:
        return resolve_name(work, target, err);
    case TARGET_BEFORE:
        return plan_target_event(work, target, err);
    case TARGET_LATEST:
    case TARGET_BACKUP_END:
    case TARGET_LSN:
        break;
    }
    return 0;
}
