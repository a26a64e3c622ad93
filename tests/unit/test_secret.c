/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "cmocka_all.h"
#include "scratch.h"

static int
read_secret(const struct scratch *scratch, const char *name, struct buf *ret, struct err *err)
{
    char path[2 * SCRATCH_SIZE];

    (void)snprintf(path, sizeof(path), "%s/%s", scratch->path, name);
    return secret_read_file(path, "identity file", ret, err);
}

static void
set_mode(const struct scratch *scratch, const char *name, mode_t mode)
{
    assert_int_equal(fchmodat(scratch->fd, name, mode, 0), 0);
}

static void
a_private_file_is_read_whole(void **state)
{
    const struct scratch *scratch = *state;
    AUTO(secret_buf) struct buf content = BUF_INIT(0);
    AUTO(secret_buf) struct buf nothing = BUF_INIT(0);
    struct err err = ERR_INIT;

    scratch_write(scratch, "key", "a\0b\n", 4);
    scratch_write(scratch, "empty", "", 0);
    assert_int_equal(read_secret(scratch, "key", &content, &err), 0);
    assert_int_equal(content.size, 4);
    assert_memory_equal(content.data, "a\0b\n", 4);
    assert_int_equal(read_secret(scratch, "empty", &nothing, &err), 0);
    assert_int_equal(nothing.size, 0);
}

static void
a_file_that_others_can_reach_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    bool root = geteuid() == 0;

    scratch_text(scratch, "key", "secret");
    for (mode_t mode = 0400; mode <= 0777; mode++) {
        AUTO(secret_buf) struct buf content = BUF_INIT(0);
        struct err err = ERR_INIT;
        bool good = (mode & (root ? 0037 : 0077)) == 0;

        set_mode(scratch, "key", mode);
        assert_int_equal(read_secret(scratch, "key", &content, &err), good ? 0 : -1);
        if (good)
            continue;
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.text, "can be accessed by others"));
        assert_non_null(strstr(err.hint, "chmod 0600"));
    }
}

static void
the_files_of_other_users_are_refused(void **state)
{
    const struct scratch *scratch = *state;
    AUTO(secret_buf) struct buf content = BUF_INIT(0);
    struct err err = ERR_INIT;

    if (geteuid() != 0)
        SKIP_BECAUSE("only root can give files away");
    scratch_text(scratch, "key", "secret");
    assert_int_equal(fchownat(scratch->fd, "key", 12345, 12345, 0), 0);
    assert_int_equal(read_secret(scratch, "key", &content, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "belongs to another user (uid 12345)"));
}

static void
what_is_no_regular_file_is_refused_at_once(void **state)
{
    const struct scratch *scratch = *state;
    AUTO(secret_buf) struct buf content = BUF_INIT(0);
    struct err err = ERR_INIT;

    scratch_text(scratch, "key", "secret");
    assert_int_equal(symlinkat("key", scratch->fd, "link"), 0);
    assert_int_equal(mkfifoat(scratch->fd, "fifo", 0600), 0);
    scratch_mkdir(scratch, "directory");
    assert_int_equal(read_secret(scratch, "link", &content, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.hint, "symbolic link"));
    assert_int_equal(read_secret(scratch, "fifo", &content, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(read_secret(scratch, "directory", &content, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(read_secret(scratch, "missing", &content, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.hint, "keygen"));
}

static void
a_file_is_read_up_to_its_ceiling(void **state)
{
    static char bytes[SECRET_FILE_MAX + 1];
    const struct scratch *scratch = *state;
    AUTO(secret_buf) struct buf content = BUF_INIT(0);
    struct err err = ERR_INIT;

    memset(bytes, 'x', sizeof(bytes));
    scratch_write(scratch, "most", bytes, SECRET_FILE_MAX);
    scratch_write(scratch, "more", bytes, SECRET_FILE_MAX + 1);
    assert_int_equal(read_secret(scratch, "most", &content, &err), 0);
    assert_int_equal(content.size, SECRET_FILE_MAX);
    assert_int_equal(read_secret(scratch, "more", &content, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "too large"));
    assert_int_equal(content.size, SECRET_FILE_MAX);
}

static void
wiping_leaves_zeros_and_an_empty_buffer(void **state UNUSED)
{
    char bytes[] = "secret";
    static const char zeros[sizeof(bytes)];
    struct buf buf = BUF_INIT(10);
    struct err err = ERR_INIT;

    secret_wipe(bytes, sizeof(bytes));
    assert_memory_equal(bytes, zeros, sizeof(bytes));
    secret_wipe(NULL, 0);
    assert_int_equal(buf_append_text(&buf, "secret", &err), 0);
    secret_buf_done(&buf);
    assert_null(buf.data);
    secret_buf_done(&buf);
}

int
main(void)
{
#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_private_file_is_read_whole),
        SCRATCH_TEST(a_file_that_others_can_reach_is_refused),
        SCRATCH_TEST(the_files_of_other_users_are_refused),
        SCRATCH_TEST(what_is_no_regular_file_is_refused_at_once),
        SCRATCH_TEST(a_file_is_read_up_to_its_ceiling),
        cmocka_unit_test(wiping_leaves_zeros_and_an_empty_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
