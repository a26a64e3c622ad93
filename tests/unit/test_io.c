/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cmocka_all.h"
#include "scratch.h"

static const uint8_t sample[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xf8,
                                 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0xe8};

static void
big_endian_numbers_are_read_in_turn(void **state UNUSED)
{
    struct cursor cursor;

    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u8(&cursor), 0x01);
    assert_int_equal(cursor_u16_be(&cursor), 0x0203);
    assert_int_equal(cursor_u32_be(&cursor), 0x04050607);
    assert_int_equal(cursor_u64_be(&cursor), 0xf811121314151617);
    assert_int_equal(cursor_left(&cursor), 1);
    assert_int_equal(cursor_u8(&cursor), 0xe8);
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor.failed);
}

static void
little_endian_and_host_numbers_are_read(void **state UNUSED)
{
    struct cursor cursor;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;

    memcpy(&u16, sample, sizeof(u16));
    memcpy(&u32, sample, sizeof(u32));
    memcpy(&u64, sample, sizeof(u64));
    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u32_le(&cursor), 0x04030201);
    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u64_le(&cursor), 0xf807060504030201);
    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u16_host(&cursor), u16);
    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u32_host(&cursor), u32);
    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u64_host(&cursor), u64);
    assert_int_equal(cursor_left(&cursor), 8);
}

static uint64_t
read_kind(struct cursor *cursor, int kind)
{
    switch (kind) {
    case 0:
        return cursor_u8(cursor);
    case 1:
        return cursor_u16_be(cursor);
    case 2:
        return cursor_u32_be(cursor);
    case 3:
        return cursor_u64_be(cursor);
    case 4:
        return cursor_u32_le(cursor);
    case 5:
        return cursor_u64_le(cursor);
    case 6:
        return cursor_u16_host(cursor);
    case 7:
        return cursor_u32_host(cursor);
    default:
        return cursor_u64_host(cursor);
    }
}

static void
a_read_past_the_end_gives_zero_and_so_does_every_later_one(void **state UNUSED)
{
    static const size_t sizes[] = {1, 2, 4, 8, 4, 8, 2, 4, 8};

    for (int kind = 0; kind < 9; kind++) {
        for (size_t size = 0; size <= 9; size++) {
            struct cursor cursor;

            cursor_init(&cursor, sample, size);
            uint64_t value = read_kind(&cursor, kind);
            assert_int_equal(cursor.failed, size < sizes[kind]);
            if (size >= sizes[kind])
                continue;
            assert_int_equal(value, 0);
            assert_int_equal(cursor_left(&cursor), 0);
            assert_int_equal(cursor_u8(&cursor), 0);
            assert_null(cursor_bytes(&cursor, 0));
        }
    }
}

static void
bytes_are_given_where_they_stand_or_not_at_all(void **state UNUSED)
{
    struct cursor cursor;

    cursor_init(&cursor, sample, sizeof(sample));
    assert_ptr_equal(cursor_bytes(&cursor, 3), sample);
    assert_ptr_equal(cursor_bytes(&cursor, 0), sample + 3);
    assert_ptr_equal(cursor_bytes(&cursor, 13), sample + 3);
    assert_ptr_equal(cursor_bytes(&cursor, 0), sample + 16);
    assert_null(cursor_bytes(&cursor, 1));
    assert_true(cursor.failed);
    cursor_init(&cursor, sample, sizeof(sample));
    assert_int_equal(cursor_u8(&cursor), 1);
    assert_null(cursor_bytes(&cursor, SIZE_MAX));
    assert_true(cursor.failed);
}

static void
nothing_at_all_can_be_read(void **state UNUSED)
{
    struct cursor cursor;

    cursor_init(&cursor, NULL, 0);
    assert_non_null(cursor_bytes(&cursor, 0));
    assert_false(cursor.failed);
    assert_int_equal(cursor_left(&cursor), 0);
    assert_int_equal(cursor_u32_be(&cursor), 0);
    assert_true(cursor.failed);
}

static void
what_is_put_is_read_back(void **state UNUSED)
{
    uint8_t bytes[18];
    struct cursor cursor;

    put_u16_be(bytes, 0x8123);
    put_u32_be(bytes + 2, 0x81234567);
    put_u64_be(bytes + 6, 0x8123456789abcdef);
    put_u32_le(bytes + 14, 0x81234567);
    cursor_init(&cursor, bytes, sizeof(bytes));
    assert_int_equal(cursor_u16_be(&cursor), 0x8123);
    assert_int_equal(cursor_u32_be(&cursor), 0x81234567);
    assert_int_equal(cursor_u64_be(&cursor), 0x8123456789abcdef);
    assert_int_equal(cursor_u32_le(&cursor), 0x81234567);
}

static void
a_file_is_read_to_the_size_asked_for_or_its_end(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = ERR_INIT;
    char bytes[16];
    size_t got = 99;

    scratch_text(scratch, "file", "0123456789");
    AUTO(fd) int fd = openat(scratch->fd, "file", O_RDONLY | O_CLOEXEC);
    assert_int_equal(io_read_full(fd, bytes, 4, &got, "file", &err), 0);
    assert_int_equal(got, 4);
    assert_int_equal(io_read_full(fd, bytes, 16, &got, "file", &err), IO_SHORT);
    assert_int_equal(got, 6);
    assert_memory_equal(bytes, "456789", 6);
    assert_int_equal(io_read_full(fd, bytes, 0, &got, "file", &err), 0);
    assert_int_equal(got, 0);
    assert_int_equal(io_write_full(fd, "x", 1, "file", &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(err.sys, EBADF);
    assert_int_equal(io_read_full(scratch->fd, bytes, 1, &got, "dir", &err), -1);
    assert_string_equal(err.text, "could not read \"dir\": Is a directory");
}

static void
on_alarm(int number UNUSED)
{
}

/* A child sends a lot through a pipe in bits while an interval timer interrupts both sides. */
static void
short_transfers_and_signals_do_not_cut_anything_short(void **state UNUSED)
{
    static uint8_t bytes[300000];
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 500}, {0, 500}};
    struct itimerval never = {0};
    struct err err = ERR_INIT;
    int pipes[2];
    size_t got = 0;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 251);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(pipes[0]);
        (void)setitimer(ITIMER_REAL, &often, NULL);
        _exit(io_write_full(pipes[1], bytes, sizeof(bytes), "pipe", &err) == 0 ? 0 : 1);
    }
    (void)close(pipes[1]);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    int rc = io_read_full(pipes[0], bytes, sizeof(bytes), &got, "pipe", &err);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(got, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], (uint8_t)(i % 251));
    (void)close(pipes[0]);
    assert_int_equal(scratch_wait(child), 0);
}

static void
writing_where_nobody_reads_is_an_error(void **state UNUSED)
{
    struct err err = ERR_INIT;
    int pipes[2];

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)close(pipes[0]);
    assert_int_equal(io_write_full(pipes[1], "x", 1, "pipe", &err), -1);
    assert_int_equal(err.sys, EPIPE);
    assert_int_equal(io_write_full(pipes[1], NULL, 0, "pipe", &err), 0);
    (void)close(pipes[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(big_endian_numbers_are_read_in_turn),
        cmocka_unit_test(little_endian_and_host_numbers_are_read),
        cmocka_unit_test(a_read_past_the_end_gives_zero_and_so_does_every_later_one),
        cmocka_unit_test(bytes_are_given_where_they_stand_or_not_at_all),
        cmocka_unit_test(nothing_at_all_can_be_read),
        cmocka_unit_test(what_is_put_is_read_back),
        cmocka_unit_test_setup_teardown(a_file_is_read_to_the_size_asked_for_or_its_end,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test(short_transfers_and_signals_do_not_cut_anything_short),
        cmocka_unit_test(writing_where_nobody_reads_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
