/* SPDX-License-Identifier: PostgreSQL */
#include "wal_bench.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "wal/crc32c.h"
#include "wal/wal_page.h"

#define HEADER 24

void
bench_init(struct wal_bench *bench, uint16_t magic, uint32_t segment_size, uint32_t page_size,
           size_t n_segments)
{
    *bench = (struct wal_bench){
        .capacity = n_segments * segment_size,
        .address = UINT64_C(7) * segment_size,
        .segment_size = segment_size,
        .page_size = page_size,
        .magic = magic,
        .timeline = 1,
    };
    bench->bytes = calloc(1, bench->capacity);
    bench->loose = calloc(1, bench->capacity);
    if (bench->bytes == NULL || bench->loose == NULL)
        abort();
}

void
bench_done(struct wal_bench *bench)
{
    free(bench->bytes);
    free(bench->loose);
}

static void
put(struct wal_bench *bench, const void *bytes, size_t size)
{
    if (size > bench->capacity - bench->at)
        abort();
    memcpy(bench->bytes + bench->at, bytes, size);
    bench->at += size;
}

static void
put_page(struct wal_bench *bench, unsigned flags, uint32_t remaining)
{
    bool first = bench->at % bench->segment_size == 0;
    const uint16_t info = (uint16_t)(flags | (first ? WAL_PAGE_LONG_HEADER : 0));
    const uint64_t address = bench->address + bench->at;
    const uint64_t system_id = BENCH_SYSTEM_ID;
    const uint32_t padding = 0;

    put(bench, &bench->magic, 2);
    put(bench, &info, 2);
    put(bench, &bench->timeline, 4);
    put(bench, &address, 8);
    put(bench, &remaining, 4);
    memset(bench->loose + bench->at, 1, 4);
    put(bench, &padding, 4);
    if (first) {
        put(bench, &system_id, 8);
        put(bench, &bench->segment_size, 4);
        put(bench, &bench->page_size, 4);
    }
}

static void
begin_page(struct wal_bench *bench)
{
    if (bench->at % bench->page_size == 0)
        put_page(bench, 0, 0);
}

/* Up to `stop`, where the rest of it is lost. */
static void
put_stream(struct wal_bench *bench, const uint8_t *bytes, size_t size, size_t stop)
{
    while (size > 0 && bench->at < stop) {
        if (bench->at % bench->page_size == 0)
            put_page(bench, WAL_PAGE_FIRST_IS_CONTRECORD, (uint32_t)size);
        size_t piece = MIN_OF(size, bench->page_size - bench->at % bench->page_size);
        put(bench, bytes, piece);
        bytes += piece;
        size -= piece;
    }
    while (bench->at % 8 != 0)
        bench->loose[bench->at++] = 1;
}

static uint64_t
put_record(struct wal_bench *bench, const uint8_t header[8], const void *body, size_t size,
           size_t stop)
{
    uint32_t total = (uint32_t)(HEADER + size);
    uint8_t *record = malloc(total);

    if (record == NULL)
        abort();
    begin_page(bench);
    uint64_t lsn = bench->address + bench->at;
    memcpy(record, &total, 4);
    memcpy(record + 4, header, 4);
    memcpy(record + 8, &bench->last, 8);
    memcpy(record + 16, header + 4, 4);
    if (size > 0)
        memcpy(record + HEADER, body, size);
    uint32_t crc = crc32c_portable(0, record + HEADER, size);
    crc = crc32c_portable(crc, record, 20);
    memcpy(record + 20, &crc, 4);
    put_stream(bench, record, total, stop);
    free(record);
    return lsn;
}

uint64_t
bench_record(struct wal_bench *bench, uint8_t rmgr, uint8_t info, uint32_t xid, const void *body,
             size_t size)
{
    uint8_t header[8] = {0, 0, 0, 0, info, rmgr, 0, 0};

    memcpy(header, &xid, 4);
    bench->last = put_record(bench, header, body, size, bench->capacity);
    return bench->last;
}

/* Main data of any length that takes `size` bytes with what describes it. */
static uint8_t *
main_data(size_t size)
{
    uint8_t *body = malloc(size);

    if (body == NULL || size < 2)
        abort();
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i * 7 + size);
    if (size - 2 <= 255) {
        body[0] = 255;
        body[1] = (uint8_t)(size - 2);
    } else {
        uint32_t length = (uint32_t)(size - 5);

        body[0] = 254;
        memcpy(body + 1, &length, 4);
    }
    return body;
}

uint64_t
bench_filler(struct wal_bench *bench, size_t size)
{
    uint8_t *body = main_data(size - HEADER);
    uint64_t lsn = bench_record(bench, 21, 0, 0, body, size - HEADER);

    free(body);
    return lsn;
}

/* How many bytes of records lie between two offsets. */
static size_t
room_between(const struct wal_bench *bench, size_t from, size_t to)
{
    size_t room = 0;

    while (from < to) {
        if (from % bench->page_size == 0)
            from += from % bench->segment_size == 0 ? WAL_LONG_HEADER_SIZE : 24;
        size_t page_end = from - from % bench->page_size + bench->page_size;
        room += MIN_OF(page_end, to) - from;
        from = page_end;
    }
    return room;
}

void
bench_fill_to(struct wal_bench *bench, size_t offset)
{
    begin_page(bench);
    while (bench->at < offset) {
        size_t room = room_between(bench, bench->at, offset);

        if (room > bench->capacity || room < 26)
            abort(); /* within a page header, or too near */
        (void)bench_filler(bench, room <= 4096 ? room : room > 4200 ? 4000 : 128);
    }
}

uint64_t
bench_switch(struct wal_bench *bench)
{
    uint64_t lsn = bench_record(bench, 0, 0x40, 0, NULL, 0);
    size_t size = bench->segment_size;

    bench->at = (bench->at + size - 1) / size * size;
    return lsn;
}

uint64_t
bench_abandoned(struct wal_bench *bench, size_t size, size_t page)
{
    const uint8_t header[8] = {0, 0, 0, 0, 0, 21, 0, 0};
    uint8_t *body = main_data(size - HEADER);
    uint64_t lsn = put_record(bench, header, body, size - HEADER, page);
    uint8_t names[18] = {255, 16};

    free(body);
    if (bench->at != page)
        abort();
    put_page(bench, WAL_PAGE_OVERWRITE_CONTRECORD, 0);
    memcpy(names + 2, &lsn, sizeof(lsn));
    (void)bench_record(bench, 0, 0xd0, 0, names, sizeof(names));
    return lsn;
}

static void
add(struct bench_digest *digest, const void *bytes, size_t size)
{
    digest->crc = crc32c(digest->crc, bytes, size);
}

static void
add_number(struct bench_digest *digest, uint64_t number)
{
    add(digest, &number, sizeof(number));
}

void
bench_sink(void *context, const struct wal_record *record)
{
    struct bench_digest *digest = context;
    const uint64_t numbers[] = {
        (uint64_t)record->version,
        record->timeline,
        record->lsn,
        record->end_lsn,
        record->prev_lsn,
        record->size,
        record->xid,
        record->top_xid,
        record->origin,
        record->info,
        record->rmgr,
        record->n_blocks,
        record->main_size,
        record->main_available,
    };

    add(digest, numbers, sizeof(numbers));
    for (size_t i = 0; i < record->n_blocks; i++) {
        const struct wal_block *block = &record->blocks[i];

        add(digest, &block->relation, sizeof(block->relation));
        add_number(digest, block->block);
        add_number(digest, block->id * 256U + block->fork);
        add_number(digest,
                   (uint64_t)block->will_init * 4 + block->has_image * 2 + block->image_applies);
        add_number(digest, block->image_size * 65536U + block->data_size);
        add_number(digest, block->hole_offset * 65536U + block->hole_size);
    }
    if (record->main_available > 0)
        add(digest, record->main_data, record->main_available);
    digest->n_records++;
    digest->last_lsn = record->lsn;
    digest->end_lsn = record->end_lsn;
    digest->last_main = record->main_size;
    digest->last_main_available = record->main_available;
    digest->last_timeline = record->timeline;
    digest->last_xid = record->xid;
    digest->last_first_byte = record->main_available > 0 ? record->main_data[0] : 0;
}

static void
add_edge(struct bench_digest *digest, const struct wal_edge *edge)
{
    add_number(digest, edge->size);
    add_number(digest, edge->kept);
    add_number(digest, edge->crc);
    add(digest, edge->bytes, edge->kept);
}

const struct wal_summary *
bench_read(struct wal_reader *reader, struct bench_digest *digest, const uint8_t *bytes,
           size_t size, size_t piece)
{
    memset(digest, 0, sizeof(*digest));
    wal_reader_reset(reader);
    for (size_t at = 0; at < size; at += piece) {
        /* Pieces of their own, so that a sanitizer sees what is read past them. */
        size_t here = MIN_OF(piece, size - at);
        uint8_t *copy = malloc(here);

        if (copy == NULL)
            abort();
        memcpy(copy, bytes + at, here);
        wal_reader_feed(reader, copy, here);
        free(copy);
    }
    const struct wal_summary *summary = wal_reader_finish(reader);
    const uint64_t numbers[] = {
        (uint64_t)summary->version, summary->system_id,     summary->page_size,
        summary->timeline_first,    summary->timeline_last, summary->start_lsn,
        summary->end_lsn,           summary->first_lsn,     summary->first_prev_lsn,
        summary->first_prev_known,  summary->last_lsn,      summary->last_end_lsn,
        summary->open_lsn,          summary->open_size,     summary->open_timeline,
        summary->head_wanted,       summary->n_records,     summary->switched,
        summary->zero_end,          summary->overwritten,   summary->overwritten_lsn,
        summary->damage.kind,       summary->damage.lsn,
    };
    add(digest, numbers, sizeof(numbers));
    add_edge(digest, &summary->head);
    add_edge(digest, &summary->tail);
    return summary;
}
