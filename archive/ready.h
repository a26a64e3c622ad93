/* SPDX-License-Identifier: PostgreSQL */
/*
 * ready.h: which files PostgreSQL will ask for next.
 *
 * It asks for timeline histories first, then in the order of strcmp (pgarch.c, 15 to 18). The
 * directory may have tens of thousands of entries: the first READY_MAX in that order are kept, the
 * others are counted, and whoever has used them up looks again. Nothing is written there.
 */
#ifndef ARCHIVE_READY_H
#define ARCHIVE_READY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "wal/wal_name.h"

#define READY_MAX 128
#define READY_COUNT_MAX ((size_t)1000000)
#define READY_DIRECTORY "pg_wal/archive_status"

struct ready {
    struct wal_name names[READY_MAX]; /* in order */
    size_t n;
    size_t total; /* up to READY_COUNT_MAX */
};

/* Look into `directory` (READY_DIRECTORY). 0 or -1 (ERR_LOCAL: it cannot be read). */
int ready_scan(const char *directory, struct ready *ret, struct err *err) MUST_USE;

/* Does PostgreSQL still wait for this file? */
bool ready_is(const char *name);

/* Since when: the time of its .ready (wall clock), or 0 if there is none. */
int64_t ready_since_us(const char *name);

/* Is `a` asked for before `b`? */
bool ready_before(const struct wal_name *a, const struct wal_name *b);

#endif
