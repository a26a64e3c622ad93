/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_reader.h: every record of one segment, proven.
 *
 * Fed with the bytes of a segment in pieces of any size, it checks page headers, follows records
 * across pages, proves each one's CRC-32C and its link to the one before, and hands it out. Memory
 * is fixed when it is made (WAL_READER_KEPT and a little): a longer record is proven all the same
 * and shown with the beginning of its main data.
 *
 * What stands at the borders of the segment is kept, so that the record that begins in one segment
 * and ends in the next can be proven and read from the two summaries alone (wal_seam.h).
 *
 * Source: src/include/access/xlog_internal.h, xlogrecord.h,
 * src/backend/access/transam/xlogreader.c of PostgreSQL 13 to 18.
 */
#ifndef WAL_WAL_READER_H
#define WAL_WAL_READER_H

#include "base/cleanup.h"
#include "base/err.h"
#include "wal/wal_record.h"

#define WAL_READER_KEPT ((size_t)262144) /* of a record that does not lie in one piece */
#define WAL_EDGE_KEPT ((size_t)16384)    /* of a record's part at a border of the segment */

enum wal_damage_kind {
    WAL_DAMAGE_NONE,
    WAL_DAMAGE_PAGE,   /* page header: magic, address, flags, timeline, length of continuation */
    WAL_DAMAGE_RECORD, /* length, resource manager, order inside */
    WAL_DAMAGE_CRC,
    WAL_DAMAGE_LINK,    /* xl_prev is not the record before */
    WAL_DAMAGE_UNKNOWN, /* WAL of a version or a machine we do not know: nothing is said of it */
};

/*
 * The first thing that is wrong. Nothing is read behind it. lsn: of the record that cannot be
 * proven, else of the page or byte. Bytes that PostgreSQL itself does not look at (padding of
 * records and page headers) are no damage.
 */
struct wal_damage {
    enum wal_damage_kind kind;
    uint64_t lsn;
    const char *why; /* constant text */
};

/* A part of a record at a border of the segment. */
struct wal_edge {
    uint32_t size; /* bytes of the record on this side; 0: no record crosses the border */
    uint32_t kept; /* of them in bytes[]: all, or the first WAL_EDGE_KEPT */
    uint32_t crc;  /* CRC-32C of the bytes not kept, as a sum of their own */
    uint8_t bytes[WAL_EDGE_KEPT];
};

struct wal_summary {
    int version; /* 0: unknown */
    uint64_t system_id;
    uint32_t page_size;
    uint32_t timeline_first; /* of the first page and of the last one read */
    uint32_t timeline_last;
    uint64_t start_lsn;      /* of the segment */
    uint64_t end_lsn;        /* of the segment */
    uint64_t first_lsn;      /* first record that begins here; 0: none does */
    uint64_t first_prev_lsn; /* what it says of the one before */
    bool first_prev_known;   /* false: none begins, or its header ends in the next segment */
    uint64_t last_lsn;       /* last record that is complete here; 0: none */
    uint64_t last_end_lsn;   /* behind it */
    uint64_t open_lsn;       /* the record that goes on in the next segment; 0: none */
    uint32_t open_size;      /* of that whole record */
    uint32_t open_timeline;  /* of the page it begins on */
    uint32_t head_wanted;    /* what the record that led into it lacks before: head.size, or more
                                when it goes on in a further segment */
    uint64_t n_records;
    bool switched;    /* ends with a switch: the rest is zeros */
    bool zero_end;    /* WAL ends before the segment does: zeros follow (archived partial) */
    bool overwritten; /* a page of it abandons the record that led into it; no head then */
    uint64_t overwritten_lsn; /* which one that was */
    struct wal_damage damage;
    /* The edges are the last ones. */
    struct wal_edge head; /* of a record begun before */
    struct wal_edge tail; /* of the record at open_lsn */
};

/* Gets each proven record in order; borrowed for the call. */
typedef void (*wal_record_sink)(void *context, const struct wal_record *record);

struct wal_reader; /* opaque */

/* 0 or -1 (ERR_INTERNAL: memory). `sink` may be NULL. */
int wal_reader_new(wal_record_sink sink, void *context, struct wal_reader **ret_reader,
                   struct err *err) MUST_USE;

/* Begin (again) with another segment. */
void wal_reader_reset(struct wal_reader *reader);

/* The next piece of the segment. Cannot fail: what is wrong is damage. */
void wal_reader_feed(struct wal_reader *reader, const uint8_t *bytes, size_t size);

/* The segment is over. Borrowed from the reader until the next reset or free. */
const struct wal_summary *wal_reader_finish(struct wal_reader *reader);

void wal_reader_free(struct wal_reader *reader);

DEFINE_POINTER_CLEANUP(wal_reader, struct wal_reader, wal_reader_free);

#endif
