/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_reader.h"

#include <stdlib.h>
#include <string.h>

#include "wal/crc32c.h"
#include "wal/wal_reader_private.h"

#define CRC_OFFSET 20
#define ALIGNMENT 8
#define RMGR_XLOG 0
#define XLOG_OVERWRITE_CONTRECORD 0xd0
#define INFO_OF_RMGR 0xf0

int
wal_reader_new(wal_record_sink sink, void *context, struct wal_reader **ret_reader, struct err *err)
{
    struct wal_reader *reader = malloc(sizeof(*reader));

    if (reader == NULL)
        return err_set(err, ERR_INTERNAL, "out of memory");
    reader->sink = sink;
    reader->context = context;
    wal_reader_reset(reader);
    *ret_reader = reader;
    return 0;
}

void
wal_reader_free(struct wal_reader *reader)
{
    free(reader);
}

void
wal_reader_reset(struct wal_reader *reader)
{
    reader->state = WAL_READER_START;
    reader->segment_size = UINT64_MAX;
    reader->offset = 0;
    reader->page_left = 0;
    reader->padding = 0;
    reader->page_header_got = 0;
    reader->says_overwritten = false;
    memset(&reader->summary, 0, sizeof(reader->summary));
}

void
wal_reader_damage(struct wal_reader *reader, enum wal_damage_kind kind, uint64_t lsn,
                  const char *why)
{
    reader->summary.damage = (struct wal_damage){.kind = kind, .lsn = lsn, .why = why};
    reader->summary.zero_end = false;
    reader->summary.switched = false;
    reader->state = WAL_READER_STOPPED;
}

void
wal_reader_end_of_wal(struct wal_reader *reader, uint64_t lsn)
{
    if (reader->says_overwritten) {
        wal_reader_damage(reader, WAL_DAMAGE_RECORD, lsn, wal_reader_abandons_unnamed);
        return;
    }
    reader->state = WAL_READER_ZEROS;
    reader->summary.zero_end = true;
    reader->begun_lsn = lsn;
}

static inline uint32_t
to_align(uint32_t size)
{
    return -size & (ALIGNMENT - 1);
}

static size_t
first_not_zero(const uint8_t *bytes, size_t size)
{
    size_t at = 0;

    for (; size - at >= 64; at += 64) {
        uint64_t words[8];

        memcpy(words, bytes + at, sizeof(words));
        if ((words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] |
             words[7]) != 0)
            break;
    }
    while (at < size && bytes[at] == 0)
        at++;
    return at;
}

static void
not_zeros(struct wal_reader *reader, uint64_t lsn)
{
    if (reader->summary.zero_end)
        wal_reader_damage(reader, WAL_DAMAGE_RECORD, reader->begun_lsn,
                          "WAL ends here, but not with zeros up to the end of the segment");
    else
        wal_reader_damage(reader, WAL_DAMAGE_PAGE, lsn,
                          "what follows a segment switch is not zeros");
}

static size_t
take_zeros(struct wal_reader *reader, const uint8_t *bytes, size_t size)
{
    size_t room = (size_t)MIN_OF(size, reader->segment_size - reader->offset);
    size_t zeros = first_not_zero(bytes, room);

    if (zeros < room)
        not_zeros(reader, reader->summary.start_lsn + reader->offset + zeros);
    return room;
}

/* False: its link is damage. */
static inline bool
check_link(struct wal_reader *reader, const uint8_t *header, uint64_t lsn)
{
    uint64_t last = reader->summary.last_lsn;
    uint64_t prev;

    memcpy(&prev, header + 8, sizeof(prev));
    /* What stands before the first one is the seam's to know. */
    if (last != 0 ? prev != last : prev >= reader->summary.start_lsn) {
        wal_reader_damage(reader, WAL_DAMAGE_LINK, lsn,
                          "a record does not point back at the one before");
        return false;
    }
    return true;
}

/* A page that abandons a record begins with a record that says which one. */
static bool
names_abandoned(struct wal_reader *reader, const struct wal_record *record)
{
    uint64_t lsn;

    if (record->rmgr != RMGR_XLOG || (record->info & INFO_OF_RMGR) != XLOG_OVERWRITE_CONTRECORD ||
        record->main_available < sizeof(lsn))
        return false;
    memcpy(&lsn, record->main_data, sizeof(lsn));
    if (reader->abandoned_lsn == 0)
        reader->summary.overwritten_lsn = lsn;
    reader->says_overwritten = false;
    return reader->abandoned_lsn == 0 ? lsn < reader->summary.start_lsn
                                      : lsn == reader->abandoned_lsn;
}

/* Its CRC is proven: take it apart and hand it out. */
static inline void
accept_record(struct wal_reader *reader, const uint8_t *bytes, size_t available, uint64_t end_lsn)
{
    struct wal_summary *summary = &reader->summary;
    struct wal_record *record = &reader->record;
    const char *why = NULL;

    if (wal_record_parse(bytes, available, summary->version, record, &why) != 0) {
        wal_reader_damage(reader, WAL_DAMAGE_RECORD, reader->begun_lsn, why);
        return;
    }
    record->timeline = reader->begun_timeline;
    record->lsn = reader->begun_lsn;
    record->end_lsn = end_lsn;
    if (reader->says_overwritten && !names_abandoned(reader, record)) {
        wal_reader_damage(reader, WAL_DAMAGE_RECORD, reader->begun_lsn,
                          wal_reader_abandons_unnamed);
        return;
    }
    reader->state = WAL_READER_BETWEEN;
    if (wal_record_is_switch(record)) {
        summary->switched = true;
        record->end_lsn = summary->end_lsn;
        reader->state = WAL_READER_ZEROS;
        reader->padding = 0; /* zeros begin at once */
    }
    if (summary->n_records++ == 0) {
        summary->first_lsn = record->lsn;
        summary->first_prev_lsn = record->prev_lsn;
        summary->first_prev_known = true;
    }
    summary->last_lsn = record->lsn;
    summary->last_end_lsn = record->end_lsn;
    if (reader->sink != NULL)
        reader->sink(reader->context, record);
}

static inline bool
check_crc(struct wal_reader *reader, const uint8_t *header, uint32_t crc_of_body)
{
    uint32_t wanted;

    memcpy(&wanted, header + CRC_OFFSET, sizeof(wanted));
    if (crc32c(crc_of_body, header, CRC_OFFSET) == wanted)
        return true;
    wal_reader_damage(reader, WAL_DAMAGE_CRC, reader->begun_lsn,
                      "a record's checksum does not hold");
    return false;
}

static size_t take_part(struct wal_reader *reader, const uint8_t *bytes, size_t room);

/* Records that lie whole in what there is of this page are proven where they stand. */
static size_t
take_records(struct wal_reader *reader, const uint8_t *bytes, size_t room)
{
    uint64_t base = reader->summary.start_lsn + reader->offset;
    size_t at = 0;

    reader->begun_timeline = reader->summary.timeline_last;
    while (room - at >= WAL_RECORD_HEADER_SIZE) {
        const uint8_t *record = bytes + at;
        uint32_t size;

        memcpy(&size, record, sizeof(size));
        if (size < WAL_RECORD_HEADER_SIZE || size > room - at)
            break;
        reader->begun_lsn = base + at;
        if (!check_link(reader, record, base + at) ||
            !check_crc(reader, record,
                       crc32c(0, record + WAL_RECORD_HEADER_SIZE, size - WAL_RECORD_HEADER_SIZE)))
            return room;
        at += size;
        reader->padding = to_align(size);
        accept_record(reader, record, size, base + at + reader->padding);
        size_t skipped = MIN_OF(reader->padding, room - at);
        at += skipped;
        reader->padding -= (uint32_t)skipped;
        if (reader->state != WAL_READER_BETWEEN)
            return at;
    }
    if (at > 0)
        return at;
    reader->state = WAL_READER_RECORD;
    reader->begun_lsn = base;
    reader->total = 0;
    reader->got = 0;
    reader->crc = 0;
    return take_part(reader, bytes, room);
}

/* The length is there. False: there is no record, or none that can be. */
static bool
begin_record(struct wal_reader *reader)
{
    memcpy(&reader->total, reader->kept, sizeof(reader->total));
    if (reader->total == 0) {
        wal_reader_end_of_wal(reader, reader->begun_lsn);
        if (reader->state == WAL_READER_ZEROS &&
            first_not_zero(reader->kept, reader->got) < reader->got)
            not_zeros(reader, reader->begun_lsn);
        return false;
    }
    if (reader->total < WAL_RECORD_HEADER_SIZE || reader->total > WAL_RECORD_SIZE_MAX) {
        wal_reader_damage(reader, WAL_DAMAGE_RECORD, reader->begun_lsn,
                          "a record's length is impossible");
        return false;
    }
    return true;
}

/* The next bytes of a record that does not lie whole in one page of one piece. */
static size_t
take_part(struct wal_reader *reader, const uint8_t *bytes, size_t room)
{
    size_t piece;

    if (reader->got < WAL_RECORD_HEADER_SIZE) {
        piece = MIN_OF(WAL_RECORD_HEADER_SIZE - reader->got, room);
        memcpy(reader->kept + reader->got, bytes, piece);
        reader->got += (uint32_t)piece;
        if (reader->total == 0 && reader->got >= sizeof(reader->total) && !begin_record(reader))
            return piece;
        if (reader->got == WAL_RECORD_HEADER_SIZE &&
            !check_link(reader, reader->kept, reader->begun_lsn))
            return piece;
    } else {
        piece = MIN_OF(reader->total - reader->got, room);
        if (reader->got < WAL_READER_KEPT)
            memcpy(reader->kept + reader->got, bytes, MIN_OF(piece, WAL_READER_KEPT - reader->got));
        reader->crc = crc32c(reader->crc, bytes, piece);
        reader->got += (uint32_t)piece;
    }
    if (reader->total == 0 || reader->got < reader->total)
        return piece;
    if (check_crc(reader, reader->kept, reader->crc)) {
        reader->padding = to_align(reader->total);
        accept_record(reader, reader->kept, MIN_OF(reader->total, WAL_READER_KEPT),
                      reader->summary.start_lsn + reader->offset + piece + reader->padding);
    }
    return piece;
}

/* The rest of a record that began before the segment. */
static size_t
take_head(struct wal_reader *reader, const uint8_t *bytes, size_t room)
{
    struct wal_edge *head = &reader->summary.head;
    size_t piece = MIN_OF(reader->summary.head_wanted - head->size, room);
    size_t kept = MIN_OF(piece, WAL_EDGE_KEPT - head->kept);

    memcpy(head->bytes + head->kept, bytes, kept);
    head->kept += (uint32_t)kept;
    head->crc = crc32c(head->crc, bytes + kept, piece - kept);
    head->size += (uint32_t)piece;
    if (head->size == reader->summary.head_wanted) {
        reader->padding = to_align(head->size);
        reader->state = WAL_READER_BETWEEN;
    }
    return piece;
}

/* What the next bytes are. Returns how many of them were taken. */
static size_t
step(struct wal_reader *reader, const uint8_t *bytes, size_t size)
{
    if (reader->state == WAL_READER_ZEROS)
        return take_zeros(reader, bytes, size);
    if (reader->page_left == 0)
        return wal_reader_take_page(reader, bytes, size);

    size_t room = MIN_OF(reader->page_left, size);
    size_t taken;
    if (reader->padding > 0) {
        taken = MIN_OF(reader->padding, room);
        reader->padding -= (uint32_t)taken;
    } else if (reader->state == WAL_READER_BETWEEN) {
        taken = take_records(reader, bytes, room);
    } else if (reader->state == WAL_READER_RECORD) {
        taken = take_part(reader, bytes, room);
    } else {
        taken = take_head(reader, bytes, room);
    }
    reader->page_left -= (uint32_t)taken;
    return taken;
}

void
wal_reader_feed(struct wal_reader *reader, const uint8_t *bytes, size_t size)
{
    while (size > 0 && reader->state != WAL_READER_STOPPED) {
        if (reader->offset == reader->segment_size) {
            wal_reader_damage(reader, WAL_DAMAGE_PAGE, reader->summary.end_lsn,
                              "the segment is longer than it says");
            return;
        }
        size_t taken = step(reader, bytes, size);
        reader->offset += taken;
        bytes += taken;
        size -= taken;
    }
}

/* The segment ends within a record. */
static void
leave_open(struct wal_reader *reader)
{
    struct wal_summary *summary = &reader->summary;
    struct wal_edge *tail = &summary->tail;

    summary->open_lsn = reader->begun_lsn;
    summary->open_size = reader->total;
    summary->open_timeline = reader->begun_timeline;
    tail->size = reader->got;
    tail->kept = (uint32_t)MIN_OF(reader->got, WAL_EDGE_KEPT);
    memcpy(tail->bytes, reader->kept, tail->kept);
    /* The sum of what is not kept: that of everything, and what is kept taken out again. */
    if (tail->size > tail->kept)
        tail->crc = crc32c_combine(
            crc32c(0, tail->bytes + WAL_RECORD_HEADER_SIZE, tail->kept - WAL_RECORD_HEADER_SIZE),
            reader->crc, tail->size - tail->kept);
    if (summary->first_lsn == 0) {
        summary->first_lsn = summary->open_lsn;
        summary->first_prev_known = reader->got >= WAL_RECORD_HEADER_SIZE;
        if (summary->first_prev_known)
            memcpy(&summary->first_prev_lsn, reader->kept + 8, sizeof(summary->first_prev_lsn));
    }
}

const struct wal_summary *
wal_reader_finish(struct wal_reader *reader)
{
    struct wal_summary *summary = &reader->summary;

    if (reader->state == WAL_READER_STOPPED)
        return summary;
    if (reader->state == WAL_READER_START)
        wal_reader_damage(reader, WAL_DAMAGE_PAGE, 0, "the segment ends in its first page header");
    else if (reader->offset < reader->segment_size)
        wal_reader_damage(reader, WAL_DAMAGE_PAGE, summary->start_lsn + reader->offset,
                          "the segment is shorter than it says");
    else if (reader->says_overwritten)
        wal_reader_damage(reader, WAL_DAMAGE_RECORD, summary->end_lsn, wal_reader_abandons_unnamed);
    else if (reader->state == WAL_READER_RECORD)
        leave_open(reader);
    return summary;
}
