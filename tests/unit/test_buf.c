/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/buf.h"
#include "cmocka_all.h"

static void
what_is_appended_stands_in_order(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(1000);
    struct err err = ERR_INIT;

    assert_int_equal(buf_append(&buf, "ab", 2, &err), 0);
    assert_int_equal(buf_append(&buf, NULL, 0, &err), 0);
    assert_int_equal(buf_append_text(&buf, "cd", &err), 0);
    assert_int_equal(buf_printf(&buf, &err, "%d-%s", 12, "x"), 0);
    assert_int_equal(buf.size, 8);
    assert_memory_equal(buf.data, "abcd12-x", 8);
    assert_string_equal(buf_text(&buf, &err), "abcd12-x");
    assert_int_equal(buf.size, 8);
}

static void
nothing_passes_the_ceiling_and_a_refusal_changes_nothing(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(10);
    struct err err = ERR_INIT;

    assert_int_equal(buf_append(&buf, "0123456789a", 11, &err), BUF_FULL);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf_append(&buf, "0123456", 7, &err), 0);
    assert_int_equal(buf_append(&buf, "abcd", 4, &err), BUF_FULL);
    assert_int_equal(buf_append_text(&buf, "abcd", &err), BUF_FULL);
    assert_int_equal(buf_printf(&buf, &err, "%04d", 7), BUF_FULL);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX, &err), BUF_FULL);
    assert_int_equal(buf.size, 7);
    assert_memory_equal(buf.data, "0123456", 7);
    assert_int_equal(buf_append(&buf, "789", 3, &err), 0);
    assert_int_equal(buf_append(&buf, "", 0, &err), 0);
    assert_int_equal(buf_append(&buf, "x", 1, &err), BUF_FULL);
    assert_string_equal(buf_text(&buf, &err), "0123456789");
    assert_true(buf.capacity <= buf.limit + 1);
}

static void
a_buffer_without_room_takes_nothing_but_is_a_text(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(0);
    struct err err = ERR_INIT;

    assert_int_equal(buf_append(&buf, "x", 1, &err), BUF_FULL);
    assert_int_equal(buf_append(&buf, "x", 0, &err), 0);
    assert_string_equal(buf_text(&buf, &err), "");
}

static void
memory_that_cannot_be_had_is_an_error(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(SIZE_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(buf_append(&buf, "abc", 3, &err), 0);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX, &err), BUF_FULL);
    assert_int_equal(buf.size, 3);
    assert_memory_equal(buf.data, "abc", 3);
}

static void
growing_keeps_the_content(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(100000);
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7);

        assert_int_equal(buf_append(&buf, &byte, 1, &err), 0);
    }
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
}

static void
a_cleared_or_released_buffer_can_be_used_again(void **state UNUSED)
{
    struct buf buf = BUF_INIT(10);
    struct err err = ERR_INIT;

    assert_int_equal(buf_append(&buf, "0123456789", 10, &err), 0);
    buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf_append(&buf, "abc", 3, &err), 0);
    assert_string_equal(buf_text(&buf, &err), "abc");
    buf_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf_append(&buf, "de", 2, &err), 0);
    assert_string_equal(buf_text(&buf, &err), "de");
    buf_done(&buf);
    buf_done(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_stands_in_order),
        cmocka_unit_test(nothing_passes_the_ceiling_and_a_refusal_changes_nothing),
        cmocka_unit_test(a_buffer_without_room_takes_nothing_but_is_a_text),
        cmocka_unit_test(memory_that_cannot_be_had_is_an_error),
        cmocka_unit_test(growing_keeps_the_content),
        cmocka_unit_test(a_cleared_or_released_buffer_can_be_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
