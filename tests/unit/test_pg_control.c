/* SPDX-License-Identifier: PostgreSQL */
#include "wal/pg_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wal/crc32c.h"

/* The beginning of a pg_control that initdb of PostgreSQL 15 wrote; zeros follow. */
static const uint8_t control_15[PG_CONTROL_MIN_SIZE] = {
    0x41, 0xcf, 0x5a, 0xc7, 0x4b, 0x16, 0x03, 0x6b, 0x14, 0x05, 0x00, 0x00, 0x25, 0x77, 0x0d, 0x0c,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4c, 0x16, 0x03, 0x6b, 0x00, 0x00, 0x00, 0x00,
    0x88, 0x1a, 0x51, 0x01, 0x00, 0x00, 0x00, 0x00, 0x88, 0x1a, 0x51, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xd4, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x35, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0xcc, 0x02, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4c, 0x16, 0x03, 0x6b, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xe8, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x64, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x87, 0xd6, 0x32, 0x41, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00,
    0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x40, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00,
    0xcc, 0x07, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x06, 0xfa, 0xaa, 0x29, 0x3d, 0xa2, 0x45, 0x09, 0x5f, 0xe2, 0x21, 0x64, 0x4a, 0x26, 0x5a, 0x3b,
    0x76, 0xdb, 0x39, 0xa0, 0xdb, 0xab, 0x59, 0xd0, 0x9c, 0x21, 0x83, 0x63, 0x93, 0x8a, 0x26, 0x24,
    0x51, 0xda, 0xcb, 0xb8,
};

static const struct {
    uint32_t control_version;
    uint32_t catalog_version;
    size_t crc_offset;
    int server_version;
} releases[] = {
    {1300, 202007201, 288, 13}, {1300, 202107181, 288, 14}, {1300, 202209061, 288, 15},
    {1300, 202307071, 288, 16}, {1700, 202406281, 288, 17}, {1800, 202506291, 292, 18},
};

static void
put_u32(uint8_t *bytes, size_t offset, uint32_t value)
{
    memcpy(bytes + offset, &value, sizeof(value));
}

static void
seal(uint8_t *bytes, size_t crc_offset)
{
    put_u32(bytes, crc_offset, crc32c(0, bytes, crc_offset));
}

/* A control file of releases[i], with other values than the captured one. */
static void
make_control(size_t i, uint8_t *bytes)
{
    memcpy(bytes, control_15, sizeof(control_15));
    put_u32(bytes, 8, releases[i].control_version);
    put_u32(bytes, 12, releases[i].catalog_version);
    put_u32(bytes, 48, 0x0A);
    put_u32(bytes, 228, 1 << 26);
    seal(bytes, releases[i].crc_offset);
}

static int
parse(const uint8_t *bytes, struct pg_control *ret, struct err *err)
{
    *err = ERR_INIT;
    memset(ret, 0x5a, sizeof(*ret));
    return pg_control_parse(bytes, PG_CONTROL_MIN_SIZE, ret, err);
}

static void
assert_untouched(const struct pg_control *control)
{
    const uint8_t *bytes = (const uint8_t *)control;

    for (size_t i = 0; i < sizeof(*control); i++)
        assert_int_equal(bytes[i], 0x5a);
}

static void
assert_refused(const uint8_t *bytes, const char *text)
{
    struct pg_control control;
    struct err err;

    assert_int_equal(parse(bytes, &control, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, text));
    assert_untouched(&control);
}

static void
a_file_of_postgresql_15_reads_as_pg_controldata_shows_it(void **state)
{
    struct pg_control control;
    struct err err;

    (void)state;
    assert_int_equal(parse(control_15, &control, &err), 0);
    assert_true(control.system_id == UINT64_C(7711031501711396673));
    assert_int_equal(control.control_version, 1300);
    assert_int_equal(control.catalog_version, 202209061);
    assert_int_equal(control.segment_size, 16777216);
    assert_int_equal(control.timeline, 1);
    assert_int_equal(control.server_version, 15);
}

static void
every_release_has_its_layout_and_major(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    struct pg_control control;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
        make_control(i, bytes);
        assert_int_equal(parse(bytes, &control, &err), 0);
        assert_int_equal(control.control_version, releases[i].control_version);
        assert_int_equal(control.catalog_version, releases[i].catalog_version);
        assert_int_equal(control.server_version, releases[i].server_version);
        assert_int_equal(control.segment_size, 1 << 26);
        assert_int_equal(control.timeline, 10);
    }
}

static void
the_catalog_of_no_release_is_read_with_major_0(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    struct pg_control control;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
        make_control(i, bytes);
        put_u32(bytes, 12, 202401011);
        seal(bytes, releases[i].crc_offset);
        assert_int_equal(parse(bytes, &control, &err), 0);
        assert_int_equal(control.server_version, 0);
        assert_int_equal(control.timeline, 10);
    }
}

/* All that is checked by the checksum and the checksum itself; the version is judged before it. */
static void
any_changed_byte_is_torn_or_refused(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    struct pg_control control;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
        for (size_t bit = 0; bit < (releases[i].crc_offset + 4) * 8; bit++) {
            make_control(i, bytes);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);

            int result = parse(bytes, &control, &err);
            if (bit / 8 >= 8 && bit / 8 < 12)
                assert_true(result == PG_CONTROL_TORN || (result == -1 && err.kind == ERR_CORRUPT));
            else
                assert_int_equal(result, PG_CONTROL_TORN);
            assert_untouched(&control);
        }
    }
}

static void
half_of_another_write_is_torn(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    struct pg_control control;
    struct err err;

    (void)state;
    for (size_t cut = 49; cut <= 228; cut++) {
        make_control(2, bytes);
        memcpy(bytes + cut, control_15 + cut, sizeof(control_15) - cut);
        assert_int_equal(parse(bytes, &control, &err), PG_CONTROL_TORN);
    }
}

static void
an_unknown_version_is_refused_by_its_number(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    static const struct {
        uint32_t version;
        const char *text;
    } unknown[] = {
        {0, "version 0,"},         {1, "version 1,"},
        {1201, "version 1201,"},   {1299, "version 1299,"},
        {1301, "version 1301,"},   {1400, "version 1400,"},
        {1902, "version 1902,"},   {1903, "version 1903,"},
        {65535, "version 65535,"}, {UINT32_MAX, "version 4294967295,"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        make_control(0, bytes);
        put_u32(bytes, 8, unknown[i].version);
        seal(bytes, 288);
        assert_refused(bytes, unknown[i].text);
    }
}

static void
the_other_byte_order_is_told_apart(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    static const uint32_t versions[] = {1300, 1700, 1800};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        make_control(0, bytes);
        put_u32(bytes, 8, __builtin_bswap32(versions[i]));
        assert_refused(bytes, "byte order");
    }
}

static void
nonsense_under_a_right_checksum_is_refused(void **state)
{
    uint8_t bytes[PG_CONTROL_MIN_SIZE];
    static const uint32_t sizes[] = {0, 1, 1 << 19, (1 << 24) + 1, 3 << 20, UINT32_C(1) << 31};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        make_control(2, bytes);
        put_u32(bytes, 228, sizes[i]);
        seal(bytes, 288);
        assert_refused(bytes, "segment size");
    }
    make_control(2, bytes);
    put_u32(bytes, 48, 0);
    seal(bytes, 288);
    assert_refused(bytes, "timeline 0");
    make_control(2, bytes);
    memset(bytes, 0, 8);
    seal(bytes, 288);
    assert_refused(bytes, "identifier 0");
    memset(bytes, 0, sizeof(bytes));
    assert_refused(bytes, "version 0,");
}

static void
a_short_file_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < PG_CONTROL_MIN_SIZE; size++) {
        struct pg_control control;
        struct err err = ERR_INIT;

        assert_int_equal(pg_control_parse(control_15, size, &control, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_non_null(strstr(err.text, "at least 512"));
    }
}

static void
the_whole_file_reads_like_its_beginning(void **state)
{
    static uint8_t bytes[PG_CONTROL_FILE_SIZE];
    struct pg_control control;
    struct err err = ERR_INIT;

    (void)state;
    memcpy(bytes, control_15, sizeof(control_15));
    assert_int_equal(pg_control_parse(bytes, sizeof(bytes), &control, &err), 0);
    assert_int_equal(control.server_version, 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_postgresql_15_reads_as_pg_controldata_shows_it),
        cmocka_unit_test(every_release_has_its_layout_and_major),
        cmocka_unit_test(the_catalog_of_no_release_is_read_with_major_0),
        cmocka_unit_test(any_changed_byte_is_torn_or_refused),
        cmocka_unit_test(half_of_another_write_is_torn),
        cmocka_unit_test(an_unknown_version_is_refused_by_its_number),
        cmocka_unit_test(the_other_byte_order_is_told_apart),
        cmocka_unit_test(nonsense_under_a_right_checksum_is_refused),
        cmocka_unit_test(a_short_file_is_refused),
        cmocka_unit_test(the_whole_file_reads_like_its_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
