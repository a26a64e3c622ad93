/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_record.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#define HEADER 24

/* A record that is put together part by part; the length is written when it is parsed. */
struct made {
    uint8_t bytes[400000];
    size_t size;
};

static struct made made;
static struct wal_record record;

static void
begin(uint8_t rmgr, uint8_t info)
{
    memset(&made, 0, sizeof(made));
    made.size = HEADER;
    made.bytes[4] = 77;
    made.bytes[8] = 0x18;
    made.bytes[9] = 0x01;
    made.bytes[16] = info;
    made.bytes[17] = rmgr;
}

static void
u8(unsigned value)
{
    made.bytes[made.size++] = (uint8_t)value;
}

static void
u16(unsigned value)
{
    const uint16_t as_is = (uint16_t)value;

    memcpy(made.bytes + made.size, &as_is, 2);
    made.size += 2;
}

static void
u32(uint32_t value)
{
    memcpy(made.bytes + made.size, &value, 4);
    made.size += 4;
}

static void
payload(size_t size, uint8_t filler)
{
    memset(made.bytes + made.size, filler, size);
    made.size += size;
}

static void
relation(uint32_t number)
{
    u32(1663);
    u32(5);
    u32(number);
}

/* NULL, or why not. The bytes are a copy of their own, so that a sanitizer sees reads past them. */
static const char *
parse_some(int version, size_t available)
{
    const char *why = NULL;
    const uint32_t size = (uint32_t)made.size;
    static uint8_t *copy;

    memcpy(made.bytes, &size, sizeof(size));
    free(copy);
    copy = malloc(available == 0 ? 1 : available);
    assert_non_null(copy);
    memcpy(copy, made.bytes, available);
    int outcome = wal_record_parse(copy, available, version, &record, &why);
    assert_true(outcome == (why == NULL ? 0 : WAL_RECORD_BAD));
    return why;
}

static const char *
parse(int version)
{
    return parse_some(version, made.size);
}

static void
a_header_alone_is_a_record(void **state UNUSED)
{
    begin(0, 0x40);
    assert_null(parse(15));
    assert_int_equal(record.size, 24);
    assert_int_equal(record.xid, 77);
    assert_int_equal(record.prev_lsn, 0x118);
    assert_int_equal(record.n_blocks, 0);
    assert_int_equal(record.main_size, 0);
    assert_null(record.main_data);
    assert_true(wal_record_is_switch(&record));
    begin(1, 0x40);
    assert_null(parse(15));
    assert_false(wal_record_is_switch(&record));
}

static void
every_part_is_read(void **state UNUSED)
{
    begin(10, 0x20);
    u8(0), u8(0x20), u16(7), relation(16384), u32(12); /* data */
    u8(2), u8(0x80 | 0x40 | 1), u16(0), u32(13);       /* same relation, fsm, will be made anew */
    u8(32), u8(0x02), u16(0), relation(2619), u32(0xfffffffe);
    u8(253), u16(9);
    u8(252), u32(701);
    u8(255), u8(3);
    payload(7, 'd');
    payload(3, 'm');
    assert_null(parse(14));
    assert_int_equal(record.n_blocks, 3);
    assert_int_equal(record.blocks[0].id, 0);
    assert_int_equal(record.blocks[0].relation.tablespace, 1663);
    assert_int_equal(record.blocks[0].relation.database, 5);
    assert_int_equal(record.blocks[0].relation.number, 16384);
    assert_int_equal(record.blocks[0].block, 12);
    assert_int_equal(record.blocks[0].fork, 0);
    assert_int_equal(record.blocks[0].data_size, 7);
    assert_false(record.blocks[0].will_init || record.blocks[0].has_image);
    assert_int_equal(record.blocks[1].id, 2);
    assert_int_equal(record.blocks[1].relation.number, 16384);
    assert_int_equal(record.blocks[1].fork, 1);
    assert_true(record.blocks[1].will_init);
    assert_int_equal(record.blocks[1].block, 13);
    assert_int_equal(record.blocks[2].id, 32);
    assert_int_equal(record.blocks[2].fork, 2);
    assert_int_equal(record.blocks[2].block, 0xfffffffe);
    assert_int_equal(record.origin, 9);
    assert_int_equal(record.top_xid, 701);
    assert_int_equal(record.main_size, 3);
    assert_int_equal(record.main_available, 3);
    assert_memory_equal(record.main_data, "mmm", 3);
    /* What the next one does not say is not left over. */
    begin(10, 0);
    assert_null(parse(14));
    assert_int_equal(record.origin, 0);
    assert_int_equal(record.top_xid, 0);
    assert_int_equal(record.n_blocks, 0);
}

static void
page_images_of_every_kind_are_walked(void **state UNUSED)
{
    static const struct {
        int version;
        unsigned info;
        bool compressed;
        bool hole;
        bool applies;
    } kinds[] = {
        {13, 0x04, false, false, true}, {13, 0x05, false, true, true},
        {13, 0x07, true, true, true},   {13, 0x06, true, false, true},
        {14, 0x01, false, true, false}, {14, 0x02, true, false, false},
        {15, 0x02, false, false, true}, {15, 0x03, false, true, true},
        {15, 0x07, true, true, true},   {15, 0x0b, true, true, true},
        {15, 0x13, true, true, true},   {16, 0x12, true, false, true},
        {17, 0x0a, true, false, true},  {18, 0x06, true, false, true},
        {18, 0x01, false, true, false}, {18, 0x05, true, true, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        unsigned size = kinds[i].compressed ? 777 : kinds[i].hole ? 8000 : 8192;

        begin(0, 0xb0);
        u8(0), u8(0x10 | 0x20), u16(5), u16(size), u16(kinds[i].hole ? 40 : 0), u8(kinds[i].info);
        if (kinds[i].hole && kinds[i].compressed)
            u16(192);
        relation(1259), u32(4);
        u8(255), u8(1);
        payload(size, 'i');
        payload(5, 'd');
        payload(1, 'm');
        assert_null(parse(kinds[i].version));
        const struct wal_block *block = &record.blocks[0];
        assert_true(block->has_image);
        assert_true(block->image_applies == kinds[i].applies);
        assert_int_equal(block->image_info, kinds[i].info);
        assert_int_equal(block->image_size, size);
        assert_int_equal(block->hole_offset, kinds[i].hole ? 40 : 0);
        assert_int_equal(block->hole_size, kinds[i].hole && kinds[i].compressed ? 192 : 0);
        assert_int_equal(block->data_size, 5);
        assert_int_equal(record.main_data[0], 'm');
    }
}

static void
all_33_blocks_fit(void **state UNUSED)
{
    begin(0, 0xb0);
    for (unsigned id = 0; id < WAL_BLOCKS_MAX; id++) {
        u8(id), u8(0x10 | (id > 0 ? 0x80 : 0)), u16(0), u16(8192), u16(0), u8(2);
        if (id == 0)
            relation(5000);
        u32(id);
    }
    payload((size_t)8192 * WAL_BLOCKS_MAX, 'i');
    assert_null(parse(16));
    assert_int_equal(record.n_blocks, WAL_BLOCKS_MAX);
    assert_int_equal(record.blocks[32].relation.number, 5000);
    assert_int_equal(record.blocks[32].block, 32);
    assert_null(record.main_data);
    /* A 34th cannot be: nothing is written past the last. */
    begin(0, 0xb0);
    for (unsigned id = 0; id < WAL_BLOCKS_MAX; id++)
        u8(id), u8(0), u16(0), relation(1), u32(0);
    u8(32), u8(0), u16(0), relation(1), u32(0);
    assert_string_equal(parse(16), "block references are out of order");
}

static void
main_data_shows_what_there_is(void **state UNUSED)
{
    begin(21, 0);
    u8(254), u32(100000);
    payload(100000, 'm');
    size_t main_at = made.size - 100000;
    assert_null(parse(15));
    assert_int_equal(record.main_available, 100000);
    assert_null(parse_some(15, main_at + 10));
    assert_int_equal(record.main_size, 100000);
    assert_int_equal(record.main_available, 10);
    assert_null(parse_some(15, main_at));
    assert_int_equal(record.main_available, 0);
    assert_null(record.main_data);
    assert_non_null(parse_some(15, main_at - 1));
    /* Behind the record's end nothing is its own. */
    begin(21, 0);
    u8(255), u8(2);
    payload(2, 'm');
    made.size += 100;
    made.bytes[0] = 28;
    const char *why = NULL;
    made.bytes[1] = made.bytes[2] = made.bytes[3] = 0;
    assert_int_equal(wal_record_parse(made.bytes, made.size, 15, &record, &why), 0);
    assert_int_equal(record.main_available, 2);
}

static void
resource_managers_are_those_of_the_version(void **state UNUSED)
{
    static const struct {
        int version;
        uint8_t rmgr;
        bool good;
    } cases[] = {
        {13, 21, true},  {13, 22, false},  {13, 127, false}, {13, 128, false}, {14, 200, false},
        {15, 128, true}, {15, 255, true},  {15, 127, false}, {18, 21, true},   {18, 22, false},
        {18, 128, true}, {13, 255, false}, {14, 0, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(cases[i].rmgr, 0);
        assert_true((parse(cases[i].version) == NULL) == cases[i].good);
    }
}

/* What is under the CRC and yet without order: one change each. */
static void
disorder_is_told(void **state UNUSED)
{
    begin(0, 0);
    u8(0), u8(0x20), u16(0), relation(1), u32(0);
    assert_string_equal(parse(15), "a block reference contradicts itself about its data");
    begin(0, 0);
    u8(0), u8(0), u16(1), relation(1), u32(0), u8(1);
    assert_string_equal(parse(15), "a block reference contradicts itself about its data");
    begin(0, 0);
    u8(0), u8(0x80), u16(0), u32(0);
    assert_string_equal(parse(15), "the first block reference leaves out its relation");
    begin(0, 0);
    u8(0), u8(4), u16(0), relation(1), u32(0);
    assert_string_equal(parse(15), "a block reference names no fork that there is");
    begin(0, 0);
    u8(1), u8(0), u16(0), relation(1), u32(0), u8(1), u8(0), u16(0), relation(1), u32(0);
    assert_string_equal(parse(15), "block references are out of order");
    begin(0, 0);
    u8(33), u8(0);
    assert_string_equal(parse(15), "a part of the record is of an unknown kind");
    begin(0, 0);
    u8(252), u32(5);
    assert_string_equal(parse(13), "a part of the record is of an unknown kind");
    assert_null(parse(14));
    begin(0, 0);
    u8(255), u8(3), u8(0), u8(0);
    assert_string_equal(parse(15), "the lengths of its parts do not add up");
    begin(0, 0);
    u8(255), u8(1), u8(0), u8(0);
    assert_string_equal(parse(15), "the lengths of its parts do not add up");
    begin(0, 0);
    u8(254), u32(0xffffffff);
    assert_string_equal(parse(15), "the lengths of its parts do not add up");
    begin(0, 0);
    made.size = 23;
    assert_string_equal(parse_some(15, 23), "the record's header is cut off");
    assert_string_equal(parse_some(15, 24), "the record is shorter than its header");
}

static void
disorder_in_page_images_is_told(void **state UNUSED)
{
    static const struct {
        unsigned size;
        unsigned hole_offset;
        unsigned info;
        unsigned hole_size;
    } cases[] = {
        {8192, 8, 0x02, 0}, /* a hole's place, but no hole */
        {8000, 0, 0x03, 0}, /* a hole at the very beginning */
        {700, 40, 0x07, 0}, /* a compressed image's empty hole */
        {8191, 0, 0x02, 0}, /* a page of no page's size */
        {512, 0, 0x02, 0},  /* a page of no page's size */
        {0, 0, 0x0a, 0},    /* empty */
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(0, 0xb0);
        u8(0), u8(0x10), u16(0), u16(cases[i].size), u16(cases[i].hole_offset), u8(cases[i].info);
        if ((cases[i].info & 0x1c) != 0 && (cases[i].info & 1) != 0)
            u16(cases[i].hole_size);
        relation(1), u32(0);
        payload(cases[i].size, 'i');
        assert_non_null(parse(15));
    }
}

/* Cut anywhere, with a length that says so: never more than an error. */
static void
every_cut_of_the_description_is_told(void **state UNUSED)
{
    begin(10, 0);
    u8(0), u8(0x10 | 0x20), u16(4), u16(700), u16(40), u8(7), u16(192), relation(1), u32(2);
    u8(253), u16(3), u8(252), u32(4), u8(254), u32(300);
    size_t described = made.size;
    payload(1004, 'p');
    size_t whole = made.size;
    assert_null(parse(15));
    for (size_t size = HEADER + 1; size < whole; size++) {
        made.size = size;
        /* Where what was described so far just fills it, that is a record, without main data. */
        assert_true(parse(15) != NULL || (record.main_size == 0 && record.n_blocks == 1));
    }
    made.size = whole;
    for (size_t available = 0; available < described; available++)
        assert_non_null(parse_some(15, available));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_alone_is_a_record),
        cmocka_unit_test(every_part_is_read),
        cmocka_unit_test(page_images_of_every_kind_are_walked),
        cmocka_unit_test(all_33_blocks_fit),
        cmocka_unit_test(main_data_shows_what_there_is),
        cmocka_unit_test(resource_managers_are_those_of_the_version),
        cmocka_unit_test(disorder_is_told),
        cmocka_unit_test(disorder_in_page_images_is_told),
        cmocka_unit_test(every_cut_of_the_description_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
