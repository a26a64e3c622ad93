/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "restore/restore_tree.h"
#include "restore/vacancy.h"
#include "scratch.h"

#define OID 16384

/* scratch/tree and the tablespace scratch/space, opened. */
struct bench {
    struct scratch scratch;
    struct restore_tree tree;
    struct restore_place place;
};

static const char *
path_of(const struct bench *bench, const char *name, char *text)
{
    (void)snprintf(text, 512, "%s/%s", bench->scratch.path, name);
    return text;
}

static int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct err err = ERR_INIT;
    char path[512];

    scratch_new(&bench->scratch);
    bench->tree = RESTORE_TREE_INIT;
    assert_int_equal(
        restore_tree_add_space(&bench->tree, OID, path_of(bench, "space", path), &err), 0);
    assert_int_equal(restore_tree_open(&bench->tree, path_of(bench, "tree", path), &err), 0);
    bench->place = RESTORE_PLACE_INIT(&bench->tree);
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *bench = *state;

    restore_place_done(&bench->place);
    restore_tree_done(&bench->tree);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

static int
put(struct bench *bench, const char *path, struct err *err)
{
    const struct span content = {(const uint8_t *)"content", 7};

    return restore_place_write(&bench->place, path, content, 0600, err);
}

static void
files_and_directories_are_made_below_the_tree(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    struct stat st;
    char path[512];

    assert_int_equal(restore_place_directory(&bench->place, "base", 0700, &err), 0);
    assert_int_equal(restore_place_directory(&bench->place, "base/1", 0050, &err), 0);
    assert_int_equal(put(bench, "base/1/x", &err), 0);
    assert_int_equal(put(bench, "y", &err), 0);
    assert_int_equal(put(bench, "pg_tblspc/16384/z", &err), 0);
    assert_true(scratch_is(&bench->scratch, "tree/base/1/x", "content"));
    assert_true(scratch_is(&bench->scratch, "tree/y", "content"));
    assert_true(scratch_is(&bench->scratch, "space/z", "content"));
    assert_int_equal(stat(path_of(bench, "tree/base/1", path), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
}

static void
a_tablespace_in_place_is_a_directory_of_the_tree(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    assert_int_equal(restore_place_directory(&bench->place, "pg_tblspc", 0700, &err), 0);
    assert_int_equal(put(bench, "pg_tblspc/16385/x", &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(restore_place_directory(&bench->place, "pg_tblspc/16385", 0700, &err), 0);
    assert_int_equal(put(bench, "pg_tblspc/16385/x", &err), 0);
    assert_true(scratch_is(&bench->scratch, "tree/pg_tblspc/16385/x", "content"));
    assert_int_equal(put(bench, "pg_tblspc/16384/x", &err), 0);
    assert_true(scratch_is(&bench->scratch, "space/x", "content"));
}

static void
hostile_paths_are_refused(void **state)
{
    static const char *const paths[] = {
        "",          "/x",        "..",     "../x",       "a/../x",           "./x",
        "a//x",      "x/",        ".",      "a/..",       "pg_tblspc/1/x",    "pg_tblspc/16384",
        "nowhere/x", "file/x",    "file",   "link/x",     "pg_tblspc/016384/x",
        "pg_tblspc/16384/../x",   "pg_tblspc/16384x/y",   "pg_tblspc/16384/nowhere/x",
    };
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    size_t before;

    scratch_text(&bench->scratch, "tree/file", "before");
    scratch_mkdir(&bench->scratch, "outside");
    assert_int_equal(symlinkat("../outside", bench->tree.fd, "link"), 0);
    before = scratch_count(&bench->scratch);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        err_clear(&err);
        assert_int_equal(put(bench, paths[i], &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    assert_int_equal(scratch_count(&bench->scratch), before);
    assert_true(scratch_is(&bench->scratch, "tree/file", "before"));
    assert_false(scratch_is(&bench->scratch, "outside/x", "content"));
    assert_int_equal(restore_place_directory(&bench->place, "link", 0700, &err), -1);
}

static void
a_directory_replaced_by_a_link_is_not_followed(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    struct restore_place other = RESTORE_PLACE_INIT(&bench->tree);
    int fd = -1;

    scratch_mkdir(&bench->scratch, "outside");
    assert_int_equal(restore_place_directory(&bench->place, "base", 0700, &err), 0);
    assert_int_equal(put(bench, "base/1", &err), 0);
    assert_int_equal(renameat(bench->tree.fd, "base", bench->tree.fd, "moved"), 0);
    assert_int_equal(symlinkat("../outside", bench->tree.fd, "base"), 0);

    /* A place that has it open writes into what it opened; one that has not refuses. */
    assert_int_equal(put(bench, "base/2", &err), 0);
    assert_true(scratch_is(&bench->scratch, "tree/moved/2", "content"));
    assert_int_equal(restore_place_create(&other, "base/3", &fd, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_false(scratch_is(&bench->scratch, "outside/2", "content"));
    restore_place_done(&other);
}

static void
only_regular_files_with_one_name_are_opened_again(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    int fd = -1;

    scratch_text(&bench->scratch, "victim", "victim");
    assert_int_equal(put(bench, "good", &err), 0);
    assert_int_equal(restore_place_open(&bench->place, "good", &fd, &err), 0);
    (void)close(fd);
    assert_int_equal(linkat(bench->scratch.fd, "victim", bench->tree.fd, "hard", 0), 0);
    assert_int_equal(symlinkat("../victim", bench->tree.fd, "soft"), 0);
    assert_int_equal(mkfifoat(bench->tree.fd, "fifo", 0600), 0);
    assert_int_equal(restore_place_open(&bench->place, "hard", &fd, &err), -1);
    assert_int_equal(restore_place_open(&bench->place, "soft", &fd, &err), -1);
    assert_int_equal(restore_place_open(&bench->place, "fifo", &fd, &err), -1);
    assert_true(scratch_is(&bench->scratch, "victim", "victim"));
}

static void
links_of_tablespaces_are_ours(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char target[512] = "";
    char path[512];

    assert_int_equal(restore_tree_link_spaces(&bench->tree, &err), -1);
    assert_int_equal(restore_place_directory(&bench->place, "pg_tblspc", 0700, &err), 0);
    assert_int_equal(restore_tree_link_spaces(&bench->tree, &err), 0);
    assert_true(readlinkat(bench->tree.fd, "pg_tblspc/16384", target, sizeof(target) - 1) > 0);
    assert_string_equal(target, bench->tree.spaces[0].path);
    assert_non_null(strstr(path_of(bench, "space", path), "space"));
    assert_int_equal(restore_tree_sync(&bench->tree, &err), 0);
}

static void
places_that_are_taken_are_refused(void **state)
{
    static const struct {
        const char *tree;
        const char *space;
    } cases[] = {
        {"file", "new"},    {"link", "new"},      {"full", "new"},     {"new", "full"},
        {"new", "new"},     {"new", "new/inner"}, {"new/inner", "new"}, {"no/where", "new"},
        {"new", "no/where"},
    };
    struct bench *bench = *state;
    char path[512];

    scratch_text(&bench->scratch, "file", "x");
    scratch_mkdir(&bench->scratch, "full");
    scratch_text(&bench->scratch, "full/.x", "x");
    scratch_mkdir(&bench->scratch, "real");
    assert_int_equal(symlinkat("real", bench->scratch.fd, "link"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(restore_tree) struct restore_tree tree = RESTORE_TREE_INIT;
        struct err err = ERR_INIT;

        assert_int_equal(
            restore_tree_add_space(&tree, OID, path_of(bench, cases[i].space, path), &err), 0);
        assert_int_equal(restore_tree_open(&tree, path_of(bench, cases[i].tree, path), &err), -1);
        assert_int_equal(err.kind, ERR_LOCAL);
        assert_int_equal(faccessat(bench->scratch.fd, "new", F_OK, 0), -1);
    }
}

static void
an_empty_directory_becomes_private(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    struct stat st;
    char path[512];
    AUTO(ptr) char *resolved = NULL;
    AUTO(fd) int fd = -1;

    scratch_mkdir(&bench->scratch, "empty");
    assert_int_equal(fchmodat(bench->scratch.fd, "empty", 0777, 0), 0);
    assert_int_equal(vacancy_examine(path_of(bench, "empty//", path), &resolved, &err), 0);
    assert_int_equal(fstatat(bench->scratch.fd, "empty", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0777);
    assert_int_equal(vacancy_take(resolved, &fd, &err), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);

    /* What came in between is seen by the second look. */
    (void)close(take_fd(&fd));
    scratch_text(&bench->scratch, "empty/x", "x");
    assert_int_equal(vacancy_take(resolved, &fd, &err), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_and_directories_are_made_below_the_tree, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_tablespace_in_place_is_a_directory_of_the_tree, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hostile_paths_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_replaced_by_a_link_is_not_followed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_regular_files_with_one_name_are_opened_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(links_of_tablespaces_are_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(places_that_are_taken_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_directory_becomes_private, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
