/* SPDX-License-Identifier: PostgreSQL */
/*
 * promotion.h: the one question of a restore_command that must not end in an error.
 *
 * At the end of recovery PostgreSQL removes recovery.signal or standby.signal, and then asks
 * for the history of the timeline it has recovered, to begin that of the next one with it. An exit
 * status above 125 there is FATAL, as everywhere; but without the signal file the next start is no
 * longer a recovery. It replays all WAL that is in pg_wal, past the target, and goes on writing
 * the old timeline. (Seen with PostgreSQL 15.20; src/backend/access/transam/xlog.c.)
 *
 * So no store is asked. On "not there" the server takes the file in its own pg_wal: the one it
 * read at the beginning of its recovery, from the archive or from its primary. Timeline 1 has none.
 */
#ifndef AGENT_PROMOTION_H
#define AGENT_PROMOTION_H

#include <stdbool.h>

/* Is this the question, asked in the working directory, and has the server what it asks for? */
bool promotion_has(const char *name, const char *path);

#endif
