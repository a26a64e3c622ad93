/* SPDX-License-Identifier: PostgreSQL */
#include "archive/tar_member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A path of this length with a slash at every 50th byte. */
static void
make_path(char *path, size_t length)
{
    for (size_t i = 0; i < length; i++)
        path[i] = i % 50 == 49 && i + 1 < length ? '/' : (char)('a' + i % 26);
    path[length] = '\0';
}

/* What GNU tar makes of one member's header: the line of "tar -tv", or NULL if it complains. */
static char *
listed_by_tar(const struct tar_member *member, char *line, size_t size)
{
    static const uint8_t zeros[2 * TAR_BLOCK];
    char name[] = "/tmp/test_tar_member.XXXXXX";
    char command[200];
    struct err err = ERR_INIT;
    AUTO(buf) struct buf tar = BUF_INIT(64 * KIB);
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(tar_member_header(member, &tar, &err), 0);
    assert_int_equal(tar.size % TAR_BLOCK, 0);
    assert_true(tar.size <= tar_header_bound(strlen(member->path) + 1));
    assert_true(tar.size <= TAR_HEADER_MAX);
    /* Content is left out: with this the archive is as long as it says, and takes no room. */
    assert_int_equal(write(fd, tar.data, tar.size), tar.size);
    assert_int_equal(lseek(fd, (off_t)(member->size + tar_padding(member->size)), SEEK_CUR) >= 0,
                     1);
    assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
    (void)close(fd);
    (void)snprintf(command, sizeof(command),
                   "TZ=UTC LC_ALL=C tar --full-time --numeric-owner --quoting-style=literal "
                   "-tvf %s 2>&1",
                   name);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(line, 1, size - 1, pipe);
    line[got] = '\0';
    int status = pclose(pipe);
    (void)unlink(name);
    return status == 0 ? line : NULL;
}

static void
names_of_every_length_arrive(void **state)
{
    char path[TAR_PATH_MAX];
    char line[TAR_PATH_MAX + 200];
    char want[TAR_PATH_MAX + 200];

    (void)state;
    static const size_t lengths[] = {1,   49,  50,  51,  98,  99,  100, 101,  102, 154,
                                     155, 156, 254, 255, 256, 257, 300, 1000, 4000};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        for (int directory = 0; directory < 2; directory++) {
            struct tar_member member = {.path = path, .directory = directory == 1, .mode = 0640};

            make_path(path, lengths[i]);
            (void)snprintf(want, sizeof(want), "%s0/0 %*s 1970-01-01 00:00:00 %s%s\n",
                           directory == 1 ? "drw-r----- " : "-rw-r----- ", 15, "0", path,
                           directory == 1 ? "/" : "");
            assert_string_equal(listed_by_tar(&member, line, sizeof(line)), want);
        }
    }
}

static void
a_name_that_cannot_be_divided_arrives(void **state)
{
    char path[256];
    char line[600];

    (void)state;
    memset(path, 'x', 255);
    path[255] = '\0';
    struct tar_member member = {.path = path};
    assert_non_null(strstr(listed_by_tar(&member, line, sizeof(line)), path));
    member.directory = true;
    assert_non_null(strstr(listed_by_tar(&member, line, sizeof(line)), path));
}

static void
numbers_that_need_more_than_octal_digits_arrive(void **state)
{
    char line[600];
    struct tar_member member = {.path = "big", .mode = 0600, .uid = 4000000000, .gid = 3000000000,
                                .mtime = (int64_t)1 << 33, .size = (uint64_t)1 << 33};

    (void)state;
    assert_string_equal(listed_by_tar(&member, line, sizeof(line)),
                        "-rw------- 4000000000/3000000000 8589934592 2242-03-16 12:56:32 big\n");
    member.size--;
    assert_non_null(strstr(listed_by_tar(&member, line, sizeof(line)), " 8589934591 "));
}

static void
bytes_of_names_stay_as_they_are(void **state)
{
    char line[600];
    struct tar_member member = {.path = "a b\\c\xff\xc3(= # [x]"};

    (void)state;
    assert_non_null(strstr(listed_by_tar(&member, line, sizeof(line)), member.path));
}

static void
a_path_that_is_too_long_is_refused(void **state)
{
    static char path[TAR_PATH_MAX + 1];
    struct err err = ERR_INIT;
    struct tar_member member = {.path = path};
    AUTO(buf) struct buf tar = BUF_INIT(64 * KIB);

    (void)state;
    make_path(path, TAR_PATH_MAX);
    assert_int_equal(tar_member_header(&member, &tar, &err), -1);
    assert_int_equal(tar.size, 0);
    path[0] = '\0';
    assert_int_equal(tar_member_header(&member, &tar, &err), -1);
}

static void
a_full_buffer_is_left_as_it_was(void **state)
{
    struct err err = ERR_INIT;
    struct tar_member member = {.path = "x", .size = (uint64_t)1 << 40};
    AUTO(buf) struct buf tar = BUF_INIT(1000);

    (void)state;
    assert_int_equal(buf_append(&tar, "abc", 3, &err), 0);
    assert_int_equal(tar_member_header(&member, &tar, &err), BUF_FULL);
    assert_int_equal(tar.size, 3);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_every_length_arrive),
        cmocka_unit_test(a_name_that_cannot_be_divided_arrives),
        cmocka_unit_test(numbers_that_need_more_than_octal_digits_arrive),
        cmocka_unit_test(bytes_of_names_stay_as_they_are),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
    };

    return cmocka_run_group_tests_name("tar_member", tests, NULL, NULL);
}
