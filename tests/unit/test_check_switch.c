/* SPDX-License-Identifier: PostgreSQL */
#include "archive/check_switch.h"

#include "cmocka_all.h"

#define SIZE ((uint32_t)16 << 20)

static const struct {
    uint64_t lsn;
    uint32_t timeline;
    uint32_t segment_size;
    const char *name;
} cases[] = {
    /* The end of a record somewhere in a segment; the earliest there can be. */
    {0x3000100, 1, SIZE, "000000010000000000000003"},
    {0x3000000 + 40 + 24, 1, SIZE, "000000010000000000000003"},
    /* Nothing to switch: the beginning of the current segment. */
    {0x3000000, 1, SIZE, "000000010000000000000002"},
    {0x100000000, 1, SIZE, "0000000100000000000000FF"},
    /* A record that ends with its segment: the position behind the next page header. */
    {0x3000000 + 40, 1, SIZE, "000000010000000000000002"},
    /* Other sizes and timelines. */
    {0x100000028, 0x1A, (uint32_t)1 << 20, "0000001A0000000000000FFF"},
    {0x140000100, 1, (uint32_t)1 << 30, "000000010000000100000001"},
};

static void
test_names_the_segment_that_was_finished(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wal_name name;

        assert_true(
            check_switched_segment(cases[i].lsn, cases[i].timeline, cases[i].segment_size, &name));
        assert_string_equal(name.text, cases[i].name);
        assert_int_equal(name.kind, WAL_NAME_SEGMENT);
    }
}

static void
test_refuses_positions_and_sizes_that_cannot_be(void **state)
{
    struct wal_name name;

    (void)state;
    assert_false(check_switched_segment(0, 1, SIZE, &name));
    assert_false(check_switched_segment(40, 1, SIZE, &name));
    assert_false(check_switched_segment(0x3000100, 0, SIZE, &name));
    assert_false(check_switched_segment(0x3000100, 1, SIZE + 1, &name));
    assert_false(check_switched_segment(0x3000100, 1, 0, &name));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_the_segment_that_was_finished),
        cmocka_unit_test(test_refuses_positions_and_sizes_that_cannot_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
