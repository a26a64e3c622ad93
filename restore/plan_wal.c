/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>

#include "restore/plan_parts.h"

#define NAMES_SHOWN 3

/* The segments a server takes from one timeline of the path; none if first > last. */
struct piece {
    uint32_t timeline;
    uint64_t first;
    uint64_t last;
};

/*
 * A segment in which a timeline forks off stands in the files of both, and the server asks for the
 * child's: it begins with a copy of what the parent wrote before.
 */
static struct piece
piece_of(const struct plan_work *work, size_t i)
{
    const struct plan_path *path = &work->path;
    uint64_t size = work->segment_size;
    struct piece piece = {
        .timeline = path->stretches[i].timeline,
        .first = path->stretches[i].begin_lsn / size,
        .last = UINT64_MAX / size,
    };

    if (i + 1 < path->n) {
        /* The next one's first segment is not ours; if that is our first one, we have none. */
        uint64_t next = path->stretches[i + 1].begin_lsn / size;

        if (next == 0 || next - 1 < piece.first)
            return (struct piece){piece.timeline, 1, 0};
        piece.last = next - 1;
    }
    return piece;
}

/* The greatest archived segment of a timeline in [first, last]. False: there is none. */
static bool
greatest(const struct plan_work *work, uint32_t timeline, uint64_t first, uint64_t last,
         uint64_t *ret)
{
    const struct inventory_timeline *at = survey_timeline(&work->survey.together, timeline);
    bool found = false;

    for (size_t i = 0; at != NULL && i < at->n_runs && at->runs[i].first <= last; i++)
        if (at->runs[i].last >= first) {
            *ret = MIN_OF(at->runs[i].last, last);
            found = true;
        }
    return found;
}

static bool
present(const struct plan_work *work, uint32_t timeline, uint64_t number)
{
    return survey_first_missing(&work->survey.together, timeline, number, number, NULL) > number;
}

/*
 * May the parent's file stand in for the child's where stretch i begins? Only if nothing at all of
 * the child is archived (or fetching would tell a gap), and recovery stops before the fork: behind
 * it the parent's file goes its own way, and nothing would keep the server from following.
 */
static bool
parent_stands_in(const struct plan_work *work, size_t i)
{
    const struct plan_stretch *stretch = &work->path.stretches[i];
    uint64_t number = stretch->begin_lsn / work->segment_size;
    uint64_t any = 0;

    if (i == 0 || stretch->begin_lsn % work->segment_size == 0 || work->backup == NULL ||
        greatest(work, stretch->timeline, number, UINT64_MAX / work->segment_size, &any) ||
        !present(work, work->path.stretches[i - 1].timeline, number))
        return false;
    uint64_t stop_lsn = 0;
    if (target_stops_at(&work->request->target, &stop_lsn))
        return stop_lsn < stretch->begin_lsn;
    return work->request->target.kind == TARGET_BACKUP_END &&
           work->backup->complete.stop_lsn <= stretch->begin_lsn;
}

void
plan_wal_name(const struct plan_work *work, uint64_t number, struct wal_name *ret)
{
    uint32_t timeline = work->path.stretches[0].timeline;

    for (size_t i = 0; i < work->path.n; i++) {
        struct piece piece = piece_of(work, i);

        if (number < piece.first || number > piece.last)
            continue;
        timeline = piece.timeline;
        if (number == piece.first && !present(work, timeline, number) && parent_stands_in(work, i))
            timeline = work->path.stretches[i - 1].timeline;
    }
    wal_name_of_segment(timeline, number, work->segment_size, ret);
}

uint64_t
plan_wal_archived(const struct plan_work *work, uint64_t first)
{
    uint64_t size = work->segment_size;

    for (size_t i = work->path.n; i > 0; i--) {
        const struct plan_stretch *stretch = &work->path.stretches[i - 1];
        uint64_t found = 0;

        if (greatest(work, stretch->timeline, MAX_OF(first, stretch->begin_lsn / size),
                     (stretch->end_lsn - 1) / size, &found))
            return found;
    }
    return first - 1;
}

/*
 * The first hole in [first, last], last + 1 if there is none, as one inventory tells; ret_missing
 * may be NULL. `stand_in`: the parent's file counts where it may.
 */
static uint64_t
scan(const struct plan_work *work, const struct inventory *inventory, uint64_t first, uint64_t last,
     bool stand_in, uint64_t *ret_missing)
{
    uint64_t hole = last + 1;
    uint64_t missing = 0;

    for (size_t i = 0; i < work->path.n; i++) {
        struct piece piece = piece_of(work, i);
        uint64_t from = MAX_OF(piece.first, first);
        uint64_t to = MIN_OF(piece.last, last);
        uint64_t here = 0;

        if (from > to)
            continue;
        if (stand_in && from == piece.first && parent_stands_in(work, i) && ++from > to)
            continue;
        uint64_t at = survey_first_missing(inventory, piece.timeline, from, to, &here);
        missing += here;
        if (here > 0)
            hole = MIN_OF(hole, at);
    }
    if (ret_missing != NULL)
        *ret_missing = missing;
    return hole;
}

uint64_t
plan_wal_hole(const struct plan_work *work, const struct inventory *inventory, uint64_t first,
              uint64_t last)
{
    return scan(work, inventory, first, last, false, NULL);
}

uint64_t
plan_wal_contiguous(const struct plan_work *work, uint64_t first, uint64_t archived)
{
    return archived < first ? first
                            : scan(work, &work->survey.together, first, archived, true, NULL);
}

/* Up to which segment the target needs WAL. */
static uint64_t
last_needed(const struct plan_work *work, uint64_t archived)
{
    uint64_t end_of_backup = (work->backup->complete.stop_lsn - 1) / work->segment_size;

    uint64_t stop_lsn = 0;

    if (target_stops_at(&work->request->target, &stop_lsn))
        return MAX_OF(stop_lsn / work->segment_size, end_of_backup);
    return work->request->target.kind == TARGET_BACKUP_END ? end_of_backup
                                                           : MAX_OF(archived, end_of_backup);
}

/* " 0000...5, 0000...6 and 3 more" */
static void
name_missing(const struct plan_work *work, const struct plan_wal *wal, uint64_t missing, char *text,
             size_t size)
{
    uint64_t number = wal->contiguous;
    size_t at = 0;

    for (uint64_t n = 0; n < MIN_OF(missing, (uint64_t)NAMES_SHOWN); n++) {
        struct wal_name name;

        plan_wal_name(work, number, &name);
        at += (size_t)snprintf(text + at, size - at, "%s %s", n == 0 ? "" : ",", name.text);
        if (n + 1 < missing)
            number = scan(work, &work->survey.together, number + 1, wal->needed, true, NULL);
    }
    if (missing > NAMES_SHOWN)
        (void)snprintf(text + at, size - at, " and %" PRIu64 " more", missing - NAMES_SHOWN);
}

/* "; store "a" lacks 3 of 17, store "b" was not asked" */
static void
name_stores(const struct plan_work *work, const struct plan_wal *wal, char *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < work->archive->n_stores && at < size; i++) {
        const struct archive_store *store = &work->archive->stores[i];
        uint64_t lacks = 0;

        at += (size_t)snprintf(text + at, size - at, "%s store \"%s\" ", i == 0 ? ";" : ",",
                               store->settings->name);
        if (at >= size)
            return;
        if (store->open_err.kind != ERR_NONE) {
            at += (size_t)snprintf(text + at, size - at, "could not be asked");
            continue;
        }
        (void)scan(work, &work->survey.stores[i], wal->first, wal->needed, false, &lacks);
        at += (size_t)snprintf(text + at, size - at, "lacks %" PRIu64 " of %" PRIu64, lacks,
                               wal->needed - wal->first + 1);
    }
}

/* The parent's copy of the segment with the fork is there, and it is a trap. */
static bool
fork_is_missing(const struct plan_work *work, uint64_t number, const struct plan_stretch **ret)
{
    for (size_t i = 1; i < work->path.n; i++) {
        const struct plan_stretch *stretch = &work->path.stretches[i];

        if (piece_of(work, i).first == number && stretch->begin_lsn % work->segment_size != 0 &&
            present(work, work->path.stretches[i - 1].timeline, number)) {
            *ret = stretch;
            return true;
        }
    }
    return false;
}

static int
refuse_gap(struct plan_work *work, const struct plan_wal *wal, struct err *err)
{
    const struct plan_stretch *fork = NULL;
    char names[200];
    char stores[500];
    char trap[160] = "";
    char lsn[WAL_LSN_TEXT_SIZE];
    uint64_t missing = 0;

    (void)scan(work, &work->survey.together, wal->first, wal->needed, true, &missing);
    name_missing(work, wal, missing, names, sizeof(names));
    name_stores(work, wal, stores, sizeof(stores));
    if (fork_is_missing(work, wal->contiguous, &fork))
        (void)snprintf(trap, sizeof(trap),
                       " (timeline %" PRIu32 " begins at %s in it; the older timeline's file of "
                       "this segment goes another way from there)",
                       fork->timeline, wal_lsn_text(fork->begin_lsn, lsn));
    (void)err_set(err, survey_all_asked(work->archive) ? ERR_CONFLICT : ERR_TRANSIENT,
                  "%" PRIu64 " of %" PRIu64 " needed WAL segments %s in no store:%s%s%s", missing,
                  wal->needed - wal->first + 1, missing == 1 ? "is" : "are", names, trap, stores);
    return plan_health_refuse(work, wal, wal->contiguous, err);
}

/* The segment with the end of the WAL holds no record the target could be: known if it is read. */
static int
check_reach(struct plan_work *work, const struct plan_wal *wal, struct err *err)
{
    uint64_t last_record = 0;
    uint64_t stop_lsn = 0;

    if (!target_stops_at(&work->request->target, &stop_lsn) ||
        wal->needed + 1 != wal->contiguous ||
        !plan_limit_lsn(work, wal, wal->contiguous, &last_record) || stop_lsn <= last_record)
        return 0;
    return plan_limit_refuse(work, wal, last_record, err);
}

int
plan_wal_find(struct plan_work *work, struct plan_wal *ret, struct err *err)
{
    struct plan_wal wal = {
        .first = wal_name_segment_number(&work->backup->complete.first_wal, work->segment_size),
    };

    wal.archived = plan_wal_archived(work, wal.first);
    wal.contiguous = plan_wal_contiguous(work, wal.first, wal.archived);
    wal.needed = last_needed(work, wal.archived);
    uint64_t stop_lsn = 0;
    if (target_stops_at(&work->request->target, &stop_lsn) && wal.needed > wal.archived &&
        wal.contiguous > (work->backup->complete.stop_lsn - 1) / work->segment_size)
        return plan_limit_refuse(work, &wal, 0, err);
    if (wal.needed >= wal.contiguous)
        return refuse_gap(work, &wal, err);
    if (check_reach(work, &wal, err) < 0)
        return -1;
    *ret = wal;
    return 0;
}
