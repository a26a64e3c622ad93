/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "restore/plan_parts.h"
#include "restore/report.h"
#include "restore/wal_scan.h"

#define NAMES_SHOWN 3
#define NAMES_SIZE (NAMES_SHOWN * 32)

struct proof {
    struct plan_work *work;
    uint64_t first;
    uint64_t last;
    uint64_t stop_lsn; /* what is behind does not matter; UINT64_MAX: everything does */
    bool unknown;      /* of a version nobody can read: said once */
    uint64_t n_bad;
    uint64_t first_bad;
    struct err why;
    char names[NAMES_SIZE];
    int64_t last_created_us; /* of segment `last` */
    uint64_t last_payload;
    int64_t kept_us; /* the last commit before it */
};

static void
count_stores(struct plan_work *work, const struct wal_scan_segment *segment)
{
    for (size_t i = 0; i < work->archive->n_stores; i++)
        work->plan.stores[i].n_segments +=
            survey_first_missing(&work->survey.stores[i], segment->name.timeline, segment->number,
                                 segment->number, NULL) > segment->number;
}

static void
note_bad(struct proof *proof, const struct wal_scan_segment *segment, const struct err *why)
{
    size_t at = strlen(proof->names);

    if (proof->n_bad < NAMES_SHOWN)
        (void)snprintf(proof->names + at, sizeof(proof->names) - at, "%s %s", at == 0 ? "" : ",",
                       segment->name.text);
    if (proof->n_bad == 0) {
        proof->first_bad = segment->number;
        proof->why = *why;
    }
    /* What will not pass outweighs what may. */
    if (proof->why.kind == ERR_TRANSIENT && why->kind != ERR_TRANSIENT)
        proof->why = *why;
    proof->n_bad++;
}

/* Do its records follow each other, and those of the segment before? 0 or -1. */
static int
check_records(struct proof *proof, const struct wal_scan_segment *segment, struct err *why)
{
    const struct wal_damage *damage = &segment->summary.damage;
    char lsn[WAL_LSN_TEXT_SIZE];

    if (damage->kind == WAL_DAMAGE_UNKNOWN) {
        if (!proof->unknown)
            notice(proof->work->notices, LOG_WARNING,
                   "WAL file \"%s\": %s; whether its records are whole is not known",
                   segment->name.text, damage->why);
        proof->unknown = true;
        return 0;
    }
    if (segment->broken != NULL && segment->summary.start_lsn <= proof->stop_lsn)
        return err_set(why, ERR_CORRUPT, "WAL file \"%s\" does not follow the one before: %s",
                       segment->name.text, segment->broken);
    if (damage->kind != WAL_DAMAGE_NONE && damage->lsn <= proof->stop_lsn)
        return err_set(why, ERR_CORRUPT, "WAL file \"%s\" is damaged at %s: %s",
                       segment->name.text, wal_lsn_text(damage->lsn, lsn), damage->why);
    return 0;
}

static int
take_segment(void *context, const struct wal_scan_segment *segment, struct err *err UNUSED)
{
    struct proof *proof = context;
    struct plan_work *work = proof->work;
    struct err why = ERR_INIT;

    count_stores(work, segment);
    if (segment->lost) {
        note_bad(proof, segment, &segment->why);
        return 0;
    }
    if (check_records(proof, segment, &why) < 0)
        note_bad(proof, segment, &why);
    work->plan.fetch_bytes += segment->seal.payload_size;
    if (segment->number == proof->last) {
        proof->last_created_us = segment->seal.created_us;
        proof->last_payload = segment->seal.payload_size;
    } else if (segment->index->totals.commits > 0) {
        proof->kept_us = segment->index->totals.last_commit.time;
    }
    return 0;
}

int
plan_proof_wal(struct plan_work *work, struct plan_wal *wal, int64_t *ret_created_us,
               struct err *err)
{
    struct proof proof = {
        .work = work,
        .first = wal->first,
        .last = wal->needed,
        .stop_lsn = UINT64_MAX,
    };
    const struct wal_scan scan = {
        .work = work,
        .first = wal->first,
        .last = wal->needed,
        .deep = work->request->deep,
        .progress = "WAL segments verified",
        .context = &proof,
        .segment = take_segment,
    };

    (void)target_stops_at(&work->request->target, &proof.stop_lsn);
    if (wal_scan_run(&scan, NULL, err) < 0)
        return -1;
    *ret_created_us = proof.last_created_us;
    wal->last_payload = proof.last_payload;
    wal->kept_us = proof.kept_us;
    if (proof.n_bad == 0)
        return 0;
    (void)err_set(err, proof.why.kind, "%" PRIu64 " of the needed WAL segments verif%s in no store:"
                                       "%s%s: %s",
                  proof.n_bad, proof.n_bad == 1 ? "ies" : "y", proof.names,
                  proof.n_bad > NAMES_SHOWN ? " and more" : "", proof.why.text);
    return plan_limit_hint(work, wal, proof.first_bad, err);
}
