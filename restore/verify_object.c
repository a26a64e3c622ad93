/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/backup_manifest.h"
#include "catalog/name_map.h"
#include "restore/report.h"
#include "restore/verify_parts.h"
#include "restore/wal_chain.h"
#include "wal/wal_history.h"

#define PAGE_MAX 1000
#define FAILURES_MAX 5 /* in a row: the store is away */

/* What a name says. */
struct named {
    bool is_wal;
    bool is_names;
    struct wal_name wal;
    enum backup_object_kind kind;
    uint32_t number;
    uint8_t *digest; /* of the file, when it has been decoded */
};

static bool
read_name(const struct verify_walk *walk, const char *name, struct named *ret)
{
    const struct object_owner *owner = &walk->work->survey.owner;
    char label[BACKUP_LABEL_SIZE];

    ret->is_names = walk->names;
    if (ret->is_names)
        return name_map_parse_name(owner, name, label);
    ret->is_wal = walk->backup == NULL;
    if (ret->is_wal)
        return object_name_parse_wal(owner, name, &ret->wal);
    return backup_name_parse(owner, name, label, &ret->kind, &ret->number);
}

/* ---- the next name ---- */

static int
next_page(struct verify_walk *walk, struct err *err)
{
    struct archive_store *store = &walk->work->archive->stores[walk->work->store];
    struct store_limits limits = {walk->work->request->deadline_ms, 60 * 1000};
    int rc = 0;

    if (walk->page != NULL) {
        const struct store_page *page = store_task_page(walk->page);

        if (!page->more || page->n_entries == 0)
            return MUSTER_END;
        (void)snprintf(walk->after, sizeof(walk->after), "%s",
                       page->entries[page->n_entries - 1].name);
    }
    store_task_free(TAKE_PTR(walk->page));
    walk->at = 0;
    rc = store_start_list(store->store, walk->prefix, walk->after[0] == '\0' ? NULL : walk->after,
                          PAGE_MAX, &limits, &walk->page, err);
    if (rc < 0)
        return -1;
    if (store_task_wait(walk->work->archive->loop, walk->page, &store->open_err) == 0)
        return 0;
    /* The store has stopped answering: what is left of it is not verified. */
    store_task_free(TAKE_PTR(walk->page));
    return MUSTER_END;
}

static bool
is_wanted(const struct verify_walk *walk, const struct named *named)
{
    const struct verify_request *request = walk->work->request;
    uint32_t size = walk->work->survey.together.segment_size;

    if (!named->is_wal || !request->wal_since || named->wal.kind == WAL_NAME_HISTORY ||
        size == 0 || !wal_name_fits(&named->wal, size))
        return true;
    return wal_name_segment_number(&named->wal, size) >= request->since / size;
}

static int
next_name(void *context, struct muster_item *ret, struct err *err)
{
    struct verify_walk *walk = context;
    struct verify_work *work = walk->work;

    if (walk->n_asked == VERIFY_COPIES)
        return MUSTER_END; /* of this batch: the next one begins here */
    while (work->archive->stores[work->store].open_err.kind == ERR_NONE) {
        struct named named;

        if (walk->page == NULL || walk->at == store_task_page(walk->page)->n_entries) {
            int rc = next_page(walk, err);

            if (rc != 0)
                return rc;
            continue;
        }
        const char *name = store_task_page(walk->page)->entries[walk->at++].name;
        if (!read_name(walk, name, &named)) {
            verify_found(work, VERIFY_FOREIGN, name, "the name is none of Seawall's");
            continue;
        }
        if (!is_wanted(walk, &named))
            continue;
        (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
        ret->stores = (uint32_t)1 << work->store;
        walk->n_asked++;
        return 0;
    }
    return MUSTER_END;
}

/* ---- one object ---- */

static int
sink_nothing(void *context UNUSED, const uint8_t *bytes UNUSED, size_t size UNUSED,
             struct err *err UNUSED)
{
    return 0;
}

static int
sink_buf(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    int rc = buf_append(context, bytes, size, err);

    return rc == BUF_FULL ? err_set(err, ERR_CORRUPT, "the file is too large") : rc;
}

static int
unpack_segment(const struct verify_walk *walk, const struct named *named,
               const struct object *object, struct err *err)
{
    const struct keyring *keyring = &walk->work->archive->keyring;
    uint32_t size = walk->work->survey.together.segment_size;
    struct wal_chain chain;

    if (size != 0 && object->seal.file_size != size)
        return err_set(err, ERR_CORRUPT, "a file of %" PRIu64 " bytes, segments have %" PRIu32,
                       object->seal.file_size, size);
    wal_chain_init(&chain, &named->wal, walk->work->survey.owner.system_id,
                   object->seal.file_size);
    if (object_unpack(object, keyring, wal_chain_add, &chain, named->digest, err) < 0)
        return -1;
    return wal_chain_finish(&chain, err);
}

static int
unpack_wal(const struct verify_walk *walk, const struct named *named, const struct object *object,
           struct err *err)
{
    const struct keyring *keyring = &walk->work->archive->keyring;

    if (named->wal.kind == WAL_NAME_SEGMENT || named->wal.kind == WAL_NAME_PARTIAL)
        return unpack_segment(walk, named, object, err);
    if (named->wal.kind == WAL_NAME_BACKUP_HISTORY)
        return object_unpack(object, keyring, sink_nothing, NULL, named->digest, err);
    AUTO(buf) struct buf text = BUF_INIT(WAL_HISTORY_FILE_MAX);
    struct wal_history history;
    if (object_unpack(object, keyring, sink_buf, &text, named->digest, err) < 0)
        return -1;
    return wal_history_parse((const char *)text.data, text.size, named->wal.timeline, &history,
                             err);
}

static int
unpack_names(const struct verify_walk *walk, const struct named *named, const char *name,
             const struct object *object, struct err *err)
{
    const struct object_owner *owner = &walk->work->survey.owner;
    AUTO(buf) struct buf text = BUF_INIT(NAME_MAP_FILE_MAX);
    AUTO(name_map) struct name_map *map = NULL;
    char label[BACKUP_LABEL_SIZE];

    if (object_unpack(object, &walk->work->archive->keyring, sink_buf, &text, named->digest, err) <
            0 ||
        name_map_read((const char *)text.data, text.size, &map, err) < 0)
        return -1;
    const struct name_map_head *head = name_map_head(map);
    if (!name_map_parse_name(owner, name, label) || strcmp(head->label, label) != 0 ||
        head->system_id != owner->system_id)
        return err_set(err, ERR_CORRUPT, "the name map of another moment or server");
    return 0;
}

/* Hold what was unpacked against the completion, and keep what the backup as a whole needs. */
static int
note_backup_object(struct verify_backup *backup, const struct named *named, const uint8_t *digest,
                   const struct object *object, struct err *err)
{
    const struct backup_complete *complete = backup->complete;

    if (complete == NULL)
        return 0;
    if (named->kind == BACKUP_PART) {
        if (object->seal.file_size > MANIFEST_PART_MAX)
            return err_set(err, ERR_CORRUPT, "a part of %" PRIu64 " bytes",
                           object->seal.file_size);
        if (named->number > complete->n_parts)
            return err_set(err, ERR_CORRUPT, "the backup has only %" PRIu32 " parts",
                           complete->n_parts);
        memcpy(backup->part_digests[named->number - 1], digest, DIGEST_SIZE);
        backup->part_sizes[named->number - 1] = (uint32_t)object->seal.file_size;
        return 0;
    }
    if (named->number > complete->n_manifests)
        return err_set(err, ERR_CORRUPT, "the backup has only %" PRIu32 " manifest objects",
                       complete->n_manifests);
    if (!digest_equal(complete->manifest_digests[named->number - 1], digest))
        return err_set(err, ERR_CORRUPT, "not the manifest whose digest the completion has");
    backup->n_manifests_good++;
    return 0;
}

static int
unpack_backup(const struct verify_walk *walk, const struct named *named,
              const struct object *object, struct err *err)
{
    const struct keyring *keyring = &walk->work->archive->keyring;

    if (named->kind != BACKUP_COMPLETE) {
        if (object_unpack(object, keyring, sink_nothing, NULL, named->digest, err) < 0)
            return -1;
        return note_backup_object(walk->backup, named, named->digest, object, err);
    }
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    if (object_unpack(object, keyring, sink_buf, &text, named->digest, err) < 0 ||
        backup_complete_read(text.data, text.size, &complete, err) < 0)
        return -1;
    if (strcmp(complete.label, walk->backup->label) != 0 ||
        complete.system_id != walk->work->survey.owner.system_id)
        return err_set(err, ERR_CORRUPT, "the completion of another backup");
    return 0;
}

/* Decode it as what its name says it is. */
static int
unpack(const struct verify_walk *walk, const struct named *named, const char *name,
       const struct object *object, struct err *err)
{
    if (named->is_names)
        return unpack_names(walk, named, name, object, err);
    return named->is_wal ? unpack_wal(walk, named, object, err)
                         : unpack_backup(walk, named, object, err);
}

/* Ours by its seal? A seal that is whole and says something else is foreign. */
static bool
is_foreign(const struct verify_work *work, const char *name, struct span bytes, struct err *ret_why)
{
    struct seal seal;

    if (object_peek(bytes.data, bytes.size, &work->archive->keyring, &seal, ret_why) < 0)
        return ret_why->kind == ERR_CONFIG;
    if (strcmp(seal.name, name) == 0 && seal.system_id == work->survey.owner.system_id)
        return false;
    (void)err_set(ret_why, ERR_CORRUPT, "the seal is that of \"%s\" of system %" PRIu64, seal.name,
                  seal.system_id);
    return true;
}

static void
show_progress(struct verify_work *work)
{
    int64_t ms = MAX_OF(clock_boot_ms() - work->progress.started_ms, (int64_t)1);
    uint64_t rate = work->done * 1000 / (uint64_t)ms;
    uint64_t left = work->expected > work->done ? work->expected - work->done : 0;
    char done[REPORT_TEXT_SIZE];
    char expected[REPORT_TEXT_SIZE];
    char speed[REPORT_TEXT_SIZE];
    char wait[REPORT_TEXT_SIZE];

    progress_show(&work->progress, "store \"%s\": %s of %s verified, %s/s, %s left",
                  work->archive->stores[work->store].settings->name,
                  report_size(work->done, done),
                  report_size(MAX_OF(work->expected, work->done), expected),
                  report_size(rate, speed),
                  report_duration((int64_t)(left / MAX_OF(rate, (uint64_t)1)), wait));
}

static int
judge_object(void *context, const struct muster_item *item, size_t store UNUSED, struct span bytes,
             struct err *err)
{
    struct verify_walk *walk = context;
    struct verify_work *work = walk->work;
    struct err why = ERR_INIT;
    uint8_t digest[DIGEST_SIZE];
    struct object object;
    struct named named = {.digest = digest};

    work->failures = 0;
    work->done += bytes.size;
    work->totals[work->store].n_objects++;
    work->totals[work->store].n_bytes += bytes.size;
    show_progress(work);
    if (is_foreign(work, item->name, bytes, &why)) {
        verify_found(work, VERIFY_FOREIGN, item->name, why.text);
        return 0;
    }
    if (!read_name(walk, item->name, &named))
        return err_set(err, ERR_INTERNAL, "\"%s\" has lost its meaning", item->name);
    int rc = object_open(bytes.data, bytes.size, item->name, work->survey.owner.system_id,
                         &work->archive->keyring, &object, &why);
    bool sealed = rc == 0;
    bool decoded = sealed && verify_is_deep(work->archive);
    if (decoded)
        rc = unpack(walk, &named, item->name, &object, &why);
    if (sealed && work->store > 0 &&
        verify_copies_note(&walk->copies, &object.seal, decoded && rc == 0 ? digest : NULL, err) <
            0)
        return -1;
    if (rc == 0)
        return 0;
    if (why.kind == ERR_INTERNAL) {
        *err = why;
        return -1;
    }
    verify_found(work, VERIFY_DAMAGED, item->name, why.text);
    return 0;
}

static int
object_failed(void *context, const struct muster_item *item, size_t store, int outcome,
              const struct err *why, struct err *err UNUSED)
{
    struct verify_walk *walk = context;
    struct verify_work *work = walk->work;

    if (outcome > 0) {
        /* Listed and yet not there: it went away meanwhile, or the store contradicts itself. */
        verify_found(work, VERIFY_MISSING, item->name, why->text);
        return 0;
    }
    if (why->kind == ERR_CORRUPT) {
        verify_found(work, VERIFY_DAMAGED, item->name, why->text);
        return 0;
    }
    verify_found(work, VERIFY_UNREAD, item->name, why->text);
    if (++work->failures >= FAILURES_MAX)
        work->archive->stores[store].open_err = *why;
    return 0;
}

static int
object_lost(void *context UNUSED, const struct muster_item *item UNUSED,
            const struct err *why UNUSED, struct err *err UNUSED)
{
    return 0;
}

int
verify_walk_run(struct verify_walk *walk, struct err *err)
{
    const struct muster muster = {
        .archive = walk->work->archive,
        .deadline_ms = walk->work->request->deadline_ms,
        .max_bytes = object_size_bound(walk->max_file),
        .context = walk,
        .next = next_name,
        .judge = judge_object,
        .failed = object_failed,
        .lost = object_lost,
    };

    do {
        walk->n_asked = 0;
        if (muster_run(&muster, NULL, err) < 0 ||
            verify_copies_compare(&walk->copies, walk->work, walk->max_file, err) < 0)
            return -1;
    } while (walk->n_asked == VERIFY_COPIES);
    return 0;
}

void
verify_walk_done(struct verify_walk *walk)
{
    store_task_free(walk->page);
    walk->page = NULL;
    verify_copies_done(&walk->copies);
}
