/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_indexer.h: the segment index, made (docs/format.md, section 13).
 *
 * Fed with the bytes of a segment as they are read, it follows the records (wal_reader.h), collects
 * what they mean (wal_facts.h), and writes the index. Memory is bounded by the ceilings below,
 * whatever the segment holds; what passes one is left out and the index says so. Nothing in WAL can
 * make it fail.
 */
#ifndef WAL_WAL_INDEXER_H
#define WAL_WAL_INDEXER_H

#include "base/buf.h"
#include "wal/wal_index.h"

/* Least rows of one relation that make a transaction's work worth a line when it is sure that all
 * of it is in one segment: updated, deleted or moved ones, and inserted or loaded ones. */
#define WAL_INDEX_ROWS_CHANGED 100
#define WAL_INDEX_ROWS_ADDED 1000

/* So many of the oldest transactions seen in a segment have a line whatever they did. */
#define WAL_INDEX_OLDEST 256

struct wal_indexer; /* opaque */

/* 0 or -1 (ERR_INTERNAL: memory). */
int wal_indexer_new(struct wal_indexer **ret_indexer, struct err *err) MUST_USE;

/* The next piece of the segment. Cannot fail. */
void wal_indexer_feed(struct wal_indexer *indexer, const uint8_t *bytes, size_t size);

/*
 * The segment is over: write the index into *ret_index (replacing its content; its limit is at
 * least WAL_INDEX_MAX). *ret_damage is the reader's verdict. Once. 0 or -1 (ERR_INTERNAL: memory).
 */
int wal_indexer_finish(struct wal_indexer *indexer, struct buf *ret_index,
                       struct wal_damage *ret_damage, struct err *err) MUST_USE;

void wal_indexer_free(struct wal_indexer *indexer);

DEFINE_POINTER_CLEANUP(wal_indexer, struct wal_indexer, wal_indexer_free);

/*
 * The index of one record, joined from two segments (wal_seam.h). Its summary and its edges are
 * empty. 0 or -1 (ERR_INTERNAL).
 */
int wal_index_of_record(const struct wal_record *record, struct buf *ret_index,
                        struct err *err) MUST_USE;

#endif
