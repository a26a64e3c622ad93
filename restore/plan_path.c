/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/retrieval.h"
#include "restore/plan_parts.h"

#define READ_TIMEOUT_MS (60 * 1000)

static int
missing_history(const struct plan_work *work, const struct wal_name *name, struct err *err)
{
    if (!survey_all_asked(work->archive))
        return err_set(err, ERR_TRANSIENT,
                       "\"%s\" is in none of the stores that could be asked, and not all could",
                       name->text);
    (void)err_set(err, ERR_CONFLICT, "history file \"%s\" is in none of the stores", name->text);
    return err_hint(err,
                    "If a server still has it in pg_wal, archive it with seawall-push. Another "
                    "timeline can be chosen with --timeline.");
}

/* The file as one store has it. 0, RETRIEVAL_ABSENT or -1. */
static int
read_copy(struct plan_work *work, const struct wal_name *name, size_t store, struct buf *text,
          struct err *err)
{
    char object[OBJECT_NAME_SIZE];
    struct retrieval_request request = {
        .name = object,
        .system_id = work->survey.owner.system_id,
        .max_file_size = WAL_HISTORY_FILE_MAX,
        .stores = (uint32_t)1 << store,
        .deadline_ms = MIN_OF(work->request->deadline_ms, clock_boot_ms() + READ_TIMEOUT_MS),
    };

    object_name_of_wal(&work->survey.owner, name, object);
    return retrieve_file(work->archive, &request, work->notices, text, err);
}

static int
differ(const struct plan_work *work, const struct wal_name *name, const struct buf *left,
       size_t left_store, const struct buf *right, size_t right_store, struct err *err)
{
    char left_text[300];
    char right_text[300];

    (void)err_quote((const char *)left->data, left->size, left_text, sizeof(left_text));
    (void)err_quote((const char *)right->data, right->size, right_text, sizeof(right_text));
    return err_set(err, ERR_CONFLICT,
                   "the stores have different files \"%s\": \"%s\" in store \"%s\", \"%s\" in "
                   "store \"%s\"",
                   name->text, left_text, work->archive->stores[left_store].settings->name,
                   right_text, work->archive->stores[right_store].settings->name);
}

/* Read a history file from every store that lists it: they must agree. 0 or -1. */
static int
read_history(struct plan_work *work, uint32_t timeline, struct wal_history *ret, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(WAL_HISTORY_FILE_MAX);
    struct err why = ERR_INIT;
    struct wal_name name;
    size_t from = work->archive->n_stores; /* none yet */

    wal_name_of_history(timeline, &name);
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        const struct inventory_timeline *at = survey_timeline(&work->survey.stores[i], timeline);
        AUTO(buf) struct buf copy = BUF_INIT(WAL_HISTORY_FILE_MAX);

        if (work->archive->stores[i].open_err.kind != ERR_NONE || at == NULL || !at->has_history)
            continue;
        int rc = read_copy(work, &name, i, &copy, &why);
        if (rc < 0) {
            notice_err(work->notices, LOG_WARNING, &why, "a copy of \"%s\" is passed over",
                       name.text);
            continue;
        }
        if (rc > 0)
            continue;
        if (from == work->archive->n_stores) {
            from = i;
            text = copy;
            copy = BUF_INIT(WAL_HISTORY_FILE_MAX);
        } else if (text.size != copy.size ||
                   (text.size > 0 && memcmp(text.data, copy.data, text.size) != 0)) {
            return differ(work, &name, &text, from, &copy, i, err);
        }
    }
    if (from < work->archive->n_stores)
        return wal_history_parse((const char *)text.data, text.size, timeline, ret, err);
    if (why.kind == ERR_NONE)
        return missing_history(work, &name, err);
    *err = why;
    return -1;
}

int
plan_path_find(struct plan_work *work, uint32_t timeline, struct plan_path *ret, struct err *err)
{
    struct wal_history history = {.timeline = timeline};
    uint64_t begin = 0;

    /* Timeline 1 has no file and no ancestors. */
    if (timeline != 1 && read_history(work, timeline, &history, err) < 0)
        return -1;
    ret->n = 0;
    for (size_t i = 0; i < history.n_entries; i++) {
        uint64_t end = UINT64_MAX;

        for (size_t later = i; later < history.n_entries; later++)
            end = MIN_OF(end, history.entries[later].switch_lsn);
        if (end <= begin)
            continue;
        ret->stretches[ret->n++] =
            (struct plan_stretch){history.entries[i].timeline, begin, end};
        begin = end;
    }
    ret->stretches[ret->n++] = (struct plan_stretch){timeline, begin, UINT64_MAX};
    return 0;
}

static const struct plan_stretch *
stretch_of(const struct plan_path *path, uint32_t timeline)
{
    for (size_t i = 0; i < path->n; i++)
        if (path->stretches[i].timeline == timeline)
            return &path->stretches[i];
    return NULL;
}

bool
plan_path_holds(const struct plan_path *path, const struct backup_complete *complete)
{
    const struct plan_stretch *at = stretch_of(path, complete->start_timeline);

    /* What the server holds against a backup: its checkpoint and its end must be on the path. */
    return at != NULL && complete->start_timeline == complete->stop_timeline &&
           complete->checkpoint_lsn >= at->begin_lsn && complete->stop_lsn <= at->end_lsn &&
           complete->start_lsn / complete->segment_size >=
               at->begin_lsn / complete->segment_size;
}

/* Is `path` that of an ancestor, so that the way of the plan goes along it? */
static bool
agrees(const struct plan_path *path, const struct plan_path *whole)
{
    size_t n = path->n - 1;

    /* An ancestor that contributes nothing stands for a branch that was given up later. */
    if (stretch_of(whole, path->stretches[n].timeline) == NULL)
        return true;
    for (size_t i = 0; i <= n; i++) {
        const struct plan_stretch *left = &path->stretches[i];
        const struct plan_stretch *right = &whole->stretches[i];

        if (i >= whole->n || left->timeline != right->timeline ||
            left->begin_lsn != right->begin_lsn || (i < n && left->end_lsn != right->end_lsn))
            return false;
    }
    return true;
}

static bool
exists(const struct plan_work *work, uint32_t timeline)
{
    const struct inventory_timeline *at = survey_timeline(&work->survey.together, timeline);

    return at != NULL && at->has_history;
}

/* Holes above: the server looks for a free number when it is promoted. */
static void
warn_above(const struct plan_work *work)
{
    const struct inventory *together = &work->survey.together;

    if (together->n_timelines == 0)
        return;
    uint32_t highest = together->timelines[together->n_timelines - 1].timeline;
    for (uint32_t timeline = work->plan.timeline; timeline < highest;) {
        struct wal_name name;

        if (exists(work, ++timeline))
            continue;
        wal_name_of_history(timeline, &name);
        notice(work->notices, LOG_WARNING,
               "\"%s\" is missing although WAL or history of timeline %" PRIu32
               " is archived: the restored server will not come up for writes until it is there",
               name.text, highest);
        return;
    }
}

int
plan_path_check(struct plan_work *work, struct err *err)
{
    uint32_t from = work->backup->complete.start_timeline;

    for (uint32_t timeline = MAX_OF(from, (uint32_t)2); timeline <= work->plan.timeline;
         timeline++) {
        AUTO(ptr) struct plan_path *path = calloc(1, sizeof(*path));
        struct wal_name name;

        if (path == NULL)
            return err_memory(err, "path");
        wal_name_of_history(timeline, &name);
        if (!exists(work, timeline))
            return missing_history(work, &name, err);
        if (stretch_of(&work->path, timeline) == NULL)
            continue;
        if (plan_path_find(work, timeline, path, err) < 0)
            return -1;
        if (!agrees(path, &work->path))
            return err_set(err, ERR_CONFLICT,
                           "\"%s\" and the history of timeline %" PRIu32
                           " tell different stories about the way to timeline %" PRIu32,
                           name.text, work->plan.timeline, timeline);
    }
    warn_above(work);
    return 0;
}
