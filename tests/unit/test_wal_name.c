/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static const uint32_t segment_sizes[] = {
    1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24, 1 << 25,
    1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30,
};

static const uint32_t timelines[] = {1, 9, 0xA, 0x10, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};

static void
assert_not_a_name(const char *text, size_t length)
{
    struct wal_name name;
    struct wal_name before;

    memset(&name, 0x5a, sizeof(name));
    before = name;
    if (wal_name_parse(text, length, &name))
        fail_msg("taken for a name: %.*s", (int)length, text);
    assert_memory_equal(&name, &before, sizeof(name));
}

static void
good_names_are_read(void **state)
{
    static const struct {
        const char *text;
        enum wal_name_kind kind;
        uint32_t timeline;
        uint32_t log;
        uint32_t seg;
        uint32_t offset;
    } good[] = {
        {"000000010000000000000001", WAL_NAME_SEGMENT, 1, 0, 1, 0},
        {"000000010000000000000000", WAL_NAME_SEGMENT, 1, 0, 0, 0},
        {"0000000A0000000B000000FF", WAL_NAME_SEGMENT, 10, 11, 255, 0},
        {"FFFFFFFFFFFFFFFFFFFFFFFF", WAL_NAME_SEGMENT, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0},
        {"1234567890ABCDEF12345678", WAL_NAME_SEGMENT, 0x12345678, 0x90ABCDEF, 0x12345678, 0},
        {"0000000A0000000B000000FF.partial", WAL_NAME_PARTIAL, 10, 11, 255, 0},
        {"000000010000000000000002.00000028.backup", WAL_NAME_BACKUP_HISTORY, 1, 0, 2, 0x28},
        {"FFFFFFFF00000000000000FF.00FFFFFF.backup", WAL_NAME_BACKUP_HISTORY, UINT32_MAX, 0, 255,
         0xFFFFFF},
        {"00000002.history", WAL_NAME_HISTORY, 2, 0, 0, 0},
        {"0000000A.history", WAL_NAME_HISTORY, 10, 0, 0, 0},
        {"FFFFFFFF.history", WAL_NAME_HISTORY, UINT32_MAX, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct wal_name name;

        assert_true(wal_name_parse(good[i].text, strlen(good[i].text), &name));
        assert_int_equal(name.kind, good[i].kind);
        assert_int_equal(name.timeline, good[i].timeline);
        assert_int_equal(name.log, good[i].log);
        assert_int_equal(name.seg, good[i].seg);
        assert_int_equal(name.offset, good[i].offset);
        assert_string_equal(name.text, good[i].text);
    }
}

static void
everything_else_is_not_a_name(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        ".",
        "..",
        "/",
        "%",
        "%f",
        "../x",
        "a/b",
        "../000000010000000000000001",
        "/000000010000000000000001",
        "./000000010000000000000001",
        "-00000010000000000000001",
        "--0000010000000000000001",
        "+00000010000000000000001",
        "0x0000010000000000000001",
        " 00000010000000000000001",
        "000000010000000000000001 ",
        "000000010000000000000001\n",
        "\n000000010000000000000001",
        "00000001000000000000000\n",
        "00000001%000000000000001",
        "00000001000000000000000",      /* 23 digits */
        "0000000100000000000000001",    /* 25 digits */
        "0000000100000000000000000001", /* 28 digits: the archiver lets them pass */
        "00000001000000000000000000000001",
        "0000000a0000000000000001",
        "00000001000000000000000g",
        "00000001000000000000000G",
        "00000001000000000000000@",
        "00000001000000000000000:",
        "00000001000000000000000/",
        "00000001000000000000000`",
        "00000001 0000000000000001",
        "00000001-00000000-00000001",
        "000000000000000000000001", /* timeline 0 */
        "000000000000000000000001.partial",
        "000000000000000000000001.00000028.backup",
        "00000000.history",
        "00000001",
        "0000000100000000",
        "00000001.",
        "00000001.histor",
        "00000001.history.",
        "00000001.historyx",
        "00000001.HISTORY",
        "00000001.history.history",
        "00000001.history.partial",
        "00000001.history\n",
        "00000001history",
        "0000001.history",
        "000000001.history",
        "0000000a.history",
        ".history",
        "0000000100000000.history",
        "000000010000000000000001.history",
        "000000010000000000000001.",
        "000000010000000000000001.partia",
        "000000010000000000000001.partial.",
        "000000010000000000000001.Partial",
        "000000010000000000000001.partial.partial",
        "000000010000000000000001partial",
        "00000001.partial",
        ".partial",
        "000000010000000000000001.backup",
        "000000010000000000000001..backup",
        "000000010000000000000001.0000028.backup",
        "000000010000000000000001.000000028.backup",
        "000000010000000000000001.0000002g.backup",
        "000000010000000000000001.0000002a.backup",
        "000000010000000000000001.00000028",
        "000000010000000000000001.00000028.",
        "000000010000000000000001.00000028.backu",
        "000000010000000000000001.00000028.backupx",
        "000000010000000000000001.00000028.backup.partial",
        "000000010000000000000001.00000028.partial",
        "000000010000000000000001-00000028.backup",
        "000000010000000000000001.00000028-backup",
        "00000001.00000028.backup",
        "000000010000000000000001.gz",
        "000000010000000000000001.ready",
        "000000010000000000000001.done",
        "000000010000000000000001/",
        "000000010000000000000001/..",
        "RECOVERYXLOG",
        "RECOVERYHISTORY",
        "\xef\xbb\xbf"
        "000000010000000000000001",
        "\xd9\xa0"
        "0000010000000000000001",
        "00000000000000000000000000000000000000000000000000000000000000001", /* 65 characters */
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_not_a_name(bad[i], strlen(bad[i]));
}

static void
a_nul_inside_is_not_a_name(void **state)
{
    static const char *const names[] = {
        "000000010000000000000001",
        "000000010000000000000001.partial",
        "000000010000000000000001.00000028.backup",
        "00000001.history",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t length = strlen(names[i]);
        char text[WAL_NAME_SIZE];

        for (size_t at = 0; at <= length; at++) {
            memset(text, 0, sizeof(text));
            memcpy(text, names[i], length);
            text[at] = '\0';
            assert_not_a_name(text, MAX_OF(at + 1, length));
        }
    }
}

static void
only_the_given_length_counts(void **state)
{
    static const char text[] = "000000010000000000000001.00000028.backupxyz";
    static const struct {
        size_t length;
        enum wal_name_kind kind;
    } names[] = {{24, WAL_NAME_SEGMENT}, {40, WAL_NAME_BACKUP_HISTORY}};
    struct wal_name name;

    (void)state;
    for (size_t length = 0; length < sizeof(text); length++) {
        if (length != names[0].length && length != names[1].length)
            assert_not_a_name(text, length);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_true(wal_name_parse(text, names[i].length, &name));
        assert_int_equal(name.kind, names[i].kind);
        assert_int_equal(strlen(name.text), names[i].length);
        assert_memory_equal(name.text, text, names[i].length);
    }
    assert_not_a_name(text, SIZE_MAX / 2);
}

static void
every_byte_but_the_sixteen_digits_is_refused_in_every_place(void **state)
{
    char text[] = "000000010000000000000001";
    struct wal_name name;

    (void)state;
    for (size_t at = 0; at < WAL_SEGMENT_NAME_LENGTH; at++) {
        char kept = text[at];

        for (int byte = 0; byte < 256; byte++) {
            text[at] = (char)byte;
            if (byte != 0 && strchr("0123456789ABCDEF", byte) != NULL && (at != 7 || byte != '0'))
                assert_true(wal_name_parse(text, WAL_SEGMENT_NAME_LENGTH, &name));
            else
                assert_not_a_name(text, WAL_SEGMENT_NAME_LENGTH);
        }
        text[at] = kept;
    }
}

static void
segment_sizes_are_powers_of_two_from_1_mib_to_1_gib(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t size = UINT64_C(1) << bit;

        assert_int_equal(wal_segment_size_valid(size), bit >= 20 && bit <= 30);
        if (bit > 1) {
            assert_false(wal_segment_size_valid(size - 1));
            assert_false(wal_segment_size_valid(size + 1));
            assert_false(wal_segment_size_valid(size | size >> 1));
        }
    }
    assert_false(wal_segment_size_valid(0));
    assert_false(wal_segment_size_valid((UINT64_C(1) << 32) + (1 << 24)));
    assert_false(wal_segment_size_valid(UINT64_MAX));
}

/* What follows a segment, and that it is the right one at the turn of a log. */
static void
the_last_segment_of_a_log_is_followed_by_the_first_of_the_next(void **state)
{
    static const struct {
        uint32_t size;
        const char *last;
        const char *beyond; /* does not exist */
    } turns[] = {
        {1 << 20, "000000010000000000000FFF", "000000010000000000001000"},
        {1 << 21, "0000000100000000000007FF", "000000010000000000000800"},
        {1 << 22, "0000000100000000000003FF", "000000010000000000000400"},
        {1 << 23, "0000000100000000000001FF", "000000010000000000000200"},
        {1 << 24, "0000000100000000000000FF", "000000010000000000000100"},
        {1 << 25, "00000001000000000000007F", "000000010000000000000080"},
        {1 << 26, "00000001000000000000003F", "000000010000000000000040"},
        {1 << 27, "00000001000000000000001F", "000000010000000000000020"},
        {1 << 28, "00000001000000000000000F", "000000010000000000000010"},
        {1 << 29, "000000010000000000000007", "000000010000000000000008"},
        {1 << 30, "000000010000000000000003", "000000010000000000000004"},
    };
    struct wal_name name;
    struct wal_name next;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
        assert_true(wal_name_parse(turns[i].last, 24, &name));
        assert_true(wal_name_fits(&name, turns[i].size));
        uint64_t number = wal_name_segment_number(&name, turns[i].size);
        wal_name_of_segment(1, number + 1, turns[i].size, &next);
        assert_string_equal(next.text, "000000010000000100000000");
        assert_true(wal_name_start_lsn(&next, turns[i].size) == UINT64_C(1) << 32);
        wal_name_of_segment(1, number, turns[i].size, &next);
        assert_string_equal(next.text, turns[i].last);
        assert_true(wal_name_parse(turns[i].beyond, 24, &name));
        assert_false(wal_name_fits(&name, turns[i].size));
    }
}

static void
assert_round_trip(uint32_t timeline, uint64_t number, uint32_t size)
{
    struct wal_name name;
    struct wal_name parsed;
    uint64_t start = number * size;

    wal_name_of_segment(timeline, number, size, &name);
    assert_int_equal(name.kind, WAL_NAME_SEGMENT);
    assert_true(wal_name_fits(&name, size));
    assert_true(wal_name_parse(name.text, strlen(name.text), &parsed));
    assert_int_equal(parsed.timeline, timeline);
    assert_int_equal(parsed.log, name.log);
    assert_int_equal(parsed.seg, name.seg);
    assert_true(wal_name_segment_number(&parsed, size) == number);
    assert_true(wal_name_start_lsn(&parsed, size) == start);
    for (int i = 0; i < 3; i++) {
        const uint64_t inside[] = {start, start + size / 2, start + (size - 1)};

        wal_name_of_lsn(timeline, inside[i], size, &parsed);
        assert_string_equal(parsed.text, name.text);
    }
}

static void
name_number_and_position_are_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(segment_sizes); i++) {
        uint64_t per_log = (UINT64_C(1) << 32) / segment_sizes[i];
        const uint64_t numbers[] = {
            0,
            1,
            2,
            per_log - 1,
            per_log,
            per_log + 1,
            255 * per_log + 3,
            /* the last one there is */
            per_log * UINT32_MAX,
            per_log * UINT32_MAX + per_log - 1,
        };

        for (size_t t = 0; t < ARRAY_SIZE(timelines); t++) {
            for (size_t n = 0; n < ARRAY_SIZE(numbers); n++)
                assert_round_trip(timelines[t], numbers[n], segment_sizes[i]);
        }
    }
}

static void
timelines_are_hexadecimal(void **state)
{
    struct wal_name name;

    (void)state;
    wal_name_of_segment(0xA, 0, 1 << 24, &name);
    assert_string_equal(name.text, "0000000A0000000000000000");
    wal_name_of_segment(0xFFFFFFFF, 0x1FF, 1 << 24, &name);
    assert_string_equal(name.text, "FFFFFFFF00000001000000FF");
    for (size_t i = 0; i < ARRAY_SIZE(timelines); i++) {
        struct wal_name parsed;

        wal_name_of_history(timelines[i], &name);
        assert_int_equal(name.kind, WAL_NAME_HISTORY);
        assert_true(wal_name_parse(name.text, strlen(name.text), &parsed));
        assert_int_equal(parsed.kind, WAL_NAME_HISTORY);
        assert_int_equal(parsed.timeline, timelines[i]);
    }
    wal_name_of_history(0xA, &name);
    assert_string_equal(name.text, "0000000A.history");
}

static void
a_backup_history_file_has_its_offset_inside_the_segment(void **state)
{
    struct wal_name name;

    (void)state;
    assert_true(wal_name_parse("000000010000000000000002.000FFFFF.backup", 40, &name));
    assert_true(wal_name_fits(&name, 1 << 20));
    assert_true(wal_name_parse("000000010000000000000002.00100000.backup", 40, &name));
    assert_false(wal_name_fits(&name, 1 << 20));
    assert_true(wal_name_fits(&name, 1 << 21));
}

static void
positions_are_written_as_postgresql_writes_them(void **state)
{
    static const struct {
        uint64_t lsn;
        const char *text;
    } table[] = {
        {0, "0/0"},
        {1, "0/1"},
        {0x3000028, "0/3000028"},
        {UINT64_C(0x100000000), "1/0"},
        {UINT64_C(0xA0000000B), "A/B"},
        {UINT64_C(0x1600000028), "16/28"},
        {UINT64_MAX, "FFFFFFFF/FFFFFFFF"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char text[WAL_LSN_TEXT_SIZE];
        uint64_t lsn;

        assert_ptr_equal(wal_lsn_text(table[i].lsn, text), text);
        assert_string_equal(text, table[i].text);
        assert_true(wal_lsn_parse(text, strlen(text), &lsn));
        assert_true(lsn == table[i].lsn);
    }
}

static void
positions_are_read_strictly(void **state)
{
    static const char *const bad[] = {
        "",           "/",           "0",           "0/",          "/0",          "0//0",  "0/0/0",
        " 0/0",       "0/0 ",        "0/ 0",        "+0/0",        "-1/0",        "0x1/0", "0/0x1",
        "0/0\n",      "000000000/0", "0/000000000", "123456789/0", "0/123456789", "G/0",   "0/g",
        "0/3000028)", "0\\0",        "0-0",         "0,0",
    };
    uint64_t lsn = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (wal_lsn_parse(bad[i], strlen(bad[i]), &lsn))
            fail_msg("taken for a position: %s", bad[i]);
        assert_true(lsn == 77);
    }
    assert_false(wal_lsn_parse(NULL, 0, &lsn));
    assert_false(wal_lsn_parse("0/0", 4, &lsn));
    assert_true(wal_lsn_parse("0/30000281", 9, &lsn));
    assert_true(lsn == 0x3000028);
    assert_true(wal_lsn_parse("0/03000028", 10, &lsn)); /* as PostgreSQL 19 writes it */
    assert_true(lsn == 0x3000028);
    assert_true(wal_lsn_parse("aBcDeF01/deadBEEF", 17, &lsn));
    assert_true(lsn == UINT64_C(0xABCDEF01DEADBEEF));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_names_are_read),
        cmocka_unit_test(everything_else_is_not_a_name),
        cmocka_unit_test(a_nul_inside_is_not_a_name),
        cmocka_unit_test(only_the_given_length_counts),
        cmocka_unit_test(every_byte_but_the_sixteen_digits_is_refused_in_every_place),
        cmocka_unit_test(segment_sizes_are_powers_of_two_from_1_mib_to_1_gib),
        cmocka_unit_test(the_last_segment_of_a_log_is_followed_by_the_first_of_the_next),
        cmocka_unit_test(name_number_and_position_are_one),
        cmocka_unit_test(timelines_are_hexadecimal),
        cmocka_unit_test(a_backup_history_file_has_its_offset_inside_the_segment),
        cmocka_unit_test(positions_are_written_as_postgresql_writes_them),
        cmocka_unit_test(positions_are_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
