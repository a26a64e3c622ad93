/* SPDX-License-Identifier: PostgreSQL */
/*
 * inventory.h: what a store holds of one server, as its listing tells: timelines, runs of
 * consecutive segments, and so the gaps.
 *
 * A listing proves nothing about content (verify does) and nothing about absence (a fetch asks
 * for the object itself); it is for people and reports. Memory grows with the number of gaps,
 * not of segments, up to INVENTORY_RUNS_MAX runs a timeline.
 */
#ifndef CATALOG_INVENTORY_H
#define CATALOG_INVENTORY_H

#include "base/progress.h"
#include "catalog/archive.h"

#define INVENTORY_TIMELINES_MAX 4096
#define INVENTORY_RUNS_MAX 65536
#define INVENTORY_SYSTEMS_MAX 64

/* A store that does not answer a listing is asked again for so long, then it is away: whoever lists
 * may have hours, but the other stores must not wait for one region. */
#define INVENTORY_RETRY_MS 10000

/* Consecutive segments, by number (start LSN / segment size), both included. */
struct inventory_run {
    uint64_t first;
    uint64_t last;
};

struct inventory_timeline {
    uint32_t timeline;
    bool has_history;
    uint64_t n_segments;
    uint64_t stored_bytes; /* of segments */
    uint64_t n_partial;
    uint64_t n_backup_history;
    struct inventory_run *runs; /* ascending, never adjacent */
    size_t n_runs;
    size_t capacity;
};

struct inventory {
    uint32_t segment_size;
    struct inventory_timeline *timelines; /* ascending */
    size_t n_timelines;
    size_t capacity;
    uint64_t n_foreign; /* names that are none of ours */
};

#define INVENTORY_INIT ((struct inventory){.segment_size = 0})

/*
 * The system identifiers below the cluster's name in one store. 0 or -1 (ERR_CORRUPT: an
 * implausible number of names there).
 */
int inventory_systems(struct archive *archive, struct store *store, int64_t deadline_ms,
                      uint64_t *ret_systems, size_t *ret_n, struct err *err) MUST_USE;

/*
 * Read one store's inventory. If ret->segment_size is not 0, that is what the server uses;
 * otherwise it is taken from the seal of the first segment found whose seal is good (there must be
 * one), and stays 0 if there is no segment. 0 or -1.
 */
int inventory_read(struct archive *archive, struct store *store, const struct object_owner *owner,
                   int64_t deadline_ms, struct progress *progress, struct inventory *ret,
                   struct err *err) MUST_USE;

/* Add everything `from` holds to `into`: what is in any of the stores. 0 or -1. */
int inventory_merge(struct inventory *into, const struct inventory *from,
                    struct err *err) MUST_USE;

void inventory_done(struct inventory *inventory);

DEFINE_CLEANUP(inventory, struct inventory, inventory_done);

#endif
