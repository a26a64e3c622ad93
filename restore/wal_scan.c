/* SPDX-License-Identifier: PostgreSQL */
#include "restore/wal_scan.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "catalog/retrieval.h"
#include "restore/muster.h"
#include "restore/report.h"
#include "wal/wal_indexer.h"
#include "wal/wal_seam.h"

#define RING 256                  /* segments from the next one to hand out to the last asked for */
#define INDEXES_MEMORY (48 * MIB) /* of them all; one more is read when it is the next */
#define FIRST_BYTES (72 * KIB) /* the whole first encrypted chunk: most indexes are in there */
#define READ_TIMEOUT_MS (5 * 60 * 1000)

enum want {
    WANT_INDEX,  /* the beginning of the object */
    WANT_MORE,   /* as much as an index can need */
    WANT_WHOLE,
    WANT_NOTHING,
};

/* One segment from when it is asked for until it is handed out. */
struct slot {
    enum want want;
    enum want judged; /* what is still wanted; the judge's, maybe in a thread */
    bool under_way;
    struct wal_scan_segment segment;
    struct buf bytes; /* of the index */
    struct wal_index index;
    bool open;
};

struct scanner {
    const struct wal_scan *scan;
    struct wal_scan_cost cost;
    struct progress progress;
    struct slot *slots; /* of segment number n: slots[n % n_slots] */
    size_t n_slots;
    uint64_t head;      /* the next one to hand out */
    uint64_t tail;      /* the next one to ask for */
    size_t n_again;     /* between them, those of which more is wanted */
    size_t n_bytes;     /* of their indexes */
    struct wal_seam *seam;
    bool chained;       /* the seam has begun */
    struct buf crossing_bytes;
};

static struct slot *
slot_of(const struct scanner *scanner, uint64_t number)
{
    return &scanner->slots[number % scanner->n_slots];
}

static void
slot_done(struct slot *slot)
{
    if (slot->open)
        wal_index_done(&slot->index);
    slot->open = false;
    buf_done(&slot->bytes);
}

/* ---- reading ---- */

/* The next segment that nobody has asked for yet, or that is to be read further. */
static struct slot *
next_slot(struct scanner *scanner)
{
    if (scanner->n_again > 0) {
        for (uint64_t number = scanner->head; number < scanner->tail; number++) {
            struct slot *slot = slot_of(scanner, number);

            if (!slot->under_way && slot->want != WANT_NOTHING) {
                scanner->n_again--;
                return slot;
            }
        }
    }
    if (scanner->tail > scanner->scan->last || scanner->tail - scanner->head == scanner->n_slots ||
        (scanner->n_bytes > INDEXES_MEMORY && scanner->tail > scanner->head))
        return NULL;
    struct slot *slot = slot_of(scanner, scanner->tail);
    *slot = (struct slot){
        .want = scanner->scan->deep ? WANT_WHOLE : WANT_INDEX,
        .bytes = BUF_INIT(WAL_INDEX_MAX),
        .segment.number = scanner->tail,
    };
    plan_wal_name(scanner->scan->work, scanner->tail, &slot->segment.name);
    scanner->tail++;
    return slot;
}

static int
next_item(void *context, struct muster_item *ret, struct err *err UNUSED)
{
    struct scanner *scanner = context;
    const struct plan_work *work = scanner->scan->work;
    struct slot *slot = next_slot(scanner);

    if (slot == NULL)
        return scanner->head > scanner->scan->last ? MUSTER_END : MUSTER_WAIT;
    const struct wal_scan_segment *segment = &slot->segment;
    object_name_of_wal(&work->survey.owner, &segment->name, ret->name);
    ret->number = segment->number;
    ret->first_bytes = slot->want == WANT_INDEX  ? FIRST_BYTES
                       : slot->want == WANT_MORE ? OBJECT_INDEX_BYTES
                                                 : 0;
    for (size_t i = 0; i < work->archive->n_stores; i++)
        if (survey_first_missing(&work->survey.stores[i], segment->name.timeline, segment->number,
                                 segment->number, NULL) > segment->number)
            ret->stores |= (uint32_t)1 << i;
    slot->under_way = true;
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
judge_start(const struct scanner *scanner, const struct muster_item *item, struct slot *slot,
            struct span bytes, struct err *err)
{
    const struct keyring *keyring = &scanner->scan->work->archive->keyring;
    uint32_t version = 0;

    int rc = object_read_index(bytes.data, bytes.size, keyring, &slot->segment.seal, &version,
                               &slot->bytes, err);
    if (rc < 0 || check_seal(scanner, item, &slot->segment.seal, err) < 0)
        return -1;
    if (rc == OBJECT_SHORT) {
        slot->judged = slot->want == WANT_INDEX ? WANT_MORE : WANT_WHOLE;
        return 0;
    }
    /* An index that the seal does not cover says as little as none. */
    if (rc == 0)
        rc = slot->segment.seal.front_size == 0 ? 1 : open_index(scanner, slot, version, err);
    if (rc < 0)
        return -1;
    slot->judged = rc == 0 ? WANT_NOTHING : WANT_WHOLE;
    return 0;
}

static int
index_piece(void *context, const uint8_t *bytes, size_t size, struct err *err UNUSED)
{
    wal_indexer_feed(context, bytes, size);
    return 0;
}

static int
judge_whole(const struct scanner *scanner, const struct muster_item *item, struct slot *slot,
            struct span bytes, struct err *err)
{
    const struct plan_work *work = scanner->scan->work;
    const struct keyring *keyring = &work->archive->keyring;
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    struct wal_damage damage;
    struct object object;

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
    slot->judged = WANT_NOTHING;
    return rc;
}

/* In a thread: it changes nothing but the slot. */
static int
judge_item(void *context, const struct muster_item *item, size_t store, struct span bytes,
           struct err *err)
{
    const struct scanner *scanner = context;
    struct slot *slot = slot_of(scanner, item->number);

    slot->segment.store = store;
    int rc = slot->want == WANT_WHOLE ? judge_whole(scanner, item, slot, bytes, err)
                                      : judge_start(scanner, item, slot, bytes, err);
    if (rc < 0)
        return err->kind == ERR_INTERNAL ? -1 : MUSTER_REJECT;
    return 0;
}

static int
item_failed(void *context, const struct muster_item *item, size_t store, int outcome,
            const struct err *why, struct err *err UNUSED)
{
    const struct scanner *scanner = context;

    if (scanner->scan->bad_copy != NULL && (outcome > 0 || why->kind == ERR_CORRUPT))
        scanner->scan->bad_copy(scanner->scan->context, item->number, store);
    notice_err(scanner->scan->work->notices, LOG_WARNING, why, "a copy is passed over");
    return 0;
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
show_progress(struct scanner *scanner)
{
    const struct wal_scan *scan = scanner->scan;
    uint64_t done = scanner->head - scan->first;
    uint64_t all = scan->last - scan->first + 1;
    int64_t ms = MAX_OF(clock_boot_ms() - scanner->progress.started_ms, (int64_t)1);
    char left[REPORT_TEXT_SIZE];

    if (scan->progress != NULL && done > 0)
        progress_show(&scanner->progress, "%s: %" PRIu64 " of %" PRIu64 ", %s left",
                      scan->progress, done, all,
                      report_duration(ms * (int64_t)(all - done) / (int64_t)done / 1000, left));
}

/* Hand out what is next as long as it is there. 0, MUSTER_END (the caller has enough) or -1. */
static int
hand_out_ready(struct scanner *scanner, struct err *err)
{
    while (scanner->head < scanner->tail) {
        struct slot *slot = slot_of(scanner, scanner->head);

        if (slot->under_way || slot->want != WANT_NOTHING)
            break;
        int rc = hand_out(scanner, slot, err);
        scanner->n_bytes -= slot->bytes.size;
        slot_done(slot);
        scanner->head++;
        if (rc != 0)
            return rc < 0 ? -1 : MUSTER_END;
    }
    show_progress(scanner);
    return 0;
}

static int
item_taken(void *context, const struct muster_item *item, struct err *err)
{
    struct scanner *scanner = context;
    struct slot *slot = slot_of(scanner, item->number);

    slot->under_way = false;
    slot->want = slot->judged;
    scanner->cost.whole += item->first_bytes == 0;
    if (slot->want != WANT_NOTHING) {
        scanner->n_again++;
        return 0;
    }
    scanner->n_bytes += slot->bytes.size;
    return hand_out_ready(scanner, err);
}

static int
item_lost(void *context, const struct muster_item *item, const struct err *why, struct err *err)
{
    struct scanner *scanner = context;
    struct slot *slot = slot_of(scanner, item->number);

    slot->under_way = false;
    slot->want = WANT_NOTHING;
    slot->segment.lost = true;
    slot->segment.why = *why;
    buf_clear(&slot->bytes);
    return hand_out_ready(scanner, err);
}

static int
scan_all(struct scanner *scanner, struct err *err)
{
    struct plan_work *work = scanner->scan->work;
    const struct muster muster = {
        .archive = work->archive,
        .deadline_ms = work->request->deadline_ms,
        .max_bytes = object_size_bound(work->segment_size),
        .parallel = true,
        .context = scanner,
        .next = next_item,
        .judge = judge_item,
        .taken = item_taken,
        .failed = item_failed,
        .lost = item_lost,
    };
    struct muster_cost cost = {0};

    int rc = muster_run(&muster, &cost, err);
    scanner->cost.requests = cost.requests;
    scanner->cost.bytes = cost.bytes;
    return rc;
}

int
wal_scan_run(const struct wal_scan *scan, struct wal_scan_cost *ret_cost, struct err *err)
{
    struct scanner scanner = {
        .scan = scan,
        .n_slots = (size_t)MIN_OF((uint64_t)RING, scan->last - scan->first + 1),
        .head = scan->first,
        .tail = scan->first,
        .crossing_bytes = BUF_INIT(WAL_INDEX_MAX),
    };
    AUTO(ptr) struct wal_seam *seam = calloc(1, sizeof(*seam));
    AUTO(ptr) struct slot *slots = calloc(scanner.n_slots, sizeof(*slots));

    if (slots == NULL || seam == NULL)
        return err_memory(err, "list of segments");
    scanner.slots = slots;
    scanner.seam = seam;
    progress_init(&scanner.progress);
    int rc = scan_all(&scanner, err);
    progress_done(&scanner.progress);
    for (size_t i = 0; i < scanner.n_slots; i++)
        slot_done(&slots[i]);
    buf_done(&scanner.crossing_bytes);
    scanner.cost.took_ms = clock_boot_ms() - scanner.progress.started_ms;
    scan->work->cost.requests += scanner.cost.requests;
    scan->work->cost.bytes += scanner.cost.bytes;
    scan->work->cost.whole += scanner.cost.whole;
    scan->work->cost.took_ms += scanner.cost.took_ms;
    if (ret_cost != NULL)
        *ret_cost = scanner.cost;
    return rc;
}

int
wal_scan_records(struct plan_work *work, uint64_t number, wal_record_sink sink, void *context,
                 struct err *err)
{
    struct wal_scan_rate rate;

    return wal_scan_records_timed(work, number, sink, context, &rate, err);
}

int
wal_scan_records_timed(struct plan_work *work, uint64_t number, wal_record_sink sink,
                       void *context, struct wal_scan_rate *ret_rate, struct err *err)
{
    struct retrieval_source from;
    int64_t began_ms = clock_boot_ms();
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
    int rc = retrieve_file_from(work->archive, &request, work->notices, &file, &from, err);
    if (rc == RETRIEVAL_ABSENT)
        return err_set(err, ERR_CONFLICT, "\"%s\" is gone", name.text);
    int64_t took_ms = clock_boot_ms() - began_ms;
    if (rc < 0 || wal_reader_new(sink, context, &reader, err) < 0)
        return -1;
    wal_reader_feed(reader, file.data, file.size);
    (void)wal_reader_finish(reader);
    *ret_rate = (struct wal_scan_rate){from.store, from.payload_size, MAX_OF(took_ms, (int64_t)1)};
    return 0;
}
