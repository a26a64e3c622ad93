/* SPDX-License-Identifier: PostgreSQL */
#include "restore/wal_scan.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "catalog/retrieval.h"
#include "restore/muster.h"
#include "wal/wal_indexer.h"
#include "wal/wal_seam.h"

#define BATCH 128
#define FIRST_BYTES (72 * KIB) /* the whole first encrypted chunk: most indexes are in there */
#define READ_TIMEOUT_MS (5 * 60 * 1000)

enum want {
    WANT_INDEX,  /* the beginning of the object */
    WANT_MORE,   /* as much as an index can need */
    WANT_WHOLE,
    WANT_NOTHING,
};

/* One segment of a batch. */
struct slot {
    enum want want;
    struct wal_scan_segment segment;
    struct buf bytes; /* of the index */
    struct wal_index index;
    bool open;
};

struct scanner {
    const struct wal_scan *scan;
    struct wal_scan_cost cost;
    struct progress progress;
    struct slot slots[BATCH];
    size_t n;          /* in this batch */
    size_t next;       /* of them, for muster */
    enum want pass;    /* what is read now */
    struct wal_seam *seam;
    bool chained;      /* the seam has begun */
    struct buf crossing_bytes;
};

static void
slot_done(struct slot *slot)
{
    if (slot->open)
        wal_index_done(&slot->index);
    slot->open = false;
    buf_done(&slot->bytes);
}

/* ---- reading ---- */

static int
next_item(void *context, struct muster_item *ret, struct err *err UNUSED)
{
    struct scanner *scanner = context;
    struct plan_work *work = scanner->scan->work;

    while (scanner->next < scanner->n && scanner->slots[scanner->next].want != scanner->pass)
        scanner->next++;
    if (scanner->next == scanner->n)
        return MUSTER_END;
    const struct wal_scan_segment *segment = &scanner->slots[scanner->next].segment;
    object_name_of_wal(&work->survey.owner, &segment->name, ret->name);
    ret->number = scanner->next++;
    ret->stores = 0;
    for (size_t i = 0; i < work->archive->n_stores; i++)
        if (survey_first_missing(&work->survey.stores[i], segment->name.timeline, segment->number,
                                 segment->number, NULL) > segment->number)
            ret->stores |= (uint32_t)1 << i;
    scanner->cost.requests++;
    return 0;
}

static int
check_seal(const struct scanner *scanner, const struct muster_item *item, const struct seal *seal,
           struct err *err)
{
    const struct plan_work *work = scanner->scan->work;

    if (strcmp(seal->name, item->name) != 0 || seal->system_id != work->survey.owner.system_id)
        return err_set(err, ERR_CORRUPT, "the seal is that of \"%s\" of system %" PRIu64,
                       seal->name, seal->system_id);
    if (seal->file_size != work->segment_size)
        return err_set(err, ERR_CORRUPT, "a file of %" PRIu64 " bytes, wanted %" PRIu32,
                       seal->file_size, work->segment_size);
    return 0;
}

/* Is it the index of this segment? */
static int
check_index(const struct scanner *scanner, struct slot *slot, struct err *err)
{
    const struct plan_work *work = scanner->scan->work;
    struct wal_summary *summary = &slot->segment.summary;

    wal_index_summary(&slot->index, summary);
    if (summary->version == 0 && slot->index.magic != 0)
        return 0; /* of a server we do not know: nothing more can be said */
    if (summary->version == 0)
        return err_set(err, ERR_CORRUPT, "it is no WAL");
    if (summary->start_lsn != slot->segment.number * work->segment_size ||
        summary->end_lsn != summary->start_lsn + work->segment_size ||
        slot->index.system_id != work->survey.owner.system_id)
        return err_set(err, ERR_CORRUPT, "the index is that of another segment");
    return 0;
}

/* 0, 1 (there is none that can be read: the segment must be) or -1. */
static int
open_index(const struct scanner *scanner, struct slot *slot, uint32_t version, struct err *err)
{
    int rc = wal_index_open(version, slot->bytes.data, slot->bytes.size, &slot->index, err);

    if (rc != 0)
        return rc;
    slot->open = true;
    if (check_index(scanner, slot, err) == 0)
        return 0;
    wal_index_done(&slot->index);
    slot->open = false;
    return -1;
}

static int
judge_start(struct scanner *scanner, const struct muster_item *item, struct slot *slot,
            struct span bytes, struct err *err)
{
    const struct keyring *keyring = &scanner->scan->work->archive->keyring;
    uint32_t version = 0;

    int rc = object_read_index(bytes.data, bytes.size, keyring, &slot->segment.seal, &version,
                               &slot->bytes, err);
    if (rc < 0 || check_seal(scanner, item, &slot->segment.seal, err) < 0)
        return -1;
    if (rc == OBJECT_SHORT) {
        slot->want = scanner->pass == WANT_INDEX ? WANT_MORE : WANT_WHOLE;
        return 0;
    }
    if (rc == 0)
        rc = open_index(scanner, slot, version, err);
    if (rc < 0)
        return -1;
    slot->want = rc == 0 ? WANT_NOTHING : WANT_WHOLE;
    return 0;
}

static int
index_piece(void *context, const uint8_t *bytes, size_t size, struct err *err UNUSED)
{
    wal_indexer_feed(context, bytes, size);
    return 0;
}

static int
judge_whole(struct scanner *scanner, const struct muster_item *item, struct slot *slot,
            struct span bytes, struct err *err)
{
    const struct plan_work *work = scanner->scan->work;
    const struct keyring *keyring = &work->archive->keyring;
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    struct wal_damage damage;
    struct object object;

    scanner->cost.whole++;
    if (object_open(bytes.data, bytes.size, item->name, work->survey.owner.system_id, keyring,
                    &object, err) < 0 ||
        check_seal(scanner, item, &object.seal, err) < 0 || wal_indexer_new(&indexer, err) < 0 ||
        object_unpack(&object, keyring, index_piece, indexer, NULL, err) < 0 ||
        wal_indexer_finish(indexer, &slot->bytes, &damage, err) < 0)
        return -1;
    slot->segment.seal = object.seal;
    int rc = open_index(scanner, slot, WAL_INDEX_VERSION, err);
    if (rc > 0)
        return err_set(err, ERR_INTERNAL, "the index made here cannot be read");
    if (rc == 0)
        slot->want = WANT_NOTHING;
    return rc;
}

static int
judge_item(void *context, const struct muster_item *item, size_t store, struct span bytes,
           struct err *err)
{
    struct scanner *scanner = context;
    struct slot *slot = &scanner->slots[item->number];

    scanner->cost.bytes += bytes.size;
    slot->segment.store = store;
    int rc = scanner->pass == WANT_WHOLE ? judge_whole(scanner, item, slot, bytes, err)
                                         : judge_start(scanner, item, slot, bytes, err);
    if (rc < 0)
        return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
    return 0;
}

static int
item_failed(void *context, const struct muster_item *item UNUSED, size_t store UNUSED,
            int outcome UNUSED, const struct err *why, struct err *err UNUSED)
{
    const struct scanner *scanner = context;

    notice_err(scanner->scan->work->notices, LOG_WARNING, why, "a copy is passed over");
    return 0;
}

static int
item_lost(void *context, const struct muster_item *item, const struct err *why,
          struct err *err UNUSED)
{
    struct scanner *scanner = context;
    struct slot *slot = &scanner->slots[item->number];

    slot->want = WANT_NOTHING;
    slot->segment.lost = true;
    slot->segment.why = *why;
    return 0;
}

static int
read_pass(struct scanner *scanner, enum want pass, uint64_t first_bytes, struct err *err)
{
    struct plan_work *work = scanner->scan->work;
    const struct muster muster = {
        .archive = work->archive,
        .deadline_ms = work->request->deadline_ms,
        .first_bytes = first_bytes,
        .max_bytes = object_size_bound(work->segment_size),
        .context = scanner,
        .next = next_item,
        .judge = judge_item,
        .failed = item_failed,
        .lost = item_lost,
    };

    scanner->pass = pass;
    scanner->next = 0;
    return muster_run(&muster, err);
}

/* ---- handing out ---- */

/* The record that crosses into this segment, as an index of its own. 0, 1 (none) or -1. */
static int
join(struct scanner *scanner, struct wal_scan_segment *segment, struct wal_index *ret,
     struct err *err)
{
    struct wal_record record;

    if (!scanner->chained) {
        wal_seam_begin(scanner->seam, &segment->summary);
        scanner->chained = true;
        return 1;
    }
    int rc = wal_seam_next(scanner->seam, &segment->summary, &record, &segment->broken);
    if (rc != WAL_SEAM_BROKEN)
        segment->broken = NULL;
    if (rc != 0)
        return 1;
    segment->crossing_lsn = record.lsn;
    if (wal_index_of_record(&record, &scanner->crossing_bytes, err) < 0)
        return -1;
    rc = wal_index_open(WAL_INDEX_VERSION, scanner->crossing_bytes.data,
                        scanner->crossing_bytes.size, ret, err);
    return rc > 0 ? err_set(err, ERR_INTERNAL, "the index of a record cannot be read") : rc;
}

static int
hand_out(struct scanner *scanner, struct slot *slot, struct err *err)
{
    struct wal_scan_segment *segment = &slot->segment;
    AUTO(wal_index) struct wal_index crossing = WAL_INDEX_INIT;

    if (segment->lost) {
        scanner->chained = false;
    } else {
        int rc = join(scanner, segment, &crossing, err);

        if (rc < 0)
            return -1;
        segment->index = &slot->index;
        segment->crossing = rc == 0 ? &crossing : NULL;
    }
    return scanner->scan->segment(scanner->scan->context, segment, err);
}

static void
begin_batch(struct scanner *scanner, uint64_t first)
{
    const struct wal_scan *scan = scanner->scan;

    scanner->n = (size_t)MIN_OF((uint64_t)BATCH, scan->last - first + 1);
    for (size_t i = 0; i < scanner->n; i++) {
        struct slot *slot = &scanner->slots[i];

        slot_done(slot);
        *slot = (struct slot){
            .want = scan->deep ? WANT_WHOLE : WANT_INDEX,
            .bytes = BUF_INIT(WAL_INDEX_MAX),
            .segment.number = first + i,
        };
        plan_wal_name(scan->work, first + i, &slot->segment.name);
    }
}

/* 0, 1 (the caller has enough) or -1. */
static int
scan_batch(struct scanner *scanner, uint64_t first, struct err *err)
{
    begin_batch(scanner, first);
    if ((!scanner->scan->deep && read_pass(scanner, WANT_INDEX, FIRST_BYTES, err) < 0) ||
        (!scanner->scan->deep && read_pass(scanner, WANT_MORE, OBJECT_INDEX_BYTES, err) < 0) ||
        read_pass(scanner, WANT_WHOLE, 0, err) < 0)
        return -1;
    for (size_t i = 0; i < scanner->n; i++) {
        int rc = hand_out(scanner, &scanner->slots[i], err);

        if (rc != 0)
            return rc;
    }
    if (scanner->scan->progress != NULL)
        progress_show(&scanner->progress, "%s: %" PRIu64 " of %" PRIu64, scanner->scan->progress,
                      first + scanner->n - scanner->scan->first,
                      scanner->scan->last - scanner->scan->first + 1);
    return 0;
}

static int
scan_all(struct scanner *scanner, struct err *err)
{
    const struct wal_scan *scan = scanner->scan;

    int rc = 0;

    for (uint64_t first = scan->first; rc == 0 && first <= scan->last; first += scanner->n)
        rc = scan_batch(scanner, first, err);
    return rc < 0 ? -1 : 0;
}

int
wal_scan_run(const struct wal_scan *scan, struct wal_scan_cost *ret_cost, struct err *err)
{
    AUTO(ptr) struct scanner *scanner = calloc(1, sizeof(*scanner));
    AUTO(ptr) struct wal_seam *seam = calloc(1, sizeof(*seam));

    if (scanner == NULL || seam == NULL)
        return err_memory(err, "list of segments");
    scanner->scan = scan;
    scanner->seam = seam;
    scanner->crossing_bytes = BUF_INIT(WAL_INDEX_MAX);
    progress_init(&scanner->progress);
    int rc = scan_all(scanner, err);
    progress_done(&scanner->progress);
    for (size_t i = 0; i < BATCH; i++)
        slot_done(&scanner->slots[i]);
    buf_done(&scanner->crossing_bytes);
    if (ret_cost != NULL)
        *ret_cost = scanner->cost;
    return rc;
}

int
wal_scan_records(struct plan_work *work, uint64_t number, wal_record_sink sink, void *context,
                 struct err *err)
{
    char object[OBJECT_NAME_SIZE];
    struct wal_name name;
    const struct retrieval_request request = {
        .name = object,
        .system_id = work->survey.owner.system_id,
        .max_file_size = work->segment_size,
        .stores = survey_asked(work->archive),
        .deadline_ms = MIN_OF(work->request->deadline_ms, clock_boot_ms() + READ_TIMEOUT_MS),
    };
    AUTO(buf) struct buf file = BUF_INIT(work->segment_size);
    AUTO(wal_reader) struct wal_reader *reader = NULL;

    plan_wal_name(work, number, &name);
    object_name_of_wal(&work->survey.owner, &name, object);
    int rc = retrieve_file(work->archive, &request, work->notices, &file, err);
    if (rc == RETRIEVAL_ABSENT)
        return err_set(err, ERR_CONFLICT, "\"%s\" is gone", name.text);
    if (rc < 0 || wal_reader_new(sink, context, &reader, err) < 0)
        return -1;
    wal_reader_feed(reader, file.data, file.size);
    (void)wal_reader_finish(reader);
    return 0;
}
