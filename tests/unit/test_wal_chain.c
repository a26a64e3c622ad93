/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "restore/wal_chain.h"

#define SYSTEM_ID UINT64_C(7711031501711396673)
#define SEGMENT "000000050000000100000007"
#define START UINT64_C(0x100700000) /* of segment 7 of log 1, of 1 MiB */
#define PAGE WAL_PAGE_SIZE_DEFAULT
#define PAGES (MIB / PAGE)

/* A segment of server and timeline, every page with its header. */
struct bench {
    uint8_t bytes[MIB];
    struct wal_name name;
    size_t size;
};

static void
put_page(struct bench *bench, size_t page, uint16_t magic, uint64_t address)
{
    uint8_t *at = bench->bytes + page * PAGE;
    uint16_t info = page == 0 ? WAL_PAGE_LONG_HEADER : 0;
    uint32_t timeline = 5;

    memcpy(at, &magic, 2);
    memcpy(at + 2, &info, 2);
    memcpy(at + 4, &timeline, 4);
    memcpy(at + 8, &address, 8);
}

static int
setup(void **state)
{
    struct bench *bench = malloc(sizeof(*bench));
    uint64_t system_id = SYSTEM_ID;
    uint32_t segment_size = MIB;
    uint32_t page_size = PAGE;

    assert_non_null(bench);
    memset(bench->bytes, 0x77, sizeof(bench->bytes));
    for (size_t page = 0; page < PAGES; page++)
        put_page(bench, page, 0xD110, START + page * PAGE);
    memcpy(bench->bytes + 24, &system_id, 8);
    memcpy(bench->bytes + 32, &segment_size, 4);
    memcpy(bench->bytes + 36, &page_size, 4);
    bench->size = MIB;
    assert_true(wal_name_parse(SEGMENT, strlen(SEGMENT), &bench->name));
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    free(*state);
    return 0;
}

static int
fed(const struct bench *bench, size_t piece, struct err *err)
{
    struct wal_chain chain;

    *err = ERR_INIT;
    wal_chain_init(&chain, &bench->name, SYSTEM_ID, MIB);
    for (size_t at = 0; at < bench->size; at += piece)
        if (wal_chain_add(&chain, bench->bytes + at, MIN_OF(piece, bench->size - at), err) < 0)
            return -1;
    return wal_chain_finish(&chain, err);
}

/* In pieces that split headers, pages and neither. */
static void
assert_verdict(const struct bench *bench, int wanted, const char *text)
{
    static const size_t pieces[] = {MIB, 1, 7, 39, 41, PAGE, PAGE + 1, 100000};

    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct err err;

        assert_int_equal(fed(bench, pieces[i], &err), wanted);
        if (wanted == 0)
            continue;
        assert_int_equal(err.kind, ERR_CORRUPT);
        if (strstr(err.text, text) == NULL)
            fail_msg("no \"%s\" in \"%s\"", text, err.text);
    }
}

static void
a_whole_segment_is_good(void **state)
{
    assert_verdict(*state, 0, "");
}

static void
behind_a_switch_all_is_zero(void **state)
{
    struct bench *bench = *state;
    const size_t zero = 20 * (size_t)PAGE;

    memset(bench->bytes + zero, 0, MIB - zero);
    assert_verdict(bench, 0, "");
    bench->bytes[MIB - 1] = 1;
    assert_verdict(bench, -1, "the page at offset 1040384 is not zero");
    bench->bytes[MIB - 1] = 0;
    bench->bytes[zero + 16] = 1;
    assert_verdict(bench, -1, "the page at offset 163840 is not zero");
    bench->bytes[zero + 16] = 0;
    put_page(bench, 21, 0xD110, START + 21 * PAGE);
    assert_verdict(bench, -1, "the page at offset 172032 is not zero");
}

static void
a_page_of_another_place_or_version_is_found(void **state)
{
    struct bench *bench = *state;

    put_page(bench, 9, 0xD110, START + 10 * PAGE);
    assert_verdict(bench, -1, "the page at offset 73728 has magic D110 and address 100714000");
    put_page(bench, 9, 0xD113, START + 9 * PAGE);
    assert_verdict(bench, -1, "the page at offset 73728 has magic D113");
    put_page(bench, 9, 0xD110, START + 9 * PAGE);
    put_page(bench, PAGES - 1, 0xD110, START + (PAGES - 1) * PAGE - MIB);
    assert_verdict(bench, -1, "the page at offset 1040384");
}

static void
the_first_page_must_be_the_segments(void **state)
{
    struct bench *bench = *state;

    put_page(bench, 0, 0xD110, START + MIB);
    assert_verdict(bench, -1, SEGMENT);
    put_page(bench, 0, 0, START);
    assert_verdict(bench, -1, SEGMENT);
    put_page(bench, 0, 0xD110, START);
    assert_verdict(bench, 0, "");
    bench->bytes[24] ^= 1; /* another server */
    assert_verdict(bench, -1, SEGMENT);
    memset(bench->bytes, 0, MIB);
    assert_verdict(bench, -1, SEGMENT);
}

static void
a_segment_cut_short_is_none(void **state)
{
    static const size_t sizes[] = {0, 1, 39, 40, PAGE, MIB - 1};
    struct bench *bench = *state;

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        bench->size = sizes[i];
        assert_verdict(bench, -1, "bytes");
    }
}

static void
of_a_partial_segment_only_the_first_page_counts(void **state)
{
    static const char partial[] = SEGMENT ".partial";
    struct bench *bench = *state;

    assert_true(wal_name_parse(partial, strlen(partial), &bench->name));
    memset(bench->bytes + 5 * (size_t)PAGE, 0, PAGE);
    put_page(bench, 9, 0xD10D, 1);
    assert_verdict(bench, 0, "");
    put_page(bench, 0, 0xD110, START + MIB);
    assert_verdict(bench, -1, SEGMENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_segment_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(behind_a_switch_all_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_of_another_place_or_version_is_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_first_page_must_be_the_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_cut_short_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_partial_segment_only_the_first_page_counts, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
