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
#define EXIT_PROVEN_ABSENT 1 /* restore side only */

int exit_code(enum exit_side side, enum err_kind kind);

#endif
