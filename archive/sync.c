/* SPDX-License-Identifier: PostgreSQL */
#include "archive/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/sync_parts.h"
#include "base/clock.h"

#define PROBE_MS ((int64_t)60 * 1000)
#define FAILURES_MAX 5 /* in a row: the store is given up */

const char *
sync_kind_name(enum sync_kind kind)
{
    static const char *const names[] = {
        [SYNC_DAMAGED] = "damaged",   [SYNC_CONFLICT] = "conflict", [SYNC_FOREIGN] = "foreign",
        [SYNC_UNHEALED] = "unhealed", [SYNC_FAILED] = "failed",
    };

    _Static_assert(ARRAY_SIZE(names) == SYNC_KINDS, "one name each");
    return names[kind];
}

void
sync_found(struct sync_work *work, enum sync_kind kind, size_t store, const char *name,
           const char *why)
{
    progress_done(&work->progress);
    work->totals[store].n_found[kind]++;
    work->request->finding(work->request->context, kind,
                           work->archive->stores[store].settings->name, name, why);
}

void
sync_store_failed(struct sync_work *work, size_t store, bool writing, const struct err *why)
{
    struct archive_store *at = &work->archive->stores[store];
    bool refused = why->kind == ERR_DENIED || why->kind == ERR_CONFIG;
    uint32_t bit = (uint32_t)1 << store;

    if (++work->failures[store] < FAILURES_MAX && !refused)
        return;
    if (writing && (work->targets & bit) != 0) {
        work->targets &= ~bit;
        work->refused[store] = *why;
        progress_done(&work->progress);
        notice_err(work->notices, LOG_WARNING, why, "store \"%s\" gets nothing more this time",
                   at->settings->name);
    } else if (!writing && at->open_err.kind == ERR_NONE) {
        at->open_err = *why;
        progress_done(&work->progress);
        notice_err(work->notices, LOG_WARNING, why, "store \"%s\" is not asked any more this time",
                   at->settings->name);
    }
}

/* ---- before anything is written ---- */

static void
refuse(struct sync_work *work, size_t i, const struct err *why)
{
    work->targets &= ~((uint32_t)1 << i);
    work->refused[i] = *why;
}

/* Nothing is put into a store that has not proven that it never replaces anything. */
static int
prove_targets(struct sync_work *work, struct err *err)
{
    struct store_limits limits = {clock_boot_ms() + PROBE_MS, PROBE_MS / 2};
    struct probe probes[SETTINGS_STORES_MAX] = {{.store = NULL}};
    bool pending = true;
    int rc = 0;

    for (size_t i = 0; i < work->archive->n_stores; i++) {
        struct archive_store *at = &work->archive->stores[i];
        struct err why = ERR_INIT;

        if ((work->targets & (uint32_t)1 << i) != 0 && at->open_err.kind == ERR_NONE &&
            probe_start(&probes[i], at->store, work->archive->settings->cluster, &limits, &why) <
                0)
            refuse(work, i, &why);
    }
    while (rc == 0 && pending) {
        pending = false;
        for (size_t i = 0; i < work->archive->n_stores; i++) {
            struct err why = ERR_INIT;
            int outcome =
                probes[i].task == NULL ? 0 : probe_advance(&probes[i], &limits, &why);

            if (outcome < 0) {
                refuse(work, i, &why);
                probe_done(&probes[i]);
            }
            pending = pending || outcome == PROBE_PENDING;
        }
        if (pending)
            rc = store_loop_run(work->archive->loop, limits.deadline_ms, err);
    }
    for (size_t i = 0; i < work->archive->n_stores; i++)
        probe_done(&probes[i]);
    return rc;
}

/* ---- the verdict ---- */

/* The first store that is away or refuses; n_stores: none. */
static size_t
first_bad_store(const struct sync_work *work, struct err *ret_why)
{
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        const struct err *open_err = &work->archive->stores[i].open_err;

        if (open_err->kind != ERR_NONE || work->refused[i].kind != ERR_NONE) {
            *ret_why = open_err->kind != ERR_NONE ? *open_err : work->refused[i];
            return i;
        }
    }
    return work->archive->n_stores;
}

static int
verdict(struct sync_work *work, struct err *err)
{
    uint64_t found[SYNC_KINDS] = {0};

    for (size_t i = 0; i < work->archive->n_stores; i++) {
        work->totals[i].away = work->archive->stores[i].open_err.kind != ERR_NONE ||
                               work->refused[i].kind != ERR_NONE;
        for (size_t kind = 0; kind < SYNC_KINDS; kind++)
            found[kind] += work->totals[i].n_found[kind];
    }
    if (found[SYNC_DAMAGED] > 0) {
        (void)err_set(err, ERR_CORRUPT, "%" PRIu64 " damaged copies", found[SYNC_DAMAGED]);
        return err_hint(err, "Sync replaces nothing: whoever may delete in the store removes the "
                             "damaged copy, then sync brings a good one.");
    }
    uint64_t disputed = found[SYNC_CONFLICT] + found[SYNC_FOREIGN] + found[SYNC_UNHEALED];
    if (disputed > 0)
        return err_set(err, ERR_CONFLICT,
                       "%" PRIu64 " conflicts, %" PRIu64 " foreign objects, %" PRIu64
                       " objects without a good copy",
                       found[SYNC_CONFLICT], found[SYNC_FOREIGN], found[SYNC_UNHEALED]);
    if (first_bad_store(work, err) < work->archive->n_stores) {
        if (err->kind != ERR_DENIED && err->kind != ERR_CONFIG)
            err->kind = ERR_TRANSIENT;
        return err_wrap(err, "the stores are not all in step");
    }
    if (found[SYNC_FAILED] > 0) {
        *err = work->first_failure;
        if (err->kind != ERR_DENIED && err->kind != ERR_CONFIG)
            err->kind = ERR_TRANSIENT;
        return err_wrap(err, "%" PRIu64 " objects could not be healed this time",
                        found[SYNC_FAILED]);
    }
    return 0;
}

/* ---- the run ---- */

static int
check_stores(const struct archive *archive, struct err *err)
{
    const struct archive_store *away = NULL;
    size_t n = 0;

    if (archive->n_stores < 2) {
        (void)err_set(err, ERR_CONFIG, "\"%s\" has one store only", archive->settings->file);
        return err_hint(err, "Sync copies from store to store; add a second one to \"stores\".");
    }
    for (size_t i = 0; i < archive->n_stores; i++) {
        if (archive->stores[i].open_err.kind == ERR_NONE)
            n++;
        else
            away = &archive->stores[i];
    }
    if (n >= 2 || away == NULL)
        return 0;
    *err = away->open_err;
    return err_wrap(err, "fewer than two stores are there");
}

static int
run(struct sync_work *work, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];

    if (check_stores(work->archive, err) < 0)
        return -1;
    if (!work->request->dry_run && prove_targets(work, err) < 0)
        return -1;
    (void)snprintf(prefix, sizeof(prefix), "%s/", work->archive->settings->cluster);
    if (sync_walk(work, prefix, err) < 0)
        return -1;
    /* Backups after everything else: their completion says that their WAL is in the archive. */
    work->backups_now = true;
    for (size_t i = 0; i < work->n_systems && !work->request->since.given; i++) {
        work->owner = (struct object_owner){work->archive->settings->cluster, work->systems[i]};
        backup_name_prefix(&work->owner, prefix);
        if (sync_walk(work, prefix, err) < 0)
            return -1;
    }
    return 0;
}

int
sync_archive(struct archive *archive, const struct sync_request *request,
             struct notices *notices, struct sync_totals *ret_totals, uint64_t *ret_incomplete,
             struct err *err)
{
    AUTO(ptr) struct sync_work *work = calloc(1, sizeof(*work));

    memset(ret_totals, 0, archive->n_stores * sizeof(*ret_totals));
    *ret_incomplete = 0;
    if (work == NULL)
        return err_memory(err, "sync");
    work->archive = archive;
    work->request = request;
    work->notices = notices;
    work->totals = ret_totals;
    work->targets = request->targets;
    progress_init(&work->progress);
    int rc = run(work, err);
    progress_done(&work->progress);
    struct err found = ERR_INIT;
    int found_rc = verdict(work, &found);
    *ret_incomplete = work->n_incomplete;
    if (rc == 0 && found_rc < 0)
        *err = found;
    return rc < 0 ? -1 : found_rc;
}
