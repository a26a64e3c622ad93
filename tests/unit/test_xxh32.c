/* SPDX-License-Identifier: PostgreSQL */
#include <lz4frame.h>
#include <string.h>

#include "base/io.h"
#include "base/macros.h"
#include "cmocka_all.h"
#include "codec/xxh32.h"

#define SIZE_MAX_TRIED 300

static uint32_t
hash_of(const uint8_t *bytes, size_t size, size_t piece)
{
    struct xxh32 hash;

    xxh32_begin(&hash);
    for (size_t at = 0; at < size; at += piece)
        xxh32_add(&hash, bytes + at, MIN_OF(piece, size - at));
    return xxh32_end(&hash);
}

static void
known_texts_have_known_hashes(void **state)
{
    static const struct {
        const char *text;
        uint32_t hash;
    } table[] = {
        {"", 0x02cc5d05},
        {"a", 0x550d7456},
        {"abc", 0x32d153ff},
        {"abcd", 0xa3643705},
        {"Nobody inspects the spammish repetition", 0xe2293b2f},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const uint8_t *bytes = (const uint8_t *)table[i].text;

        assert_int_equal(hash_of(bytes, strlen(table[i].text), 1000), table[i].hash);
        assert_int_equal(hash_of(bytes, strlen(table[i].text), 1), table[i].hash);
    }
}

/* What liblz4 writes behind a frame of these bytes. */
static uint32_t
librarys_hash(const uint8_t *bytes, size_t size)
{
    const LZ4F_preferences_t preferences = {
        .frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled}};
    uint8_t frame[4 * SIZE_MAX_TRIED];
    size_t end = LZ4F_compressFrame(frame, sizeof(frame), bytes, size, &preferences);
    struct cursor cursor;

    assert_false(LZ4F_isError(end));
    cursor_init(&cursor, frame + end - 4, 4);
    return cursor_u32_le(&cursor);
}

static void
any_size_in_any_pieces_is_hashed_as_liblz4_does(void **state)
{
    static const size_t pieces[] = {1, 3, 15, 16, 17, 31, 32, 100, SIZE_MAX_TRIED};
    uint8_t bytes[SIZE_MAX_TRIED + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * i * 31 + i * 7);
    /* From an odd address too. */
    for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
        uint32_t want = librarys_hash(bytes + size % 2, size);

        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
            assert_int_equal(hash_of(bytes + size % 2, size, pieces[i]), want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_known_hashes),
        cmocka_unit_test(any_size_in_any_pieces_is_hashed_as_liblz4_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
