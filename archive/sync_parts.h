/* SPDX-License-Identifier: PostgreSQL */
/*
 * sync_parts.h: between the files of seawall sync. Private to them.
 */
#ifndef ARCHIVE_SYNC_PARTS_H
#define ARCHIVE_SYNC_PARTS_H

#include "archive/copy_object.h"
#include "archive/probe.h"
#include "archive/sync.h"
#include "base/progress.h"
#include "catalog/backup_name.h"
#include "catalog/inventory.h"

#define SYNC_IN_FLIGHT_MAX 16
#define SYNC_MEMORY (64 * MIB) /* of objects under way together, or one if it is larger */
#define SYNC_BACKUPS_MAX (SYNC_IN_FLIGHT_MAX + 2) /* being copied at the same time */
#define SYNC_OBJECT_MAX (object_size_bound(OBJECT_FILE_MAX))

/* ---- sync_names.c: the names of all stores, merged ---- */

struct sync_name {
    char name[STORE_NAME_MAX + 1];
    uint32_t listed;                     /* bit i: store i is being listed */
    uint32_t has;                        /* bit i: and has it */
    uint64_t sizes[SETTINGS_STORES_MAX]; /* where it has */
};

enum sync_names_outcome {
    SYNC_NAMES_PENDING = 1, /* a page is under way: run the loop */
    SYNC_NAMES_END = 2,
};

struct sync_names; /* opaque */

/*
 * The names below `prefix` in every store that has no open_err. A store whose listing fails gets
 * one and is not listed any more.
 */
int sync_names_new(struct archive *archive, const char *prefix, int64_t deadline_ms,
                   struct sync_names **ret, struct err *err) MUST_USE;

/* The next name in byte order. 0, an outcome, or -1 (ERR_INTERNAL). */
int sync_names_next(struct sync_names *names, struct sync_name *ret, struct err *err) MUST_USE;

/* Pass over all names up to this one; `after` is above the last name that came. */
void sync_names_skip(struct sync_names *names, const char *after);

void sync_names_free(struct sync_names *names);

DEFINE_POINTER_CLEANUP(sync_names, struct sync_names, sync_names_free);

/* ---- sync_backup.c: one backup, until its completion is copied ---- */

struct sync_backup {
    bool used;
    char label[BACKUP_LABEL_SIZE];
    uint32_t lacking;   /* bit i: store i lacks an object for good */
    uint32_t failed;    /* bit i: store i lacks one because a request failed */
    bool hole;          /* a part or manifest object is in no store at all */
    uint32_t n_parts;   /* seen */
    uint32_t n_manifests;
    size_t under_way;   /* items */
    bool ended;         /* all its names have been seen */
    struct sync_name complete;
};

/* A further object of it has been listed. */
void sync_backup_saw(struct sync_backup *backup, enum backup_object_kind kind, uint32_t number);

/* Why the completion must not go into a store, or NULL if it may. *ret_kind: as what to count it.
 */
const char *sync_backup_withheld(const struct sync_backup *backup, size_t store,
                                 enum sync_kind *ret_kind);

/* ---- sync_item.c: one name that needs work ---- */

struct sync_work;

struct sync_item {
    bool used;
    struct sync_name name;
    uint64_t system_id;
    struct sync_backup *backup; /* it belongs to one, or NULL */
    bool completion;            /* and is its completion */
    uint32_t good;              /* stores with a copy that is not known to be bad */
    uint32_t compare;           /* of them those still to be compared with the source's */
    uint32_t lacks;             /* stores it is still to be copied into */
    uint32_t failed;            /* stores of which nothing can be said: a request failed */
    size_t from;
    size_t to;
    bool comparing;
    struct copy_object *copy;   /* under way, or NULL */
    uint64_t memory;
};

/*
 * What is to be done about this name; `may_get`: stores it may be copied into. False: nothing. The
 * item is not yet under way then.
 */
bool sync_item_plan(const struct sync_work *work, const struct sync_name *name, uint32_t may_get,
                    struct sync_item *ret);

enum sync_item_outcome {
    SYNC_ITEM_PENDING = 1, /* a request is under way */
};

/* Take up what has come, ask what is next. 0 (finished), SYNC_ITEM_PENDING, or -1 (give up). */
int sync_item_advance(struct sync_work *work, struct sync_item *item, struct err *err) MUST_USE;

/* ---- sync.c ---- */

/* A run while it goes on. */
struct sync_work {
    struct archive *archive;
    const struct sync_request *request;
    struct notices *notices;
    struct sync_totals *totals;
    uint64_t n_incomplete;
    struct progress progress;
    uint64_t n_names;  /* seen */
    uint64_t n_copied;
    uint64_t n_bytes;
    uint32_t targets;  /* bit i: store i may be written to, and takes it */
    struct err refused[SETTINGS_STORES_MAX]; /* why it does not */
    unsigned failures[SETTINGS_STORES_MAX];  /* in a row */
    uint32_t wal_failed; /* bit i: a request failed, and store i lacks WAL for it */
    struct err first_failure;
    uint64_t systems[INVENTORY_SYSTEMS_MAX];
    size_t n_systems;
    struct sync_names *names;
    bool backups_now;          /* the names at hand are those of backups */
    struct object_owner owner; /* theirs */
    struct sync_name next;     /* the name at hand */
    bool has_next;
    bool ended;                /* there are no more names */
    struct sync_backup backups[SYNC_BACKUPS_MAX];
    struct sync_backup *backup; /* whose names come just now, or NULL */
    struct sync_item items[SYNC_IN_FLIGHT_MAX];
    uint64_t memory;           /* of the items under way */
    uint32_t segment_size;     /* of the server at hand; 0: unknown */
    uint64_t segment_system;   /* the server */
};

void sync_found(struct sync_work *work, enum sync_kind kind, size_t store, const char *name,
                const char *why);

/* A request to the store failed. One that refuses, or fails again and again, is given up: as a
 * target, or (reading) altogether. */
void sync_store_failed(struct sync_work *work, size_t store, bool writing, const struct err *why);

/* ---- sync_walk.c ---- */

/* Walk the names below `prefix` and heal; of backups if work->backups_now. 0 or -1. */
int sync_walk(struct sync_work *work, const char *prefix, struct err *err) MUST_USE;

/* ---- sync_since.c ---- */

/* Is the object's WAL at or behind where the request begins? */
bool sync_since_wants(struct sync_work *work, const struct object_owner *owner,
                      const struct sync_name *name);

#endif
