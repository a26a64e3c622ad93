/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_events.h: what happened, as a person would say it, from the indexes of consecutive segments.
 *
 * Pure. Fed with one index after the other along one timeline path, it follows transactions over
 * the borders of segments and says at their commit what they did: tables dropped or emptied,
 * databases dropped, many rows deleted or updated; and restore points, promotions and clean
 * shutdowns. Rolled back work is no event.
 *
 * Every event has the position at which recovery must stop for it not to have happened.
 *
 * How accidents look in WAL was found by experiment with PostgreSQL 13 to 18; wal_events.c says for
 * each kind what it goes by.
 */
#ifndef WAL_WAL_EVENTS_H
#define WAL_WAL_EVENTS_H

#include "wal/wal_index.h"

#define WAL_EVENTS_TRANSACTIONS_MAX 65536 /* whose work is remembered until they end */
#define WAL_EVENTS_ITEMS_MAX 1048576      /* relations, locks and so on of all of them */

enum wal_event_kind {
    WAL_EVENT_DROP_TABLE,
    WAL_EVENT_DROP_INDEX,
    WAL_EVENT_DROP_SCHEMA, /* with what was in it */
    WAL_EVENT_TRUNCATE,
    WAL_EVENT_REWRITE,     /* VACUUM FULL, CLUSTER, REINDEX, ALTER TABLE: new files, old content */
    WAL_EVENT_DROP_DATABASE,
    WAL_EVENT_CREATE_DATABASE,
    WAL_EVENT_DROP_TABLESPACE,
    WAL_EVENT_DELETE,      /* many rows of one relation by one transaction */
    WAL_EVENT_UPDATE,
    WAL_EVENT_RESTORE_POINT,
    WAL_EVENT_PROMOTION,   /* WAL goes on on a new timeline */
    WAL_EVENT_SHUTDOWN,    /* clean */
};
#define WAL_EVENT_KINDS 13

struct wal_event {
    enum wal_event_kind kind;
    uint64_t lsn;      /* the record with which it became so: the commit, mostly */
    uint64_t stop_lsn; /* recovery to here, this position not included, is before it */
    uint64_t first_lsn; /* the transaction's first record known of; or lsn */
    uint32_t xid;      /* 0: none */
    bool has_time;
    int64_t time;      /* of the commit; microseconds since 1970 */
    uint32_t database; /* 0: none, or all */
    uint32_t tablespace;
    uint64_t rows;
    uint32_t timeline; /* of a promotion: the new one, and */
    uint32_t prev_timeline;
    struct span text;  /* the name of a restore point: any bytes */
    const struct wal_relation *relations; /* whose files went away, or whose rows */
    size_t n_relations;
    const struct wal_index_object *objects; /* OIDs of relations meant, as far as known */
    size_t n_objects;
    bool objects_locked; /* they were only locked: others may be among them, or missing */
};

/* Gets each event, borrowed for the call, as they were committed. 0, or -1 to stop with *err. */
typedef int (*wal_event_sink)(void *context, const struct wal_event *event, struct err *err);

struct wal_events_options {
    wal_event_sink sink;
    void *context;
    uint64_t rows_min; /* fewer rows are no event; below WAL_INDEX_ROWS_CHANGED it finds no more */
};

struct wal_events; /* opaque */

int wal_events_new(const struct wal_events_options *options, struct wal_events **ret_events,
                   struct err *err) MUST_USE;

/*
 * The next index: of a segment, or of the record that crosses into it. 0, or -1 (the sink's error;
 * ERR_INTERNAL: memory).
 */
int wal_events_feed(struct wal_events *events, const struct wal_index *index,
                    struct err *err) MUST_USE;

/*
 * A segment is missing or cannot be read: what is known of transactions under way is forgotten, and
 * counted as lost.
 */
void wal_events_gap(struct wal_events *events);

/* Was something left out: indexes that say so, ceilings that were reached, gaps? */
bool wal_events_incomplete(const struct wal_events *events);

void wal_events_free(struct wal_events *events);

DEFINE_POINTER_CLEANUP(wal_events, struct wal_events, wal_events_free);

/* "drop_table", for people, options and JSON. */
const char *wal_event_kind_name(enum wal_event_kind kind);
bool wal_event_kind_parse(const char *name, enum wal_event_kind *ret);

#endif
