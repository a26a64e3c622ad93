/* SPDX-License-Identifier: PostgreSQL */
#include "restore/absence.h"

#include <stdio.h>

enum first_outcome {
    FIRST_NONE = 1,
};

/* Begin to look for the first name below `prefix` that sorts after `start_after`. 0 or -1. */
static int
begin_list(struct absence *absence, struct store *store, const struct absence_question *question,
           const char *prefix, const char *start_after)
{
    struct store_limits limits = {question->deadline_ms, question->retry_ms};

    if (store_start_list(store, prefix, start_after, 1, &limits, &absence->lists[absence->n],
                         &absence->err) < 0)
        return -1;
    absence->n++;
    return 0;
}

/* What would say that the file existed. 0 or -1. */
static int
begin_behind(struct absence *absence, struct store *store, const struct absence_question *question)
{
    const struct wal_name *wal = question->wal;
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE];

    /* Timeline 1 has no history, but the server asks for one when it writes the next; a
     * .partial or backup history file may rightly be missing. */
    if (wal->kind == WAL_NAME_PARTIAL || wal->kind == WAL_NAME_BACKUP_HISTORY ||
        (wal->kind == WAL_NAME_HISTORY && wal->timeline == 1))
        return 0;

    if (wal->kind == WAL_NAME_SEGMENT) {
        object_name_timeline_prefix(question->owner, wal->timeline, prefix);
        object_name_after_segment(question->owner, wal, after);
        return begin_list(absence, store, question, prefix, after);
    }
    object_name_history_prefix(question->owner, prefix);
    object_name_of_wal(question->owner, wal, after);
    if (begin_list(absence, store, question, prefix, after) < 0)
        return -1;
    object_name_timeline_prefix(question->owner, wal->timeline, prefix);
    return begin_list(absence, store, question, prefix, NULL);
}

void
absence_begin(struct absence *absence, struct store *store, const struct absence_question *question)
{
    char prefix[OBJECT_NAME_SIZE];

    *absence = ABSENCE_INIT;
    object_name_system_prefix(question->owner, prefix);
    absence->rc = begin_behind(absence, store, question);
    if (absence->rc == 0)
        absence->rc = begin_list(absence, store, question, prefix, NULL);
}

/* 0 (ret_name, OBJECT_NAME_SIZE bytes), FIRST_NONE or -1. */
static int
first_name(const struct store_task *task, char *ret_name, struct err *err)
{
    if (store_task_result(task, err) < 0)
        return -1;

    const struct store_page *page = store_task_page(task);
    if (page->n_entries == 0)
        return page->more ? err_set(err, ERR_TRANSIENT,
                                    "store \"%s\" gave an empty page and says that more follows",
                                    store_name(store_task_store(task)))
                          : FIRST_NONE;
    (void)snprintf(ret_name, OBJECT_NAME_SIZE, "%s", page->entries[0].name);
    return 0;
}

bool
absence_ended(const struct absence *absence)
{
    for (size_t i = 0; absence->rc == 0 && i < absence->n; i++)
        if (!store_task_ended(absence->lists[i]))
            return false;
    return true;
}

int
absence_result(const struct absence *absence, char *ret_evidence, struct err *err)
{
    char name[OBJECT_NAME_SIZE];

    if (absence->rc < 0) {
        *err = absence->err;
        return -1;
    }
    for (size_t i = 0; i + 1 < absence->n; i++) {
        int rc = first_name(absence->lists[i], ret_evidence, err);

        if (rc != FIRST_NONE)
            return rc == 0 ? ABSENCE_GAP : -1;
    }
    int rc = first_name(absence->lists[absence->n - 1], name, err);
    return rc == FIRST_NONE ? ABSENCE_EMPTY : rc;
}

void
absence_done(struct absence *absence)
{
    for (size_t i = 0; i < absence->n; i++)
        store_task_free(absence->lists[i]);
    *absence = ABSENCE_INIT;
}
