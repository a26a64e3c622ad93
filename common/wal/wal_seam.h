/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_seam.h: the record that begins in one segment and ends in the next.
 *
 * Pure. From the tail edge of one summary and the head edge of the next: is the record whole, and
 * what is it? Sizes must agree, its CRC-32C is put together from both sides, and the first record of
 * the second segment must point back at it. A record of more than two segments (segments of 1 MiB)
 * needs every piece in between.
 */
#ifndef WAL_WAL_SEAM_H
#define WAL_WAL_SEAM_H

#include "wal/wal_reader.h"

enum wal_seam_outcome {
    WAL_SEAM_NONE = 1,  /* nothing crosses the border, and nothing should */
    WAL_SEAM_OPEN = 2,  /* goes on in a further segment */
    WAL_SEAM_BROKEN = 3 /* the two do not belong together: *ret_why is a constant text */
};

/*
 * Join. `bytes` (of `capacity`) receives as much of the record as both edges kept from its beginning
 * without a gap; *ret is parsed from it when its CRC holds. 0, or a named outcome.
 */
int wal_seam_join(const struct wal_summary *left, const struct wal_summary *right, uint8_t *bytes,
                  size_t capacity, struct wal_record *ret, const char **ret_why) MUST_USE;

#endif
