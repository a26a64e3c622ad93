/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "codec/age_wrap.h"
#include "codec/hedge.h"

static struct err err;

static void
assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char text[2 * DIGEST_SIZE + 1];

    assert_string_equal(hex_text(bytes, size, text), expected);
}

/* The expected values come from Python's hashlib and hmac. */
static void
keys_and_nonces_are_those_of_the_format(void **state)
{
    static const char seed[] =
        "SEAWALL-WRITER-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S4KWUW6";
    const struct span file = {(const uint8_t *)"the file", 8};
    uint8_t random[HEDGE_RANDOM_SIZE];
    uint8_t digest[DIGEST_SIZE];
    uint8_t result[DIGEST_SIZE];
    struct writer_key key;
    struct digest_secret base;
    struct age_recipient recipient;
    struct hedge_context context = {
        .name = {(const uint8_t *)"main/1/history/00000002.history", 31},
        .file_digest = digest,
        .compression = 1,
        .level = 3,
        .library_version = 10904,
        .index_version = 7,
        .index = {(const uint8_t *)"the index", 9},
    };

    (void)state;
    memset(random, 0x5a, sizeof(random));
    memset(recipient.public_key, 9, KEY_SIZE);
    assert_int_equal(writer_key_parse(seed, strlen(seed), "w", &key, &err), 0);
    assert_int_equal(digest_sha256(&file, 1, digest, &err), 0);
    assert_int_equal(hedge_begin(&key, random, &context, &base, &err), 0);
    assert_hex(base.bytes, DIGEST_SIZE,
               "37e9fd94fcd2c32fe5d89fa455b7b7d0d68bb9b7556f239839aa0c672cdc1788");
    assert_int_equal(hedge_file_key(&base, result, &err), 0);
    assert_hex(result, HEDGE_KEY_SIZE, "3a9d4e74b708913a70c15b94728242ab");
    assert_int_equal(hedge_nonce(&base, result, &err), 0);
    assert_hex(result, HEDGE_KEY_SIZE, "f2af48c76eec8bf0145b8674a9c92e10");
    assert_int_equal(hedge_ephemeral(&base, 2, &recipient, result, &err), 0);
    assert_hex(result, DIGEST_SIZE,
               "a1e8e063f5fe074c905b88274cc5fd28fffad48650d5307e9f203b3de3ef2952");
}

static void
header_and_stream_keys_are_those_of_age(void **state)
{
    uint8_t bytes[32];
    uint8_t result[DIGEST_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(
        age_wrap_mac(bytes, (struct span){(const uint8_t *)"text", 4}, result, &err), 0);
    assert_hex(result, DIGEST_SIZE,
               "7a94775c56d432072c79f88a41ec4ad7973c862920bbd55d4699726a63358292");
    assert_int_equal(age_wrap_stream_key(bytes, bytes + 16, result, &err), 0);
    assert_hex(result, DIGEST_SIZE,
               "a9b6b2f491423ef997e866099d8ab29f171b0374a41426b361d50625ffa8044b");
}

static void
a_share_of_low_order_is_refused_on_both_sides(void **state)
{
    static const struct age_stanza zero_share;
    static const struct age_recipient zero_recipient;
    uint8_t file_key[AGE_FILE_KEY_SIZE] = {1};
    uint8_t secret[KEY_SIZE] = {2};
    struct age_identity identity;
    struct age_stanza stanza;

    (void)state;
    assert_int_equal(age_identity_generate(&identity, &err), 0);
    assert_int_equal(age_wrap_open(&zero_share, &identity, file_key, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(age_wrap_seal(file_key, &zero_recipient, secret, &stanza, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_nonces_are_those_of_the_format),
        cmocka_unit_test(header_and_stream_keys_are_those_of_age),
        cmocka_unit_test(a_share_of_low_order_is_refused_on_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
