/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_deed.h: what one transaction did, put together at its end. Private to wal_events.c.
 */
#ifndef WAL_WAL_DEED_H
#define WAL_WAL_DEED_H

#include "wal/wal_work.h"

/* What pg_class is called in a database: its number changes with VACUUM FULL. */
struct wal_class_file {
    uint32_t database;
    uint32_t number;
};

struct wal_classes {
    struct wal_class_file *items;
    size_t n;
};

/* Take note of a relation map. 0 or -1 (ERR_INTERNAL). */
int wal_classes_note(struct wal_classes *classes, const struct wal_index_event *event,
                     struct err *err) MUST_USE;
uint32_t wal_classes_number(const struct wal_classes *classes, uint32_t database);
void wal_classes_done(struct wal_classes *classes);

/* What a transaction did, with what its end says. */
struct wal_deed {
    const struct wal_index_end *end;
    struct wal_work work;
    struct wal_relation *dropped; /* files that went away and were not its own */
    size_t n_dropped;
    struct wal_index_object *objects; /* relations whose statistics went away */
    size_t n_objects;
    int64_t class_deleted; /* rows of pg_class: deleted less inserted */
    bool class_touched;    /* any inserted or deleted */
    uint64_t type_deleted;
    uint64_t schema_deleted;
    bool new_files;        /* it made files ... */
    bool new_content;      /* ... and put something into them */
};

/* What it is put together from. */
struct wal_deed_source {
    struct wal_works *works;
    const struct wal_classes *classes;
    const struct wal_index *index; /* the end's */
};

/* The work of the transaction and its subtransactions, which is then forgotten. 0 or -1. */
int wal_deed_take(struct wal_deed *deed, const struct wal_deed_source *source,
                  const struct wal_index_end *end, struct err *err) MUST_USE;
void wal_deed_done(struct wal_deed *deed);

DEFINE_CLEANUP(wal_deed, struct wal_deed, wal_deed_done);

#endif

