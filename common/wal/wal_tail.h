/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_tail.h: where the last record of a segment begins.
 *
 * Pure. A recovery target LSN is reached by a record that begins at or behind it, so this is the
 * greatest one that WAL ending with this segment can reach.
 *
 * Source: src/include/access/xlogrecord.h and xlog_internal.h and
 * src/backend/access/transam/xlogreader.c of PostgreSQL 13 to 18.
 */
#ifndef WAL_WAL_TAIL_H
#define WAL_WAL_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

enum wal_tail_outcome {
    WAL_TAIL_NONE = 1, /* no record is complete in it, or its beginning is not WAL */
};

/*
 * Walk the records of a whole segment, proving each one's CRC, to where they end: at the end of the
 * segment, at zeros behind a switch, or at what is no record. ret_lsn: the start of the last one
 * that is complete here. 0 or WAL_TAIL_NONE.
 */
int wal_tail_last_record(const uint8_t *bytes, size_t size, uint64_t *ret_lsn) MUST_USE;

#endif
