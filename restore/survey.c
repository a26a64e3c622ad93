/* SPDX-License-Identifier: PostgreSQL */
#include "restore/survey.h"

#include "base/progress.h"

size_t
survey_systems(struct archive *archive, int64_t deadline_ms, uint64_t *ret_systems)
{
    size_t n = 0;

    for (size_t i = 0; i < archive->n_stores; i++) {
        struct archive_store *store = &archive->stores[i];
        uint64_t found[INVENTORY_SYSTEMS_MAX];
        size_t n_found = 0;

        if (store->open_err.kind != ERR_NONE ||
            inventory_systems(archive, store->store, deadline_ms, found, &n_found,
                              &store->open_err) < 0)
            continue;
        for (size_t f = 0; f < n_found; f++) {
            bool known = false;

            for (size_t s = 0; s < n; s++)
                known = known || ret_systems[s] == found[f];
            if (!known && n < INVENTORY_SYSTEMS_MAX)
                ret_systems[n++] = found[f];
        }
    }
    return n;
}

bool
survey_can_decrypt(const struct archive *archive)
{
    return !archive->settings->encrypted || archive->keyring.n_identities > 0;
}

uint32_t
survey_asked(const struct archive *archive)
{
    uint32_t asked = 0;

    for (size_t i = 0; i < archive->n_stores; i++)
        if (archive->stores[i].open_err.kind == ERR_NONE)
            asked |= (uint32_t)1 << i;
    return asked;
}

bool
survey_all_asked(const struct archive *archive)
{
    return survey_asked(archive) == ((uint32_t)1 << archive->n_stores) - 1;
}

/* A backup knows the size of segments better than the first seal, which may be damaged. */
static uint32_t
known_segment_size(const struct backups *backups)
{
    for (size_t i = backups->n; i > 0; i--)
        if (backups->items[i - 1].readable)
            return backups->items[i - 1].complete.segment_size;
    return 0;
}

static int
read_inventories(struct archive *archive, int64_t deadline_ms, struct survey *survey,
                 struct err *err)
{
    uint32_t segment_size = known_segment_size(&survey->backups);
    struct progress progress;
    int rc = 0;

    progress_init(&progress);
    for (size_t i = 0; i < archive->n_stores && rc == 0; i++) {
        struct archive_store *store = &archive->stores[i];

        if (store->open_err.kind != ERR_NONE)
            continue;
        survey->stores[i].segment_size = segment_size;
        if (inventory_read(archive, store->store, &survey->owner, deadline_ms, &progress,
                           &survey->stores[i], &store->open_err) == 0)
            rc = inventory_merge(&survey->together, &survey->stores[i], err);
    }
    progress_done(&progress);
    return rc;
}

int
survey_read(struct archive *archive, uint64_t system_id, int64_t deadline_ms,
            struct notices *notices, struct survey *ret, struct err *err)
{
    AUTO(survey) struct survey survey = {.owner = {archive->settings->cluster, system_id}};
    const struct backups_source source = {archive, &survey.owner, notices, deadline_ms};

    if (backups_find(&source, &survey.backups, err) < 0)
        return -1;
    if (survey_can_decrypt(archive) && backups_read(&source, &survey.backups, err) < 0)
        return -1;
    if (read_inventories(archive, deadline_ms, &survey, err) < 0)
        return -1;
    *ret = survey;
    survey = (struct survey){.owner = {NULL, 0}};
    return 0;
}

const struct inventory_timeline *
survey_timeline(const struct inventory *inventory, uint32_t timeline)
{
    for (size_t i = 0; i < inventory->n_timelines; i++)
        if (inventory->timelines[i].timeline == timeline)
            return &inventory->timelines[i];
    return NULL;
}

uint64_t
survey_first_missing(const struct inventory *inventory, uint32_t timeline, uint64_t first,
                     uint64_t last, uint64_t *ret_missing)
{
    const struct inventory_timeline *at = survey_timeline(inventory, timeline);
    uint64_t found = first; /* everything before it is there */
    uint64_t present = 0;
    bool holes = false;

    for (size_t i = 0; at != NULL && i < at->n_runs && at->runs[i].first <= last; i++) {
        const struct inventory_run *run = &at->runs[i];

        if (run->last < first)
            continue;
        uint64_t from = MAX_OF(run->first, first);
        uint64_t to = MIN_OF(run->last, last);
        present += to - from + 1;
        if (from == found && !holes)
            found = to + 1;
        else
            holes = true;
    }
    if (ret_missing != NULL)
        *ret_missing = last - first + 1 - present;
    return found;
}

void
survey_done(struct survey *survey)
{
    for (size_t i = 0; i < SETTINGS_STORES_MAX; i++)
        inventory_done(&survey->stores[i]);
    inventory_done(&survey->together);
    backups_done(&survey->backups);
}
