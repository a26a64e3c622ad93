/* SPDX-License-Identifier: PostgreSQL */
/*
 * name_book.h: what numbers in WAL were called, from the name maps of the archive.
 *
 * For a moment the newest map made before it is asked, then the one after, then the one before
 * that; maps are read when they are needed. A map that cannot be read is a warning, and names stay
 * numbers.
 */
#ifndef RESTORE_NAME_BOOK_H
#define RESTORE_NAME_BOOK_H

#include "base/log.h"
#include "catalog/archive.h"
#include "catalog/name_map.h"
#include "wal/wal_record.h"

struct name_book; /* opaque */

struct name_book_source {
    struct archive *archive; /* its stores that can be listed are asked */
    const struct object_owner *owner; /* borrowed */
    struct notices *notices;
    int64_t deadline_ms;
};

/* List the maps there are. 0 or -1 (ERR_INTERNAL). The source's parts must outlive the book. */
int name_book_open(const struct name_book_source *source, struct name_book **ret_book,
                   struct err *err) MUST_USE;

/* What is known for this moment (microseconds since 1970); NULL: nothing. Borrowed until the next
 * question. */
const struct name_map_database *name_book_database(struct name_book *book, int64_t time_us,
                                                   uint32_t oid);
const struct name_map_relation *name_book_by_file(struct name_book *book, int64_t time_us,
                                                  const struct wal_relation *relation);
const struct name_map_relation *name_book_by_oid(struct name_book *book, int64_t time_us,
                                                 uint32_t database, uint32_t oid);

void name_book_free(struct name_book *book);

DEFINE_POINTER_CLEANUP(name_book, struct name_book, name_book_free);

#endif
