/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_seam.h"

#include <string.h>

#include "wal/crc32c.h"
#include "wal/wal_page.h"

#define CRC_OFFSET 20
#define ALIGNMENT 8
#define SHORT_HEADER_SIZE 24
#define ENDED "WAL ends in the segment before"

static bool
damaged(const struct wal_summary *summary)
{
    return summary->damage.kind != WAL_DAMAGE_NONE;
}

/* WAL ends in it, unless its zeros are the rest of a switch that began in the segment before. */
static bool
ends(const struct wal_summary *summary)
{
    bool may_be_switch = summary->head_wanted != 0 &&
                         summary->head_wanted < WAL_RECORD_HEADER_SIZE &&
                         summary->head.size == summary->head_wanted && summary->n_records == 0;

    return summary->zero_end && !may_be_switch;
}

void
wal_seam_begin(struct wal_seam *seam, const struct wal_summary *first)
{
    seam->version = first->version;
    seam->page_size = first->page_size;
    seam->segment_size = (uint32_t)(first->end_lsn - first->start_lsn);
    seam->timeline = first->timeline_last;
    seam->system_id = first->system_id;
    seam->end_lsn = first->end_lsn;
    seam->last_lsn = first->last_lsn;
    seam->open_lsn = first->open_lsn;
    seam->open_size = first->open_size;
    seam->open_timeline = first->open_timeline;
    seam->wanted = first->open_lsn != 0 ? first->open_size - first->tail.size
                                        : first->head_wanted - first->head.size;
    seam->size = first->tail.size;
    seam->kept = first->tail.kept;
    seam->crc = first->tail.crc;
    seam->ended = damaged(first)    ? "the segment before is damaged"
                  : ends(first)    ? ENDED
                                   : NULL;
    memcpy(seam->bytes, first->tail.bytes, first->tail.kept);
}

/* Does the second segment's place and origin follow the first's? NULL, or what is wrong. */
static const char *
check_neighbours(const struct wal_seam *seam, const struct wal_summary *next)
{
    if (seam->version == 0 || next->version == 0)
        return "one of the two segments is not known as WAL";
    if (next->start_lsn != seam->end_lsn)
        return "one segment does not follow the other";
    if (next->system_id != seam->system_id)
        return "the two segments are of different servers";
    if (next->version != seam->version || next->page_size != seam->page_size ||
        next->end_lsn - next->start_lsn != seam->segment_size)
        return "the two segments are of different versions or sizes";
    if (next->timeline_first < seam->timeline)
        return "the second segment is of an older timeline";
    return seam->ended;
}

/* The first record that begins in `next` must point back at `lsn`, where both are known. */
static bool
links_back(const struct wal_summary *next, uint64_t lsn)
{
    return lsn == 0 || next->first_lsn == 0 || !next->first_prev_known ||
           next->first_prev_lsn == lsn;
}

/* Nothing is open: NULL, or what is wrong. */
static const char *
check_clean(const struct wal_seam *seam, const struct wal_summary *next)
{
    if (damaged(next) && next->damage.lsn == next->start_lsn)
        return "the second segment's first page is damaged";
    if (next->head_wanted != 0 || next->overwritten)
        return "the second segment goes on with a record, but the first is complete";
    if (!links_back(next, seam->last_lsn))
        return "the second segment's first record does not point back at the first's last one";
    return NULL;
}

static const char *
check_abandoned(const struct wal_seam *seam, const struct wal_summary *next)
{
    if (seam->open_lsn != 0 && next->overwritten_lsn != seam->open_lsn)
        return "the second segment abandons another record than the one that is open";
    if (!links_back(next, seam->last_lsn))
        return "the second segment's first record does not point back at the first's last one";
    return NULL;
}

/* An open record, and a second segment that should go on with it. */
static const char *
check_continued(const struct wal_seam *seam, const struct wal_summary *next)
{
    if (next->head_wanted != seam->wanted)
        return "the second segment does not go on with the record that is open";
    if (next->head.size < next->head_wanted && damaged(next))
        return "the second segment is damaged within the record";
    if (next->head.size == next->head_wanted && !links_back(next, seam->open_lsn))
        return "the second segment's first record does not point back at the one that crosses";
    return NULL;
}

/* The next piece of the open record. */
static void
append(struct wal_seam *seam, const struct wal_edge *edge)
{
    size_t copied =
        seam->kept == seam->size ? MIN_OF(edge->kept, sizeof(seam->bytes) - seam->kept) : 0;

    memcpy(seam->bytes + seam->kept, edge->bytes, copied);
    seam->kept += (uint32_t)copied;
    seam->crc = crc32c(seam->crc, edge->bytes + copied, edge->kept - copied);
    seam->crc = crc32c_combine(seam->crc, edge->crc, edge->size - edge->kept);
    seam->size += edge->size;
    seam->wanted -= edge->size;
}

/* Behind the head, where the next record may begin. */
static uint64_t
end_of_head(const struct wal_summary *next)
{
    uint64_t end = next->start_lsn;
    uint32_t left = next->head.size;
    uint32_t header = WAL_LONG_HEADER_SIZE;

    while (left > next->page_size - header) {
        left -= next->page_size - header;
        end += next->page_size;
        header = SHORT_HEADER_SIZE;
    }
    return end + (header + left + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Main data that lies behind a gap, but whole on this side of the border, is shown after all. */
static void
show_main_data(const struct wal_edge *head, struct wal_record *record)
{
    size_t left_side = record->size - head->size;
    size_t at = record->size - record->main_size;

    if (record->main_available == record->main_size || at < left_side ||
        at - left_side >= head->kept)
        return;
    record->main_data = head->bytes + (at - left_side);
    record->main_available = (uint32_t)MIN_OF(record->main_size, head->kept - (at - left_side));
}

/* The record is whole. NULL, or what is wrong. */
static const char *
join(struct wal_seam *seam, const struct wal_summary *next, struct wal_record *ret)
{
    const char *why = NULL;
    uint32_t wanted_crc;
    uint32_t size;

    if (seam->kept < WAL_RECORD_HEADER_SIZE)
        return "the record that crosses is shorter than its header";
    memcpy(seam->joined, seam->bytes, seam->kept);
    memcpy(&size, seam->joined, sizeof(size));
    memcpy(&wanted_crc, seam->joined + CRC_OFFSET, sizeof(wanted_crc));
    uint32_t crc =
        crc32c(0, seam->joined + WAL_RECORD_HEADER_SIZE, seam->kept - WAL_RECORD_HEADER_SIZE);
    crc = crc32c_combine(crc, seam->crc, seam->size - seam->kept);
    if (crc32c(crc, seam->joined, CRC_OFFSET) != wanted_crc)
        return "the checksum of the record that crosses does not hold";
    if (size != seam->open_size || size != seam->size)
        return "the record that crosses is of another length";
    if (wal_record_parse(seam->joined, seam->kept, seam->version, ret, &why) != 0)
        return why;
    if (seam->last_lsn != 0 ? ret->prev_lsn != seam->last_lsn : ret->prev_lsn >= seam->open_lsn)
        return "the record that crosses does not point back at the one before";
    ret->timeline = seam->open_timeline;
    ret->lsn = seam->open_lsn;
    ret->end_lsn = end_of_head(next);
    show_main_data(&next->head, ret);
    return NULL;
}

/* A switch takes the rest of the segment it ends in. */
static const char *
check_switch(const struct wal_summary *next, struct wal_record *record, bool *ret_goes_on)
{
    *ret_goes_on = false;
    if (!wal_record_is_switch(record))
        return NULL;
    if (!next->zero_end || next->n_records != 0 || next->open_lsn != 0)
        return "a switch crosses into the second segment, but WAL goes on behind it";
    record->end_lsn = next->end_lsn;
    *ret_goes_on = true;
    return NULL;
}

/* Go on from `next`; `lsn` is of the last complete record before those of `next`. */
static void
move_on(struct wal_seam *seam, const struct wal_summary *next, uint64_t lsn)
{
    wal_seam_begin(seam, next);
    if (seam->last_lsn == 0)
        seam->last_lsn = lsn;
}

static int
broken(struct wal_seam *seam, const struct wal_summary *next, const char *why, const char **ret_why)
{
    wal_seam_begin(seam, next);
    *ret_why = why;
    return WAL_SEAM_BROKEN;
}

/* The open record ends in `next`. */
static int
complete(struct wal_seam *seam, const struct wal_summary *next, struct wal_record *ret,
         const char **ret_why)
{
    bool goes_on;

    append(seam, &next->head);
    const char *why = join(seam, next, ret);
    if (why == NULL)
        why = check_switch(next, ret, &goes_on);
    if (why != NULL)
        return broken(seam, next, why, ret_why);
    move_on(seam, next, ret->lsn);
    seam->ended = goes_on ? NULL : next->zero_end ? ENDED : seam->ended;
    return 0;
}

int
wal_seam_next(struct wal_seam *seam, const struct wal_summary *next, struct wal_record *ret,
              const char **ret_why)
{
    const char *why = check_neighbours(seam, next);

    if (why == NULL)
        why = seam->wanted == 0   ? check_clean(seam, next)
              : next->overwritten ? check_abandoned(seam, next)
                                  : check_continued(seam, next);
    if (why != NULL)
        return broken(seam, next, why, ret_why);
    if (seam->wanted == 0 || next->overwritten) {
        move_on(seam, next, seam->last_lsn);
        return WAL_SEAM_NONE;
    }
    if (next->head.size < next->head_wanted) {
        if (seam->open_lsn != 0)
            append(seam, &next->head);
        else
            seam->wanted -= next->head.size;
        seam->end_lsn = next->end_lsn;
        seam->timeline = next->timeline_last;
        return WAL_SEAM_OPEN;
    }
    if (seam->open_lsn == 0) {
        /* Nobody has seen its beginning, and so its place. */
        move_on(seam, next, 0);
        return WAL_SEAM_NONE;
    }
    return complete(seam, next, ret, ret_why);
}
