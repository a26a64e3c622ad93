/* SPDX-License-Identifier: PostgreSQL */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"

#define PRINTED_MAX 4096

/* Print into a pipe in place of stdout; what came out, as text. */
static int
printed(const struct json *json, char *ret_text, struct err *err)
{
    int ends[2];
    int saved = dup(STDOUT_FILENO);

    assert_true(saved >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
    assert_int_equal(close(ends[1]), 0);
    int rc = json_print(json, err);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(close(saved), 0);

    size_t used = 0;
    ssize_t n = 0;
    while ((n = read(ends[0], ret_text + used, PRINTED_MAX - 1 - used)) > 0)
        used += (size_t)n;
    ret_text[used] = '\0';
    assert_int_equal(close(ends[0]), 0);
    return rc;
}

static void
a_document_is_printed_in_the_order_it_was_built(void **state UNUSED)
{
    char text[PRINTED_MAX];
    struct err err = ERR_INIT;
    AUTO(json) struct json *json = json_new();

    json_add_text(json, "z", "a \"quoted\" text\n");
    json_add_text(json, "none", NULL);
    json_open_array(json, "list");
    json_add_number(json, NULL, INT64_MIN);
    json_add_number(json, NULL, INT64_MAX);
    json_open_object(json, NULL);
    json_add_bool(json, "yes", true);
    json_add_bool(json, "no", false);
    json_close(json);
    json_close(json);
    json_add_text(json, "a", "last");
    assert_int_equal(printed(json, text, &err), 0);
    assert_string_equal(text, "{\n"
                              "  \"z\": \"a \\\"quoted\\\" text\\n\",\n"
                              "  \"none\": null,\n"
                              "  \"list\": [\n"
                              "    -9223372036854775808,\n"
                              "    9223372036854775807,\n"
                              "    {\n"
                              "      \"yes\": true,\n"
                              "      \"no\": false\n"
                              "    }\n"
                              "  ],\n"
                              "  \"a\": \"last\"\n"
                              "}\n");
}

static void
text_that_is_not_utf8_is_quoted(void **state UNUSED)
{
    char text[PRINTED_MAX];
    struct err err = ERR_INIT;
    AUTO(json) struct json *json = json_new();

    json_add_text(json, "bad", "a\xff\"b");
    json_add_text(json, "good", "\xc3\xa4");
    assert_int_equal(printed(json, text, &err), 0);
    assert_non_null(strstr(text, "\"a\\\\xff\\\\x22b\""));
    assert_non_null(strstr(text, "\"\xc3\xa4\""));
}

static void
wrong_nesting_is_reported_once_and_prints_nothing(void **state UNUSED)
{
    char text[PRINTED_MAX];

    for (int kind = 0; kind < 5; kind++) {
        struct err err = ERR_INIT;
        AUTO(json) struct json *json = json_new();

        if (kind == 0) {
            json_close(json); /* of the root */
        } else if (kind == 1) {
            json_open_array(json, "never closed");
        } else if (kind == 2) {
            json_add_text(json, NULL, "a member without a key");
        } else if (kind == 3) {
            json_open_array(json, "a");
            json_add_number(json, "an element with a key", 1);
            json_close(json);
        } else {
            for (int i = 0; i < 20; i++)
                json_open_object(json, "deeper");
            for (int i = 0; i < 20; i++)
                json_close(json);
        }
        json_add_bool(json, "more", true);
        assert_int_equal(printed(json, text, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_string_equal(text, "");
    }
}

static void
a_document_that_could_not_be_made_is_an_error(void **state UNUSED)
{
    struct err err = ERR_INIT;

    assert_int_equal(json_print(NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    json_free(NULL);
}

static void
adding_to_nothing_does_nothing(void **state UNUSED)
{
    json_open_array(NULL, "a");
    json_open_object(NULL, NULL);
    json_add_text(NULL, "t", "x");
    json_add_number(NULL, "n", 1);
    json_add_bool(NULL, "b", true);
    json_close(NULL);
    json_close(NULL);
    json_fail(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_printed_in_the_order_it_was_built),
        cmocka_unit_test(text_that_is_not_utf8_is_quoted),
        cmocka_unit_test(wrong_nesting_is_reported_once_and_prints_nothing),
        cmocka_unit_test(a_document_that_could_not_be_made_is_an_error),
        cmocka_unit_test(adding_to_nothing_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
