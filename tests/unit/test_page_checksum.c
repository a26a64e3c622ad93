/* SPDX-License-Identifier: PostgreSQL */
#include "wal/page_checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define PAGE 8192

/* Bytes that the server's own page_checksum() (pageinspect, 15.20) was given too. */
static void
fill(uint8_t *page, size_t size, unsigned step, unsigned first)
{
    for (size_t i = 0; i < size; i++)
        page[i] = (uint8_t)(i * step + first + (i >> 8));
}

/* The definition, one column after the other. */
static uint16_t
by_columns(const uint8_t *page, size_t size, uint32_t block)
{
    static const uint32_t seeds[32] = {
        0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2,
        0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c,
        0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979,
        0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e,
        0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756};
    uint32_t all = 0;

    for (size_t column = 0; column < 32; column++) {
        uint32_t sum = seeds[column];

        for (size_t row = 0; row < size / 128 + 2; row++) {
            uint32_t word = 0;

            if (row < size / 128)
                memcpy(&word, page + row * 128 + column * 4, 4);
            if (row == 0 && column == 2)
                word &= 0xffff0000;
            sum ^= word;
            sum = (sum * 16777619) ^ (sum >> 17);
        }
        all ^= sum;
    }
    return (uint16_t)((all ^ block) % 65535 + 1);
}

static void
checksums_are_those_of_the_server(void **state)
{
    static const struct {
        unsigned step;
        unsigned first;
        uint32_t block;
        uint16_t checksum;
    } cases[] = {{7, 3, 0, 34744}, {7, 3, 1, 34743}, {13, 200, 131071, 42768}};
    uint8_t page[PAGE];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fill(page, PAGE, cases[i].step, cases[i].first);
        assert_int_equal(page_checksum(page, PAGE, cases[i].block), cases[i].checksum);
    }
}

static void
every_page_size_agrees_with_the_definition(void **state)
{
    static uint8_t page[PAGE_CHECKSUM_PAGE_MAX];

    (void)state;
    for (size_t size = PAGE_CHECKSUM_PAGE_MIN; size <= PAGE_CHECKSUM_PAGE_MAX; size *= 2) {
        for (unsigned step = 1; step < 50; step += 6) {
            fill(page, size, step, step + 11);
            assert_int_equal(page_checksum(page, size, step * 100000),
                             by_columns(page, size, step * 100000));
        }
    }
}

static void
the_stored_checksum_is_not_part_of_the_sum(void **state)
{
    uint8_t page[PAGE];

    (void)state;
    fill(page, PAGE, 5, 1);
    uint16_t before = page_checksum(page, PAGE, 9);
    page[8] ^= 0xff;
    page[9] ^= 0xff;
    assert_int_equal(page_checksum(page, PAGE, 9), before);
    page[10] ^= 1;
    assert_int_not_equal(page_checksum(page, PAGE, 9), before);
}

/* A page as a relation has it: position in WAL, checksum, upper. */
static void
make_page(uint8_t *page, uint64_t lsn, uint16_t upper, uint32_t block)
{
    uint32_t words[2] = {(uint32_t)(lsn >> 32), (uint32_t)lsn};

    fill(page, PAGE, 3, 7);
    memcpy(page, words, sizeof(words));
    memcpy(page + 14, &upper, sizeof(upper));
    uint16_t sum = page_checksum(page, PAGE, block);
    memcpy(page + 8, &sum, sizeof(sum));
}

static void
pages_are_judged_by_the_rule_of_base_backups(void **state)
{
    uint8_t page[PAGE];

    (void)state;
    make_page(page, 0x100000028, 8000, 5);
    assert_int_equal(page_checksum_judge(page, PAGE, 5, 0x100000029), PAGE_GOOD);
    assert_int_equal(page_checksum_judge(page, PAGE, 6, 0x100000029), PAGE_BAD);
    assert_int_equal(page_checksum_judge(page, PAGE, 6, 0x100000028), PAGE_UNCHECKED);
    assert_int_equal(page_checksum_judge(page, PAGE, 6, 0x28), PAGE_UNCHECKED);
    page[5000] ^= 1;
    assert_int_equal(page_checksum_judge(page, PAGE, 5, 0x100000029), PAGE_BAD);
    make_page(page, 0x28, 0, 5);
    page[5000] ^= 1;
    assert_int_equal(page_checksum_judge(page, PAGE, 5, 0x100000029), PAGE_UNCHECKED);
}

static void
names_of_relations_are_told_from_others(void **state)
{
    static const struct {
        const char *name;
        bool relation;
        uint32_t segment;
        size_t number;
        bool init;
    } cases[] = {
        {"16384", true, 0, 5, false},
        {"1", true, 0, 1, false},
        {"16384.1", true, 1, 5, false},
        {"16384_fsm", true, 0, 5, false},
        {"16384_vm.12", true, 12, 5, false},
        {"16384_init", true, 0, 5, true},
        {"", false, 0, 0, false},
        {"PG_VERSION", false, 0, 0, false},
        {"pg_filenode.map", false, 0, 0, false},
        {"16384.", false, 0, 0, false},
        {"16384.01", false, 0, 0, false},
        {"16384.x", false, 0, 0, false},
        {"16384_xyz", false, 0, 0, false},
        {"16384_fsm_vm", false, 0, 0, false},
        {"16384.1.2", false, 0, 0, false},
        {"t3_16384", false, 0, 0, false},
        {"16384.99999999999", false, 0, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t segment = 0;
        size_t number = 0;
        bool init = false;

        assert_int_equal(page_checksum_relation_name(cases[i].name, &segment, &number, &init),
                         cases[i].relation);
        assert_int_equal(segment, cases[i].segment);
        assert_int_equal(number, cases[i].number);
        assert_int_equal(init, cases[i].init);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_the_server),
        cmocka_unit_test(every_page_size_agrees_with_the_definition),
        cmocka_unit_test(the_stored_checksum_is_not_part_of_the_sum),
        cmocka_unit_test(pages_are_judged_by_the_rule_of_base_backups),
        cmocka_unit_test(names_of_relations_are_told_from_others),
    };

    return cmocka_run_group_tests_name("page_checksum", tests, NULL, NULL);
}
