/* SPDX-License-Identifier: PostgreSQL */
#include "restore/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_MINUTE 60000000
#define BEHIND_BYTES (64 * MIB) /* a database is dropped some time before the commit says so */
#define SLACK_US (60 * INT64_C(1000000)) /* commits are not in the order of their times */

struct finder {
    struct plan_work *work;
    const struct events_request *request;
    struct events_summary *summary;
    struct name_book *book;
    struct wal_events *events;
    bool enough;
};

void
events_summary_done(struct events_summary *summary)
{
    free(summary->minutes);
    *summary = EVENTS_SUMMARY_INIT;
}

/* ---- incidents ---- */

static bool
in_window(const struct finder *finder, const struct wal_event *event)
{
    const struct events_window *window = &finder->request->window;

    return !event->has_time ||
           (event->time >= finder->summary->since_us && event->time <= window->until_us);
}

/* The segment with a fork belongs to the new timeline, and begins with a copy of the old one's. */
static uint32_t
timeline_at(const struct plan_path *path, uint64_t lsn)
{
    size_t i = 0;

    while (i + 1 < path->n && lsn >= path->stretches[i].end_lsn)
        i++;
    return path->stretches[i].timeline;
}

static int
take_event(void *context, const struct wal_event *event, struct err *err)
{
    struct finder *finder = context;
    struct incident incident;

    if (finder->enough || !in_window(finder, event) ||
        !incident_describe(event, timeline_at(&finder->work->path, event->lsn), finder->book,
                           &incident))
        return 0;
    int rc = finder->request->incident(finder->request->context, &incident, err);
    finder->enough = rc > 0;
    return rc < 0 ? -1 : 0;
}

/* ---- commits a minute ---- */

static int
add_minute(struct events_summary *summary, const struct wal_index_minute *minute, struct err *err)
{
    size_t at = summary->n_minutes;

    while (at > 0 && summary->minutes[at - 1].minute > minute->minute)
        at--;
    if (at > 0 && summary->minutes[at - 1].minute == minute->minute) {
        summary->minutes[at - 1].commits += minute->commits;
        return 0;
    }
    if (summary->n_minutes == EVENTS_MINUTES_MAX) {
        summary->incomplete = true;
        return 0;
    }
    if (summary->n_minutes == summary->minutes_capacity) {
        size_t wanted = MAX_OF(summary->minutes_capacity * 2, (size_t)256);
        struct events_minute *more = reallocarray(summary->minutes, wanted, sizeof(*more));

        if (more == NULL)
            return err_memory(err, "commits a minute");
        summary->minutes = more;
        summary->minutes_capacity = wanted;
    }
    memmove(&summary->minutes[at + 1], &summary->minutes[at],
            (summary->n_minutes - at) * sizeof(*summary->minutes));
    summary->minutes[at] = (struct events_minute){minute->minute, minute->commits};
    summary->n_minutes++;
    return 0;
}

static int
count_index(struct events_summary *summary, const struct wal_index *index, struct err *err)
{
    struct wal_index_walk walk;
    struct wal_index_minute minute;

    if (index->totals.commits > 0) {
        summary->commits += index->totals.commits;
        summary->until_us = MAX_OF(summary->until_us, index->totals.last_commit.time);
    }
    wal_index_walk_minutes(index, &walk);
    while (wal_index_next_minute(&walk, &minute))
        if (minute.minute >= summary->since_us / US_PER_MINUTE &&
            add_minute(summary, &minute, err) < 0)
            return -1;
    return 0;
}

/* ---- segments ---- */

static int
take_index(struct finder *finder, const struct wal_index *index, struct err *err)
{
    return count_index(finder->summary, index, err) < 0
               ? -1
               : wal_events_feed(finder->events, index, err);
}

static int
take_segment(void *context, const struct wal_scan_segment *segment, struct err *err)
{
    struct finder *finder = context;
    struct events_summary *summary = finder->summary;
    int64_t until_us = finder->request->window.until_us;

    summary->n_segments++;
    summary->last_wal = segment->name;
    if (segment->lost) {
        if (summary->n_lost++ == 0)
            summary->first_lost = segment->name;
        wal_events_gap(finder->events);
        return 0;
    }
    if (segment->summary.damage.kind != WAL_DAMAGE_NONE)
        summary->n_damaged++;
    if (segment->broken != NULL) {
        summary->n_damaged += segment->summary.damage.kind == WAL_DAMAGE_NONE;
        wal_events_gap(finder->events);
    }
    if ((segment->crossing != NULL && take_index(finder, segment->crossing, err) < 0) ||
        take_index(finder, segment->index, err) < 0)
        return -1;
    /* Nothing behind it can lie in the window. */
    const struct wal_index_totals *totals = &segment->index->totals;
    uint64_t to_lsn = finder->request->to_lsn;
    if (to_lsn != 0 && segment->summary.start_lsn > to_lsn + BEHIND_BYTES)
        return 1;
    return finder->enough || (until_us < INT64_MAX - SLACK_US && totals->commits > 0 &&
                              totals->time_min > until_us + SLACK_US);
}

/* ---- where to begin ---- */

struct probe_result {
    bool lost;
    int64_t created_us;
};

static int
take_probe(void *context, const struct wal_scan_segment *segment, struct err *err UNUSED)
{
    struct probe_result *result = context;

    result->lost = segment->lost;
    result->created_us = segment->lost ? 0 : segment->seal.created_us;
    return 0;
}

static int
look_at(struct plan_work *work, uint64_t number, struct probe_result *ret, struct err *err)
{
    const struct wal_scan scan = {
        .work = work,
        .first = number,
        .last = number,
        .context = ret,
        .segment = take_probe,
    };

    return wal_scan_run(&scan, NULL, err);
}

/* The first segment that is archived on the path, or 0 and false. */
static bool
earliest(const struct plan_work *work, uint64_t *ret)
{
    uint64_t size = work->segment_size;

    for (size_t i = 0; i < work->path.n; i++) {
        const struct plan_stretch *stretch = &work->path.stretches[i];
        const struct inventory_timeline *at =
            survey_timeline(&work->survey.together, stretch->timeline);

        for (size_t k = 0; at != NULL && k < at->n_runs; k++) {
            uint64_t first = MAX_OF(at->runs[k].first, stretch->begin_lsn / size);

            if (first <= MIN_OF(at->runs[k].last, (stretch->end_lsn - 1) / size)) {
                *ret = first;
                return true;
            }
        }
    }
    return false;
}

/*
 * A commit is older than the archiving of its segment. So the first segment that was archived at or
 * behind `since` is found by halving; one that cannot be read sends the search to earlier ones.
 */
int
events_first_since(struct plan_work *work, uint64_t first, uint64_t last, int64_t since_us,
                   uint64_t *ret, struct err *err)
{
    while (first < last) {
        uint64_t middle = first + (last - first) / 2;
        struct probe_result result;

        if (look_at(work, middle, &result, err) < 0)
            return -1;
        if (result.lost || result.created_us + SLACK_US >= since_us)
            last = middle;
        else
            first = middle + 1;
    }
    *ret = first;
    return 0;
}

/* The window's beginning, and the segments that can hold it. */
static int
find_range(struct finder *finder, uint64_t *ret_first, uint64_t *ret_last, struct err *err)
{
    struct plan_work *work = finder->work;
    const struct events_window *window = &finder->request->window;
    struct probe_result result = {.lost = true};
    uint64_t first = 0;

    if (!earliest(work, &first))
        return err_set(err, survey_all_asked(work->archive) ? ERR_CONFIG : ERR_TRANSIENT,
                       "no WAL of timeline %" PRIu32 " is archived%s",
                       work->path.stretches[work->path.n - 1].timeline,
                       survey_all_asked(work->archive) ? "" : " in the stores that could be asked");
    *ret_last = plan_wal_archived(work, first);
    finder->summary->since_us = window->since_us;
    if (finder->request->from_lsn != 0) {
        *ret_first = MAX_OF(first, finder->request->from_lsn / work->segment_size);
        return 0;
    }
    for (uint64_t last = *ret_last; window->since_us == INT64_MIN && result.lost && last >= first;
         last--) {
        if (look_at(work, last, &result, err) < 0)
            return -1;
        if (!result.lost)
            finder->summary->since_us = result.created_us - EVENTS_DAY_US;
    }
    return events_first_since(work, first, *ret_last, finder->summary->since_us, ret_first, err);
}

static int
find(struct finder *finder, struct err *err)
{
    struct wal_scan scan = {
        .work = finder->work,
        .deep = finder->request->deep,
        .progress = finder->request->quiet ? NULL : "WAL segments read",
        .context = finder,
        .segment = take_segment,
    };
    struct events_summary *summary = finder->summary;

    if (find_range(finder, &scan.first, &scan.last, err) < 0)
        return -1;
    plan_wal_name(finder->work, scan.first, &summary->first_wal);
    summary->timeline = finder->work->path.stretches[finder->work->path.n - 1].timeline;
    summary->until_us = INT64_MIN;
    if (scan.first <= scan.last && wal_scan_run(&scan, &summary->cost, err) < 0)
        return -1;
    summary->incomplete |= summary->n_lost > 0 || summary->n_damaged > 0 ||
                           wal_events_incomplete(finder->events);
    return 0;
}

int
events_find(struct plan_work *work, const struct events_request *request,
            struct events_summary *ret_summary, struct err *err)
{
    AUTO(name_book) struct name_book *book = NULL;
    AUTO(wal_events) struct wal_events *events = NULL;
    struct finder finder = {.work = work, .request = request, .summary = ret_summary};
    const struct wal_events_options options = {take_event, &finder, request->rows_min};
    const struct name_book_source source = {work->archive, &work->survey.owner, work->notices,
                                            work->request->deadline_ms};

    work->segment_size = work->survey.together.segment_size;
    if (name_book_open(&source, &book, err) < 0 || wal_events_new(&options, &events, err) < 0)
        return -1;
    finder.book = book;
    finder.events = events;
    return find(&finder, err);
}

int
events_survey(struct plan_work *work, struct err *err)
{
    const struct recovery_target *target = &work->request->target;
    uint32_t timeline = target->timeline;

    if (plan_survey(work, err) < 0)
        return -1;
    const struct inventory *together = &work->survey.together;
    if (target->timeline_kind != TARGET_TIMELINE_NUMBER) {
        timeline = 0;
        for (size_t i = 0; i < together->n_timelines; i++)
            if (together->timelines[i].n_segments > 0)
                timeline = MAX_OF(timeline, together->timelines[i].timeline);
        if (timeline == 0)
            return err_set(err, survey_all_asked(work->archive) ? ERR_CONFIG : ERR_TRANSIENT,
                           "no WAL is archived%s",
                           survey_all_asked(work->archive) ? ""
                                                           : " in the stores that could be asked");
    }
    return plan_path_find(work, timeline, &work->path, err);
}
