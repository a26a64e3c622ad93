/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_index_event.h: one event of the segment index, in bytes and back (docs/format.md, 13.7).
 */
#ifndef WAL_WAL_INDEX_EVENT_H
#define WAL_WAL_INDEX_EVENT_H

#include "wal/wal_index.h"
#include "wal/wal_varint.h"

#define WAL_INDEX_EVENT_LIST_MAX 4096
#define WAL_INDEX_FLAG_SHUTDOWN 1
#define WAL_INDEX_FLAG_FULL_PAGES 2
#define WAL_INDEX_FLAG_LOG_HINTS 1
#define WAL_INDEX_FLAG_COMMIT_TIMES 2

/*
 * Append the event that this fact of this record is, if it is one; its LSN counts from *last_lsn,
 * which becomes its own. Returns whether it is one.
 */
bool wal_index_event_write(struct wal_output *output, const struct wal_record *record,
                           const struct wal_fact *fact, uint64_t *last_lsn);

/* The next event, all but its LSN, of which *ret has the difference. False: not one. */
bool wal_index_event_read(struct cursor *cursor, struct wal_index_event *ret);

#endif
