/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "cmocka_all.h"
#include "wal/crc32c.h"
#include "wal/wal_page.h"
#include "wal/wal_tail.h"

#define PAGE 8192
#define PAGES 4
#define SEGMENT (PAGE * PAGES)
#define ADDRESS UINT64_C(0x7000000)
#define MAGIC 0xD110

/* A small segment that is written like WAL; only pages that are reached have headers. */
struct wal {
    uint8_t bytes[SEGMENT];
    size_t at;
};

static void
put(struct wal *wal, const void *bytes, size_t size)
{
    memcpy(wal->bytes + wal->at, bytes, size);
    wal->at += size;
}

static void
put_page(struct wal *wal, uint16_t flags, uint32_t remaining)
{
    const uint16_t magic = MAGIC;
    const uint16_t info =
        (uint16_t)(flags | (wal->at == 0 ? WAL_PAGE_LONG_HEADER : 0));
    const uint32_t timeline = 1;
    const uint64_t address = ADDRESS + wal->at;
    const uint32_t padding = 0;
    const uint64_t system_id = 1;
    const uint32_t sizes[2] = {SEGMENT, PAGE};
    bool first = wal->at == 0;

    put(wal, &magic, 2);
    put(wal, &info, 2);
    put(wal, &timeline, 4);
    put(wal, &address, 8);
    put(wal, &remaining, 4);
    put(wal, &padding, 4);
    if (first) {
        put(wal, &system_id, 8);
        put(wal, sizes, 8);
    }
}

/* Bytes, in pages with headers as they are needed. False: the segment is full. */
static bool
put_stream(struct wal *wal, const uint8_t *bytes, size_t size, bool continues)
{
    while (size > 0) {
        if (wal->at == SEGMENT)
            return false;
        if (wal->at % PAGE == 0)
            put_page(wal, continues ? WAL_PAGE_FIRST_IS_CONTRECORD : 0,
                     continues ? (uint32_t)size : 0);
        size_t piece = MIN_OF(size, PAGE - wal->at % PAGE);
        put(wal, bytes, piece);
        bytes += piece;
        size -= piece;
        continues = true;
    }
    wal->at = (wal->at + 7) / 8 * 8;
    return true;
}

/* A record of `size` bytes; returns where it begins. */
static uint64_t
put_record(struct wal *wal, uint32_t size)
{
    static uint8_t record[SEGMENT * 2];

    if (wal->at % PAGE == 0 && wal->at < SEGMENT)
        put_page(wal, 0, 0);
    uint64_t start = ADDRESS + wal->at;
    memset(record, 'r', size);
    memcpy(record, &size, 4);
    uint32_t crc = crc32c(0, record + 24, size - 24);
    crc = crc32c(crc, record, 20);
    memcpy(record + 20, &crc, 4);
    (void)put_stream(wal, record, size, false);
    return start;
}

static uint64_t
last_of(const struct wal *wal)
{
    uint64_t lsn = 0;

    return wal_tail_last_record(wal->bytes, SEGMENT, &lsn) == 0 ? lsn : 0;
}

static void
the_last_of_several_records_is_found(void **state UNUSED)
{
    struct wal wal = {.at = 0};

    assert_int_equal(last_of(&wal), 0);
    for (uint32_t size = 24; size < 400; size += 13) {
        uint64_t start = put_record(&wal, size);

        assert_int_equal(last_of(&wal), start);
    }
}

static void
records_go_over_pages(void **state UNUSED)
{
    /* How much is left on the first page: the header whole, cut, or not begun. */
    for (uint32_t fill = 8000; fill < 8160; fill += 8) {
        struct wal wal = {.at = 0};

        (void)put_record(&wal, fill);
        uint64_t second = put_record(&wal, 100);
        assert_int_equal(last_of(&wal), second);
        uint64_t third = put_record(&wal, 2 * PAGE);
        assert_int_equal(last_of(&wal), third);
        uint64_t fourth = put_record(&wal, 24);
        assert_int_equal(last_of(&wal), fourth);
    }
}

static void
a_record_that_ends_in_the_next_segment_does_not_count(void **state UNUSED)
{
    struct wal wal = {.at = 0};

    uint64_t first = put_record(&wal, 1000);
    (void)put_record(&wal, SEGMENT);
    assert_int_equal(last_of(&wal), first);
}

static void
one_that_ends_with_the_segment_counts(void **state UNUSED)
{
    struct wal wal = {.at = 0};

    (void)put_record(&wal, 1000);
    size_t left = SEGMENT - wal.at - (PAGES - 1) * 24;
    uint64_t second = put_record(&wal, (uint32_t)left);
    assert_int_equal(wal.at, SEGMENT);
    assert_int_equal(last_of(&wal), second);
}

static void
what_began_before_is_passed_over(void **state UNUSED)
{
    static const uint8_t rest[3 * PAGE];
    static const size_t sizes[] = {1, 8, 100, PAGE - 40, PAGE - 39, 2 * PAGE, 3 * PAGE};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct wal wal = {.at = 0};

        assert_true(put_stream(&wal, rest, sizes[i], true));
        assert_int_equal(last_of(&wal), 0);
        uint64_t start = put_record(&wal, 64);
        assert_int_equal(last_of(&wal), start);
    }
}

static void
a_segment_within_one_long_record_has_none(void **state UNUSED)
{
    static const uint8_t rest[2 * SEGMENT];
    struct wal wal = {.at = 0};

    assert_false(put_stream(&wal, rest, sizeof(rest), true));
    assert_int_equal(last_of(&wal), 0);
}

static void
a_record_that_was_given_up_does_not_count(void **state UNUSED)
{
    struct wal wal = {.at = 0};

    uint64_t first = put_record(&wal, 100);
    (void)put_record(&wal, PAGE + 1000);
    assert_int_not_equal(last_of(&wal), first);
    /* After a crash the second page was written anew. */
    memset(wal.bytes + PAGE, 0, SEGMENT - PAGE);
    assert_int_equal(last_of(&wal), first);
    wal.at = PAGE;
    put_page(&wal, WAL_PAGE_OVERWRITE_CONTRECORD, 0);
    uint64_t third = put_record(&wal, 48);
    assert_int_equal(last_of(&wal), third);
}

static void
the_walk_ends_at_what_is_no_record(void **state UNUSED)
{
    for (size_t what = 0; what < 6; what++) {
        struct wal wal = {.at = 0};
        uint64_t first = put_record(&wal, 100);
        size_t second = wal.at;

        (void)put_record(&wal, 2 * PAGE);
        (void)put_record(&wal, 100);
        if (what == 0)
            wal.bytes[second + 23] ^= 1; /* its CRC */
        else if (what == 1)
            wal.bytes[second + 30] ^= 1; /* its data */
        else if (what == 2)
            wal.bytes[PAGE] ^= 1; /* magic of the page it goes on in */
        else if (what == 3)
            wal.bytes[PAGE + 8] ^= 1; /* address */
        else if (what == 4)
            wal.bytes[PAGE + 16] ^= 1; /* how much remains */
        else
            memset(wal.bytes + second, 7, 3); /* length: more than any segment has */
        assert_int_equal(last_of(&wal), first);
    }
}

static void
what_is_no_segment_has_no_record(void **state UNUSED)
{
    struct wal wal = {.at = 0};
    uint64_t lsn = 77;

    (void)put_record(&wal, 100);
    assert_int_equal(wal_tail_last_record(wal.bytes, 0, &lsn), WAL_TAIL_NONE);
    assert_int_equal(wal_tail_last_record(wal.bytes, 39, &lsn), WAL_TAIL_NONE);
    assert_int_equal(wal_tail_last_record(wal.bytes, PAGE + 1, &lsn), WAL_TAIL_NONE);
    wal.bytes[37] = 0; /* page size 0 */
    assert_int_equal(wal_tail_last_record(wal.bytes, SEGMENT, &lsn), WAL_TAIL_NONE);
    wal.bytes[36] = 3;
    assert_int_equal(wal_tail_last_record(wal.bytes, SEGMENT, &lsn), WAL_TAIL_NONE);
    assert_int_equal(lsn, 77);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_several_records_is_found),
        cmocka_unit_test(records_go_over_pages),
        cmocka_unit_test(a_record_that_ends_in_the_next_segment_does_not_count),
        cmocka_unit_test(one_that_ends_with_the_segment_counts),
        cmocka_unit_test(what_began_before_is_passed_over),
        cmocka_unit_test(a_segment_within_one_long_record_has_none),
        cmocka_unit_test(a_record_that_was_given_up_does_not_count),
        cmocka_unit_test(the_walk_ends_at_what_is_no_record),
        cmocka_unit_test(what_is_no_segment_has_no_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
