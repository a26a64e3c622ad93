/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_name.h: the names PostgreSQL gives to files it archives.
 *
 * Knows names only. It opens nothing, so it can be trusted with any string, and
 * it is the single gate between %f and a path or an object name: a name that is
 * not one of the kinds below never reaches a store.
 *
 * Source: src/include/access/xlog_internal.h of PostgreSQL 13 to 18.
 */
#ifndef WAL_WAL_NAME_H
#define WAL_WAL_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAL_NAME_SIZE 48 /* the longest name is 40 characters */
#define WAL_SEGMENT_NAME_LENGTH 24
#define WAL_LSN_TEXT_SIZE 24
#define WAL_SEGMENT_SIZE_MIN ((uint32_t)1 << 20)
#define WAL_SEGMENT_SIZE_MAX ((uint32_t)1 << 30)

enum wal_name_kind {
    WAL_NAME_SEGMENT,        /* [0-9A-F]{24} */
    WAL_NAME_PARTIAL,        /* segment.partial */
    WAL_NAME_BACKUP_HISTORY, /* segment.OFFSET.backup */
    WAL_NAME_HISTORY,        /* [0-9A-F]{8}.history */
};

struct wal_name {
    enum wal_name_kind kind;
    uint32_t timeline;
    uint32_t log;    /* second eight digits; 0 for a history file */
    uint32_t seg;    /* third eight digits */
    uint32_t offset; /* backup history only */
    char text[WAL_NAME_SIZE];
};

/*
 * Read a name by the strict grammar: upper-case digits, timeline not zero, nothing before or
 * behind. False if it is not one; ret is then untouched. `text` need not end with NUL.
 */
bool wal_name_parse(const char *text, size_t length, struct wal_name *ret);

/* Power of two from 1 MiB to 1 GiB. */
bool wal_segment_size_valid(uint64_t size);

/*
 * Can this name exist where segments have this size: is the segment's place in its log below
 * 2^32 / size, and the offset of a backup history file inside the segment? Everywhere below
 * `segment_size` is a valid one.
 */
bool wal_name_fits(const struct wal_name *name, uint32_t segment_size);

/* First byte position of the segment (log * 2^32 + seg * size). For names that fit. */
uint64_t wal_name_start_lsn(const struct wal_name *name, uint32_t segment_size);

/* Consecutive number of the segment, equal for all timelines: start LSN / size. */
uint64_t wal_name_segment_number(const struct wal_name *name, uint32_t segment_size);

/* The segment with this number (below 2^64 / size) on this timeline. */
void wal_name_of_segment(uint32_t timeline, uint64_t number, uint32_t segment_size,
                         struct wal_name *ret);

/* The segment that holds (or would hold) the byte at `lsn`. */
void wal_name_of_lsn(uint32_t timeline, uint64_t lsn, uint32_t segment_size, struct wal_name *ret);

void wal_name_of_history(uint32_t timeline, struct wal_name *ret);

/* "hi/lo" as PostgreSQL up to 18 prints it. `text` has WAL_LSN_TEXT_SIZE. Returns text. */
const char *wal_lsn_text(uint64_t lsn, char *text);

/* Read "hi/lo", 1 to 8 hexadecimal digits (either case) each, and nothing else: all versions. */
bool wal_lsn_parse(const char *text, size_t length, uint64_t *ret_lsn);

#endif
