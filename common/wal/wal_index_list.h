/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_index_list.h: passing over the lists inside of elements while an index is proven.
 *
 * Each reads n elements (a number that stands before them, or as said) and leaves them as a list to
 * be walked through later. A list that is not one makes the cursor fail. `n_relations` bounds the
 * numbers of relations.
 */
#ifndef WAL_WAL_INDEX_LIST_H
#define WAL_WAL_INDEX_LIST_H

#include "wal/wal_index.h"
#include "wal/wal_varint.h"

void wal_index_list_read_u32(struct cursor *cursor, uint32_t n, uint32_t before,
                             struct wal_index_list *ret);
void wal_index_list_read_relations(struct cursor *cursor, size_t n_relations,
                                   struct wal_index_list *ret);
void wal_index_list_read_stats(struct cursor *cursor, struct wal_index_list *ret);
void wal_index_list_read_rows(struct cursor *cursor, size_t n_relations,
                              struct wal_index_list *ret);
void wal_index_list_read_storage(struct cursor *cursor, size_t n_relations, uint64_t first_lsn,
                                 struct wal_index_list *ret);
void wal_index_list_read_objects(struct cursor *cursor, struct wal_index_list *ret);

/* Blocks of one fork, in chunks. */
void wal_index_list_read_ranges(struct cursor *cursor, struct wal_index_ranges *ret);

/* Walk through everything once: NULL, or the name of the first section that is not in order. */
const char *wal_index_walk_all(const struct wal_index *index);

#endif
