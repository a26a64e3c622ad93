/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "codec/bech32.h"
#include "codec/keys.h"

/* Computed with Python's hashlib and hmac from the seed 00 01 02 ... 1f; the public keys by
 * arithmetic on the curve and by age-keygen -y. */
#define SEED_WRITER "SEAWALL-WRITER-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0S4KWUW6"
#define SEED_PUBLIC "swwriter1qwss00lnecgtu8tsm5vwwj7qn9n7f43snwjs6hcamjrxgyj4xxuqgpcah6"
#define SEED_IDENTITY "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG"
#define SEED_RECIPIENT "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh"

/* As age-keygen writes it. */
static const char keygen_file[] =
    "# created: 2026-11-22T16:39:32Z\n"
    "# public key: " SEED_RECIPIENT "\n" SEED_IDENTITY "\n";

static struct err err;

static void
assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char text[2 * KEY_SIZE + 1];

    assert_string_equal(hex_text(bytes, size, text), expected);
}

static void
a_writer_key_gives_the_keys_of_the_format(void **state)
{
    struct writer_key key;
    char text[KEY_TEXT_SIZE];

    (void)state;
    assert_int_equal(
        writer_key_parse(SEED_WRITER "\n", strlen(SEED_WRITER "\n"), "w", &key, &err), 0);
    assert_hex(key.seed, KEY_SIZE,
               "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    assert_hex(key.public_half.public_key, KEY_SIZE,
               "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    assert_hex(key.public_half.id, WRITER_ID_SIZE, "c1786a8cc1211bec");
    assert_hex(key.fingerprint_key, KEY_SIZE,
               "5f97b598e442c00705587f5899b9f24f0a20444a3a5269f2133064b169ee352e");
    assert_hex(key.hedge_key, KEY_SIZE,
               "2e4b7e072260ae97e8cc923ef53cd9d4def6728fe467a5d998b5a13ec68a8419");
    writer_key_text(&key, text);
    assert_string_equal(text, SEED_WRITER);
    writer_public_text(&key.public_half, text);
    assert_string_equal(text, SEED_PUBLIC);

    struct writer_public public_half;
    assert_int_equal(writer_public_parse(SEED_PUBLIC, &public_half, &err), 0);
    assert_memory_equal(&public_half, &key.public_half, sizeof(public_half));
    writer_key_done(&key);
}

static void
a_file_of_age_keygen_is_read(void **state)
{
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    char text[KEY_TEXT_SIZE];

    (void)state;
    assert_int_equal(
        keyring_add_identities(&keyring, keygen_file, strlen(keygen_file), "f", &err), 0);
    assert_int_equal(keyring.n_identities, 1);
    age_identity_text(&keyring.identities[0], text);
    assert_string_equal(text, SEED_IDENTITY);
    age_recipient_text(keyring.identities[0].public_key, text);
    assert_string_equal(text, SEED_RECIPIENT);

    struct age_recipient recipient;
    assert_int_equal(age_recipient_parse(SEED_RECIPIENT, &recipient, &err), 0);
    assert_memory_equal(recipient.public_key, keyring.identities[0].public_key, KEY_SIZE);
}

static void
several_identities_are_added_and_a_bad_file_adds_none(void **state)
{
    static const char two[] = "\n" SEED_IDENTITY "\n#\n" SEED_IDENTITY;
    static const char bad[] = SEED_IDENTITY "\nAGE-SECRET-KEY-1QQQ\n";
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;

    (void)state;
    assert_int_equal(keyring_add_identities(&keyring, two, strlen(two), "f", &err), 0);
    assert_int_equal(keyring.n_identities, 2);
    assert_int_equal(keyring_add_identities(&keyring, bad, strlen(bad), "f", &err), -1);
    assert_int_equal(keyring.n_identities, 2);
    assert_string_equal(
        err.text, "identity file \"f\", line 2: not a valid age identity (AGE-SECRET-KEY-1...)");
    for (int i = 0; i < (KEYS_MAX - 2) / 2; i++)
        assert_int_equal(keyring_add_identities(&keyring, two, strlen(two), "f", &err), 0);
    assert_int_equal(keyring_add_identities(&keyring, two, strlen(two), "f", &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(keyring.n_identities, KEYS_MAX);
}

static void
malformed_identity_files_are_refused_without_their_content(void **state)
{
    static const struct {
        const char *content;
        size_t size;
    } table[] = {
        {"", 0},
        {"# only a comment\n", 17},
        {SEED_IDENTITY "\r\n", sizeof(SEED_IDENTITY "\r\n") - 1},
        {SEED_IDENTITY "\0\n", sizeof(SEED_IDENTITY "\0\n") - 1},
        {" " SEED_IDENTITY "\n", sizeof(" " SEED_IDENTITY "\n") - 1},
        {SEED_IDENTITY " \n", sizeof(SEED_IDENTITY " \n") - 1},
        {"\xef\xbb\xbf" SEED_IDENTITY "\n", sizeof("\xef\xbb\xbf" SEED_IDENTITY "\n") - 1},
        {SEED_RECIPIENT "\n", sizeof(SEED_RECIPIENT "\n") - 1},
        {SEED_WRITER "\n", sizeof(SEED_WRITER "\n") - 1},
        {"age-secret-key-1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0swrydwg\n", 75},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        AUTO(keyring) struct keyring keyring = KEYRING_INIT;

        err_clear(&err);
        assert_int_equal(
            keyring_add_identities(&keyring, table[i].content, table[i].size, "f", &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_null(strstr(err.text, "QQQSYQCY"));
        assert_null(strstr(err.text, "qqqsyqcy"));
        assert_int_equal(keyring.n_identities, 0);
    }
}

static void
malformed_writer_keys_are_refused_without_their_content(void **state)
{
    static const char *const table[] = {
        "",
        "\n",
        SEED_WRITER "\n" SEED_WRITER "\n",
        SEED_PUBLIC "\n",
        SEED_IDENTITY "\n",
        /* The padding bits are not zero, under a right checksum. */
        "SEAWALL-WRITER-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC03GQ6FNG",
        SEED_WRITER "\r\n",
    };
    struct writer_key key;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        err_clear(&err);
        assert_int_equal(writer_key_parse(table[i], strlen(table[i]), "w", &key, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_null(strstr(err.text, "QQQSYQCY"));
    }
}

static void
public_keys_that_are_malformed_or_of_low_order_are_refused(void **state)
{
    static const char *const recipients[] = {
        "",
        "age1",
        "AGE13AQVTTDK3UJKYJH9KG2W5AN6DMY5MQ5A84A4UXK3HFHNUGFC9P0SY5P2WH",
        "Age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh",
        "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wj",
        SEED_RECIPIENT " ",
        SEED_PUBLIC,
        SEED_IDENTITY,
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
        "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
        "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9",
    };
    static const char *const writers[] = {
        "", SEED_RECIPIENT, SEED_WRITER,
        "swwriter1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqw3hqvf",
    };
    struct age_recipient recipient;
    struct writer_public writer;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(recipients); i++) {
        err_clear(&err);
        assert_int_equal(age_recipient_parse(recipients[i], &recipient, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_null(strstr(err.text, "QQQSYQCY"));
    }
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
        err_clear(&err);
        assert_int_equal(writer_public_parse(writers[i], &writer, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_null(strstr(err.text, "QQQSYQCY"));
    }
}

static void
any_changed_character_of_a_key_is_noticed(void **state)
{
    static const char good[] = SEED_RECIPIENT;
    uint8_t key[BECH32_KEY_SIZE];

    (void)state;
    for (size_t i = 0; i < strlen(good); i++) {
        for (unsigned c = 0; c < 256; c++) {
            char text[sizeof(good)];

            memcpy(text, good, sizeof(good));
            text[i] = (char)c;
            assert_int_equal(bech32_read("age", text, strlen(good), key),
                             memcmp(text, good, sizeof(good)) == 0);
        }
    }
    for (size_t length = 0; length < strlen(good); length++)
        assert_false(bech32_read("age", good, length, key));
}

static void
generated_keys_differ_and_are_read_back(void **state)
{
    struct writer_key first;
    struct writer_key second;
    struct writer_key back;
    struct age_identity identity;
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    char text[KEY_TEXT_SIZE];

    (void)state;
    assert_int_equal(writer_key_generate(&first, &err), 0);
    assert_int_equal(writer_key_generate(&second, &err), 0);
    assert_memory_not_equal(first.seed, second.seed, KEY_SIZE);
    writer_key_text(&first, text);
    assert_int_equal(writer_key_parse(text, strlen(text), "w", &back, &err), 0);
    assert_memory_equal(&first, &back, sizeof(first));

    assert_int_equal(age_identity_generate(&identity, &err), 0);
    age_identity_text(&identity, text);
    assert_int_equal(keyring_add_identities(&keyring, text, strlen(text), "f", &err), 0);
    assert_memory_equal(&identity, &keyring.identities[0], sizeof(identity));
}

static void
a_keyring_holds_a_limited_number_of_writers(void **state)
{
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    struct writer_public writer = {.id = {0}};

    (void)state;
    for (int i = 0; i < KEYS_MAX; i++)
        assert_int_equal(keyring_add_writer(&keyring, &writer, &err), 0);
    assert_int_equal(keyring_add_writer(&keyring, &writer, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_key_gives_the_keys_of_the_format),
        cmocka_unit_test(a_file_of_age_keygen_is_read),
        cmocka_unit_test(several_identities_are_added_and_a_bad_file_adds_none),
        cmocka_unit_test(malformed_identity_files_are_refused_without_their_content),
        cmocka_unit_test(malformed_writer_keys_are_refused_without_their_content),
        cmocka_unit_test(public_keys_that_are_malformed_or_of_low_order_are_refused),
        cmocka_unit_test(any_changed_character_of_a_key_is_noticed),
        cmocka_unit_test(generated_keys_differ_and_are_read_back),
        cmocka_unit_test(a_keyring_holds_a_limited_number_of_writers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
