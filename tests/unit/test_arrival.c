/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arrival.h"
#include "base/process.h"
#include "cmocka_all.h"
#include "scratch.h"

static const char text[] = "verified";

/* A file without a name in `directory`, its position at the end. */
static int
nameless(const char *directory, mode_t mode)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);

    if (fd >= 0)
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* Put `fd` at `name` in the scratch directory. */
static int
put(const struct scratch *scratch, int fd, const char *name, struct err *err)
{
    AUTO(arrival) struct arrival arrival = ARRIVAL_INIT;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", scratch->path, name);
    if (arrival_open(path, &arrival, err) < 0)
        return -1;
    return arrival_put(&arrival, fd, "the file", err);
}

static void
a_file_without_a_name_gets_one(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    struct stat own;
    struct stat placed;
    int fd = nameless(scratch->path, 0600);

    if (fd < 0)
        SKIP_BECAUSE("the file system has no files without a name");
    assert_int_equal(put(scratch, fd, "RECOVERYXLOG", &err), 0);
    assert_true(scratch_is(scratch, "RECOVERYXLOG", text));
    assert_int_equal(fstat(fd, &own), 0);
    assert_int_equal(fstatat(scratch->fd, "RECOVERYXLOG", &placed, 0), 0);
    assert_int_equal(own.st_ino, placed.st_ino);
    assert_int_equal(scratch_count(scratch), 1);
    (void)close(fd);
}

static void
what_stood_there_is_replaced_and_links_are_not_followed(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    int fd = nameless(scratch->path, 0600);

    if (fd < 0)
        SKIP_BECAUSE("the file system has no files without a name");
    scratch_text(scratch, "old", "old");
    assert_int_equal(symlinkat("old", scratch->fd, "link"), 0);
    assert_int_equal(put(scratch, fd, "old", &err), 0);
    assert_true(scratch_is(scratch, "old", text));
    scratch_text(scratch, "victim", "victim");
    assert_int_equal(unlinkat(scratch->fd, "link", 0), 0);
    assert_int_equal(symlinkat("victim", scratch->fd, "link"), 0);
    assert_int_equal(put(scratch, fd, "link", &err), 0);
    assert_true(scratch_is(scratch, "victim", "victim"));
    assert_true(scratch_is(scratch, "link", text));
    assert_int_equal(scratch_count(scratch), 3);
    (void)close(fd);
}

/* What comes from another file system, or is not private, is copied. */
static void
what_cannot_be_linked_is_copied(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    struct stat placed;
    int fd = memfd_create("elsewhere", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(put(scratch, fd, "copy", &err), 0);
    assert_true(scratch_is(scratch, "copy", text));
    assert_int_equal(fstatat(scratch->fd, "copy", &placed, 0), 0);
    assert_int_equal(placed.st_mode & 07777, 0600);
    assert_int_equal(placed.st_nlink, 1);
    (void)close(fd);

    fd = nameless(scratch->path, 0644);
    if (fd < 0)
        SKIP_BECAUSE("the file system has no files without a name");
    assert_int_equal(put(scratch, fd, "private", &err), 0);
    assert_int_equal(fstatat(scratch->fd, "private", &placed, 0), 0);
    assert_int_equal(placed.st_mode & 07777, 0600);
    (void)close(fd);
}

/* A named file that lost its name cannot get another one. */
static void
what_lost_its_name_is_copied(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;

    scratch_text(scratch, "temporary", text);
    assert_int_equal(fchmodat(scratch->fd, "temporary", 0600, 0), 0);
    int fd = openat(scratch->fd, "temporary", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlinkat(scratch->fd, "temporary", 0), 0);
    assert_int_equal(put(scratch, fd, "RECOVERYXLOG", &err), 0);
    assert_true(scratch_is(scratch, "RECOVERYXLOG", text));
    assert_int_equal(scratch_count(scratch), 1);
    (void)close(fd);
}

static void
a_path_without_a_directory_or_a_name_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    AUTO(arrival) struct arrival arrival = ARRIVAL_INIT;
    struct err err = ERR_INIT;

    assert_int_equal(arrival_open("/nowhere/at/all", &arrival, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(arrival_open("/tmp/", &arrival, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(scratch_count(scratch), 0);
}

static int
wait_for_the_end_of_the_session(const struct scratch *scratch)
{
    struct err err = ERR_INIT;
    AUTO(arrival) struct arrival arrival = ARRIVAL_INIT;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/RECOVERYXLOG", scratch->path);
    if (arrival_open(path, &arrival, &err) < 0 || arrival.orphan_at_start)
        return 2;
    while (process_session_alive())
        (void)usleep(1000);
    int fd = nameless(scratch->path, 0600);
    return arrival_put(&arrival, fd, "the file", &err) < 0 && err.kind == ERR_LOCAL ? 0 : 3;
}

/* A session leader starts us and dies, as a killed server does. */
static void
the_orphan_of_a_killed_server_places_nothing(void **state)
{
    const struct scratch *scratch = *state;
    char answer = 9;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t leader = fork();
    if (leader == 0) {
        (void)setsid();
        if (fork() == 0) {
            answer = (char)wait_for_the_end_of_the_session(scratch);
            _exit(write(ends[1], &answer, 1) == 1 ? 0 : 1);
        }
        /* Long enough for the child to look at us alive; its answer says if it was not. */
        (void)usleep(200000);
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(scratch_wait(leader), 0);
    assert_int_equal(read(ends[0], &answer, 1), 1);
    (void)close(ends[0]);
    assert_int_equal(answer, 0);
    assert_int_equal(scratch_count(scratch), 0);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_without_a_name_gets_one),
        TEST(what_stood_there_is_replaced_and_links_are_not_followed),
        TEST(what_cannot_be_linked_is_copied),
        TEST(what_lost_its_name_is_copied),
        TEST(a_path_without_a_directory_or_a_name_is_refused),
        TEST(the_orphan_of_a_killed_server_places_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
