/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_await.h: wait until the WAL a base backup needs is in the archive.
 */
#ifndef ARCHIVE_BACKUP_AWAIT_H
#define ARCHIVE_BACKUP_AWAIT_H

#include "archive/backup_report.h"
#include "catalog/archive.h"

struct await_wal {
    uint64_t system_id;
    uint32_t timeline;
    uint32_t segment_size;
    uint64_t first; /* numbers of segments, both included */
    uint64_t last;
    bool standby; /* then the primary archives, and may have to be told to */
};

/*
 * Wait until every segment is listed in at least `acknowledge` stores, the first and the last one
 * with a valid seal of this server. 0, or -1: ERR_TRANSIENT after backup_wal_wait seconds or on a
 * stop request; ERR_CORRUPT (an object is not what its name says).
 */
int backup_await_wal(struct archive *archive, const struct await_wal *wanted,
                     struct backup_report *report, struct err *err) MUST_USE;

#endif
