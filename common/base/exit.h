/* SPDX-License-Identifier: PostgreSQL */
/*
 * exit.h: the only place that knows exit codes.
 *
 * PostgreSQL reads them: restore_command 1 to 125 is "end of WAL, promote",
 * above 125 (or a signal) is FATAL; archive_command above 125 (or a signal) kills
 * the archiver uncounted. So a fetch says 1 for a proven absence and nothing
 * else, and a push never passes 125.
 */
#ifndef BASE_EXIT_H
#define BASE_EXIT_H

#include "base/err.h"

enum exit_side {
    EXIT_SIDE_ARCHIVE, /* seawall-push, and every command but seawall-fetch */
    EXIT_SIDE_RESTORE, /* seawall-fetch */
};

#define EXIT_DONE 0
#define EXIT_DAMAGED 17 /* a backup: complete, but pages with wrong checksums are in it */
#define EXIT_PROVEN_ABSENT 1 /* restore side only */

int exit_code(enum exit_side side, enum err_kind kind);

/*
 * From now on the process ends only with a code that went through exit_approve(). Anything else
 * (a library that calls exit(), a forgotten return) becomes the side's internal error: libconfig's
 * scanner exits with 2 when memory is out, which PostgreSQL would read as the end of WAL. So does a
 * crash (libconfig and libcrypto follow null pointers when memory is out): by a signal it would end
 * the archiver, uncounted.
 * 0 or -1 (ERR_INTERNAL).
 */
int exit_guard(enum exit_side side, struct err *err) MUST_USE;

/*
 * Allow this code and return it: `return exit_approve(code)` in main(). On the guarded restore side
 * a code that is none of its own becomes the internal error, for an outcome nobody thought of must
 * not read as the end of WAL.
 */
int exit_approve(int code);

#endif
