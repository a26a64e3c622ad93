/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_route.h: which file a recovering server will ask for next.
 *
 * For every segment number the startup process walks the timelines of its target's history, the
 * newest first; it passes over those that began behind the segment and never goes below the
 * timeline of the file before (XLogFileReadAnyTLI() of PostgreSQL 13 to 18). Which timeline is the
 * target is not told; it is concluded from the history files that were fetched, and corrected by
 * what is asked. All of this is a guess about the future, never a statement about what exists.
 */
#ifndef RESTORE_WAL_ROUTE_H
#define RESTORE_WAL_ROUTE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "wal/wal_history.h"

#define WAL_ROUTE_HISTORIES 16
#define WAL_ROUTE_CANDIDATES 8

struct wal_route {
    struct wal_history *histories[WAL_ROUTE_HISTORIES]; /* ascending timelines */
    size_t n;
    uint32_t segment_size; /* 0: not known, and nothing can be foretold */
    uint32_t timeline;     /* last asked; 0: nothing was */
    uint32_t floor;        /* of the segment given out last */
    uint64_t number;
    uint32_t timelines_asked[WAL_ROUTE_CANDIDATES]; /* for this number */
    size_t n_asked;
};

void wal_route_init(struct wal_route *route, uint32_t segment_size);

/* A history file was fetched: its content is copied. Without memory it is passed over. */
void wal_route_learn(struct wal_route *route, const struct wal_history *history);

/* The server asks for this segment. True: the target is another one than it seemed. */
bool wal_route_asked(struct wal_route *route, uint32_t timeline, uint64_t number);

/* It got a segment of this timeline. */
void wal_route_served(struct wal_route *route, uint32_t timeline);

/* The timelines it will try for this segment, in its order (WAL_ROUTE_CANDIDATES); their number. */
size_t wal_route_candidates(const struct wal_route *route, uint64_t number, uint32_t *ret);

void wal_route_done(struct wal_route *route);

DEFINE_CLEANUP(wal_route, struct wal_route, wal_route_done);

#endif
