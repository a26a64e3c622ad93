/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_facts_private.h: the parts of wal_facts.c, one for each family of resource managers.
 *
 * Each gets a fact that is all zeros, fills it, and says whether the record has its layout.
 */
#ifndef WAL_WAL_FACTS_PRIVATE_H
#define WAL_WAL_FACTS_PRIVATE_H

#include "base/io.h"
#include "wal/wal_facts.h"

/* What PostgreSQL counts from, 2000-01-01, in Unix time. */
#define WAL_FACTS_EPOCH INT64_C(946684800)

bool wal_facts_xlog(const struct wal_record *record, struct wal_fact *ret);
bool wal_facts_xact(const struct wal_record *record, struct wal_fact *ret);
bool wal_facts_heap(const struct wal_record *record, struct wal_fact *ret);
bool wal_facts_heap2(const struct wal_record *record, struct wal_fact *ret);

/* The main data of a record. */
struct cursor wal_facts_cursor(const struct wal_record *record);

/* A count of elements of `size` bytes, and those that are at hand. False: a negative count. */
bool wal_facts_list(struct cursor *cursor, uint32_t size, struct wal_list *ret);

/* Microseconds since 2000 in host order become microseconds since 1970. */
int64_t wal_facts_time(struct cursor *cursor);

#endif
