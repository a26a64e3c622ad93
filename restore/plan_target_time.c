/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <string.h>

#include "restore/events.h"
#include "restore/plan_parts.h"
#include "restore/wal_scan.h"

#define SKEW_US (5 * 60 * INT64_C(1000000)) /* clocks of hosts that archive may differ so much */

/* Segments of a path. */
struct range {
    uint64_t first;
    uint64_t last;
};

struct time_search {
    struct plan_work *work;
    uint64_t n_lost; /* segments that could not be looked at */
    int64_t time_us;
    uint64_t not_before; /* LSN: the backup's end */
    uint64_t lsn;        /* 0: not found */
    uint64_t number;     /* the segment in which it must be looked for; 0: none */
};

static bool
ends_later(const void *context, const struct wal_record *record)
{
    const struct time_search *search = context;
    struct wal_fact fact;

    return record->lsn >= search->not_before && plan_target_is_end(record, &fact) &&
           fact.end.time > search->time_us;
}

/* Does anything in this index end later than the target? */
static bool
has_later(const struct time_search *search, const struct wal_index *index)
{
    const struct wal_index_totals *totals = &index->totals;

    return totals->commits + totals->aborts > 0 && totals->time_max > search->time_us;
}

static int
take_time(void *context, const struct wal_scan_segment *segment, struct err *err)
{
    struct time_search *search = context;

    search->n_lost += segment->lost;
    if (segment->lost)
        return 0;
    if (segment->crossing != NULL && has_later(search, segment->crossing) &&
        segment->crossing_lsn >= search->not_before) {
        search->lsn = segment->crossing_lsn;
        return 1;
    }
    if (!has_later(search, segment->index))
        return 0;
    if (plan_target_search(search->work, segment->number, ends_later, search, &search->lsn, err) <
        0)
        return -1;
    return search->lsn != 0;
}

/* The first end of a transaction later than that (INT64_MIN: any), in these segments of the path.
 * 0 or -1. */
static int
find_later(struct time_search *search, struct range range, struct err *err)
{
    struct plan_work *work = search->work;
    struct wal_scan scan = {
        .work = work,
        .first = range.first,
        .last = range.last,
        .progress = "WAL segments looked at",
        .context = search,
        .segment = take_time,
    };

    if (search->time_us != INT64_MIN &&
        events_first_since(work, range.first, range.last, search->time_us - SKEW_US,
                           &scan.first, err) < 0)
        return -1;
    return wal_scan_run(&scan, NULL, err);
}

/* Where another way leaves ours; 0: they have nothing in common. */
static uint64_t
leaves_at(const struct plan_path *ours, const struct plan_path *other)
{
    for (size_t i = other->n; i > 0; i--)
        for (size_t k = 0; k < ours->n; k++)
            if (ours->stretches[k].timeline == other->stretches[i - 1].timeline)
                return MIN_OF(ours->stretches[k].end_lsn, other->stretches[i - 1].end_lsn);
    return 0;
}

/* What one way says of a time behind the fork. */
struct branch {
    bool alive;   /* something ended later */
    bool changed; /* something had ended by then */
};

/* Of the path that `work` has. 0 or -1. */
static int
look_at_branch(struct plan_work *work, uint64_t fork, int64_t time_us, struct branch *ret,
               struct err *err)
{
    struct time_search later = {.work = work, .time_us = time_us, .not_before = fork};
    struct time_search any = {.work = work, .time_us = INT64_MIN, .not_before = fork};
    struct range range = {.first = fork / work->segment_size};

    *ret = (struct branch){.alive = false};
    range.last = plan_wal_archived(work, range.first);
    if (range.last < range.first)
        return 0;
    if (find_later(&later, range, err) < 0 || find_later(&any, range, err) < 0)
        return -1;
    ret->alive = later.lsn != 0;
    ret->changed = any.lsn != 0 && (later.lsn == 0 || any.lsn < later.lsn);
    return 0;
}

/*
 * The time is on the other timeline too if something ended later there. Then there are two states,
 * unless nothing had happened on either side by then. 0 or -1.
 */
static int
is_on_both(struct plan_work *work, struct plan_path *other, uint64_t fork, int64_t time_us,
           bool *ret, struct err *err)
{
    struct plan_path ours = work->path;
    struct branch here = {.alive = false};
    struct branch there = {.alive = false};

    work->path = *other;
    int rc = look_at_branch(work, fork, time_us, &there, err);
    work->path = ours;
    if (rc == 0 && there.alive && !there.changed)
        rc = look_at_branch(work, fork, time_us, &here, err);
    *ret = there.alive && (there.changed || here.changed);
    return rc;
}

static int
refuse_fork(const struct plan_work *work, const struct recovery_target *target, uint32_t other,
            uint64_t fork, struct err *err)
{
    uint32_t ours = work->path.stretches[work->path.n - 1].timeline;
    char text[TARGET_TEXT_SIZE];
    char lsn[WAL_LSN_TEXT_SIZE];

    (void)err_set(err, ERR_CONFIG,
                  "%s is on timeline %" PRIu32 " and on timeline %" PRIu32
                  ": both went on behind %s, where they part",
                  target_text(target, text, sizeof(text)), ours, other, wal_lsn_text(fork, lsn));
    return err_hint(err, "Choose with --timeline %" PRIu32 " or --timeline %" PRIu32
                         ". The higher one is what the server did after it was promoted.",
                    ours, other);
}

/* A time behind a fork means another state on each side: nobody chose one. 0 or -1. */
static int
check_forks(struct plan_work *work, const struct recovery_target *target, struct err *err)
{
    const struct inventory *together = &work->survey.together;
    AUTO(ptr) struct plan_path *other = calloc(1, sizeof(*other));

    if (other == NULL)
        return err_memory(err, "timelines");
    for (size_t i = 0; i < together->n_timelines; i++) {
        uint32_t timeline = together->timelines[i].timeline;
        struct err ignored = ERR_INIT;
        bool both = false;

        if (together->timelines[i].n_segments == 0 ||
            timeline == work->path.stretches[work->path.n - 1].timeline ||
            plan_path_find(work, timeline, other, &ignored) < 0)
            continue;
        uint64_t fork = leaves_at(&work->path, other);
        if (fork == 0 || fork == UINT64_MAX ||
            (target->stop_lsn != 0 && target->stop_lsn < fork))
            continue;
        if (is_on_both(work, other, fork, target->time_us, &both, err) < 0)
            return -1;
        if (both)
            return refuse_fork(work, target, timeline, fork, err);
    }
    return 0;
}

/*
 * Recovery to a time stops before the first end of a transaction later than it. Nothing later: then
 * all that is archived is what there was at that time, as far as anybody knows.
 */
int
plan_target_time(struct plan_work *work, struct recovery_target *target, struct err *err)
{
    struct range range = {
        .first = wal_name_segment_number(&work->backup->complete.first_wal, work->segment_size)};
    struct time_search search = {
        .work = work,
        .time_us = target->time_us,
        .not_before = work->backup->complete.stop_lsn,
    };

    range.last = plan_wal_archived(work, range.first);
    if (find_later(&search, range, err) < 0)
        return -1;
    target->stop_lsn = search.lsn;
    return target->timeline_kind == TARGET_TIMELINE_LATEST ? check_forks(work, target, err) : 0;
}
