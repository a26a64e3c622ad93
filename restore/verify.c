/* SPDX-License-Identifier: PostgreSQL */
#include "restore/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "catalog/name_map.h"
#include "restore/verify_parts.h"

const char *
verify_kind_name(enum verify_kind kind)
{
    switch (kind) {
    case VERIFY_DAMAGED:
        return "damaged";
    case VERIFY_MISSING:
        return "missing";
    case VERIFY_FOREIGN:
        return "foreign";
    case VERIFY_UNREAD:
        return "unread";
    case VERIFY_DISAGREEING:
        return "disagreeing";
    }
    return "unread";
}

bool
verify_is_deep(const struct archive *archive)
{
    return survey_can_decrypt(archive);
}

void
verify_found(struct verify_work *work, enum verify_kind kind, const char *name, const char *why)
{
    work->totals[work->store].n_found[kind]++;
    work->request->finding(work->request->context, kind,
                           work->archive->stores[work->store].settings->name, name, why);
}

static bool
store_works(const struct verify_work *work)
{
    return work->archive->stores[work->store].open_err.kind == ERR_NONE;
}

static int
verify_wal(struct verify_work *work, struct err *err)
{
    uint32_t segment_size = work->survey.together.segment_size;
    AUTO(verify_walk) struct verify_walk wal = {
        .work = work,
        .max_file = segment_size == 0 ? OBJECT_FILE_MAX : segment_size,
    };
    AUTO(verify_walk) struct verify_walk histories = {
        .work = work,
        .max_file = WAL_SEGMENT_SIZE_MIN,
    };

    object_name_wal_prefix(&work->survey.owner, wal.prefix);
    object_name_history_prefix(&work->survey.owner, histories.prefix);
    if (verify_walk_run(&wal, err) < 0 || verify_walk_run(&histories, err) < 0)
        return -1;
    return store_works(work) ? verify_missing_wal(work, err) : 0;
}

static int
verify_names(struct verify_work *work, struct err *err)
{
    AUTO(verify_walk) struct verify_walk names = {
        .work = work,
        .names = true,
        .max_file = NAME_MAP_FILE_MAX,
    };

    name_map_prefix(&work->survey.owner, names.prefix);
    return verify_walk_run(&names, err);
}

static int
verify_store(struct verify_work *work, struct err *err)
{
    const struct verify_request *request = work->request;

    if (request->label == NULL && verify_wal(work, err) < 0)
        return -1;
    if (request->wal_since || !store_works(work))
        return 0;
    if (request->label == NULL && (verify_names(work, err) < 0 || !store_works(work)))
        return store_works(work) ? -1 : 0;
    return verify_backups(work, err);
}

/* How much there is to read, for the line that tells how far it is. */
static uint64_t
expected_bytes(const struct verify_work *work)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < work->archive->n_stores; i++) {
        const struct inventory *inventory = &work->survey.stores[i];

        for (size_t t = 0; t < inventory->n_timelines && work->request->label == NULL; t++)
            bytes += inventory->timelines[t].stored_bytes;
        for (size_t b = 0; b < work->survey.backups.n && !work->request->wal_since; b++) {
            const struct backup_found *found = &work->survey.backups.items[b];

            if ((found->stores & (uint32_t)1 << i) != 0 &&
                (work->request->label == NULL ||
                 strcmp(work->request->label, found->label) == 0))
                bytes += found->complete.stored_bytes;
        }
    }
    return bytes;
}

static bool
has_label(const struct verify_work *work)
{
    for (size_t b = 0; b < work->survey.backups.n; b++)
        if (strcmp(work->request->label, work->survey.backups.items[b].label) == 0)
            return true;
    return false;
}

/* One server. *ret_label: the backup that was asked for is one of its. 0 or -1. */
static int
verify_system(struct verify_work *work, uint64_t system_id, bool *ret_label, struct err *err)
{
    int rc = survey_read(work->archive, system_id, work->request->deadline_ms, work->notices,
                         &work->survey, err);

    if (rc < 0)
        return -1;
    if (work->request->label == NULL || has_label(work)) {
        *ret_label = true;
        work->expected = expected_bytes(work);
        work->done = 0;
        progress_init(&work->progress);
        for (work->store = 0; work->store < work->archive->n_stores && rc == 0; work->store++) {
            work->failures = 0;
            if (store_works(work))
                rc = verify_store(work, err);
        }
        progress_done(&work->progress);
    }
    survey_done(&work->survey);
    work->survey = (struct survey){.owner = {NULL, 0}};
    return rc;
}

static int
verdict(const struct archive *archive, struct verify_totals *totals, struct err *err)
{
    uint64_t found[VERIFY_KINDS] = {0};
    size_t away = archive->n_stores;

    for (size_t i = 0; i < archive->n_stores; i++) {
        totals[i].away = archive->stores[i].open_err.kind != ERR_NONE;
        if (totals[i].away && away == archive->n_stores)
            away = i;
        for (size_t kind = 0; kind < ARRAY_SIZE(found); kind++)
            found[kind] += totals[i].n_found[kind];
    }
    if (found[VERIFY_DAMAGED] > 0)
        (void)err_set(err, ERR_CORRUPT, "%" PRIu64 " damaged, %" PRIu64 " missing, %" PRIu64
                      " foreign, %" PRIu64 " disagreeing objects", found[VERIFY_DAMAGED],
                      found[VERIFY_MISSING], found[VERIFY_FOREIGN], found[VERIFY_DISAGREEING]);
    else if (found[VERIFY_MISSING] + found[VERIFY_FOREIGN] + found[VERIFY_DISAGREEING] > 0)
        (void)err_set(err, ERR_CONFLICT, "%" PRIu64 " missing, %" PRIu64 " foreign, %" PRIu64
                      " disagreeing objects", found[VERIFY_MISSING], found[VERIFY_FOREIGN],
                      found[VERIFY_DISAGREEING]);
    if (found[VERIFY_DISAGREEING] > 0)
        return err_hint(err, "Stores disagree: two servers archived under one name. Find out which "
                             "was the right one, and remove the other's copies before a recovery.");
    if (err->kind != ERR_NONE)
        return -1;
    if (away < archive->n_stores) {
        *err = archive->stores[away].open_err;
        if (err->kind == ERR_LOCAL || err->kind == ERR_CONFLICT)
            err->kind = ERR_TRANSIENT;
        return err_wrap(err, "could not verify the whole archive");
    }
    if (found[VERIFY_UNREAD] > 0)
        return err_set(err, ERR_TRANSIENT, "%" PRIu64 " objects could not be read",
                       found[VERIFY_UNREAD]);
    return 0;
}

int
verify_archive(struct archive *archive, const struct verify_request *request,
               struct notices *notices, struct verify_totals *ret_totals, struct err *err)
{
    uint64_t systems[INVENTORY_SYSTEMS_MAX];
    AUTO(ptr) struct verify_work *work = calloc(1, sizeof(*work));
    bool label = request->label == NULL;

    memset(ret_totals, 0, archive->n_stores * sizeof(*ret_totals));
    if (work == NULL)
        return err_memory(err, "verification");
    work->archive = archive;
    work->request = request;
    work->notices = notices;
    work->totals = ret_totals;
    size_t n = survey_systems(archive, request->deadline_ms, systems);
    for (size_t i = 0; i < n; i++)
        if (verify_system(work, systems[i], &label, err) < 0)
            return -1;
    int rc = verdict(archive, ret_totals, err);
    if (rc == 0 && !label)
        return err_set(err, ERR_CONFIG, "there is no complete backup of that label");
    return rc;
}
