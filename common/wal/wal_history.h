/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_history.h: timeline history files.
 *
 * Source: src/backend/access/transam/timeline.c of PostgreSQL 13 to 18. A line is
 * "parent timeline (decimal) <blank> switch LSN <blank> reason"; blank lines and #
 * comments are skipped; timelines increase and end below the file's own.
 *
 * Switch LSNs may decrease. Recovery that follows timeline 2 but is told to stop before 2
 * branched off 1 writes such a file: "1 0/400FB60", then "2 0/3016060". Timeline 2 then
 * contributes nothing; what counts of an ancestor ends at the least switch LSN of its own entry
 * and all later ones.
 */
#ifndef WAL_WAL_HISTORY_H
#define WAL_WAL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WAL_HISTORY_ENTRIES_MAX 1024
#define WAL_HISTORY_FILE_MAX ((size_t)1 << 20)

struct wal_history_entry {
    uint32_t timeline;   /* an ancestor */
    uint64_t switch_lsn; /* where the next timeline left it; never 0 */
};

struct wal_history {
    uint32_t timeline; /* the file's own */
    size_t n_entries;
    struct wal_history_entry entries[WAL_HISTORY_ENTRIES_MAX]; /* oldest first */
};

/*
 * Parse the file of `timeline`. Accepts CRLF, a missing last newline and both LSN texts (PostgreSQL
 * 19 pads the second half). Refuses what PostgreSQL tolerates but never writes, because it is
 * damage: a file without an ancestor (empty, zeroed), zero bytes, timeline 0, position 0/0.
 * 0 or -1: ERR_CORRUPT with the line number.
 */
int wal_history_parse(const char *text, size_t size, uint32_t timeline, struct wal_history *ret,
                      struct err *err) MUST_USE;

#endif
