/* SPDX-License-Identifier: PostgreSQL */
#include "restore/absence.h"

#include <stdio.h>

enum first_outcome {
    FIRST_NONE = 1,
};

/* The first name below `prefix` that sorts after `start_after`. 0, FIRST_NONE or -1. */
static int
first_name(struct archive *archive, struct store *store, const struct absence_question *question,
           const char *prefix, const char *start_after, char *ret_name, struct err *err)
{
    struct store_limits limits = {question->deadline_ms, question->retry_ms};
    AUTO(store_task) struct store_task *task = NULL;

    if (store_start_list(store, prefix, start_after, 1, &limits, &task, err) < 0 ||
        store_task_wait(archive->loop, task, err) < 0)
        return -1;

    const struct store_page *page = store_task_page(task);
    if (page->n_entries == 0)
        return page->more ? err_set(err, ERR_TRANSIENT,
                                    "store \"%s\" gave an empty page and says that more follows",
                                    store_name(store))
                          : FIRST_NONE;
    (void)snprintf(ret_name, OBJECT_NAME_SIZE, "%s", page->entries[0].name);
    return 0;
}

/* 0: nothing later; ABSENCE_GAP; -1. */
static int
look_behind(struct archive *archive, struct store *store, const struct absence_question *question,
            char *ret_evidence, struct err *err)
{
    const struct wal_name *wal = question->wal;
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE];
    int rc = 0;

    /* Timeline 1 has no history, but the server asks for one when it writes the next; a
     * .partial or backup history file may rightly be missing. */
    if (wal->kind == WAL_NAME_PARTIAL || wal->kind == WAL_NAME_BACKUP_HISTORY ||
        (wal->kind == WAL_NAME_HISTORY && wal->timeline == 1))
        return 0;

    if (wal->kind == WAL_NAME_SEGMENT) {
        object_name_timeline_prefix(question->owner, wal->timeline, prefix);
        object_name_after_segment(question->owner, wal, after);
        rc = first_name(archive, store, question, prefix, after, ret_evidence, err);
        return rc == 0 ? ABSENCE_GAP : rc == FIRST_NONE ? 0 : -1;
    }

    object_name_history_prefix(question->owner, prefix);
    object_name_of_wal(question->owner, wal, after);
    rc = first_name(archive, store, question, prefix, after, ret_evidence, err);
    if (rc != FIRST_NONE)
        return rc == 0 ? ABSENCE_GAP : -1;
    object_name_timeline_prefix(question->owner, wal->timeline, prefix);
    rc = first_name(archive, store, question, prefix, NULL, ret_evidence, err);
    return rc == 0 ? ABSENCE_GAP : rc == FIRST_NONE ? 0 : -1;
}

int
absence_prove(struct archive *archive, struct store *store,
              const struct absence_question *question, char *ret_evidence, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char name[OBJECT_NAME_SIZE];

    int rc = look_behind(archive, store, question, ret_evidence, err);
    if (rc != 0)
        return rc;
    object_name_system_prefix(question->owner, prefix);
    rc = first_name(archive, store, question, prefix, NULL, name, err);
    return rc == FIRST_NONE ? ABSENCE_EMPTY : rc;
}
