/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"
#include "cmocka_all.h"

static void
bytes_become_lower_case_digits(void **state UNUSED)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xab, 0xff};
    char text[2 * sizeof(bytes) + 1];

    assert_string_equal(hex_text(bytes, sizeof(bytes), text), "00017f80abff");
    assert_string_equal(hex_text(bytes, 0, text), "");
}

static void
hexadecimal_is_read_strictly(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t digits;
        bool good;
        uint64_t value;
    } cases[] = {
        {"0", 1, true, 0},
        {"00000001", 8, true, 1},
        {"FFFFFFFFFFFFFFFF", 16, true, UINT64_MAX},
        {"0123456789ABCDEF", 16, true, 0x0123456789ABCDEF},
        {"12ZZ", 2, true, 0x12},
        {"", 0, false, 0},
        {"00000000000000000", 17, false, 0},
        {"ff", 2, false, 0},
        {"0x", 2, false, 0},
        {" 1", 2, false, 0},
        {"+1", 2, false, 0},
        {"-1", 2, false, 0},
        {"1", 2, false, 0},
        {"G", 1, false, 0},
        {"@", 1, false, 0},
        {":", 1, false, 0},
        {"/", 1, false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t value = 77;

        assert_int_equal(hex_read_upper(cases[i].text, cases[i].digits, &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 77);
    }
}

static void
decimal_is_read_strictly(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } cases[] = {
        {"0", 0, true, 0},
        {"1", 0, false, 0},
        {"42", 42, true, 42},
        {"43", 42, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"18446744073709551620", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
        {"184467440737095516150", UINT64_MAX, false, 0},
        {"", UINT64_MAX, false, 0},
        {"00", UINT64_MAX, false, 0},
        {"01", UINT64_MAX, false, 0},
        {"+1", UINT64_MAX, false, 0},
        {"-1", UINT64_MAX, false, 0},
        {" 1", UINT64_MAX, false, 0},
        {"1 ", UINT64_MAX, false, 0},
        {"0x1", UINT64_MAX, false, 0},
        {"1e3", UINT64_MAX, false, 0},
        {"1/", UINT64_MAX, false, 0},
        {"1:", UINT64_MAX, false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t value = 77;

        assert_int_equal(decimal_read(cases[i].text, strlen(cases[i].text), cases[i].max, &value),
                         cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 77);
    }
}

static void
a_number_ends_where_its_length_says(void **state UNUSED)
{
    uint64_t value = 0;

    assert_true(decimal_read("123", 2, 100, &value));
    assert_int_equal(value, 12);
    assert_false(decimal_read("1\0002", 3, 1000, &value));
}

static void
bytes_are_read_from_lower_case_digits(void **state UNUSED)
{
    static const char *const bad[] = {"0", "0g", "g0", "AB", "aB", "0x", " 1", "+1", "-1"};
    static const uint8_t wanted[] = {0x00, 0x01, 0x7f, 0x80, 0xab, 0xff};
    uint8_t bytes[sizeof(wanted)];

    assert_true(hex_read_bytes("00017f80abff", sizeof(bytes), bytes));
    assert_memory_equal(bytes, wanted, sizeof(wanted));
    assert_true(hex_read_bytes("", 0, bytes));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(hex_read_bytes(bad[i], 1, bytes));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_lower_case_digits),
        cmocka_unit_test(hexadecimal_is_read_strictly),
        cmocka_unit_test(bytes_are_read_from_lower_case_digits),
        cmocka_unit_test(decimal_is_read_strictly),
        cmocka_unit_test(a_number_ends_where_its_length_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
