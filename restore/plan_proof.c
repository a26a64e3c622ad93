/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "catalog/backup_manifest.h"
#include "restore/muster.h"
#include "restore/plan_parts.h"

#define NAMES_SHOWN 3
#define PAGE_MAX 1000
#define SKEW_US (5 * 60 * INT64_C(1000000)) /* clocks of hosts that archive may differ so much */

/* The parts of the backup, while they are read. */
struct proof {
    struct plan_work *work;
    struct progress progress;
    uint64_t next;
    uint64_t n_judged;
    uint64_t n_lost;
    struct err first_why;
    enum err_kind kind; /* the gravest reason is corruption, the least that a store is away */
    char names[NAMES_SHOWN * 32];
};

static int
next_item(void *context, struct muster_item *ret, struct err *err UNUSED)
{
    struct proof *proof = context;
    const struct plan_work *work = proof->work;

    if (proof->next > work->backup->complete.n_parts)
        return MUSTER_END;
    backup_name_of(&work->survey.owner, work->backup->label, BACKUP_PART, (uint32_t)proof->next,
                   ret->name);
    ret->number = proof->next++;
    ret->stores = work->backup->stores;
    return 0;
}

static int
judge_item(void *context, const struct muster_item *item, size_t store UNUSED, struct span bytes,
           struct err *err)
{
    const struct proof *proof = context;
    const struct plan_work *work = proof->work;
    struct object object;

    if (object_open(bytes.data, bytes.size, item->name, work->survey.owner.system_id,
                    &work->archive->keyring, &object, err) < 0 ||
        object_unpack(&object, &work->archive->keyring, NULL, NULL, NULL, err) < 0)
        return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
    return 0;
}

static int
item_taken(void *context, const struct muster_item *item UNUSED, struct err *err UNUSED)
{
    struct proof *proof = context;

    proof->n_judged++;
    progress_show(&proof->progress, "parts verified: %" PRIu64 " of %" PRIu32, proof->n_judged,
                  proof->work->backup->complete.n_parts);
    return 0;
}

static int
item_failed(void *context, const struct muster_item *item UNUSED, size_t store UNUSED,
            int outcome UNUSED, const struct err *why, struct err *err UNUSED)
{
    struct proof *proof = context;

    notice_err(proof->work->notices, LOG_WARNING, why, "a copy is passed over");
    return 0;
}

static int
item_lost(void *context, const struct muster_item *item, const struct err *why,
          struct err *err UNUSED)
{
    struct proof *proof = context;
    size_t at = strlen(proof->names);

    if (proof->n_lost < NAMES_SHOWN)
        (void)snprintf(proof->names + at, sizeof(proof->names) - at, "%s %s", at == 0 ? "" : ",",
                       strrchr(item->name, '/') + 1);
    if (proof->n_lost == 0)
        proof->first_why = *why;
    /* What will not pass outweighs what may. */
    if (proof->n_lost == 0 || (proof->kind == ERR_TRANSIENT && why->kind != ERR_TRANSIENT))
        proof->kind = why->kind;
    proof->n_lost++;
    return 0;
}

/* Read and decode every part. 0 or -1. */
static int
prove_parts(struct plan_work *work, struct err *err)
{
    struct proof proof = {.work = work, .next = 1};
    const struct muster muster = {
        .archive = work->archive,
        .deadline_ms = work->request->deadline_ms,
        .max_bytes = object_size_bound(MANIFEST_PART_MAX),
        .parallel = true,
        .context = &proof,
        .next = next_item,
        .judge = judge_item,
        .taken = item_taken,
        .failed = item_failed,
        .lost = item_lost,
    };

    progress_init(&proof.progress);
    int rc = muster_run(&muster, NULL, err);
    progress_done(&proof.progress);
    if (rc < 0 || proof.n_lost == 0)
        return rc;
    (void)err_set(err, proof.kind, "%" PRIu64 " of the backup's parts verif%s in no store:%s%s: %s",
                  proof.n_lost, proof.n_lost == 1 ? "ies" : "y", proof.names,
                  proof.n_lost > NAMES_SHOWN ? " and more" : "", proof.first_why.text);
    return err_hint(err, "Choose another backup with --backup; \"seawall list\" shows them.");
}

/* ---- the backup's objects, as listings tell ---- */

struct tally {
    uint8_t *seen; /* a bit each: parts, then manifests */
    uint64_t n_parts;
    uint64_t n_manifests;
};

static void
tally_page(const struct plan_work *work, const struct store_page *page, struct tally *tally)
{
    for (size_t i = 0; i < page->n_entries; i++) {
        char label[BACKUP_LABEL_SIZE];
        enum backup_object_kind kind = BACKUP_COMPLETE;
        uint32_t number = 0;

        if (!backup_name_parse(&work->survey.owner, page->entries[i].name, label, &kind, &number) ||
            kind == BACKUP_COMPLETE ||
            number > (kind == BACKUP_PART ? tally->n_parts : tally->n_manifests))
            continue;
        uint64_t at = number - 1 + (kind == BACKUP_PART ? 0 : tally->n_parts);
        tally->seen[at / 8] |= (uint8_t)(1u << at % 8);
    }
}

static int
tally_store(struct plan_work *work, size_t i, struct tally *tally, struct err *err)
{
    char prefix[OBJECT_NAME_SIZE];
    char after[OBJECT_NAME_SIZE * 3] = "";

    backup_name_label_prefix(&work->survey.owner, work->backup->label, prefix);
    for (bool more = true; more;) {
        struct store_limits limits = {work->request->deadline_ms, INVENTORY_RETRY_MS};
        AUTO(store_task) struct store_task *task = NULL;

        if (store_start_list(work->archive->stores[i].store, prefix,
                             after[0] == '\0' ? NULL : after, PAGE_MAX, &limits, &task, err) < 0 ||
            store_task_wait(work->archive->loop, task, err) < 0)
            return -1;
        const struct store_page *page = store_task_page(task);
        tally_page(work, page, tally);
        more = page->more && page->n_entries > 0;
        if (more)
            (void)snprintf(after, sizeof(after), "%s", page->entries[page->n_entries - 1].name);
    }
    return 0;
}

static int
refuse_backup(const struct plan_work *work, const struct tally *tally, struct err *err)
{
    uint64_t missing = 0;
    uint64_t first = 0;

    for (uint64_t at = tally->n_parts + tally->n_manifests; at > 0; at--)
        if ((tally->seen[(at - 1) / 8] & 1u << (at - 1) % 8) == 0) {
            first = at - 1;
            missing++;
        }
    if (missing == 0)
        return 0;
    bool part = first < tally->n_parts;
    (void)err_set(err, survey_all_asked(work->archive) ? ERR_CONFLICT : ERR_TRANSIENT,
                  "backup %s is not whole: %" PRIu64
                  " of its objects are in no store, the first is %s-%08" PRIu64,
                  work->backup->label, missing, part ? "part" : "manifest",
                  part ? first + 1 : first - tally->n_parts + 1);
    return err_hint(err, "Choose another backup with --backup; \"seawall list\" shows them.");
}

/* Every part and manifest object is listed in some store. 0 or -1. */
static int
check_objects(struct plan_work *work, struct err *err)
{
    const struct backup_complete *complete = &work->backup->complete;
    struct tally tally = {.n_parts = complete->n_parts, .n_manifests = complete->n_manifests};
    AUTO(ptr) uint8_t *seen = calloc((tally.n_parts + tally.n_manifests) / 8 + 1, 1);

    if (seen == NULL)
        return err_memory(err, "list of parts");
    tally.seen = seen;
    for (size_t i = 0; i < work->archive->n_stores; i++) {
        struct err *why = &work->archive->stores[i].open_err;

        if (why->kind == ERR_NONE && tally_store(work, i, &tally, why) < 0)
            notice_err(work->notices, LOG_WARNING, why, "a store is passed over");
    }
    return refuse_backup(work, &tally, err);
}

/* A commit is never later than the archiving of its segment. */
static int
check_time(struct plan_work *work, int64_t last_created_us, struct err *err)
{
    const struct recovery_target *target = &work->request->target;
    char text[TARGET_TEXT_SIZE];
    char end[TARGET_TEXT_SIZE];
    const struct recovery_target archived = {.kind = TARGET_TIME, .time_us = last_created_us};
    bool all = survey_all_asked(work->archive);

    if (target->kind != TARGET_TIME || target->stop_lsn != 0 ||
        target->time_us <= last_created_us)
        return 0;
    if (target->time_us <= last_created_us + SKEW_US) {
        notice(work->notices, LOG_WARNING,
               "the last segment was archived shortly before the target, at %s: WAL may end before "
               "it, and then recovery fails",
               target_text(&archived, end, sizeof(end)));
        return 0;
    }
    (void)err_set(err, all ? ERR_CONFIG : ERR_TRANSIENT,
                  "%s is behind the archived WAL: its last segment %s was archived at %s%s",
                  target_text(target, text, sizeof(text)), work->plan.last_wal.text,
                  target_text(&archived, end, sizeof(end)),
                  all ? "" : " (not all stores could be asked)");
    return err_hint(err, "Use --latest to recover all that is archived.");
}

int
plan_proof(struct plan_work *work, struct plan_wal *wal, struct err *err)
{
    int64_t created_us = 0;

    if (check_objects(work, err) < 0 || plan_proof_wal(work, wal, &created_us, err) < 0)
        return -1;
    work->plan.window_end_time = created_us / 1000000;
    if (check_time(work, created_us, err) < 0)
        return -1;
    return work->request->deep ? prove_parts(work, err) : 0;
}
