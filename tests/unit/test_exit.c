/* SPDX-License-Identifier: PostgreSQL */
#include "base/exit.h"
#include "cmocka_all.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
every_kind_has_the_code_of_the_table(void **state UNUSED)
{
    static const struct {
        enum err_kind kind;
        int archive;
        int restore;
    } table[] = {
        {ERR_TRANSIENT, 10, 200}, {ERR_DENIED, 11, 202}, {ERR_CONFLICT, 12, 203},
        {ERR_LOCAL, 13, 204},     {ERR_CONFIG, 14, 202}, {ERR_CORRUPT, 15, 201},
        {ERR_INTERNAL, 16, 205},  {ERR_NONE, 16, 205},   {(enum err_kind)99, 16, 205},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        assert_int_equal(exit_code(EXIT_SIDE_ARCHIVE, table[i].kind), table[i].archive);
        assert_int_equal(exit_code(EXIT_SIDE_RESTORE, table[i].kind), table[i].restore);
    }
    assert_int_equal(EXIT_DONE, 0);
    assert_int_equal(EXIT_PROVEN_ABSENT, 1);
}

/* What PostgreSQL makes of a code: see exit.h. 129 to 192 read as death by a signal. */
static void
no_failure_can_be_misread_by_postgresql(void **state UNUSED)
{
    for (int kind = -300; kind <= 300; kind++) {
        int archive = exit_code(EXIT_SIDE_ARCHIVE, (enum err_kind)kind);
        int restore = exit_code(EXIT_SIDE_RESTORE, (enum err_kind)kind);

        assert_in_range(archive, 1, 125);
        assert_int_not_equal(archive, EXIT_PROVEN_ABSENT);
        assert_in_range(restore, 126, 255);
        assert_not_in_range(restore, 126, 192);
        assert_int_not_equal(restore, 143);
    }
}

/* The exit code of a child that is guarded and then ends in its own way. */
static int
ends_with(enum exit_side side, int approved, int code)
{
    struct err err = ERR_INIT;
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (exit_guard(side, &err) < 0)
            _exit(99);
        if (approved >= 0)
            (void)exit_approve(approved);
        exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The exit code of a guarded child that ends with what is approved. */
static int
approves(enum exit_side side, int code)
{
    struct err err = ERR_INIT;
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        exit(exit_guard(side, &err) < 0 ? 99 : exit_approve(code));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
only_an_approved_code_leaves_a_guarded_process(void **state UNUSED)
{
    assert_int_equal(ends_with(EXIT_SIDE_RESTORE, -1, 2), 205);
    assert_int_equal(ends_with(EXIT_SIDE_RESTORE, -1, 1), 205);
    assert_int_equal(ends_with(EXIT_SIDE_RESTORE, -1, 0), 205);
    assert_int_equal(ends_with(EXIT_SIDE_RESTORE, 0, 1), 205);
    assert_int_equal(ends_with(EXIT_SIDE_RESTORE, 1, 1), 1);
    assert_int_equal(ends_with(EXIT_SIDE_RESTORE, 0, 0), 0);
    assert_int_equal(ends_with(EXIT_SIDE_ARCHIVE, -1, 0), 16);
    assert_int_equal(ends_with(EXIT_SIDE_ARCHIVE, 13, 13), 13);
}

static void
an_outcome_nobody_thought_of_is_not_the_end_of_wal(void **state UNUSED)
{
    for (int code = 2; code < 200; code++)
        assert_int_equal(approves(EXIT_SIDE_RESTORE, code), 205);
    for (int code = 206; code < 256; code++)
        assert_int_equal(approves(EXIT_SIDE_RESTORE, code), 205);
    for (int code = 200; code <= 205; code++)
        assert_int_equal(approves(EXIT_SIDE_RESTORE, code), code);
    assert_int_equal(approves(EXIT_SIDE_RESTORE, 0), 0);
    assert_int_equal(approves(EXIT_SIDE_RESTORE, 1), 1);
    assert_int_equal(approves(EXIT_SIDE_ARCHIVE, 17), 17);
}

/* A guarded child that gets this signal, whose disposition is `before`: code, or 1000 + signal. */
static int
crashes(enum exit_side side, int number, void (*before)(int))
{
    struct err err = ERR_INIT;
    struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)close(STDERR_FILENO);
        (void)signal(number, before);
        if (exit_guard(side, &err) < 0)
            _exit(99);
        (void)exit_approve(1);
        (void)raise(number);
        _exit(98);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void
a_crash_is_an_internal_error(void **state UNUSED)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        assert_int_equal(crashes(EXIT_SIDE_RESTORE, signals[i], SIG_DFL), 205);
        assert_int_equal(crashes(EXIT_SIDE_ARCHIVE, signals[i], SIG_DFL), 16);
        /* whoever has a handler already, as sanitizers do, keeps it */
        assert_int_equal(crashes(EXIT_SIDE_ARCHIVE, signals[i], SIG_IGN), 98);
    }
    assert_int_equal(crashes(EXIT_SIDE_RESTORE, SIGUSR1, SIG_DFL), 1000 + SIGUSR1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_the_code_of_the_table),
        cmocka_unit_test(no_failure_can_be_misread_by_postgresql),
        cmocka_unit_test(only_an_approved_code_leaves_a_guarded_process),
        cmocka_unit_test(a_crash_is_an_internal_error),
        cmocka_unit_test(an_outcome_nobody_thought_of_is_not_the_end_of_wal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
