/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_transactions.h: what each transaction does in a segment, kept as long as it matters.
 *
 * Whose work is kept when it ends is said in docs/format.md, section 13.9. Whatever has no room is
 * left out, and `incomplete` says so.
 */
#ifndef WAL_WAL_TRANSACTIONS_H
#define WAL_WAL_TRANSACTIONS_H

#include <stdbool.h>

#include "wal/wal_facts.h"
#include "wal/wal_indexer.h"
#include "wal/wal_pool.h"

#define WAL_NOBODY UINT32_MAX

enum wal_row_count {
    WAL_ROW_INSERTED,
    WAL_ROW_LOADED,
    WAL_ROW_UPDATED,
    WAL_ROW_DELETED,
    WAL_ROW_MOVED,
    WAL_ROW_PAGES,
    WAL_ROW_COUNTS,
};

/* Items of the lists below are numbers in their pools and 1; 0 ends a list. */
struct wal_rows_item {
    uint32_t relation; /* wal_relation_table.h */
    uint32_t next;
    uint64_t counts[WAL_ROW_COUNTS];
};

struct wal_storage_item {
    uint32_t relation;
    uint32_t next;
    uint32_t block;
    uint32_t kind; /* fork of a create, flags of a truncate */
    uint64_t lsn;
};

struct wal_object_item {
    uint32_t database;
    uint32_t oid;
    uint32_t next;
};

struct wal_item_list {
    uint32_t first;
    uint32_t last;
};

struct wal_transaction {
    uint32_t xid;
    uint32_t top_xid;
    uint64_t first_lsn; /* 0: the item is free, and rows.first the next free one and 1 */
    uint64_t last_lsn;
    bool notable;       /* for something else than its rows */
    struct wal_item_list rows;
    struct wal_item_list creates;
    struct wal_item_list truncates;
    struct wal_item_list locks;
    struct wal_item_list emptied;
};

struct wal_transactions {
    struct wal_pool items;
    struct wal_pool rows;
    struct wal_pool storage;
    struct wal_pool objects;
    uint32_t free_item; /* and 1 */
    uint32_t free_rows;
    uint32_t *slots;    /* number and 1, by xid */
    uint32_t n_slots;
    uint32_t n_live;
    uint32_t last;
    uint32_t oldest[WAL_INDEX_OLDEST]; /* ascending, modulo 2^32 */
    uint32_t n_oldest;
    bool incomplete;
};

void wal_transactions_init(struct wal_transactions *all);
void wal_transactions_done(struct wal_transactions *all);

/*
 * The one with this xid, made if there is none; a record of it is at `lsn`. The number is good
 * until one ends. WAL_NOBODY: no room.
 */
uint32_t wal_transactions_touch(struct wal_transactions *all, uint32_t xid, uint64_t lsn);

static inline struct wal_transaction *
wal_transactions_at(const struct wal_transactions *all, uint32_t number)
{
    return wal_pool_at(&all->items, number);
}

/* The top xid of one that has done something. */
void wal_transactions_assign(struct wal_transactions *all, uint32_t xid, uint32_t top_xid);

void wal_transactions_count(struct wal_transactions *all, uint32_t number, uint32_t relation,
                            enum wal_row_count count, uint64_t n);

/* To one of the transaction's lists of storage. next of *item is not looked at. */
void wal_transactions_store(struct wal_transactions *all, struct wal_item_list *list,
                            const struct wal_storage_item *item);

/* To one of its lists of objects, where it may be already. */
void wal_transactions_name(struct wal_transactions *all, struct wal_item_list *list,
                           uint32_t database, uint32_t oid);

/*
 * It ended, with its subtransactions. Work of what aborted is forgotten; that of a commit is put
 * together under the top xid, and forgotten unless it is to be kept. `notable`: the end itself is
 * worth keeping. Returns whether the end is to be kept.
 */
bool wal_transactions_end(struct wal_transactions *all, const struct wal_fact_end *end, bool commit,
                          bool notable);

#endif
