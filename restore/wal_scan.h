/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_scan.h: the indexes of archived segments along a timeline path, in order.
 *
 * Per segment one ranged request brings seal and index; a segment without a readable index is
 * fetched whole and indexed here. Records that cross a border are joined from both sides.
 *
 * What is proven: seal, name and system identifier of each object; the index is as authentic as the
 * encryption's chunks make it; that records follow each other over every border. Whether the rest
 * of the object is sound, only reading it tells (`deep`).
 */
#ifndef RESTORE_WAL_SCAN_H
#define RESTORE_WAL_SCAN_H

#include "codec/seal.h"
#include "restore/plan_parts.h"
#include "wal/wal_index.h"

struct wal_scan_segment {
    uint64_t number;
    struct wal_name name;
    bool lost;                      /* no store has a good copy; `why` says it */
    struct err why;
    size_t store;                   /* which one it came from */
    struct seal seal;
    const struct wal_index *crossing; /* of the record that ends here, if it was joined; or NULL */
    uint64_t crossing_lsn;            /* where that record begins */
    const struct wal_index *index;    /* NULL if lost */
    struct wal_summary summary;       /* the index's, or all zero */
    const char *broken; /* why it does not follow the one before; NULL: it does, or is the first */
};

struct wal_scan {
    struct plan_work *work; /* archive, survey, path, segment_size, notices, request->deadline_ms */
    uint64_t first;
    uint64_t last;
    bool deep; /* fetch every segment whole: seal, payload, decoding, and the index made anew */
    const char *progress; /* "WAL segments read"; NULL: none is shown */
    void *context;
    /* A store has a copy that is not good, or none although it is listed. May be NULL. */
    void (*bad_copy)(void *context, uint64_t number, size_t store);
    /* Each segment, in order, lost ones too. 0; 1: it is enough; or -1. */
    int (*segment)(void *context, const struct wal_scan_segment *segment, struct err *err);
};

/*
 * One segment, whole, record by record as far as they are in order. A record that is not all in it
 * is not shown. 0 or -1.
 */
int wal_scan_records(struct plan_work *work, uint64_t number, wal_record_sink sink, void *context,
                     struct err *err) MUST_USE;

/* How fast bytes came, and whence. */
struct wal_scan_rate {
    size_t store;
    uint64_t bytes;
    int64_t took_ms; /* at least 1 */
};

/* The same; ret_rate is that of fetching alone. */
int wal_scan_records_timed(struct plan_work *work, uint64_t number, wal_record_sink sink,
                           void *context, struct wal_scan_rate *ret_rate,
                           struct err *err) MUST_USE;

/* 0 or -1. ret_cost may be NULL; the work's cost grows in any case. */
int wal_scan_run(const struct wal_scan *scan, struct wal_scan_cost *ret_cost,
                 struct err *err) MUST_USE;

#endif
