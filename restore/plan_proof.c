/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "catalog/backup_manifest.h"
#include "restore/muster.h"
#include "restore/plan_parts.h"
#include "wal/wal_page.h"

#define NAMES_SHOWN 3
#define PAGE_MAX 1000
#define SKEW_US (5 * 60 * INT64_C(1000000)) /* clocks of hosts that archive may differ so much */

/* What is being proven: segments first, then (deep) the parts of the backup. */
struct proof {
    struct plan_work *work;
    const struct plan_wal *wal;
    struct progress progress;
    uint64_t next;
    uint64_t last;
    uint64_t n_judged;
    bool parts; /* numbers are those of parts */
    uint32_t part_stores;
    uint64_t n_lost;
    uint64_t first_lost;
    struct err first_why;
    enum err_kind kind; /* the gravest reason is corruption, the least that a store is away */
    char names[NAMES_SHOWN * 32];
    int64_t last_created_us; /* of segment `last` */
};

static int
next_segment(struct proof *proof, struct muster_item *ret)
{
    struct plan_work *work = proof->work;
    struct wal_name name;

    plan_wal_name(work, proof->next, &name);
    object_name_of_wal(&work->survey.owner, &name, ret->name);
    ret->number = proof->next;
    ret->stores = 0;
    for (size_t i = 0; i < work->archive->n_stores; i++)
        if (survey_first_missing(&work->survey.stores[i], name.timeline, proof->next, proof->next,
                                 NULL) > proof->next) {
            ret->stores |= (uint32_t)1 << i;
            work->plan.stores[i].n_segments++;
        }
    return 0;
}

static int
next_item(void *context, struct muster_item *ret, struct err *err UNUSED)
{
    struct proof *proof = context;

    if (proof->next > proof->last)
        return MUSTER_END;
    if (proof->parts) {
        backup_name_of(&proof->work->survey.owner, proof->work->backup->label, BACKUP_PART,
                       (uint32_t)proof->next, ret->name);
        ret->number = proof->next;
        ret->stores = proof->part_stores;
    } else {
        (void)next_segment(proof, ret);
    }
    proof->next++;
    return 0;
}

/* A segment's first page, from the first piece of the file. */
struct first_page {
    uint8_t bytes[WAL_LONG_HEADER_SIZE];
    size_t size;
};

static int
keep_first_page(void *context, const uint8_t *bytes, size_t size, struct err *err UNUSED)
{
    struct first_page *page = context;
    size_t piece = MIN_OF(size, sizeof(page->bytes) - page->size);

    memcpy(page->bytes + page->size, bytes, piece);
    page->size += piece;
    return 0;
}

/* Everything about one object. 0 or -1. */
static int
judge_whole(const struct proof *proof, const struct muster_item *item, struct span bytes,
            struct seal *ret_seal, struct err *err)
{
    struct plan_work *work = proof->work;
    struct object object;
    struct first_page page = {.size = 0};
    struct wal_page_header header;
    struct wal_name name;

    if (object_open(bytes.data, bytes.size, item->name, work->survey.owner.system_id,
                    &work->archive->keyring, &object, err) < 0 ||
        object_unpack(&object, &work->archive->keyring, keep_first_page, &page, NULL, err) < 0)
        return -1;
    *ret_seal = object.seal;
    if (proof->parts)
        return 0;
    if (!wal_page_read_header(page.bytes, page.size, &header))
        return err_set(err, ERR_CORRUPT, "no WAL page");
    plan_wal_name(work, item->number, &name);
    if (wal_page_check_segment(&header, &name, work->survey.owner.system_id,
                               object.seal.file_size, err) < 0) {
        err->kind = ERR_CORRUPT;
        return -1;
    }
    return 0;
}

static int
judge_seal(const struct proof *proof, const struct muster_item *item, struct span bytes,
           struct seal *ret_seal, struct err *err)
{
    struct plan_work *work = proof->work;

    if (object_peek(bytes.data, bytes.size, &work->archive->keyring, ret_seal, err) < 0)
        return -1;
    if (strcmp(ret_seal->name, item->name) != 0 ||
        ret_seal->system_id != work->survey.owner.system_id)
        return err_set(err, ERR_CORRUPT, "the seal is that of \"%s\" of system %" PRIu64,
                       ret_seal->name, ret_seal->system_id);
    return 0;
}

static int
judge_item(void *context, const struct muster_item *item, size_t store UNUSED, struct span bytes,
           struct err *err)
{
    struct proof *proof = context;
    struct plan_work *work = proof->work;
    struct seal seal;

    int rc = work->request->deep ? judge_whole(proof, item, bytes, &seal, err)
                                 : judge_seal(proof, item, bytes, &seal, err);
    if (rc == 0 && !proof->parts && seal.file_size != work->segment_size)
        rc = err_set(err, ERR_CORRUPT, "a file of %" PRIu64 " bytes, wanted %" PRIu32,
                     seal.file_size, work->segment_size);
    if (rc < 0)
        return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
    if (!proof->parts)
        work->plan.fetch_bytes += seal.payload_size;
    if (!proof->parts && item->number == proof->last)
        proof->last_created_us = seal.created_us;
    proof->n_judged++;
    progress_show(&proof->progress, "%s verified: %" PRIu64 " of %" PRIu64,
                  proof->parts ? "parts" : "WAL segments", proof->n_judged,
                  proof->last - (proof->parts ? 0 : proof->wal->first - 1));
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
    if (proof->n_lost == 0 || item->number < proof->first_lost) {
        proof->first_lost = item->number;
        proof->first_why = *why;
    }
    /* What will not pass outweighs what may. */
    if (proof->n_lost == 0 || (proof->kind == ERR_TRANSIENT && why->kind != ERR_TRANSIENT))
        proof->kind = why->kind;
    proof->n_lost++;
    return 0;
}

/* Prove the segments, or the parts. 0 or -1. */
static int
prove(struct proof *proof, struct err *err)
{
    struct plan_work *work = proof->work;
    const struct muster muster = {
        .archive = work->archive,
        .deadline_ms = work->request->deadline_ms,
        .first_bytes = work->request->deep ? 0 : MUSTER_SEAL_BYTES,
        .max_bytes = object_size_bound(proof->parts ? MANIFEST_PART_MAX : work->segment_size),
        .context = proof,
        .next = next_item,
        .judge = judge_item,
        .failed = item_failed,
        .lost = item_lost,
    };

    progress_init(&proof->progress);
    int rc = muster_run(&muster, err);
    progress_done(&proof->progress);
    if (rc < 0 || proof->n_lost == 0)
        return rc;
    (void)err_set(err, proof->kind, "%" PRIu64 " of the %s verif%s in no store:%s%s: %s",
                  proof->n_lost, proof->parts ? "backup's parts" : "needed WAL segments",
                  proof->n_lost == 1 ? "ies" : "y", proof->names,
                  proof->n_lost > NAMES_SHOWN ? " and more" : "", proof->first_why.text);
    if (proof->parts)
        return err_hint(err, "Choose another backup with --backup; \"seawall list\" shows them.");
    return plan_limit_hint(work, proof->wal, proof->first_lost, err);
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

    if (target->kind != TARGET_TIME || target->time_us <= last_created_us)
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
plan_proof(struct plan_work *work, const struct plan_wal *wal, struct err *err)
{
    struct proof segments = {.work = work, .wal = wal, .next = wal->first, .last = wal->needed};
    struct proof parts = {
        .work = work,
        .wal = wal,
        .next = 1,
        .last = work->backup->complete.n_parts,
        .parts = true,
        .part_stores = work->backup->stores,
    };

    if (check_objects(work, err) < 0 || prove(&segments, err) < 0)
        return -1;
    work->plan.window_end_time = segments.last_created_us / 1000000;
    if (check_time(work, segments.last_created_us, err) < 0)
        return -1;
    return work->request->deep ? prove(&parts, err) : 0;
}
