/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_history.h: timeline history files.
 *
 * Source: src/backend/access/transam/timeline.c of PostgreSQL 13 to 18. A line is
 * "parent timeline (decimal) <blank> switch LSN <blank> reason"; blank lines and #
 * comments are skipped; timelines increase and end below the file's own.
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
    uint64_t switch_lsn; /* first byte that is no longer the ancestor's */
};

struct wal_history {
    uint32_t timeline; /* the file's own */
    size_t n_entries;
    struct wal_history_entry entries[WAL_HISTORY_ENTRIES_MAX]; /* oldest first */
};

/*
 * Parse the file of `timeline`. Switch LSNs must not decrease. Accepts CRLF and a missing last
 * newline, as PostgreSQL does. 0 or -1: ERR_CORRUPT with the line number.
 */
int wal_history_parse(const char *text, size_t size, uint32_t timeline, struct wal_history *ret,
                      struct err *err) MUST_USE;

#endif
