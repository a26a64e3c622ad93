/* SPDX-License-Identifier: PostgreSQL */
/* What is a directory store's own; what it shares with all stores is in store_contract.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmocka_all.h"
#include "dir_bench.h"
#include "store/dir_made.h"

static unsigned n_fsyncs;

/* Stands in front of the C library's, and counts. */
int
fsync(int fd)
{
    n_fsyncs++;
    return (int)syscall(SYS_fsync, fd);
}

/* ---- opening ---- */

static void
only_a_clean_absolute_path_is_a_place(void **state)
{
    static const char *const bad[] = {
        "file://",        "file:///",      "file:////",   "file://host/dir",      "file://dir",
        "file:///a/../b", "file:///..",    "file:///a/.", "file:///./a",          "file:///a//b",
        "file:////a",     "file:///a%20b", "file:///a?b", "file:///a#b",          "file:///a\nb",
        "file:///a\"b",   "file:///a\\b",  "file://./a",  "file://localhost/tmp",
    };
    struct bench *bench = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct store *store = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(open_at(bench, bad[i], &store, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.hint, "file:///directory"));
        assert_null(store);
    }
}

static void
the_directory_must_be_there(void **state)
{
    struct bench *bench = *state;
    struct store *store = NULL;
    struct err err = ERR_INIT;
    char url[SCRATCH_SIZE + 32];

    scratch_text(&bench->scratch, "file", "x");
    scratch_mkdir(&bench->scratch, "..dir");
    assert_int_equal(symlinkat("..dir", bench->scratch.fd, "link"), 0);

    (void)snprintf(url, sizeof(url), "file://%s/missing", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &store, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_non_null(strstr(err.hint, "Mount"));
    (void)snprintf(url, sizeof(url), "file://%s/file", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &store, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);

    /* The administrator may point to it with a link, and end it with a slash. */
    (void)snprintf(url, sizeof(url), "file://%s/link/", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &store, &err), 0);
    url[strlen(url) - 1] = '\0';
    assert_string_equal(store_place(store), url);
    assert_int_equal(put(store, "x", &err), 0);
    assert_true(scratch_is(&bench->scratch, "..dir/x", "x"));
    store_close(store);
}

/* ---- what stands in the way ---- */

static void
no_symbolic_link_is_followed_below_the_root(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char text[1000];

    scratch_mkdir(&bench->scratch, "victim");
    scratch_text(&bench->scratch, "victim/file", "secret");
    scratch_mkdir(&bench->scratch, "d");
    assert_int_equal(symlinkat("../victim", bench->scratch.fd, "d/link"), 0);
    assert_int_equal(symlinkat("../victim/file", bench->scratch.fd, "d/file"), 0);
    assert_int_equal(symlinkat("nowhere", bench->scratch.fd, "d/dangling"), 0);

    static const char *const names[] = {"d/link/file", "d/link/x", "d/link", "d/file",
                                        "d/dangling"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(get(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(put(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    assert_int_equal(list_outcome(bench->store, "d/link/", &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(delete_object(bench->store, "d/link/file", &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_string_equal(list_text(bench->store, text, sizeof(text)), "victim/file ");
    assert_true(scratch_is(&bench->scratch, "victim/file", "secret"));
    assert_int_equal(faccessat(bench->scratch.fd, "nowhere", F_OK, 0), -1);
}

static void
what_is_no_file_is_no_object_and_never_waited_for(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char text[1000];

    assert_int_equal(mkfifoat(bench->scratch.fd, "fifo", 0600), 0);
    scratch_mkdir(&bench->scratch, "directory");
    scratch_text(&bench->scratch, "file", "x");
    static const char *const names[] = {"fifo", "directory", "file/x", "file/x/y"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(get(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(put(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    assert_int_equal(delete_object(bench->store, "directory", &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(list_outcome(bench->store, "file/", &err), -1);
    assert_string_equal(list_text(bench->store, text, sizeof(text)), "file ");
}

static void
temporary_and_foreign_names_are_not_objects(void **state)
{
    static const char *const junk[] = {
        FS_TEMPORARY_PREFIX "1.0123456789abcdef",
        "with blank",
        "percent%41",
        "new\nline",
        "\xff",
        "colon:",
        "tilde~",
    };
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char text[1000];

    for (size_t i = 0; i < ARRAY_SIZE(junk); i++)
        scratch_text(&bench->scratch, junk[i], "x");
    scratch_mkdir(&bench->scratch, "bad dir");
    scratch_text(&bench->scratch, "bad dir/x", "x");
    assert_int_equal(put(bench->store, "good", &err), 0);
    assert_string_equal(list_text(bench->store, text, sizeof(text)), "good ");

    static const char *const names[] = {FS_TEMPORARY_PREFIX "x", "a/" FS_TEMPORARY_PREFIX "1/b"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(put(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(get(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(delete_object(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
    }
    assert_int_equal(put(bench->store, "a" FS_TEMPORARY_PREFIX, &err), 0);
}

/* As a mount point is another directory before and after the mount. */
static void
a_directory_made_anew_is_followed(void **state)
{
    struct bench *bench = *state;
    struct store *store = NULL;
    struct err err = ERR_INIT;
    char url[SCRATCH_SIZE + 32];

    scratch_mkdir(&bench->scratch, "store");
    scratch_mkdir(&bench->scratch, "other");
    (void)snprintf(url, sizeof(url), "file://%s/store", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &store, &err), 0);
    assert_int_equal(put(store, "x", &err), 0);
    assert_int_equal(renameat(bench->scratch.fd, "store", bench->scratch.fd, "away"), 0);
    assert_int_equal(get(store, "x", &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(renameat(bench->scratch.fd, "other", bench->scratch.fd, "store"), 0);
    assert_int_equal(get(store, "x", &err), STORE_ABSENT);
    assert_int_equal(put(store, "y", &err), 0);
    assert_int_equal(renameat2(bench->scratch.fd, "away", bench->scratch.fd, "store",
                               RENAME_EXCHANGE),
                     0);
    assert_int_equal(get(store, "x", &err), 0);
    assert_int_equal(get(store, "y", &err), STORE_ABSENT);
    store_close(store);
}

static void
a_removed_root_proves_nothing(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    assert_int_equal(get(bench->store, "x", &err), STORE_ABSENT);
    assert_int_equal(rmdir(bench->scratch.path), 0);
    static const char *const names[] = {"x", "a/b"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(get(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_TRANSIENT);
        assert_int_equal(put(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_TRANSIENT);
        assert_int_equal(delete_object(bench->store, names[i], &err), -1);
        assert_int_equal(err.kind, ERR_TRANSIENT);
    }
    assert_int_equal(list_outcome(bench->store, "", &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(list_outcome(bench->store, "a/b", &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

static void
missing_permissions_are_a_refusal(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    if (geteuid() == 0)
        SKIP_BECAUSE("root may read and write everywhere");
    assert_int_equal(put(bench->store, "a/x", &err), 0);
    assert_int_equal(put(bench->store, "b/x", &err), 0);
    assert_int_equal(fchmodat(bench->scratch.fd, "a/x", 0, 0), 0);
    assert_int_equal(get(bench->store, "a/x", &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(fchmodat(bench->scratch.fd, "a", 0500, 0), 0);
    assert_int_equal(put(bench->store, "a/y", &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(delete_object(bench->store, "a/x", &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(fchmodat(bench->scratch.fd, "a", 0, 0), 0);
    assert_int_equal(get(bench->store, "a/z", &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(list_outcome(bench->store, "", &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);

    /* Nobody looks where no result can be. */
    assert_int_equal(list_outcome(bench->store, "b", &err), 0);
    assert_int_equal(list_outcome(bench->store, "b/", &err), 0);
    AUTO(store_task) struct store_task *task = list(bench->store, "", "a0", 10);
    assert_int_equal(store_task_result(task, &err), 0);
    assert_int_equal(store_task_page(task)->n_entries, 1);
    assert_int_equal(fchmodat(bench->scratch.fd, "a", 0700, 0), 0);
}

static void
a_component_no_file_system_takes_is_refused(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char name[400];

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(put(bench->store, name, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    memcpy(name + 300, "/a", 3);
    assert_int_equal(put(bench->store, name, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_int_equal(get(bench->store, name, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
}

static void
objects_and_directories_are_private(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    struct stat st;

    assert_int_equal(put(bench->store, "a/b/x", &err), 0);
    assert_int_equal(fstatat(bench->scratch.fd, "a/b/x", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(fstatat(bench->scratch.fd, "a/b", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

/* ---- accidents ---- */

static size_t
open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static void
no_descriptor_is_left_open(void **state)
{
    struct bench *bench = *state;
    size_t before = open_descriptors();
    struct store *store = NULL;
    struct err err = ERR_INIT;
    char name[32];

    assert_int_equal(open_at(bench, store_place(bench->store), &store, &err), 0);
    assert_int_equal(put(store, "a/b/x", &err), 0);
    assert_int_equal(put(store, "a/b/x", &err), STORE_EXISTS);
    assert_int_equal(put(store, "a/b/x/y", &err), -1);
    assert_int_equal(get(store, "a/b/x", &err), 0);
    assert_int_equal(get(store, "a/b/y", &err), STORE_ABSENT);
    assert_int_equal(get(store, "a/c/y", &err), STORE_ABSENT);
    assert_int_equal(get(store, "a/b", &err), -1);
    assert_int_equal(list_outcome(store, "", &err), 0);
    assert_int_equal(list_outcome(store, "a/q/", &err), 0);
    assert_int_equal(delete_object(store, "a/b/x", &err), 0);
    assert_int_equal(delete_object(store, "q/b/x", &err), 0);
    /* The root, and the directories it remembers. */
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "d%d/x", i);
        assert_int_equal(put(store, name, &err), 0);
    }
    assert_int_equal(open_descriptors(), before + 1 + DIR_MADE_MAX);
    store_close(store);
    assert_int_equal(open_descriptors(), before);
}

static void
a_kill_leaves_the_whole_object_or_none(void **state)
{
    static uint8_t bytes[MIB];
    struct bench *bench = *state;
    char text[1000];

    memset(bytes, 0x5a, sizeof(bytes));
    for (long i = 0; i < 40; i++) {
        struct err err = ERR_INIT;
        struct timespec nap = {.tv_nsec = i * 100000};
        pid_t child = fork();

        if (child == 0) {
            int rc = put_bytes(bench->store, "d/x", bytes, sizeof(bytes), &err);
            _exit(rc == 0 ? 0 : 1);
        }
        (void)nanosleep(&nap, NULL);
        (void)kill(child, SIGKILL);
        (void)scratch_wait(child);

        AUTO(store_task) struct store_task *task = NULL;
        struct store_limits within = limits();
        struct store_range range = {.max_size = 2 * MIB};
        assert_int_equal(store_start_get(bench->store, "d/x", &range, &within, &task, &err), 0);
        int rc = store_task_result(task, &err);
        assert_true(rc == 0 || rc == STORE_ABSENT);
        if (rc == 0) {
            assert_int_equal(store_task_body(task).size, sizeof(bytes));
            assert_memory_equal(store_task_body(task).data, bytes, sizeof(bytes));
        }
        assert_string_equal(list_text(bench->store, text, sizeof(text)), rc == 0 ? "d/x " : "");
        assert_int_equal(put_bytes(bench->store, "d/x", bytes, sizeof(bytes), &err),
                         rc == 0 ? STORE_EXISTS : 0);
        assert_int_equal(delete_object(bench->store, "d/x", &err), 0);
    }
}

/* In a child with mounts of its own: a file system of 1 MiB. 0: fine, 77: cannot mount. */
static int
fill_small_disk(struct bench *bench)
{
    static uint8_t bytes[400 * 1024];
    struct err err = ERR_INIT;
    struct store *store = NULL;
    char url[SCRATCH_SIZE + 8];
    char name[16];
    int rc = 0;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", bench->scratch.path, "tmpfs", 0, "size=1m,mode=0700") < 0)
        return 77;
    (void)snprintf(url, sizeof(url), "file://%s", bench->scratch.path);
    if (open_at(bench, url, &store, &err) < 0)
        return 1;
    for (int i = 0; i < 5 && rc == 0; i++) {
        (void)snprintf(name, sizeof(name), "d/%d", i);
        rc = put_bytes(store, name, bytes, sizeof(bytes), &err);
    }
    if (rc != -1 || err.kind != ERR_TRANSIENT || strstr(err.text, "No space left") == NULL)
        return 2;
    if (get(store, name, &err) != STORE_ABSENT)
        return 3;
    /* What is there already is answered all the same, and room made is room to use. */
    if (put_bytes(store, "d/0", bytes, sizeof(bytes), &err) != STORE_EXISTS)
        return 4;
    if (delete_object(store, "d/0", &err) != 0)
        return 5;
    if (put_bytes(store, name, bytes, sizeof(bytes), &err) != 0)
        return 6;
    if (mount("none", bench->scratch.path, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        return 77;
    if (put(store, "d/new", &err) != -1 || err.kind != ERR_DENIED)
        return 7;
    return put(store, name, &err) == STORE_EXISTS ? 0 : 8;
}

static void
a_full_disk_is_transient_and_a_read_only_one_a_refusal(void **state)
{
    struct bench *bench = *state;
    pid_t child = fork();

    if (child == 0)
        _exit(fill_small_disk(bench));
    int rc = scratch_wait(child);
    if (rc == 77)
        SKIP_BECAUSE("no right to mount a file system");
    assert_int_equal(rc, 0);
}

/* ---- durable directories ---- */

static void
remove_tree(const struct bench *bench)
{
    assert_int_equal(unlinkat(bench->scratch.fd, "a/b/c/1", 0), 0);
    assert_int_equal(unlinkat(bench->scratch.fd, "a/b/c", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(bench->scratch.fd, "a/b", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(bench->scratch.fd, "a", AT_REMOVEDIR), 0);
}

/* How many fsyncs the put of a new object costs. */
static unsigned
fsyncs_of_put(struct bench *bench, const char *name)
{
    struct err err = ERR_INIT;
    unsigned before = n_fsyncs;

    assert_int_equal(put(bench->store, name, &err), 0);
    return n_fsyncs - before;
}

static void
the_way_to_a_directory_is_made_durable_once(void **state)
{
    struct bench *bench = *state;
    struct store *other = NULL;
    struct err err = ERR_INIT;
    char name[32];

    /* Three entries, the object, and its entry. */
    assert_int_equal(fsyncs_of_put(bench, "a/b/c/1"), 5);
    assert_int_equal(fsyncs_of_put(bench, "a/b/c/2"), 2);
    assert_int_equal(fsyncs_of_put(bench, "a/b/c/3"), 2);
    assert_int_equal(fsyncs_of_put(bench, "a/b/4"), 4);
    assert_int_equal(fsyncs_of_put(bench, "a/b/c/5"), 2);
    assert_int_equal(fsyncs_of_put(bench, "6"), 2);
    /* What another process knows is not known here. */
    assert_int_equal(open_at(bench, store_place(bench->store), &other, &err), 0);
    unsigned before = n_fsyncs;
    assert_int_equal(put(other, "a/b/c/7", &err), 0);
    assert_int_equal(n_fsyncs - before, 5);
    store_close(other);
    /* Only so many are remembered, and nothing else happens to the others. */
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "d%d/x", i);
        assert_int_equal(fsyncs_of_put(bench, name), 3);
    }
    assert_int_equal(fsyncs_of_put(bench, "a/b/c/8"), 5);
    assert_int_equal(fsyncs_of_put(bench, "d19/y"), 2);
}

static void
a_directory_that_was_removed_is_made_durable_again(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(fsyncs_of_put(bench, "a/b/c/1"), 5);
        remove_tree(bench);
    }
    /* Somebody else makes it: that may not be durable, whatever inode it has. */
    for (int i = 0; i < 3; i++) {
        scratch_mkdir(&bench->scratch, "a");
        scratch_mkdir(&bench->scratch, "a/b");
        scratch_mkdir(&bench->scratch, "a/b/c");
        assert_int_equal(fsyncs_of_put(bench, "a/b/c/1"), 5);
        remove_tree(bench);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(only_a_clean_absolute_path_is_a_place),
        BENCH_TEST(the_directory_must_be_there),
        BENCH_TEST(no_symbolic_link_is_followed_below_the_root),
        BENCH_TEST(what_is_no_file_is_no_object_and_never_waited_for),
        BENCH_TEST(temporary_and_foreign_names_are_not_objects),
        BENCH_TEST(a_directory_made_anew_is_followed),
        BENCH_TEST(a_removed_root_proves_nothing),
        BENCH_TEST(missing_permissions_are_a_refusal),
        BENCH_TEST(a_component_no_file_system_takes_is_refused),
        BENCH_TEST(objects_and_directories_are_private),
        BENCH_TEST(no_descriptor_is_left_open),
        BENCH_TEST(a_kill_leaves_the_whole_object_or_none),
        BENCH_TEST(the_way_to_a_directory_is_made_durable_once),
        BENCH_TEST(a_directory_that_was_removed_is_made_durable_again),
        BENCH_TEST(a_full_disk_is_transient_and_a_read_only_one_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
