/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define LSN(high, low) ((uint64_t)(high) << 32 | (low))
#define ENTRIES_SHOWN 4

static int
parse(const char *text, size_t size, uint32_t timeline, struct wal_history *ret, struct err *err)
{
    /* Exactly as large as the file, so that a sanitizer sees every byte read past it. */
    char *copy = malloc(size == 0 ? 1 : size);

    assert_non_null(copy);
    memcpy(copy, text, size);
    *err = ERR_INIT;
    memset(ret, 0x5a, sizeof(*ret));
    int result = wal_history_parse(copy, size, timeline, ret, err);
    free(copy);
    return result;
}

static void
assert_refused(const char *text, size_t size, uint32_t timeline, const char *reason)
{
    static struct wal_history history;
    static struct wal_history before;
    struct err err;

    memset(&before, 0x5a, sizeof(before));
    if (parse(text, size, timeline, &history, &err) != -1)
        fail_msg("accepted: %s", text);
    assert_int_equal(err.kind, ERR_CORRUPT);
    if (strstr(err.text, reason) == NULL)
        fail_msg("no \"%s\" in: %s", reason, err.text);
    assert_memory_equal(&history, &before, sizeof(history));
}

struct sample {
    const char *text;
    uint32_t timeline;
    size_t n_entries;
    struct wal_history_entry entries[ENTRIES_SHOWN];
};

static void
assert_sample(const struct sample *sample)
{
    static struct wal_history history;
    struct err err;

    if (parse(sample->text, strlen(sample->text), sample->timeline, &history, &err) != 0)
        fail_msg("refused: %s", err.text);
    assert_int_equal(history.timeline, sample->timeline);
    assert_int_equal(history.n_entries, sample->n_entries);
    for (size_t i = 0; i < sample->n_entries; i++) {
        assert_int_equal(history.entries[i].timeline, sample->entries[i].timeline);
        assert_true(history.entries[i].switch_lsn == sample->entries[i].switch_lsn);
    }
}

static void
files_as_postgresql_writes_them_are_read(void **state)
{
    static const struct sample samples[] = {
        {"1\t0/400FB60\tat restore point \"late\"\n", 2, 1, {{1, 0x400FB60}}},
        {"1\t0/3000000\tno recovery target specified\n", 2, 1, {{1, 0x3000000}}},
        {"1\t0/3000060\tbefore 2026-10-11 12:13:14.151617+02\n\n\n2\t0/5000098\tno recovery target "
         "specified\n\n3\tA/B0C0D0E0\tafter LSN A/B0C0D000\n\n",
         4,
         3,
         {{1, 0x3000060}, {2, 0x5000098}, {3, LSN(0xA, 0xB0C0D0E0)}}},
        {"9\t0/9000000\treached consistency\n\n10\t1/A000000\tafter transaction 731\n",
         11,
         2,
         {{9, 0x9000000}, {10, LSN(1, 0xA000000)}}},
        /* the lower half padded, as PostgreSQL 19 writes it */
        {"1\t0/03000000\tno recovery target specified\n", 2, 1, {{1, 0x3000000}}},
        {"4294967294\tFFFFFFFF/FFFFFFFF\tno recovery target specified\n",
         UINT32_MAX,
         1,
         {{UINT32_MAX - 1, UINT64_MAX}}},
        /* a branch of a branch that had not yet written anything */
        {"1\t0/3000060\tx\n\n2\t0/3000060\ty\n", 3, 2, {{1, 0x3000060}, {2, 0x3000060}}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        assert_sample(&samples[i]);
}

/* Written by PostgreSQL 15: recovery followed timeline 2 and stopped before 2 left 1. */
static void
positions_may_decrease(void **state)
{
    static const struct sample sample = {
        "1\t0/400FB60\tat restore point \"late\"\n\n2\t0/3016060\tat restore point \"early\"\n",
        3,
        2,
        {{1, 0x400FB60}, {2, 0x3016060}},
    };

    (void)state;
    assert_sample(&sample);
}

static void
other_ways_to_write_the_same_are_read(void **state)
{
    static const struct sample samples[] = {
        {"1\t0/3000000\tno newline", 2, 1, {{1, 0x3000000}}},
        {"1\t0/3000000", 2, 1, {{1, 0x3000000}}},
        {"1\t0/3000000\t\n", 2, 1, {{1, 0x3000000}}},
        {"1 0/3000000 blanks\n", 2, 1, {{1, 0x3000000}}},
        {" \t1 \t 0/3000000 \t\n", 2, 1, {{1, 0x3000000}}},
        {"1\t0/3000000\tcrlf\r\n\r\n2\t0/4000000\r\n", 3, 2, {{1, 0x3000000}, {2, 0x4000000}}},
        {"1\t0/3000000\r", 2, 1, {{1, 0x3000000}}},
        {"# a comment\n1\t0/3000000\tx\n  # another, 2\t0/1\n#\n2\t0/4000000\ty # reason\n",
         3,
         2,
         {{1, 0x3000000}, {2, 0x4000000}}},
        {"\n\n \n\t\n\r\n1\ta/bcdef\tlower case\n\n", 2, 1, {{1, LSN(0xA, 0xBCDEF)}}},
        {"3\t0/3000000\tnot every ancestor is known\n", 9, 1, {{3, 0x3000000}}},
        {"1\t0/3000000\tpoint \"\xc3\xa9\x01\xff\"\n", 2, 1, {{1, 0x3000000}}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        assert_sample(&samples[i]);
}

static void
damaged_files_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *text;
        uint32_t timeline;
        const char *reason;
    } bad[] = {
        {"", 2, "names no ancestor"},
        {"\n\n", 2, "names no ancestor"},
        {"# 1\t0/3000000\n", 2, "names no ancestor"},
        {"", 1, "names no ancestor"},
        {"1\t0/3000000\tx\n", 1, "line 1: timeline 1 cannot be its ancestor"},
        {"2\t0/3000000\tself\n", 2, "line 1: timeline 2 cannot be its ancestor"},
        {"3\t0/3000000\tyounger\n", 2, "line 1: timeline 3 cannot be its ancestor"},
        {"1\t0/3000000\tx\n\n1\t0/4000000\ttwice\n", 3, "line 3: timeline 1 does not come after "},
        {"2\t0/3000000\tx\n1\t0/4000000\tback\n", 3, "line 2: timeline 1 does not come after "},
        {"1\t0/3000000\tx\n2\t0/4000000\ty\n3\t0/5000000\tcycle\n", 3, "line 3: timeline 3 cannot"},
        {"0\t0/3000000\tx\n", 2, "line 1: timeline 0 does not come after"},
        {"1\t0/0\tx\n", 2, "line 1: found \"0/0\""},
        {"1\n", 2, "line 1: found \"\", wanted a WAL position"},
        {"1\t\n", 2, "found \"\", wanted a WAL position"},
        {"1\tx\n", 2, "found \"x\", wanted a WAL position"},
        {"1\t0/G\tx\n", 2, "found \"0/G\""},
        {"1\t3000000\tx\n", 2, "found \"3000000\""},
        {"1\t0/\tx\n", 2, "found \"0/\""},
        {"1\t/3000000\tx\n", 2, "found \"/3000000\""},
        {"1\t0x0/3000000\tx\n", 2, "found \"0x0/3000000\""},
        {"1\t0/123456789\tx\n", 2, "found \"0/123456789\""},
        {"1\t0/3000000,x\n", 2, "found \"0/3000000,x\""},
        {"1\t0 /3000000\tx\n", 2, "found \"0\""},
        {"x\t0/3000000\tx\n", 2, "found \"x\", wanted a timeline"},
        {"A\t0/3000000\thexadecimal\n", 11, "found \"A\", wanted a timeline"},
        {"-1\t0/3000000\tx\n", 2, "found \"-1\""},
        {"+1\t0/3000000\tx\n", 2, "found \"+1\""},
        {"01\t0/3000000\tx\n", 2, "found \"01\""},
        {"0x1\t0/3000000\tx\n", 2, "found \"0x1\""},
        {"4294967296\t0/3000000\tx\n", UINT32_MAX, "found \"4294967296\""},
        {"18446744073709551617\t0/3000000\tx\n", 2, "found \"18446744073709551617\""},
        {"1 # 0/3000000\n", 2, "found \"#\""},
        {"1\r2\t0/3000000\n", 3, "found \"1\\x0d2\""},
        {"\xef\xbb\xbf"
         "1\t0/3000000\tx\n",
         2, "\\xef\\xbb\\xbf1"},
        {"1\t0/3000000\tx\n\n\n2\t0/400", 2, "line 4: timeline 2 cannot"},
        {"1\t0/3000000\tx\n\n\n2\t0/", 3, "line 4: found \"0/\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_refused(bad[i].text, strlen(bad[i].text), bad[i].timeline, bad[i].reason);
}

static void
zero_bytes_are_refused(void **state)
{
    static const char good[] = "1\t0/3000000\tx\n\n2\t0/4000000\ty\n";
    static const char zeros[8192];
    char text[sizeof(good) - 1];

    (void)state;
    assert_refused(zeros, sizeof(zeros), 2, "line 1: contains zero bytes");
    for (size_t at = 0; at < sizeof(text); at++) {
        memcpy(text, good, sizeof(text));
        text[at] = '\0';
        assert_refused(text, sizeof(text), 3, "contains zero bytes");
    }
}

/* A file cut anywhere is damage, or a shorter one: fewer entries, or digits lost from the last. */
static void
every_beginning_of_a_file_is_read_or_refused(void **state)
{
    static const char text[] = "1\t0/3000000\tx\n\n2\t0/4000000\ty\n";
    static struct wal_history history;
    struct err err;

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        int result = parse(text, size, 3, &history, &err);

        assert_true(result == 0 || (result == -1 && err.kind == ERR_CORRUPT));
        if (result == 0)
            assert_true(history.n_entries == 1 || (history.n_entries == 2 && size > 19));
    }
}

static void
build_lines(unsigned n_lines, struct buf *ret_text)
{
    struct err err = ERR_INIT;

    for (unsigned i = 1; i <= n_lines; i++)
        assert_int_equal(buf_printf(ret_text, &err, "%u\t0/%X\tno recovery target specified\n\n", i,
                                    0x1000000 * (i % 16 + 1)),
                         0);
}

static void
as_many_ancestors_as_fit_are_read_and_one_more_is_refused(void **state)
{
    static struct wal_history history;
    AUTO(buf) struct buf text = BUF_INIT(WAL_HISTORY_FILE_MAX);
    struct err err;

    (void)state;
    build_lines(WAL_HISTORY_ENTRIES_MAX, &text);
    assert_int_equal(parse((const char *)text.data, text.size, 5000, &history, &err), 0);
    assert_int_equal(history.n_entries, WAL_HISTORY_ENTRIES_MAX);
    for (uint32_t i = 0; i < WAL_HISTORY_ENTRIES_MAX; i++)
        assert_int_equal(history.entries[i].timeline, i + 1);
    buf_clear(&text);
    build_lines(WAL_HISTORY_ENTRIES_MAX + 1, &text);
    assert_refused((const char *)text.data, text.size, 5000, "line 2049: more than 1024");
}

static void
a_file_may_have_1_mib_and_no_byte_more(void **state)
{
    static const char line[] = "1\t0/3000000\tx\n";
    static char text[WAL_HISTORY_FILE_MAX + 1];
    static struct wal_history history;
    struct err err;

    (void)state;
    memset(text, '#', sizeof(text));
    memcpy(text, line, sizeof(line) - 1);
    assert_int_equal(parse(text, WAL_HISTORY_FILE_MAX, 2, &history, &err), 0);
    assert_refused(text, WAL_HISTORY_FILE_MAX + 1, 2, "has 1048577 bytes, wanted at most 1048576");
    /* A word as long as a file is quoted in part. */
    memset(text, '1', sizeof(text));
    assert_refused(text, WAL_HISTORY_FILE_MAX, 2, "11...\", wanted a timeline");
    memset(text, '\n', sizeof(text));
    assert_refused(text, WAL_HISTORY_FILE_MAX, 2, "names no ancestor");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_as_postgresql_writes_them_are_read),
        cmocka_unit_test(positions_may_decrease),
        cmocka_unit_test(other_ways_to_write_the_same_are_read),
        cmocka_unit_test(damaged_files_are_refused_with_the_line),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(every_beginning_of_a_file_is_read_or_refused),
        cmocka_unit_test(as_many_ancestors_as_fit_are_read_and_one_more_is_refused),
        cmocka_unit_test(a_file_may_have_1_mib_and_no_byte_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
