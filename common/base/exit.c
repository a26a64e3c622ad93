/* SPDX-License-Identifier: PostgreSQL */
#include "base/exit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int approved_code = -1;
static int unapproved_exit;
static bool answers_server; /* the restore side is guarded */

int
exit_code(enum exit_side side, enum err_kind kind)
{
    bool archive = side == EXIT_SIDE_ARCHIVE;

    switch (kind) {
    case ERR_TRANSIENT:
        return archive ? 10 : 200;
    case ERR_DENIED:
        return archive ? 11 : 202;
    case ERR_CONFLICT:
        return archive ? 12 : 203;
    case ERR_LOCAL:
        return archive ? 13 : 204;
    case ERR_CONFIG:
        return archive ? 14 : 202;
    case ERR_CORRUPT:
        return archive ? 15 : 201;
    case ERR_INTERNAL:
    case ERR_NONE:
        /* A failure that names no kind is a bug, and a bug must not look like success. */
        return archive ? 16 : 205;
    }
    return archive ? 16 : 205;
}

static void
on_exit_check(int code, void *context UNUSED)
{
    static const char text[] = "seawall: error: a library ended the process\n";

    if (code == approved_code)
        return;
    (void)!write(STDERR_FILENO, text, strlen(text));
    _exit(unapproved_exit);
}

/* What can be done in the middle of a crash: nothing but system calls. */
static void
on_crash(int number)
{
    char text[] = "seawall: error: crashed by signal NN: a bug, or a library had no memory\n";
    char *digits = strstr(text, "NN");

    if (digits != NULL) {
        digits[0] = (char)('0' + number / 10 % 10);
        digits[1] = (char)('0' + number % 10);
    }
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(unapproved_exit);
}

/* A sanitizer has handlers of its own, which say more. */
static void
catch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
        struct sigaction before;

        (void)sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            (void)sigaction(signals[i], &action, NULL);
    }
}

/* Every other code up to 125 would be "the end of WAL", whatever was meant by it. */
static bool
is_readable(int code)
{
    return code == EXIT_DONE || code == EXIT_PROVEN_ABSENT ||
           (code >= exit_code(EXIT_SIDE_RESTORE, ERR_TRANSIENT) &&
            code <= exit_code(EXIT_SIDE_RESTORE, ERR_INTERNAL));
}

int
exit_guard(enum exit_side side, struct err *err)
{
    unapproved_exit = exit_code(side, ERR_INTERNAL);
    answers_server = side == EXIT_SIDE_RESTORE;
    if (on_exit(on_exit_check, NULL) != 0)
        return err_memory(err, "exit guard");
    catch_crashes();
    return 0;
}

int
exit_approve(int code)
{
    approved_code = answers_server && !is_readable(code) ? unapproved_exit : code;
    return approved_code;
}
