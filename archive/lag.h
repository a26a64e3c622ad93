/* SPDX-License-Identifier: PostgreSQL */
/*
 * lag.h: which archived files one store does not have yet.
 *
 * The first LAG_ENTRIES_MAX are remembered one by one with their marks. When that is full,
 * segments that follow each other become one range, without marks; what then finds no place is
 * counted only, and `seawall sync` must find it.
 */
#ifndef ARCHIVE_LAG_H
#define ARCHIVE_LAG_H

#include "archive/file_mark.h"
#include "base/err.h"
#include "wal/wal_name.h"

#define LAG_ENTRIES_MAX 512

struct lag_file {
    struct wal_name wal;
    struct file_mark mark;
    bool marked;      /* mark is known */
    uint64_t size;    /* of the file, as far as known */
    int64_t since_ms; /* when the others acknowledged it (clock_boot_ms()) */
};

struct lag_entry {
    struct lag_file first;
    uint64_t n; /* so many segments one after the other */
};

struct lag {
    struct lag_entry *entries; /* LAG_ENTRIES_MAX, made with the first one */
    size_t n_entries;
    uint64_t files;     /* in the entries */
    uint64_t forgotten; /* counted only */
};

/* Remember a file that the store does not have. */
void lag_add(struct lag *lag, const struct lag_file *file);

/* The entry that was added first gives its first file away. False: there is none. */
bool lag_take(struct lag *lag, struct lag_file *ret);

/* The same without taking it out; NULL: there is none. */
const struct lag_file *lag_oldest(const struct lag *lag);

void lag_done(struct lag *lag);

#endif
