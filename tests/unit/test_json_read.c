/* SPDX-License-Identifier: PostgreSQL */
#include "base/json_read.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const struct json_read_bounds bounds = {.size = 4096, .depth = 4};

static int
parse(const char *text, size_t size, struct json_t **ret, struct err *err)
{
    /* Exactly as large as the text, so that a sanitizer sees every byte read past it. */
    char *copy = malloc(size == 0 ? 1 : size);

    assert_non_null(copy);
    memcpy(copy, text, size);
    *err = ERR_INIT;
    int rc = json_read_object(copy, size, &bounds, ret, err);
    free(copy);
    return rc;
}

static struct json_t *
parsed(const char *text)
{
    struct json_t *document = NULL;
    struct err err;

    if (parse(text, strlen(text), &document, &err) != 0)
        fail_msg("%s: %s", err.text, text);
    return document;
}

static void
assert_refused(const char *text, size_t size, const char *reason)
{
    struct json_t *document = NULL;
    struct err err;

    if (parse(text, size, &document, &err) != -1)
        fail_msg("accepted: %s", text);
    assert_null(document);
    assert_int_equal(err.kind, ERR_CORRUPT);
    if (strstr(err.text, reason) == NULL)
        fail_msg("no \"%s\" in: %s", reason, err.text);
}

static void
what_is_not_one_object_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } bad[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"[]", "not a JSON object"},
        {"1", "not JSON"},
        {"{} {}", "not JSON"},
        {"{\"a\":1,}", "not JSON"},
        {"{a:1}", "not JSON"},
        {"{\"a\":01}", "not JSON"},
        {"{\"a\":+1}", "not JSON"},
        {"{\"a\":NaN}", "not JSON"},
        {"{\"a\":9223372036854775808}", "not JSON"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{\"a\":\"\\u0000\"}", "not JSON"},
        {"{\"\\u0000\":1}", "not JSON"},
        {"{\"a\":\"\\ud800\"}", "not JSON"},
        {"{\"a\":\"\xff\"}", "not JSON"},
        {"{\"a\":\"\n\"}", "not JSON"},
        {"{\"a\":1} // comment", "not JSON"},
        {"{\"a\":{\"b\":[[[1]]]}}", "nests deeper than 4"},
        {"[[[[[[[[[[[[[[", "nests deeper than 4"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_refused(bad[i].text, strlen(bad[i].text), bad[i].reason);
    assert_refused("{\"a\":1}\0", 8, "not JSON");
    assert_refused("{\"a\0\":1}", 8, "not JSON");
}

static void
brackets_in_strings_do_not_nest(void **state)
{
    struct err err = ERR_INIT;
    const char *text = NULL;
    AUTO(json_document)
    struct json_t *document = parsed("{\"[[[[[[\":\"\\\"{{{{{{\\\\\",\"b\":[[[]]]}");

    (void)state;
    assert_int_equal(
        json_read_string(json_read_member(document, "[[[[[["), "x", 0, 20, &text, &err), 0);
    assert_string_equal(text, "\"{{{{{{\\");
}

static void
a_text_may_be_as_large_as_its_bound(void **state)
{
    char text[4097];
    struct json_t *document = NULL;
    struct err err;

    (void)state;
    memset(text, ' ', sizeof(text));
    text[0] = '{';
    text[1] = '}';
    assert_int_equal(parse(text, 4096, &document, &err), 0);
    json_read_free(document);
    assert_refused(text, 4097, "has 4097 bytes, more than 4096");
}

#define ALL_TYPES                                                                                  \
    "{\"o\":{\"x\":1},\"a\":[1,\"two\"],\"s\":\"text\",\"i\":-7,\"r\":1.0,\"t\":true,\"f\":false," \
    "\"n\":null}"

static void
members_are_read_as_what_they_are(void **state)
{
    AUTO(json_document) struct json_t *document = parsed(ALL_TYPES);
    struct err err = ERR_INIT;
    const char *text = NULL;
    int64_t number = 0;
    size_t length = 0;
    bool yes = false;
    bool no = true;

    (void)state;
    assert_int_equal(json_read_is_object(json_read_member(document, "o"), "o", &err), 0);
    assert_int_equal(json_read_array(json_read_member(document, "a"), "a", 2, 2, &length, &err), 0);
    assert_int_equal(length, 2);
    const struct json_t *second = json_read_element(json_read_member(document, "a"), 1);
    assert_int_equal(json_read_string(second, "a", 3, 3, &text, &err), 0);
    assert_string_equal(text, "two");
    assert_null(json_read_element(json_read_member(document, "a"), 2));
    assert_int_equal(json_read_integer(json_read_member(document, "i"), "i", -7, -7, &number, &err),
                     0);
    assert_int_equal(number, -7);
    assert_int_equal(json_read_bool(json_read_member(document, "t"), "t", &yes, &err), 0);
    assert_int_equal(json_read_bool(json_read_member(document, "f"), "f", &no, &err), 0);
    assert_true(yes && !no);
    assert_null(json_read_member(document, "none"));
    assert_null(json_read_member(json_read_member(document, "i"), "x"));
}

static void
extreme_integers_are_read(void **state)
{
    AUTO(json_document)
    struct json_t *document = parsed("{\"a\":-9223372036854775808,\"b\":9223372036854775807}");
    struct err err = ERR_INIT;
    int64_t number = 0;

    (void)state;
    assert_int_equal(json_read_integer(json_read_member(document, "a"), "a", INT64_MIN, INT64_MAX,
                                       &number, &err),
                     0);
    assert_true(number == INT64_MIN);
    assert_int_equal(json_read_integer(json_read_member(document, "b"), "b", INT64_MIN, INT64_MAX,
                                       &number, &err),
                     0);
    assert_true(number == INT64_MAX);
}

static void
assert_says(int rc, const struct err *err, const char *text)
{
    assert_int_equal(rc, -1);
    assert_int_equal(err->kind, ERR_CORRUPT);
    assert_string_equal(err->text, text);
}

static void
what_is_not_as_wanted_is_named(void **state)
{
    AUTO(json_document) struct json_t *document = parsed(ALL_TYPES);
    const struct json_t *string = json_read_member(document, "s");
    const struct json_t *integer = json_read_member(document, "i");
    const struct json_t *array = json_read_member(document, "a");
    struct err err = ERR_INIT;
    const char *text = "untouched";
    int64_t number = 5;
    size_t length = 5;
    bool yes = true;

    (void)state;
    assert_says(json_read_integer(NULL, "i", 0, 1, &number, &err), &err, "\"i\" is missing");
    assert_says(json_read_integer(string, "s", 0, 1, &number, &err), &err,
                "\"s\" is a string, wanted an integer");
    assert_says(json_read_integer(json_read_member(document, "r"), "r", 0, 1, &number, &err), &err,
                "\"r\" is a number that is not an integer, wanted an integer");
    assert_says(json_read_integer(integer, "i", -6, 1, &number, &err), &err,
                "\"i\" is -7, wanted -6 to 1");
    assert_says(json_read_integer(integer, "i", -9, -8, &number, &err), &err,
                "\"i\" is -7, wanted -9 to -8");
    assert_says(json_read_bool(json_read_member(document, "n"), "n", &yes, &err), &err,
                "\"n\" is null, wanted true or false");
    assert_says(json_read_bool(NULL, "t", &yes, &err), &err, "\"t\" is missing");
    assert_says(json_read_string(integer, "i", 0, 9, &text, &err), &err,
                "\"i\" is an integer, wanted a string");
    assert_says(json_read_string(string, "s", 0, 3, &text, &err), &err,
                "\"s\" has 4 bytes, wanted 0 to 3");
    assert_says(json_read_string(string, "s", 5, 9, &text, &err), &err,
                "\"s\" has 4 bytes, wanted 5 to 9");
    assert_says(json_read_array(json_read_member(document, "o"), "o", 0, 9, &length, &err), &err,
                "\"o\" is an object, wanted an array");
    assert_says(json_read_array(array, "a", 0, 1, &length, &err), &err,
                "\"a\" has 2 elements, wanted 0 to 1");
    assert_says(json_read_is_object(array, "a", &err), &err, "\"a\" is an array, wanted an object");
    assert_string_equal(text, "untouched");
    assert_true(number == 5 && length == 5 && yes);
}

static int
note_key(void *context, const char *key, const struct json_t *value, struct err *err)
{
    char *keys = context;

    assert_non_null(value);
    if (strcmp(key, "stop") == 0)
        return err_set(err, ERR_CORRUPT, "stopped");
    (void)strcat(keys, key);
    return 0;
}

static void
members_are_visited_in_the_order_of_the_text(void **state)
{
    AUTO(json_document) struct json_t *document = parsed("{\"z\":1,\"a\":2,\"m\":3}");
    AUTO(json_document) struct json_t *other = parsed("{\"z\":1,\"stop\":2,\"m\":3}");
    struct err err = ERR_INIT;
    char keys[8] = "";

    (void)state;
    assert_int_equal(json_read_each(document, note_key, keys, &err), 0);
    assert_string_equal(keys, "zam");
    keys[0] = '\0';
    assert_int_equal(json_read_each(other, note_key, keys, &err), -1);
    assert_string_equal(keys, "z");
}

static void
what_is_written_on_a_line_is_read_again(void **state)
{
    AUTO(json) struct json *json = json_new();
    AUTO(buf) struct buf line = BUF_INIT(100);
    AUTO(buf) struct buf narrow = BUF_INIT(5);
    struct err err = ERR_INIT;

    (void)state;
    json_add_text(json, "text", "a\n\"\\");
    json_open_array(json, "list");
    json_add_number(json, NULL, INT64_MIN);
    json_add_bool(json, NULL, true);
    json_close(json);
    assert_int_equal(buf_append_text(&line, "> ", &err), 0);
    assert_int_equal(json_write(json, &line, &err), 0);
    assert_string_equal(buf_text(&line, &err),
                        "> {\"text\":\"a\\n\\\"\\\\\",\"list\":[-9223372036854775808,true]}");
    assert_int_equal(json_write(json, &narrow, &err), BUF_FULL);
    assert_int_equal(narrow.size, 0);
    json_fail(json);
    assert_int_equal(json_write(json, &line, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_one_object_is_refused),
        cmocka_unit_test(brackets_in_strings_do_not_nest),
        cmocka_unit_test(a_text_may_be_as_large_as_its_bound),
        cmocka_unit_test(members_are_read_as_what_they_are),
        cmocka_unit_test(extreme_integers_are_read),
        cmocka_unit_test(what_is_not_as_wanted_is_named),
        cmocka_unit_test(members_are_visited_in_the_order_of_the_text),
        cmocka_unit_test(what_is_written_on_a_line_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
