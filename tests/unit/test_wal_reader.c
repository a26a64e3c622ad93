/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_reader.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "wal/crc32c.h"
#include "wal/wal_page.h"
#include "wal_bench.h"

#define MAGIC_13 0xd106
#define MAGIC_14 0xd10d
#define MAGIC_15 0xd110
#define MEGABYTE ((uint32_t)1048576)
#define PAGE 8192

static struct wal_reader *reader;
static struct wal_bench bench;
static struct bench_digest digest;

static int
set_up(void **state UNUSED)
{
    struct err err = ERR_INIT;

    return wal_reader_new(bench_sink, &digest, &reader, &err);
}

static int
tear_down(void **state UNUSED)
{
    wal_reader_free(reader);
    return 0;
}

/* One segment of the bench, in pieces. */
static const struct wal_summary *
read_segment(size_t index, size_t piece)
{
    return bench_read(reader, &digest, bench.bytes + index * bench.segment_size, bench.segment_size,
                      piece);
}

static void
begin(uint32_t page_size, size_t n_segments)
{
    bench_init(&bench, MAGIC_15, MEGABYTE, page_size, n_segments);
}

/* The damage that reading segment 0 finds; WAL_DAMAGE_NONE when there is none. */
static enum wal_damage_kind
damage_at(uint64_t *ret_lsn)
{
    const struct wal_summary *summary = read_segment(0, 65536);

    *ret_lsn = summary->damage.lsn;
    assert_true((summary->damage.kind == WAL_DAMAGE_NONE) == (summary->damage.why == NULL));
    if (summary->damage.kind != WAL_DAMAGE_NONE)
        assert_true(!summary->zero_end && !summary->switched && summary->tail.size == 0);
    return summary->damage.kind;
}

/* Records of every little size, over a whole segment and into the next. */
static void
many_sizes(void)
{
    size_t size = 26;

    while (bench.at < bench.segment_size) {
        (void)bench_filler(&bench, size);
        size = size < 700 ? size + 1 : size < 9000 ? size + 777 : 26;
    }
}

static void
a_full_segment_is_read(void **state UNUSED)
{
    begin(PAGE, 2);
    uint64_t first = bench_filler(&bench, 100);
    uint64_t second = bench_filler(&bench, 30);
    const struct wal_summary *summary = read_segment(0, MEGABYTE);
    assert_int_equal(summary->version, 15);
    assert_true(summary->system_id == BENCH_SYSTEM_ID);
    assert_int_equal(summary->page_size, PAGE);
    assert_int_equal(summary->start_lsn, 7 * (uint64_t)MEGABYTE);
    assert_int_equal(summary->end_lsn, 8 * (uint64_t)MEGABYTE);
    assert_int_equal(summary->timeline_first, 1);
    assert_int_equal(summary->timeline_last, 1);
    assert_int_equal(summary->first_lsn, first);
    assert_int_equal(first, summary->start_lsn + 40);
    assert_true(summary->first_prev_known);
    assert_int_equal(summary->first_prev_lsn, 0);
    assert_int_equal(summary->last_lsn, second);
    assert_int_equal(summary->last_end_lsn, second + 32);
    assert_int_equal(summary->n_records, 2);
    assert_true(summary->zero_end);
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    assert_int_equal(digest.last_lsn, second);
    assert_int_equal(digest.end_lsn, second + 32);
    bench_fill_to(&bench, MEGABYTE);
    summary = read_segment(0, MEGABYTE);
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    assert_false(summary->zero_end || summary->switched || summary->overwritten);
    assert_int_equal(summary->last_end_lsn, summary->end_lsn);
    assert_int_equal(summary->open_lsn, 0);
    bench_done(&bench);
}

static void
pieces_of_every_size_say_the_same(void **state UNUSED)
{
    const size_t prefix = 7 * 1024;

    begin(1024, 2);
    many_sizes();
    (void)bench_read(reader, &digest, bench.bytes, prefix, prefix);
    const struct bench_digest wanted = digest;
    assert_true(wanted.n_records > 30);
    for (size_t piece = 1; piece < prefix; piece++) {
        (void)bench_read(reader, &digest, bench.bytes, prefix, piece);
        assert_memory_equal(&digest, &wanted, sizeof(digest));
    }
    bench_done(&bench);
}

static void
whole_segments_say_the_same_in_pieces(void **state UNUSED)
{
    static const uint32_t page_sizes[] = {1024, 2048, 4096, 8192, 16384, 32768, 65536};
    static const size_t pieces[] = {1, 7, 24, 1023, 1024, 4099, 8192, 65536, 100000};

    for (size_t i = 0; i < ARRAY_SIZE(page_sizes); i++) {
        begin(page_sizes[i], 2);
        many_sizes();
        (void)bench_filler(&bench, 300000);
        for (size_t segment = 0; segment < 2; segment++) {
            const struct wal_summary *summary = read_segment(segment, MEGABYTE);
            const struct bench_digest wanted = digest;

            assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
            assert_true(wanted.n_records == summary->n_records);
            for (size_t k = 0; k < ARRAY_SIZE(pieces); k++) {
                (void)read_segment(segment, pieces[k]);
                assert_memory_equal(&digest, &wanted, sizeof(digest));
            }
        }
        bench_done(&bench);
    }
}

/*
 * Every bit of seven pages is turned; an eighth goes on with them. What is no padding is found out,
 * at or before the place, and what was handed out until then is what the undamaged segment has.
 */
static void
every_turned_bit_is_found(void **state UNUSED)
{
    const size_t prefix = 8 * 1024;
    const size_t last_page = prefix - 1024;

    begin(1024, 2);
    many_sizes();
    const struct wal_summary *summary = bench_read(reader, &digest, bench.bytes, prefix, prefix);
    const uint64_t cut = summary->damage.lsn;
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_PAGE);
    assert_int_equal(cut, bench.address + prefix);
    for (size_t at = 0; at < last_page; at++) {
        size_t in_page = at % 1024;

        for (unsigned bit = 0; bit < 8; bit++) {
            /* Not judged here: the server's number, which is the caller's to compare, and a flag
             * that says nothing of the bytes. */
            bool free = bench.loose[at] != 0 || (at >= 24 && at < 32) || (in_page == 2 && bit == 2);

            bench.bytes[at] ^= (uint8_t)(1U << bit);
            summary = bench_read(reader, &digest, bench.bytes, prefix, 3000);
            assert_int_not_equal(summary->damage.kind, WAL_DAMAGE_NONE);
            /* The segment's place is the caller's to compare. */
            free = free || (summary->version != 0 && summary->start_lsn != bench.address);
            assert_true(free || summary->damage.lsn < cut);
            /* Another version, or a timeline that is too high, shows on the next page only; that
             * the page abandons a record, in its first record. */
            size_t shows = at < 4 || (in_page >= 4 && in_page < 8) ? at + 1024 : at;
            assert_true(free || summary->damage.lsn <= bench.address + shows);
            assert_true(summary->damage.lsn == 0 || digest.end_lsn <= summary->damage.lsn);
            bench.bytes[at] ^= (uint8_t)(1U << bit);
        }
    }
    bench_done(&bench);
}

/* All values of every byte of every page header and record header, to the end of the segment. */
static void
no_value_of_a_header_byte_breaks_the_reader(void **state UNUSED)
{
    const size_t prefix = 3 * 1024;

    begin(1024, 2);
    (void)bench_filler(&bench, 64);
    (void)bench_filler(&bench, 1000);
    bench_fill_to(&bench, 2 * 1024 - 8); /* a header that lies on two pages */
    (void)bench_filler(&bench, 500);
    (void)bench_filler(&bench, 64);
    for (size_t at = 0; at < prefix; at++) {
        uint8_t before = bench.bytes[at];

        for (unsigned value = 0; value < 256; value++) {
            bench.bytes[at] = (uint8_t)value;
            const struct wal_summary *summary =
                bench_read(reader, &digest, bench.bytes, prefix, 999);
            assert_true(summary->n_records <= prefix / 24);
            assert_int_not_equal(summary->damage.kind, WAL_DAMAGE_NONE);
        }
        bench.bytes[at] = before;
    }
    bench_done(&bench);
}

static void
records_go_over_pages(void **state UNUSED)
{
    /* How much is left on the first page: the header whole, cut anywhere, or not begun. */
    for (size_t offset = PAGE - 160; offset <= PAGE; offset += 8) {
        begin(PAGE, 1);
        bench_fill_to(&bench, offset);
        uint64_t before = bench.last;
        uint64_t lsn = bench_filler(&bench, 100);
        const struct wal_summary *summary = read_segment(0, 5000);
        assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
        assert_int_equal(summary->last_lsn, lsn);
        assert_int_not_equal(before, lsn);
        lsn = bench_filler(&bench, 2 * PAGE + 1);
        summary = read_segment(0, MEGABYTE);
        assert_int_equal(summary->last_lsn, lsn);
        assert_int_equal(digest.last_main, 2 * PAGE + 1 - 29);
        assert_int_equal(digest.last_main_available, 2 * PAGE + 1 - 29);
        bench_done(&bench);
    }
}

static void
a_huge_record_is_proven_and_shown_in_part(void **state UNUSED)
{
    begin(PAGE, 1);
    uint64_t lsn = bench_filler(&bench, 700001);
    uint64_t next = bench_filler(&bench, 48);
    const struct wal_summary *summary = read_segment(0, 100000);
    assert_int_equal(summary->last_lsn, next);
    assert_int_equal(summary->n_records, 2);
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    bench.at = (size_t)(next - bench.address);
    memset(bench.bytes + bench.at, 0, 48);
    (void)read_segment(0, 100000);
    assert_int_equal(digest.last_main, 700001 - 29);
    assert_int_equal(digest.last_main_available, WAL_READER_KEPT - 29);
    /* Its last byte counts as well. */
    bench.bytes[bench.at - 8] ^= 1;
    uint64_t at = 0;
    assert_int_equal(damage_at(&at), WAL_DAMAGE_CRC);
    assert_int_equal(at, lsn);
    bench_done(&bench);
}

static void
what_crosses_the_border_is_kept_on_both_sides(void **state UNUSED)
{
    static const uint32_t sizes[] = {48, 100, 5000, 20000, 40000, 300000};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (size_t before = 8; before < sizes[i]; before = before * 2 + 8) {
            begin(PAGE, 2);
            size_t pages = before / (PAGE - 24);
            bench_fill_to(&bench, MEGABYTE - before / 8 * 8 - pages * 24);
            uint64_t last = bench.last;
            uint64_t lsn = bench_filler(&bench, sizes[i]);
            uint64_t next = bench_filler(&bench, 64);
            const struct wal_summary *summary = read_segment(0, 70000);
            uint32_t here = summary->tail.size;
            assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
            assert_int_equal(summary->last_lsn, last);
            assert_int_equal(summary->open_lsn, lsn);
            assert_int_equal(summary->open_size, sizes[i]);
            assert_int_equal(summary->open_timeline, 1);
            assert_in_range(here, 8, sizes[i] - 1);
            assert_int_equal(summary->tail.kept, MIN_OF(here, WAL_EDGE_KEPT));
            assert_memory_equal(summary->tail.bytes, bench.bytes + (lsn - bench.address), 8);
            summary = read_segment(1, 70000);
            assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
            assert_int_equal(summary->head.size, sizes[i] - here);
            assert_int_equal(summary->head_wanted, sizes[i] - here);
            assert_int_equal(summary->head.kept, MIN_OF(sizes[i] - here, WAL_EDGE_KEPT));
            assert_int_equal(summary->first_lsn, next);
            assert_int_equal(summary->first_prev_lsn, lsn);
            assert_int_equal(summary->n_records, 1);
            assert_int_equal(summary->open_lsn, 0);
            bench_done(&bench);
        }
    }
}

static void
a_segment_within_one_long_record_is_all_head(void **state UNUSED)
{
    begin(PAGE, 4);
    bench_fill_to(&bench, 1048000);
    (void)bench_filler(&bench, 3 * MEGABYTE - 100000);
    const struct wal_summary *summary = read_segment(1, 65536);
    uint32_t wanted = summary->head_wanted;
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    assert_int_equal(summary->head.size, MEGABYTE - 128 * 24 - 16);
    assert_int_equal(summary->first_lsn, 0);
    assert_false(summary->first_prev_known);
    assert_int_equal(summary->n_records, 0);
    assert_int_equal(summary->tail.size, 0);
    summary = read_segment(2, 65536);
    assert_int_equal(summary->head_wanted, wanted - (MEGABYTE - 128 * 24 - 16));
    bench_done(&bench);
}

static void
behind_a_switch_only_zeros_stand(void **state UNUSED)
{
    for (size_t offset = 4000; offset < 20000; offset += 1992) {
        uint64_t at = 0;

        begin(PAGE, 2);
        bench_fill_to(&bench, offset);
        uint64_t lsn = bench_switch(&bench);
        uint64_t next = bench_filler(&bench, 100);
        const struct wal_summary *summary = read_segment(0, 30000);
        assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
        assert_true(summary->switched);
        assert_false(summary->zero_end);
        assert_int_equal(summary->last_lsn, lsn);
        assert_int_equal(summary->last_end_lsn, summary->end_lsn);
        assert_int_equal(digest.end_lsn, summary->end_lsn);
        summary = read_segment(1, 30000);
        assert_int_equal(summary->first_lsn, next);
        assert_int_equal(summary->first_prev_lsn, lsn);
        for (size_t place = offset + 24 + 2 * 24; place < MEGABYTE; place += 99991) {
            bench.bytes[place] = 1;
            assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
            assert_int_equal(at, bench.address + place);
            bench.bytes[place] = 0;
        }
        bench.bytes[MEGABYTE - 1] = 1;
        assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
        assert_int_equal(at, bench.address + MEGABYTE - 1);
        bench_done(&bench);
    }
}

static void
wal_ends_with_zeros_or_not_at_all(void **state UNUSED)
{
    static const size_t ends[] = {5000, PAGE, PAGE + 24, PAGE - 8, 3 * PAGE + 80, MEGABYTE - 8};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        uint64_t at = 0;

        begin(PAGE, 1);
        bench_fill_to(&bench, MIN_OF(ends[i], ends[i] == PAGE + 24 ? PAGE : MEGABYTE));
        if (ends[i] == PAGE + 24)
            bench_fill_to(&bench, PAGE + 24); /* a page's header, and nothing else */
        size_t end = bench.at;
        uint64_t last = bench.last;
        const struct wal_summary *summary = read_segment(0, 65536);
        assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
        assert_true(summary->zero_end);
        assert_int_equal(summary->last_lsn, last);
        for (size_t place = end + 4; place < MEGABYTE; place = place * 2 - end + 1) {
            bench.bytes[place] = 4;
            enum wal_damage_kind kind = damage_at(&at);
            assert_int_equal(kind, end % PAGE == 0 && place < end + 24 ? WAL_DAMAGE_PAGE
                                                                       : WAL_DAMAGE_RECORD);
            assert_int_equal(at, bench.address + end);
            bench.bytes[place] = 0;
        }
        bench_done(&bench);
    }
}

static void
an_abandoned_record_is_dropped(void **state UNUSED)
{
    begin(PAGE, 2);
    uint64_t first = bench_filler(&bench, 100);
    uint64_t lost = bench_abandoned(&bench, 5 * PAGE, 2 * PAGE);
    uint64_t named = bench.last;
    uint64_t last = bench_filler(&bench, 300);
    const struct wal_summary *summary = read_segment(0, 65536);
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    assert_int_equal(summary->n_records, 3);
    assert_int_equal(summary->first_lsn, first);
    assert_int_equal(summary->last_lsn, last);
    assert_false(summary->overwritten);
    assert_int_equal(named, bench.address + 2 * PAGE + 24);
    assert_int_not_equal(lost, 0);
    /* Even when it was the first. */
    bench_done(&bench);
    begin(PAGE, 2);
    (void)bench_abandoned(&bench, 5 * PAGE, 2 * PAGE);
    summary = read_segment(0, 65536);
    assert_int_equal(summary->n_records, 1);
    assert_int_equal(summary->first_lsn, bench.address + 2 * PAGE + 24);
    bench_done(&bench);
}

static void
one_of_the_segment_before_is_abandoned_too(void **state UNUSED)
{
    /* On the first page, and on a later one. */
    for (size_t page = 0; page < 3; page++) {
        begin(PAGE, 2);
        bench_fill_to(&bench, MEGABYTE - 4000);
        uint64_t last = bench.last;
        uint64_t lost = bench_abandoned(&bench, 9 * PAGE, MEGABYTE + page * PAGE);
        const struct wal_summary *summary = read_segment(0, 65536);
        assert_int_equal(summary->open_lsn, lost);
        summary = read_segment(1, 65536);
        assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
        assert_true(summary->overwritten);
        assert_int_equal(summary->overwritten_lsn, lost);
        assert_int_equal(summary->head.size, 0);
        assert_int_equal(summary->head_wanted, 0);
        assert_int_equal(summary->first_prev_lsn, last);
        bench_done(&bench);
    }
}

/* Rewrite the record that begins at `offset`, which holds `size` bytes: its CRC. */
static void
reseal(size_t offset, uint32_t size)
{
    uint32_t crc = crc32c(0, bench.bytes + offset + 24, size - 24);

    crc = crc32c(crc, bench.bytes + offset, 20);
    memcpy(bench.bytes + offset + 20, &crc, 4);
}

static void
a_page_that_abandons_must_say_what(void **state UNUSED)
{
    const size_t named = 2 * PAGE + 24;
    uint64_t at = 0;

    begin(PAGE, 2);
    (void)bench_filler(&bench, 100);
    (void)bench_abandoned(&bench, 5 * PAGE, 2 * PAGE);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_NONE);
    bench.bytes[named + 26] ^= 8; /* another LSN */
    reseal(named, 42);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_RECORD);
    assert_int_equal(at, bench.address + named);
    bench.bytes[named + 26] ^= 8;
    bench.bytes[named + 16] = 0x20; /* another record */
    reseal(named, 42);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_RECORD);
    memset(bench.bytes + named, 0, 48); /* none */
    assert_int_equal(damage_at(&at), WAL_DAMAGE_RECORD);
    /* The flag with a length, with the flag of a continuation, and with nothing open. */
    bench.bytes[2 * PAGE + 16] = 1;
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    bench.bytes[2 * PAGE + 2] |= WAL_PAGE_FIRST_IS_CONTRECORD;
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    bench_done(&bench);
    begin(PAGE, 2);
    bench_fill_to(&bench, 2 * PAGE);
    (void)bench_filler(&bench, 100);
    bench.bytes[2 * PAGE + 2] |= WAL_PAGE_OVERWRITE_CONTRECORD;
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    assert_int_equal(at, bench.address + 2 * PAGE);
    bench_done(&bench);
}

static void
timelines_rise_and_never_fall(void **state UNUSED)
{
    uint64_t at = 0;

    begin(PAGE, 1);
    bench_fill_to(&bench, 3 * PAGE);
    bench.timeline = 5;
    (void)bench_filler(&bench, 2 * PAGE);
    (void)bench_filler(&bench, 30);
    const struct wal_summary *summary = read_segment(0, 65536);
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    assert_int_equal(summary->timeline_first, 1);
    assert_int_equal(summary->timeline_last, 5);
    assert_int_equal(digest.last_timeline, 5);
    bench.bytes[4 * PAGE + 4] = 4;
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    assert_int_equal(at, bench.address + 3 * PAGE + 24);
    bench_done(&bench);
}

static void
links_lead_back(void **state UNUSED)
{
    uint64_t at = 0;

    begin(PAGE, 1);
    (void)bench_filler(&bench, 100);
    uint64_t second = bench_filler(&bench, 100);
    (void)bench_filler(&bench, 100);
    size_t offset = (size_t)(second - bench.address);
    bench.bytes[offset + 8] ^= 0x10;
    reseal(offset, 100);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_LINK);
    assert_int_equal(at, second);
    /* The first one of a segment points before it. */
    bench.bytes[offset + 8] ^= 0x10;
    reseal(offset, 100);
    memcpy(bench.bytes + 40 + 8, &second, 8);
    reseal(40, 100);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_LINK);
    assert_int_equal(at, bench.address + 40);
    bench_done(&bench);
}

static void
impossible_records_are_told(void **state UNUSED)
{
    static const uint32_t lengths[] = {1, 23, 0x40000000, 0xffffffff};
    uint64_t at = 0;

    begin(PAGE, 1);
    (void)bench_filler(&bench, 104);
    size_t offset = bench.at;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        memcpy(bench.bytes + offset, &lengths[i], 4);
        assert_int_equal(damage_at(&at), WAL_DAMAGE_RECORD);
        assert_int_equal(at, bench.address + offset);
    }
    memset(bench.bytes + offset, 0, 4);
    (void)bench_record(&bench, 22, 0, 0, NULL, 0);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_RECORD);
    bench_done(&bench);
    /* Resource managers of extensions came with 15. */
    for (unsigned i = 0; i < 2; i++) {
        bench_init(&bench, i == 0 ? MAGIC_14 : MAGIC_15, MEGABYTE, PAGE, 1);
        (void)bench_record(&bench, 128, 0, 0, "\377\003abc", 5);
        assert_int_equal(damage_at(&at), i == 0 ? WAL_DAMAGE_RECORD : WAL_DAMAGE_NONE);
        bench_done(&bench);
    }
}

static void
what_a_first_page_may_not_be(void **state UNUSED)
{
    static const struct {
        size_t offset;
        uint8_t size;
        uint64_t value;
        enum wal_damage_kind kind;
    } cases[] = {
        {0, 2, 0xd121, WAL_DAMAGE_UNKNOWN},   {0, 2, 0xd101, WAL_DAMAGE_UNKNOWN},
        {0, 2, 0x10d1, WAL_DAMAGE_UNKNOWN},   {0, 2, 0, WAL_DAMAGE_PAGE},
        {0, 2, 0x5678, WAL_DAMAGE_PAGE},      {2, 2, 0, WAL_DAMAGE_PAGE},
        {2, 2, 0x12, WAL_DAMAGE_PAGE},        {2, 2, 3, WAL_DAMAGE_PAGE},
        {4, 4, 0, WAL_DAMAGE_PAGE},           {8, 8, 0, WAL_DAMAGE_PAGE},
        {8, 8, 0x700008, WAL_DAMAGE_PAGE},    {8, 8, 0xfffffffffff00000, WAL_DAMAGE_PAGE},
        {16, 4, 1, WAL_DAMAGE_PAGE},          {32, 4, 0, WAL_DAMAGE_PAGE},
        {32, 4, 524288, WAL_DAMAGE_PAGE},     {32, 4, 3145728, WAL_DAMAGE_PAGE},
        {32, 4, 0x80000000, WAL_DAMAGE_PAGE}, {36, 4, 512, WAL_DAMAGE_PAGE},
        {36, 4, 8191, WAL_DAMAGE_PAGE},       {36, 4, 131072, WAL_DAMAGE_PAGE},
        {36, 4, 0, WAL_DAMAGE_PAGE},
    };
    uint8_t saved[WAL_LONG_HEADER_SIZE];
    uint64_t at = 0;

    begin(PAGE, 1);
    (void)bench_filler(&bench, 104);
    memcpy(saved, bench.bytes, sizeof(saved));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memcpy(bench.bytes + cases[i].offset, &cases[i].value, cases[i].size);
        assert_int_equal(damage_at(&at), cases[i].kind);
        assert_int_equal(digest.n_records, 0);
        memcpy(bench.bytes, saved, sizeof(saved));
    }
    memset(bench.bytes, 0, MEGABYTE);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    bench_done(&bench);
}

static void
a_continuation_of_impossible_length_is_damage(void **state UNUSED)
{
    const uint32_t length = 0x40000000;
    uint64_t at = 0;

    begin(PAGE, 1);
    (void)bench_filler(&bench, 104);
    bench.bytes[2] |= WAL_PAGE_FIRST_IS_CONTRECORD;
    memcpy(bench.bytes + 16, &length, 4);
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    bench_done(&bench);
}

static void
a_segment_has_the_length_that_it_says(void **state UNUSED)
{
    static uint8_t one;

    begin(PAGE, 2);
    bench_fill_to(&bench, MEGABYTE);
    for (size_t size = 0; size < MEGABYTE; size = size * 3 + 1) {
        const struct wal_summary *summary = bench_read(reader, &digest, bench.bytes, size, 4096);
        assert_int_equal(summary->damage.kind, WAL_DAMAGE_PAGE);
        assert_int_equal(summary->damage.lsn, size < 40 ? 0 : bench.address + size);
    }
    assert_int_equal(read_segment(0, 4096)->damage.kind, WAL_DAMAGE_NONE);
    wal_reader_feed(reader, &one, 1);
    assert_int_equal(wal_reader_finish(reader)->damage.kind, WAL_DAMAGE_PAGE);
    bench_done(&bench);
    /* The same where zeros end it. */
    begin(PAGE, 2);
    (void)bench_filler(&bench, 100);
    assert_int_equal(bench_read(reader, &digest, bench.bytes, MEGABYTE - 1, 4096)->damage.kind,
                     WAL_DAMAGE_PAGE);
    assert_int_equal(bench_read(reader, &digest, bench.bytes, MEGABYTE + 1, 4096)->damage.kind,
                     WAL_DAMAGE_PAGE);
    bench_done(&bench);
}

static void
segments_of_other_sizes_are_read(void **state UNUSED)
{
    bench_init(&bench, MAGIC_13, 16 * MEGABYTE, PAGE, 1);
    bench_fill_to(&bench, 16 * (size_t)MEGABYTE - 1000);
    (void)bench_switch(&bench);
    const struct wal_summary *summary = read_segment(0, 65536);
    assert_int_equal(summary->version, 13);
    assert_int_equal(summary->damage.kind, WAL_DAMAGE_NONE);
    assert_true(summary->switched);
    assert_true(summary->n_records > 4000);
    bench_done(&bench);
}

static void
a_page_goes_on_as_the_one_before_says(void **state UNUSED)
{
    uint64_t at = 0;

    for (unsigned what = 0; what < 6; what++) {
        begin(PAGE, 1);
        (void)bench_filler(&bench, 100);
        uint64_t lsn = bench_filler(&bench, 2 * PAGE);
        (void)bench_filler(&bench, 100);
        if (what == 0)
            bench.bytes[PAGE] ^= 1; /* magic of the page it goes on in */
        else if (what == 1)
            bench.bytes[PAGE + 8] ^= 1; /* address */
        else if (what == 2)
            bench.bytes[PAGE + 16] ^= 1; /* how much remains */
        else if (what == 3)
            bench.bytes[PAGE + 2] |= WAL_PAGE_LONG_HEADER;
        else if (what == 4)
            bench.bytes[PAGE + 2] &= (uint8_t)~WAL_PAGE_FIRST_IS_CONTRECORD;
        else
            memset(bench.bytes + PAGE, 0, MEGABYTE - PAGE); /* the rest was never written */
        assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
        assert_int_equal(at, lsn);
        assert_int_equal(digest.n_records, 1);
        bench_done(&bench);
    }
    /* A page that goes on although nothing is open. */
    begin(PAGE, 1);
    bench_fill_to(&bench, PAGE);
    (void)bench_filler(&bench, 100);
    bench.bytes[PAGE + 2] |= WAL_PAGE_FIRST_IS_CONTRECORD;
    bench.bytes[PAGE + 16] = 8;
    assert_int_equal(damage_at(&at), WAL_DAMAGE_PAGE);
    assert_int_equal(at, bench.address + PAGE);
    bench_done(&bench);
}

static void
it_can_be_used_again(void **state UNUSED)
{
    begin(PAGE, 1);
    (void)bench_filler(&bench, 100);
    (void)read_segment(0, 4096);
    const struct bench_digest wanted = digest;
    bench.bytes[PAGE - 100] = 1;
    assert_int_equal(read_segment(0, 4096)->damage.kind, WAL_DAMAGE_RECORD);
    bench.bytes[PAGE - 100] = 0;
    (void)read_segment(0, 4096);
    assert_memory_equal(&digest, &wanted, sizeof(digest));
    wal_reader_free(NULL);
    bench_done(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_segment_is_read),
        cmocka_unit_test(pieces_of_every_size_say_the_same),
        cmocka_unit_test(whole_segments_say_the_same_in_pieces),
        cmocka_unit_test(every_turned_bit_is_found),
        cmocka_unit_test(no_value_of_a_header_byte_breaks_the_reader),
        cmocka_unit_test(records_go_over_pages),
        cmocka_unit_test(a_huge_record_is_proven_and_shown_in_part),
        cmocka_unit_test(what_crosses_the_border_is_kept_on_both_sides),
        cmocka_unit_test(a_segment_within_one_long_record_is_all_head),
        cmocka_unit_test(behind_a_switch_only_zeros_stand),
        cmocka_unit_test(wal_ends_with_zeros_or_not_at_all),
        cmocka_unit_test(an_abandoned_record_is_dropped),
        cmocka_unit_test(one_of_the_segment_before_is_abandoned_too),
        cmocka_unit_test(a_page_that_abandons_must_say_what),
        cmocka_unit_test(timelines_rise_and_never_fall),
        cmocka_unit_test(links_lead_back),
        cmocka_unit_test(impossible_records_are_told),
        cmocka_unit_test(what_a_first_page_may_not_be),
        cmocka_unit_test(a_continuation_of_impossible_length_is_damage),
        cmocka_unit_test(a_segment_has_the_length_that_it_says),
        cmocka_unit_test(segments_of_other_sizes_are_read),
        cmocka_unit_test(a_page_goes_on_as_the_one_before_says),
        cmocka_unit_test(it_can_be_used_again),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
