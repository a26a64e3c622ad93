/* SPDX-License-Identifier: PostgreSQL */
/*
 * incident.h: an event with names, as it is shown and as plan --before finds it.
 */
#ifndef RESTORE_INCIDENT_H
#define RESTORE_INCIDENT_H

#include "restore/name_book.h"
#include "wal/wal_events.h"

#define INCIDENT_NAME_SIZE (2 * NAME_MAP_TEXT_MAX)
#define INCIDENT_NAMES_MAX 16 /* relations that are kept by name */
#define INCIDENT_WHAT_SIZE 640

struct incident {
    enum wal_event_kind kind;
    uint64_t lsn;      /* see wal_events.h, here and below */
    uint64_t stop_lsn;
    uint64_t first_lsn;
    uint32_t xid;
    bool has_time;
    int64_t time_us;
    uint32_t timeline;      /* on which it happened; of a promotion: the new one */
    uint32_t prev_timeline; /* of a promotion */
    uint64_t rows;
    /* A truncate by its files alone: it may as well be a REINDEX of an empty table. */
    bool or_rewrite;
    char database[NAME_MAP_TEXT_MAX]; /* its name, or its OID; "" where there is none */
    /* Tables that are meant, "schema.name" or "file 1663/16384/16390": the first ones. */
    char relations[INCIDENT_NAMES_MAX][INCIDENT_NAME_SIZE];
    size_t n_names;
    size_t n_relations;
    char what[INCIDENT_WHAT_SIZE]; /* all of that in one text, control characters escaped */
};

/*
 * Put names on an event that stands on this timeline. False: with names it turns out to be none
 * (rows of a TOAST table; an index was rebuilt).
 */
bool incident_describe(const struct wal_event *event, uint32_t timeline, struct name_book *book,
                       struct incident *ret);

/* Does this name ("users", "public.users") mean one of its relations? */
bool incident_has_relation(const struct incident *incident, const char *name);

#endif
