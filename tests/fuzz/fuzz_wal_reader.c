/* SPDX-License-Identifier: PostgreSQL */
/* The input is what to do (one byte: 1 make addresses, links and checksums fit, 2 zeros up to the
 * end of the segment), the size of pieces (two bytes), then the beginning of a segment. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wal/crc32c.h"
#include "wal/wal_page.h"
#include "wal/wal_reader.h"
#include "wal/wal_seam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER 24
#define ZEROS_UP_TO ((size_t)1048576)

static void
require(bool property)
{
    if (!property)
        abort();
}

struct seen {
    uint32_t crc;
    uint64_t n;
    uint64_t last;
    uint64_t end;
};

static void
sink(void *context, const struct wal_record *record)
{
    struct seen *seen = context;
    const uint64_t numbers[] = {record->lsn,      record->end_lsn,       record->prev_lsn,
                                record->size,     record->n_blocks,      record->main_size,
                                record->timeline, record->main_available};

    require(record->lsn >= seen->end && record->end_lsn > record->lsn);
    require(seen->last == 0 || record->prev_lsn == seen->last);
    require(record->prev_lsn < record->lsn && record->n_blocks <= WAL_BLOCKS_MAX);
    require(record->main_available <= record->main_size && record->main_size < record->size);
    require((record->main_available > 0) == (record->main_data != NULL));
    seen->crc = crc32c(seen->crc, numbers, sizeof(numbers));
    if (record->main_available > 0)
        seen->crc = crc32c(seen->crc, record->main_data, record->main_available);
    seen->n++;
    seen->last = record->lsn;
    seen->end = record->end_lsn;
}

/* The records that lie whole in the page that ends at `end`. */
static void
fit_records(uint8_t *bytes, size_t at, size_t end, uint64_t address, uint64_t *last)
{
    uint32_t length;

    while (end - at >= HEADER) {
        memcpy(&length, bytes + at, sizeof(length));
        if (length < HEADER || length > end - at)
            return;
        memcpy(bytes + at + 8, last, sizeof(*last));
        uint32_t crc = crc32c(0, bytes + at + HEADER, length - HEADER);
        crc = crc32c(crc, bytes + at, 20);
        memcpy(bytes + at + 20, &crc, sizeof(crc));
        *last = address + at;
        at = MIN_OF(end, (at + length + 7) / 8 * 8);
    }
}

static void
fit(uint8_t *bytes, size_t size)
{
    struct wal_page_header first;
    uint64_t last = 0;

    if (!wal_page_read_header(bytes, size, &first) || first.page_size < WAL_PAGE_SIZE_MIN ||
        first.page_size > WAL_PAGE_SIZE_MAX)
        return;
    for (size_t page = 0; size - page > WAL_LONG_HEADER_SIZE;) {
        size_t end = MIN_OF(size, page + first.page_size);
        size_t at = page + (page == 0 ? WAL_LONG_HEADER_SIZE : HEADER);
        uint64_t address = first.address + page;
        uint32_t remaining;

        memcpy(bytes + page + 8, &address, sizeof(address));
        memcpy(&remaining, bytes + page + 16, sizeof(remaining));
        if (remaining <= end - at)
            fit_records(bytes, MIN_OF(end, (at + remaining + 7) / 8 * 8), end, first.address,
                        &last);
        if (size - end == 0)
            break;
        page = end;
    }
}

static const struct wal_summary *
run(struct wal_reader *reader, struct seen *seen, const uint8_t *bytes, size_t size, size_t piece,
    bool zeros)
{
    static const uint8_t nothing[ZEROS_UP_TO];

    *seen = (struct seen){0};
    wal_reader_reset(reader);
    for (size_t at = 0; at < size; at += piece)
        wal_reader_feed(reader, bytes + at, MIN_OF(piece, size - at));
    if (zeros && size < ZEROS_UP_TO)
        wal_reader_feed(reader, nothing, ZEROS_UP_TO - size);
    return wal_reader_finish(reader);
}

static void
check(const struct wal_summary *summary, const struct seen *seen)
{
    require(summary->n_records == seen->n && summary->last_lsn == seen->last);
    require(summary->head.kept <= WAL_EDGE_KEPT && summary->head.kept <= summary->head.size);
    require(summary->tail.kept <= WAL_EDGE_KEPT && summary->tail.kept <= summary->tail.size);
    require(summary->head.size <= summary->head_wanted);
    require((summary->open_lsn != 0) == (summary->tail.size != 0));
    if (summary->damage.kind != WAL_DAMAGE_NONE)
        require(summary->damage.why != NULL && summary->open_lsn == 0 && !summary->zero_end &&
                !summary->switched);
    else
        require(summary->version >= 13 && summary->start_lsn < summary->end_lsn);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wal_summary whole;
    static struct wal_seam seam;
    static struct wal_record record;
    struct err err = ERR_INIT;
    struct seen wanted = {0};
    struct seen seen = {0};
    struct wal_reader *reader = NULL;
    const char *why = NULL;

    if (size < 3)
        return 0;
    size_t piece = 1 + (data[1] | (size_t)data[2] << 8);
    uint8_t *bytes = malloc(size);
    require(bytes != NULL && wal_reader_new(sink, &wanted, &reader, &err) == 0);
    memcpy(bytes, data + 3, size - 3);
    size -= 3;
    if ((data[0] & 1) != 0)
        fit(bytes, size);
    whole = *run(reader, &wanted, bytes, size, size + 1, (data[0] & 2) != 0);
    check(&whole, &wanted);
    wal_reader_free(reader);

    /* In pieces it says the same. */
    require(wal_reader_new(sink, &seen, &reader, &err) == 0);
    const struct wal_summary *again = run(reader, &seen, bytes, size, piece, (data[0] & 2) != 0);
    check(again, &seen);
    require(seen.crc == wanted.crc && seen.n == wanted.n);
    require(again->damage.kind == whole.damage.kind && again->damage.lsn == whole.damage.lsn);
    require(again->head.crc == whole.head.crc && again->last_end_lsn == whole.last_end_lsn);

    wal_seam_begin(&seam, &whole);
    whole.start_lsn = whole.end_lsn;
    whole.end_lsn += again->end_lsn - again->start_lsn;
    int outcome = wal_seam_next(&seam, &whole, &record, &why);
    require(outcome >= 0 && outcome <= WAL_SEAM_BROKEN);
    wal_reader_free(reader);
    free(bytes);
    return 0;
}
