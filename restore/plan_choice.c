/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "restore/plan_parts.h"
#include "restore/report.h"

bool
plan_backup_before(const struct recovery_target *target, const struct backup_complete *complete)
{
    uint64_t stop_lsn = target->found_lsn;

    if (target_stops_at(target, &stop_lsn) || stop_lsn != 0)
        return complete->stop_lsn <= stop_lsn;
    switch (target->kind) {
    case TARGET_TIME:
        /* The end is known to the second only. */
        return (complete->stop_time + 1) * 1000000 <= target->time_us;
    case TARGET_LATEST:
    case TARGET_BACKUP_END:
    case TARGET_LSN:
    case TARGET_XID:
    case TARGET_NAME:
    case TARGET_BEFORE:
        break;
    }
    return true;
}

/* May this backup be chosen at all? */
static bool
wanted(const struct plan_work *work, const struct backup_found *found)
{
    const char *label = work->request->label;

    return found->readable && found->complete.start_timeline == found->complete.stop_timeline &&
           (label == NULL || strcmp(label, found->label) == 0);
}

static size_t
count_on_path(const struct plan_work *work, const struct plan_path *path)
{
    size_t n = 0;

    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        n += wanted(work, found) && plan_path_holds(path, &found->complete);
    }
    return n;
}

/* The greatest timeline below `below` that anything is known of; 0: none. */
static uint32_t
next_timeline(const struct plan_work *work, uint64_t below)
{
    const struct inventory *together = &work->survey.together;
    uint32_t found = 0;

    for (size_t i = 0; i < together->n_timelines; i++) {
        const struct inventory_timeline *at = &together->timelines[i];

        if ((at->has_history || at->n_segments > 0) && at->timeline < below)
            found = MAX_OF(found, at->timeline);
    }
    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *backup = &work->survey.backups.items[i];

        if (wanted(work, backup) && backup->complete.start_timeline < below)
            found = MAX_OF(found, backup->complete.start_timeline);
    }
    return found;
}

/* A label that cannot be used: why not? Always -1. */
static int
refuse_label(struct plan_work *work, struct err *err)
{
    const struct backups_source source = {work->archive, &work->survey.owner, work->notices,
                                          work->request->deadline_ms};
    const char *label = work->request->label;
    char quoted[80];

    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (strcmp(found->label, label) != 0)
            continue;
        if (found->readable)
            return err_set(err, ERR_CONFLICT,
                           "backup %s began on timeline %" PRIu32 " and ended on timeline %" PRIu32
                           ": it cannot be restored",
                           label, found->complete.start_timeline, found->complete.stop_timeline);
        AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
        if (backups_read_one(&source, label, found->stores, &complete, err) < 0)
            return -1;
        return err_set(err, ERR_TRANSIENT, "backup %s could not be read at first", label);
    }
    (void)err_quote(label, strlen(label), quoted, sizeof(quoted));
    (void)err_set(err, survey_all_asked(work->archive) ? ERR_CONFIG : ERR_TRANSIENT,
                  "there is no complete backup \"%s\"%s", quoted,
                  survey_all_asked(work->archive) ? ""
                                                  : " in the stores that could be asked");
    return err_hint(err, "\"seawall list\" shows what there is.");
}

static int
refuse_without_backup(struct plan_work *work, const char *why, struct err *err)
{
    bool all = survey_all_asked(work->archive);

    (void)err_set(err, all ? ERR_CONFIG : ERR_TRANSIENT, "%s%s", why,
                  all ? "" : " in the stores that could be asked");
    return err_hint(err, "\"seawall list\" shows what there is; recovery begins with a complete "
                         "backup.");
}

/* The newest timeline that has a backup on its way. */
static int
follow_latest(struct plan_work *work, struct err *err)
{
    uint32_t newer = 0;

    for (uint64_t below = (uint64_t)UINT32_MAX + 1;;) {
        uint32_t timeline = next_timeline(work, below);

        if (timeline == 0)
            return refuse_without_backup(work, "there is no backup to begin with", err);
        if (plan_path_find(work, timeline, &work->path, err) < 0)
            return -1;
        if (count_on_path(work, &work->path) > 0) {
            if (newer != 0)
                notice(work->notices, LOG_WARNING,
                       "timeline %" PRIu32 " is newer than timeline %" PRIu32
                       ", which is followed: no %s leads to it",
                       newer, timeline, work->request->label == NULL ? "backup" : "way from it");
            return 0;
        }
        newer = MAX_OF(newer, timeline);
        below = timeline;
    }
}

static int
follow_number(struct plan_work *work, struct err *err)
{
    uint32_t timeline = work->request->target.timeline;
    const struct inventory_timeline *at = survey_timeline(&work->survey.together, timeline);
    char why[80];

    if (timeline != 1 && survey_all_asked(work->archive) &&
        (at == NULL || (!at->has_history && at->n_segments == 0))) {
        (void)err_set(err, ERR_CONFIG, "there is no timeline %" PRIu32, timeline);
        return err_hint(err, "\"seawall list\" shows what there is.");
    }
    if (plan_path_find(work, timeline, &work->path, err) < 0)
        return -1;
    if (count_on_path(work, &work->path) > 0)
        return 0;
    (void)snprintf(why, sizeof(why), "no such backup leads to timeline %" PRIu32, timeline);
    return refuse_without_backup(work, why, err);
}

/* The timeline of the newest backup before the target. */
static int
follow_current(struct plan_work *work, struct err *err)
{
    const struct backup_found *newest = NULL;
    const struct backup_found *oldest = NULL;

    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (!wanted(work, found))
            continue;
        if (oldest == NULL || found->complete.stop_time < oldest->complete.stop_time)
            oldest = found;
        if (plan_backup_before(&work->request->target, &found->complete) &&
            (newest == NULL || found->complete.stop_time >= newest->complete.stop_time))
            newest = found;
    }
    if (newest == NULL)
        newest = oldest; /* the choice of a backup will refuse it, and say why */
    if (newest == NULL)
        return refuse_without_backup(work, "there is no backup to begin with", err);
    return plan_path_find(work, newest->complete.start_timeline, &work->path, err);
}

/* The target lies before every backup on the path. */
static int
refuse_too_early(struct plan_work *work, const struct backup_found *oldest, struct err *err)
{
    char target[TARGET_TEXT_SIZE];
    char time[REPORT_TEXT_SIZE];
    char lsn[WAL_LSN_TEXT_SIZE];
    bool all = survey_all_asked(work->archive);

    (void)err_set(err, all ? ERR_CONFIG : ERR_TRANSIENT,
                  "%s is before the end of backup %s (LSN %s, time %s), %s on timeline %" PRIu32
                  "%s",
                  target_text(&work->request->target, target, sizeof(target)), oldest->label,
                  wal_lsn_text(oldest->complete.stop_lsn, lsn),
                  report_time(oldest->complete.stop_time, time),
                  work->request->label == NULL ? "the oldest one to begin with"
                                               : "which was asked for,",
                  work->path.stretches[work->path.n - 1].timeline,
                  all ? "" : " in the stores that could be asked");
    return err_hint(err, work->request->label == NULL
                             ? "The window of recovery begins there. Without a backup before the "
                               "target the server would not stop at it."
                             : "Leave --backup away, or choose an older one.");
}

static int
choose_backup(struct plan_work *work, struct err *err)
{
    const struct backup_found *oldest = NULL;

    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (!wanted(work, found) || !plan_path_holds(&work->path, &found->complete))
            continue;
        if (oldest == NULL || found->complete.stop_lsn < oldest->complete.stop_lsn)
            oldest = found;
        if (plan_backup_before(&work->request->target, &found->complete) &&
            (work->backup == NULL ||
             found->complete.stop_lsn >= work->backup->complete.stop_lsn))
            work->backup = found;
    }
    if (work->backup == NULL && oldest == NULL)
        return refuse_without_backup(work, "there is no backup to begin with", err);
    if (work->backup == NULL)
        return refuse_too_early(work, oldest, err);
    return 0;
}

/* Backups that nothing but the reason below speaks against are named once. */
static void
tell_passed_over(const struct plan_work *work)
{
    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (found->readable && found->complete.start_timeline != found->complete.stop_timeline)
            notice(work->notices, LOG_WARNING,
                   "backup %s is passed over: it began on timeline %" PRIu32
                   " and ended on timeline %" PRIu32,
                   found->label, found->complete.start_timeline, found->complete.stop_timeline);
    }
}

static bool
label_usable(const struct plan_work *work)
{
    for (size_t i = 0; i < work->survey.backups.n; i++)
        if (wanted(work, &work->survey.backups.items[i]))
            return true;
    return false;
}

int
plan_choose(struct plan_work *work, struct err *err)
{
    int rc = -1;

    if (work->request->label != NULL && !label_usable(work))
        return refuse_label(work, err);
    tell_passed_over(work);
    switch (work->request->target.timeline_kind) {
    case TARGET_TIMELINE_LATEST:
        rc = follow_latest(work, err);
        break;
    case TARGET_TIMELINE_NUMBER:
        rc = follow_number(work, err);
        break;
    case TARGET_TIMELINE_CURRENT:
        rc = follow_current(work, err);
        break;
    }
    return rc < 0 ? -1 : choose_backup(work, err);
}
