/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmocka_all.h"

static void
setting_an_error_fills_it_and_clears_the_hint(void **state UNUSED)
{
    struct err err = ERR_INIT;

    assert_int_equal(err_sys(&err, EIO, "old"), -1);
    assert_int_equal(err_hint(&err, "Do %s.", "this"), -1);
    assert_string_equal(err.hint, "Do this.");
    assert_int_equal(err_set(&err, ERR_CONFLICT, "bad \"%s\"", "x"), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.text, "bad \"x\"");
    assert_string_equal(err.hint, "");
}

static void
a_system_error_names_its_reason_and_keeps_its_number(void **state UNUSED)
{
    struct err err = ERR_INIT;

    assert_int_equal(err_sys(&err, ENOSPC, "could not write \"%s\"", "x"), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(err.sys, ENOSPC);
    assert_string_equal(err.text, "could not write \"x\": No space left on device");
    assert_int_equal(err_sys(&err, ENOMEM, "could not write \"%s\"", "x"), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_int_equal(err_sys(&err, EMFILE, "could not open \"%s\"", "x"), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_int_equal(err_memory(&err, "buffer"), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_string_equal(err.text, "out of memory (buffer)");
}

static void
wrapping_adds_a_name_and_keeps_the_rest(void **state UNUSED)
{
    struct err err = ERR_INIT;

    (void)err_sys(&err, EACCES, "could not open \"x\"");
    (void)err_hint(&err, "Look.");
    assert_int_equal(err_wrap(&err, "store \"%s\"", "paris"), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(err.sys, EACCES);
    assert_string_equal(err.text, "store \"paris\": could not open \"x\": Permission denied");
    assert_string_equal(err.hint, "Look.");
}

static void
too_long_texts_are_cut_and_stay_strings(void **state UNUSED)
{
    struct err err = ERR_INIT;
    char text[3 * ERR_TEXT_SIZE];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)err_set(&err, ERR_LOCAL, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    (void)err_sys(&err, EIO, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    (void)err_hint(&err, "%s", text);
    assert_int_equal(strlen(err.hint), ERR_HINT_SIZE - 1);
    (void)err_wrap(&err, "context");
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    assert_memory_equal(err.text, "context: xxx", 12);
    (void)err_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    err_clear(&err);
    assert_int_equal(err.kind, ERR_NONE);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.text, "");
    assert_string_equal(err.hint, "");
}

static void
every_kind_has_a_word_of_its_own(void **state UNUSED)
{
    for (int a = ERR_NONE; a <= ERR_INTERNAL; a++) {
        assert_string_not_equal(err_kind_name((enum err_kind)a), "unknown");
        for (int b = ERR_NONE; b < a; b++)
            assert_string_not_equal(err_kind_name((enum err_kind)a),
                                    err_kind_name((enum err_kind)b));
    }
    assert_string_equal(err_kind_name((enum err_kind)99), "unknown");
}

static void
foreign_text_is_made_safe_for_one_line(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t length;
        size_t size;
        const char *expected;
    } cases[] = {
        {"plain text", 10, 64, "plain text"},
        {"", 0, 64, ""},
        {"", 0, 1, ""},
        {"a\nb", 3, 64, "a\\x0ab"},
        {"a\0b", 3, 64, "a\\x00b"},
        {"\"\\", 2, 64, "\\x22\\x5c"},
        {"\x7f\xff\xc3\xa4", 4, 64, "\\x7f\\xff\\xc3\\xa4"},
        {"\033[31m%n", 7, 64, "\\x1b[31m%n"},
        /* what fits is not cut, to the last byte */
        {"abcd", 4, 5, "abcd"},
        {"abcde", 5, 5, "a..."},
        {"ab\n", 3, 7, "ab\\x0a"},
        {"ab\nc", 4, 7, "ab..."},
        {"abcdef", 6, 4, "..."},
        {"abcdef", 6, 3, ""},
        {"abcdef", 6, 1, ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[65];

        memset(text, '#', sizeof(text));
        assert_ptr_equal(err_quote(cases[i].text, cases[i].length, text, cases[i].size), text);
        assert_string_equal(text, cases[i].expected);
        for (size_t k = cases[i].size; k < sizeof(text); k++)
            assert_int_equal(text[k], '#');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_fills_it_and_clears_the_hint),
        cmocka_unit_test(a_system_error_names_its_reason_and_keeps_its_number),
        cmocka_unit_test(wrapping_adds_a_name_and_keeps_the_rest),
        cmocka_unit_test(too_long_texts_are_cut_and_stay_strings),
        cmocka_unit_test(every_kind_has_a_word_of_its_own),
        cmocka_unit_test(foreign_text_is_made_safe_for_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
