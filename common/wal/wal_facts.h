/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_facts.h: what one record means, in the terms of PostgreSQL's resource managers.
 *
 * Pure: nothing is allocated, lists are borrowed from the record. A record that is none of the
 * kinds below has no facts beyond its block references. Times are microseconds since 1970-01-01
 * UTC; one beyond the range of int64_t stands at its end.
 *
 * Source: src/include/access/xact.h, heapam_xlog.h, xlog_internal.h, catalog/pg_control.h,
 * storage_xlog.h, commands/dbcommands_xlog.h, commands/tablespace.h, storage/standbydefs.h,
 * utils/relmapper.h of PostgreSQL 13 to 18.
 */
#ifndef WAL_WAL_FACTS_H
#define WAL_WAL_FACTS_H

#include "wal/wal_record.h"

#define WAL_RMGR_XLOG 0
#define WAL_RMGR_XACT 1
#define WAL_RMGR_SMGR 2
#define WAL_RMGR_DATABASE 4
#define WAL_RMGR_TABLESPACE 5
#define WAL_RMGR_RELMAP 7
#define WAL_RMGR_STANDBY 8
#define WAL_RMGR_HEAP2 9
#define WAL_RMGR_HEAP 10
#define WAL_RMGR_CUSTOM_FIRST 128

#define WAL_RESTORE_POINT_SIZE 64
#define WAL_RELMAP_SLOTS 64
#define WAL_HEAP_BLOCKS_PER_VM_BLOCK 32672 /* of 8 KiB */

enum wal_fact_kind {
    WAL_FACT_NONE,
    WAL_FACT_COMMIT, /* end */
    WAL_FACT_ABORT,
    WAL_FACT_COMMIT_PREPARED,
    WAL_FACT_ABORT_PREPARED,
    WAL_FACT_PREPARE,         /* prepare */
    WAL_FACT_ASSIGNMENT,      /* assignment */
    WAL_FACT_CHECKPOINT,      /* checkpoint */
    WAL_FACT_REDO,            /* wal_level: the redo point of an online checkpoint, 17 and later */
    WAL_FACT_SWITCH,
    WAL_FACT_BACKUP_END,      /* lsn: where the backup began */
    WAL_FACT_PARAMETERS,      /* parameters */
    WAL_FACT_RESTORE_POINT,   /* restore_point */
    WAL_FACT_FULL_PAGES,      /* on */
    WAL_FACT_END_OF_RECOVERY, /* end_of_recovery */
    WAL_FACT_OVERWRITTEN,     /* lsn: the record that was abandoned; time */
    WAL_FACT_PAGES,           /* n: images of pages with something on them, blocks[0]'s relation */
    WAL_FACT_CREATE,          /* storage */
    WAL_FACT_TRUNCATE,
    WAL_FACT_DATABASE_CREATE, /* database */
    WAL_FACT_DATABASE_DROP,
    WAL_FACT_TABLESPACE_CREATE, /* oid */
    WAL_FACT_TABLESPACE_DROP,
    WAL_FACT_RELATION_MAP,    /* map */
    WAL_FACT_LOCKS,           /* locks */
    WAL_FACT_RUNNING,         /* running */
    WAL_FACT_INSERT,          /* n rows of blocks[0]'s relation */
    WAL_FACT_LOAD,            /* the same, by a multi-insert */
    WAL_FACT_DELETE,          /* and offset: the row's place in blocks[0] */
    WAL_FACT_UPDATE,
    WAL_FACT_MOVE,            /* a delete that is half of an update into another partition */
    WAL_FACT_INPLACE,         /* offset */
    WAL_FACT_HEAP_TRUNCATE,   /* heap_truncate; only with wal_level = logical */
};

/* A list inside the record. `n` elements are there; `stated` says how many the record has. */
struct wal_list {
    const uint8_t *bytes;
    uint32_t n; /* less than stated only where the record is not all at hand */
    uint32_t stated;
    uint32_t size; /* of an element */
};

/* What pg_stat forgets: kind 1 is a database, 2 a relation, 3 a function. */
struct wal_dropped_stats {
    uint32_t kind;
    uint32_t database;
    uint64_t object;
};

struct wal_lock {
    uint32_t xid;
    uint32_t database;
    uint32_t oid; /* of the relation, not its file */
};

struct wal_fact_end {
    uint32_t xid;      /* the transaction's own, of a prepared one too */
    uint32_t database; /* 0: not said */
    int64_t time;
    struct wal_list subxids;   /* wal_fact_u32() */
    struct wal_list relations; /* whose files go away: wal_fact_relation() */
    struct wal_list stats;     /* wal_fact_stats() */
};

struct wal_fact_prepare {
    uint32_t xid;
    uint32_t database;
    int64_t time;
    const char *gid; /* borrowed, without NUL; as much as there is */
    uint32_t gid_size;
};

struct wal_fact_checkpoint {
    bool shutdown;
    bool full_pages;
    int wal_level; /* 0 minimal, 1 replica, 2 logical; -1: not said (up to 16) */
    uint32_t timeline;
    uint32_t prev_timeline;
    uint64_t redo;
    uint64_t next_xid; /* with its epoch */
    int64_t time;      /* whole seconds */
};

struct wal_fact_parameters {
    uint32_t max_connections;
    uint32_t max_worker_processes;
    uint32_t max_wal_senders;
    uint32_t max_prepared_transactions;
    uint32_t max_locks_per_transaction;
    int wal_level;
    bool wal_log_hints;
    bool track_commit_timestamp;
};

struct wal_fact {
    enum wal_fact_kind kind;
    union {
        struct wal_fact_end end;
        struct wal_fact_prepare prepare;
        struct wal_fact_checkpoint checkpoint;
        struct wal_fact_parameters parameters;
        struct {
            uint32_t top_xid;
            struct wal_list subxids;
        } assignment;
        struct {
            int64_t time;
            const char *name; /* borrowed, without NUL */
            uint32_t size;
        } restore_point;
        struct {
            int64_t time;
            uint32_t timeline;
            uint32_t prev_timeline;
            int wal_level; /* -1: not said (up to 16) */
        } end_of_recovery;
        struct {
            uint64_t lsn;
            int64_t time;
        } backup_end, overwritten; /* time: of overwritten only */
        struct {
            struct wal_relation relation;
            uint32_t fork;  /* of a create */
            uint32_t block; /* of a truncate: the main fork's new length */
            uint32_t flags; /* of a truncate: 1 main, 2 vm, 4 fsm */
        } storage;
        struct {
            uint32_t database;
            uint32_t tablespace;      /* of a create */
            uint32_t from_database;   /* of a create that copies files; else 0 */
            uint32_t from_tablespace;
            bool logged;              /* a create whose pages follow in WAL (15 and later) */
            struct wal_list tablespaces; /* of a drop */
        } database;
        struct {
            uint32_t database; /* 0: the shared catalogs */
            uint32_t tablespace;
            struct wal_list entries; /* wal_fact_map_entry() */
        } map;
        struct wal_list locks; /* wal_fact_lock() */
        struct {
            uint32_t next_xid;
            uint32_t oldest_running;
        } running;
        struct {
            uint32_t n;
            uint16_t offset;
        } rows;
        struct {
            uint32_t database;
            uint32_t flags; /* 1 cascade, 2 restart sequences */
            struct wal_list oids;
        } heap_truncate;
        int wal_level;
        uint32_t oid;
        bool on;
    };
};

enum wal_facts_outcome {
    WAL_FACTS_UNREAD = 1, /* not in the layout this version has: *ret is of kind WAL_FACT_NONE */
};

/* 0 or WAL_FACTS_UNREAD. */
int wal_facts_read(const struct wal_record *record, struct wal_fact *ret) MUST_USE;

/*
 * Blocks of visibility maps that replaying this record changes without having a block reference for
 * them: up to two in ret_blocks, of the main fork's relation blocks[0]. Returns how many. Relation
 * blocks of 8 KiB are assumed.
 */
size_t wal_facts_map_blocks(const struct wal_record *record, uint32_t ret_blocks[2]);

/* Element `i` (below n) of a list. */
uint32_t wal_fact_u32(const struct wal_list *list, uint32_t i);
struct wal_relation wal_fact_relation(const struct wal_list *list, uint32_t i);
struct wal_dropped_stats wal_fact_stats(const struct wal_list *list, uint32_t i);
struct wal_lock wal_fact_lock(const struct wal_list *list, uint32_t i);
void wal_fact_map_entry(const struct wal_list *list, uint32_t i, uint32_t *ret_oid,
                        uint32_t *ret_number);

#endif
