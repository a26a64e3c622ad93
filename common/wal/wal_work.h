/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_work.h: what transactions have done so far, put together from the indexes of segments.
 * Private to wal_events.c and wal_deed.c.
 */
#ifndef WAL_WAL_WORK_H
#define WAL_WAL_WORK_H

#include "wal/wal_index.h"

/* One transaction's work; a subtransaction has its own until both are put together. */
struct wal_work {
    uint32_t xid;
    uint64_t first_lsn;
    struct wal_index_rows *rows; /* ascending by relation, each once */
    size_t n_rows;
    size_t rows_capacity;
    struct wal_relation *created; /* main forks */
    size_t n_created;
    size_t created_capacity;
    struct wal_index_object *locked;
    size_t n_locked;
    size_t locked_capacity;
    struct wal_index_object *emptied;
    size_t n_emptied;
    size_t emptied_capacity;
};

struct wal_works {
    struct wal_work **items; /* by xid */
    size_t n;
    size_t capacity;
    size_t n_elements; /* in all of them */
    size_t transactions_max;
    size_t elements_max;
    bool incomplete;
};

/* Add what an index says of a transaction. 0 or -1 (ERR_INTERNAL). */
int wal_works_add(struct wal_works *works, const struct wal_index *index,
                  const struct wal_index_work *work, struct err *err) MUST_USE;

/* The work of this xid, or NULL. */
struct wal_work *wal_works_find(const struct wal_works *works, uint32_t xid);

/* Put the work of `from` (may be NULL) into `into`, and forget `from`. 0 or -1. */
int wal_works_fold(struct wal_works *works, struct wal_work *into, uint32_t from,
                   struct err *err) MUST_USE;

/* Forget one, or all. */
void wal_works_forget(struct wal_works *works, uint32_t xid);
void wal_works_clear(struct wal_works *works);

/* For work that stands alone. */
void wal_work_done(struct wal_work *work);

DEFINE_CLEANUP(wal_work, struct wal_work, wal_work_done);

/* Put created, locked and emptied in order, the latter two each once: before they are looked at. */
void wal_work_settle(struct wal_work *work);

const struct wal_index_rows *wal_work_rows(const struct wal_work *work,
                                           const struct wal_relation *relation);
bool wal_work_created(const struct wal_work *work, const struct wal_relation *relation);
int wal_relation_compare(const struct wal_relation *left, const struct wal_relation *right);

#endif
