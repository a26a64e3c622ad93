/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/backup_manifest.h"
#include "catalog/retrieval.h"
#include "restore/verify_parts.h"

#define NAME_TEXT_SIZE 520 /* store.h: at most 512 bytes */
#define READ_TIMEOUT_MS (60 * 1000)

/* ---- the manifest against the parts ---- */

static int
check_entry(void *context, const struct manifest_entry *entry, struct err *err)
{
    const struct verify_backup *backup = context;

    for (size_t i = 0; i < entry->n_runs; i++) {
        const struct manifest_run *run = &entry->runs[i];

        /* Runs in older backups are those backups' own. */
        if (strcmp(run->label, backup->label) != 0)
            continue;
        if (run->part < 1 || run->part > backup->complete->n_parts)
            return err_set(err, ERR_CORRUPT, "a file is in part %" PRIu32 ", of %" PRIu32,
                           run->part, backup->complete->n_parts);
        uint64_t size = backup->part_sizes[run->part - 1];
        if (size != 0 && (run->part_offset > size || run->length > size - run->part_offset))
            return err_set(err, ERR_CORRUPT,
                           "a file has bytes behind the end of part %" PRIu32
                           ", which has %" PRIu64,
                           run->part, size);
    }
    return 0;
}

/* Every manifest object again, as one text. They were good a moment ago. 0 or -1. */
static int
check_manifest(struct verify_work *work, struct verify_backup *backup, struct err *ret_why)
{
    AUTO(manifest_reader) struct manifest_reader *reader = NULL;

    if (manifest_reader_new(&reader, ret_why) < 0)
        return -1;
    for (uint32_t number = 1; number <= backup->complete->n_manifests; number++) {
        char name[OBJECT_NAME_SIZE];
        AUTO(buf) struct buf text = BUF_INIT(MANIFEST_OBJECT_MAX);
        struct retrieval_request request = {
            .name = name,
            .system_id = work->survey.owner.system_id,
            .max_file_size = MANIFEST_OBJECT_MAX,
            .stores = (uint32_t)1 << work->store,
            .deadline_ms = MIN_OF(work->request->deadline_ms, clock_boot_ms() + READ_TIMEOUT_MS),
        };

        backup_name_of(&work->survey.owner, backup->label, BACKUP_MANIFEST, number, name);
        int rc = retrieve_file(work->archive, &request, work->notices, &text, ret_why);
        if (rc != 0)
            return rc < 0 ? -1 : err_set(ret_why, ERR_TRANSIENT, "\"%s\" went away", name);
        if (manifest_reader_feed(reader, text.data, text.size, check_entry, backup, ret_why) < 0)
            return -1;
    }
    return manifest_reader_finish(reader, ret_why);
}

/* ---- the parts against the completion ---- */

/* Parts that did not come by in the walk. Returns whether all are there and good. */
static int
check_parts(struct verify_work *work, struct verify_backup *backup, bool *ret_all, struct err *err)
{
    const struct backup_complete *complete = backup->complete;
    const struct span digests = {backup->part_digests[0], (size_t)complete->n_parts * DIGEST_SIZE};
    uint8_t all[DIGEST_SIZE];
    char name[OBJECT_NAME_SIZE];

    *ret_all = true;
    for (uint32_t i = 0; i < complete->n_parts; i++)
        *ret_all = *ret_all && backup->part_sizes[i] != 0;
    if (digest_sha256(&digests, 1, all, err) < 0)
        return -1;
    if (*ret_all && !digest_equal(all, complete->parts_digest)) {
        backup_name_of(&work->survey.owner, backup->label, BACKUP_COMPLETE, 0, name);
        verify_found(work, VERIFY_DAMAGED, name,
                     "parts_digest is not the digest of the parts in this store");
    }
    return 0;
}

/* ---- one backup ---- */

/* Objects the completion counts and the store does not have. */
struct absent {
    struct verify_work *work;
    const struct verify_backup *backup;
    uint32_t part;     /* the next ones to ask for */
    uint32_t manifest;
};

static int
next_absent(void *context, char *ret_name, struct err *err UNUSED)
{
    struct absent *absent = context;
    const struct object_owner *owner = &absent->work->survey.owner;
    const struct verify_backup *backup = absent->backup;
    bool deep = verify_is_deep(absent->work->archive);

    /* What was judged is there; what was not, damaged or missing, is asked for. */
    while (deep && absent->part <= backup->complete->n_parts &&
           backup->part_sizes[absent->part - 1] != 0)
        absent->part++;
    if (absent->part <= backup->complete->n_parts)
        backup_name_of(owner, backup->label, BACKUP_PART, absent->part++, ret_name);
    else if (absent->manifest <= backup->complete->n_manifests)
        backup_name_of(owner, backup->label, BACKUP_MANIFEST, absent->manifest++, ret_name);
    else
        return MUSTER_END;
    return 0;
}

static int
check_absent(struct verify_work *work, const struct verify_backup *backup, struct err *err)
{
    struct absent absent = {work, backup, 1, 1};
    struct verify_wanted wanted = {work, next_absent, &absent,
                                   "the backup is complete in this store"};

    return verify_wanted_run(&wanted, err);
}

/* What all objects together must be. */
static int
check_whole(struct verify_work *work, struct verify_backup *backup, struct err *err)
{
    char name[OBJECT_NAME_SIZE];
    struct err why = ERR_INIT;
    bool all = false;

    if (check_absent(work, backup, err) < 0 || check_parts(work, backup, &all, err) < 0)
        return -1;
    if (backup->n_manifests_good != backup->complete->n_manifests ||
        check_manifest(work, backup, &why) == 0)
        return 0;
    if (why.kind == ERR_INTERNAL) {
        *err = why;
        return -1;
    }
    backup_name_of(&work->survey.owner, backup->label, BACKUP_MANIFEST, 1, name);
    verify_found(work, why.kind == ERR_TRANSIENT ? VERIFY_UNREAD : VERIFY_DAMAGED, name, why.text);
    return 0;
}

static int
verify_label(struct verify_work *work, const char *label, const struct backup_found *found,
             struct err *err)
{
    struct verify_backup backup = {.label = label};
    AUTO(verify_walk) struct verify_walk walk = {
        .work = work,
        .backup = &backup,
        .max_file = MANIFEST_PART_MAX,
    };
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    AUTO(ptr) void *digests = NULL;
    AUTO(ptr) void *sizes = NULL;
    struct err why = ERR_INIT;
    const struct backups_source source = {work->archive, &work->survey.owner, work->notices,
                                          work->request->deadline_ms};
    bool here = found != NULL && (found->stores & (uint32_t)1 << work->store) != 0;

    /* A completion that is damaged is a finding of the walk below; another store's may help out. */
    if (here && found->readable && backups_read_one(&source, label, found->stores, &complete,
                                                    &why) == 0) {
        digests = calloc((size_t)complete.n_parts + 1, DIGEST_SIZE);
        sizes = calloc((size_t)complete.n_parts + 1, sizeof(uint32_t));
        if (digests == NULL || sizes == NULL)
            return err_memory(err, "digests of parts");
        backup.complete = &complete;
        backup.part_digests = digests;
        backup.part_sizes = sizes;
    }
    backup_name_label_prefix(&work->survey.owner, label, walk.prefix);
    if (verify_walk_run(&walk, err) < 0)
        return -1;
    if (backup.complete == NULL ||
        work->archive->stores[work->store].open_err.kind != ERR_NONE)
        return 0;
    return check_whole(work, &backup, err);
}

/* ---- all backups of the store ---- */

static const struct backup_found *
find_label(const struct verify_work *work, const char *label)
{
    for (size_t i = 0; i < work->survey.backups.n; i++)
        if (strcmp(work->survey.backups.items[i].label, label) == 0)
            return &work->survey.backups.items[i];
    return NULL;
}

/* The first name below the backups that sorts behind `after`; empty: none. */
static int
first_name(struct verify_work *work, const char *prefix, const char *after, char *ret,
           struct err *err)
{
    struct archive_store *store = &work->archive->stores[work->store];
    struct store_limits limits = {work->request->deadline_ms, READ_TIMEOUT_MS};
    AUTO(store_task) struct store_task *task = NULL;

    *ret = '\0';
    if (store_start_list(store->store, prefix, after[0] == '\0' ? NULL : after, 1, &limits, &task,
                         err) < 0)
        return -1;
    if (store_task_wait(work->archive->loop, task, &store->open_err) < 0)
        return 0;
    const struct store_page *page = store_task_page(task);
    if (page->n_entries > 0)
        (void)snprintf(ret, NAME_TEXT_SIZE, "%s", page->entries[0].name);
    return 0;
}

/* Every label there is anything of, complete or not. */
static int
verify_labels(struct verify_work *work, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char name[NAME_TEXT_SIZE];
    char after[NAME_TEXT_SIZE + 4] = "";

    backup_name_prefix(&work->survey.owner, prefix);
    for (;;) {
        if (first_name(work, prefix, after, name, err) < 0)
            return -1;
        if (name[0] == '\0')
            return 0;
        const char *rest = name + strlen(prefix);
        size_t length = strcspn(rest, "/");
        if (rest[length] != '/' || !backup_label_valid(rest, length)) {
            verify_found(work, VERIFY_FOREIGN, name, "the name is none of Seawall's");
            (void)snprintf(after, sizeof(after), "%s", name);
            continue;
        }
        char label[BACKUP_LABEL_SIZE];
        (void)snprintf(label, sizeof(label), "%.*s", (int)length, rest);
        if (verify_label(work, label, find_label(work, label), err) < 0)
            return -1;
        /* "0" is what sorts behind "/": behind everything of this label. */
        (void)snprintf(after, sizeof(after), "%s%s0", prefix, label);
    }
}

/* Backups that are complete elsewhere only. */
static void
tell_missing(struct verify_work *work)
{
    for (size_t i = 0; i < work->survey.backups.n; i++) {
        const struct backup_found *found = &work->survey.backups.items[i];
        char name[OBJECT_NAME_SIZE];

        if ((found->stores & (uint32_t)1 << work->store) != 0 ||
            (work->request->label != NULL && strcmp(work->request->label, found->label) != 0))
            continue;
        backup_name_of(&work->survey.owner, found->label, BACKUP_COMPLETE, 0, name);
        verify_found(work, VERIFY_MISSING, name, "the backup is complete in another store");
    }
}

int
verify_backups(struct verify_work *work, struct err *err)
{
    const char *label = work->request->label;
    int rc = label != NULL ? verify_label(work, label, find_label(work, label), err)
                           : verify_labels(work, err);

    if (rc == 0 && work->archive->stores[work->store].open_err.kind == ERR_NONE)
        tell_missing(work);
    return rc;
}
