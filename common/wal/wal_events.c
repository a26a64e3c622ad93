/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_events.h"

#include <stdlib.h>
#include <string.h>

#include "wal/wal_deed.h"

#define FIRST_USER_NUMBER 16384
#define ROWS_KEPT 64 /* in-place changes of pg_database that are remembered */
#define DROPS_KEPT 64

/* A change of a row of pg_database, waiting for what it belongs to. */
struct database_row {
    uint64_t lsn;
    uint32_t xid;
    struct wal_index_row row;
};

/* A database that was dropped by a transaction whose end has not come. */
struct database_drop {
    uint64_t lsn;
    uint64_t stop_lsn;
    uint32_t xid;
    uint32_t database;
};

struct wal_events {
    struct wal_events_options options;
    struct wal_works works;
    struct wal_classes classes;
    struct database_row rows[ROWS_KEPT]; /* the last ones, a ring */
    size_t next_row;
    struct database_drop drops[DROPS_KEPT];
    size_t n_drops;
    bool incomplete;
};

int
wal_events_new(const struct wal_events_options *options, struct wal_events **ret_events,
               struct err *err)
{
    struct wal_events *events = calloc(1, sizeof(*events));

    if (events == NULL)
        return err_memory(err, "events");
    events->options = *options;
    events->works.transactions_max = WAL_EVENTS_TRANSACTIONS_MAX;
    events->works.elements_max = WAL_EVENTS_ITEMS_MAX;
    *ret_events = events;
    return 0;
}

void
wal_events_free(struct wal_events *events)
{
    if (events == NULL)
        return;
    wal_works_clear(&events->works);
    wal_classes_done(&events->classes);
    free(events);
}

void
wal_events_gap(struct wal_events *events)
{
    wal_works_clear(&events->works);
    memset(events->rows, 0, sizeof(events->rows));
    events->n_drops = 0;
    events->incomplete = true;
}

bool
wal_events_incomplete(const struct wal_events *events)
{
    return events->incomplete || events->works.incomplete;
}

static int
emit(const struct wal_events *events, const struct wal_event *event, struct err *err)
{
    return events->options.sink(events->options.context, event, err);
}

static struct wal_event
event_of(const struct wal_deed *deed, enum wal_event_kind kind)
{
    return (struct wal_event){
        .kind = kind,
        .lsn = deed->end->lsn,
        .stop_lsn = deed->end->lsn,
        .first_lsn = deed->work.first_lsn != 0 ? deed->work.first_lsn : deed->end->lsn,
        .xid = deed->end->xid,
        .has_time = true,
        .time = deed->end->time,
        .database = deed->end->database,
    };
}

/*
 * Files went away that the transaction had not made itself. A drop takes rows from pg_class, and a
 * table's from pg_type as well; a TRUNCATE changes rows of pg_class only and gives empty files; any
 * other exchange of files (VACUUM FULL, CLUSTER, REINDEX, ALTER TABLE) fills the new ones, or has a
 * transient row in pg_class that is inserted and deleted again.
 */
static enum wal_event_kind
kind_of_files(const struct wal_deed *deed)
{
    if (deed->schema_deleted > 0 && deed->class_deleted > 0)
        return WAL_EVENT_DROP_SCHEMA;
    if (deed->class_deleted > 0)
        return deed->type_deleted > 0 ? WAL_EVENT_DROP_TABLE : WAL_EVENT_DROP_INDEX;
    if (deed->work.n_emptied > 0)
        return WAL_EVENT_TRUNCATE;
    if (deed->new_files && !deed->new_content && !deed->class_touched)
        return WAL_EVENT_TRUNCATE;
    return WAL_EVENT_REWRITE;
}

static int
emit_files(const struct wal_events *events, const struct wal_deed *deed, struct err *err)
{
    if (deed->n_dropped == 0)
        return 0;
    enum wal_event_kind kind = kind_of_files(deed);
    struct wal_event event = event_of(deed, kind);

    if (event.database == 0)
        event.database = deed->dropped[0].database;
    event.relations = deed->dropped;
    event.n_relations = deed->n_dropped;
    if (kind == WAL_EVENT_TRUNCATE && deed->work.n_emptied > 0) {
        event.objects = deed->work.emptied;
        event.n_objects = deed->work.n_emptied;
    } else if (kind == WAL_EVENT_TRUNCATE || deed->n_objects == 0) {
        event.objects = deed->work.locked;
        event.n_objects = deed->work.n_locked;
        event.objects_locked = true;
    } else {
        event.objects = deed->objects;
        event.n_objects = deed->n_objects;
    }
    return emit(events, &event, err);
}

static int
emit_rows(const struct wal_events *events, const struct wal_deed *deed, struct err *err)
{
    for (size_t i = 0; i < deed->work.n_rows; i++) {
        const struct wal_index_rows *rows = &deed->work.rows[i];
        uint64_t updated = rows->updated + rows->moved;

        /* Catalogs have their own events, and a file made by the transaction was empty before. */
        if (rows->relation.number < FIRST_USER_NUMBER ||
            rows->relation.number ==
                wal_classes_number(&events->classes, rows->relation.database) ||
            wal_work_created(&deed->work, &rows->relation))
            continue;
        for (int deleted = 1; deleted >= 0; deleted--) {
            struct wal_event event =
                event_of(deed, deleted != 0 ? WAL_EVENT_DELETE : WAL_EVENT_UPDATE);

            event.rows = deleted != 0 ? rows->deleted : updated;
            if (event.rows == 0 || event.rows < events->options.rows_min)
                continue;
            event.database = rows->relation.database;
            event.relations = &rows->relation;
            event.n_relations = 1;
            if (emit(events, &event, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- databases ---- */

static void
note_row(struct wal_events *events, const struct wal_index_event *event)
{
    events->rows[events->next_row++ % ROWS_KEPT] =
        (struct database_row){event->lsn, event->xid, event->row};
}

/*
 * The database's files go when its drop is replayed, before the commit; and just before that its
 * row is marked invalid in place, without a transaction. The row that this transaction deletes
 * tells which mark is meant: there recovery must stop, or the database cannot be connected to.
 */
static uint64_t
stop_of_drop(const struct wal_events *events, const struct wal_index_event *drop)
{
    const struct database_row *deleted = NULL;
    uint64_t stop = drop->lsn;

    for (size_t i = 0; i < ROWS_KEPT; i++) {
        const struct database_row *at = &events->rows[i];

        if (at->lsn != 0 && at->xid == drop->xid && at->row.kind == WAL_INDEX_ROW_DELETE)
            deleted = at;
    }
    for (size_t i = 0; deleted != NULL && i < ROWS_KEPT; i++) {
        const struct database_row *at = &events->rows[i];

        if (at->lsn != 0 && at->row.kind == WAL_INDEX_ROW_INPLACE && at->lsn < drop->lsn &&
            at->row.number == deleted->row.number && at->row.block == deleted->row.block &&
            at->row.offset == deleted->row.offset && (stop == drop->lsn || at->lsn > stop))
            stop = at->lsn;
    }
    return stop;
}

static int
note_drop(struct wal_events *events, const struct wal_index_event *event)
{
    if (event->xid == 0)
        return 0; /* the end of a move to another tablespace */
    if (events->n_drops == DROPS_KEPT) {
        events->incomplete = true;
        return 0;
    }
    events->drops[events->n_drops++] = (struct database_drop){
        event->lsn, stop_of_drop(events, event), event->xid, event->database};
    return 0;
}

/* Its files are gone whether the transaction commits or not; the commit only gives the time. */
static int
emit_drop(struct wal_events *events, const struct wal_index_end *end, struct err *err)
{
    for (size_t i = 0; i < events->n_drops; i++) {
        const struct database_drop drop = events->drops[i];

        if (drop.xid != end->xid)
            continue;
        events->n_drops--;
        memmove(&events->drops[i], &events->drops[i + 1],
                (events->n_drops - i) * sizeof(events->drops[0]));
        const struct wal_event event = {
            .kind = WAL_EVENT_DROP_DATABASE,
            .lsn = drop.lsn,
            .stop_lsn = drop.stop_lsn,
            .first_lsn = drop.stop_lsn,
            .xid = drop.xid,
            .has_time = true,
            .time = end->time,
            .database = drop.database,
        };
        return emit(events, &event, err);
    }
    return 0;
}

/* ---- records in order ---- */

static int
feed_end(struct wal_events *events, const struct wal_index *index,
         const struct wal_index_end *end, struct err *err)
{
    AUTO(wal_deed) struct wal_deed deed = {.end = NULL};
    const struct wal_deed_source source = {&events->works, &events->classes, index};

    if (emit_drop(events, end, err) < 0 || wal_deed_take(&deed, &source, end, err) < 0)
        return -1;
    if (!end->commit)
        return 0;
    events->incomplete |= end->cut;
    return emit_files(events, &deed, err) < 0 ? -1 : emit_rows(events, &deed, err);
}

static int
emit_point(const struct wal_events *events, const struct wal_index_event *from,
           enum wal_event_kind kind, struct err *err)
{
    struct wal_event event = {
        .kind = kind,
        .lsn = from->lsn,
        .stop_lsn = from->lsn,
        .first_lsn = from->lsn,
        .xid = from->xid,
        .has_time = from->time != 0,
        .time = from->time,
        .database = from->database,
        .tablespace = from->tablespace,
        .text = from->text,
    };

    if (kind == WAL_EVENT_PROMOTION) {
        event.timeline = from->checkpoint.timeline;
        event.prev_timeline = from->checkpoint.prev_timeline;
    }
    return emit(events, &event, err);
}

/* The server begins anew: what was under way, unless it was prepared, has ended without an end. */
static int
feed_checkpoint(struct wal_events *events, const struct wal_index_event *event, struct err *err)
{
    const struct wal_fact_checkpoint *checkpoint = &event->checkpoint;

    if (!checkpoint->shutdown)
        return 0;
    return emit_point(events, event,
                      checkpoint->timeline != checkpoint->prev_timeline ? WAL_EVENT_PROMOTION
                                                                        : WAL_EVENT_SHUTDOWN,
                      err);
}

static int
feed_event(struct wal_events *events, const struct wal_index_event *event, struct err *err)
{
    switch (event->kind) {
    case WAL_INDEX_RESTORE_POINT:
        return emit_point(events, event, WAL_EVENT_RESTORE_POINT, err);
    case WAL_INDEX_CHECKPOINT:
        return feed_checkpoint(events, event, err);
    case WAL_INDEX_END_OF_RECOVERY:
        return emit_point(events, event, WAL_EVENT_PROMOTION, err);
    case WAL_INDEX_DATABASE_CREATE:
        return event->xid == 0 ? 0 : emit_point(events, event, WAL_EVENT_CREATE_DATABASE, err);
    case WAL_INDEX_DATABASE_DROP:
        return note_drop(events, event);
    case WAL_INDEX_DATABASE_ROW:
        note_row(events, event);
        return 0;
    case WAL_INDEX_TABLESPACE_DROP:
        return emit_point(events, event, WAL_EVENT_DROP_TABLESPACE, err);
    case WAL_INDEX_RELATION_MAP:
        return wal_classes_note(&events->classes, event, err);
    case WAL_INDEX_REDO:
    case WAL_INDEX_BACKUP_END:
    case WAL_INDEX_PARAMETERS:
    case WAL_INDEX_FULL_PAGES:
    case WAL_INDEX_OVERWRITTEN:
    case WAL_INDEX_PREPARE:
    case WAL_INDEX_TABLESPACE_CREATE:
        break;
    }
    return 0;
}

/* Transactions whose end is not among the ends: they have done nothing that matters. */
static void
forget_ended(struct wal_events *events, const struct wal_index *index)
{
    for (size_t i = events->works.n; i > 0; i--) {
        uint32_t xid = events->works.items[i - 1]->xid;

        if (xid != 0 && (index->missing & WAL_INDEX_NO_XIDS) == 0 &&
            (wal_index_has_commit(index, xid) || wal_index_has_abort(index, xid))) {
            events->incomplete |= wal_index_has_commit(index, xid);
            wal_works_forget(&events->works, xid);
        }
    }
    wal_works_forget(&events->works, 0);
}

int
wal_events_feed(struct wal_events *events, const struct wal_index *index, struct err *err)
{
    const unsigned holes = WAL_INDEX_NO_WORK | WAL_INDEX_NO_ENDS | WAL_INDEX_NO_EVENTS;
    struct wal_index_walk walk;
    struct wal_index_walk ends;
    struct wal_index_work work;
    struct wal_index_event event;
    struct wal_index_end end;

    events->incomplete |= (index->missing & holes) != 0;
    wal_index_walk_work(index, &walk);
    while (wal_index_next_work(&walk, &work))
        if (wal_works_add(&events->works, index, &work, err) < 0)
            return -1;

    wal_index_walk_events(index, &walk);
    wal_index_walk_ends(index, &ends);
    bool has_event = wal_index_next_event(&walk, &event);
    bool has_end = wal_index_next_end(&ends, &end);
    while (has_event || has_end) {
        if (!has_end || (has_event && event.lsn < end.lsn)) {
            if (feed_event(events, &event, err) < 0)
                return -1;
            has_event = wal_index_next_event(&walk, &event);
        } else {
            if (feed_end(events, index, &end, err) < 0)
                return -1;
            has_end = wal_index_next_end(&ends, &end);
        }
    }
    forget_ended(events, index);
    return 0;
}
