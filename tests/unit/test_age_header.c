/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/age_header.h"
#include "codec/base64.h"

#define VERSION "age-encryption.org/v1\n"
#define SEAL "-> seawall-seal 1\nc2VhbA\n"
#define SHARE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define X25519 "-> X25519 " SHARE "\n" SHARE "\n"
#define MAC "--- " SHARE "\n"
#define FULL_LINE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"

static struct err err;

static int
read_text(const char *text, struct age_header *header)
{
    return age_header_read(text, strlen(text), header, &err);
}

static void
a_header_is_read_and_written_alike(void **state)
{
    static const char text[] = VERSION SEAL X25519 X25519 MAC "payload";
    struct age_header header;
    AUTO(buf) struct buf back = BUF_INIT(AGE_HEADER_MAX);

    (void)state;
    assert_int_equal(read_text(text, &header), 0);
    assert_int_equal(header.seal_size, 4);
    assert_memory_equal(header.seal, "seal", 4);
    assert_int_equal(header.n_stanzas, 2);
    assert_int_equal(header.size, strlen(text) - strlen("payload"));
    assert_int_equal(age_header_write(&header, &back, &err), 0);
    assert_int_equal(back.size, header.mac_covers);
    assert_int_equal(age_header_write_mac(header.mac, &back, &err), 0);
    assert_int_equal(back.size, header.size);
    assert_memory_equal(back.data, text, back.size);
}

static void
seals_of_every_length_are_read_and_written_alike(void **state)
{
    (void)state;
    for (size_t size = 0; size <= SEAL_SIZE_MAX; size++) {
        struct age_header header = {.seal_size = size, .n_stanzas = 1};
        struct age_header back;
        AUTO(buf) struct buf text = BUF_INIT(AGE_HEADER_MAX);

        memset(header.seal, 0xa5, size);
        assert_int_equal(age_header_write(&header, &text, &err), 0);
        assert_int_equal(age_header_write_mac(header.mac, &text, &err), 0);
        assert_int_equal(age_header_read(text.data, text.size, &back, &err), 0);
        assert_int_equal(back.seal_size, size);
        assert_memory_equal(back.seal, header.seal, size);
        for (size_t cut = 0; cut < text.size; cut++)
            assert_int_equal(age_header_read(text.data, cut, &back, &err), -1);
    }
}

static void
stanzas_of_other_types_are_passed_over(void **state)
{
    static const char *const table[] = {
        VERSION SEAL "-> grease\n\n" X25519 MAC,
        VERSION SEAL X25519 "-> scrypt a b\nAAAA\n" MAC,
        VERSION SEAL X25519 "-> x\n" FULL_LINE FULL_LINE "\n" MAC,
    };
    struct age_header header;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        assert_int_equal(read_text(table[i], &header), 0);
        assert_true(header.has_foreign);
        assert_int_equal(header.n_stanzas, 1);
    }
}

static void
malformed_headers_are_refused(void **state)
{
    static const char *const table[] = {
        "",
        "age-encryption.org/v2\n" SEAL X25519 MAC,
        VERSION X25519 SEAL MAC,
        VERSION X25519 MAC,
        VERSION SEAL MAC,
        VERSION SEAL SEAL X25519 MAC,
        VERSION SEAL X25519 SEAL MAC,
        VERSION SEAL X25519 "-> seawall-seal\n\n" MAC,
        VERSION SEAL X25519,
        VERSION SEAL X25519 "---\n",
        VERSION SEAL X25519 "--- \n",
        VERSION SEAL X25519 "--- " SHARE "A\n",
        VERSION SEAL X25519 "--- " SHARE "=\n",
        VERSION SEAL X25519 "--- " SHARE " \n",
        VERSION SEAL X25519 "--- " SHARE "\r\n",
        VERSION SEAL X25519 "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n",
        VERSION SEAL X25519 "--- " SHARE,
        VERSION SEAL "-> X25519\n" SHARE "\n" MAC,
        VERSION SEAL "-> X25519 " SHARE " x\n" SHARE "\n" MAC,
        VERSION SEAL "-> X25519 " SHARE " \n" SHARE "\n" MAC,
        VERSION SEAL "->  X25519 " SHARE "\n" SHARE "\n" MAC,
        VERSION SEAL "-> X25519  " SHARE "\n" SHARE "\n" MAC,
        VERSION SEAL "-> X25519 AAAA\n" SHARE "\n" MAC,
        VERSION SEAL "-> X25519 " SHARE "\nAAAA\n" MAC,
        VERSION SEAL "-> X25519 " SHARE "\n" FULL_LINE "\n" MAC,
        VERSION SEAL "-> X25519 " SHARE "\n\n" SHARE "\n" MAC,
        VERSION SEAL "-> \n\n" X25519 MAC,
        VERSION SEAL "-> a\tb\n\n" X25519 MAC,
        VERSION SEAL "-> a\nAB\nC\n" X25519 MAC,
        VERSION SEAL "-> a\nA\n" X25519 MAC,
        VERSION "-> seawall-seal 1\nc2VhbB\n" X25519 MAC,
        VERSION "-> seawall-seal\n\n" X25519 MAC,
    };
    struct age_header header;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        err_clear(&err);
        assert_int_equal(read_text(table[i], &header), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    assert_int_equal(read_text(VERSION "-> seawall-seal 2\n\n" X25519 MAC, &header), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void
the_limits_of_the_format_hold(void **state)
{
    struct age_header header;
    AUTO(buf) struct buf text = BUF_INIT(4 * AGE_HEADER_MAX);
    static const char line[] = FULL_LINE;

    (void)state;
    assert_int_equal(buf_append_text(&text, VERSION SEAL, &err), 0);
    for (int i = 0; i < KEYS_MAX; i++)
        assert_int_equal(buf_append_text(&text, X25519, &err), 0);
    size_t full = text.size;
    assert_int_equal(buf_append_text(&text, MAC, &err), 0);
    assert_int_equal(age_header_read(text.data, text.size, &header, &err), 0);
    assert_int_equal(header.n_stanzas, KEYS_MAX);
    text.size = full;
    assert_int_equal(buf_append_text(&text, X25519 MAC, &err), 0);
    assert_int_equal(age_header_read(text.data, text.size, &header, &err), -1);

    text.size = full;
    assert_int_equal(buf_append_text(&text, "-> long\n", &err), 0);
    size_t filled = text.size;
    while (text.size + strlen(line) + strlen("\n" MAC) <= AGE_HEADER_MAX)
        assert_int_equal(buf_append_text(&text, line, &err), 0);
    size_t most = text.size;
    assert_true(most > filled);
    assert_int_equal(buf_append_text(&text, "\n" MAC, &err), 0);
    assert_int_equal(age_header_read(text.data, text.size, &header, &err), 0);
    text.size = most;
    assert_int_equal(buf_append_text(&text, FULL_LINE "\n" MAC, &err), 0);
    assert_int_equal(age_header_read(text.data, text.size, &header, &err), -1);
}

static void
base64_has_one_text_for_each_sequence_of_bytes(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            const char text[] = {(char)first, (char)second};
            char back[BASE64_LENGTH(1)];
            uint8_t byte[1];
            size_t size = 0;

            if (base64_read(text, sizeof(text), byte, sizeof(byte), &size)) {
                assert_int_equal(size, 1);
                base64_write(byte, size, back);
                assert_memory_equal(back, text, sizeof(text));
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read_and_written_alike),
        cmocka_unit_test(seals_of_every_length_are_read_and_written_alike),
        cmocka_unit_test(stanzas_of_other_types_are_passed_over),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(the_limits_of_the_format_hold),
        cmocka_unit_test(base64_has_one_text_for_each_sequence_of_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
