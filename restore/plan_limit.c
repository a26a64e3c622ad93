/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "catalog/retrieval.h"
#include "restore/plan_parts.h"
#include "restore/report.h"
#include "wal/wal_reader.h"

#define READ_TIMEOUT_MS (5 * 60 * 1000)
#define SEGMENTS_TRIED 4 /* one record can be longer than a small segment */

bool
plan_limit_lsn(struct plan_work *work, const struct plan_wal *wal, uint64_t end, uint64_t *ret_lsn)
{
    for (uint64_t number = end; number > wal->first && end - number < SEGMENTS_TRIED; number--) {
        char object[OBJECT_NAME_SIZE];
        struct wal_name name;
        struct err err = ERR_INIT;
        struct retrieval_request request = {
            .name = object,
            .system_id = work->survey.owner.system_id,
            .max_file_size = work->segment_size,
            .stores = survey_asked(work->archive),
            .deadline_ms = MIN_OF(work->request->deadline_ms, clock_boot_ms() + READ_TIMEOUT_MS),
        };
        AUTO(buf) struct buf file = BUF_INIT(work->segment_size);

        plan_wal_name(work, number - 1, &name);
        object_name_of_wal(&work->survey.owner, &name, object);
        if (retrieve_file(work->archive, &request, work->notices, &file, &err) != 0)
            return false;
        AUTO(wal_reader) struct wal_reader *reader = NULL;
        if (wal_reader_new(NULL, NULL, &reader, &err) < 0)
            return false;
        wal_reader_feed(reader, file.data, file.size);
        /* A recovery target is reached by a record that begins at or behind it. */
        uint64_t last = wal_reader_finish(reader)->last_lsn;
        if (last != 0) {
            *ret_lsn = last;
            return true;
        }
    }
    return false;
}

/* A timeline that left ours before the target, for the hint; 0: none. */
static uint32_t
find_fork(struct plan_work *work, uint64_t lsn, uint64_t *ret_fork)
{
    const struct inventory *together = &work->survey.together;
    uint32_t ours = work->path.stretches[work->path.n - 1].timeline;

    for (size_t i = together->n_timelines; i > 0; i--) {
        const struct inventory_timeline *at = &together->timelines[i - 1];
        struct err ignored = ERR_INIT;

        if (at->timeline <= ours || !at->has_history)
            continue;
        AUTO(ptr) struct plan_path *path = calloc(1, sizeof(*path));
        if (path == NULL || plan_path_find(work, at->timeline, path, &ignored) < 0)
            continue;
        for (size_t s = 0; s + 1 < path->n; s++)
            if (path->stretches[s].timeline == ours && path->stretches[s].end_lsn <= lsn) {
                *ret_fork = path->stretches[s].end_lsn;
                return at->timeline;
            }
    }
    return 0;
}

int
plan_limit_refuse(struct plan_work *work, const struct plan_wal *wal, uint64_t last_record,
                  struct err *err)
{
    bool all = survey_all_asked(work->archive);
    uint64_t fork = 0;
    char target[TARGET_TEXT_SIZE];
    char begin[WAL_LSN_TEXT_SIZE];
    char end[WAL_LSN_TEXT_SIZE];
    char why[120] = "";

    if (last_record != 0)
        (void)snprintf(why, sizeof(why), ": the last record begins at %s",
                       wal_lsn_text(last_record, end));
    (void)err_set(err, all ? ERR_CONFIG : ERR_TRANSIENT,
                  "%s is behind the WAL that is archived on timeline %" PRIu32
                  "%s; with backup %s recovery can go from %s to %s%s",
                  target_text(&work->request->target, target, sizeof(target)),
                  work->path.stretches[work->path.n - 1].timeline, why, work->backup->label,
                  wal_lsn_text(work->backup->complete.stop_lsn, begin),
                  wal_lsn_text(last_record != 0 ? last_record
                                                : wal->contiguous * work->segment_size,
                               end),
                  all ? "" : " (not all stores could be asked)");
    uint64_t stop_lsn = 0;
    uint32_t other = 0;
    if (target_stops_at(&work->request->target, &stop_lsn))
        other = find_fork(work, stop_lsn, &fork);
    if (other != 0)
        return err_hint(err, "Timeline %" PRIu32 " left it at %s: choose that one with "
                             "--timeline %" PRIu32 " if the target lies there.",
                        other, wal_lsn_text(fork, end), other);
    return err_hint(err, "Use --latest to recover all that is archived.");
}
