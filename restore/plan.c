/* SPDX-License-Identifier: PostgreSQL */
#include "restore/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "restore/plan_parts.h"

#define SYSTEMS_SHOWN 8

/* The only system identifier in the archive. */
static int
only_system(const struct archive *archive, const uint64_t *systems, size_t n, uint64_t *ret,
            struct err *err)
{
    char list[SYSTEMS_SHOWN * 24] = "";
    size_t at = 0;

    if (n == 1) {
        *ret = systems[0];
        return 0;
    }
    if (n == 0)
        return err_set(err, survey_all_asked(archive) ? ERR_CONFIG : ERR_TRANSIENT,
                       "nothing of cluster \"%s\" is archived%s", archive->settings->cluster,
                       survey_all_asked(archive) ? "" : " in the stores that could be asked");
    for (size_t i = 0; i < MIN_OF(n, (size_t)SYSTEMS_SHOWN); i++)
        at += (size_t)snprintf(list + at, sizeof(list) - at, " %" PRIu64, systems[i]);
    (void)err_set(err, ERR_CONFIG, "cluster \"%s\" has %zu system identifiers:%s%s",
                  archive->settings->cluster, n, list, n > SYSTEMS_SHOWN ? " ..." : "");
    return err_hint(err, "Choose one with --system-id.");
}

static int
find_system(struct plan_work *work, uint64_t *ret, struct err *err)
{
    struct archive *archive = work->archive;
    uint64_t systems[INVENTORY_SYSTEMS_MAX];
    const char *text = archive->settings->system_id;
    uint64_t wanted = work->request->system_id;

    size_t n = survey_systems(archive, work->request->deadline_ms, systems);
    if (survey_asked(archive) == 0) {
        *err = archive->stores[0].open_err;
        return err_wrap(err, "no store could be asked");
    }
    if (wanted == 0 && text != NULL)
        (void)decimal_read(text, strlen(text), UINT64_MAX, &wanted);
    if (wanted == 0)
        return only_system(archive, systems, n, ret, err);
    for (size_t i = 0; i < n; i++)
        if (systems[i] == wanted) {
            *ret = wanted;
            return 0;
        }
    return err_set(err, survey_all_asked(archive) ? ERR_CONFIG : ERR_TRANSIENT,
                   "nothing of system identifier %" PRIu64 " of cluster \"%s\" is archived%s",
                   wanted, archive->settings->cluster,
                   survey_all_asked(archive) ? "" : " in the stores that could be asked");
}

static void
tell_stores_away(const struct plan_work *work)
{
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        const struct archive_store *store = &work->archive->stores[i];

        if (store->open_err.kind != ERR_NONE)
            notice_err(work->notices, LOG_WARNING, &store->open_err,
                       "store \"%s\" is left out, and what only it has",
                       store->settings->name);
    }
}

static void
fill_backup(struct plan_work *work)
{
    const struct backup_complete *complete = &work->backup->complete;
    struct plan *plan = &work->plan;

    (void)snprintf(plan->cluster, sizeof(plan->cluster), "%s", work->survey.owner.cluster);
    (void)snprintf(plan->label, sizeof(plan->label), "%s", work->backup->label);
    plan->system_id = work->survey.owner.system_id;
    plan->backup_start_lsn = complete->start_lsn;
    plan->backup_stop_lsn = complete->stop_lsn;
    plan->backup_timeline = complete->start_timeline;
    plan->backup_start_time = complete->start_time;
    plan->backup_stop_time = complete->stop_time;
    plan->segment_size = complete->segment_size;
    plan->backup_bytes = complete->n_bytes;
    plan->fetch_bytes = complete->stored_bytes;
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        const struct archive_store *store = &work->archive->stores[i];

        (void)snprintf(plan->stores[i].name, sizeof(plan->stores[i].name), "%s",
                       store->settings->name);
        plan->stores[i].asked = store->open_err.kind == ERR_NONE;
        plan->stores[i].has_backup = (work->backup->stores & (uint32_t)1 << i) != 0;
    }
    plan->n_stores = work->archive->n_stores;
}

/* The path from the backup's timeline on. */
static void
fill_path(struct plan_work *work)
{
    struct plan *plan = &work->plan;

    plan->n_path = 0;
    for (size_t i = 0; i < work->path.n; i++)
        if (plan->n_path > 0 || work->path.stretches[i].timeline == plan->backup_timeline)
            plan->path[plan->n_path++] = work->path.stretches[i];
    plan->timeline = plan->path[plan->n_path - 1].timeline;
}

/* The window begins with the oldest backup from which WAL leads here without a gap. */
static void
fill_window(struct plan_work *work, const struct plan_wal *wal)
{
    struct plan *plan = &work->plan;
    const struct backup_found *oldest = work->backup;

    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];

        if (!found->readable || found->complete.segment_size != work->segment_size ||
            found->complete.stop_lsn >= oldest->complete.stop_lsn ||
            !plan_path_holds(&work->path, &found->complete))
            continue;
        uint64_t first = wal_name_segment_number(&found->complete.first_wal, work->segment_size);
        if (plan_wal_contiguous(work, first, wal->archived) >= wal->contiguous)
            oldest = found;
    }
    plan->window_begin_lsn = oldest->complete.stop_lsn;
    plan->window_begin_time = oldest->complete.stop_time;
    plan->window_end_lsn = wal->contiguous * work->segment_size;
    plan->gap_behind = wal->needed + 1 == wal->contiguous && wal->contiguous <= wal->archived;
    plan->n_segments = wal->needed - wal->first + 1;
    plan_wal_name(work, wal->first, &plan->first_wal);
    plan_wal_name(work, wal->needed, &plan->last_wal);
}

int
plan_survey(struct plan_work *work, struct err *err)
{
    uint64_t system_id = 0;

    if (find_system(work, &system_id, err) < 0 ||
        survey_read(work->archive, system_id, work->request->deadline_ms, work->notices,
                    &work->survey, err) < 0)
        return -1;
    tell_stores_away(work);
    return 0;
}

/* Where exactly, and with which backup then. 0 or -1. */
static int
resolve_target(struct plan_work *work, struct err *err)
{
    uint64_t stop_lsn = 0;

    if (plan_target_resolve(work, &work->resolved.target, err) < 0)
        return -1;
    work->request = &work->resolved;
    if (work->request->target.found_lsn == 0 &&
        !target_stops_at(&work->request->target, &stop_lsn))
        return 0;
    work->backup = NULL;
    return plan_choose(work, err);
}

static int
make(struct plan_work *work, struct backup_complete *ret_complete, struct err *err)
{
    const struct plan_request *request = &work->resolved;
    struct plan_wal wal;

    if (plan_survey(work, err) < 0 || plan_choose(work, err) < 0 ||
        resolve_target(work, err) < 0)
        return -1;
    work->segment_size = work->backup->complete.segment_size;
    if (work->survey.together.segment_size != 0 &&
        work->survey.together.segment_size != work->segment_size)
        return err_set(err, ERR_CONFLICT,
                       "backup %s has WAL segments of %" PRIu32 " bytes, the archive of %" PRIu32,
                       work->backup->label, work->segment_size,
                       work->survey.together.segment_size);
    work->plan.target = request->target;
    fill_backup(work);
    fill_path(work);
    if (plan_path_check(work, err) < 0 || plan_wal_find(work, &wal, err) < 0)
        return -1;
    fill_window(work, &wal);
    work->plan.rpo_s = work->archive->settings->rpo;
    work->plan.rto_s = work->archive->settings->rto;
    if (plan_proof(work, &wal, err) < 0 || plan_loss_count(work, &wal, err) < 0)
        return -1;
    const struct backups_source source = {work->archive, &work->survey.owner, work->notices,
                                          request->deadline_ms};
    return backups_read_one(&source, work->backup->label, work->backup->stores, ret_complete, err);
}

int
plan_make(struct archive *archive, const struct plan_request *request, struct notices *notices,
          struct plan *ret_plan, struct backup_complete *ret_complete, struct err *err)
{
    AUTO(ptr) struct plan_work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return err_memory(err, "plan");
    work->archive = archive;
    work->request = request;
    work->resolved = *request;
    work->notices = notices;
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        work->first_bad[i] = UINT64_MAX;
    work->first_lost = UINT64_MAX;
    int rc = make(work, ret_complete, err);
    work->plan.n_requests = work->cost.requests;
    work->plan.read_bytes = work->cost.bytes;
    if (rc == 0 || work->plan.refused)
        *ret_plan = work->plan;
    survey_done(&work->survey);
    return rc;
}
