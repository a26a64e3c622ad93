/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>

#include "restore/plan_parts.h"

/*
 * The first segment that this store does not have, as its listing tells. Where the parent's file
 * stands in for the child's, that one counts.
 */
static uint64_t
first_hole(const struct plan_work *work, const struct plan_wal *wal, size_t store)
{
    const struct inventory *inventory = &work->survey.stores[store];
    uint64_t hole = plan_wal_hole(work, inventory, wal->first, wal->needed);

    while (hole <= wal->needed) {
        struct wal_name name;

        plan_wal_name(work, hole, &name);
        if (survey_first_missing(inventory, name.timeline, hole, hole, NULL) == hole)
            break;
        hole = hole == wal->needed ? hole + 1
                                   : plan_wal_hole(work, inventory, hole + 1, wal->needed);
    }
    return hole;
}

/* What recovery can do with WAL that is whole up to segment `end`, which is not included. */
static void
judge(struct plan_work *work, const struct plan_wal *wal, uint64_t end, struct plan_health *ret)
{
    const struct backup_complete *complete = &work->backup->complete;
    uint64_t size = work->segment_size;
    uint64_t lsn = 0;

    *ret = (struct plan_health){.known = true, .whole = end > wal->needed};
    if (end > wal->first)
        plan_wal_name(work, end - 1, &ret->last);
    if (ret->whole)
        return;
    if (end <= (complete->stop_lsn - 1) / size) {
        ret->safe = PLAN_SAFE_NOTHING;
        return;
    }
    /* Without a look into it: its beginning is safe, for some record begins in it. */
    if (!plan_limit_lsn(work, wal, end, &lsn))
        lsn = (end - 1) * size;
    ret->safe = lsn < complete->stop_lsn ? PLAN_SAFE_BACKUP_END : PLAN_SAFE_LSN;
    ret->safe_lsn = lsn;
}

void
plan_health_find(struct plan_work *work, const struct plan_wal *wal)
{
    struct plan *plan = &work->plan;
    uint64_t ends[SETTINGS_STORES_MAX];

    for (size_t i = 0; i < plan->n_stores; i++) {
        struct plan_health *health = &plan->stores[i].health;
        size_t same = 0;

        if (!plan->stores[i].asked)
            continue;
        ends[i] = MIN_OF(MIN_OF(first_hole(work, wal, i), work->first_bad[i]), work->first_lost);
        /* Looking into a segment costs its bytes: once for all stores that end there. */
        while (same < i && (!plan->stores[same].asked || ends[same] != ends[i]))
            same++;
        if (same < i)
            *health = plan->stores[same].health;
        else
            judge(work, wal, ends[i], health);
    }
}

/* As the option that recovers to there, or why there is none. */
const char *
plan_health_text(const struct plan_health *health, char *text, size_t size)
{
    char lsn[WAL_LSN_TEXT_SIZE];

    switch (health->safe) {
    case PLAN_SAFE_LSN:
        (void)snprintf(text, size, "--lsn %s", wal_lsn_text(health->safe_lsn, lsn));
        break;
    case PLAN_SAFE_BACKUP_END:
        (void)snprintf(text, size, "--backup-end");
        break;
    case PLAN_SAFE_NOTHING:
        (void)snprintf(text, size, "nothing");
        break;
    }
    return text;
}

int
plan_health_refuse(struct plan_work *work, const struct plan_wal *wal, uint64_t end,
                   struct err *err)
{
    struct plan *plan = &work->plan;
    const struct plan_health *all = &plan->health;
    char target[PLAN_HEALTH_TEXT_SIZE];

    judge(work, wal, end, &plan->health);
    plan_health_find(work, wal);
    plan->refused = true;
    for (size_t i = 0; i < plan->n_stores; i++) {
        const struct plan_health *health = &plan->stores[i].health;

        if (plan->n_stores == 1 || !health->known)
            continue;
        notice(work->notices, LOG_WARNING, "store \"%s\": %s%s; safe from it alone: %s",
               plan->stores[i].name,
               health->whole           ? "it has every segment, the last healthy one is "
               : health->last.text[0] != '\0' ? "the last healthy segment is "
                                       : "no healthy segment",
               health->last.text,
               health->whole ? "the target" : plan_health_text(health, target, sizeof(target)));
    }
    if (all->safe == PLAN_SAFE_NOTHING)
        return err_hint(err, "The WAL that backup %s itself needs is not whole: it cannot be "
                             "restored as things are. \"seawall list\" shows others.",
                        work->backup->label);
    if (all->safe == PLAN_SAFE_BACKUP_END)
        return err_hint(err, "The last healthy segment is %s. Recovery is possible to the end of "
                             "the backup: --backup %s --backup-end.",
                        all->last.text, work->backup->label);
    return err_hint(err, "The last healthy segment is %s. Recovery is possible up to %s.",
                    all->last.text, plan_health_text(all, target, sizeof(target)));
}
