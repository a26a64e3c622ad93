/* SPDX-License-Identifier: PostgreSQL */
/*
 * events.h: what happened on a server, from the archive alone.
 *
 * Reads the indexes of the archived segments along one timeline's path and hands out every incident
 * in a window of time.
 */
#ifndef RESTORE_EVENTS_H
#define RESTORE_EVENTS_H

#include "restore/incident.h"
#include "restore/target.h"
#include "restore/wal_scan.h"

#define EVENTS_MINUTES_MAX 1048576 /* minutes whose commits are counted one by one */
#define EVENTS_DAY_US (24 * 3600 * INT64_C(1000000))

struct events_minute {
    int64_t minute; /* since 1970 */
    uint64_t commits;
};

struct events_window {
    int64_t since_us; /* INT64_MIN: the day before the last archived segment */
    int64_t until_us; /* INT64_MAX: no end */
};

/* What was read to find them. */
struct events_summary {
    uint32_t timeline;
    struct wal_name first_wal; /* segments that were read */
    struct wal_name last_wal;
    uint64_t n_segments;
    uint64_t n_lost;    /* of them: missing, or no store has a good copy */
    struct wal_name first_lost;
    uint64_t n_damaged; /* WAL in them does not decode to its end */
    uint64_t commits;
    int64_t since_us;   /* the window that came of it */
    int64_t until_us;   /* the last commit */
    bool incomplete;    /* something may be missing among the incidents */
    struct wal_scan_cost cost;
    struct events_minute *minutes; /* owned; ascending */
    size_t n_minutes;
    size_t minutes_capacity;
};

#define EVENTS_SUMMARY_INIT ((struct events_summary){.timeline = 0})

void events_summary_done(struct events_summary *summary);

DEFINE_CLEANUP(events_summary, struct events_summary, events_summary_done);

struct events_request {
    struct events_window window;
    uint64_t from_lsn; /* 0: as the window says; else from the segment with this position on */
    uint64_t to_lsn;   /* 0: to the end; else not much further than this */
    uint64_t rows_min;
    bool deep;
    bool quiet; /* no progress */
    void *context;
    /* Each incident, in the order of commits. 0; 1: it is enough; or -1. */
    int (*incident)(void *context, const struct incident *incident, struct err *err);
};

/*
 * `work` has archive, request, notices, survey (read) and path. Its segment size is set. 0 or -1:
 * ERR_CONFIG (no WAL on the path), or the callback's.
 */
int events_find(struct plan_work *work, const struct events_request *request,
                struct events_summary *ret_summary, struct err *err) MUST_USE;

/*
 * The first segment of [first, last] that may hold ends of transactions at or behind this time;
 * `last` if none seems to. 0 or -1.
 */
int events_first_since(struct plan_work *work, uint64_t first, uint64_t last, int64_t since_us,
                       uint64_t *ret, struct err *err) MUST_USE;

/*
 * Prepare such a work for a command of its own: which server, what the stores hold, the path to the
 * timeline that target->timeline_kind and timeline say (latest: the greatest that is archived).
 */
int events_survey(struct plan_work *work, struct err *err) MUST_USE;

#endif
