/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX,
                                  (uint64_t)UINT32_MAX + 1, UINT64_C(1) << 63, UINT64_MAX};

static void
numbers_come_back_and_only_in_their_shortest_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        AUTO(wal_output) struct wal_output output = WAL_OUTPUT_INIT(64);
        struct cursor cursor;

        wal_output_number(&output, values[i]);
        cursor_init(&cursor, output.buf.data, output.buf.size);
        assert_true(wal_varint_read(&cursor) == values[i]);
        assert_false(cursor.failed);
        assert_int_equal(cursor_left(&cursor), 0);
        cursor_init(&cursor, output.buf.data, output.buf.size - 1);
        (void)wal_varint_read(&cursor);
        assert_true(cursor.failed);
        output.buf.data[output.buf.size - 1] |= 0x80;
        wal_output_u8(&output, 0);
        cursor_init(&cursor, output.buf.data, output.buf.size);
        (void)wal_varint_read(&cursor);
        assert_true(cursor.failed);
        cursor_init(&cursor, output.buf.data, output.buf.size);
    }
}

static void
signed_numbers_and_differences_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        AUTO(wal_output) struct wal_output output = WAL_OUTPUT_INIT(64);
        struct cursor cursor;

        wal_output_signed(&output, (int64_t)values[i]);
        wal_output_signed(&output, -(int64_t)(values[i] / 2));
        wal_output_difference(&output, values[i], 1000);
        cursor_init(&cursor, output.buf.data, output.buf.size);
        assert_true(wal_varint_read_signed(&cursor) == (int64_t)values[i]);
        assert_true(wal_varint_read_signed(&cursor) == -(int64_t)(values[i] / 2));
        assert_true(1000 + (uint64_t)wal_varint_read_signed(&cursor) == values[i]);
        assert_false(cursor.failed);
    }
}

static void
numbers_of_32_bits_are_refused_above(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        AUTO(wal_output) struct wal_output output = WAL_OUTPUT_INIT(64);
        struct cursor cursor;

        wal_output_number(&output, values[i]);
        cursor_init(&cursor, output.buf.data, output.buf.size);
        uint32_t value = wal_varint_read_u32(&cursor);
        assert_int_equal(cursor.failed, values[i] > UINT32_MAX);
        assert_true(cursor.failed || value == values[i]);
    }
}

static void
sixty_five_bits_are_refused(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
    struct cursor cursor;

    cursor_init(&cursor, bytes, sizeof(bytes));
    (void)wal_varint_read(&cursor);
    assert_true(cursor.failed);
}

static void
output_stops_at_its_ceiling_and_goes_on_after_a_cut(void **state)
{
    (void)state;
    AUTO(wal_output) struct wal_output output = WAL_OUTPUT_INIT(4);

    wal_output_bytes(&output, "abc", 3);
    wal_output_number(&output, 300);
    wal_output_u8(&output, 'd');
    assert_true(output.full);
    assert_int_equal(output.buf.size, 3);
    wal_output_cut(&output, 2);
    assert_false(output.full);
    wal_output_number(&output, 300);
    assert_false(output.full);
    assert_int_equal(output.buf.size, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_and_only_in_their_shortest_form),
        cmocka_unit_test(signed_numbers_and_differences_come_back),
        cmocka_unit_test(numbers_of_32_bits_are_refused_above),
        cmocka_unit_test(sixty_five_bits_are_refused),
        cmocka_unit_test(output_stops_at_its_ceiling_and_goes_on_after_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
