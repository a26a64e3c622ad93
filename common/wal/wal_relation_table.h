/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_relation_table.h: the relations a segment speaks of, numbered as they are first seen, and
 * from which block on their forks hold nothing old.
 */
#ifndef WAL_WAL_RELATION_TABLE_H
#define WAL_WAL_RELATION_TABLE_H

#include <stdbool.h>

#include "wal/wal_pool.h"
#include "wal/wal_record.h"

#define WAL_RELATION_FORKS 4
#define WAL_RELATION_NONE UINT32_MAX

struct wal_relation_entry {
    struct wal_relation relation;
    bool whole;                           /* began or went: every fork's limit is 0 */
    uint32_t limits[WAL_RELATION_FORKS]; /* UINT32_MAX: none */
};

struct wal_relation_table {
    struct wal_pool entries; /* struct wal_relation_entry */
    uint32_t *slots;         /* number and 1 */
    uint32_t n_slots;
    uint32_t last;
};

void wal_relation_table_init(struct wal_relation_table *table, uint32_t max);
void wal_relation_table_done(struct wal_relation_table *table);

/* Its number; WAL_RELATION_NONE: there is no room for another. */
uint32_t wal_relation_table_number(struct wal_relation_table *table,
                                   const struct wal_relation *relation);

static inline struct wal_relation_entry *
wal_relation_table_at(const struct wal_relation_table *table, uint32_t number)
{
    return wal_pool_at(&table->entries, number);
}

/* The fork's limit, unless it is lower already. */
void wal_relation_table_limit(struct wal_relation_table *table, uint32_t number, uint32_t fork,
                              uint32_t limit);

#endif
