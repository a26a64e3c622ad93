/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/fs_private.h"
#include "base/io.h"
#include "base/process.h"
#include "cmocka_all.h"
#include "scratch.h"

/* Both ways of creating: without a name where the file system can, and with one. */
static int (*const creators[])(struct newfile *, int, mode_t, struct err *) = {
    newfile_create,
    newfile_create_named,
};

static struct newfile
make_file(size_t way, const struct scratch *scratch, const char *text)
{
    struct newfile file = NEWFILE_INIT;
    struct err err = ERR_INIT;

    assert_int_equal(creators[way](&file, scratch->fd, 0640, &err), 0);
    assert_int_equal(io_write_full(file.fd, text, strlen(text), "new", &err), 0);
    assert_int_equal(file.temporary[0] != '\0', way == 1);
    return file;
}

static void
expect_empty(const struct newfile *file)
{
    assert_int_equal(file->fd, -1);
    assert_int_equal(file->directory, -1);
    assert_string_equal(file->temporary, "");
}

static void
a_new_file_gets_its_name_mode_and_content_at_once(void **state)
{
    const struct scratch *scratch = *state;

    (void)umask(077);
    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        for (int durable = 0; durable < 2; durable++) {
            char name[32];
            struct err err = ERR_INIT;
            struct stat st;
            size_t before = scratch_count(scratch);
            struct newfile file = make_file(way, scratch, "content");

            (void)snprintf(name, sizeof(name), "new-%zu-%d", way, durable);
            assert_int_equal(faccessat(scratch->fd, name, F_OK, 0), -1);
            assert_int_equal(newfile_commit_new(&file, name, durable != 0, &err), 0);
            expect_empty(&file);
            assert_true(scratch_is(scratch, name, "content"));
            assert_int_equal(fstatat(scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
            assert_int_equal(st.st_mode, S_IFREG | 0640);
            assert_int_equal(st.st_nlink, 1);
            assert_int_equal(scratch_count(scratch), before + 1);
        }
    }
}

static void
a_taken_name_is_not_touched(void **state)
{
    const struct scratch *scratch = *state;

    scratch_text(scratch, "file", "old");
    scratch_mkdir(scratch, "directory");
    assert_int_equal(symlinkat("nowhere", scratch->fd, "dangling"), 0);
    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        static const char *const names[] = {"file", "directory", "dangling"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            struct err err = ERR_INIT;
            struct newfile file = make_file(way, scratch, "new");

            assert_int_equal(newfile_commit_new(&file, names[i], true, &err), FS_EXISTS);
            expect_empty(&file);
        }
    }
    assert_true(scratch_is(scratch, "file", "old"));
    assert_int_equal(faccessat(scratch->fd, "nowhere", F_OK, 0), -1);
    assert_int_equal(scratch_count(scratch), 3);
}

static void
replacing_puts_the_new_content_in_place_of_the_old(void **state)
{
    const struct scratch *scratch = *state;

    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        for (int durable = 0; durable < 2; durable++) {
            struct err err = ERR_INIT;
            struct stat st;
            struct newfile file = make_file(way, scratch, "new");

            scratch_text(scratch, "file", "old");
            assert_int_equal(newfile_commit_replace(&file, "file", durable != 0, &err), 0);
            expect_empty(&file);
            assert_true(scratch_is(scratch, "file", "new"));
            assert_int_equal(fstatat(scratch->fd, "file", &st, AT_SYMLINK_NOFOLLOW), 0);
            assert_int_equal(st.st_mode, S_IFREG | 0640);
            assert_int_equal(scratch_count(scratch), 1);

            file = make_file(way, scratch, "fresh");
            assert_int_equal(unlinkat(scratch->fd, "file", 0), 0);
            assert_int_equal(newfile_commit_replace(&file, "file", durable != 0, &err), 0);
            assert_true(scratch_is(scratch, "file", "fresh"));
        }
    }
}

static void
a_symbolic_link_is_replaced_and_not_followed(void **state)
{
    const struct scratch *scratch = *state;

    scratch_text(scratch, "victim", "untouched");
    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        struct err err = ERR_INIT;
        struct newfile file = make_file(way, scratch, "new");

        (void)unlinkat(scratch->fd, "link", 0);
        assert_int_equal(symlinkat("victim", scratch->fd, "link"), 0);
        assert_int_equal(newfile_commit_replace(&file, "link", true, &err), 0);
        assert_true(scratch_is(scratch, "link", "new"));
        assert_true(scratch_is(scratch, "victim", "untouched"));
    }
    assert_int_equal(scratch_count(scratch), 2);
}

static void
a_failed_commit_leaves_nothing(void **state)
{
    const struct scratch *scratch = *state;

    scratch_mkdir(scratch, "directory");
    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        static const char *const names[] = {"", "a/b", "/a", "directory/x"};
        struct err err = ERR_INIT;
        struct newfile file = make_file(way, scratch, "new");

        assert_int_equal(newfile_commit_replace(&file, "directory", true, &err), -1);
        assert_int_equal(err.kind, ERR_LOCAL);
        assert_int_equal(err.sys, EISDIR);
        assert_non_null(strstr(err.text, scratch->path));
        expect_empty(&file);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            file = make_file(way, scratch, "new");
            assert_int_equal(newfile_commit_new(&file, names[i], true, &err), -1);
            assert_int_equal(err.kind, ERR_INTERNAL);
            expect_empty(&file);
        }
    }
    assert_int_equal(scratch_count(scratch), 1);
}

static void
what_is_not_committed_is_dropped(void **state)
{
    const struct scratch *scratch = *state;
    struct newfile empty = NEWFILE_INIT;

    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        struct newfile file = make_file(way, scratch, "new");

        assert_int_equal(scratch_count(scratch), way);
        newfile_done(&file);
        expect_empty(&file);
        assert_int_equal(scratch_count(scratch), 0);
    }
    newfile_done(&empty);
}

/* Killed between creating and committing: nothing under the name, and nothing ever reused. */
static void
a_killed_process_leaves_nothing_visible(void **state)
{
    const struct scratch *scratch = *state;

    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        pid_t child = fork();

        if (child == 0) {
            struct newfile file = make_file(way, scratch, "half");

            (void)kill(getpid(), file.fd >= 0 ? SIGKILL : SIGTERM);
            _exit(1);
        }
        assert_int_equal(scratch_wait(child), 1000 + SIGKILL);
        assert_int_equal(faccessat(scratch->fd, "file", F_OK, 0), -1);
        assert_int_equal(scratch_count(scratch), way);
    }
}

/* PostgreSQL's children are not dumpable here, which closes much of /proc to them. */
static void
committing_works_in_a_process_with_our_manners(void **state)
{
    const struct scratch *scratch = *state;
    pid_t child = fork();

    if (child == 0) {
        struct err err = ERR_INIT;
        struct newfile file = NEWFILE_INIT;
        int fd = -1;

        if (process_init(&err) < 0 || fs_open_directory(scratch->path, &fd, &err) < 0 ||
            newfile_create(&file, fd, 0600, &err) < 0)
            _exit(1);
        bool named = file.temporary[0] != '\0';
        if (newfile_commit_new(&file, "file", true, &err) != 0)
            _exit(2);
        _exit(named ? 3 : 0);
    }
    assert_int_equal(scratch_wait(child), 0);
    assert_true(scratch_is(scratch, "file", ""));
}

static void
only_one_of_many_gets_the_name(void **state)
{
    const struct scratch *scratch = *state;
    pid_t children[12];
    int winners = 0;

    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct err err = ERR_INIT;
            struct newfile file = make_file(i % 2, scratch, i % 3 == 0 ? "one" : "two");

            _exit(newfile_commit_new(&file, "file", true, &err) == FS_EXISTS ? 7 : 0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(children); i++)
        winners += scratch_wait(children[i]) == 0;
    assert_int_equal(winners, 1);
    assert_true(scratch_is(scratch, "file", "one") || scratch_is(scratch, "file", "two"));
    assert_int_equal(scratch_count(scratch), 1);
}

static void
a_directory_that_refuses_is_an_error(void **state)
{
    const struct scratch *scratch = *state;
    struct newfile file = NEWFILE_INIT;
    struct err err = ERR_INIT;

    if (geteuid() == 0)
        SKIP_BECAUSE("root may write everywhere");
    assert_int_equal(fchmod(scratch->fd, 0500), 0);
    for (size_t way = 0; way < ARRAY_SIZE(creators); way++) {
        assert_int_equal(creators[way](&file, scratch->fd, 0600, &err), -1);
        assert_int_equal(err.sys, EACCES);
        assert_non_null(strstr(err.text, scratch->path));
        expect_empty(&file);
    }
    assert_int_equal(fchmod(scratch->fd, 0700), 0);
}

static void
only_regular_files_are_opened_and_never_waited_for(void **state)
{
    static const char *const names[] = {"fifo",      "directory", "link",      "dangling",
                                        "/dev/null", "file/x",    "directory/"};
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    struct stat st;
    int fd = -1;

    scratch_text(scratch, "file", "content");
    scratch_mkdir(scratch, "directory");
    assert_int_equal(mkfifoat(scratch->fd, "fifo", 0600), 0);
    assert_int_equal(symlinkat("file", scratch->fd, "link"), 0);
    assert_int_equal(symlinkat("nowhere", scratch->fd, "dangling"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(fs_open_file(scratch->fd, names[i], names[i], &fd, &st, &err), -1);
        assert_int_equal(err.kind, ERR_LOCAL);
        assert_non_null(strstr(err.text, names[i]));
        assert_int_equal(fd, -1);
    }
    assert_int_equal(fs_open_file(scratch->fd, "file", "file", &fd, &st, &err), 0);
    assert_int_equal(st.st_size, 7);
    (void)close(fd);
    assert_int_equal(fs_open_file(scratch->fd, "file", "file", &fd, NULL, &err), 0);
    (void)close(fd);
}

static void
a_file_is_absent_only_if_its_directory_is_there(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    char path[2 * SCRATCH_SIZE];
    int fd = -1;
    int directory = -1;

    scratch_mkdir(scratch, "there");
    scratch_mkdir(scratch, "gone");
    assert_int_equal(symlinkat("nowhere", scratch->fd, "dangling"), 0);
    assert_int_equal(fs_open_file(scratch->fd, "x", "x", &fd, NULL, &err), FS_ABSENT);
    assert_int_equal(fs_open_file(scratch->fd, "there/x", "x", &fd, NULL, &err), FS_ABSENT);
    assert_int_equal(fs_open_file(AT_FDCWD, "/x-not-there", "x", &fd, NULL, &err), FS_ABSENT);
    assert_int_equal(fs_open_file(scratch->fd, "missing/x", "x", &fd, NULL, &err), -1);
    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(fs_open_file(scratch->fd, "dangling/x", "x", &fd, NULL, &err), -1);

    (void)snprintf(path, sizeof(path), "%s/gone", scratch->path);
    assert_int_equal(fs_open_directory(path, &directory, &err), 0);
    assert_int_equal(fs_open_file(directory, "x", "x", &fd, NULL, &err), FS_ABSENT);
    assert_int_equal(unlinkat(scratch->fd, "gone", AT_REMOVEDIR), 0);
    assert_int_equal(fs_open_file(directory, "x", "x", &fd, NULL, &err), -1);
    (void)close(directory);
    assert_int_equal(fs_open_directory(path, &directory, &err), -1);
    assert_int_equal(err.sys, ENOENT);
}

/* What is handed out is the directory that was made. */
static int
make_directories(const struct scratch *scratch, const char *path, struct err *err)
{
    AUTO(fd) int fd = -1;
    struct stat opened;
    struct stat named;
    int rc = fs_make_directories(scratch->fd, path, &fd, err);

    if (rc < 0) {
        assert_int_equal(fd, -1);
        return -1;
    }
    assert_int_equal(fstat(fd, &opened), 0);
    assert_int_equal(fstatat(scratch->fd, path, &named, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(opened.st_ino, named.st_ino);
    return 0;
}

static void
directories_are_made_with_their_parents(void **state)
{
    static const char *const bad[] = {"", "/a", "a//b", "a/", "./a", "a/../b", ".."};
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    struct stat st;
    char path[400];

    assert_int_equal(make_directories(scratch, "a/b/c", &err), 0);
    assert_int_equal(make_directories(scratch, "a/b/c", &err), 0);
    assert_int_equal(make_directories(scratch, "a/b/d", &err), 0);
    assert_int_equal(fstatat(scratch->fd, "a/b/c", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(make_directories(scratch, bad[i], &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
    }
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(make_directories(scratch, path, &err), -1);
    assert_int_equal(err.sys, ENAMETOOLONG);
}

static void
no_directory_is_made_through_a_link_or_a_file(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;

    scratch_mkdir(scratch, "victim");
    scratch_text(scratch, "file", "x");
    assert_int_equal(symlinkat("victim", scratch->fd, "link"), 0);
    assert_int_equal(make_directories(scratch, "link/a", &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(make_directories(scratch, "file/a", &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(faccessat(scratch->fd, "victim/a", F_OK, 0), -1);
}

/* The number of a process that has just ended. */
static pid_t
dead_pid(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    assert_int_equal(scratch_wait(child), 0);
    return child;
}

static void
make_leftover(const struct scratch *scratch, const char *name, time_t age)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};

    scratch_text(scratch, name, "leftover");
    assert_int_equal(utimensat(scratch->fd, name, times, 0), 0);
}

static void
only_old_leftovers_of_dead_processes_are_removed(void **state)
{
    static const char *const kept[] = {
        FS_TEMPORARY_PREFIX "%ld.0123456789abcde",
        FS_TEMPORARY_PREFIX "%ld.0123456789abcdeff",
        FS_TEMPORARY_PREFIX "%ld.0123456789ABCDEF",
        FS_TEMPORARY_PREFIX "0%ld.0123456789abcdef",
        FS_TEMPORARY_PREFIX "-%ld.0123456789abcdef",
        FS_TEMPORARY_PREFIX " %ld.0123456789abcdef",
        FS_TEMPORARY_PREFIX "99999%ld999999.0123456789abcdef",
        "x" FS_TEMPORARY_PREFIX "%ld.0123",
        FS_TEMPORARY_PREFIX "%ld",
        FS_TEMPORARY_PREFIX "%ld.",
    };
    const struct scratch *scratch = *state;
    pid_t dead = dead_pid();
    char name[128];
    char young[128];
    char alive[128];

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(name, sizeof(name), kept[i], (long)dead);
#pragma GCC diagnostic pop
        make_leftover(scratch, name, 3600);
    }
    make_leftover(scratch, FS_TEMPORARY_PREFIX "0.0123456789abcdef", 3600);
    make_leftover(scratch, FS_TEMPORARY_PREFIX ".0123456789abcdef", 3600);
    make_leftover(scratch, "file", 3600);
    (void)snprintf(young, sizeof(young), FS_TEMPORARY_PREFIX "%ld.aaaaaaaaaaaaaaaa", (long)dead);
    make_leftover(scratch, young, FS_TEMPORARY_AGE_S - 100);
    (void)snprintf(alive, sizeof(alive), FS_TEMPORARY_PREFIX "%ld.bbbbbbbbbbbbbbbb",
                   (long)getpid());
    make_leftover(scratch, alive, 3600);
    (void)snprintf(name, sizeof(name), FS_TEMPORARY_PREFIX "%ld.cccccccccccccccc", (long)dead);
    assert_int_equal(symlinkat("file", scratch->fd, name), 0);

    size_t others = scratch_count(scratch);
    (void)snprintf(name, sizeof(name), FS_TEMPORARY_PREFIX "%ld.0123456789abcdef", (long)dead);
    make_leftover(scratch, name, 3600);
    fs_clean_temporary(scratch->fd);
    assert_int_equal(scratch_count(scratch), others);
    assert_int_equal(faccessat(scratch->fd, name, F_OK, 0), -1);
    fs_clean_temporary(-1);
}

int
main(void)
{
#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_new_file_gets_its_name_mode_and_content_at_once),
        SCRATCH_TEST(a_taken_name_is_not_touched),
        SCRATCH_TEST(replacing_puts_the_new_content_in_place_of_the_old),
        SCRATCH_TEST(a_symbolic_link_is_replaced_and_not_followed),
        SCRATCH_TEST(a_failed_commit_leaves_nothing),
        SCRATCH_TEST(what_is_not_committed_is_dropped),
        SCRATCH_TEST(a_killed_process_leaves_nothing_visible),
        SCRATCH_TEST(committing_works_in_a_process_with_our_manners),
        SCRATCH_TEST(only_one_of_many_gets_the_name),
        SCRATCH_TEST(a_directory_that_refuses_is_an_error),
        SCRATCH_TEST(only_regular_files_are_opened_and_never_waited_for),
        SCRATCH_TEST(a_file_is_absent_only_if_its_directory_is_there),
        SCRATCH_TEST(directories_are_made_with_their_parents),
        SCRATCH_TEST(no_directory_is_made_through_a_link_or_a_file),
        SCRATCH_TEST(only_old_leftovers_of_dead_processes_are_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
