/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive/sync_parts.h"
#include "base/amount.h"
#include "base/clock.h"
#include "base/hex.h"

enum fill_outcome {
    FILL_NOTHING = 1, /* this name needs no work */
    FILL_LATER = 2,   /* nothing can begin just now */
    FILL_END = 3,
};

static uint32_t
bit(size_t store)
{
    return (uint32_t)1 << store;
}

/* ---- what a name is ---- */

static void
count_other(struct sync_work *work)
{
    for (size_t i = 0; i < work->archive->n_stores; i++)
        if ((work->next.has & bit(i)) != 0)
            work->totals[i].n_others++;
}

/* "<cluster>/<system id>/...": whose it is, and what follows. False: none of ours. */
static bool
read_owner(const struct sync_work *work, const char *name, struct object_owner *ret,
           const char **ret_rest)
{
    const char *cluster = work->archive->settings->cluster;
    const char *id = name + strlen(cluster) + 1;
    size_t length = strcspn(id, "/");

    ret->cluster = cluster;
    if (strlen(name) > SEAL_NAME_MAX || id[length] != '/' ||
        !decimal_read(id, length, UINT64_MAX, &ret->system_id))
        return false;
    *ret_rest = id + length + 1;
    return true;
}

static int
note_system(struct sync_work *work, uint64_t system_id, struct err *err)
{
    for (size_t i = 0; i < work->n_systems; i++)
        if (work->systems[i] == system_id)
            return 0;
    if (work->n_systems == INVENTORY_SYSTEMS_MAX)
        return err_set(err, ERR_CORRUPT, "there are more than %d system identifiers in cluster "
                       "\"%s\"", INVENTORY_SYSTEMS_MAX, work->archive->settings->cluster);
    work->systems[work->n_systems++] = system_id;
    return 0;
}

/* ---- items ---- */

static void
count_name(struct sync_work *work)
{
    const struct sync_name *name = &work->next;

    work->n_names++;
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        if ((name->has & bit(i)) != 0)
            work->totals[i].n_objects++;
        else if ((name->listed & work->request->targets & bit(i)) != 0)
            work->totals[i].n_lacking++;
    }
}

/* Put the name at hand to work, if it needs any. 0, FILL_NOTHING, or FILL_LATER. */
static int
begin(struct sync_work *work, struct sync_item *item, const struct sync_name *name,
      uint64_t system_id, uint32_t may_get)
{
    struct sync_item planned;

    if (!sync_item_plan(work, name, may_get, &planned))
        return FILL_NOTHING;
    if (work->memory > 0 && work->memory + planned.memory > SYNC_MEMORY)
        return FILL_LATER;
    planned.system_id = system_id;
    work->memory += planned.memory;
    *item = planned;
    return 0;
}

/* What is not a backup's. */
static int
begin_other(struct sync_work *work, struct sync_item *item, struct err *err)
{
    struct object_owner owner;
    char after[OBJECT_NAME_SIZE];
    const char *rest = NULL;

    if (!read_owner(work, work->next.name, &owner, &rest)) {
        if (strncmp(work->next.name + strlen(owner.cluster), "/probe/", 7) != 0)
            count_other(work);
        return FILL_NOTHING;
    }
    if (note_system(work, owner.system_id, err) < 0)
        return -1;
    if (strncmp(rest, "backup/", 7) == 0) {
        /* Backups come last. '0' is the character behind '/'. */
        backup_name_prefix(&owner, after);
        after[strlen(after) - 1] = '0';
        sync_names_skip(work->names, after);
        return FILL_NOTHING;
    }
    if (!sync_since_wants(work, &owner, &work->next))
        return FILL_NOTHING;
    int rc = begin(work, item, &work->next, owner.system_id, work->targets);
    if (rc != FILL_LATER)
        count_name(work);
    return rc;
}

/* ---- backups ---- */

/* The label in a name below ".../backup/"; false: there is none. */
static bool
read_label(const struct sync_work *work, char *ret_label, const char **ret_rest)
{
    char prefix[OBJECT_NAME_SIZE];

    backup_name_prefix(&work->owner, prefix);
    const char *label = work->next.name + strlen(prefix);
    size_t length = strcspn(label, "/");
    if (length != BACKUP_LABEL_SIZE - 1 || label[length] != '/' ||
        !backup_label_valid(label, length))
        return false;
    memcpy(ret_label, label, length);
    ret_label[length] = '\0';
    *ret_rest = label + length + 1;
    return true;
}

static void
leave_backup(struct sync_work *work)
{
    struct sync_backup *backup = work->backup;

    work->backup = NULL;
    if (backup == NULL)
        return;
    backup->ended = true;
    if (backup->complete.has == 0) {
        work->n_incomplete++;
        backup->used = backup->under_way > 0;
    }
}

/* Take a place for this backup. False: all are taken. */
static bool
enter_backup(struct sync_work *work, const char *label)
{
    if (work->backup != NULL && strcmp(work->backup->label, label) == 0)
        return true;
    leave_backup(work);
    for (size_t i = 0; i < SYNC_BACKUPS_MAX; i++) {
        struct sync_backup *backup = &work->backups[i];

        if (backup->used)
            continue;
        *backup = (struct sync_backup){.used = true};
        (void)snprintf(backup->label, sizeof(backup->label), "%s", label);
        work->backup = backup;
        return true;
    }
    return false;
}

/* An object below a label. */
static int
begin_labelled(struct sync_work *work, struct sync_item *item, const char *rest)
{
    struct sync_backup *backup = work->backup;
    enum backup_object_kind kind = BACKUP_COMPLETE;
    char label[BACKUP_LABEL_SIZE];
    uint32_t number = 0;

    if (strcmp(rest, "complete") == 0) {
        backup->complete = work->next;
        count_name(work);
        return FILL_NOTHING;
    }
    /* "complete" comes before parts and manifests: without it they belong to no backup. */
    if (backup->complete.has == 0 && strcmp(rest, "complete") > 0)
        return FILL_NOTHING;
    int rc = begin(work, item, &work->next, work->owner.system_id, work->targets);
    if (rc == FILL_LATER)
        return rc;
    count_name(work);
    if (backup_name_parse(&work->owner, work->next.name, label, &kind, &number))
        sync_backup_saw(backup, kind, number);
    if (rc == 0) {
        item->backup = backup;
        backup->under_way++;
    } else {
        backup->lacking |= work->next.listed & ~work->next.has;
    }
    return rc;
}

static int
begin_backup(struct sync_work *work, struct sync_item *item)
{
    char label[BACKUP_LABEL_SIZE];
    const char *rest = NULL;

    if (read_label(work, label, &rest))
        return enter_backup(work, label) ? begin_labelled(work, item, rest) : FILL_LATER;
    int rc = begin(work, item, &work->next, work->owner.system_id, work->targets);
    if (rc != FILL_LATER)
        count_name(work);
    return rc;
}

/* Where the completion may go; what keeps it from the other stores is told. */
static uint32_t
completion_targets(struct sync_work *work, const struct sync_backup *backup)
{
    const struct sync_name *name = &backup->complete;
    uint32_t targets = 0;

    for (size_t i = 0; i < work->archive->n_stores; i++) {
        enum sync_kind kind = SYNC_FAILED;

        if ((name->listed & ~name->has & work->targets & bit(i)) == 0)
            continue;
        const char *why = sync_backup_withheld(backup, i, &kind);
        if (why == NULL && (work->wal_failed & bit(i)) != 0)
            why = "withheld: not all WAL could be copied this time";
        if (why == NULL)
            targets |= bit(i);
        else
            sync_found(work, kind, i, name->name, why);
    }
    return targets;
}

/* A backup whose objects have all been dealt with: now its completion. 0 or FILL_NOTHING. */
static int
begin_completion(struct sync_work *work, struct sync_item *item)
{
    for (size_t i = 0; i < SYNC_BACKUPS_MAX; i++) {
        struct sync_backup *backup = &work->backups[i];

        if (!backup->used || !backup->ended || backup->under_way > 0)
            continue;
        if (work->memory > 0)
            return FILL_NOTHING; /* so that it is never too large to begin */
        int rc = begin(work, item, &backup->complete, work->owner.system_id,
                       completion_targets(work, backup));
        if (rc == 0) {
            item->backup = backup;
            item->completion = true;
            backup->under_way++;
            return 0;
        }
        backup->used = false;
    }
    return FILL_NOTHING;
}

/* ---- the walk ---- */

/* The next piece of work into a free place. 0, FILL_LATER, FILL_END or -1. */
static int
fill_one(struct sync_work *work, struct sync_item *item, struct err *err)
{
    if (begin_completion(work, item) == 0)
        return 0;
    for (;;) {
        int rc = 0;

        if (!work->has_next) {
            rc = work->ended ? SYNC_NAMES_END : sync_names_next(work->names, &work->next, err);
            if (rc == SYNC_NAMES_END) {
                work->ended = true;
                leave_backup(work);
                return FILL_END;
            }
            if (rc != 0)
                return rc < 0 ? -1 : FILL_LATER;
            work->has_next = true;
        }
        rc = !work->backups_now ? begin_other(work, item, err) : begin_backup(work, item);
        if (rc != FILL_LATER)
            work->has_next = false;
        if (rc != FILL_NOTHING)
            return rc;
    }
}

static void
finish(struct sync_work *work, struct sync_item *item)
{
    struct sync_backup *backup = item->backup;
    uint32_t lacking = item->name.listed & ~item->good;

    if (backup == NULL) {
        work->wal_failed |= lacking & item->failed;
    } else {
        backup->under_way--;
        backup->failed |= lacking & item->failed;
        backup->lacking |= lacking & ~item->failed;
        bool no_completion = backup->ended && backup->complete.has == 0;
        if (item->completion || (no_completion && backup->under_way == 0))
            backup->used = false;
    }
    work->memory -= item->memory;
    item->used = false;
}

static void
show_progress(struct sync_work *work)
{
    int64_t ms = MAX_OF(clock_boot_ms() - work->progress.started_ms, (int64_t)1);
    char amount[AMOUNT_SIZE];
    char speed[AMOUNT_SIZE];

    progress_show(&work->progress, "%" PRIu64 " objects compared, %" PRIu64 " %scopied, %s, %s/s",
                  work->n_names, work->n_copied, work->request->dry_run ? "would be " : "",
                  amount_text(work->n_bytes, amount),
                  amount_text(work->n_bytes * 1000 / (uint64_t)ms, speed));
}

/* Begin what can begin, take up what has come. *ret_moved: something has ended. 0, END or -1. */
static int
step(struct sync_work *work, bool *ret_moved, struct err *err)
{
    bool busy = false;
    int filled = 0;

    *ret_moved = false;
    for (size_t i = 0; i < SYNC_IN_FLIGHT_MAX; i++) {
        struct sync_item *item = &work->items[i];

        if (!item->used && filled == 0)
            filled = fill_one(work, item, err);
        if (filled < 0)
            return -1;
        if (!item->used)
            continue;
        int rc = sync_item_advance(work, item, err);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            finish(work, item);
            *ret_moved = true;
        }
        busy = true;
    }
    show_progress(work);
    return filled == FILL_END && !busy ? FILL_END : 0;
}

static int
walk(struct sync_work *work, struct err *err)
{
    for (;;) {
        bool moved = false;
        int rc = step(work, &moved, err);

        if (rc < 0)
            return -1;
        if (moved)
            continue;
        /* The last backup ends with the last name, and has its completion still to come. */
        if (rc == FILL_END && begin_completion(work, &work->items[0]) != 0)
            return 0;
        if (rc == FILL_END)
            continue;
        if (clock_boot_ms() >= work->request->deadline_ms)
            return err_set(err, ERR_TRANSIENT, "the stores took too long");
        if (store_loop_run(work->archive->loop, work->request->deadline_ms, err) < 0)
            return -1;
    }
}

int
sync_walk(struct sync_work *work, const char *prefix, struct err *err)
{
    if (sync_names_new(work->archive, prefix, work->request->deadline_ms, &work->names, err) < 0)
        return -1;
    work->has_next = false;
    work->ended = false;
    int rc = walk(work, err);
    for (size_t i = 0; i < SYNC_IN_FLIGHT_MAX; i++)
        copy_object_free(TAKE_PTR(work->items[i].copy));
    sync_names_free(TAKE_PTR(work->names));
    return rc;
}
