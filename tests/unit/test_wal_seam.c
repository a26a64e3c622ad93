/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_seam.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "wal/crc32c.h"
#include "wal/wal_page.h"
#include "wal_bench.h"

#define MAGIC_15 0xd110
#define MEGABYTE ((uint32_t)1048576)
#define PAGE 8192
#define SEGMENTS_MAX 6

static struct wal_reader *reader;
static struct wal_bench bench;
static struct bench_digest digest;
static struct wal_summary summaries[SEGMENTS_MAX];
static struct wal_seam seam;
static struct wal_record record;
static const char *why;

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

static void
begin(size_t n_segments)
{
    bench_init(&bench, MAGIC_15, MEGABYTE, PAGE, n_segments);
}

static void
summarize(void)
{
    for (size_t i = 0; i < bench.capacity / bench.segment_size; i++)
        summaries[i] = *bench_read(reader, &digest, bench.bytes + i * bench.segment_size,
                                   bench.segment_size, 100000);
}

static int
next(size_t index)
{
    why = NULL;
    int outcome = wal_seam_next(&seam, &summaries[index], &record, &why);
    assert_true((outcome == WAL_SEAM_BROKEN) == (why != NULL));
    return outcome;
}

/* Of segments 0 and 1. */
static int
join_two(void)
{
    wal_seam_begin(&seam, &summaries[0]);
    return next(1);
}

/* A record of `size` bytes of which `before` (a multiple of 8) stand in segment 0. */
static uint64_t
crossing(size_t size, size_t before)
{
    size_t offset = MEGABYTE;

    for (size_t left = before; left > 0;) {
        size_t here = MIN_OF(left, PAGE - 24);

        offset -= here == PAGE - 24 ? PAGE : here;
        left -= here;
    }
    begin(3);
    bench_fill_to(&bench, offset);
    return bench_filler(&bench, size);
}

static void
every_split_of_a_record_is_joined(void **state UNUSED)
{
    static const size_t sizes[] = {26, 48, 77, 300, 8168, 9000, 20000};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        size_t step = sizes[i] > 1000 ? 504 : 8;

        for (size_t before = 8; before < sizes[i]; before += step) {
            /* With another record behind it, or with the end of WAL. */
            uint64_t lsn = crossing(sizes[i], before);
            size_t offset = (size_t)(lsn - bench.address);

            if (before % 16 == 0)
                (void)bench_filler(&bench, 64);
            summarize();
            assert_int_equal(summaries[0].tail.size, before);
            assert_int_equal(join_two(), 0);
            assert_int_equal(record.lsn, lsn);
            assert_int_equal(record.size, sizes[i]);
            assert_int_equal(record.prev_lsn, summaries[0].last_lsn);
            assert_int_equal(record.timeline, 1);
            assert_int_equal(record.version, 15);
            assert_int_equal(record.rmgr, 21);
            if (before % 16 == 0)
                assert_int_equal(record.end_lsn, summaries[1].first_lsn);
            uint32_t head = sizes[i] < 282 ? 26 : 29;
            assert_int_equal(record.main_size, sizes[i] - head);
            assert_true(record.main_available > 0 || record.main_size == 0);
            if (before >= 32)
                assert_memory_equal(record.main_data, bench.bytes + offset + head,
                                    MIN_OF(before - head, PAGE - offset % PAGE - head));
            /* A byte on either side. */
            summaries[1].head.bytes[summaries[1].head.kept - 1] ^= 1;
            assert_int_equal(join_two(), WAL_SEAM_BROKEN);
            summaries[1].head.bytes[summaries[1].head.kept - 1] ^= 1;
            summaries[0].tail.bytes[before > 24 ? 24 : 5] ^= 1;
            assert_int_equal(join_two(), WAL_SEAM_BROKEN);
            bench_done(&bench);
        }
    }
}

static void
what_is_not_kept_is_in_the_checksum(void **state UNUSED)
{
    static const size_t befores[] = {8, 16, 24, 5000, 16384, 20000, 100000, 280000};

    for (size_t i = 0; i < ARRAY_SIZE(befores); i++) {
        uint64_t lsn = crossing(300001, befores[i] / 8 * 8);

        (void)bench_filler(&bench, 100);
        summarize();
        assert_int_equal(join_two(), 0);
        assert_int_equal(record.lsn, lsn);
        assert_int_equal(record.main_size, 300001 - 29);
        size_t kept = MIN_OF(befores[i], WAL_EDGE_KEPT);
        if (befores[i] <= WAL_EDGE_KEPT)
            kept += WAL_EDGE_KEPT;
        assert_int_equal(record.main_available, kept - 29);
        assert_int_equal(record.end_lsn, summaries[1].first_lsn);
        summaries[1].head.crc ^= 1;
        assert_int_equal(join_two(), WAL_SEAM_BROKEN);
        bench_done(&bench);
    }
}

static void
a_border_that_nothing_crosses_is_checked(void **state UNUSED)
{
    begin(2);
    bench_fill_to(&bench, MEGABYTE);
    (void)bench_filler(&bench, 100);
    summarize();
    assert_int_equal(join_two(), WAL_SEAM_NONE);
    summaries[1].first_prev_lsn ^= 8;
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    summaries[1].first_prev_lsn ^= 8;
    summaries[1].head_wanted = summaries[1].head.size = 100;
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    summaries[1].head_wanted = summaries[1].head.size = 0;
    summaries[1].overwritten = true;
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    bench_done(&bench);
    begin(2);
    bench_fill_to(&bench, 5000);
    (void)bench_switch(&bench);
    (void)bench_filler(&bench, 100);
    summarize();
    assert_int_equal(join_two(), WAL_SEAM_NONE);
    summaries[1].first_prev_lsn = summaries[0].first_lsn;
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    bench_done(&bench);
}

static void
segments_must_be_neighbours(void **state UNUSED)
{
    for (unsigned what = 0; what < 10; what++) {
        (void)crossing(500, 200);
        (void)bench_filler(&bench, 100);
        summarize();
        assert_int_equal(join_two(), 0);
        struct wal_summary *right = &summaries[1];
        if (what == 0)
            right->system_id++;
        else if (what == 1)
            right->start_lsn += MEGABYTE;
        else if (what == 2)
            right->version = 16;
        else if (what == 3)
            right->page_size = 4096;
        else if (what == 4)
            right->end_lsn += MEGABYTE;
        else if (what == 5)
            summaries[0].timeline_last = 2;
        else if (what == 6)
            right->version = 0;
        else if (what == 7)
            summaries[0].damage.kind = WAL_DAMAGE_CRC;
        else if (what == 8)
            summaries[0].zero_end = true;
        else
            right->head_wanted += 8;
        assert_int_equal(join_two(), WAL_SEAM_BROKEN);
        bench_done(&bench);
    }
}

static void
links_over_the_border_are_checked(void **state UNUSED)
{
    (void)crossing(500, 200);
    (void)bench_filler(&bench, 100);
    summarize();
    summaries[1].first_prev_lsn ^= 8;
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    summaries[1].first_prev_lsn ^= 8;
    summaries[0].last_lsn ^= 8;
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    summaries[0].last_lsn ^= 8;
    assert_int_equal(join_two(), 0);
    bench_done(&bench);
}

static void
damage_counts_where_it_is(void **state UNUSED)
{
    (void)crossing(30000, 200);
    (void)bench_filler(&bench, 100);
    (void)bench_filler(&bench, 100);
    /* Behind the record that crosses. */
    bench.bytes[bench.at - 20] ^= 1;
    summarize();
    assert_int_equal(summaries[1].damage.kind, WAL_DAMAGE_CRC);
    assert_int_equal(join_two(), 0);
    /* What follows cannot be joined to a damaged one. */
    assert_int_equal(next(2), WAL_SEAM_BROKEN);
    /* Within it: a page header. */
    bench.bytes[MEGABYTE + PAGE + 8] ^= 1;
    summarize();
    assert_int_equal(summaries[1].damage.kind, WAL_DAMAGE_PAGE);
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    /* Its bytes: found here alone. */
    bench.bytes[MEGABYTE + PAGE + 8] ^= 1;
    bench.bytes[MEGABYTE + PAGE + 100] ^= 1;
    summarize();
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    /* The first page. */
    bench.bytes[MEGABYTE + PAGE + 100] ^= 1;
    bench.bytes[MEGABYTE + 2] ^= 0x20;
    summarize();
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    bench_done(&bench);
    begin(2);
    bench_fill_to(&bench, MEGABYTE);
    (void)bench_filler(&bench, 100);
    bench.bytes[MEGABYTE + 2] ^= 0x20;
    summarize();
    assert_int_equal(join_two(), WAL_SEAM_BROKEN);
    bench_done(&bench);
}

static void
a_record_of_several_segments_is_joined(void **state UNUSED)
{
    for (size_t before = 8; before < 100000; before = before * 9 / 8 * 8 + 8) {
        size_t offset = MEGABYTE - (before < PAGE - 24 ? before : 3 * PAGE);

        begin(5);
        bench_fill_to(&bench, offset);
        uint64_t last = bench.last;
        uint64_t lsn = bench_filler(&bench, (size_t)(2.5 * MEGABYTE));
        uint64_t behind = bench_filler(&bench, 64);
        bench_fill_to(&bench, 4 * MEGABYTE);
        (void)bench_filler(&bench, 64);
        summarize();
        assert_int_equal(join_two(), WAL_SEAM_OPEN);
        assert_int_equal(next(2), WAL_SEAM_OPEN);
        assert_int_equal(next(3), 0);
        assert_int_equal(record.lsn, lsn);
        assert_int_equal(record.prev_lsn, last);
        assert_int_equal(record.end_lsn, behind);
        assert_int_equal(record.main_size, 2.5 * MEGABYTE - 29);
        assert_int_equal(next(4), WAL_SEAM_NONE);
        /* Every piece is needed, and every byte of each. */
        wal_seam_begin(&seam, &summaries[0]);
        assert_int_equal(next(2), WAL_SEAM_BROKEN);
        bench.bytes[2 * MEGABYTE + 500000] ^= 1;
        summarize();
        assert_int_equal(join_two(), WAL_SEAM_OPEN);
        assert_int_equal(next(2), WAL_SEAM_OPEN);
        assert_int_equal(next(3), WAL_SEAM_BROKEN);
        /* The chain goes on with what could not be joined. */
        assert_int_equal(next(4), WAL_SEAM_NONE);
        bench_done(&bench);
    }
}

static void
a_chain_may_begin_within_a_record(void **state UNUSED)
{
    begin(5);
    bench_fill_to(&bench, MEGABYTE - 80);
    (void)bench_filler(&bench, (size_t)(2.5 * MEGABYTE));
    (void)bench_filler(&bench, 64);
    bench_fill_to(&bench, 4 * MEGABYTE - 40);
    uint64_t lsn = bench_filler(&bench, 64);
    (void)bench_filler(&bench, 64);
    summarize();
    wal_seam_begin(&seam, &summaries[1]);
    assert_int_equal(next(2), WAL_SEAM_OPEN);
    assert_int_equal(next(3), WAL_SEAM_NONE);
    assert_int_equal(next(4), 0);
    assert_int_equal(record.lsn, lsn);
    bench_done(&bench);
}

/* The record before the one that crosses is itself one that crossed: only the chain knows it. */
static void
the_chain_remembers_the_last_record(void **state UNUSED)
{
    begin(3);
    bench_fill_to(&bench, MEGABYTE - 80);
    uint64_t first = bench_filler(&bench, MEGABYTE - 128 * 24 - 16 + 80 - 2000);
    uint64_t second = bench_filler(&bench, 5000);
    (void)bench_filler(&bench, 64);
    summarize();
    assert_int_equal(summaries[1].n_records, 0);
    assert_int_equal(summaries[1].first_lsn, second);
    assert_int_equal(summaries[1].first_prev_lsn, first);
    assert_int_equal(join_two(), 0);
    assert_int_equal(next(2), 0);
    assert_int_equal(record.lsn, second);
    assert_int_equal(record.prev_lsn, first);
    assert_int_equal(join_two(), 0);
    seam.last_lsn ^= 8;
    assert_int_equal(next(2), WAL_SEAM_BROKEN);
    bench_done(&bench);
}

static void
an_abandoned_record_is_no_break(void **state UNUSED)
{
    for (size_t page = 0; page < 3; page++) {
        begin(2);
        bench_fill_to(&bench, MEGABYTE - 4000);
        (void)bench_abandoned(&bench, 9 * PAGE, MEGABYTE + page * PAGE);
        (void)bench_filler(&bench, 64);
        summarize();
        assert_int_equal(join_two(), WAL_SEAM_NONE);
        summaries[1].overwritten_lsn ^= 8;
        assert_int_equal(join_two(), WAL_SEAM_BROKEN);
        summaries[1].overwritten_lsn ^= 8;
        summaries[1].first_prev_lsn ^= 8;
        assert_int_equal(join_two(), WAL_SEAM_BROKEN);
        bench_done(&bench);
    }
}

static void
a_switch_may_cross(void **state UNUSED)
{
    for (size_t before = 8; before < 24; before += 8) {
        begin(3);
        bench_fill_to(&bench, MEGABYTE - before);
        uint64_t lsn = bench_switch(&bench);
        assert_int_equal(bench.at, 2 * MEGABYTE);
        (void)bench_filler(&bench, 64);
        summarize();
        assert_true(summaries[1].zero_end);
        assert_int_equal(join_two(), 0);
        assert_true(wal_record_is_switch(&record));
        assert_int_equal(record.lsn, lsn);
        assert_int_equal(record.end_lsn, bench.address + 2 * MEGABYTE);
        assert_int_equal(next(2), WAL_SEAM_NONE);
        /* A chain that has not seen its beginning goes on behind it all the same. */
        wal_seam_begin(&seam, &summaries[1]);
        assert_int_equal(next(2), WAL_SEAM_NONE);
        /* WAL that goes on behind it contradicts it. */
        summaries[1].zero_end = false;
        assert_int_equal(join_two(), WAL_SEAM_BROKEN);
        bench_done(&bench);
    }
}

/* A page image fills what is kept of the left side, and yet the main data behind it is shown. */
static void
main_data_behind_a_gap_is_shown(void **state UNUSED)
{
    static uint8_t body[3 * 9 + 16 + 2 * 4 + 2 + 3 * 8192 + 4];
    size_t at = 0;

    for (unsigned id = 0; id < 3; id++) {
        const uint8_t described[] = {(uint8_t)id, id == 0 ? 0x10 : 0x90, 0, 0, 0, 0x20, 0, 0, 2};
        const uint32_t place[] = {1663, 5, 16384, 7 + id};

        memcpy(body + at, described, sizeof(described));
        at += sizeof(described);
        memcpy(body + at, id == 0 ? place : place + 3, id == 0 ? 16 : 4);
        at += id == 0 ? 16 : 4;
    }
    body[at++] = 255;
    body[at++] = 4;
    at += (size_t)3 * 8192;
    memcpy(body + at, "main", 4);
    at += 4;
    begin(2);
    bench_fill_to(&bench, MEGABYTE - 3 * PAGE + 128);
    (void)bench_record(&bench, 10, 0, 700, body, at);
    summarize();
    assert_int_equal(summaries[0].tail.kept, WAL_EDGE_KEPT);
    assert_true(summaries[0].tail.size > WAL_EDGE_KEPT);
    assert_int_equal(join_two(), 0);
    assert_int_equal(record.n_blocks, 3);
    assert_int_equal(record.blocks[2].block, 9);
    assert_int_equal(record.main_available, 4);
    assert_memory_equal(record.main_data, "main", 4);
    bench_done(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_of_a_record_is_joined),
        cmocka_unit_test(what_is_not_kept_is_in_the_checksum),
        cmocka_unit_test(a_border_that_nothing_crosses_is_checked),
        cmocka_unit_test(segments_must_be_neighbours),
        cmocka_unit_test(links_over_the_border_are_checked),
        cmocka_unit_test(damage_counts_where_it_is),
        cmocka_unit_test(a_record_of_several_segments_is_joined),
        cmocka_unit_test(a_chain_may_begin_within_a_record),
        cmocka_unit_test(the_chain_remembers_the_last_record),
        cmocka_unit_test(an_abandoned_record_is_no_break),
        cmocka_unit_test(a_switch_may_cross),
        cmocka_unit_test(main_data_behind_a_gap_is_shown),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
