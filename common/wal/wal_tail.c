/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_tail.h"

#include <stdbool.h>
#include <string.h>

#include "base/io.h"
#include "wal/crc32c.h"
#include "wal/wal_page.h"

#define SHORT_HEADER_SIZE 24
#define RECORD_HEADER_SIZE 24
#define RECORD_CRC_OFFSET 20
#define ALIGNMENT 8

struct walk {
    const uint8_t *bytes;
    size_t size;
    struct wal_page_header first; /* of the segment */
};

struct page {
    size_t header_size;
    uint16_t info;
    uint32_t remaining; /* of a record from the page before */
};

enum record_outcome {
    RECORD_GOOD,
    RECORD_GIVEN_UP, /* its end was lost in a crash; the page at *ret_end says so and goes on */
    RECORD_END,      /* there is none */
};

/* The header of the page at `at`. False: there is no page that belongs here. */
static bool
read_page(const struct walk *walk, size_t at, struct page *ret)
{
    struct cursor cursor;

    if (at >= walk->size)
        return false;
    cursor_init(&cursor, walk->bytes + at, walk->size - at);
    uint16_t magic = cursor_u16_host(&cursor);
    ret->info = cursor_u16_host(&cursor);
    (void)cursor_u32_host(&cursor);
    uint64_t address = cursor_u64_host(&cursor);
    ret->remaining = cursor_u32_host(&cursor);
    ret->header_size =
        (ret->info & WAL_PAGE_LONG_HEADER) != 0 ? WAL_LONG_HEADER_SIZE : SHORT_HEADER_SIZE;
    return !cursor.failed && magic == walk->first.magic && address == walk->first.address + at;
}

static size_t
align(size_t at)
{
    return (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Go over the `left` bytes of a record that begin at *at, in pieces of a page. */
static enum record_outcome
read_record(const struct walk *walk, size_t *at, size_t left, uint8_t *header, uint32_t *ret_crc)
{
    size_t page_size = walk->first.page_size;
    size_t got = 0;
    uint32_t crc = 0;

    for (;;) {
        size_t here = page_size - *at % page_size;
        size_t piece = MIN_OF(here, left);
        size_t head = got < RECORD_HEADER_SIZE ? MIN_OF(piece, RECORD_HEADER_SIZE - got) : 0;

        memcpy(header + got, walk->bytes + *at, head);
        crc = crc32c(crc, walk->bytes + *at + head, piece - head);
        got = MIN_OF(got + head, (size_t)RECORD_HEADER_SIZE);
        *at += piece;
        left -= piece;
        if (left == 0) {
            *ret_crc = crc32c(crc, header, RECORD_CRC_OFFSET);
            return RECORD_GOOD;
        }
        struct page page;
        if (!read_page(walk, *at, &page))
            return RECORD_END;
        if ((page.info & WAL_PAGE_OVERWRITE_CONTRECORD) != 0)
            return RECORD_GIVEN_UP;
        if ((page.info & WAL_PAGE_FIRST_IS_CONTRECORD) == 0 || page.remaining != left)
            return RECORD_END;
        *at += page.header_size;
    }
}

/* The record at *at, or behind the page header there. *ret_start: where it begins. */
static enum record_outcome
next_record(const struct walk *walk, size_t *at, size_t *ret_start)
{
    uint8_t header[RECORD_HEADER_SIZE] = {0};
    uint32_t crc = 0;
    uint32_t length = 0;
    uint32_t stored_crc = 0;
    struct page page;

    if (*at >= walk->size)
        return RECORD_END;
    if (*at % walk->first.page_size == 0) {
        if (!read_page(walk, *at, &page) || (page.info & WAL_PAGE_FIRST_IS_CONTRECORD) != 0)
            return RECORD_END;
        *at += page.header_size;
    }
    memcpy(&length, walk->bytes + *at, sizeof(length));
    if (length < RECORD_HEADER_SIZE)
        return RECORD_END;
    *ret_start = *at;
    enum record_outcome outcome = read_record(walk, at, length, header, &crc);
    if (outcome != RECORD_GOOD)
        return outcome;
    memcpy(&stored_crc, header + RECORD_CRC_OFFSET, sizeof(stored_crc));
    if (crc != stored_crc)
        return RECORD_END;
    *at = align(*at);
    return RECORD_GOOD;
}

/* Behind the rest of a record that began in the segment before. False: it does not end here. */
static bool
skip_rest(const struct walk *walk, size_t *at)
{
    size_t left = walk->first.remaining;

    while (left > 0) {
        struct page page;

        if (!read_page(walk, *at, &page))
            return false;
        /* Given up: the record that says so follows on this page. */
        if ((page.info & WAL_PAGE_OVERWRITE_CONTRECORD) != 0)
            return true;
        if ((page.info & WAL_PAGE_FIRST_IS_CONTRECORD) == 0 || page.remaining != left)
            return false;
        size_t here = MIN_OF(left, walk->first.page_size - page.header_size);
        left -= here;
        *at += page.header_size + here;
    }
    *at = align(*at);
    return true;
}

int
wal_tail_last_record(const uint8_t *bytes, size_t size, uint64_t *ret_lsn)
{
    struct walk walk = {.bytes = bytes, .size = size};
    size_t at = 0;
    size_t start = 0;
    bool found = false;

    if (!wal_page_read_header(bytes, size, &walk.first) || walk.first.page_size < 1024 ||
        walk.first.page_size > 65536 || (walk.first.page_size & (walk.first.page_size - 1)) != 0 ||
        size % walk.first.page_size != 0)
        return WAL_TAIL_NONE;
    if ((walk.first.info & WAL_PAGE_FIRST_IS_CONTRECORD) != 0 && !skip_rest(&walk, &at))
        return WAL_TAIL_NONE;
    for (;;) {
        size_t this_start = 0;
        enum record_outcome outcome = next_record(&walk, &at, &this_start);

        if (outcome == RECORD_END)
            break;
        if (outcome == RECORD_GIVEN_UP)
            continue;
        start = this_start;
        found = true;
    }
    if (!found)
        return WAL_TAIL_NONE;
    *ret_lsn = walk.first.address + start;
    return 0;
}
