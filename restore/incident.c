/* SPDX-License-Identifier: PostgreSQL */
#include "restore/incident.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How relations of these kinds count in an event. */
enum weight {
    WEIGHT_NONE,  /* follows from something else: TOAST, an index of a table that is dropped too */
    WEIGHT_INDEX,
    WEIGHT_TABLE,
};

static enum weight
weight_of(const struct name_map_relation *relation)
{
    switch (relation->kind) {
    case 'r':
    case 'p':
    case 'm':
    case 'v':
        return WEIGHT_TABLE;
    case 'i':
    case 'I':
        return WEIGHT_INDEX;
    default:
        return WEIGHT_NONE;
    }
}

static void
keep_name(struct incident *incident, const char *name)
{
    for (size_t i = 0; i < incident->n_names; i++)
        if (strcmp(incident->relations[i], name) == 0)
            return;
    incident->n_relations++;
    if (incident->n_names < INCIDENT_NAMES_MAX)
        (void)snprintf(incident->relations[incident->n_names++], INCIDENT_NAME_SIZE, "%s", name);
}

static void
keep_relation(struct incident *incident, const struct name_map_relation *relation)
{
    char name[INCIDENT_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "%s.%s", relation->schema, relation->name);
    keep_name(incident, name);
}

static void
keep_number(struct incident *incident, const struct wal_relation *relation)
{
    char name[INCIDENT_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "file %" PRIu32 "/%" PRIu32 "/%" PRIu32,
                   relation->tablespace, relation->database, relation->number);
    keep_name(incident, name);
}

/* Relations whose files went away, of this weight. Returns how many have names at all. */
static size_t
keep_files(const struct wal_event *event, struct name_book *book, enum weight wanted,
           struct incident *incident)
{
    size_t known = 0;

    for (size_t i = 0; i < event->n_relations; i++) {
        const struct name_map_relation *relation =
            name_book_by_file(book, event->time, &event->relations[i]);

        if (relation == NULL)
            continue;
        known++;
        if (weight_of(relation) == wanted)
            keep_relation(incident, relation);
    }
    return known;
}

/* The same of relations that are meant by OID. */
static size_t
keep_objects(const struct wal_event *event, struct name_book *book, enum weight wanted,
             struct incident *incident)
{
    size_t known = 0;

    for (size_t i = 0; i < event->n_objects; i++) {
        const struct name_map_relation *relation = name_book_by_oid(
            book, event->time, event->objects[i].database, event->objects[i].oid);

        if (relation == NULL)
            continue;
        known++;
        if (weight_of(relation) == wanted)
            keep_relation(incident, relation);
    }
    return known;
}

/* Tables that are gone or empty. False: it was indexes only, and no table is meant. */
static bool
name_files(const struct wal_event *event, struct name_book *book, struct incident *incident)
{
    enum weight wanted = event->kind == WAL_EVENT_DROP_INDEX ? WEIGHT_INDEX : WEIGHT_TABLE;
    size_t files = keep_files(event, book, wanted, incident);
    size_t objects = 0;

    /* Tables that were rewritten since the map have other files and the same OID. What was locked
     * is more than what is meant: a table that another one refers to, that of an index. */
    if (!event->objects_locked || incident->n_relations == 0)
        objects = keep_objects(event, book, wanted, incident);
    if (incident->n_relations > 0)
        return true;
    /* All of it is known, and no table among it: the index of an empty table was rebuilt. */
    if (event->kind == WAL_EVENT_TRUNCATE &&
        (files == event->n_relations || (objects > 0 && objects == event->n_objects)))
        return false;
    incident->or_rewrite = event->kind == WAL_EVENT_TRUNCATE && event->objects_locked;
    for (size_t i = 0; i < event->n_relations; i++)
        keep_number(incident, &event->relations[i]);
    return true;
}

static bool
name_rows(const struct wal_event *event, struct name_book *book, struct incident *incident)
{
    const struct name_map_relation *relation =
        name_book_by_file(book, event->time, &event->relations[0]);

    if (relation == NULL) {
        keep_number(incident, &event->relations[0]);
        return true;
    }
    if (weight_of(relation) != WEIGHT_TABLE)
        return false;
    keep_relation(incident, relation);
    return true;
}

static void
name_database(const struct wal_event *event, struct name_book *book, struct incident *incident)
{
    const struct name_map_database *database = NULL;

    if (event->database == 0)
        return;
    database = name_book_database(book, event->time, event->database);
    if (database != NULL)
        (void)snprintf(incident->database, sizeof(incident->database), "%s", database->name);
    else
        (void)snprintf(incident->database, sizeof(incident->database), "%" PRIu32,
                       event->database);
}

static void
describe_relations(struct incident *incident)
{
    size_t at = 0;
    size_t shown = MIN_OF(incident->n_names, (size_t)3);

    for (size_t i = 0; i < shown && at < sizeof(incident->what); i++)
        at += (size_t)snprintf(incident->what + at, sizeof(incident->what) - at, "%s%s",
                               i == 0 ? "" : ", ", incident->relations[i]);
    if (incident->n_relations > shown && at < sizeof(incident->what))
        at += (size_t)snprintf(incident->what + at, sizeof(incident->what) - at, " and %zu more",
                               incident->n_relations - shown);
    if (incident->or_rewrite && at < sizeof(incident->what))
        (void)snprintf(incident->what + at, sizeof(incident->what) - at,
                       " (or REINDEX of an empty table)");
}

static void
describe(const struct wal_event *event, struct incident *incident)
{
    char *what = incident->what;
    size_t size = sizeof(incident->what);

    switch (event->kind) {
    case WAL_EVENT_RESTORE_POINT:
        (void)snprintf(what, size, "%.*s", (int)MIN_OF(event->text.size, (size_t)64),
                       (const char *)event->text.data);
        break;
    case WAL_EVENT_PROMOTION:
        (void)snprintf(what, size, "timeline %" PRIu32 " to %" PRIu32, event->prev_timeline,
                       event->timeline);
        break;
    case WAL_EVENT_DROP_DATABASE:
    case WAL_EVENT_CREATE_DATABASE:
        (void)snprintf(what, size, "%s", incident->database);
        break;
    case WAL_EVENT_DROP_TABLESPACE:
        (void)snprintf(what, size, "%" PRIu32, event->tablespace);
        break;
    case WAL_EVENT_DROP_TABLE:
    case WAL_EVENT_DROP_INDEX:
    case WAL_EVENT_DROP_SCHEMA:
    case WAL_EVENT_TRUNCATE:
    case WAL_EVENT_REWRITE:
    case WAL_EVENT_DELETE:
    case WAL_EVENT_UPDATE:
        describe_relations(incident);
        break;
    case WAL_EVENT_SHUTDOWN:
        break;
    }
}

bool
incident_describe(const struct wal_event *event, uint32_t timeline, struct name_book *book,
                  struct incident *ret)
{
    bool meant = true;

    *ret = (struct incident){
        .kind = event->kind,
        .lsn = event->lsn,
        .stop_lsn = event->stop_lsn,
        .first_lsn = event->first_lsn,
        .xid = event->xid,
        .has_time = event->has_time,
        .time_us = event->time,
        .timeline = event->kind == WAL_EVENT_PROMOTION ? event->timeline : timeline,
        .prev_timeline = event->prev_timeline,
        .rows = event->rows,
    };
    name_database(event, book, ret);
    if (event->kind == WAL_EVENT_DELETE || event->kind == WAL_EVENT_UPDATE)
        meant = name_rows(event, book, ret);
    else if (event->n_relations > 0)
        meant = name_files(event, book, ret);
    if (meant)
        describe(event, ret);
    return meant;
}

bool
incident_has_relation(const struct incident *incident, const char *name)
{
    for (size_t i = 0; i < incident->n_names; i++) {
        const char *dot = strchr(incident->relations[i], '.');

        if (strcmp(incident->relations[i], name) == 0 ||
            (dot != NULL && strcmp(dot + 1, name) == 0))
            return true;
    }
    return false;
}
