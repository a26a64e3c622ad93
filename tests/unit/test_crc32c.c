/* SPDX-License-Identifier: PostgreSQL */
#include "wal/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_MAX 4096

/* The definition: one bit after the other. */
static uint32_t
bitwise(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
    }
    return ~crc;
}

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void
fill_random(uint8_t *bytes, size_t size)
{
    uint32_t state = 1;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)next_random(&state);
}

static void
known_vectors_of_rfc_3720_come_out(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t ascending[32];
    uint8_t descending[32];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    for (uint8_t i = 0; i < 32; i++) {
        ascending[i] = i;
        descending[i] = (uint8_t)(31 - i);
    }
    const struct {
        const void *bytes;
        size_t size;
        uint32_t crc;
    } vectors[] = {
        {"", 0, 0},
        {"a", 1, 0xc1d04330},
        {"123456789", 9, 0xe3069283},
        {zeros, 32, 0x8a9136aa},
        {ones, 32, 0x62a8ab43},
        {ascending, 32, 0x46dd794e},
        {descending, 32, 0x113fdb5c},
    };

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_int_equal(crc32c(0, vectors[i].bytes, vectors[i].size), vectors[i].crc);
        assert_int_equal(crc32c_portable(0, vectors[i].bytes, vectors[i].size), vectors[i].crc);
    }
}

static void
every_length_and_alignment_equals_the_definition(void **state)
{
    uint8_t bytes[128];

    (void)state;
    fill_random(bytes, sizeof(bytes));
    for (size_t start = 0; start < 16; start++) {
        for (size_t size = 0; size <= sizeof(bytes) - start; size++) {
            uint32_t wanted = bitwise(0, bytes + start, size);

            assert_int_equal(crc32c(0, bytes + start, size), wanted);
            assert_int_equal(crc32c_portable(0, bytes + start, size), wanted);
        }
    }
}

/* Where the three pieces that are summed up side by side begin and end. */
static void
every_length_of_several_strides_equals_the_portable_one(void **state)
{
    static uint8_t bytes[BYTES_MAX * 2];

    (void)state;
    fill_random(bytes, sizeof(bytes));
    for (size_t size = 0; size < sizeof(bytes) - 8; size++) {
        const uint8_t *from = bytes + size % 8;

        assert_int_equal(crc32c(0x1234567, from, size), crc32c_portable(0x1234567, from, size));
    }
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), bitwise(0, bytes, sizeof(bytes)));
}

/* Every entry of the table: byte b followed by zero to seven others. */
static void
every_byte_in_every_place_equals_the_definition(void **state)
{
    (void)state;
    for (size_t place = 0; place < 8; place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t bytes[8] = {0};

            bytes[place] = (uint8_t)byte;
            assert_int_equal(crc32c_portable(0, bytes, 8), bitwise(0, bytes, 8));
        }
    }
}

static void
pieces_give_the_same_as_the_whole(void **state)
{
    static uint8_t bytes[BYTES_MAX];
    uint32_t random = 7;

    (void)state;
    fill_random(bytes, sizeof(bytes));
    uint32_t whole = bitwise(0, bytes, sizeof(bytes));
    for (int round = 0; round < 500; round++) {
        uint32_t crc = 0;
        uint32_t portable = 0;
        size_t size;

        for (size_t at = 0; at < sizeof(bytes); at += size) {
            size = next_random(&random) % 200;
            if (size > sizeof(bytes) - at)
                size = sizeof(bytes) - at;
            crc = crc32c(crc, bytes + at, size);
            portable = crc32c_portable(portable, bytes + at, size);
            assert_int_equal(crc, portable);
        }
        assert_int_equal(crc, whole);
    }
}

static void
two_pieces_combine_to_the_whole(void **state)
{
    static uint8_t bytes[BYTES_MAX];

    (void)state;
    fill_random(bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut += 61) {
        uint32_t first = crc32c(0, bytes, cut);
        uint32_t second = crc32c(0, bytes + cut, sizeof(bytes) - cut);

        assert_int_equal(crc32c_combine(first, second, sizeof(bytes) - cut),
                         crc32c(0, bytes, sizeof(bytes)));
    }
    assert_int_equal(crc32c_combine(7, 0, 0), 7);
    assert_int_equal(crc32c_combine(0, 7, 1000), 7);
}

/* Zeros behind a piece, by doubling: much more than anybody would sum up. */
static void
very_long_pieces_combine(void **state)
{
    uint8_t zero = 0;
    uint32_t zeros = crc32c(0, &zero, 1);
    uint64_t size = 1;

    (void)state;
    for (; size < (uint64_t)1 << 45; size *= 2)
        zeros = crc32c_combine(zeros, zeros, size);
    /* Three pieces in either order of combination. */
    uint32_t left = crc32c_combine(crc32c_combine(0x12345678, zeros, size), 0x9abcdef0, 77);
    uint32_t right = crc32c_combine(0x12345678, crc32c_combine(zeros, 0x9abcdef0, 77), size + 77);
    assert_int_equal(left, right);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors_of_rfc_3720_come_out),
        cmocka_unit_test(every_length_and_alignment_equals_the_definition),
        cmocka_unit_test(every_length_of_several_strides_equals_the_portable_one),
        cmocka_unit_test(every_byte_in_every_place_equals_the_definition),
        cmocka_unit_test(pieces_give_the_same_as_the_whole),
        cmocka_unit_test(two_pieces_combine_to_the_whole),
        cmocka_unit_test(very_long_pieces_combine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
