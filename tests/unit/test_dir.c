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
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cmocka_all.h"
#include "scratch.h"
#include "store/store.h"


struct bench {
    struct scratch scratch;
    struct store_loop *loop;
    struct store *store;
};

static int
open_at(struct bench *bench, const char *url, struct store **ret_store, struct err *err)
{
    struct store_config config = {.name = "cellar", .url = url};

    return store_open(bench->loop, &config, ret_store, err);
}

static int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct err err = ERR_INIT;
    char url[SCRATCH_SIZE + 8];

    assert_non_null(bench);
    scratch_new(&bench->scratch);
    assert_int_equal(store_loop_new(&bench->loop, &err), 0);
    (void)snprintf(url, sizeof(url), "file://%s", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &bench->store, &err), 0);
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *bench = *state;

    store_close(bench->store);
    store_loop_free(bench->loop);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

static struct store_limits
limits(void)
{
    return (struct store_limits){.deadline_ms = clock_boot_ms() + 60000};
}

static int
put_bytes(struct store *store, const char *name, const void *bytes, size_t size, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();
    struct span span = {bytes, size};

    if (store_start_put(store, name, &span, 1, &within, &task, err) < 0)
        return -1;
    assert_true(store_task_ended(task));
    return store_task_result(task, err);
}

static int
put(struct store *store, const char *name, struct err *err)
{
    return put_bytes(store, name, name, strlen(name), err);
}

static int
get(struct store *store, const char *name, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();
    struct store_range range = {.max_size = 10000};

    if (store_start_get(store, name, &range, &within, &task, err) < 0)
        return -1;
    assert_true(store_task_ended(task));
    return store_task_result(task, err);
}

static int
delete_object(struct store *store, const char *name, struct err *err)
{
    AUTO(store_task) struct store_task *task = NULL;
    struct store_limits within = limits();

    if (store_start_delete(store, name, &within, &task, err) < 0)
        return -1;
    assert_true(store_task_ended(task));
    return store_task_result(task, err);
}

static struct store_task *
list(struct store *store, const char *prefix, const char *start_after, uint32_t max)
{
    struct store_task *task = NULL;
    struct store_limits within = limits();
    struct err err = ERR_INIT;

    assert_int_equal(store_start_list(store, prefix, start_after, max, &within, &task, &err), 0);
    assert_true(store_task_ended(task));
    return task;
}

static int
list_outcome(struct store *store, const char *prefix, struct err *err)
{
    AUTO(store_task) struct store_task *task = list(store, prefix, NULL, 100);

    return store_task_result(task, err);
}

/* The names of the whole store, with a blank behind each. */
static const char *
list_text(struct store *store, char *ret_text, size_t size)
{
    AUTO(store_task) struct store_task *task = list(store, "", NULL, 1000);
    struct err err = ERR_INIT;
    size_t used = 0;

    assert_int_equal(store_task_result(task, &err), 0);
    const struct store_page *page = store_task_page(task);
    ret_text[0] = '\0';
    for (size_t i = 0; i < page->n_entries; i++)
        used += (size_t)snprintf(ret_text + used, size - used, "%s ", page->entries[i].name);
    return ret_text;
}

/* ---- opening ---- */

static void
only_a_clean_absolute_path_is_a_place(void **state)
{
    static const char *const bad[] = {
        "file://",          "file:///",          "file:////",      "file://host/dir",
        "file://dir",       "file:///a/../b",    "file:///..",     "file:///a/.",
        "file:///./a",      "file:///a//b",      "file:////a",     "file:///a%20b",
        "file:///a?b",      "file:///a#b",       "file:///a\nb",   "file:///a\"b",
        "file:///a\\b",     "file://./a",        "file://localhost/tmp",
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
    assert_non_null(strstr(err.hint, "mount"));
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

    static const char *const names[] = {"d/link/file", "d/link/x", "d/link", "d/file", "d/dangling"};
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
        FS_TEMPORARY_PREFIX "1.0123456789abcdef", "with blank", "percent%41", "new\nline", "\xff",
        "colon:", "tilde~",
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
        skip();
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

/* ---- list against a model ---- */

#define MODEL_MAX 300

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

static void
random_name(uint32_t *seed, char *ret_name)
{
    static const char characters[] = "a0-._Z";
    size_t used = 0;

    for (uint32_t depth = 1 + next_random(seed) % 4; depth > 0; depth--) {
        size_t begin = used;

        for (uint32_t n = 1 + next_random(seed) % 3; n > 0; n--)
            ret_name[used++] = characters[next_random(seed) % (sizeof(characters) - 1)];
        ret_name[used] = '\0';
        if (strcmp(ret_name + begin, ".") == 0 || strcmp(ret_name + begin, "..") == 0)
            ret_name[begin] = 'b';
        if (depth > 1)
            ret_name[used++] = '/';
    }
    ret_name[used] = '\0';
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void
expect_model(struct store *store, char (*names)[32], size_t n, const char *prefix,
             const char *start_after, uint32_t max)
{
    AUTO(store_task) struct store_task *task = list(store, prefix, start_after, max);
    struct err err = ERR_INIT;
    size_t k = 0;
    bool more = false;

    int rc = store_task_result(task, &err);
    if (rc < 0) /* the prefix leads through a file */
        assert_int_equal(err.kind, ERR_CORRUPT);
    const struct store_page *page = store_task_page(task);
    for (size_t i = 0; i < n && !more; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) != 0 || strcmp(names[i], start_after) <= 0)
            continue;
        assert_int_equal(rc, 0);
        more = k == max;
        if (more)
            break;
        assert_true(k < page->n_entries);
        assert_string_equal(page->entries[k].name, names[i]);
        assert_int_equal(page->entries[k].size, strlen(names[i]));
        k++;
    }
    assert_int_equal(page->n_entries, k);
    assert_int_equal(page->more, more);
}

static void
every_list_agrees_with_a_sorted_array(void **state)
{
    static char names[MODEL_MAX][32];
    struct bench *bench = *state;
    uint32_t seed = 20261122;
    size_t n = 0;

    for (int i = 0; i < 2 * MODEL_MAX && n < MODEL_MAX; i++) {
        struct err err = ERR_INIT;

        random_name(&seed, names[n]);
        /* A name may be taken, or lead through a file or to a directory. */
        n += put(bench->store, names[n], &err) == 0;
    }
    assert_true(n > MODEL_MAX / 2);
    qsort(names, n, sizeof(names[0]), compare_names);
    for (int i = 0; i < 3000; i++) {
        char prefix[32];
        char start_after[32];

        random_name(&seed, prefix);
        random_name(&seed, start_after);
        if (i % 3 == 0)
            memcpy(prefix, names[next_random(&seed) % n], sizeof(prefix));
        if (i % 2 == 0)
            memcpy(start_after, names[next_random(&seed) % n], sizeof(start_after));
        prefix[next_random(&seed) % (strlen(prefix) + 1)] = '\0';
        if (i % 7 == 0)
            start_after[0] = '\0';
        if (strcmp(prefix, ".") == 0 || strcmp(prefix, "..") == 0)
            prefix[0] = '\0';
        expect_model(bench->store, names, n, prefix, start_after, 1 + next_random(&seed) % 20);
    }
    expect_model(bench->store, names, n, "", "", 1000);
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
    struct err err = ERR_INIT;

    assert_int_equal(put(bench->store, "a/b/x", &err), 0);
    assert_int_equal(put(bench->store, "a/b/x", &err), STORE_EXISTS);
    assert_int_equal(put(bench->store, "a/b/x/y", &err), -1);
    assert_int_equal(get(bench->store, "a/b/x", &err), 0);
    assert_int_equal(get(bench->store, "a/b/y", &err), STORE_ABSENT);
    assert_int_equal(get(bench->store, "a/c/y", &err), STORE_ABSENT);
    assert_int_equal(get(bench->store, "a/b", &err), -1);
    assert_int_equal(list_outcome(bench->store, "", &err), 0);
    assert_int_equal(list_outcome(bench->store, "a/q/", &err), 0);
    assert_int_equal(delete_object(bench->store, "a/b/x", &err), 0);
    assert_int_equal(delete_object(bench->store, "q/b/x", &err), 0);
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
        skip();
    assert_int_equal(rc, 0);
}

int
main(void)
{
#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(only_a_clean_absolute_path_is_a_place),
        BENCH_TEST(the_directory_must_be_there),
        BENCH_TEST(no_symbolic_link_is_followed_below_the_root),
        BENCH_TEST(what_is_no_file_is_no_object_and_never_waited_for),
        BENCH_TEST(temporary_and_foreign_names_are_not_objects),
        BENCH_TEST(a_removed_root_proves_nothing),
        BENCH_TEST(missing_permissions_are_a_refusal),
        BENCH_TEST(a_component_no_file_system_takes_is_refused),
        BENCH_TEST(objects_and_directories_are_private),
        BENCH_TEST(every_list_agrees_with_a_sorted_array),
        BENCH_TEST(no_descriptor_is_left_open),
        BENCH_TEST(a_kill_leaves_the_whole_object_or_none),
        BENCH_TEST(a_full_disk_is_transient_and_a_read_only_one_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
