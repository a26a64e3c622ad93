/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_index.h: the segment index, read (docs/format.md, section 13).
 *
 * What one segment says about transactions, accidents, points to recover to and changed blocks. It
 * is proven whole when it is opened, so walking through it cannot fail. Everything is borrowed from
 * the bytes it was opened from, except the table of relations.
 *
 * A transaction's work and its end may stand in the indexes of different segments; so may the two
 * halves of a record. wal_seam.h joins the halves, and wal_index_of_record() (wal_indexer.h) makes
 * an index of the joined record, so that one way of reading serves everything:
 *
 *      for each segment, in order: the index of the record that ends in it, then its own.
 *
 * Times are microseconds since 1970-01-01 UTC.
 */
#ifndef WAL_WAL_INDEX_H
#define WAL_WAL_INDEX_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "wal/wal_facts.h"
#include "wal/wal_reader.h"

#define WAL_INDEX_VERSION 1
#define WAL_INDEX_MAX ((size_t)1048576) /* OBJECT_INDEX_MAX */
#define WAL_INDEX_RELATIONS_MAX 65536
#define WAL_INDEX_GID_MAX 200

/* What the index lacks because it, or what was needed to make it, would have grown too large. */
enum wal_index_missing {
    WAL_INDEX_NO_BLOCKS = 1,   /* there are no changed blocks: any block may have changed */
    WAL_INDEX_NO_WORK = 2,     /* work of transactions is missing */
    WAL_INDEX_NO_ENDS = 4,     /* ends of transactions are missing */
    WAL_INDEX_NO_XIDS = 8,     /* only lowest and highest of the xids that ended */
    WAL_INDEX_NO_EVENTS = 16,  /* the last of the events are missing */
    WAL_INDEX_NO_MINUTES = 32, /* commits of some minutes are not counted */
};

struct wal_index_point {
    uint64_t lsn; /* 0: there is none */
    int64_t time;
};

struct wal_index_totals {
    uint64_t commits; /* of top-level transactions, prepared ones included */
    uint64_t aborts;  /* of subtransactions too */
    struct wal_index_point first_commit;
    struct wal_index_point last_commit;
    int64_t time_min; /* of commits and aborts: what a recovery target time is compared with. */
    int64_t time_max; /* Meaningless where both numbers are 0. They do not ascend with LSNs. */
    uint32_t xid_min; /* of what ended here, as plain numbers */
    uint32_t xid_max;
    uint64_t inserted; /* rows, in all relations */
    uint64_t loaded;
    uint64_t updated;
    uint64_t deleted;
    uint64_t custom;     /* records of resource managers of extensions */
    uint64_t unread;     /* records whose content is not in the layout of the version */
    uint64_t unread_lsn; /* the first of them */
};

struct wal_index {
    uint16_t magic; /* of the first page; WAL that is not of a known version has nothing else */
    uint64_t system_id;
    unsigned missing; /* enum wal_index_missing */
    struct wal_index_totals totals;
    size_t n_relations;
    struct wal_relation *relations; /* owned */
    struct span summary;            /* the rest is behind the functions below */
    struct span edges;
    struct span minutes;
    struct span events;
    struct span ends;
    struct span work;
    struct span committed;
    struct span aborted;
    struct span blocks;
};

#define WAL_INDEX_INIT ((struct wal_index){.magic = 0})

enum wal_index_outcome {
    WAL_INDEX_UNKNOWN = 1, /* a version we do not know (0: there is none); nothing was read */
};

/* `bytes` is borrowed by *ret. 0, WAL_INDEX_UNKNOWN, or -1 (ERR_CORRUPT, ERR_INTERNAL). */
int wal_index_open(uint32_t version, const void *bytes, size_t size, struct wal_index *ret,
                   struct err *err) MUST_USE;

void wal_index_done(struct wal_index *index);

DEFINE_CLEANUP(wal_index, struct wal_index, wal_index_done);

/*
 * What the reader said about the segment: positions, versions, timelines, damage, edges. So that
 * two indexes can be joined (wal_seam.h).
 */
void wal_index_summary(const struct wal_index *index, struct wal_summary *ret);

/* A place in one of the lists. Any number of walks through one index, by any threads. */
struct wal_index_walk {
    const struct wal_index *index;
    const uint8_t *at;
    const uint8_t *end;
    uint64_t lsn; /* of the element before, and so on: what differences count from */
    int64_t time;
    uint32_t number;
    unsigned mask;
    bool bad; /* always false in an index that was opened */
};

/* A list inside an element, from where it is to go on. */
struct wal_index_list {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t n;      /* elements left */
    uint64_t before; /* what differences count from */
    uint64_t other;
};

/*
 * Commits a minute, ascending, minutes without a commit left out. `minute` counts from 1970. Every
 * _next_ returns false behind the last element and leaves *ret untouched.
 */
struct wal_index_minute {
    int64_t minute;
    uint64_t commits;
};

void wal_index_walk_minutes(const struct wal_index *index, struct wal_index_walk *walk);
bool wal_index_next_minute(struct wal_index_walk *walk, struct wal_index_minute *ret);

/* In the order of LSNs. */
enum wal_index_event_kind {
    WAL_INDEX_RESTORE_POINT = 1,  /* time, text: its name (any bytes) */
    WAL_INDEX_CHECKPOINT = 2,     /* checkpoint; a clean shutdown is shutdown with the timelines
                                   * equal, an end of recovery one where they differ */
    WAL_INDEX_REDO = 3,           /* wal_level; an online checkpoint began */
    WAL_INDEX_END_OF_RECOVERY = 4, /* time, checkpoint.{timeline, prev_timeline, wal_level} */
    WAL_INDEX_BACKUP_END = 5,     /* other_lsn: where the backup began */
    WAL_INDEX_PARAMETERS = 6,     /* parameters */
    WAL_INDEX_FULL_PAGES = 7,     /* on: full_page_writes */
    WAL_INDEX_OVERWRITTEN = 8,    /* time, other_lsn: the record that was abandoned */
    WAL_INDEX_PREPARE = 9,        /* xid, time, database, text: its gid */
    WAL_INDEX_DATABASE_CREATE = 10, /* xid (0: a move to another tablespace), database,
                                   * tablespace, from_database (0: pages are in WAL) */
    WAL_INDEX_DATABASE_DROP = 11, /* xid (0: the end of such a move), database, list: tablespaces */
    WAL_INDEX_DATABASE_ROW = 12,  /* row: changes of pg_database. A DROP DATABASE begins with an
                                   * in-place one of the row it deletes: the last point to stop */
    WAL_INDEX_TABLESPACE_CREATE = 13, /* xid, tablespace */
    WAL_INDEX_TABLESPACE_DROP = 14,
    WAL_INDEX_RELATION_MAP = 15,  /* xid, database (0: shared), tablespace, list: pairs of catalog's
                                   * OID and file number, of 1213, 1247, 1259 and 1262 */
};

enum wal_index_row_kind {
    WAL_INDEX_ROW_INSERT,
    WAL_INDEX_ROW_UPDATE,
    WAL_INDEX_ROW_DELETE,
    WAL_INDEX_ROW_INPLACE,
};

struct wal_index_row {
    enum wal_index_row_kind kind;
    uint32_t number; /* of the catalog's file: 1262, or another since a VACUUM FULL */
    uint32_t block;
    uint16_t offset; /* of the row before the change; 0 of an insert */
};

struct wal_index_event {
    enum wal_index_event_kind kind;
    uint64_t lsn;
    uint32_t xid;
    int64_t time; /* 0 where the kind has none; of a checkpoint in whole seconds */
    uint64_t other_lsn;
    uint32_t database;
    uint32_t tablespace;
    uint32_t from_database;
    uint32_t from_tablespace;
    int wal_level;
    bool on;
    struct wal_fact_checkpoint checkpoint;
    struct wal_fact_parameters parameters;
    struct wal_index_row row;
    struct span text;
    struct wal_index_list list; /* wal_index_list_u32() */
};

void wal_index_walk_events(const struct wal_index *index, struct wal_index_walk *walk);
bool wal_index_next_event(struct wal_index_walk *walk, struct wal_index_event *ret);

/*
 * Ends of transactions, in the order of LSNs: those that format.md promises, not every one. An end
 * belongs to work (here or in earlier segments) of its xid and of its subxids.
 */
struct wal_index_end {
    bool commit;
    bool prepared; /* of a prepared transaction */
    bool cut;      /* the record was not all at hand: lists may be short */
    uint32_t xid;
    uint32_t database; /* 0: not said */
    uint64_t lsn;
    int64_t time;
    struct wal_index_list subxids;   /* wal_index_list_u32() */
    struct wal_index_list relations; /* whose files go away: wal_index_list_relation() */
    struct wal_index_list stats;     /* wal_index_list_stats() */
};

void wal_index_walk_ends(const struct wal_index *index, struct wal_index_walk *walk);
bool wal_index_next_end(struct wal_index_walk *walk, struct wal_index_end *ret);

/*
 * Did a commit (with prepared ones) or an abort of this xid as the record's own stand here? A
 * subtransaction that commits is not asked by its own xid. True also where it cannot be excluded
 * (WAL_INDEX_NO_XIDS).
 */
bool wal_index_has_commit(const struct wal_index *index, uint32_t xid);
bool wal_index_has_abort(const struct wal_index *index, uint32_t xid);

/* What transactions did here, by ascending xid (plain numbers). Which ones: format.md. */
struct wal_index_work {
    uint32_t xid;     /* a subtransaction's own; 0: storage that no transaction owns */
    uint32_t top_xid; /* 0: not known (an end's subxids may say) */
    uint64_t first_lsn; /* of its records here that matter to the index */
    uint64_t last_lsn;
    struct wal_index_list rows;      /* wal_index_list_rows(), each relation once */
    struct wal_index_list creates;   /* wal_index_list_storage() */
    struct wal_index_list truncates; /* the same */
    struct wal_index_list locks;     /* access exclusive: wal_index_list_object(), each once */
    struct wal_index_list emptied;   /* TRUNCATE, as wal_level = logical says: the same */
};

void wal_index_walk_work(const struct wal_index *index, struct wal_index_walk *walk);
bool wal_index_next_work(struct wal_index_walk *walk, struct wal_index_work *ret);

struct wal_index_rows {
    struct wal_relation relation;
    uint64_t inserted; /* one by one */
    uint64_t loaded;   /* by multi-inserts */
    uint64_t updated;
    uint64_t deleted;
    uint64_t moved; /* deleted as half of an update that moved the row to another partition */
    uint64_t pages; /* written whole, with something on them */
};

struct wal_index_storage {
    struct wal_relation relation;
    uint32_t fork;  /* of a create; of a truncate the flags: 1 main, 2 vm, 4 fsm */
    uint32_t block; /* of a truncate: blocks that stay */
    uint64_t lsn;
};

struct wal_index_object {
    uint32_t database;
    uint32_t oid;
};

/* The next element; false behind the last. */
bool wal_index_list_u32(struct wal_index_list *list, uint32_t *ret);
bool wal_index_list_relation(const struct wal_index *index, struct wal_index_list *list,
                             struct wal_relation *ret);
bool wal_index_list_stats(struct wal_index_list *list, struct wal_dropped_stats *ret);
bool wal_index_list_rows(const struct wal_index *index, struct wal_index_list *list,
                         struct wal_index_rows *ret);
bool wal_index_list_storage(const struct wal_index *index, struct wal_index_list *list,
                            struct wal_index_storage *ret);
bool wal_index_list_object(struct wal_index_list *list, struct wal_index_object *ret);

#define WAL_INDEX_NO_LIMIT UINT32_MAX

/* A list of ranges of blocks. */
struct wal_index_ranges {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t chunks; /* that follow the one being read */
    uint32_t chunk;  /* lowest number the next one may have */
    uint32_t origin; /* first block of the one being read */
    uint32_t form;
    uint32_t left;
    uint32_t next;   /* lowest block in it that may follow */
};

struct wal_index_range {
    uint32_t block;
    uint32_t n;
};

/* What may differ in a relation's fork (main, vm or init), by relation and fork. */
struct wal_index_fork {
    struct wal_relation relation;
    uint8_t fork;
    uint32_t limit; /* old content at and behind this block is void; or WAL_INDEX_NO_LIMIT */
    struct wal_index_ranges ranges; /* ascending; may name blocks that are gone since */
};

void wal_index_walk_forks(const struct wal_index *index, struct wal_index_walk *walk);
bool wal_index_next_fork(struct wal_index_walk *walk, struct wal_index_fork *ret);
bool wal_index_next_range(struct wal_index_ranges *ranges, struct wal_index_range *ret);

#endif
