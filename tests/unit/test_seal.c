/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/io.h"
#include "codec/curve.h"
#include "codec/seal.h"

#define NAME "main/1/history/00000002.history"
#define NAME_OFFSET 112

static struct err err;
static struct writer_key key;
static struct keyring keyring;

static struct seal
example(void)
{
    struct seal seal = {
        .encryption = ENCRYPTION_AGE,
        .compression = COMPRESSION_ZSTD,
        .system_id = 0x0123456789abcdef,
        .file_size = 16 * MIB,
        .payload_size = 123456,
        .created_us = -5,
        .name = NAME,
    };

    memset(seal.fingerprint, 0xaa, sizeof(seal.fingerprint));
    memset(seal.payload_digest, 0xbb, sizeof(seal.payload_digest));
    return seal;
}

static size_t
write_example(uint8_t *bytes)
{
    const struct seal seal = example();
    size_t size = 0;

    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), 0);
    assert_int_equal(size, 176 + strlen(NAME));
    return size;
}

/* Sign again what was altered. */
static void
sign(uint8_t *bytes, size_t size)
{
    uint8_t text[16 + SEAL_SIZE_MAX];
    size_t signed_size = size - CURVE_SIGNATURE_SIZE;

    memcpy(text, "seawall-seal-v1\n", 16);
    memcpy(text + 16, bytes, signed_size);
    assert_int_equal(curve_ed25519_sign(key.seed, (struct span){text, 16 + signed_size},
                                        bytes + signed_size, &err),
                     0);
}

static void
a_seal_is_read_as_it_was_written(void **state)
{
    uint8_t bytes[SEAL_SIZE_MAX];
    size_t size = write_example(bytes);
    struct seal want = example();
    struct seal got;

    (void)state;
    memcpy(want.writer_id, key.public_half.id, WRITER_ID_SIZE);
    assert_int_equal(seal_read(bytes, size, &keyring, &got, &err), 0);
    assert_int_equal(got.encryption, want.encryption);
    assert_int_equal(got.compression, want.compression);
    assert_true(got.system_id == want.system_id && got.file_size == want.file_size &&
                got.payload_size == want.payload_size && got.created_us == want.created_us);
    assert_memory_equal(got.writer_id, want.writer_id, WRITER_ID_SIZE);
    assert_memory_equal(got.fingerprint, want.fingerprint, DIGEST_SIZE);
    assert_memory_equal(got.payload_digest, want.payload_digest, DIGEST_SIZE);
    assert_string_equal(got.name, want.name);
}

static void
the_bytes_are_those_of_the_format(void **state)
{
    static const uint8_t start[] = {
        1, 1, 2, 31, 0, 0, 0, 0, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
        0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xe2, 0x40,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb,
        0xc1, 0x78, 0x6a, 0x8c, 0xc1, 0x21, 0x1b, 0xec, 0xaa, 0xaa,
    };
    uint8_t bytes[SEAL_SIZE_MAX];
    size_t size = write_example(bytes);
    bool good = false;
    uint8_t text[16 + SEAL_SIZE_MAX];

    (void)state;
    assert_memory_equal(bytes, start, sizeof(start));
    assert_memory_equal(bytes + NAME_OFFSET, NAME, strlen(NAME));
    memcpy(text, "seawall-seal-v1\n", 16);
    memcpy(text + 16, bytes, size - 64);
    assert_int_equal(curve_ed25519_verify(key.public_half.public_key,
                                          (struct span){text, 16 + size - 64}, bytes + size - 64,
                                          &good, &err),
                     0);
    assert_true(good);
}

static void
any_flipped_bit_and_any_other_length_is_refused(void **state)
{
    uint8_t bytes[SEAL_SIZE_MAX + 1] = {0};
    size_t size = write_example(bytes);
    struct seal seal;

    (void)state;
    for (size_t i = 0; i < size * 8; i++) {
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(seal_read(bytes, size, &keyring, &seal, &err), -1);
        assert_true(err.kind == ERR_CORRUPT || err.kind == ERR_CONFIG);
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t length = 0; length <= sizeof(bytes); length++)
        assert_int_equal(seal_read(bytes, length, &keyring, &seal, &err), length == size ? 0 : -1);
}

static void
what_the_format_does_not_have_is_refused_though_signed(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
        enum err_kind kind;
    } table[] = {
        {0, 2, ERR_CONFIG},      {0, 0, ERR_CORRUPT},    {1, 2, ERR_CORRUPT},
        {2, 3, ERR_CORRUPT},     {7, 1, ERR_CORRUPT},    {4, 0x80, ERR_CORRUPT},
        {20, 0x41, ERR_CORRUPT}, {112, 0, ERR_CORRUPT},  {115, '\n', ERR_CORRUPT},
        {115, ' ', ERR_CORRUPT}, {142, 0x7f, ERR_CORRUPT}, {16, 1, ERR_CORRUPT},
    };
    struct seal seal;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        uint8_t bytes[SEAL_SIZE_MAX];
        size_t size = write_example(bytes);

        bytes[table[i].offset] = table[i].value;
        sign(bytes, size);
        err_clear(&err);
        assert_int_equal(seal_read(bytes, size, &keyring, &seal, &err), -1);
        assert_int_equal(err.kind, table[i].kind);
    }
}

static void
the_digest_of_a_beginning_is_sealed_behind_the_name(void **state)
{
    uint8_t bytes[SEAL_SIZE_MAX];
    struct seal seal = example();
    struct seal got;
    size_t size = 0;
    size_t at = NAME_OFFSET + strlen(NAME);

    (void)state;
    seal.front_size = 65568;
    memset(seal.front_digest, 0xdd, DIGEST_SIZE);
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), 0);
    assert_int_equal(size, 212 + strlen(NAME));
    assert_memory_equal(bytes + 4, "\0\0\0\1", 4);
    assert_memory_equal(bytes + at, "\0\1\0\x20", 4);
    assert_memory_equal(bytes + at + 4, seal.front_digest, DIGEST_SIZE);
    assert_int_equal(seal_read(bytes, size, &keyring, &got, &err), 0);
    assert_int_equal(got.front_size, 65568);
    assert_memory_equal(got.front_digest, seal.front_digest, DIGEST_SIZE);
    assert_string_equal(got.name, NAME);
    for (size_t i = 0; i < size * 8; i++) {
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(seal_read(bytes, size, &keyring, &got, &err), -1);
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    /* None, or more than there is, though signed. */
    memset(bytes + at, 0, 4);
    sign(bytes, size);
    assert_int_equal(seal_read(bytes, size, &keyring, &got, &err), -1);
    memset(bytes + at, 0xff, 4);
    sign(bytes, size);
    assert_int_equal(seal_read(bytes, size, &keyring, &got, &err), -1);
    seal.front_size = (uint32_t)seal.payload_size + 1;
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), -1);
}

static void
an_unknown_writer_is_named(void **state)
{
    uint8_t bytes[SEAL_SIZE_MAX];
    size_t size = write_example(bytes);
    AUTO(keyring) struct keyring other = KEYRING_INIT;
    struct writer_key stranger;
    struct seal seal;

    (void)state;
    assert_int_equal(seal_read(bytes, size, &other, &seal, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "c1786a8cc1211bec"));

    /* Another key of the same id does not verify; with the right one beside it, all is well. */
    assert_int_equal(writer_key_generate(&stranger, &err), 0);
    memcpy(stranger.public_half.id, key.public_half.id, WRITER_ID_SIZE);
    assert_int_equal(keyring_add_writer(&other, &stranger.public_half, &err), 0);
    assert_int_equal(seal_read(bytes, size, &other, &seal, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(keyring_add_writer(&other, &key.public_half, &err), 0);
    assert_int_equal(seal_read(bytes, size, &other, &seal, &err), 0);
}

static void
names_of_every_length_are_sealed_and_no_others(void **state)
{
    uint8_t bytes[SEAL_SIZE_MAX];
    struct seal seal = example();
    struct seal back;
    size_t size = 0;

    (void)state;
    memset(seal.name, 'n', SEAL_NAME_MAX);
    seal.name[SEAL_NAME_MAX] = '\0';
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), 0);
    assert_int_equal(size, SEAL_SIZE_MAX - 36);
    assert_int_equal(seal_read(bytes, size, &keyring, &back, &err), 0);
    assert_string_equal(back.name, seal.name);
    seal.name[1] = '\0';
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), 0);
    assert_int_equal(size, SEAL_SIZE_MIN);
    assert_int_equal(seal_read(bytes, size, &keyring, &back, &err), 0);
    seal.name[0] = '\n';
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), -1);
    seal.name[0] = '\0';
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), -1);
    memset(seal.name, 'n', sizeof(seal.name));
    assert_int_equal(seal_write(&seal, &key, bytes, &size, &err), -1);
}

static void
the_fingerprint_is_that_of_the_format(void **state)
{
    /* Python: hmac(k_fp, u16 length || name || sha256(b"the file")) */
    static const char want[] = "f959822c060058f672280517c63bcc88d978fb4de40b75a207ba393dfb740ae4";
    const struct span file = {(const uint8_t *)"the file", 8};
    uint8_t digest[DIGEST_SIZE];
    uint8_t fingerprint[DIGEST_SIZE];
    char text[2 * DIGEST_SIZE + 1];

    (void)state;
    assert_int_equal(digest_sha256(&file, 1, digest, &err), 0);
    assert_int_equal(seal_fingerprint(&key, NAME, digest, fingerprint, &err), 0);
    assert_string_equal(hex_text(fingerprint, DIGEST_SIZE, text), want);
}

static void
equal_fingerprints_are_the_same_and_one_writers_others_are_not(void **state)
{
    static const struct {
        bool other_fingerprint;
        bool other_writer;
        bool other_size;
        enum seal_content want;
    } cases[] = {
        {false, false, false, SEAL_SAME},  {false, true, false, SEAL_SAME},
        {true, false, false, SEAL_OTHER},  {true, false, true, SEAL_OTHER},
        {true, true, true, SEAL_OTHER},    {true, true, false, SEAL_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct seal one = example();
        struct seal other = example();

        /* What two runs differ in all the same. */
        other.created_us++;
        other.payload_size++;
        other.payload_digest[0] ^= 1;
        other.compression = COMPRESSION_LZ4;
        other.fingerprint[DIGEST_SIZE - 1] ^= cases[i].other_fingerprint;
        other.writer_id[0] ^= cases[i].other_writer;
        other.file_size += cases[i].other_size;
        assert_int_equal(seal_compare(&one, &other), cases[i].want);
        assert_int_equal(seal_compare(&other, &one), cases[i].want);
    }
}

static void
a_seal_is_told_by_writer_fingerprint_and_time(void **state)
{
    struct seal seal = example();
    char text[SEAL_TEXT_SIZE];

    (void)state;
    seal.created_us = 0;
    memset(seal.writer_id, 0x1f, sizeof(seal.writer_id));
    assert_string_equal(seal_text(&seal, text),
                        "writer 1f1f1f1f1f1f1f1f, fingerprint aaaaaaaaaaaaaaaa, "
                        "created 1970-01-01T00:00:00Z");
}

static int
set_up(void **state)
{
    static const char text[] =
        "SEAWALL-WRITER-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S4KWUW6";

    (void)state;
    if (writer_key_parse(text, strlen(text), "w", &key, &err) < 0)
        return -1;
    return keyring_add_writer(&keyring, &key.public_half, &err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seal_is_read_as_it_was_written),
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(any_flipped_bit_and_any_other_length_is_refused),
        cmocka_unit_test(what_the_format_does_not_have_is_refused_though_signed),
        cmocka_unit_test(the_digest_of_a_beginning_is_sealed_behind_the_name),
        cmocka_unit_test(an_unknown_writer_is_named),
        cmocka_unit_test(names_of_every_length_are_sealed_and_no_others),
        cmocka_unit_test(the_fingerprint_is_that_of_the_format),
        cmocka_unit_test(equal_fingerprints_are_the_same_and_one_writers_others_are_not),
        cmocka_unit_test(a_seal_is_told_by_writer_fingerprint_and_time),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
