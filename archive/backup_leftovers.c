/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_leftovers.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define REQUEST_MS ((int64_t)30 * 1000)
#define DAY_US ((int64_t)24 * 3600 * 1000000)
#define LABELS_MAX 100000

/*
 * The first object behind `after`: of the next label, for "z" sorts behind all of a label's
 * objects; and of those "complete" comes first. 0, 1 (none) or -1.
 */
static int
next_label(struct archive *archive, struct store *store, const struct object_owner *owner,
           const char *after, struct store_entry *ret, char *ret_name)
{
    struct store_limits limits = {clock_boot_ms() + REQUEST_MS, REQUEST_MS / 2};
    char prefix[OBJECT_NAME_SIZE];
    struct err ignored = ERR_INIT;
    AUTO(store_task) struct store_task *task = NULL;

    backup_name_prefix(owner, prefix);
    if (store_start_list(store, prefix, after, 1, &limits, &task, &ignored) < 0 ||
        store_task_wait(archive->loop, task, &ignored) < 0)
        return -1;
    const struct store_page *page = store_task_page(task);
    if (page->n_entries == 0)
        return 1;
    *ret = page->entries[0];
    (void)snprintf(ret_name, OBJECT_NAME_SIZE, "%s", page->entries[0].name);
    ret->name = ret_name;
    return 0;
}

static void
report_store(struct archive *archive, size_t i, const struct object_owner *owner,
             struct notices *notices)
{
    char after[OBJECT_NAME_SIZE + 8] = "";
    char name[OBJECT_NAME_SIZE];
    char yesterday[BACKUP_LABEL_SIZE];
    struct store_entry entry;

    backup_label_of_time(clock_real_us() - DAY_US, yesterday);
    for (size_t n = 0; n < LABELS_MAX; n++) {
        char label[BACKUP_LABEL_SIZE];
        enum backup_object_kind kind = BACKUP_PART;
        uint32_t number = 0;

        if (next_label(archive, archive->stores[i].store, owner, after[0] == '\0' ? NULL : after,
                       &entry, name) != 0)
            return;
        if (!backup_name_parse(owner, name, label, &kind, &number)) {
            (void)snprintf(after, sizeof(after), "%s", name);
            continue;
        }
        backup_name_label_prefix(owner, label, after);
        (void)snprintf(after + strlen(after), 2, "z");
        if (kind != BACKUP_COMPLETE && strcmp(label, yesterday) < 0)
            notice(notices, LOG_INFO,
                   "store \"%s\" has leftovers of backup %s, which never became complete",
                   archive->stores[i].settings->name, label);
    }
}

void
backup_leftovers_report(struct archive *archive, const struct backup_sender *sender,
                        const struct object_owner *owner, struct notices *notices)
{
    for (size_t i = 0; i < archive->n_stores; i++)
        if (backup_sender_has(sender, i))
            report_store(archive, i, owner, notices);
}
