/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_reader_private.h"

#define SHORT_HEADER_SIZE 24

const char wal_reader_abandons_unnamed[] =
    "a page abandons a record, but its first record does not name that one";

/* The fault is the page's; where a record cannot be proven for it, it is told of the record. */
static bool
bad_page(struct wal_reader *reader, const char *why)
{
    uint64_t lsn = reader->state == WAL_READER_RECORD
                       ? reader->begun_lsn
                       : reader->summary.start_lsn + reader->offset - reader->page_header_got;

    wal_reader_damage(reader, WAL_DAMAGE_PAGE, lsn, why);
    return false;
}

/* Every version's magic number so far begins with D0 or D1, and a newer one will be near. */
static bool
of_unknown_version(uint16_t magic)
{
    uint16_t swapped = (uint16_t)(magic >> 8 | magic << 8);

    return magic >> 8 == 0xd0 || magic >> 8 == 0xd1 || magic >> 8 == 0xd2 ||
           wal_page_version(swapped) != 0;
}

static bool
check_first(struct wal_reader *reader, const struct wal_page_header *header)
{
    struct wal_summary *summary = &reader->summary;
    uint32_t page_size = header->page_size;
    int version = wal_page_version(header->magic);

    if (version == 0 && of_unknown_version(header->magic)) {
        wal_reader_damage(reader, WAL_DAMAGE_UNKNOWN, 0,
                          "WAL of a version, or of a machine, that is not supported");
        return false;
    }
    if (version == 0)
        return bad_page(reader, "the segment does not begin like WAL");
    if ((header->info & WAL_PAGE_LONG_HEADER) == 0)
        return bad_page(reader, "the segment does not begin with a segment's first page");
    if (!wal_segment_size_valid(header->segment_size))
        return bad_page(reader, "the segment's first page names an impossible segment size");
    if (page_size < WAL_PAGE_SIZE_MIN || page_size > WAL_PAGE_SIZE_MAX ||
        (page_size & (page_size - 1)) != 0)
        return bad_page(reader, "the segment's first page names an impossible page size");
    if (header->address == 0 || header->address % header->segment_size != 0 ||
        header->address > UINT64_MAX - header->segment_size)
        return bad_page(reader, "the segment's first page has an impossible address");
    if (header->timeline == 0)
        return bad_page(reader, "the segment's first page is of timeline 0");
    summary->version = version;
    summary->system_id = header->system_id;
    summary->page_size = page_size;
    summary->timeline_first = header->timeline;
    summary->timeline_last = header->timeline;
    summary->start_lsn = header->address;
    summary->end_lsn = header->address + header->segment_size;
    reader->segment_size = header->segment_size;
    reader->magic = header->magic;
    return true;
}

static bool
check_later(struct wal_reader *reader, const struct wal_page_header *header)
{
    uint64_t lsn = reader->summary.start_lsn + reader->offset - reader->page_header_got;

    if (header->magic != reader->magic)
        return bad_page(reader, "a page's magic number is not that of the first one");
    if ((header->info & WAL_PAGE_LONG_HEADER) != 0)
        return bad_page(reader, "a page within the segment has a segment's first header");
    if (header->address != lsn)
        return bad_page(reader, "a page's address is not its place");
    if (header->timeline < reader->summary.timeline_last)
        return bad_page(reader, "a page's timeline is older than that of the page before");
    reader->summary.timeline_last = header->timeline;
    return true;
}

static uint32_t
missing(const struct wal_reader *reader)
{
    if (reader->state == WAL_READER_RECORD)
        return reader->total - reader->got;
    return reader->summary.head_wanted - reader->summary.head.size;
}

/* The server crashed before the rest of a record was written, and began this page anew. */
static bool
abandon(struct wal_reader *reader, uint32_t remaining)
{
    if (reader->state == WAL_READER_BETWEEN)
        return bad_page(reader, "a page abandons a record, but none is open");
    if (remaining != 0)
        return bad_page(reader, "a page abandons a record and has a length for it");
    reader->abandoned_lsn = 0;
    if (reader->state == WAL_READER_RECORD) {
        reader->abandoned_lsn = reader->begun_lsn;
    } else {
        reader->summary.overwritten = true;
        reader->summary.head_wanted = 0;
        reader->summary.head.size = 0;
        reader->summary.head.kept = 0;
        reader->summary.head.crc = 0;
    }
    reader->says_overwritten = true;
    reader->state = WAL_READER_BETWEEN;
    return true;
}

/* Does what the page says of a record that goes on here agree with what there is? */
static bool
check_continuation(struct wal_reader *reader, const struct wal_page_header *header)
{
    bool continued = (header->info & WAL_PAGE_FIRST_IS_CONTRECORD) != 0;

    if ((header->info & ~WAL_PAGE_FLAGS_KNOWN) != 0)
        return bad_page(reader, "a page has flags that no version has");
    if ((header->info & WAL_PAGE_OVERWRITE_CONTRECORD) != 0)
        return continued ? bad_page(reader, "a page both continues and abandons a record")
                         : abandon(reader, header->remaining);
    if (continued != (header->remaining != 0))
        return bad_page(reader, "a page contradicts itself about a record that goes on");
    switch (reader->state) {
    case WAL_READER_START:
        if (header->remaining > WAL_RECORD_SIZE_MAX)
            return bad_page(reader, "a record that goes on is of impossible length");
        reader->summary.head_wanted = header->remaining;
        reader->state = continued ? WAL_READER_HEAD : WAL_READER_BETWEEN;
        return true;
    case WAL_READER_RECORD:
    case WAL_READER_HEAD:
        return header->remaining == missing(reader) ||
               bad_page(reader, "a page does not go on with the record that is open");
    case WAL_READER_BETWEEN:
    case WAL_READER_ZEROS:
    case WAL_READER_STOPPED:
        break;
    }
    return !continued || bad_page(reader, "a page goes on with a record, but none is open");
}

size_t
wal_reader_take_page(struct wal_reader *reader, const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[SHORT_HEADER_SIZE];
    bool first = reader->state == WAL_READER_START;
    size_t needed = first ? WAL_LONG_HEADER_SIZE : SHORT_HEADER_SIZE;
    size_t piece = MIN_OF(needed - reader->page_header_got, size);
    struct wal_page_header header;

    memcpy(reader->page_header + reader->page_header_got, bytes, piece);
    reader->page_header_got += piece;
    if (reader->page_header_got < needed)
        return piece;
    /* The offset is still that before this piece. */
    reader->page_header_got -= piece;
    (void)wal_page_read_header(reader->page_header, sizeof(reader->page_header), &header);
    if (reader->state == WAL_READER_BETWEEN &&
        memcmp(reader->page_header, zeros, sizeof(zeros)) == 0)
        wal_reader_end_of_wal(reader,
                              reader->summary.start_lsn + reader->offset - reader->page_header_got);
    else if ((first ? check_first : check_later)(reader, &header) &&
             check_continuation(reader, &header))
        reader->page_left = reader->summary.page_size - (uint32_t)needed;
    reader->page_header_got = 0;
    return piece;
}
