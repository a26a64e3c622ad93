/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_seam.h: the records that begin in one segment and end in another.
 *
 * Pure. A chain of summaries in the order of their segments: from the tail edge of one and the head
 * edge of the next, is the record whole, and what is it? Sizes must agree, its CRC-32C is put
 * together from all sides, and every link over the border must point back at the record before. A
 * record of more than two segments (segments of 1 MiB) needs every piece in between.
 */
#ifndef WAL_WAL_SEAM_H
#define WAL_WAL_SEAM_H

#include "wal/wal_reader.h"

enum wal_seam_outcome {
    WAL_SEAM_NONE = 1,  /* nothing crosses the border, and nothing should; or what ends here began
                           before the chain */
    WAL_SEAM_OPEN = 2,  /* goes on in a further segment */
    WAL_SEAM_BROKEN = 3 /* the two do not belong together: *ret_why is a constant text */
};

/* What is known of the segments so far. Nothing is borrowed; it may be kept or copied. */
struct wal_seam {
    int version;
    uint32_t page_size;
    uint32_t segment_size;
    uint32_t timeline; /* of the last page */
    uint64_t system_id;
    uint64_t end_lsn;   /* of the last segment */
    uint64_t last_lsn;  /* last complete record; 0: none seen */
    uint32_t wanted;    /* what is still missing of an open record; 0: none is open */
    uint64_t open_lsn;  /* where that begins; 0: before the first segment */
    uint32_t open_size; /* of the whole record */
    uint32_t open_timeline;
    uint32_t size;     /* what there is of it */
    uint32_t kept;     /* of that in bytes[]: its beginning without a gap */
    uint32_t crc;      /* CRC-32C of what is not kept */
    const char *ended; /* why nothing can follow; NULL: it can */
    uint8_t bytes[2 * WAL_EDGE_KEPT];
    uint8_t joined[2 * WAL_EDGE_KEPT]; /* the last one that was complete */
};

/* Begin a chain with this segment. */
void wal_seam_begin(struct wal_seam *seam, const struct wal_summary *first);

/*
 * Go on with the next one. 0: a record crosses into it and is complete; *ret shows it, and borrows
 * from the seam and from `next`. Else a named outcome. After WAL_SEAM_BROKEN the chain has begun
 * anew with `next`. When the crossing record is a segment switch, the zero_end of `next` was its
 * rest, and no end of WAL. A chain that begins with such a `next` cannot know, and goes on.
 */
int wal_seam_next(struct wal_seam *seam, const struct wal_summary *next, struct wal_record *ret,
                  const char **ret_why) MUST_USE;

#endif
