/* SPDX-License-Identifier: PostgreSQL */
#include "restore/backups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/inventory.h"
#include "catalog/retrieval.h"

#define READ_TIMEOUT_MS (60 * 1000)
#define NAME_TEXT_SIZE 520 /* store.h: at most 512 bytes */

/* The entry of a label, made in its place if it is new. */
static int
find_label(struct backups *backups, const char *label, struct backup_found **ret, struct err *err)
{
    size_t at = backups->n;

    while (at > 0 && strcmp(backups->items[at - 1].label, label) > 0)
        at--;
    if (at > 0 && strcmp(backups->items[at - 1].label, label) == 0) {
        *ret = &backups->items[at - 1];
        return 0;
    }
    if (backups->n == BACKUPS_MAX)
        return err_set(err, ERR_CORRUPT, "there are more than %d backups", BACKUPS_MAX);
    if (backups->n == backups->capacity) {
        size_t wanted = MAX_OF(backups->capacity * 2, (size_t)16);
        void *grown = reallocarray(backups->items, wanted, sizeof(*backups->items));

        if (grown == NULL)
            return err_memory(err, "list of backups");
        backups->items = grown;
        backups->capacity = wanted;
    }
    memmove(backups->items + at + 1, backups->items + at,
            (backups->n - at) * sizeof(*backups->items));
    backups->items[at] = (struct backup_found){.stores = 0};
    (void)snprintf(backups->items[at].label, BACKUP_LABEL_SIZE, "%s", label);
    backups->n++;
    *ret = &backups->items[at];
    return 0;
}

/* The first name behind `after`. 0 with a name or an empty one, or -1. */
static int
next_name(const struct backups_source *source, struct store *store, const char *prefix,
          const char *after, char *ret_name, struct err *err)
{
    struct store_limits limits = {source->deadline_ms, INVENTORY_RETRY_MS};
    AUTO(store_task) struct store_task *task = NULL;

    if (store_start_list(store, prefix, after, 1, &limits, &task, err) < 0 ||
        store_task_wait(source->archive->loop, task, err) < 0)
        return -1;
    const struct store_page *page = store_task_page(task);
    (void)snprintf(ret_name, NAME_TEXT_SIZE, "%s",
                   page->n_entries == 0 ? "" : page->entries[0].name);
    return 0;
}

/*
 * Of every label only the first name is looked at: "complete" sorts before "manifest-" and "part-".
 * Then the listing jumps behind the label.
 */
static int
find_in_store(const struct backups_source *source, size_t i, struct backups *backups,
              struct err *err)
{
    struct store *store = source->archive->stores[i].store;
    const struct object_owner *owner = source->owner;
    char prefix[OBJECT_NAME_SIZE];
    char name[NAME_TEXT_SIZE];
    char after[NAME_TEXT_SIZE + 4] = "";

    backup_name_prefix(owner, prefix);
    for (;;) {
        char label[BACKUP_LABEL_SIZE];
        enum backup_object_kind kind = BACKUP_PART;
        uint32_t number = 0;

        if (next_name(source, store, prefix, after[0] == '\0' ? NULL : after, name, err) < 0)
            return -1;
        if (name[0] == '\0')
            return 0;
        if (backup_name_parse(owner, name, label, &kind, &number) && kind == BACKUP_COMPLETE) {
            struct backup_found *found = NULL;

            if (find_label(backups, label, &found, err) < 0)
                return -1;
            found->stores |= (uint32_t)1 << i;
        }
        /* "0" is what sorts behind "/": behind everything of this label. */
        size_t length = strlen(prefix) + strcspn(name + strlen(prefix), "/");
        (void)snprintf(after, sizeof(after), "%.*s%s", (int)length, name,
                       name[length] == '/' ? "0" : "");
    }
}

int
backups_find(const struct backups_source *source, struct backups *ret, struct err *err)
{
    struct archive *archive = source->archive;

    for (size_t i = 0; i < archive->n_stores; i++) {
        struct archive_store *store = &archive->stores[i];

        if (store->open_err.kind != ERR_NONE)
            continue;
        AUTO(backups) struct backups there = BACKUPS_INIT;
        if (find_in_store(source, i, &there, &store->open_err) < 0)
            continue;
        for (size_t b = 0; b < there.n; b++) {
            struct backup_found *found = NULL;

            if (find_label(ret, there.items[b].label, &found, err) < 0)
                return -1;
            found->stores |= there.items[b].stores;
        }
    }
    return 0;
}

int
backups_read_one(const struct backups_source *source, const char *label, uint32_t stores,
                 struct backup_complete *ret, struct err *err)
{
    const struct object_owner *owner = source->owner;
    char name[OBJECT_NAME_SIZE];
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    struct retrieval_request request = {
        .name = name,
        .system_id = owner->system_id,
        .max_file_size = BACKUP_COMPLETE_MAX,
        .stores = stores,
        .deadline_ms = MIN_OF(source->deadline_ms, clock_boot_ms() + READ_TIMEOUT_MS),
    };

    backup_name_of(owner, label, BACKUP_COMPLETE, 0, name);
    int rc = retrieve_file(source->archive, &request, source->notices, &text, err);
    if (rc == RETRIEVAL_ABSENT)
        return err_set(err, ERR_CONFLICT, "backup %s was listed but is not there", label);
    if (rc < 0)
        return err_wrap(err, "backup %s", label);
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    if (backup_complete_read(text.data, text.size, &complete, err) < 0)
        return err_wrap(err, "\"%s\"", name);
    if (strcmp(complete.label, label) != 0 || complete.system_id != owner->system_id ||
        strcmp(complete.cluster, owner->cluster) != 0)
        return err_set(err, ERR_CORRUPT, "\"%s\" is the completion of another backup", name);
    *ret = complete;
    complete = BACKUP_COMPLETE_INIT;
    return 0;
}

int
backups_read(const struct backups_source *source, struct backups *backups, struct err *err)
{
    for (size_t i = 0; i < backups->n; i++) {
        struct backup_found *found = &backups->items[i];
        struct err why = ERR_INIT;
        AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;

        if (backups_read_one(source, found->label, found->stores, &complete, &why) < 0) {
            if (why.kind == ERR_INTERNAL) {
                *err = why;
                return -1;
            }
            notice_err(source->notices, LOG_WARNING, &why, "a backup is passed over");
            continue;
        }
        found->complete = complete;
        found->complete.manifest_digests = NULL;
        found->complete.backup_label_text = NULL;
        found->complete.tablespace_map_text = NULL;
        found->complete.tablespaces = NULL;
        found->complete.n_tablespaces = 0;
        found->complete.damage = NULL;
        found->complete.n_damage = 0;
        found->readable = true;
    }
    return 0;
}

void
backups_done(struct backups *backups)
{
    free(backups->items);
    *backups = BACKUPS_INIT;
}
