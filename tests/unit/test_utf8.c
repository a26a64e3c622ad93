/* SPDX-License-Identifier: PostgreSQL */
#include "base/utf8.h"

#include "cmocka_all.h"

#include <string.h>

#include "base/macros.h"

struct sample {
    const char *text;
    size_t length;
};

#define TEXT(literal) {(literal), sizeof(literal) - 1}

static void
utf8_is_utf8(void **state)
{
    static const struct sample good[] = {
        TEXT(""),
        TEXT("base/16384"),
        TEXT("\0 and \x7f"),
        TEXT("\xc2\x80\xdf\xbf"),
        TEXT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
        TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (!utf8_valid(good[i].text, good[i].length))
            fail_msg("sample %zu", i);
}

static void
anything_else_is_not(void **state)
{
    static const struct sample bad[] = {
        TEXT("\x80"),
        TEXT("\xc0\x80"),
        TEXT("\xc1\xbf"),
        TEXT("\xc2"),
        TEXT("a\xc2z"),
        TEXT("\xe0\x9f\xbf"),
        TEXT("\xe2\x82"),
        TEXT("\xe2\x82z"),
        TEXT("\xed\xa0\x80"),
        TEXT("\xf0\x8f\xbf\xbf"),
        TEXT("\xf0\x9f\x98"),
        TEXT("\xf4\x90\x80\x80"),
        TEXT("\xf5\x80\x80\x80"),
        TEXT("\xff"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (utf8_valid(bad[i].text, bad[i].length))
            fail_msg("sample %zu", i);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_utf8),
        cmocka_unit_test(anything_else_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
