/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SYSTEM_ID UINT64_C(7711031501711396673)
#define OTHER_ID UINT64_C(7413305566020948123)
#define SEGMENT_SIZE (UINT32_C(1) << 24)

/* The first page's header of the first segment initdb of PostgreSQL 15 wrote (little-endian). */
static const uint8_t header_15[WAL_LONG_HEADER_SIZE] = {
    0x10, 0xd1, 0x02, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x41, 0xcf, 0x5a, 0xc7,
    0x4b, 0x16, 0x03, 0x6b, 0x00, 0x00, 0x00, 0x01, 0x00, 0x20, 0x00, 0x00,
};

static const struct {
    uint16_t magic;
    int version;
} magics[] = {
    {0xD106, 13}, {0xD10D, 14}, {0xD110, 15}, {0xD113, 16}, {0xD116, 17}, {0xD118, 18},
};

static struct wal_name
name_of(const char *text)
{
    struct wal_name name;

    assert_true(wal_name_parse(text, strlen(text), &name));
    return name;
}

/* Fits the name 000000050000000100000007. */
static struct wal_page_header
good_header(void)
{
    return (struct wal_page_header){
        .magic = 0xD113,
        .info = WAL_PAGE_LONG_HEADER,
        .timeline = 5,
        .address = UINT64_C(0x107000000),
        .system_id = SYSTEM_ID,
        .segment_size = SEGMENT_SIZE,
        .page_size = WAL_PAGE_SIZE_DEFAULT,
    };
}

static void
put_header(const struct wal_page_header *header, uint8_t *bytes)
{
    memset(bytes, 0, WAL_LONG_HEADER_SIZE);
    memcpy(bytes, &header->magic, 2);
    memcpy(bytes + 2, &header->info, 2);
    memcpy(bytes + 4, &header->timeline, 4);
    memcpy(bytes + 8, &header->address, 8);
    memcpy(bytes + 16, &header->remaining, 4);
    memcpy(bytes + 24, &header->system_id, 8);
    memcpy(bytes + 32, &header->segment_size, 4);
    memcpy(bytes + 36, &header->page_size, 4);
}

static void
assert_equal_headers(const struct wal_page_header *a, const struct wal_page_header *b)
{
    assert_int_equal(a->magic, b->magic);
    assert_int_equal(a->info, b->info);
    assert_int_equal(a->timeline, b->timeline);
    assert_true(a->address == b->address);
    assert_int_equal(a->remaining, b->remaining);
    assert_true(a->system_id == b->system_id);
    assert_int_equal(a->segment_size, b->segment_size);
    assert_int_equal(a->page_size, b->page_size);
}

static void
assert_accepted(const struct wal_page_header *header, const struct wal_name *name)
{
    struct err err = ERR_INIT;

    if (wal_page_check_segment(header, name, SYSTEM_ID, header->segment_size, &err) != 0)
        fail_msg("refused: %s", err.text);
}

/* Refused with this kind, both texts in the message. */
static void
assert_refused(const struct wal_page_header *header, uint64_t file_size, enum err_kind kind,
               const char *found, const char *wanted)
{
    struct wal_name name = name_of("000000050000000100000007");
    struct err err = ERR_INIT;

    assert_int_equal(wal_page_check_segment(header, &name, SYSTEM_ID, file_size, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.text, name.text));
    if (strstr(err.text, found) == NULL || strstr(err.text, wanted) == NULL)
        fail_msg("no %s and %s in: %s", found, wanted, err.text);
}

static void
a_real_first_page_is_read(void **state)
{
    struct wal_name name = name_of("000000010000000000000001");
    struct wal_page_header header;

    (void)state;
    assert_true(wal_page_read_header(header_15, sizeof(header_15), &header));
    assert_int_equal(header.magic, 0xD110);
    assert_int_equal(header.info, WAL_PAGE_LONG_HEADER);
    assert_int_equal(header.timeline, 1);
    assert_true(header.address == 0x1000000);
    assert_int_equal(header.remaining, 0);
    assert_true(header.system_id == SYSTEM_ID);
    assert_int_equal(header.segment_size, SEGMENT_SIZE);
    assert_int_equal(header.page_size, 8192);
    assert_accepted(&header, &name);
    name = name_of("000000010000000000000001.partial");
    assert_accepted(&header, &name);
}

static void
every_field_is_read_from_its_place(void **state)
{
    const struct wal_page_header wanted = {
        .magic = 0x0102,
        .info = 0x0304,
        .timeline = 0x05060708,
        .address = UINT64_C(0x090a0b0c0d0e0f10),
        .remaining = 0x11121314,
        .system_id = UINT64_C(0x15161718191a1b1c),
        .segment_size = 0x1d1e1f20,
        .page_size = 0x21222324,
    };
    uint8_t bytes[WAL_LONG_HEADER_SIZE + 1];
    struct wal_page_header header;

    (void)state;
    put_header(&wanted, bytes + 1); /* not aligned */
    assert_true(wal_page_read_header(bytes + 1, WAL_LONG_HEADER_SIZE, &header));
    assert_equal_headers(&header, &wanted);
}

static void
a_short_header_is_not_read(void **state)
{
    struct wal_page_header header = {.magic = 77};

    (void)state;
    for (size_t size = 0; size < WAL_LONG_HEADER_SIZE; size++) {
        assert_false(wal_page_read_header(header_15, size, &header));
        assert_int_equal(header.magic, 77);
    }
}

static void
exactly_the_six_magics_are_known(void **state)
{
    struct wal_name name = name_of("000000050000000100000007");
    unsigned known = 0;

    (void)state;
    for (uint32_t magic = 0; magic <= UINT16_MAX; magic++)
        known += wal_page_version((uint16_t)magic) != 0 ? 1 : 0;
    assert_int_equal(known, 6);
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        struct wal_page_header header = good_header();

        assert_int_equal(wal_page_version(magics[i].magic), magics[i].version);
        header.magic = magics[i].magic;
        assert_accepted(&header, &name);
    }
}

static void
a_foreign_magic_says_what_it_is(void **state)
{
    static const struct {
        uint16_t magic;
        const char *found;
        const char *wanted;
    } foreign[] = {
        {0xD097, "PostgreSQL 10,", "D097"},
        {0xD098, "PostgreSQL 11,", "D098"},
        {0xD101, "PostgreSQL 12,", "D101"},
        {0xD120, "PostgreSQL 19 beta,", "D120"},
        {0xD121, "D121", "D106 (PostgreSQL 13) to D118 (PostgreSQL 18)"},
        {0xD107, "D107", "D106"},
        {0x0000, "0000", "D106"},
        {0xFFFF, "FFFF", "D106"},
        {0x10D1, "byte order", "D110"},
        {0x18D1, "byte order", "D118"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        struct wal_page_header header = good_header();

        header.magic = foreign[i].magic;
        assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, foreign[i].found, foreign[i].wanted);
    }
}

static void
flags_are_judged(void **state)
{
    struct wal_name name = name_of("000000050000000100000007");

    (void)state;
    for (uint32_t info = 0; info <= UINT16_MAX; info++) {
        struct wal_page_header header = good_header();
        struct err err = ERR_INIT;
        int wanted = (info & WAL_PAGE_LONG_HEADER) != 0 && info < 16 ? 0 : -1;

        header.info = (uint16_t)info;
        assert_int_equal(wal_page_check_segment(&header, &name, SYSTEM_ID, SEGMENT_SIZE, &err),
                         wanted);
        assert_int_equal(err.kind, wanted == 0 ? ERR_NONE : ERR_CORRUPT);
    }
    struct wal_page_header header = good_header();
    header.info = 0x0001;
    assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, "0001", "0002");
    header.info = 0x0012;
    assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, "0012", "000F");
}

static void
another_server_is_told_with_both_identifiers(void **state)
{
    struct wal_page_header header = good_header();
    struct wal_name name = name_of("000000050000000100000007");
    struct err err = ERR_INIT;

    (void)state;
    header.system_id = OTHER_ID;
    assert_int_equal(wal_page_check_segment(&header, &name, SYSTEM_ID, SEGMENT_SIZE, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_string_equal(err.text,
                        "WAL file \"000000050000000100000007\" is of another server: its system "
                        "identifier is 7413305566020948123, this server's is 7711031501711396673");
    assert_true(err.hint[0] != '\0');
}

static void
sizes_are_judged(void **state)
{
    static const uint32_t bad_pages[] = {0, 1, 512, 1023, 8191, 12288, 65537, 131072, UINT32_MAX};
    static const uint32_t bad_segments[] = {
        0, 1, 1 << 19, (1 << 20) - 1, SEGMENT_SIZE + 1, 3 << 23, UINT32_C(1) << 31, UINT32_MAX,
    };
    struct wal_name name = name_of("000000050000000100000007");
    struct wal_page_header header;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_pages); i++) {
        header = good_header();
        header.page_size = bad_pages[i];
        assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, "page size", "1024 to 65536");
    }
    for (uint32_t size = 1024; size <= 65536; size *= 2) {
        header = good_header();
        header.page_size = size;
        assert_accepted(&header, &name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad_segments); i++) {
        header = good_header();
        header.segment_size = bad_segments[i];
        assert_refused(&header, bad_segments[i], ERR_CORRUPT, "segment size", "1048576");
    }
    header = good_header();
    assert_refused(&header, 0, ERR_LOCAL, "has 0 bytes", "16777216");
    assert_refused(&header, SEGMENT_SIZE - 1, ERR_LOCAL, "16777215", "16777216");
    assert_refused(&header, SEGMENT_SIZE + 1, ERR_LOCAL, "16777217", "16777216");
    assert_refused(&header, SEGMENT_SIZE * 2, ERR_LOCAL, "33554432", "16777216");
    assert_refused(&header, (UINT64_C(1) << 32) + SEGMENT_SIZE, ERR_LOCAL, "4311744512",
                   "16777216");
}

/* The segment before and behind the turn of a log, of every legal size. */
static void
every_legal_segment_size_works(void **state)
{
    (void)state;
    for (uint32_t size = WAL_SEGMENT_SIZE_MIN; size <= WAL_SEGMENT_SIZE_MAX; size *= 2) {
        struct wal_page_header header = good_header();
        struct err err = ERR_INIT;
        struct wal_name name;

        header.segment_size = size;
        header.address = (UINT64_C(1) << 32) - size;
        wal_name_of_lsn(5, header.address, size, &name);
        assert_accepted(&header, &name);
        header.address = UINT64_C(1) << 32;
        wal_name_of_lsn(5, header.address, size, &name);
        assert_accepted(&header, &name);
        /* A name beyond the last segment of a log, although the position would match. */
        name.log = 0;
        name.seg = (uint32_t)((UINT64_C(1) << 32) / size);
        assert_int_equal(wal_page_check_segment(&header, &name, SYSTEM_ID, size, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_non_null(strstr(err.text, "last eight digits"));
    }
}

static void
an_address_of_another_segment_is_refused(void **state)
{
    struct wal_page_header header = good_header();
    struct wal_name name = name_of("000000050000000100000007");
    struct err err = ERR_INIT;

    (void)state;
    header.address = UINT64_C(0x105000000);
    assert_int_equal(wal_page_check_segment(&header, &name, SYSTEM_ID, SEGMENT_SIZE, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_string_equal(err.text, "page address 1/5000000 does not belong to segment "
                                  "\"000000050000000100000007\" (1/7000000)");
    assert_true(err.hint[0] != '\0');
    header.address = UINT64_C(0x107000000) + 8192;
    assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, "1/7002000", "(1/7000000)");
    header.address = 0;
    assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, "0/0", "(1/7000000)");
}

static void
a_page_may_be_of_an_older_timeline_but_not_of_a_younger(void **state)
{
    static const uint32_t bad[] = {0, 6, 7, 0x80000005, UINT32_MAX};
    struct wal_name name = name_of("000000050000000100000007");
    struct wal_page_header header = good_header();

    (void)state;
    for (header.timeline = 1; header.timeline <= 5; header.timeline++)
        assert_accepted(&header, &name);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        header.timeline = bad[i];
        assert_refused(&header, SEGMENT_SIZE, ERR_CORRUPT, "timeline", "1 to 5");
    }
    name = name_of("FFFFFFFF0000000100000007");
    header.timeline = UINT32_MAX;
    assert_accepted(&header, &name);
}

/*
 * Which bits no check sees, for a page of timeline 5 and magic D113 (one bit away from no other
 * magic): three flags that say how the page begins, the timeline's bits that make it an older
 * one (5 to 4 or 1), the count of remaining bytes, and the four bytes of alignment, which mean
 * nothing. Each of the others is an error.
 */
static bool
flip_is_unseen(size_t bit)
{
    size_t byte = bit / 8;

    if (byte == 2)
        return bit % 8 == 0 || bit % 8 == 2 || bit % 8 == 3;
    if (byte == 4)
        return bit % 8 == 0 || bit % 8 == 2;
    return byte >= 16 && byte < 24;
}

static void
every_flipped_bit_is_an_error_but_for_those_that_may_be_either(void **state)
{
    struct wal_name name = name_of("000000050000000100000007");
    struct wal_page_header good = good_header();
    uint8_t bytes[WAL_LONG_HEADER_SIZE];

    (void)state;
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        struct wal_page_header header;
        struct err err = ERR_INIT;

        put_header(&good, bytes);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(wal_page_read_header(bytes, sizeof(bytes), &header));
        int result = wal_page_check_segment(&header, &name, SYSTEM_ID, SEGMENT_SIZE, &err);
        if (result != (flip_is_unseen(bit) ? 0 : -1))
            fail_msg("bit %zu of byte %zu: %d", bit % 8, bit / 8, result);
        if (bit / 8 >= 20 && bit / 8 < 24)
            assert_equal_headers(&header, &good);
    }
}

/* D110 and D118 (15, 18), D106 and D116 (13, 17) are one bit apart. */
static void
a_flipped_bit_of_the_magic_is_an_error_or_another_version(void **state)
{
    struct wal_name name = name_of("000000050000000100000007");
    unsigned unseen = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        for (int bit = 0; bit < 16; bit++) {
            struct wal_page_header header = good_header();
            struct err err = ERR_INIT;

            header.magic = (uint16_t)(magics[i].magic ^ 1 << bit);
            int result = wal_page_check_segment(&header, &name, SYSTEM_ID, SEGMENT_SIZE, &err);
            assert_int_equal(result, wal_page_version(header.magic) != 0 ? 0 : -1);
            assert_int_not_equal(wal_page_version(header.magic), magics[i].version);
            unseen += result == 0 ? 1 : 0;
        }
    }
    assert_int_equal(unseen, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_first_page_is_read),
        cmocka_unit_test(every_field_is_read_from_its_place),
        cmocka_unit_test(a_short_header_is_not_read),
        cmocka_unit_test(exactly_the_six_magics_are_known),
        cmocka_unit_test(a_foreign_magic_says_what_it_is),
        cmocka_unit_test(flags_are_judged),
        cmocka_unit_test(another_server_is_told_with_both_identifiers),
        cmocka_unit_test(sizes_are_judged),
        cmocka_unit_test(every_legal_segment_size_works),
        cmocka_unit_test(an_address_of_another_segment_is_refused),
        cmocka_unit_test(a_page_may_be_of_an_older_timeline_but_not_of_a_younger),
        cmocka_unit_test(every_flipped_bit_is_an_error_but_for_those_that_may_be_either),
        cmocka_unit_test(a_flipped_bit_of_the_magic_is_an_error_or_another_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
