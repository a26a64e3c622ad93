/* SPDX-License-Identifier: PostgreSQL */
/*
 * A data directory does not hold still: files that vanish, grow, shrink or are replaced between the
 * planning of a part and the reading of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/backup_plan.h"
#include "archive/tar_member.h"
#include "cmocka_all.h"
#include "scratch.h"

#define LARGE ((size_t)34 << 20)
#define CUT ((size_t)1 << 20)
#define N_PARTS 3

static struct err err;

struct bench {
    struct scratch scratch;
    struct backup_plan plan;
    struct part parts[N_PARTS];
    struct buf tar;
};

static int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    scratch_new(&bench->scratch);
    bench->tar = BUF_INIT(PART_SIZE_MAX);
    scratch_text(&bench->scratch, "PG_VERSION", "15\n");
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < N_PARTS; i++)
        part_done(&bench->parts[i]);
    backup_plan_done(&bench->plan);
    buf_done(&bench->tar);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

/* Plan all that is there, into as many parts as it takes; returns how many. */
static size_t
plan(struct bench *bench)
{
    const struct walk_options options = {
        .root = bench->scratch.fd, .major = 15, .catalog_version = 202209061};

    assert_int_equal(backup_walk_new(&options, &bench->plan.walk, &err), 0);
    for (size_t n = 0; n < N_PARTS; n++) {
        int rc = backup_plan_fill(&bench->plan, &bench->parts[n], &err);

        if (rc == PLAN_END)
            return n + 1;
        assert_int_equal(rc, 0);
    }
    fail_msg("more than %d parts", N_PARTS);
    return 0;
}

static int
build(struct bench *bench, size_t part)
{
    const struct part_rules rules = {.block_size = 8192, .relation_segment_pages = 131072};

    err_clear(&err);
    return part_build(&bench->parts[part], &rules, &bench->tar, &err);
}

static const struct part_item *
item(const struct bench *bench, size_t part, const char *name)
{
    const struct part *in = &bench->parts[part];
    size_t i = 0;

    while (i < in->n_items && strcmp(in->items[i].name, name) != 0)
        i++;
    assert_true(i < in->n_items);
    return &in->items[i];
}

/* The size a header of tar says, 124 bytes into it, in octal. */
static size_t
tar_size(const uint8_t *header)
{
    size_t size = 0;

    for (size_t i = 124; header[i] >= '0' && header[i] <= '7'; i++)
        size = size * 8 + (size_t)(header[i] - '0');
    return size;
}

/* The part has the file with this content, and its header says the same size. */
static void
assert_content(const struct bench *bench, const char *name, const char *text)
{
    const struct part_item *found = item(bench, 0, name);
    const uint8_t *content = bench->tar.data + found->part_offset;

    assert_false(found->gone);
    assert_int_equal(found->length, strlen(text));
    assert_int_equal(found->st.st_size, strlen(text));
    assert_memory_equal(content, text, strlen(text));
    assert_int_equal(tar_size(content - TAR_BLOCK), strlen(text));
    assert_string_equal((const char *)content - TAR_BLOCK, name);
}

static void
what_changes_before_it_is_read_is_read_as_it_is_then(void **state)
{
    struct bench *bench = *state;
    const struct scratch *scratch = &bench->scratch;

    scratch_text(scratch, "vanishes", "soon");
    scratch_text(scratch, "grows", "short");
    scratch_text(scratch, "shrinks", "this is longer");
    scratch_text(scratch, "empties", "not for long");
    scratch_text(scratch, "replaced", "old");
    assert_int_equal(plan(bench), 1);
    assert_int_equal(unlinkat(scratch->fd, "vanishes", 0), 0);
    scratch_text(scratch, "grows", "it has more in it than before");
    scratch_text(scratch, "shrinks", "this");
    scratch_text(scratch, "empties", "");
    scratch_text(scratch, "new", "another file");
    assert_int_equal(renameat(scratch->fd, "new", scratch->fd, "replaced"), 0);
    assert_int_equal(build(bench, 0), 0);
    assert_true(item(bench, 0, "vanishes")->gone);
    assert_null(memmem(bench->tar.data, bench->tar.size, "vanishes", 8));
    assert_content(bench, "grows", "it has more in it than before");
    assert_content(bench, "shrinks", "this");
    assert_content(bench, "empties", "");
    assert_content(bench, "replaced", "another file");
    assert_content(bench, "PG_VERSION", "15\n");
    assert_int_equal(bench->tar.size % TAR_BLOCK, 0);
}

static void
what_is_no_file_any_longer_is_an_error(void **state)
{
    struct bench *bench = *state;
    const struct scratch *scratch = &bench->scratch;

    scratch_text(scratch, "file", "text");
    assert_int_equal(plan(bench), 1);
    assert_int_equal(unlinkat(scratch->fd, "file", 0), 0);
    assert_int_equal(symlinkat("PG_VERSION", scratch->fd, "file"), 0);
    assert_int_equal(build(bench, 0), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_non_null(strstr(err.text, "\"file\""));
    assert_int_equal(unlinkat(scratch->fd, "file", 0), 0);
    assert_int_equal(mkfifoat(scratch->fd, "file", 0600), 0);
    assert_int_equal(build(bench, 0), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
}

static int
open_large(const struct bench *bench)
{
    int fd = openat(bench->scratch.fd, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void
a_large_file_that_is_cut_keeps_its_planned_size_with_zeros(void **state)
{
    struct bench *bench = *state;
    static const uint8_t zeros[CUT];
    uint64_t total = 0;
    int fd = open_large(bench);

    assert_int_equal(ftruncate(fd, (off_t)LARGE), 0);
    for (size_t at = 0; at < LARGE; at += CUT / 2)
        assert_int_equal(pwrite(fd, "begin", 5, (off_t)at), 5);
    assert_int_equal(plan(bench), 2);
    assert_int_equal(ftruncate(fd, (off_t)CUT), 0);
    (void)close(fd);
    for (size_t part = 0; part < 2; part++) {
        assert_int_equal(build(bench, part), 0);
        const struct part_item *piece = item(bench, part, "large");
        const uint8_t *content = bench->tar.data + piece->part_offset;

        assert_int_equal(piece->offset, total);
        assert_int_equal(piece->st.st_size, LARGE);
        if (part == 0) {
            assert_int_equal(tar_size(content - TAR_BLOCK), LARGE);
            assert_memory_equal(content + CUT / 2, "begin", 5);
        }
        for (size_t at = part == 0 ? CUT : 0; at + CUT <= piece->length; at += CUT)
            assert_memory_equal(content + at, zeros, CUT);
        total += piece->length;
    }
    assert_int_equal(total, LARGE);
}

static void
a_large_file_that_grows_or_is_unlinked_is_read_as_it_was_planned(void **state)
{
    struct bench *bench = *state;
    int fd = open_large(bench);

    assert_int_equal(ftruncate(fd, (off_t)LARGE), 0);
    assert_int_equal(pwrite(fd, "the end", 7, (off_t)LARGE - 7), 7);
    assert_int_equal(plan(bench), 2);
    assert_int_equal(pwrite(fd, "more", 4, (off_t)LARGE), 4);
    (void)close(fd);
    assert_int_equal(unlinkat(bench->scratch.fd, "large", 0), 0);
    assert_int_equal(build(bench, 1), 0);
    const struct part_item *piece = item(bench, 1, "large");
    assert_int_equal(piece->offset + piece->length, LARGE);
    assert_memory_equal(bench->tar.data + piece->part_offset + piece->length - 7, "the end", 7);
}

#define PART_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PART_TEST(what_changes_before_it_is_read_is_read_as_it_is_then),
        PART_TEST(what_is_no_file_any_longer_is_an_error),
        PART_TEST(a_large_file_that_is_cut_keeps_its_planned_size_with_zeros),
        PART_TEST(a_large_file_that_grows_or_is_unlinked_is_read_as_it_was_planned),
    };

    return cmocka_run_group_tests_name("backup_part", tests, NULL, NULL);
}
